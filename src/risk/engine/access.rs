//! What of raw access is new for a user: the hour, a column, a decoy.

use std::collections::BTreeMap;

use super::{Finding, Habits, Moment};
use crate::audit::Record;
use crate::risk::person::{COLUMNS_MAX, Person};
use crate::risk::{Rule, Rules, Settings, Severity};

/// A user who was seen on fewer days has no habits yet.
const DAYS_LEAST: u32 = 5;

pub(super) fn honey(
    person: &mut Person,
    record: &Record,
    rules: &Rules,
    moment: Moment,
) -> Option<Finding> {
    // A release and its statement's end tell of the same.
    let statement = record.session.zip(record.statement);
    if statement.is_some() && person.honey == statement {
        return None;
    }
    person.honey = statement;
    Some(Finding {
        rule: Rule::Honey,
        severity: rules.of(Rule::Honey).severity,
        since: moment.at,
        figures: BTreeMap::from([("decoys", record.honey.len() as u64)]),
        columns: record.pii_columns.clone(),
        records: vec![moment.seq],
    })
}

pub(super) fn hour(person: &Person, settings: &Settings, moment: Moment) -> Option<Finding> {
    let known =
        Habits::of(person, settings, moment) == Habits::Known && person.days_active() >= DAYS_LEAST;
    if !known || person.knows_hour(moment.day, moment.hour, settings.margin) {
        return None;
    }
    Some(Finding {
        rule: Rule::UnusualHour,
        severity: settings.severity,
        since: moment.at,
        figures: BTreeMap::from([("hour", u64::from(moment.hour))]),
        columns: Vec::new(),
        records: vec![moment.seq],
    })
}

/// Raw access to columns, and what is known of it.
pub(super) struct Touch<'a> {
    pub(super) columns: &'a [String],
    /// Somebody else approved a grant that it rests on.
    pub(super) explained: bool,
    /// Those of the columns that somebody of the user's groups has seen before.
    pub(super) colleagues: Vec<String>,
}

pub(super) fn touch(
    person: &mut Person,
    touch: Touch<'_>,
    settings: &Settings,
    moment: Moment,
) -> Option<Finding> {
    let new = touch.columns.iter().filter(|column| !person.touched.contains(*column));
    let room = COLUMNS_MAX.saturating_sub(person.touched.len());
    let new: Vec<String> = new.take(room).cloned().collect();
    person.touched.extend(new.iter().cloned());
    if new.is_empty() || Habits::of(person, settings, moment) == Habits::Learned {
        return None;
    }
    let known = new.iter().all(|column| touch.colleagues.contains(column));
    let severity = match (touch.explained, known) {
        (true, _) => Severity::Info,
        (false, true) => settings.severity.min(Severity::Low),
        (false, false) => settings.severity,
    };
    Some(Finding {
        rule: Rule::FirstTouch,
        severity,
        since: moment.at,
        figures: BTreeMap::from([("columns", new.len() as u64)]),
        columns: new,
        records: vec![moment.seq],
    })
}
