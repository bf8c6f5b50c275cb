//! What holds for every log.

use std::sync::Arc;
use std::time::Duration;

use keyhole::audit::Record;
use keyhole::grant::Subject;
use keyhole::risk::{Engine, Rule, Rules, Signal, State, Use, concerns};
use proptest::prelude::*;
use serde_json::json;

use super::office::{COLUMNS, Office};
use super::script::{Reader, Script};

/// Rules that tell of something soon.
fn eager() -> Rules {
    let mut rules = Rules::default();
    for rule in Rule::ALL {
        let mut settings = rules.of(rule).clone();
        (settings.count, settings.factor, settings.rows, settings.subjects) = (3, 1, 5, 3);
        settings.learn = Duration::from_secs(1);
        settings.quiet = Duration::from_secs(300);
        rules.set(rule, settings);
    }
    rules
}

#[derive(Clone, Debug)]
enum Step {
    Masked,
    Refused,
    Raw { rows: u64, honey: bool },
    Lookup,
    Taken,
    Failed,
    Granted,
    Expired,
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<(i64, usize, Step)>> {
    let step = prop_oneof![
        Just(Step::Masked),
        Just(Step::Refused),
        (0..9_u64, prop::bool::weighted(0.1)).prop_map(|(rows, honey)| Step::Raw { rows, honey }),
        Just(Step::Lookup),
        Just(Step::Taken),
        Just(Step::Failed),
        Just(Step::Granted),
        Just(Step::Expired),
        Just(Step::Clear),
    ];
    prop::collection::vec((0..4_000_i64, 0..3_usize, step), 1..120)
}

fn script(steps: &[(i64, usize, Step)]) -> Vec<String> {
    let (mut script, mut at) = (Script::default(), 0);
    for (number, (pause, user, step)) in steps.iter().enumerate() {
        at += pause;
        let who = ([("alice", "a"), ("bob", "b"), ("carol", "b")])[*user];
        let grant = number as u64 / 4;
        let column = COLUMNS[number % 6];
        let pii = json!({"pii_columns": [column]});
        match step {
            Step::Masked => script.masked(at, who, column),
            Step::Refused => script.statement(at, who, json!({"decision": "refused"})),
            Step::Raw { rows, honey } => {
                let mut more = json!({"rows": rows, "grants": [grant]});
                if *honey {
                    more["honey"] = json!(["x"]);
                }
                script.raw(at, who, column, more);
            }
            Step::Lookup => {
                script.statement(
                    at,
                    who,
                    json!({"looked_up_columns": [column], "pii_columns": [column]}),
                );
            }
            Step::Taken => {
                let mut more = pii;
                more["sqlstate"] = json!("23505");
                script.statement(at, who, more);
            }
            Step::Failed => script.login_failed(at, who.0, "10.0.0.1"),
            Step::Granted => script.granted(at, number as u64, who.0, &["dora"]),
            Step::Expired => script.grant_ends(at, grant),
            Step::Clear => script.statement(at, who, json!({"decision": "clear"})),
        }
    }
    script.lines(1)
}

fn run(engine: &mut Engine, lines: &[String]) -> Vec<Signal> {
    let records = lines.iter().map(|line| Record::of(line.as_bytes()).unwrap());
    records.flat_map(|record| engine.take(&record)).collect()
}

fn fresh() -> Engine {
    Engine::new(Arc::new(eager()), State::default())
}

proptest! {
    /// Kept and taken up again anywhere, it says what it would have said without.
    #[test]
    fn a_restart_changes_nothing(steps in steps(), cut in 0..200_usize) {
        let lines = script(&steps);
        let whole = run(&mut fresh(), &lines);
        let (first, second) = lines.split_at(cut.min(lines.len()));
        let mut engine = fresh();
        let mut told = run(&mut engine, first);
        let kept = serde_json::to_string(engine.state()).unwrap();
        let state: State = serde_json::from_str(&kept).unwrap();
        told.extend(run(&mut Engine::new(Arc::new(eager()), state), second));
        prop_assert_eq!(told, whole);
    }

    /// What the rules do not look at may be left out.
    #[test]
    fn lines_of_no_concern_say_nothing(steps in steps()) {
        let lines = script(&steps);
        let some: Vec<String> =
            lines.iter().filter(|line| concerns(line.as_bytes())).cloned().collect();
        prop_assert_eq!(run(&mut fresh(), &some), run(&mut fresh(), &lines));
    }

    /// No rule tells of the same user twice within its quiet time, and each signal is proven by
    /// records that are there.
    #[test]
    fn signals_are_folded_and_proven(steps in steps()) {
        let signals = run(&mut fresh(), &script(&steps));
        for (place, signal) in signals.iter().enumerate() {
            prop_assert!(signal.records.contains(&signal.trigger));
            prop_assert!(signal.records.iter().all(|seq| *seq <= signal.trigger));
            prop_assert!(signal.since <= signal.at);
            let same = |other: &&Signal| {
                (other.rule, &other.user, other.address.is_none())
                    == (signal.rule, &signal.user, signal.address.is_none())
            };
            if let Some(next) = signals[place + 1..].iter().find(same) {
                prop_assert!(next.at.duration_since(signal.at).as_secs() >= 300);
            }
        }
    }

    /// Whom a rule leaves alone, it tells nothing of; what it tells of others stays the same.
    #[test]
    fn exceptions_hold(steps in steps()) {
        let lines = script(&steps);
        let all = run(&mut fresh(), &lines);
        let mut rules = eager();
        for rule in Rule::ALL {
            let except = vec![Subject::User("alice".to_owned()), Subject::Group("a".to_owned())];
            let settings = rules.of(rule).clone();
            rules.set(rule, keyhole::risk::Settings { except, ..settings });
        }
        let some = run(&mut Engine::new(Arc::new(rules), State::default()), &lines);
        let others: Vec<Signal> =
            all.into_iter().filter(|signal| signal.user.as_deref() != Some("alice")).collect();
        prop_assert_eq!(some, others);
    }
}

#[test]
fn rules_that_are_off_say_nothing_and_others_go_on() {
    for rule in Rule::ALL {
        let mut rules = eager();
        let mut settings = rules.of(rule).clone();
        settings.state = Use::Off;
        rules.set(rule, settings);
        let mut reader = Reader::new(rules);
        let told = reader.read(Office::new(3).day(0));
        assert!(told.iter().all(|signal| signal.rule != rule), "{}", rule.as_str());
        assert!(!told.is_empty());
    }
}
