//! How much a user was shown in a day, and of how many people.

use std::collections::BTreeMap;

use super::{Finding, Habits, Moment, threshold};
use crate::audit::Record;
use crate::risk::person::Person;
use crate::risk::{Rule, Rules, Settings};

pub(super) fn statement(
    person: &mut Person,
    record: &Record,
    rules: &Rules,
    moment: Moment,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !record.raw_columns.is_empty() {
        findings.extend(volume(person, record, rules.of(Rule::Volume), moment));
    }
    if !record.subjects.is_empty() {
        findings.extend(subjects(person, record, rules.of(Rule::Enumeration), moment));
    }
    findings
}

fn volume(
    person: &mut Person,
    record: &Record,
    settings: &Settings,
    moment: Moment,
) -> Option<Finding> {
    let habits = Habits::of(person, settings, moment);
    let volume = &mut person.volume;
    volume.today.begin(moment.day, moment.at);
    volume.today.proofs.add(moment.seq);
    let rows = volume.rows.add(moment.day, record.rows());
    let bytes = volume.bytes.add(moment.day, record.bytes);
    let rows_highest = volume.rows.highest_before(moment.day, settings.days);
    let bytes_highest = volume.bytes.highest_before(moment.day, settings.days);
    let rows_max = threshold(settings.rows, rows_highest, settings, habits);
    let bytes_max = threshold(settings.bytes, bytes_highest, settings, habits);
    (rows > rows_max || bytes > bytes_max).then(|| Finding {
        rule: Rule::Volume,
        severity: settings.severity,
        since: volume.today.since.unwrap_or(moment.at),
        figures: BTreeMap::from([
            ("rows", rows),
            ("rows_threshold", rows_max),
            ("rows_own_highest", rows_highest),
            ("bytes", bytes),
            ("bytes_threshold", bytes_max),
            ("bytes_own_highest", bytes_highest),
        ]),
        columns: record.raw_columns.clone(),
        records: volume.today.proofs.list(u64::MAX),
    })
}

fn subjects(
    person: &mut Person,
    record: &Record,
    settings: &Settings,
    moment: Moment,
) -> Option<Finding> {
    let habits = Habits::of(person, settings, moment);
    let subjects = &mut person.subjects;
    subjects.begin(moment.day, moment.at);
    subjects.today.proofs.add(moment.seq);
    for (relation, shown) in &record.subjects {
        subjects.add(relation, &shown.keys, shown.more);
    }
    let count = subjects.count();
    subjects.peaks.raise(moment.day, count);
    let highest = subjects.peaks.highest_before(moment.day, settings.days);
    let threshold = threshold(settings.subjects, highest, settings, habits);
    (count > threshold).then(|| Finding {
        rule: Rule::Enumeration,
        severity: settings.severity,
        since: subjects.today.since.unwrap_or(moment.at),
        figures: BTreeMap::from([
            ("subjects", count),
            ("threshold", threshold),
            ("own_highest", highest),
        ]),
        columns: record.raw_columns.clone(),
        records: subjects.today.proofs.list(u64::MAX),
    })
}
