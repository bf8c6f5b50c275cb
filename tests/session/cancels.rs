//! Cancel requests of the client, and what they hit.

use keyhole::audit::{Decision, Event};
use keyhole::session::{Hold, Reach};

use super::bench::{Bench, Log, path_answer};
use super::messages::{ask, asked, one_column, row, tell};

const EMAIL: &str = "SELECT email FROM customers";

fn syntax_error(status: u8) -> Vec<u8> {
    tell(|to| {
        to.error("42601", "syntax error");
        to.ready(status);
    })
}

/// The question for the path is with the server, the client's statement waits for it.
fn asking() -> Bench {
    let mut bench = Bench::fresh();
    bench.client(&ask(|to| to.query(EMAIL)));
    assert!(matches!(bench.session.hold(), Some(Hold::Server)));
    bench.sent();
    bench
}

#[track_caller]
fn fails_as_cancelled(bench: &mut Bench) {
    let (tags, texts) = asked(&bench.sent());
    assert_eq!((tags.as_str(), texts.len()), ("Q", 1));
    assert!(texts[0].contains("refused"), "{texts:?}");
    bench.server(&syntax_error(b'I'));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states), ("EZ", vec!["57014".to_owned()]));
    assert!(told.words.starts_with("canceling statement due to user request"), "{}", told.words);
    assert_eq!(bench.records(), [(Decision::Refused, Some("57014".to_owned()))]);
    bench.out.audit.clear();
    bench.works();
    bench.out.audit.clear();
}

#[test]
fn one_that_hits_a_batch_of_ours_cancels_what_waits_for_it() {
    let mut bench = asking();
    assert_eq!(bench.session.cancel(), Reach::Server);
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.error("57014", "canceling statement due to user request");
        to.ready(b'I');
    }));
    fails_as_cancelled(&mut bench);
    // Even if nobody has told the session of the request.
    let mut bench = asking();
    bench.server(&tell(|to| {
        to.error("57014", "canceling statement due to user request");
        to.ready(b'I');
    }));
    fails_as_cancelled(&mut bench);
}

#[test]
fn one_that_comes_too_late_for_a_batch_of_ours_cancels_what_waits_all_the_same() {
    let mut bench = asking();
    assert_eq!(bench.session.cancel(), Reach::Server);
    bench.server(&path_answer());
    fails_as_cancelled(&mut bench);
}

#[test]
fn a_statement_that_waits_for_its_record_is_cancelled_here() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query(EMAIL)));
    assert!(matches!(bench.session.hold(), Some(Hold::Release(_))));
    assert_eq!(bench.session.cancel(), Reach::Here);
    bench.release(&log);
    fails_as_cancelled(&mut bench);
    assert!(!bench.out.audit.iter().any(|event| matches!(event, Event::Release(_))));

    bench.client(&ask(|to| {
        to.parse("", EMAIL);
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    bench.sent();
    assert_eq!(bench.session.cancel(), Reach::Server, "Parse and Bind may be hit");
    bench.release(&log);
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "PS", "a Parse that fails instead of the Execute");
    assert!(texts[0].contains("refused"), "{texts:?}");
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states), ("12EZ", vec!["57014".to_owned()]));
    bench.works();
}

#[test]
fn one_that_hits_an_earlier_statement_leaves_those_behind_it_alone() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.query("SELECT pg_sleep(9)");
        // It waits for the answer, as what the name stands for is not known before.
        to.query("PREPARE s AS SELECT lower(email) FROM customers");
        to.query("EXECUTE s");
    }));
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    bench.sent();
    assert_eq!(bench.session.cancel(), Reach::Server);
    bench.server(&tell(|to| {
        to.error("57014", "canceling statement due to user request");
        to.ready(b'I');
        to.completes("PREPARE");
        to.ready(b'I');
        one_column(to, "lower");
        row(to, &[Some("x")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["57014"]);
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(
        tags, "CPBECCS",
        "the last is prepared again, as nobody has cancelled it: {texts:?}"
    );
}

#[test]
fn one_for_nothing_does_nothing() {
    let mut bench = Bench::new();
    assert_eq!(bench.session.cancel(), Reach::Here);
    bench.works();
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("COPY app FROM stdin")));
    assert_eq!(bench.session.cancel(), Reach::Server);
    bench.sent();
    bench.server(&tell(|to| {
        to.completes("COPY 0");
        to.ready(b'I');
    }));
    bench.told();
    bench.works();
}

#[test]
fn in_a_transaction_its_state_is_what_a_failed_statement_leaves() {
    let mut bench = Bench::fresh();
    bench.client(&ask(|to| to.query("BEGIN")));
    bench.server(&tell(|to| {
        to.completes("BEGIN");
        to.ready(b'T');
    }));
    bench.client(&ask(|to| to.query(EMAIL)));
    bench.sent();
    bench.told();
    bench.server(&tell(|to| {
        to.error("57014", "canceling statement due to user request");
        to.ready(b'E');
    }));
    bench.server(&tell(|to| {
        to.error("25P02", "current transaction is aborted");
        to.ready(b'E');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states), ("EZ", vec!["57014".to_owned()]));
}
