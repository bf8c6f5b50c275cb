//! Raw results: the receipt comes first, and nothing goes on when the grant is over.

use keyhole::audit::{Decision, Event};
use keyhole::session::Hold;

use super::bench::{Bench, Log, at};
use super::messages::{Told, ask, asked, one_column, row, tell};

const RAW: &str = "SELECT email FROM customers";

/// A raw query runs and has shown its first row.
fn streaming(log: &Log) -> Bench {
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query(RAW)));
    bench.release(log);
    bench.server(&tell(|to| {
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.rows.len()), ("TD", 1));
    assert_eq!(told.rows[0][0].as_deref(), Some("ann@example.com"));
    bench
}

/// The rest of it comes although the result was cut.
fn comes_to_nothing(bench: &mut Bench) {
    assert_eq!(bench.cancels, 1);
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("E", "42501"));
    bench.server(&tell(|to| {
        row(to, &[Some("bob@example.com")]);
        to.error("57014", "canceling statement due to user request");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "Z");
    assert_eq!(bench.records(), [(Decision::Cut, Some("42501".to_owned()))]);
    bench.works();
}

#[test]
fn no_byte_of_a_raw_query_reaches_the_server_before_its_receipt() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    let question = ask(|to| to.query(RAW));
    bench.client(&question);
    let Some(Hold::Release(event)) = bench.session.hold() else { panic!("it waits") };
    let Event::Release(release) = &**event else { panic!("for its release") };
    assert_eq!(release.columns.as_ref(), ["public.customers.email"]);
    assert_eq!(release.grants, [1]);
    bench.tick();
    bench.client(&ask(|to| to.query("SELECT 1")));
    assert_eq!(bench.sent(), b"", "what comes behind it waits too");
    bench.release(&log);
    let (tags, texts) = asked(&bench.sent());
    assert_eq!((tags.as_str(), texts[0].as_str(), texts[1].as_str()), ("QQ", RAW, "SELECT 1"));
    assert_eq!(bench.session.deadline(), Some(at(60)));
}

#[test]
fn the_receipt_of_another_statement_releases_nothing() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query(RAW)));
    let other = bench.receipt(&log);
    bench.not_released();
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    bench.client(&ask(|to| to.query(RAW)));
    let _ = bench.sent();
    bench.released(other);
    assert!(matches!(bench.session.hold(), Some(Hold::Release(_))));
    assert_eq!(bench.sent(), b"");
}

#[test]
fn a_release_that_cannot_be_recorded_is_refused_and_the_session_goes_on() {
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query(RAW)));
    bench.not_released();
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "Q");
    assert!(!texts[0].contains("customers"), "the statement does not reach the server");
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("EZ", "58030"));
    bench.works();
}

#[test]
fn a_grant_that_ends_while_its_record_is_written_releases_nothing() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query(RAW)));
    bench.now = at(60);
    bench.release(&log);
    let (_, texts) = asked(&bench.sent());
    assert!(!texts[0].contains("customers"));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["42501"]);
    bench.works();
}

#[test]
fn a_running_raw_result_is_cut_at_its_deadline() {
    let log = Log::new();
    let mut bench = streaming(&log);
    assert_eq!(bench.session.deadline(), Some(at(60)));
    bench.now = at(59);
    bench.tick();
    assert_eq!(bench.cancels, 0);
    bench.now = at(60);
    bench.tick();
    comes_to_nothing(&mut bench);
}

#[test]
fn a_running_raw_result_is_cut_when_the_grant_is_revoked() {
    let log = Log::new();
    let mut bench = streaming(&log);
    bench.revoke();
    bench.tick();
    comes_to_nothing(&mut bench);
}

#[test]
fn rows_that_arrive_after_the_end_are_cut_without_a_tick() {
    let log = Log::new();
    let mut bench = streaming(&log);
    bench.now = at(61);
    bench.server(&tell(|to| row(to, &[Some("bob@example.com")])));
    comes_to_nothing(&mut bench);
}

#[test]
fn the_rows_of_a_raw_result_pass_as_they_are_until_the_grant_ends() {
    let log = Log::new();
    let mut bench = streaming(&log);
    let rest = tell(|to| {
        row(to, &[Some("bob@example.com")]);
        to.completes("SELECT 2");
        to.ready(b'I');
    });
    bench.server(&rest);
    assert_eq!(bench.shown(), rest);
    assert_eq!(bench.records(), [(Decision::Raw, None)]);
    bench.revoke();
    bench.tick();
    assert_eq!(bench.cancels, 0, "it is over");
}

#[test]
fn a_computed_raw_result_behind_another_is_cut_though_its_columns_come_from_nowhere() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.query("SELECT 1");
        to.query("SELECT lower(email) FROM customers");
    }));
    bench.release(&log);
    bench.now = at(60);
    bench.server(&tell(|to| {
        one_column(to, "?column?");
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.ready(b'I');
        one_column(to, "lower");
        row(to, &[Some("ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let bytes = bench.shown();
    assert!(!String::from_utf8_lossy(&bytes).contains("example.com"));
    assert_eq!(Told::read(&bytes).tags, "TDCZEZ");
    bench.works();
}

#[test]
fn nothing_follows_of_the_batch_that_was_cut() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.parse("", RAW);
        to.bind("", "", 0);
        to.execute("");
        to.parse("two", "SELECT 2");
        to.bind("", "two", 0);
        to.execute("");
        to.sync();
    }));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
    }));
    assert_eq!(bench.told().tags, "12D");
    bench.revoke();
    bench.tick();
    assert_eq!((bench.told().tags.as_str(), bench.cancels), ("E", 1));
    bench.server(&tell(|to| {
        row(to, &[Some("bob@example.com")]);
        to.completes("SELECT 2");
        to.parsed();
        to.bound();
        one_column(to, "?column?");
        row(to, &[Some("2")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "Z");
    bench.works();
}

#[test]
fn a_raw_portal_is_not_executed_after_the_grant() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.parse("", RAW);
        to.bind("p", "", 0);
        to.execute("p");
    }));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
        to.raw(b"s\0\0\0\x04");
    }));
    assert_eq!(bench.told().tags, "12Ds");
    let _ = bench.sent();
    bench.now = at(60);
    bench.client(&ask(|to| {
        to.execute("p");
        to.sync();
    }));
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "PS", "a Parse that fails instead of the Execute");
    assert!(!texts[0].contains("customers"));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("EZ", "42501"));
    bench.works();
}

/// The server keeps its answers until a buffer is full.
#[test]
fn what_the_server_has_not_told_yet_is_cancelled_when_its_grant_ends() {
    let log = Log::new();
    for rows in [false, true] {
        let mut bench = Bench::new();
        bench.grant("email", 60);
        bench.client(&ask(|to| to.query(&format!("BEGIN; {RAW}"))));
        bench.release(&log);
        assert_eq!(bench.session.deadline(), Some(at(60)));
        bench.now = at(60);
        bench.tick();
        bench.tick();
        assert_eq!((bench.cancels, bench.told().tags.as_str()), (1, ""), "once");
        bench.server(&tell(|to| {
            to.completes("BEGIN");
            to.describes(&[("email", 20_000, 3, 0)]);
            if rows {
                row(to, &[Some("ann@example.com")]);
            }
            to.error("57014", "canceling statement due to user request");
            to.ready(b'E');
        }));
        let told = bench.told();
        assert_eq!(told.states, ["42501"], "rows {rows}");
        assert_eq!((told.rows.len(), bench.cancels), (0, 1), "rows {rows}");
    }
}
