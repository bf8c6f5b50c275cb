//! Simple queries without grants: clear, shown, refused, and what gate 3 thinks of them.

use keyhole::audit::Decision;
use keyhole::session::Hold;

use super::bench::{Bench, path_answer};
use super::messages::{ask, asked, one_column, row, tell};

#[test]
fn a_clear_query_passes_byte_for_byte() {
    let mut bench = Bench::fresh();
    bench.works();
    assert_eq!(bench.records(), [(Decision::Clear, None)]);

    let several = ask(|to| to.query("SELECT total FROM orders; SELECT 2"));
    bench.client(&several);
    assert_eq!(bench.sent(), several);
    let answer = tell(|to| {
        to.describes(&[("total", 20_001, 3, 0)]);
        row(to, &[Some("12")]);
        row(to, &[None]);
        to.completes("SELECT 2");
        one_column(to, "?column?");
        row(to, &[Some("2")]);
        to.notice("as it was said");
        to.completes("SELECT 1");
        to.ready(b'I');
    });
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    assert_eq!(bench.cancels, 0);
}

#[test]
fn the_first_sensitive_query_waits_for_the_search_path() {
    let mut bench = Bench::fresh();
    let question = ask(|to| to.query("SELECT email FROM customers"));
    bench.client(&question);
    assert!(matches!(bench.session.hold(), Some(Hold::Server)));
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "PBECCS");
    assert!(texts[0].contains("current_schemas"), "{texts:?}");
    bench.server(&path_answer());
    assert!(bench.session.hold().is_none());
    assert_eq!(bench.sent(), question);
    assert_eq!(bench.shown(), b"", "our own question is not the client's business");
}

#[test]
fn rows_of_a_shown_query_are_masked_in_text_and_their_description_is_not_touched() {
    let mut bench = Bench::new();
    let question = ask(|to| to.query("SELECT id, email, ssn FROM customers"));
    bench.client(&question);
    assert_eq!(bench.sent(), question, "the client's own text runs");
    let description = tell(|to| {
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0), ("ssn", 20_000, 4, 0)]);
    });
    bench.server(&description);
    assert_eq!(bench.shown(), description);
    bench.server(&tell(|to| {
        row(to, &[Some("1"), Some("ann@example.com"), Some("900-12-3456")]);
        row(to, &[Some("2"), None, None]);
        to.completes("SELECT 2");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!(told.tags, "DDNCZ", "a notice says that something is hidden");
    let owned = |values: [Option<&str>; 3]| values.map(|v| v.map(str::to_owned)).to_vec();
    let masked = owned([Some("1"), Some("a***@example.com"), Some("*******3456")]);
    assert_eq!(told.rows, [masked, owned([Some("2"), None, None])]);
    assert!(told.words.contains("public.customers.email, public.customers.ssn"));
    assert_eq!(bench.records(), [(Decision::Shown, None)]);
    bench.works();
}

#[test]
fn a_denied_column_is_refused_in_our_words_by_way_of_the_server() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("SELECT salary FROM hr.employees")));
    let (tags, texts) = asked(&bench.sent());
    assert_eq!(tags, "Q");
    assert!(!texts[0].contains("salary"), "the statement does not reach the server");
    bench.server(&tell(|to| {
        to.error("42601", "syntax error at or near \"keyhole\"");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("EZ", "42501"));
    assert!(!told.words.contains("syntax error"));
    assert_eq!(bench.records(), [(Decision::Refused, Some("42501".to_owned()))]);
    bench.works();
}

#[test]
fn pii_in_the_result_of_a_clear_statement_is_a_violation_and_nothing_is_released() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("SELECT * FROM something_else")));
    bench.server(&tell(|to| {
        to.describes(&[("id", 0, 0, 0), ("x", 20_000, 3, 0)]);
        row(to, &[Some("1"), Some("ann@example.com")]);
        row(to, &[Some("2"), Some("bob@example.com")]);
    }));
    assert_eq!(bench.cancels, 1);
    assert_eq!(bench.out.tally.violations, 1);
    bench.server(&tell(|to| {
        row(to, &[Some("3"), Some("eve@example.com")]);
        to.completes("SELECT 3");
        to.ready(b'I');
    }));
    let bytes = bench.shown();
    assert!(!String::from_utf8_lossy(&bytes).contains("example.com"));
    let told = super::messages::Told::read(&bytes);
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("EZ", "42501"));
    assert_eq!(bench.records(), [(Decision::Refused, Some("42501".to_owned()))]);
    bench.works();
}

#[test]
fn a_denied_column_in_the_result_of_a_shown_statement_is_a_violation() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("SELECT email FROM customers")));
    bench.server(&tell(|to| {
        to.describes(&[("email", 20_002, 2, 0), ("email", 20_005, 2, 0)]);
        row(to, &[Some("90000"), Some("ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("EZ", "42501"));
    bench.works();
}

#[test]
fn an_unknown_relation_holds_the_result_until_the_schema_was_refreshed() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("SELECT * FROM made_just_now")));
    let answer = tell(|to| {
        to.describes(&[("id", 30_000, 1, 0)]);
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    });
    bench.server(&answer);
    assert!(matches!(bench.session.hold(), Some(Hold::Refresh)));
    assert_eq!(bench.shown(), b"");
    bench.refreshed();
    assert!(bench.session.hold().is_none());
    assert_eq!(bench.shown(), answer);
    bench.works();
}

#[test]
fn a_definition_makes_the_next_statement_wait_for_a_new_schema() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("CREATE TABLE t (id int)")));
    bench.server(&tell(|to| {
        to.completes("CREATE TABLE");
        to.ready(b'I');
    }));
    let _ = bench.sent();
    let question = ask(|to| to.query("SELECT * FROM t"));
    bench.client(&question);
    assert!(matches!(bench.session.hold(), Some(Hold::Refresh)));
    assert_eq!(bench.sent(), b"");
    bench.refreshed();
    assert_eq!(bench.sent(), question);
}

#[test]
fn fast_path_calls_are_refused_and_passwords_end_the_session() {
    let mut bench = Bench::new();
    bench.client(b"F\0\0\0\x0e\0\0\0\x01\0\0\0\0\0\0");
    assert_eq!(asked(&bench.sent()).0, "Q");
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["42501"]);
    bench.works();

    bench.client(b"p\0\0\0\x05\0");
    assert_eq!(bench.told().states, ["08P01"]);
    assert!(bench.is_closed());
}
