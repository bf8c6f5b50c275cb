//! The report as an object: what `keyhole audit report --json` prints and the API answers.

mod tables;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::tables::{Tables, changes, hours, totals};
use super::{Asked, Sums, Tally};
use crate::model::Timestamp;

/// What a report is by, if it is not by all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportBy)]
pub enum By {
    Person,
    Column,
    Class,
    Grant,
    Day,
}

impl By {
    pub const ALL: [Self; 5] = [Self::Person, Self::Column, Self::Class, Self::Grant, Self::Day];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Column => "column",
            Self::Class => "class",
            Self::Grant => "grant",
            Self::Day => "day",
        }
    }
}

/// Who saw how much of what, on whose word, and when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditReport)]
pub struct ReportView {
    /// Not before; None: from the beginning of the log.
    since: Option<Timestamp>,
    /// Before; None: to its end.
    until: Option<Timestamp>,
    made: Timestamp,
    chain: Chain,
    totals: Totals,
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<Listed<Person>>,
    /// Columns with personal data that statements touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Listed<Column>>,
    /// Classes of the catalogs as they are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Listed<Class>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<Listed<Grant>>,
    /// Who decided for whom: by approver and subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<Listed<Decided>>,
    /// UTC, those on which something was; in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<Listed<Day>>,
    /// By day of the week and hour, UTC, those in which something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<Vec<Hour>>,
    /// What the rules over the log have found.
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Listed<Signal>>,
    /// Of the configuration, of catalogs, and what befell proxy and log; the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
}

/// What the chain says of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportChain)]
pub struct Chain {
    /// Whether nothing is missing or changed; what comes behind the first mistake is not counted.
    pub whole: bool,
    /// The same in words.
    pub says: String,
}

/// What is told of the whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportTotals)]
struct Totals {
    /// Of the period.
    records: u64,
    /// Lines that this version cannot read.
    unreadable: u64,
    /// Records that made raw releases durable before they began.
    releases: u64,
    changes: u64,
    started: u64,
    stopped: u64,
    checkpoints: u64,
    /// Last lines that a crash cut short, and were removed.
    repaired: u64,
    /// Records that could not be kept.
    lost: u64,
    /// The last record that was removed, as its time was over.
    retired_through: u64,
    /// Grants for which there was no room.
    grants_forgotten: u64,
    #[serde(flatten)]
    counted: Counted,
}

/// What is counted of everybody and everything.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportCounts)]
struct Counted {
    #[serde(flatten)]
    tally: Tally,
    /// Different ones; at least so many where `more_sessions` says so.
    sessions: u64,
    more_sessions: bool,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Rows of a table: what matters most first, unless it has an order of its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportTable)]
struct Listed<T> {
    items: Vec<T>,
    /// Rows that were left out.
    more: u64,
    /// Those together of which there are too many to be told one by one.
    others: Option<Counted>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportPerson)]
struct Person {
    person: String,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportColumn)]
struct Column {
    database: String,
    /// `schema.table.column`
    column: String,
    class: Option<String>,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportClass)]
struct Class {
    class: String,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportGrant)]
struct Grant {
    grant: u64,
    /// `ordinary`, `break_glass` or `standing`
    granted_as: &'static str,
    subject: Option<String>,
    database: Option<String>,
    resources: Vec<String>,
    request: Option<u64>,
    /// Who asked for it, or made it.
    by: Option<String>,
    approvers: Vec<String>,
    policy: Option<String>,
    reason: Option<String>,
    granted: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// `revoked`, `expired` or `exhausted`
    ended: Option<&'static str>,
    ended_at: Option<Timestamp>,
    reviewed: Option<Timestamp>,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportDecided)]
struct Decided {
    approver: String,
    subject: String,
    approved: u64,
    denied: u64,
    reviewed: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportDay)]
struct Day {
    /// `2026-01-31`
    day: String,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportHour)]
struct Hour {
    /// From 1, a Monday.
    #[schema(minimum = 1, maximum = 7)]
    weekday: u64,
    #[schema(minimum = 0, maximum = 23)]
    hour: u64,
    #[serde(flatten)]
    tally: Tally,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportSignal)]
struct Signal {
    rule: String,
    severity: String,
    signals: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportChange)]
struct Change {
    seq: u64,
    time: Timestamp,
    /// Of the record.
    kind: &'static str,
    step: String,
    by: Option<String>,
    about: String,
}

impl ReportView {
    /// The tables of `by`, or all of them, with so many rows each.
    pub fn new(
        sums: &Sums,
        asked: &Asked,
        by: Option<By>,
        rows_max: usize,
        chain: Chain,
        made: Timestamp,
    ) -> Self {
        let list = Tables { sums, asked, rows_max };
        let wanted = |what| by.is_none_or(|by| by == what);
        Self {
            since: asked.since,
            until: asked.until,
            made,
            chain,
            totals: totals(sums),
            people: wanted(By::Person).then(|| list.people()),
            columns: wanted(By::Column).then(|| list.columns()),
            classes: wanted(By::Class).then(|| list.classes()),
            grants: wanted(By::Grant).then(|| list.grants()),
            approvals: wanted(By::Grant).then(|| list.approvals()),
            days: wanted(By::Day).then(|| list.days()),
            hours: wanted(By::Day).then(|| hours(sums)),
            signals: by.is_none().then(|| list.signals()),
            changes: by.is_none().then(|| changes(sums, rows_max)),
        }
    }
}
