//! The tables of a report, from what was counted.

use super::super::granted::{Granted, GrantedAs};
use super::super::{Asked, Ranked, Row, Sums, Table, Tally, parts};
use super::{
    Change, Class, Column, Counted, Day, Decided, Grant, Hour, Listed, Person, Signal, Totals,
};

pub(super) struct Tables<'a> {
    pub(super) sums: &'a Sums,
    pub(super) asked: &'a Asked,
    pub(super) rows_max: usize,
}

impl Tables<'_> {
    fn listed<R, T>(&self, rows: Vec<R>, others: Option<&Row>, tell: impl Fn(R) -> T) -> Listed<T> {
        let more = rows.len().saturating_sub(self.rows_max) as u64;
        let items = rows.into_iter().take(self.rows_max).map(tell).collect();
        Listed { items, more, others: others.map(Counted::of) }
    }

    fn of<T>(&self, table: &Table, tell: impl Fn(&str, &Row) -> T) -> Listed<T> {
        let Ranked { rows, others } = table.ranked();
        self.listed(rows, others, |(key, row)| tell(key, row))
    }

    pub(super) fn people(&self) -> Listed<Person> {
        self.of(&self.sums.people, |person, row| Person {
            person: person.to_owned(),
            counted: Counted::of(row),
        })
    }

    pub(super) fn columns(&self) -> Listed<Column> {
        self.of(&self.sums.columns, |key, row| {
            let (database, column) = parts(key);
            Column {
                class: self.asked.class(database, column).map(str::to_owned),
                database: database.to_owned(),
                column: column.to_owned(),
                counted: Counted::of(row),
            }
        })
    }

    pub(super) fn classes(&self) -> Listed<Class> {
        self.of(&self.sums.classes, |class, row| Class {
            class: class.to_owned(),
            counted: Counted::of(row),
        })
    }

    pub(super) fn grants(&self) -> Listed<Grant> {
        let others = self.sums.grants.ranked().others;
        self.listed(self.sums.granted(self.asked), others, |granted| {
            let Granted { id, said, row } = granted;
            Grant {
                grant: id,
                granted_as: match GrantedAs::of(&said) {
                    GrantedAs::Ordinary => "ordinary",
                    GrantedAs::BreakGlass => "break_glass",
                    GrantedAs::Standing => "standing",
                },
                subject: said.subject.clone(),
                database: said.database.clone(),
                resources: said.resources.clone(),
                request: said.request,
                by: self.sums.book.requester(&said).map(str::to_owned),
                approvers: said.approvers.clone(),
                policy: said.policy.clone(),
                reason: said.reason.clone(),
                granted: said.granted,
                expires_at: said.expires_at,
                ended: said.ended.map(|(step, _)| step.as_str()),
                ended_at: said.ended.map(|(_, at)| at),
                reviewed: said.reviewed,
                counted: Counted::of(&row),
            }
        })
    }

    pub(super) fn approvals(&self) -> Listed<Decided> {
        self.of(&self.sums.approvals, |key, row| {
            let (approver, subject) = parts(key);
            let Tally { approved, denied, reviewed, .. } = row.tally;
            Decided {
                approver: approver.to_owned(),
                subject: subject.to_owned(),
                approved,
                denied,
                reviewed,
                first: row.first,
                last: row.last,
            }
        })
    }

    pub(super) fn days(&self) -> Listed<Day> {
        let mut days = self
            .of(&self.sums.days, |day, row| Day { day: day.to_owned(), counted: Counted::of(row) });
        days.items.sort_by(|one, other| one.day.cmp(&other.day));
        days
    }

    pub(super) fn signals(&self) -> Listed<Signal> {
        self.of(&self.sums.signals, |key, row| {
            let (rule, severity) = parts(key);
            Signal {
                rule: rule.to_owned(),
                severity: severity.to_owned(),
                signals: row.tally.signals,
                first: row.first,
                last: row.last,
            }
        })
    }
}

impl Counted {
    fn of(row: &Row) -> Self {
        let Row { tally, sessions, first, last } = row;
        Self {
            tally: *tally,
            sessions: sessions.count() as u64,
            more_sessions: sessions.more,
            first: *first,
            last: *last,
        }
    }
}

pub(super) fn totals(sums: &Sums) -> Totals {
    let account = &sums.account;
    Totals {
        records: sums.records,
        unreadable: sums.unreadable,
        releases: sums.releases,
        changes: account.changes,
        started: account.started,
        stopped: account.stopped,
        checkpoints: account.checkpoints,
        repaired: account.repaired,
        lost: account.lost,
        retired_through: account.retired_through,
        grants_forgotten: sums.book.forgotten,
        counted: Counted::of(&sums.all),
    }
}

pub(super) fn hours(sums: &Sums) -> Vec<Hour> {
    let days = (1..).zip(&sums.hours);
    let hours = days.flat_map(|(weekday, hours)| {
        (0..).zip(hours).map(move |(hour, tally)| Hour { weekday, hour, tally: *tally })
    });
    hours.filter(|hour| hour.tally != Tally::default()).collect()
}

/// The newest, in the order of the log.
pub(super) fn changes(sums: &Sums, rows_max: usize) -> Vec<Change> {
    let newest = &sums.account.newest;
    let left_out = newest.len().saturating_sub(rows_max);
    let told = newest.iter().skip(left_out).map(|change| Change {
        seq: change.seq,
        time: change.time,
        kind: change.kind.as_str(),
        step: change.step.clone(),
        by: change.by.clone(),
        about: change.about.clone(),
    });
    told.collect()
}
