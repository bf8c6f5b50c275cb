//! `keyhole explain` on the command line and `keyhole.explain` in a session: the same account.

use std::process::Output;

use serde_json::Value;

use crate::desk::{Shop, masked};
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::{Format, Postgres};

/// A shop that nobody serves: bob may always read addresses, dora may define.
fn closed_shop(name: &str) -> Config {
    let server = Postgres::shared();
    traps::create(server, name, Variant::A);
    let mut config = Config::new().database("shop", server, name, traps::CATALOG);
    config.push(
        "standing",
        "subject = 'bob'\nresources = ['public.customers.email']\nactions = ['read']\n\
         reason = 'mails invoices'",
    );
    config.write();
    config
}

fn explain(config: &Config, arguments: &[&str]) -> Output {
    let file = config.file();
    let file = file.to_str().expect("UTF-8");
    let mut all = vec!["explain", "--config", file, "--database", "shop"];
    all.extend(arguments);
    config.command(&all).output().expect("it runs")
}

fn said(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn cut(line: &str, chars_max: usize) -> String {
    match line.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line.to_owned(),
    }
}

#[test]
fn each_way_is_told_with_its_reasons() {
    let config = closed_shop("explain_ways");
    let statements = [
        ("clear", "SELECT sku, price FROM products WHERE stock > 0"),
        ("clear_beside", "SELECT id, balance FROM customers"),
        ("shown", "SELECT id, email, ssn FROM customers WHERE id = 5"),
        ("computed", "SELECT upper(email) FROM customers"),
        ("stored", "CREATE TABLE copied AS SELECT email FROM customers"),
        ("unique", "UPDATE customers SET ssn = '900-00-0000' WHERE id = 5"),
        ("joined", "SELECT count(*) FROM customers c JOIN kyc_checks k ON k.ssn = c.ssn"),
        ("view", "SELECT card FROM v_contact_card"),
        ("derived", "SELECT email_lower, email_md5 FROM customers"),
        ("side_door", "SELECT most_common_vals FROM pg_stats WHERE tablename = 'customers'"),
        ("in_band", "SELECT * FROM keyhole.my_grants"),
        ("unparsable", "SELECT email FRM customers WHERE"),
        ("several", "SELECT 1; SELECT email FROM customers"),
    ];
    let told = statements.map(|(name, sql)| {
        let output = explain(&config, &["--as", "alice", sql]);
        let code = output.status.code().expect("it ends by itself");
        // Masks in SQL are long, and other tests look at them.
        let said = said(&output);
        let lines: Vec<String> = said.lines().map(|line| cut(line, 110)).collect();
        format!("## {name}\n{sql}\n--> {code}\n{}\n", lines.join("\n"))
    });
    insta::assert_snapshot!("explain_text", told.join("\n"));
}

#[test]
fn several_users_stand_side_by_side() {
    let config = closed_shop("explain_users");
    let sql = "SELECT id, email, ssn FROM customers WHERE id = 5";
    let output = explain(&config, &["--as", "alice,bob,dora", sql]);
    insta::assert_snapshot!("explain_users", said(&output));
    let granted = explain(&config, &["--as", "bob", "SELECT email FROM customers"]);
    assert!(said(&granted).contains("granted, as written and raw"), "{granted:?}");
}

#[test]
fn a_program_gets_one_object_per_user() {
    let config = closed_shop("explain_json");
    let sql = "SELECT id, email, ssn FROM customers WHERE id = 5";
    let output = explain(&config, &["--json", "--as", "alice,bob", sql]);
    let objects: Vec<Value> = said(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object on each line"))
        .collect();
    insta::assert_snapshot!(
        "explain_json",
        serde_json::to_string_pretty(&objects).expect("it was JSON")
    );
}

#[test]
fn what_was_granted_counts_and_rows_are_named() {
    let mut shop = Shop::open("explain_granted");
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email WHERE id = 5 TO alice FOR '30 min' \
         REASON 'INC-7: one customer'",
    );
    shop.dba().grant("public.customers.ssn", "alice");
    let sql = "SELECT email, ssn FROM customers";
    // A proxy that runs has the store: its grants are not known, and that is said.
    let output = explain(&shop.proxy.config, &["--as", "alice", sql]);
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(warned.contains("in use by a running proxy"), "{warned}");
    shop.proxy.signal_and_wait("TERM");
    let text = said(&explain(&shop.proxy.config, &["--as", "alice", sql]));
    assert!(text.contains("customers.email (email) is partly: raw where"), "{text}");
    assert!(text.contains("customers.ssn (national_id) is raw: raw, by grant 2 until"), "{text}");
    assert!(text.contains("grant     read on public.customers.email"), "{text}");
}

#[test]
fn nobody_and_nowhere_are_errors_of_the_command() {
    let config = closed_shop("explain_nobody");
    let output = explain(&config, &["--as", "alice,mallory", "SELECT 1"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("no [[user]] has the name \"mallory\""), "{told}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_session_explains_itself_as_the_command_does() {
    let shop = Shop::open("explain_in_band");
    let mut alice = shop.alice().connect();
    let sql = "SELECT email, ssn FROM customers WHERE id = 5";
    let asked = format!("SELECT * FROM keyhole.explain('{sql}')");
    let before = alice.query(&asked).ok().rows();
    shop.dba().grant("public.customers.email", "alice");
    let after = alice.query(&asked).ok().rows();
    let binary = alice.extended(&asked, &[], Format::Text).ok().rows();
    assert_eq!(after, binary);
    let item = |rows: &[Vec<String>], name: &str| -> Vec<String> {
        rows.iter().filter(|row| row[0] == name).map(|row| row[1].clone()).collect()
    };
    assert_eq!(item(&before, "verdict"), ["shown, with hidden columns masked in the rows"]);
    assert_eq!(
        item(&before, "grant"),
        ["read on public.customers.email", "read on public.customers.ssn"]
    );
    assert_eq!(item(&after, "grant"), ["read on public.customers.ssn"]);
    assert_eq!(item(&after, "runs"), [sql]);
    // It was right: what it says is needed is enough.
    shop.dba().grant("public.customers.ssn", "alice");
    let raw = [("email", 5), ("ssn", 5)]
        .map(|(column, id)| traps::stored(Variant::A, &format!("customers.{column}"), id));
    assert_eq!(alice.query(sql).ok().rows(), [raw.to_vec()]);
    assert_eq!(item(&alice.query(&asked).ok().rows(), "verdict"), ["granted, as written and raw"]);
    // What the session did before counts: this cursor rests on a grant that is over.
    let mut bob = shop.bob().connect();
    shop.dba().grant("public.customers.email", "bob");
    bob.query("BEGIN").ok();
    bob.query("DECLARE kept CURSOR FOR SELECT email FROM customers WHERE id = 5").ok();
    shop.dba().revoke("bob");
    let rows = bob.query("SELECT * FROM keyhole.explain('FETCH kept')").ok().rows();
    assert_eq!(item(&rows, "verdict"), ["refused"], "{rows:?}");
    assert_eq!(item(&rows, "runs"), [""; 0]);
    let email = traps::stored(Variant::A, "customers.email", 5);
    bob.query("ROLLBACK").ok();
    assert_eq!(bob.query("SELECT email FROM customers WHERE id = 5").ok().scalar(), masked(&email));
}
