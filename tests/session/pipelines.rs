//! Pipelines: replies arrive while later messages are under way or wait.

use super::bench::{Bench, Log};
use super::messages::{Told, ask, asked, one_column, row, tell};

#[test]
fn an_execute_that_waited_while_its_batch_failed_is_dropped() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    let _ = bench.sent();
    bench.server(&tell(|to| to.error("42703", "no such column")));
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).0, "S", "the server skips to Sync, and so do we");
    bench.server(&tell(|to| to.ready(b'I')));
    assert_eq!(bench.told().tags, "EZ");
    bench.works();
}

#[test]
fn an_execute_that_cannot_be_recorded_after_its_batch_failed_is_dropped() {
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    let _ = bench.sent();
    bench.server(&tell(|to| to.error("42703", "no such column")));
    bench.not_released();
    assert_eq!(asked(&bench.sent()).0, "S");
    bench.server(&tell(|to| to.ready(b'I')));
    assert_eq!(bench.told().tags, "EZ");
    bench.works();
}

#[test]
fn a_cut_ends_its_own_batch_and_not_the_next() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
        to.parse("", "SELECT 2");
    }));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
    }));
    let _ = (bench.sent(), bench.shown());
    bench.revoke();
    bench.tick();
    bench.client(&ask(|to| {
        to.bind("", "", 0);
        to.execute("");
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()).0, "BDES", "the second batch goes on");
    bench.server(&tell(|to| {
        to.error("57014", "canceled");
        to.ready(b'I');
        to.parsed();
        to.bound();
        one_column(to, "?column?");
        row(to, &[Some("2")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "EZ12DCZ");
    bench.works();
}

#[test]
fn a_cut_simple_query_does_not_end_the_batch_behind_it() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.query("SELECT email FROM customers");
        to.parse("", "SELECT 2");
    }));
    bench.release(&log);
    bench.server(&tell(|to| to.describes(&[("email", 20_000, 3, 0)])));
    let _ = (bench.sent(), bench.shown());
    bench.revoke();
    bench.tick();
    bench.client(&ask(|to| {
        to.parse("two", "SELECT 2");
        to.sync();
    }));
    assert_eq!(asked(&bench.sent()).0, "PS");
    bench.server(&tell(|to| {
        to.error("57014", "canceled");
        to.ready(b'I');
        to.parsed();
        to.parsed();
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "EZ11Z");
    bench.works();
}

#[test]
fn a_cut_does_not_leave_a_question_for_the_search_path_waiting() {
    let log = Log::new();
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| {
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
        to.execute("");
        to.parse("", "SET search_path = public");
        to.bind("", "", 0);
        to.execute("");
        to.parse("", "SELECT ssn FROM customers");
        to.sync();
    }));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
    }));
    let _ = bench.sent();
    bench.revoke();
    bench.tick();
    bench.client(b"");
    assert_eq!(asked(&bench.sent()).0, "S", "the batch can end");
    bench.server(&tell(|to| {
        to.error("57014", "canceled");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "12DEZ");
    bench.works();
}

#[test]
fn a_portal_bound_before_the_last_batch_was_answered_is_known() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.query("SELECT 1");
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
    }));
    bench.server(&tell(|to| {
        one_column(to, "?column?");
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.ready(b'I');
        to.parsed();
        to.bound();
    }));
    bench.client(&ask(|to| {
        to.execute("");
        to.sync();
    }));
    let _ = bench.shown();
    bench.server(&tell(|to| {
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!(told.tags, "DNCZ");
    assert_eq!(told.rows[0][0].as_deref(), Some("a***@example.com"));
    bench.works();
}

#[test]
fn statements_of_a_pipeline_are_masked_each_by_its_own_gate() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| {
        to.query("SELECT ssn FROM customers; SELECT total FROM orders");
        to.query("SELECT salary FROM hr.employees");
        to.query("SELECT email FROM customers");
    }));
    bench.server(&tell(|to| {
        to.describes(&[("ssn", 20_000, 4, 0)]);
        row(to, &[Some("900-12-3456")]);
        to.completes("SELECT 1");
        to.describes(&[("total", 20_001, 3, 0)]);
        row(to, &[Some("12")]);
        to.completes("SELECT 1");
        to.ready(b'I');
        to.error("42601", "syntax error");
        to.ready(b'I');
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let bytes = bench.shown();
    let told = Told::read(&bytes);
    assert_eq!(told.tags, "TDNCTDCZEZTDNCZ");
    let rows: Vec<_> = told.rows.iter().map(|row| row[0].as_deref().unwrap()).collect();
    assert_eq!(rows, ["*******3456", "12", "a***@example.com"]);
    bench.works();
}
