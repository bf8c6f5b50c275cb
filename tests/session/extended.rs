//! The extended protocol: formats, the injected Describe, refusals, names parsed again.

use keyhole::audit::Decision;

use super::bench::{Bench, Log, at};
use super::messages::{Tells, Told, ask, asked, one_column, row, tell};

const COMPUTED: &str = "SELECT lower(email) FROM customers";

#[test]
fn a_clear_batch_passes_with_nothing_added_when_the_client_describes() {
    let mut bench = Bench::new();
    let batch = ask(|to| {
        to.parse("s", "SELECT total FROM orders");
        to.describe_statement("s");
        to.sync();
    });
    bench.client(&batch);
    assert_eq!(bench.sent(), batch);
    let answer = tell(|to| {
        to.parsed();
        to.takes_no_parameters();
        to.describes(&[("total", 20_001, 3, 0)]);
        to.ready(b'I');
    });
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    let batch = ask(|to| {
        to.bind("", "s", 1);
        to.execute("");
        to.close_statement("s");
        to.sync();
    });
    bench.client(&batch);
    assert_eq!(bench.sent(), batch, "its shape is known");
    let answer = tell(|to| {
        to.bound();
        to.row(&[Some(&[0, 0, 0, 1])]);
        to.completes("SELECT 1");
        to.closed();
        to.ready(b'I');
    });
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    bench.works();
}

#[test]
fn rows_of_a_shown_batch_are_masked_in_binary_and_their_description_is_not_touched() {
    let mut bench = Bench::new();
    let batch = ask(|to| {
        to.parse("", "SELECT id, email FROM customers");
        to.bind("", "", 1);
        to.describe_portal("");
        to.flush();
    });
    bench.client(&batch);
    assert_eq!(bench.sent(), batch);
    let answer = tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("id", 20_000, 1, 1), ("email", 20_000, 3, 1)]);
    });
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    let rest = ask(|to| {
        to.execute("");
        to.sync();
    });
    bench.client(&rest);
    assert_eq!(bench.sent(), rest);
    bench.server(&tell(|to| {
        to.row(&[Some(&[0, 0, 0, 1]), Some(b"ann@example.com")]);
        to.row(&[Some(&[0, 0, 0, 2]), None]);
        to.completes("SELECT 2");
        to.ready(b'I');
    }));
    let masked = tell(|to| {
        to.row(&[Some(&[0, 0, 0, 1]), Some(b"a***@example.com")]);
        to.row(&[Some(&[0, 0, 0, 2]), None]);
    });
    let shown = bench.shown();
    assert_eq!(&shown[..masked.len()], masked);
    assert_eq!(Told::read(&shown[masked.len()..]).tags, "NCZ");
    assert_eq!(bench.records(), [(Decision::Shown, None)]);
    bench.works();
}

#[test]
fn an_execute_without_describe_gets_one_and_its_answer_is_swallowed() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()).0, "PBDES");
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!(told.tags, "12DNCZ");
    assert_eq!(told.rows[0][0].as_deref(), Some("a***@example.com"));

    bench.client(&ask(|to| {
        to.parse("", "BEGIN");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()).0, "PBDES");
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.no_data();
        to.completes("BEGIN");
        to.ready(b'T');
    }));
    assert_eq!(bench.told().tags, "12CZ");
}

#[test]
fn pii_in_a_clear_batch_is_a_violation() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("", "SELECT * FROM something_else");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("x", 20_000, 4, 0)]);
        row(to, &[Some("900-12-3456")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let bytes = bench.shown();
    assert!(!String::from_utf8_lossy(&bytes).contains("3456"));
    let told = Told::read(&bytes);
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("12EZ", "42501"));
    assert_eq!((bench.cancels, bench.out.tally.violations), (1, 1));
    bench.works();
}

#[test]
fn a_refused_parse_fails_its_batch_and_the_session_goes_on() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("s", "SELECT salary FROM hr.employees");
        to.bind("", "s", 0);
        to.execute("");
        to.flush();
    }));
    // The server would ignore Bind and Execute after the error: whether they go is all the same.
    let (tags, texts) = asked(&bench.sent());
    assert!(tags.starts_with('P'));
    assert!(!texts[0].contains("salary"));
    bench.server(&tell(|to| to.error("42601", "syntax error")));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("E", "42501"));
    bench.client(&ask(|to| {
        to.parse("t", "SELECT 1");
        to.execute("");
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()).0, "S", "skipped up to Sync");
    bench.server(&tell(|to| to.ready(b'I')));
    assert_eq!(bench.told().tags, "Z");
    bench.works();
}

/// Binds and executes `s`; gives what the server was asked.
fn run_again(bench: &mut Bench) -> (String, Vec<String>) {
    bench.client(&ask(|to| {
        to.bind("", "s", 0);
        to.execute("");
        to.sync();
    }));
    asked(&bench.sent())
}

fn one_row(to: &mut Tells, value: &str) {
    one_column(to, "lower");
    row(to, &[Some(value)]);
    to.completes("SELECT 1");
    to.ready(b'I');
}

#[test]
fn a_prepared_statement_is_parsed_again_after_a_grant_and_after_its_end() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("s", COMPUTED);
        to.sync();
    }));
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "PS");
    assert_ne!(texts[0], COMPUTED, "it is masked below the query");
    let masked = texts[0].clone();
    bench.server(&tell(|to| {
        to.parsed();
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "1Z");

    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.bind("", "s", 0);
        to.execute("");
        to.sync();
    }));
    let (tags, texts) = asked(&bench.sent());
    assert_eq!((tags.as_str(), texts[0].as_str()), ("CPB", COMPUTED), "Execute waits");
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).0, "DES");
    bench.server(&tell(|to| {
        to.closed();
        to.parsed();
        to.bound();
        one_row(to, "ann@example.com");
    }));
    let told = bench.told();
    assert_eq!(told.tags, "2DCZ", "the client does not see that it was parsed again");
    assert_eq!(told.rows[0][0].as_deref(), Some("ann@example.com"));

    bench.now = at(60);
    let (tags, texts) = run_again(&mut bench);
    assert_eq!((tags.as_str(), &texts[0]), ("CPBDES", &masked));
    bench.server(&tell(|to| {
        to.closed();
        to.parsed();
        to.bound();
        one_row(to, "a***@example.com");
    }));
    assert_eq!(bench.told().tags, "2DNCZ");

    let (tags, _) = run_again(&mut bench);
    assert_eq!(tags, "BES", "nothing has changed and its shape is known");
}

#[test]
fn a_shown_statement_keeps_its_text_when_it_is_granted() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("s", "SELECT email FROM customers");
        to.describe_statement("s");
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.parsed();
        to.takes_no_parameters();
        to.describes(&[("email", 20_000, 3, 0)]);
        to.ready(b'I');
    }));
    let _ = (bench.sent(), bench.shown());
    bench.grant("email", 60);
    assert_eq!(run_again(&mut bench).0, "B");
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).0, "ES");
    let answer = tell(|to| {
        to.bound();
        row(to, &[Some("ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    });
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    bench.works();
}
