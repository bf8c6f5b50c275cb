//! Who has seen one customer: told from the log, over every way of asking, without a value in it.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::desk::{Shop, email};
use crate::support::client::{bind, describe, execute, parse, sync};
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Format, Postgres};

const SHOWN: &str = "SELECT id, email FROM customers WHERE id = ";

/// What `keyhole audit subject` says of customer `id`; the value is given on standard input.
fn ask(config: &Config, id: &str, more: &[&str]) -> String {
    ask_by(config, &[("id", id)], more)
}

/// The same, by other keys of theirs.
fn ask_by(config: &Config, keys: &[(&str, &str)], more: &[&str]) -> String {
    let path = |name: &str| config.path().join(name).to_str().expect("UTF-8").to_owned();
    let (dir, key) = (path("audit"), path("subjects.key"));
    let args = ["audit", "subject", "--dir", &dir, "--key-file", &key];
    let given: Vec<String> = keys.iter().map(|(column, _)| format!("--key={column}=-")).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let args = [&args, &["--table", "public.customers"][..], &given, more].concat();
    let mut command = config.command(&args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    keys.iter().for_each(|(_, value)| writeln!(input, "{value}").expect("it reads"));
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    assert!(output.status.success(), "{said}");
    said
}

/// Application names of the sessions that saw the customer, and that may have.
fn sessions(config: &Config, id: &str) -> (Vec<String>, Vec<String>) {
    let answer: Value = serde_json::from_str(&ask(config, id, &["--json"])).expect("JSON");
    let names = |part: &str| {
        let sights = answer[part].as_array().expect("an array");
        let name = |sight: &Value| sight["application"].as_str().expect("a name").to_owned();
        let mut names: Vec<String> = sights.iter().map(name).collect();
        names.sort();
        names.dedup();
        names
    };
    (names("saw"), names("may_have_seen"))
}

/// A session that goes by this name.
fn called(shop: &Shop, name: &str) -> Client {
    shop.alice().option("application_name", name).connect()
}

fn batch(client: &mut Client, messages: &[Vec<u8>]) {
    client.send(&messages.concat()).expect("sent");
    client.until_ready().ok();
}

/// One session for each way of asking, each for the same customer.
fn every_way(shop: &Shop, id: i64) -> Vec<String> {
    let sql = format!("{SHOWN}{id}");
    let name = |way: &str| format!("{way}-{id}");
    called(shop, &name("simple")).query(&sql).ok();
    called(shop, &name("text")).extended(&sql, &[], Format::Text).ok();
    called(shop, &name("binary")).extended(&sql, &[], Format::Binary).ok();
    let id_text = id.to_string();
    let parameter = format!("{SHOWN}$1");
    called(shop, &name("value")).extended(&parameter, &[Some(&id_text)], Format::Binary).ok();

    let mut prepared = called(shop, &name("prepared"));
    prepared.query(&format!("PREPARE p AS {parameter}")).ok();
    prepared.query(&format!("EXECUTE p({id})")).ok();
    let mut cursor = called(shop, &name("cursor"));
    cursor.query(&format!("BEGIN; DECLARE c CURSOR FOR {sql}")).ok();
    cursor.query("FETCH 1 FROM c").ok();
    let mut portal = called(shop, &name("portal"));
    let around = format!("SELECT id, email FROM customers WHERE id IN ({id}, 1) ORDER BY id = 1");
    let first = [parse("", &around), bind("", "", &[], Format::Binary), describe(b'P', "")];
    batch(&mut portal, &[first.concat(), execute("", 1), sync()]);
    let mut join = called(shop, &name("join"));
    join.query(&format!(
        "SELECT o.id, c.id, c.email FROM orders o RIGHT JOIN customers c ON o.customer_id = c.id \
         WHERE c.id = {id} LIMIT 1"
    ))
    .ok();
    ["binary", "cursor", "join", "portal", "prepared", "simple", "text", "value"].map(name).into()
}

fn reports_on(server: &'static Postgres, name: &str) {
    let shop = Shop::on(server, name, |config| config);
    shop.dba().grant("public.customers.email", "alice");
    let (of_5, of_7) = (every_way(&shop, 5), every_way(&shop, 7));
    let mut copy = called(&shop, "copy");
    copy.query(&format!("COPY ({SHOWN}5) TO STDOUT")).ok();
    called(&shop, "without-key").query("SELECT email FROM customers WHERE id = 5").ok();
    called(&shop, "count").query("SELECT count(*) FROM customers").ok();
    shop.bob().option("application_name", "masked").connect().query(&format!("{SHOWN}5")).ok();
    drop(copy);
    let config = &shop.proxy.config;
    let unknown = ["copy".to_owned(), "without-key".to_owned()];
    until("the last record is there", || {
        shop.proxy.audit_text().contains("\"user\":\"bob\"").then_some(())
    });
    assert_eq!(sessions(config, "5"), (of_5, unknown.to_vec()), "who has seen customer 5");
    assert_eq!(sessions(config, "7"), (of_7, unknown.to_vec()), "who has seen customer 7");
    assert_eq!(sessions(config, "9"), (vec![], unknown.to_vec()), "nobody has seen customer 9");

    let text = shop.proxy.audit_text();
    assert!(!text.contains(&email()), "no address");
    assert!(text.contains("\"subjects\":{\"public.customers\":{\"by\":[\"id\"],\"keys\":[\""));
    let said = ask(config, "5", &[]);
    for part in ["Saw it: alice in 8 statements", "May have seen it: alice in 2", "shown: email"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("approved by dora") || said.contains("asked for by dora"), "{said}");
    let (csv, html) = (ask(config, "5", &["--csv"]), ask(config, "5", &["--html"]));
    assert_eq!(csv.lines().count(), 11, "a header and ten statements: {csv}");
    assert!(html.contains("<h2>Saw it: alice in 8 statements</h2>"), "{html}");
}

#[test]
fn the_report_names_the_sessions_that_saw_a_customer() {
    reports_on(Postgres::shared(), "subjects_15");
}

#[test]
fn the_report_is_the_same_behind_postgresql_18() {
    reports_on(Postgres::shared_18(), "subjects_18");
}

#[test]
fn a_process_that_was_killed_leaves_releases_that_may_have_shown_anybody() {
    let mut shop = Shop::open("subjects_killed");
    shop.dba().grant("public.customers.email", "alice");
    let mut other = shop.server.admin(&shop.database);
    other.query("BEGIN").ok();
    other.query("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").ok();
    let mut waiting = called(&shop, "waiting");
    waiting.start(&format!("{SHOWN}5"));
    until("it is released", || shop.proxy.audit_text().contains("\"release\"").then_some(()));
    shop.proxy.kill9();
    shop.proxy.restart();
    other.query("ROLLBACK").ok();
    let nobody: Vec<String> = Vec::new();
    assert_eq!(sessions(&shop.proxy.config, "5"), (nobody, vec!["waiting".to_owned()]));
}

#[test]
fn a_decoy_that_is_shown_raw_is_on_record() {
    let decoy = "[[honey]]\ntable = 'public.customers'\nkey = 'id'\nvalues = ['7']\n";
    let server = Postgres::shared();
    traps::create(server, "subjects_honey", Variant::A);
    let table = "name = \"public.customers\"\n";
    let subject = format!("{table}subject = ['id', 'email']\n");
    let catalog = format!("{}\n{decoy}", traps::CATALOG.replacen(table, &subject, 1));
    let config = Config::new().database("shop", server, "subjects_honey", &catalog);
    let proxy = crate::support::Keyhole::start(config);
    let shop = Shop { server, database: "subjects_honey".to_owned(), proxy };
    shop.dba().grant("public.customers.email", "alice");
    let mut alice = shop.alice().connect();
    alice.query(&format!("{SHOWN}5")).ok();
    assert!(!shop.proxy.log().contains("decoy"));
    alice.query(&format!("{SHOWN}7")).ok();
    until("it is logged", || shop.proxy.log().contains("a decoy was shown raw").then_some(()));
    drop(alice);
    let honey = until("it is on record", || {
        let text = shop.proxy.audit_text();
        let lines: Vec<String> =
            text.lines().filter(|line| line.contains("\"honey\"")).map(str::to_owned).collect();
        (!lines.is_empty()).then_some(lines)
    });
    assert_eq!(honey.len(), 1);
    assert!(honey[0].contains("\"honey\":[\"public.customers\"]"), "{}", honey[0]);
    let seen = |keys: &[(&str, &str)], expected: &str| {
        let said = ask_by(&shop.proxy.config, keys, &[]);
        assert!(said.contains(expected) && !said.contains('@'), "{expected}: {said}");
    };
    seen(&[("email", &email())], "Saw it: alice in 1 statement");
    seen(&[("email", &email()), ("id", "5")], "told by email, id");
    seen(&[("email", "nobody@example.com")], "Saw it: nobody");
}
