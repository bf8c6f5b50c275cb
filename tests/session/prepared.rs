//! Prepared statements that SQL executes, when what is hidden has changed since.

use super::bench::{Bench, Log, at};
use super::messages::{ask, asked, one_column, row, tell};

const PREPARE: &str = "PREPARE s AS SELECT lower(email) FROM customers";

fn prepared() -> Bench {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query(PREPARE)));
    let (_, texts) = asked(&bench.sent());
    assert!(texts[0].contains("SELECT lower(email) FROM ("), "{texts:?}");
    bench.server(&tell(|to| {
        to.completes("PREPARE");
        to.ready(b'I');
    }));
    bench.told();
    bench
}

/// What the server says to our Close and PREPARE.
fn done_again(status: u8) -> Vec<u8> {
    tell(|to| {
        to.closed();
        to.parsed();
        to.bound();
        to.completes("PREPARE");
        to.closed();
        to.closed();
        to.ready(status);
    })
}

fn one_row(status: u8) -> Vec<u8> {
    tell(|to| {
        one_column(to, "lower");
        row(to, &[Some("x")]);
        to.completes("SELECT 1");
        to.ready(status);
    })
}

/// The texts of a batch that prepares again.
fn again(bench: &mut Bench) -> Vec<String> {
    let (tags, texts) = asked(&bench.sent());
    // Behind one that has failed, our own name is closed first.
    assert!(["CPBECCS", "CCPBECCS"].contains(&&*tags), "{tags}");
    texts
}

#[test]
fn it_shows_raw_under_a_grant_and_masks_after_it_without_being_prepared_by_the_client() {
    let log = Log::new();
    let mut bench = prepared();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(again(&mut bench), [PREPARE]);
    bench.server(&done_again(b'I'));
    assert_eq!(bench.shown(), b"", "that is not the client's business");
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
    bench.server(&one_row(b'I'));
    assert_eq!(bench.told().tags, "TDCZ");
    bench.now = at(60);
    bench.tick();
    bench.client(&ask(|to| to.query("EXECUTE s")));
    let texts = again(&mut bench);
    assert!(texts[0].contains("SELECT lower(email) FROM ("), "{texts:?}");
    bench.server(&done_again(b'I'));
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
    bench.server(&one_row(b'I'));
    assert!(bench.told().tags.starts_with("TD"));
    bench.works();
}

#[test]
fn as_long_as_nothing_changes_nothing_is_prepared() {
    let mut bench = prepared();
    for _ in 0..2 {
        bench.client(&ask(|to| to.query("EXECUTE s")));
        assert_eq!(asked(&bench.sent()), ("Q".to_owned(), vec!["EXECUTE s".to_owned()]));
        bench.server(&one_row(b'I'));
        bench.told();
    }
    bench.works();
}

#[test]
fn a_bind_of_it_prepares_again_too() {
    let log = Log::new();
    let mut bench = prepared();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.bind("", "s", 0);
        to.execute("");
        to.sync();
    }));
    assert_eq!(again(&mut bench), [PREPARE]);
    bench.server(&done_again(b'I'));
    bench.client(b"");
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).0, "BDES");
}

#[test]
fn in_a_failed_transaction_nothing_is_prepared() {
    let mut bench = prepared();
    bench.client(&ask(|to| to.query("SELECT 1/0")));
    bench.server(&tell(|to| {
        to.error("22012", "division by zero");
        to.ready(b'E');
    }));
    bench.sent();
    bench.told();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
}

#[test]
fn behind_other_messages_it_waits_for_their_answers() {
    let mut bench = prepared();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.query("SELECT 1");
        to.query("EXECUTE s");
    }));
    assert_eq!(asked(&bench.sent()).1, ["SELECT 1"]);
    bench.server(&tell(|to| {
        to.error("22012", "x");
        to.ready(b'I');
    }));
    assert_eq!(again(&mut bench).len(), 1);
}

#[test]
fn inside_a_batch_what_was_made_decides() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query(PREPARE)));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.completes("PREPARE");
        to.ready(b'I');
    }));
    bench.sent();
    bench.told();
    bench.now = at(60);
    bench.client(&ask(|to| {
        to.parse("", "SELECT 1");
        to.bind("", "s", 0);
        to.sync();
    }));
    let (_, texts) = asked(&bench.sent());
    assert_eq!(texts.len(), 2);
    assert!(texts[1].contains("refused"), "{texts:?}");
}

#[test]
fn what_cannot_be_prepared_again_keeps_what_it_was() {
    let mut bench = prepared();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(again(&mut bench).len(), 1);
    bench.server(&tell(|to| {
        to.error("53200", "out of memory");
        to.ready(b'I');
    }));
    assert_eq!(bench.shown(), b"");
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"], "with the masks that it had");
    bench.server(&one_row(b'I'));
    assert!(bench.told().tags.starts_with("TD"));
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(again(&mut bench), [PREPARE], "each use tries once");
}

#[test]
fn a_name_that_was_lost_on_the_way_is_prepared_at_its_next_use() {
    let log = Log::new();
    let mut bench = prepared();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(again(&mut bench), [PREPARE]);
    bench.server(&tell(|to| {
        to.closed();
        to.parsed();
        to.bound();
        to.error("57014", "canceling statement due to user request");
        to.ready(b'I');
    }));
    assert!(asked(&bench.sent()).1[0].contains("refused"), "it is what was cancelled");
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["57014"]);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    let (tags, texts) = asked(&bench.sent());
    // The name, and that of our own statement, which has failed before its Close.
    assert_eq!((tags.as_str(), texts), ("CCPBECCS", vec![PREPARE.to_owned()]));
    bench.server(&tell(|to| to.closed()));
    bench.server(&done_again(b'I'));
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
    bench.server(&one_row(b'I'));
    assert_eq!(bench.told().tags, "TDCZ");
    bench.works();
}

#[test]
fn a_lost_name_that_cannot_be_prepared_any_more_is_the_servers_to_refuse() {
    let mut bench = prepared();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    for _ in 0..2 {
        assert_eq!(again(&mut bench), [PREPARE]);
        bench.server(&tell(|to| {
            to.closed();
            to.error("42703", "column does not exist");
            to.ready(b'I');
        }));
        assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
        bench.server(&tell(|to| {
            to.error("26000", "prepared statement does not exist");
            to.ready(b'I');
        }));
        assert_eq!(bench.told().states, ["26000"]);
        bench.client(&ask(|to| to.query("EXECUTE s")));
    }
}

const SELECT: &str = "SELECT lower(email) FROM customers";

/// A statement that the protocol made.
fn parsed() -> Bench {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("s", SELECT);
        to.sync();
    }));
    bench.sent();
    bench.server(&tell(|to| {
        to.parsed();
        to.ready(b'I');
    }));
    bench.told();
    bench
}

#[test]
fn what_the_protocol_has_prepared_follows_the_grants_too() {
    let log = Log::new();
    let mut bench = parsed();
    bench.grant("email", 60);
    let parsed_again = tell(|to| {
        to.closed();
        to.parsed();
        to.ready(b'I');
    });
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(asked(&bench.sent()), ("CPS".to_owned(), vec![SELECT.to_owned()]));
    bench.server(&parsed_again);
    assert_eq!(bench.shown(), b"", "that is not the client's business");
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
    bench.server(&one_row(b'I'));
    assert_eq!(bench.told().tags, "TDCZ");
    bench.now = at(60);
    bench.tick();
    bench.client(&ask(|to| to.query("EXECUTE s")));
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "CPS");
    assert!(texts[0].contains("FROM ("), "{texts:?}");
    bench.server(&parsed_again);
    assert_eq!(asked(&bench.sent()).1, ["EXECUTE s"]);
    bench.server(&one_row(b'I'));
    assert!(bench.told().tags.starts_with("TD"));
    // And a Bind of it runs what is there.
    bench.client(&ask(|to| {
        to.bind("", "s", 0);
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()).0, "BS");
}

#[test]
fn a_lost_statement_of_the_protocol_is_parsed_by_its_next_bind() {
    let mut bench = parsed();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(asked(&bench.sent()).0, "CPS");
    bench.server(&tell(|to| {
        to.closed();
        to.error("57014", "canceling statement due to statement timeout");
        to.ready(b'I');
    }));
    bench.sent();
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.states, told.tags.as_str()), (vec!["57014".to_owned()], "EZ"));
    assert!(told.words.contains("statement timeout"), "the server's words: {}", told.words);
    bench.client(&ask(|to| {
        to.bind("", "s", 0);
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()), ("CPBS".to_owned(), vec![SELECT.to_owned()]));
}

#[test]
fn a_portal_of_an_execute_runs_what_the_name_stands_for_when_it_runs() {
    let log = Log::new();
    let mut bench = prepared();
    bench.client(&ask(|to| {
        to.query("BEGIN");
        to.parse("", "EXECUTE s");
        to.bind("p", "", 0);
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.completes("BEGIN");
        to.ready(b'T');
        to.parsed();
        to.bound();
        to.ready(b'T');
    }));
    bench.grant("email", 60);
    bench.sent();
    bench.client(&ask(|to| to.query("EXECUTE s")));
    assert_eq!(again(&mut bench).len(), 1);
    bench.server(&done_again(b'T'));
    bench.release(&log);
    bench.server(&one_row(b'T'));
    bench.sent();
    bench.told();
    bench.now = at(60);
    bench.client(&ask(|to| {
        to.execute("p");
        to.sync();
    }));
    let (_, texts) = asked(&bench.sent());
    assert!(texts[0].contains("refused"), "the name stands for raw values: {texts:?}");
}

#[test]
fn a_statement_that_executes_itself_is_refused_and_the_session_goes_on() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.parse("q", "EXECUTE q");
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.parsed();
        to.ready(b'I');
    }));
    bench.told();
    bench.client(&ask(|to| to.query("EXECUTE q")));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["42501"]);
    bench.client(&ask(|to| {
        to.bind("", "q", 0);
        to.execute("");
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["42501"]);
    bench.works();
}
