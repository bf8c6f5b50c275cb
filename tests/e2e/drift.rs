//! The schema changes past the proxy: at once where triggers tell, and while the proxy is down.

use std::process::Output;

use crate::desk::{Shop, email, masked};
use crate::support::keyhole::Config;
use crate::support::postgres::ADMIN_PASSWORD;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Postgres};

/// The poll comes too late for any test.
fn slow(config: Config) -> Config {
    config.set("schema", "refresh", "1h")
}

fn install(shop: &Shop, arguments: &[&str]) -> Output {
    let file = shop.proxy.config.file();
    let file = file.to_str().expect("UTF-8");
    let mut all = vec!["install-trigger", "--config", file, "--database", "shop"];
    all.extend(arguments);
    let mut command = shop.proxy.config.command(&all);
    command.env("KEYHOLE_ADMIN_PASSWORD", ADMIN_PASSWORD).output().expect("it runs")
}

const AS_ADMIN: [&str; 4] = ["--user", "postgres", "--password-env", "KEYHOLE_ADMIN_PASSWORD"];

#[track_caller]
fn installed(shop: &Shop) {
    let output = install(shop, &AS_ADMIN);
    assert!(output.status.success(), "{output:?}");
}

/// Asks until the answer is the mask; what is computed from a name that is not known yet is raw.
#[track_caller]
fn masked_soon(session: &mut Client, sql: &str) {
    let hidden = masked(&email()).to_uppercase();
    until("the change is known", || (session.query(sql).ok().scalar() == hidden).then_some(()));
}

#[test]
fn a_view_made_past_the_proxy_is_known_at_once_where_triggers_tell() {
    let shop = Shop::open_with("drift_view", slow);
    let mut alice = shop.alice().connect();
    installed(&shop);
    // A proxy without a connection of its own finds them when it reads the schema again.
    shop.dba().say("RELOAD");
    let mut direct = shop.direct().connect();
    direct.query("CREATE VIEW late AS SELECT id, email AS contact FROM customers").ok();
    masked_soon(&mut alice, "SELECT upper(contact) FROM late WHERE id = 5");
    direct.query("ALTER VIEW late RENAME TO later").ok();
    masked_soon(&mut alice, "SELECT upper(contact) FROM later WHERE id = 5");
    // With nobody there it goes on listening.
    drop(alice);
    direct.query("CREATE VIEW latest AS SELECT id, contact AS found FROM later").ok();
    let mut bob = shop.bob().connect();
    masked_soon(&mut bob, "SELECT upper(found) FROM latest WHERE id = 5");
}

#[test]
fn triggers_are_on_postgresql_18_too_and_found_by_a_proxy_that_starts_later() {
    let mut shop = Shop::on(Postgres::shared_18(), "drift_later", slow);
    installed(&shop);
    shop.proxy.restart();
    let mut direct = shop.direct().connect();
    direct.query("CREATE VIEW late AS SELECT id, email AS contact FROM customers").ok();
    let mut alice = shop.alice().connect();
    masked_soon(&mut alice, "SELECT upper(contact) FROM late WHERE id = 5");
}

#[test]
fn triggers_take_a_superuser_and_say_so() {
    let shop = Shop::open_with("drift_superuser", slow);
    let output = install(&shop, &[]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("event triggers take a superuser"), "{told}");
    let printed = install(&shop, &["--print"]);
    let sql = String::from_utf8(printed.stdout).expect("UTF-8");
    shop.server.admin(&shop.database).query(&sql).ok();
    assert_eq!(triggers(&shop), "2");
    // A second time changes nothing, and they can be taken out.
    installed(&shop);
    assert_eq!(triggers(&shop), "2");
    let output = install(&shop, &[&AS_ADMIN[..], &["--remove"]].concat());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(triggers(&shop), "0");
}

fn triggers(shop: &Shop) -> String {
    let sql = "SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'keyhole%'";
    shop.server.admin(&shop.database).query(sql).ok().scalar()
}

#[test]
fn triggers_are_in_nobodys_way_and_temporary_objects_say_nothing() {
    let shop = Shop::open_with("drift_in_the_way", slow);
    installed(&shop);
    let mut listener = shop.direct().connect();
    listener.query("LISTEN keyhole_ddl").ok();
    let mut direct = shop.direct().connect();
    for quiet in [
        "CREATE TEMP TABLE scratch (a int)",
        "ALTER TABLE scratch ADD b int",
        "DROP TABLE scratch",
        "BEGIN; CREATE TABLE undone (a int); ROLLBACK",
        "SET keyhole.notify = off; CREATE TABLE unsaid (a int); RESET keyhole.notify",
    ] {
        direct.query(quiet).ok();
    }
    assert_eq!(heard(&mut listener, &mut direct), 0);
    for loud in [
        "CREATE TABLE said (a int)",
        "ALTER TABLE said RENAME a TO b",
        "CREATE FUNCTION said() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "GRANT SELECT ON said TO reporting",
        "DROP TABLE said",
    ] {
        direct.query(loud).ok();
        assert_eq!(heard(&mut listener, &mut direct), 1, "{loud}");
    }
    // What the trigger calls is taken from everybody: DDL goes on.
    let mut admin = shop.server.admin(&shop.database);
    admin.query("REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC").ok();
    direct.query("CREATE TABLE mute (a int)").ok();
    // A transaction that is to be prepared cannot notify, and has a way to say so.
    admin.query("GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO PUBLIC").ok();
    let prepared = "BEGIN; SET LOCAL keyhole.notify = off; CREATE TABLE two (a int); \
                    PREPARE TRANSACTION 'drift'";
    direct.query(prepared).ok();
    direct.query("ROLLBACK PREPARED 'drift'").ok();
}

/// How often the triggers have told since the last time.
fn heard(listener: &mut Client, direct: &mut Client) -> usize {
    direct.query("NOTIFY keyhole_ddl, 'until here'").ok();
    let mut told = Vec::new();
    until("the notification that was asked for", || {
        let reply = listener.query("SELECT 1").ok();
        told.extend(reply.messages.into_iter().filter(|message| message.tag == b'A'));
        told.last().is_some_and(|last| last.body.ends_with(b"until here\0")).then_some(())
    });
    told.len() - 1
}

#[test]
fn a_column_renamed_while_the_proxy_is_down_stays_masked() {
    let mut shop = Shop::open("drift_renamed");
    let mut alice = shop.alice().connect();
    let sql = "SELECT email FROM customers WHERE id = 5";
    assert_eq!(alice.query(sql).ok().scalar(), masked(&email()));
    drop(alice);
    shop.proxy.signal_and_wait("TERM");
    let mut direct = shop.direct().connect();
    direct.query("ALTER TABLE customers RENAME email TO mail").ok();
    direct.query("ALTER TABLE customers ADD email text").ok();
    direct.query("ALTER TABLE hr.employees RENAME TO staff").ok();

    let (code, told) = check(&shop.proxy.config);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("public.customers.email is now called public.customers.mail"), "{told}");
    assert!(told.contains("is now called hr.staff.salary"), "{told}");

    shop.proxy.restart();
    let mut alice = shop.alice().connect();
    let sql = "SELECT mail, upper(mail) FROM customers WHERE id = 5";
    let hidden = masked(&email());
    assert_eq!(alice.query(sql).ok().rows(), [[hidden.clone(), hidden.to_uppercase()]]);
    let staff = alice.query("SELECT salary, national_id FROM hr.staff WHERE id = 5").ok();
    let finder = traps::finder(Variant::A);
    assert_eq!(finder.find(&alice.heard, b""), [], "{staff:?}");
    // A grant speaks of the catalog's name, and so do the records.
    shop.dba().grant("public.customers.email", "alice");
    assert_eq!(alice.query("SELECT mail FROM customers WHERE id = 5").ok().scalar(), email());
}

#[test]
fn a_database_that_was_made_anew_inherits_no_tags_by_number() {
    let mut shop = Shop::open("drift_anew");
    drop(shop.alice().connect());
    shop.proxy.signal_and_wait("TERM");
    let mut direct = shop.direct().connect();
    direct.query("ALTER TABLE customers RENAME email TO mail").ok();
    shop.proxy.restart();
    drop(shop.alice().connect());
    shop.proxy.signal_and_wait("TERM");
    drop(direct);
    shop.server.drop_database(&shop.database);
    // The same template, so the same OIDs: what had customers' is now something else.
    traps::create(shop.server, &shop.database, Variant::A);
    let mut direct = shop.direct().connect();
    direct.query("ALTER TABLE customers RENAME notes TO remarks").ok();
    direct.query("ALTER TABLE products RENAME description TO mail").ok();
    let (_, told) = check(&shop.proxy.config);
    assert!(!told.contains("is now called"), "{told}");
    shop.proxy.restart();
    let mut alice = shop.alice().connect();
    let sql = "SELECT email FROM customers WHERE id = 5";
    assert_eq!(alice.query(sql).ok().scalar(), masked(&email()));
    assert_eq!(alice.query("SELECT mail FROM products WHERE id = 5").ok().scalar(), "good");
}

#[test]
fn without_what_was_tagged_nobody_is_served() {
    let mut shop = Shop::open("drift_corrupt");
    drop(shop.alice().connect());
    shop.proxy.signal_and_wait("TERM");
    let folder = shop.proxy.config.path().join("keyhole.db.tags");
    let mut files = std::fs::read_dir(&folder).expect("tags are kept").flatten();
    let is_tags = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "json");
    let file = files.find_map(|file| Some(file.path()).filter(is_tags));
    let file = file.expect("one for this database");
    let whole = std::fs::read(&file).expect("readable");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("writable");
    shop.proxy.restart();
    let refused = Client::connect(&shop.alice()).err().expect("the schema is not known");
    assert_eq!(refused.code(), "57P03", "{refused:?}");
    assert!(shop.proxy.log().contains("is not what was written there"), "{}", shop.proxy.log());
    std::fs::write(&file, &whole).expect("writable");
    until("it is served again", || Client::connect(&shop.alice()).ok());
}

fn check(config: &Config) -> (Option<i32>, String) {
    let file = config.file();
    let mut command = config.command(&["check", "--config", file.to_str().expect("UTF-8")]);
    let output = command.output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}
