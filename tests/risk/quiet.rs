//! Ordinary work: what it makes the rules say is counted.

use std::collections::BTreeMap;
use std::fmt::Write;

use keyhole::risk::{Rule, Rules, Severity, Signal};
use serde_json::json;

use super::office::{COLUMNS, Office};
use super::script::{Reader, day, hour};

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
    eprintln!("{table}");
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

/// What happens in every office now and then is told, each time once, and nothing else for it.
#[test]
fn what_is_out_of_the_ordinary_is_told_once() {
    let (mut office, mut reader) = (Office::new(1), Reader::new(Rules::default()));
    let mut counts: BTreeMap<(Rule, String), usize> = BTreeMap::new();
    for number in 0..DAYS {
        let mut script = office.day(number);
        let (grant, noon) = (1_000_000 + number.unsigned_abs(), day(number) + hour(12));
        if number % 7 == 2 {
            // Asked for and forgotten.
            script.granted(noon, grant, "agent3", &["lead0"]);
            script.grant_ends(noon + 1_800, grant);
        }
        if number == 30 || number == 50 {
            // A customer cannot wait until tomorrow.
            let night = day(number) + hour(23);
            script.granted(night, grant, "agent6", &["lead0"]);
            script.raw(night + 60, ("agent6", "support"), COLUMNS[1], json!({"grants": [grant]}));
        }
        if number >= 25 {
            // A new service, whose first night brings everything over.
            let rows = if number == 25 { 80_000 } else { 2_000 };
            let more = json!({"rows": rows, "bytes": 70 * rows, "grants": [4]});
            script.raw(day(number) + hour(1), ("crm_sync", "services"), COLUMNS[0], more);
        }
        for signal in reader.read(script) {
            *counts.entry((signal.rule, signal.user.unwrap_or_default())).or_default() += 1;
        }
    }
    let told: Vec<_> = counts.iter().map(|((rule, who), n)| (*rule, who.as_str(), *n)).collect();
    // The second late evening is at an hour that is known by then.
    let expected = [
        (Rule::UnusualHour, "agent6", 1),
        (Rule::Volume, "crm_sync", 1),
        (Rule::UnusedGrant, "agent3", 9),
    ];
    assert_eq!(told, expected);
}
