//! Limited grants: used up exactly, for nothing that cannot be counted, and on record first.

use std::sync::Arc;

use keyhole::grant::{Budget, Claim, Limits, Origin};
use keyhole::model::{Report, SqlState};
use keyhole::session::Hold;

use super::bench::{Bench, Log, at};
use super::messages::{ask, asked, row, tell};

const RAW: &str = "SELECT id, email FROM customers";

fn rows(max: u64) -> Limits {
    Limits { max_rows: Some(max), ..Limits::default() }
}

fn limited(limits: Limits) -> (Bench, Arc<Budget>) {
    let mut bench = Bench::new();
    let budget = bench.grant_limited("email", 60, limits).expect("a limit");
    (bench, budget)
}

/// The server's rows for [`RAW`]: id and address.
fn answer(rows: &[(&str, &str)]) -> Vec<u8> {
    tell(|to| {
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0)]);
        for (id, email) in rows {
            row(to, &[Some(id), Some(email)]);
        }
    })
}

/// Counts what the session claims, as the store does, until it claims nothing more.
fn count(bench: &mut Bench, budget: &Budget) {
    while let Some(Hold::Spend(claims)) = bench.session.hold() {
        let met: Result<Vec<_>, _> = claims.iter().map(|claim| budget.meet(*claim)).collect();
        if let Ok(met) = &met {
            for usage in met.iter().flatten() {
                budget.stored(usage, Origin::Here, at(1));
            }
        }
        bench.spent(met.map(drop).map_err(Report::from));
    }
}

/// Runs [`RAW`] and answers it with these rows, and no end.
fn streams(log: &Log, limits: Limits, rows: &[(&str, &str)]) -> (Bench, Arc<Budget>) {
    let (mut bench, budget) = limited(limits);
    bench.client(&ask(|to| to.query(RAW)));
    bench.release(log);
    bench.server(&answer(rows));
    assert_eq!(bench.told().tags, "T", "no row before it is counted");
    count(&mut bench, &budget);
    (bench, budget)
}

fn done() -> Vec<u8> {
    tell(|to| {
        to.completes("SELECT 3");
        to.ready(b'I');
    })
}

#[test]
fn the_row_that_is_one_too_many_is_not_shown() {
    let log = Log::new();
    let three = [("1", "ann@x.com"), ("2", "bob@x.com"), ("3", "cat@x.com")];
    let (mut bench, budget) = streams(&log, rows(2), &three);
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.rows.len()), ("DDE", 2));
    assert_eq!((told.states[0].as_str(), bench.cancels), ("42501", 1));
    assert_eq!((budget.used().rows, budget.is_spent()), (2, true));
    bench.server(&tell(|to| {
        to.error("57014", "canceling statement due to user request");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().tags, "Z");
    bench.client(&ask(|to| to.query(RAW)));
    assert!(bench.session.hold().is_none(), "nothing is released any more");
    bench.server(&answer(&[("1", "ann@x.com")]));
    assert_eq!(bench.told().rows[0][1].as_deref(), Some("a***@x.com"), "masked as ever");
}

#[test]
fn a_result_that_just_fits_comes_to_its_end() {
    let log = Log::new();
    let (mut bench, budget) = streams(&log, rows(2), &[("1", "ann@x.com"), ("2", "bob@x.com")]);
    bench.tick();
    bench.server(&done());
    assert_eq!(bench.told().tags, "DDCZ");
    assert!(budget.is_spent());
    bench.works();
}

#[test]
fn what_cannot_be_counted_stays_masked() {
    for text in [
        "SELECT string_agg(email, ',') FROM customers",
        "SELECT count(*) FROM customers WHERE email LIKE 'a%'",
        "SELECT id FROM customers ORDER BY email",
        "SELECT DISTINCT email FROM customers",
        "SELECT email FROM v_customers",
        "SELECT (SELECT email FROM customers LIMIT 1)",
        "SELECT email FROM customers UNION ALL SELECT email FROM customers",
        "SELECT c FROM customers c",
        "COPY customers TO STDOUT",
        "DECLARE c CURSOR FOR SELECT email FROM customers",
        "PREPARE p AS SELECT email FROM customers",
        "WITH x AS (SELECT email FROM customers) SELECT email FROM x",
    ] {
        let (mut bench, _) = limited(rows(100));
        bench.client(&ask(|to| to.query(text)));
        assert!(
            !matches!(bench.session.hold(), Some(Hold::Release(_) | Hold::Spend(_))),
            "{text} would be released"
        );
        let (_, texts) = asked(&bench.sent());
        assert_ne!(texts.first().map(String::as_str), Some(text), "{text} runs as it is");
    }
}

#[test]
fn a_row_that_shows_two_people_counts_twice() {
    let log = Log::new();
    let (mut bench, budget) = limited(rows(3));
    bench.client(&ask(|to| to.query("SELECT a.email, b.email FROM customers a, customers b")));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.describes(&[("email", 20_000, 3, 0), ("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@x.com"), Some("bob@x.com")]);
        row(to, &[Some("ann@x.com"), Some("cat@x.com")]);
    }));
    count(&mut bench, &budget);
    assert_eq!((bench.told().tags.as_str(), budget.used().rows), ("TDE", 2));
}

#[test]
fn subjects_are_told_apart_by_their_key() {
    let log = Log::new();
    let subjects = Limits { max_subjects: Some(2), ..Limits::default() };
    let four = [("1", "ann@x.com"), ("2", "bob@x.com"), ("1", "ann@x.com"), ("3", "cat@x.com")];
    let (mut bench, budget) = streams(&log, subjects, &four);
    assert_eq!(bench.told().tags, "DDDE");
    assert_eq!(budget.used().subjects, 2);
}

#[test]
fn a_result_that_does_not_say_whose_it_is_shows_nothing() {
    let log = Log::new();
    let subjects = Limits { max_subjects: Some(2), ..Limits::default() };
    let (mut bench, _) = limited(subjects);
    bench.client(&ask(|to| to.query("SELECT email FROM customers")));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@x.com")]);
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.rows.len()), ("E", 0));
    let (mut bench, _) = limited(subjects);
    let joined = "SELECT a.id, b.email FROM customers a JOIN customers b ON a.id <> b.id";
    bench.client(&ask(|to| to.query(joined)));
    assert!(bench.session.hold().is_none(), "of two, nobody knows whose: masked");
    let (mut bench, budget) = limited(subjects);
    bench.client(&ask(|to| to.query(RAW)));
    bench.release(&log);
    bench.server(&tell(|to| {
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0)]);
        row(to, &[None, None]);
        row(to, &[None, Some("ann@x.com")]);
    }));
    count(&mut bench, &budget);
    assert_eq!(bench.told().tags, "TDE", "a value of nobody");
}

#[test]
fn a_use_is_on_record_before_the_release_and_the_last_one_counts() {
    let log = Log::new();
    let (mut bench, budget) = limited(Limits { max_uses: Some(1), ..Limits::default() });
    let aggregate = "SELECT max(email) FROM customers";
    bench.client(&ask(|to| to.query(aggregate)));
    assert!(
        matches!(bench.session.hold(), Some(Hold::Spend(claims)) if *claims == [Claim::Use { grant: 1, statements: 1 }])
    );
    assert_eq!(bench.sent(), b"");
    count(&mut bench, &budget);
    assert!(matches!(bench.session.hold(), Some(Hold::Release(_))));
    bench.release(&log);
    assert_eq!(asked(&bench.sent()).1, [aggregate], "it has been paid");
    bench.server(&tell(|to| {
        to.describes(&[("max", 0, 0, 0)]);
        row(to, &[Some("zoe@x.com")]);
    }));
    bench.tick();
    bench.server(&done());
    assert_eq!(bench.told().tags, "TDCZ");
    bench.client(&ask(|to| to.query(aggregate)));
    assert!(bench.session.hold().is_none());
    assert_ne!(asked(&bench.sent()).1, [aggregate], "used up");
}

#[test]
fn a_use_that_cannot_be_recorded_shows_nothing() {
    let (mut bench, _) = limited(Limits { max_uses: Some(1), ..Limits::default() });
    bench.client(&ask(|to| to.query("SELECT max(email) FROM customers")));
    bench.spent(Err(Report::error(SqlState::IO_ERROR, "the store cannot be written")));
    assert!(!asked(&bench.sent()).1[0].contains("customers"));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["58030"]);
    bench.works();
}

#[test]
fn each_statement_of_a_message_is_a_use() {
    let (mut bench, budget) = limited(Limits { max_uses: Some(2), ..Limits::default() });
    let one = "SELECT max(email) FROM customers";
    let three = format!("{one}; SELECT 1; {one}; {one}");
    bench.client(&ask(|to| to.query(&three)));
    let wanted = Claim::Use { grant: 1, statements: 3 };
    assert!(matches!(bench.session.hold(), Some(Hold::Spend(claims)) if *claims == [wanted]));
    count(&mut bench, &budget);
    assert!(!asked(&bench.sent()).1[0].contains("customers"), "all or none");
    assert_eq!(budget.used().uses, 0);
}

#[test]
fn an_error_tells_nothing_that_no_use_was_counted_for() {
    let mut bench = Bench::new();
    bench.grant_limited("*", 60, Limits { max_uses: Some(5), ..Limits::default() });
    bench.client(&ask(|to| to.query("SELECT 1 / (id - 1) FROM customers")));
    assert!(bench.session.hold().is_none(), "no personal column is touched");
    bench.server(&tell(|to| {
        to.error("22012", "division by zero in the row of ann@x.com");
        to.ready(b'I');
    }));
    let out = format!("{:?}", bench.told());
    assert!(out.contains("22012") && !out.contains("ann@x.com"), "{out}");
}

/// One statement streams while the next, sent ahead, wants a use.
#[test]
fn what_the_next_message_claims_is_not_taken_for_the_rows_of_this_one() {
    let log = Log::new();
    let both = Limits { max_rows: Some(9), max_uses: Some(9), ..Limits::default() };
    let (mut bench, budget) = limited(both);
    bench.client(&ask(|to| to.query(RAW)));
    count(&mut bench, &budget);
    bench.release(&log);
    bench.client(&ask(|to| to.query(RAW)));
    let used = [Claim::Use { grant: 1, statements: 1 }];
    assert!(matches!(bench.session.hold(), Some(Hold::Spend(claims)) if **claims == used));
    bench.server(&answer(&[("1", "ann@x.com")]));
    let rows = [Claim::Rows { grant: 1, rows: 1 }];
    assert!(matches!(bench.session.hold(), Some(Hold::Spend(claims)) if **claims == rows));
    let away = Report::error(SqlState::IO_ERROR, "the store cannot be written");
    bench.spent_on(&used, Err(away));
    assert_eq!(bench.told().tags, "T", "the row still waits");
    count(&mut bench, &budget);
    bench.server(&done());
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("DCZEZ", "58030"));
}
