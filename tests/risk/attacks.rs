//! One attack for each rule, on a day like every other, after three weeks of ordinary work.

use std::sync::OnceLock;

use keyhole::risk::{Engine, Rule, Rules, Severity, Signal};
use serde_json::json;

use super::office::{COLUMNS, Office, key};
use super::script::{Reader, Script, day, hour};

const TODAY: i64 = 21;
const ALICE: (&str, &str) = ("agent5", "support");

/// After three weeks.
fn trained() -> Reader {
    static TRAINED: OnceLock<(Engine, u64)> = OnceLock::new();
    let (engine, seq) = TRAINED.get_or_init(|| {
        let (mut office, mut reader) = (Office::new(1), Reader::new(Rules::default()));
        for number in 0..TODAY {
            assert_eq!(reader.read(office.day(number)), [], "day {number}");
        }
        (reader.engine, reader.seq)
    });
    Reader { engine: engine.clone(), seq: *seq }
}

/// What the attack makes the rules say, amid the day's ordinary work.
fn signals(attack: impl Fn(&mut Script)) -> Vec<Signal> {
    let mut script = Office::new(99).day(TODAY);
    attack(&mut script);
    trained().read(script)
}

fn the_one(signals: Vec<Signal>, rule: Rule) -> Signal {
    assert_eq!(signals.len(), 1, "{signals:#?}");
    let signal = signals.into_iter().next().unwrap();
    assert_eq!(signal.rule, rule, "{signal:#?}");
    signal
}

#[test]
fn the_day_itself_tells_nothing() {
    assert_eq!(signals(|_| {}), []);
}

#[test]
fn raw_access_in_the_dead_of_night() {
    let signal = signals(|script| {
        script.granted(day(TODAY) + hour(3), 90_001, ALICE.0, &["lead0"]);
        let more = json!({"grants": [90_001]});
        script.raw(day(TODAY) + hour(3) + 60, ALICE, COLUMNS[0], more);
    });
    let signal = the_one(signal, Rule::UnusualHour);
    assert_eq!((signal.user.as_deref(), signal.figures["hour"]), (Some("agent5"), 3));
    assert_eq!(signal.records, [signal.trigger]);
}

#[test]
fn a_column_that_nobody_of_the_group_has_seen() {
    let signal = signals(|script| {
        let at = day(TODAY) + hour(10);
        script.granted(at, 90_001, "group:support", &[]);
        script.raw(at + 60, ALICE, "hr.staff.salary", json!({"grants": [90_001]}));
    });
    let signal = the_one(signal, Rule::FirstTouch);
    assert_eq!(
        (signal.severity, signal.columns),
        (Severity::Medium, vec!["hr.staff.salary".into()])
    );
}

#[test]
fn masked_rows_are_fetched_over_and_over() {
    let signal = signals(|script| {
        for number in 0..2_000 {
            script.masked(day(TODAY) + hour(10) + number / 20, ALICE, COLUMNS[0]);
        }
    });
    let signal = the_one(signal, Rule::MaskedBurst);
    assert!(signal.figures["statements"] >= signal.figures["threshold"]);
    assert_eq!(signal.records.len(), 16);
}

#[test]
fn refusals_are_tried_around() {
    let signal = signals(|script| {
        for number in 0..100 {
            let more = json!({"decision": "refused", "sqlstate": "42501"});
            script.statement(day(TODAY) + hour(10) + number, ALICE, more);
        }
    });
    assert_eq!(the_one(signal, Rule::RefusedBurst).figures["statements"], 20);
}

#[test]
fn addresses_are_guessed_by_lookups() {
    let signal = signals(|script| {
        let at = day(TODAY) + hour(10);
        script.granted(at, 90_001, ALICE.0, &["lead0"]);
        for number in 0..200 {
            let more = json!({"pii_columns": [COLUMNS[0]], "looked_up_columns": [COLUMNS[0]],
                              "grants": [90_001], "fingerprint": "guess"});
            script.statement(at + 60 + 3 * number, ALICE, more);
        }
    });
    let signal = the_one(signal, Rule::Enumeration);
    assert_eq!((signal.severity, signal.figures["statements"]), (Severity::High, 60));
}

#[test]
fn one_customer_after_the_other_is_read() {
    let signal = signals(|script| {
        let at = day(TODAY) + hour(10);
        script.granted(at, 90_001, ALICE.0, &["lead0"]);
        for number in 0..600_i64 {
            let keys = [key(100_000 + number.unsigned_abs())];
            let subjects = json!({"public.customers": {"keys": keys, "rows": 1, "more": 0}});
            let more = json!({"grants": [90_001], "subjects": subjects});
            script.raw(at + 60 + 2 * number, ALICE, COLUMNS[0], more);
        }
    });
    let signal = the_one(signal, Rule::Enumeration);
    assert!(signal.figures["subjects"] > signal.figures["threshold"]);
}

#[test]
fn the_whole_table_is_taken() {
    let signal = signals(|script| {
        let at = day(TODAY) + hour(10);
        script.granted(at, 90_001, ALICE.0, &["lead0"]);
        let more = json!({"grants": [90_001], "rows": 50_000, "bytes": 4_000_000});
        script.raw(at + 60, ALICE, COLUMNS[0], more);
    });
    let signal = the_one(signal, Rule::Volume);
    assert!(signal.figures["rows"] >= 50_000 && signal.figures["rows_threshold"] == 10_000);
}

#[test]
fn values_are_probed_by_errors() {
    let signal = signals(|script| {
        for number in 0..100 {
            let code = if number % 2 == 0 { "23505" } else { "22P02" };
            let more = json!({"pii_columns": [COLUMNS[0]], "sqlstate": code});
            script.statement(day(TODAY) + hour(10) + 2 * number, ALICE, more);
        }
    });
    assert_eq!(the_one(signal, Rule::ErrorProbing).severity, Severity::High);
}

#[test]
fn a_grant_is_laid_in_and_never_used() {
    let signal = signals(|script| {
        script.granted(day(TODAY) + hour(10), 90_001, ALICE.0, &["lead0"]);
        script.grant_ends(day(TODAY) + hour(11), 90_001);
    });
    let signal = the_one(signal, Rule::UnusedGrant);
    assert_eq!((signal.figures["grant"], signal.figures["secs"]), (90_001, 3_600));
}

#[test]
fn a_decoy_is_read() {
    let signal = signals(|script| {
        let at = day(TODAY) + hour(10);
        script.granted(at, 90_001, ALICE.0, &["lead0"]);
        let more = json!({"grants": [90_001], "honey": ["public.customers"]});
        script.raw(at + 60, ALICE, COLUMNS[0], more);
    });
    let signal = the_one(signal, Rule::Honey);
    assert_eq!((signal.severity, signal.session), (Severity::Critical, Some(7)));
}

#[test]
fn passwords_are_guessed() {
    let of_one_name = signals(|script| {
        for number in 0..40 {
            script.login_failed(day(TODAY) + hour(10) + number, "dba0", "203.0.113.9");
        }
    });
    let signal = the_one(of_one_name, Rule::LoginFailures);
    assert_eq!((signal.user.as_deref(), signal.figures["failures"]), (Some("dba0"), 10));
    let sprayed = signals(|script| {
        for number in 0..80 {
            let name = format!("name{number}");
            script.login_failed(day(TODAY) + hour(10) + number, &name, "203.0.113.9");
        }
    });
    let signal = the_one(sprayed, Rule::LoginFailures);
    assert_eq!((signal.user, signal.figures["failures"]), (None, 50));
    assert_eq!(signal.address, "203.0.113.9".parse().ok());
}
