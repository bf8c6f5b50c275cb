//! The report: who saw how much of what, on whose word, and when.
//!
//! [`Sums`] takes lines in, in the order of the log. Sums of neighbouring parts of a log merge into
//! that of both, so that the parts may be summed up side by side; whichever way a log is cut, the
//! outcome is the same, while no table has more keys than it can tell ([`Table`]).

mod account;
mod book;
mod granted;
mod line;
mod table;
mod tally;
mod view;

use std::collections::HashMap;

use super::GrantStep;
use super::query::Class;
use super::read::{Kind, Record};
use crate::model::Timestamp;
use account::Note;
pub use account::{Account, Change};
pub use book::{Book, Said};
pub use granted::{Granted, GrantedAs};
use line::Act;
pub use table::{Ranked, Table};
use tally::{Deed, Item, Session};
pub use tally::{Row, Sessions, Tally};
pub use view::{By, Chain, ReportView};

/// Between the parts of a key.
const SEPARATOR: char = '\0';

/// What is reported.
#[derive(Debug, Default)]
pub struct Asked {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// By column: databases, None for any, and the class there.
    classes: HashMap<String, Vec<(Option<String>, String)>>,
}

impl Asked {
    pub fn new(
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        classes: impl IntoIterator<Item = Class>,
    ) -> Self {
        let mut by_column: HashMap<_, Vec<_>> = HashMap::new();
        for Class { name, columns } in classes {
            for known in columns {
                by_column.entry(known.column).or_default().push((known.database, name.clone()));
            }
        }
        Self { since, until, classes: by_column }
    }

    /// Whether classes are known at all.
    pub fn knows_classes(&self) -> bool {
        !self.classes.is_empty()
    }

    /// The class of a column, if one is known.
    pub fn class(&self, database: &str, column: &str) -> Option<&str> {
        let there = self.classes.get(column)?;
        let named = there.iter().find(|(known, _)| known.as_deref() == Some(database));
        let any = || there.iter().find(|(known, _)| known.is_none());
        named.or_else(any).map(|(_, class)| class.as_str())
    }

    fn is_within(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Records of the period.
    pub records: u64,
    pub unreadable: u64,
    /// Records that made raw releases durable before they began.
    pub releases: u64,
    pub all: Row,
    pub people: Table,
    /// By database and column: [`parts`].
    pub columns: Table,
    pub classes: Table,
    /// By number.
    pub grants: Table,
    /// By date, UTC.
    pub days: Table,
    /// By approver and whom they decided about: [`parts`].
    pub approvals: Table,
    /// By rule and severity: [`parts`].
    pub signals: Table,
    /// By day of the week, Monday first, and hour, UTC.
    pub hours: [[Tally; 24]; 7],
    pub book: Book,
    pub account: Account,
    /// Starts of the proxy, in the period or not: sessions are counted from 1 after each.
    runs: u64,
    /// The day that came last, and its name.
    day: (i64, String),
    key: Key,
}

impl Default for Sums {
    fn default() -> Self {
        Self::with_keys_max(table::KEYS_MAX)
    }
}

/// The parts of a key.
pub fn parts(key: &str) -> (&str, &str) {
    key.split_once(SEPARATOR).unwrap_or((key, ""))
}

/// Where keys of parts are put together: no bytes of its own count.
#[derive(Clone, Debug, Default)]
struct Key(String);

impl PartialEq for Key {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Key {}

impl Key {
    fn of(&mut self, first: &str, second: &str) -> &str {
        self.0.clear();
        self.0.push_str(first);
        self.0.push(SEPARATOR);
        self.0.push_str(second);
        &self.0
    }
}

impl Sums {
    fn with_keys_max(keys_max: usize) -> Self {
        let table = || Table::new(keys_max);
        Self {
            records: 0,
            unreadable: 0,
            releases: 0,
            all: Row::default(),
            people: table(),
            columns: table(),
            classes: table(),
            grants: table(),
            days: table(),
            approvals: table(),
            signals: table(),
            hours: Default::default(),
            book: Book::new(keys_max),
            account: Account::default(),
            runs: 0,
            day: (i64::MIN, String::new()),
            key: Key::default(),
        }
    }

    /// Takes the next line in, without its line end.
    pub fn take(&mut self, asked: &Asked, line: &[u8]) {
        let kind = Kind::of_line(line).or_else(|| Record::of(line).ok().map(|record| record.kind));
        if kind.and_then(|kind| self.look(asked, kind, line)).is_none() {
            self.unreadable += 1;
        }
    }

    /// None if the line cannot be read.
    fn look(&mut self, asked: &Asked, kind: Kind, line: &[u8]) -> Option<()> {
        match kind {
            Kind::Statement => {
                let act = Act::of(line)?;
                if asked.is_within(act.time) {
                    self.records += 1;
                    self.statement(asked, &act);
                }
            }
            Kind::Grant => self.grant(asked, Record::of(line).ok()?),
            // Who asked the log is in `audit search`.
            Kind::Explored | Kind::Other => {
                self.records += u64::from(asked.is_within(line::time(line)?))
            }
            Kind::Release | Kind::Login | Kind::LoginFailed | Kind::Logout => {
                let act = Act::of(line)?;
                if asked.is_within(act.time) {
                    self.records += 1;
                    self.met(kind, &act);
                }
            }
            Kind::Signal => {
                let record = Record::of(line).ok()?;
                if asked.is_within(record.time) {
                    self.records += 1;
                    self.signal(&record);
                }
            }
            Kind::Started
            | Kind::Stopped
            | Kind::Configuration
            | Kind::Catalog
            | Kind::Repaired
            | Kind::Retired
            | Kind::Checkpoint
            | Kind::Lost => {
                let (time, note): (_, Note) =
                    (line::time(line)?, serde_json::from_slice(line).ok()?);
                self.runs += u64::from(kind == Kind::Started);
                if asked.is_within(time) {
                    self.records += 1;
                    self.account.take(kind, note);
                }
            }
        }
        Some(())
    }

    fn statement(&mut self, asked: &Asked, act: &Act<'_>) {
        let (database, user) = (act.database(), act.user());
        let session = act.session.map(|number| Session::new(self.runs, number));
        let (decision, rows) = (act.decision, act.rows);
        let item = |deed| Item { tally: Tally::of(decision, deed, rows), time: act.time, session };
        let (mut total, mut classes) = (Deed::default(), Vec::<(&str, Deed)>::new());
        for (column, deed) in act.deeds() {
            total = total.or(deed);
            self.columns.take(self.key.of(database, column), item(deed));
            if let Some(class) = asked.class(database, column) {
                match classes.iter_mut().find(|(known, _)| *known == class) {
                    Some((_, sum)) => *sum = sum.or(deed),
                    None => classes.push((class, deed)),
                }
            }
        }
        for (class, deed) in classes {
            self.classes.take(class, item(deed));
        }
        let item = item(total);
        for grant in &act.grants {
            self.grants.take(&grant.to_string(), item);
        }
        self.person(user, item);
    }

    /// What somebody did, for all that does not ask of what.
    fn person(&mut self, user: &str, item: Item) {
        self.people.take(user, item);
        self.total(item);
    }

    fn total(&mut self, item: Item) {
        let secs = item.time.as_second();
        let day = secs.div_euclid(DAY_SECS);
        if self.day.0 != day {
            self.day = (day, format!("{}", item.time.strftime("%Y-%m-%d")));
        }
        self.days.take(&self.day.1, item);
        // The first of January 1970 was a Thursday.
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        let hour = usize::try_from(secs.rem_euclid(DAY_SECS) / 3600).unwrap_or_default();
        self.hours[weekday][hour].add(item.tally);
        // Sessions are counted by their logins: a set of all would be large.
        self.all.take(Item { session: None, ..item }, &mut 0);
    }

    fn met(&mut self, kind: Kind, act: &Act<'_>) {
        let session = act.session.map(|number| Session::new(self.runs, number));
        let tally = match kind {
            Kind::Login => Tally { logins: 1, ..Tally::default() },
            Kind::LoginFailed => Tally { logins_failed: 1, ..Tally::default() },
            Kind::Release => {
                self.releases += 1;
                return;
            }
            Kind::Logout
            | Kind::Explored
            | Kind::Statement
            | Kind::Grant
            | Kind::Signal
            | Kind::Configuration
            | Kind::Catalog
            | Kind::Repaired
            | Kind::Retired
            | Kind::Checkpoint
            | Kind::Lost
            | Kind::Started
            | Kind::Stopped
            | Kind::Other => return,
        };
        // Who has not got in has no session.
        let session = session.filter(|_| kind == Kind::Login);
        self.person(act.user(), Item { tally, time: act.time, session });
    }

    fn signal(&mut self, record: &Record) {
        let tally = Tally { signals: 1, ..Tally::default() };
        let item = Item { tally, time: record.time, session: None };
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        let (rule, severity) = (word(&record.rule), word(&record.severity));
        self.signals.take(self.key.of(&rule, &severity), item);
        match &record.user {
            Some(user) => self.person(user, item),
            None => self.total(item),
        }
    }

    fn grant(&mut self, asked: &Asked, record: Record) {
        let time = record.time;
        let within = asked.is_within(time);
        self.records += u64::from(within);
        // A step of a later version says nothing here.
        let Some(step) = record.grant_step() else { return };
        let tally = match step {
            GrantStep::Requested => Tally { requests: 1, ..Tally::default() },
            GrantStep::Approved => Tally { approved: 1, ..Tally::default() },
            GrantStep::Denied => Tally { denied: 1, ..Tally::default() },
            GrantStep::Reviewed => Tally { reviewed: 1, ..Tally::default() },
            GrantStep::Cancelled
            | GrantStep::Lapsed
            | GrantStep::Granted
            | GrantStep::Extended
            | GrantStep::Started
            | GrantStep::Revoked
            | GrantStep::Expired
            | GrantStep::Exhausted
            | GrantStep::FactorUsed
            | GrantStep::FactorFailed
            | GrantStep::Restricted
            | GrantStep::Lifted => Tally::default(),
        };
        if let Some(by) = record.by.as_deref().filter(|_| within && tally != Tally::default()) {
            let item = Item { tally, time, session: None };
            if step != GrantStep::Requested {
                let subject = record.subject.as_deref().unwrap_or_default();
                self.approvals.take(self.key.of(by, subject), item);
            }
            self.person(by, item);
        }
        // What a grant is, is asked whenever it is used.
        self.book.take(step, record);
    }

    /// Takes in the sums of what comes next in the log.
    pub fn merge(&mut self, later: Self) {
        let runs = self.runs;
        self.records += later.records;
        self.unreadable += later.unreadable;
        self.releases += later.releases;
        self.all.merge(later.all, runs, &mut 0);
        for (table, more) in [
            (&mut self.people, later.people),
            (&mut self.columns, later.columns),
            (&mut self.classes, later.classes),
            (&mut self.grants, later.grants),
            (&mut self.days, later.days),
            (&mut self.approvals, later.approvals),
            (&mut self.signals, later.signals),
        ] {
            table.merge(more, runs);
        }
        for (sum, more) in self.hours.iter_mut().flatten().zip(later.hours.into_iter().flatten()) {
            sum.add(more);
        }
        self.book.merge(later.book);
        self.account.merge(later.account);
        self.runs += later.runs;
        if later.day.0 != i64::MIN {
            self.day = later.day;
        }
    }
}

const DAY_SECS: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests;
