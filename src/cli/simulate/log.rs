//! Statements and grants of an audit log.

use std::path::Path;

use super::asks::Asks;
use super::book::{Book, Entry, Shape, Told, Who};
use super::restore::Lost;
use crate::audit::{Broken, Decision, Kind, Record};
use crate::cli::progress::Progress;
use crate::grant::Conditions;
use crate::model::{Client, Timestamp, User};
use crate::store::audit_log::{Proofs, gather};

/// Which records count.
pub(super) struct Wanted<'a> {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// As clients name them; empty: all.
    pub(super) databases: &'a [String],
    /// What standing grants of either configuration depend on.
    pub(super) conditions: Vec<&'a Conditions>,
}

/// What one file of the log has.
#[derive(Default)]
struct Page {
    book: Book,
    /// Steps in the lives of requests and grants, in order.
    steps: Vec<Record>,
    records: u64,
    unread: u64,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) records: u64,
    /// Records that this version cannot read.
    pub(super) unread: u64,
}

/// Reads the log in `dir` into `book`, and what was asked for into `asks`. Requests count whenever
/// they were made, as what is shown later rests on them; statements, when they are wanted.
pub(super) fn read(
    dir: &Path,
    wanted: &Wanted<'_>,
    book: &mut Book,
    asks: &mut Asks<'_>,
) -> (Read, Result<(), Broken>) {
    let progress = Progress::of("reading the log");
    let mut read = Read::default();
    let gathered = gather(
        dir,
        &Proofs::default(),
        |page: &mut Page, _, line| {
            progress.count();
            page.line(line, wanted);
        },
        |page| {
            read.records += page.records;
            read.unread += page.unread;
            asks.meet(page.book.people());
            for step in &page.steps {
                asks.step(step);
            }
            book.merge(page.book, |entry, count| Entry {
                grants: asks.terms_of(&entry.grants, count),
                ..entry
            });
        },
    );
    asks.end();
    drop(progress);
    (read, gathered.map(drop))
}

impl Page {
    fn line(&mut self, line: &[u8], wanted: &Wanted<'_>) {
        self.records += 1;
        let kind = Kind::of_line(line);
        if !matches!(kind, Some(Kind::Statement | Kind::Grant) | None) {
            return;
        }
        match Record::of(line) {
            Ok(record) if record.kind == Kind::Grant => self.steps.push(record),
            Ok(record) if record.kind == Kind::Statement => self.statement(record, wanted),
            Ok(_) => {}
            Err(_) => self.unread += 1,
        }
    }

    fn statement(&mut self, record: Record, wanted: &Wanted<'_>) {
        let too_early = wanted.since.is_some_and(|since| record.time < since);
        let too_late = wanted.until.is_some_and(|until| record.time >= until);
        let (Some(user), Some(database)) = (record.user, record.database) else {
            self.unread += 1;
            return;
        };
        let elsewhere = !wanted.databases.is_empty() && !wanted.databases.contains(&database);
        if too_early || too_late || elsewhere {
            return;
        }
        let (Some(text), Some(fingerprint), Some(decision)) =
            (record.text, record.fingerprint, record.decision)
        else {
            self.unread += 1;
            return;
        };
        let mut who = Who {
            user,
            groups: record.groups,
            application: record.application.unwrap_or_default(),
            database,
            holds: Vec::new(),
            address: record.address,
            time: record.time,
        };
        who.holds = holds(&who, &wanted.conditions);
        if decision == Decision::Local {
            return self.book.lose(Lost::Local, &who, 1);
        }
        let told = Told {
            decision,
            relations: sorted(record.relations),
            touched: sorted(record.pii_columns),
            masked: sorted(record.masked_columns),
        };
        let shape = Shape { fingerprint, text };
        self.book.add(who, shape, Some(told), record.grants.into(), 1);
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

/// Which of the conditions hold for who says something then.
pub(super) fn holds(who: &Who, conditions: &[&Conditions]) -> Vec<bool> {
    if conditions.is_empty() {
        return Vec::new();
    }
    let client = Client {
        user: User::nobody(&who.user),
        address: who.address,
        application: who.application.as_str().into(),
        database: who.database.as_str().into(),
    };
    conditions.iter().map(|condition| condition.hold(&client, who.time).is_some()).collect()
}
