//! Ordinary work: what it makes the rules say is counted.

use std::collections::BTreeMap;
use std::fmt::Write;

use keyhole::risk::{Rule, Rules, Severity, Signal};

use super::office::Office;
use super::script::Reader;

const DAYS: i64 = 60;
/// The longest that a rule learns.
const LEARN_DAYS: i64 = 14;

/// Signals of sixty days, by rule: while rules learn, and after that.
fn sixty_days(seed: u64, rules: Rules) -> (u64, BTreeMap<Rule, [Vec<Signal>; 2]>) {
    let (mut office, mut reader) = (Office::new(seed), Reader::new(rules));
    let mut told: BTreeMap<Rule, [Vec<Signal>; 2]> = BTreeMap::new();
    for number in 0..DAYS {
        for signal in reader.read(office.day(number)) {
            let period = usize::from(number >= LEARN_DAYS);
            told.entry(signal.rule).or_default()[period].push(signal);
        }
    }
    (reader.seq - 1, told)
}

#[test]
fn sixty_days_of_ordinary_work_tell_nothing() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let (records, told) = sixty_days(seed, Rules::default());
    let mut table = format!("{records} records of {DAYS} days\n");
    for rule in Rule::ALL {
        let [learning, after] = told.get(&rule).cloned().unwrap_or_default();
        let (before, after) = (learning.len(), after.len());
        writeln!(table, "{:14}  {before:3} while learning  {after:3} after", rule.as_str())
            .unwrap();
    }
    println!("{table}");
    assert!(records > 300_000, "{records}");
    assert!(told.is_empty(), "{table}\n{told:#?}");
}

/// What a lead approved is no news, but somebody may want to hear of it.
#[test]
fn approved_first_touches_are_told_to_who_wants_to_hear_of_them() {
    let rules = Rules::default().from_severity(Severity::Info);
    let (_, told) = sixty_days(1, rules);
    let rules: Vec<Rule> = told.keys().copied().collect();
    assert_eq!(rules, [Rule::FirstTouch]);
    let of_info = |signal: &Signal| signal.severity == Severity::Info;
    assert!(told[&Rule::FirstTouch].iter().flatten().all(of_info));
}
