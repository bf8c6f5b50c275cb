//! What the server says of statements that touch hidden data, and of others.

use super::bench::{Bench, Log};
use super::messages::{ask, row, tell};

const SECRET: &str = "invalid input: \"ann@example.com\"";

/// The server tells the secret in a notice and in an error of this statement.
fn words_of(bench: &mut Bench, sql: &str) -> super::messages::Told {
    bench.client(&ask(|to| to.query(sql)));
    bench.server(&tell(|to| {
        to.notice(SECRET);
        to.error("22P02", SECRET);
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("NEZ", "22P02"));
    told
}

#[test]
fn words_about_hidden_data_are_scrubbed() {
    let mut bench = Bench::new();
    for sql in [
        "SELECT email FROM customers",
        "SELECT lower(email) FROM customers",
        "SELECT id FROM customers WHERE balance > 1/0",
        "INSERT INTO customers (id, email) VALUES (1, 'x')",
    ] {
        let told = words_of(&mut bench, sql);
        assert!(!told.words.contains("ann@"), "{sql}: {}", told.words);
        bench.works();
    }
}

#[test]
fn words_about_other_data_are_not() {
    let mut bench = Bench::new();
    for sql in ["SELECT total FROM orders", "SELECT 1/0"] {
        assert_eq!(words_of(&mut bench, sql).words.matches(SECRET).count(), 3);
        bench.works();
    }
}

#[test]
fn words_about_granted_data_are_not_scrubbed_when_nothing_of_the_table_is_hidden() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("SELECT email FROM customers")));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.error("22P02", SECRET);
        to.ready(b'I');
    }));
    assert!(!bench.told().words.contains("ann@"), "ssn and name are still hidden");
    bench.works();
}

#[test]
fn what_deferred_triggers_say_at_commit_is_scrubbed() {
    let mut bench = Bench::new();
    for (sql, tag) in
        [("BEGIN", "BEGIN"), ("INSERT INTO customers (id, email) VALUES (1, 'x')", "INSERT 0 1")]
    {
        bench.client(&ask(|to| to.query(sql)));
        bench.server(&tell(|to| {
            to.completes(tag);
            to.ready(b'T');
        }));
    }
    let _ = bench.shown();
    let told = words_of(&mut bench, "COMMIT");
    assert!(!told.words.contains("ann@"), "{}", told.words);
    let told = words_of(&mut bench, "SELECT 1");
    assert!(told.words.contains("ann@"), "the transaction is over");
}

#[test]
fn what_deferred_triggers_say_in_a_pipeline_is_scrubbed() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.query("SELECT total FROM orders");
        to.query("BEGIN");
        to.query("INSERT INTO customers (id, email) VALUES (1, 'x')");
        to.query("COMMIT");
    }));
    bench.server(&tell(|to| {
        to.describes(&[("total", 20_001, 3, 0)]);
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.ready(b'I');
        to.completes("BEGIN");
        to.ready(b'T');
        to.completes("INSERT 0 1");
        to.ready(b'T');
        to.error("23505", SECRET);
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("TDCZCZCZEZ", "23505"));
    assert!(!told.words.contains("ann@"), "{}", told.words);
    bench.works();
}
