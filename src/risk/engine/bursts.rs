//! Many statements of a kind in a short time.

use std::collections::BTreeMap;

use super::{Finding, Habits, Moment, threshold};
use crate::audit::{Decision, Record};
use crate::risk::person::{Burst, Person};
use crate::risk::{Rule, Rules, Settings};

/// What a client learns values by: they exist already, are of another form, do not fit.
const UNIQUE_VIOLATION: &str = "23505";
const DATA_EXCEPTION: &str = "22";

pub(super) fn statement(
    person: &mut Person,
    record: &Record,
    rules: &Rules,
    moment: Moment,
) -> Vec<Finding> {
    let refused = record.decision == Some(Decision::Refused);
    let masked = !record.masked_columns.is_empty() && !refused;
    let probes = !record.pii_columns.is_empty() && record.sqlstate.as_deref().is_some_and(probes);
    let mut findings = Vec::new();
    for (rule, matches) in
        [(Rule::MaskedBurst, masked), (Rule::RefusedBurst, refused), (Rule::ErrorProbing, probes)]
    {
        let settings = rules.of(rule);
        let habits = Habits::of(person, settings, moment);
        let burst = if rule == Rule::MaskedBurst {
            &mut person.masked
        } else if rule == Rule::RefusedBurst {
            &mut person.refused
        } else {
            &mut person.errors
        };
        if matches {
            let found = many(burst, settings, habits, moment);
            findings.extend(found.map(|found| found.of(rule, settings, record)));
        }
    }
    if !record.looked_up_columns.is_empty() {
        findings.extend(lookup(person, record, rules.of(Rule::Enumeration), moment));
    }
    findings
}

fn probes(sqlstate: &str) -> bool {
    sqlstate == UNIQUE_VIOLATION || sqlstate.starts_with(DATA_EXCEPTION)
}

/// More than is usual.
struct Many {
    count: u64,
    threshold: u64,
    highest: u64,
    since: crate::model::Timestamp,
    records: Vec<u64>,
}

impl Many {
    fn of(self, rule: Rule, settings: &Settings, record: &Record) -> Finding {
        Finding {
            rule,
            severity: settings.severity,
            since: self.since,
            figures: BTreeMap::from([
                ("statements", self.count),
                ("threshold", self.threshold),
                ("own_highest", self.highest),
            ]),
            columns: record.pii_columns.clone(),
            records: self.records,
        }
    }
}

fn many(burst: &mut Burst, settings: &Settings, habits: Habits, moment: Moment) -> Option<Many> {
    let count = burst.window.add(moment.at, settings.within, moment.seq);
    burst.peaks.raise(moment.day, count);
    let highest = burst.peaks.highest_before(moment.day, settings.days);
    let threshold = threshold(settings.count, highest, settings, habits);
    (count >= threshold).then(|| Many {
        count,
        threshold,
        highest,
        since: burst.window.since(moment.at),
        records: burst.window.proofs.list(count),
    })
}

/// Lookups of one shape.
fn lookup(
    person: &mut Person,
    record: &Record,
    settings: &Settings,
    moment: Moment,
) -> Option<Finding> {
    let habits = Habits::of(person, settings, moment);
    let lookups = &mut person.lookups;
    let shape = record.fingerprint.as_deref().unwrap_or_default();
    let window = lookups.shape(shape);
    let count = window.add(moment.at, settings.within, moment.seq);
    let (since, records) = (window.since(moment.at), window.proofs.list(count));
    lookups.peaks.raise(moment.day, count);
    let highest = lookups.peaks.highest_before(moment.day, settings.days);
    let threshold = threshold(settings.count, highest, settings, habits);
    let many = Many { count, threshold, highest, since, records };
    (count >= threshold).then(|| many.of(Rule::Enumeration, settings, record))
}
