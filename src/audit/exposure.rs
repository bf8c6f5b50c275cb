//! The data-subject report: who saw one row of a catalogued table, and who may have.
//!
//! [`Question::pick`] looks at lines in any order and on any thread; [`Exposure::take`] is given
//! what it picked, in the order of the log.

mod sight;

use std::collections::HashMap;

use super::read::SubjectsRead;
use super::{GrantStep, Kind, Record};
use crate::audit::subject::Pseudonyms;
use crate::model::Timestamp;
pub use sight::{Doubt, GrantSaid, Sight};

/// Whose row it is about, and when.
#[derive(Debug)]
pub struct Question {
    table: String,
    /// What a line about it holds somewhere.
    needle: String,
    /// Key columns, each with what the row's value may be recorded as.
    keys: Vec<(String, Vec<String>)>,
    pub database: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// What a line says to the question.
#[derive(Debug)]
pub enum Item {
    Grant(u64, Box<GrantSaid>),
    Request(u64, String),
    /// Something of the table is about to be shown.
    Released(Box<Sight>),
    /// A statement has ended; what it showed of the table, if anything.
    Ended {
        session: u64,
        statement: u64,
        shown: Option<(Box<Sight>, Answer)>,
    },
    LoggedOut {
        session: u64,
    },
    Started,
}

/// Whether a statement showed the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Told by these key columns.
    Yes(Vec<String>),
    Maybe(Doubt),
    No,
}

impl Question {
    /// `keys` are columns with the row's value in each.
    pub fn new(table: &str, keys: &[(String, String)], pseudonyms: &Pseudonyms) -> Self {
        let recorded = |(column, value): &(String, String)| {
            let candidates = pseudonyms.column(table, column).candidates(value);
            (column.clone(), candidates.iter().map(ToString::to_string).collect())
        };
        let needle = serde_json::Value::from(format!("{table}.")).to_string();
        Self {
            table: table.to_owned(),
            needle: needle.trim_end_matches('"').to_owned(),
            keys: keys.iter().map(recorded).collect(),
            database: None,
            since: None,
            until: None,
        }
    }

    /// What the line says to it; None: nothing.
    pub fn pick(&self, line: &[u8]) -> Option<Item> {
        match Kind::of_line(line).or_else(|| Record::of(line).ok().map(|record| record.kind))? {
            Kind::Started => Some(Item::Started),
            Kind::Logout => Some(Item::LoggedOut { session: Record::of(line).ok()?.session? }),
            Kind::Grant => grant(Record::of(line).ok()?),
            Kind::Release => {
                let (sight, record) = self.sight(line)?;
                self.is_within(&record).then(|| Item::Released(Box::new(sight)))
            }
            Kind::Statement => self.ended(line),
            Kind::Login
            | Kind::LoginFailed
            | Kind::Explored
            | Kind::Configuration
            | Kind::Catalog
            | Kind::Repaired
            | Kind::Lost
            | Kind::Stopped
            | Kind::Checkpoint
            | Kind::Retired
            | Kind::Signal
            | Kind::Other => None,
        }
    }

    fn ended(&self, line: &[u8]) -> Option<Item> {
        #[derive(serde::Deserialize)]
        struct Which {
            session: u64,
            statement: u64,
        }
        let Which { session, statement } = serde_json::from_slice(line).ok()?;
        let shown = self.sight(line).map(|(sight, record)| {
            let answer = if self.is_within(&record) { self.answer(&record) } else { Answer::No };
            (Box::new(sight), answer)
        });
        Some(Item::Ended { session, statement, shown })
    }

    /// What the line shows of the table; None: nothing.
    fn sight(&self, line: &[u8]) -> Option<(Sight, Record)> {
        if !std::str::from_utf8(line).ok()?.contains(&self.needle) {
            return None;
        }
        let record = Record::of(line).ok()?;
        let sight = Sight::of(&record, &self.table)?;
        Some((sight, record))
    }

    /// Whether it is about a record of that time and database: a statement's time is that of its end.
    fn is_within(&self, record: &Record) -> bool {
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && self.database.as_ref().is_none_or(|asked| record.database.as_ref() == Some(asked))
    }

    fn answer(&self, record: &Record) -> Answer {
        let Some(subjects) = record.subjects.get(&self.table) else {
            let shown = record.rows() > 0 || record.bytes > 0;
            return if shown { Answer::Maybe(Doubt::NotRecorded) } else { Answer::No };
        };
        let SubjectsRead { by, keys, rows, more, unknown } = subjects;
        let told = |(_, recorded): &&(String, Vec<String>)| {
            recorded.iter().any(|one| keys.binary_search(one).is_ok())
        };
        let by_these: Vec<String> =
            self.keys.iter().filter(told).map(|(column, _)| column.clone()).collect();
        let asked = self.keys.iter().any(|(column, _)| by.contains(column));
        if !by_these.is_empty() {
            Answer::Yes(by_these)
        } else if *unknown > 0 {
            Answer::Maybe(Doubt::Unknown { rows: *unknown })
        } else if *more > 0 {
            Answer::Maybe(Doubt::Beyond { rows: *more })
        } else if !asked && *rows > 0 {
            Answer::Maybe(Doubt::OtherKeys { by: by.clone() })
        } else {
            Answer::No
        }
    }
}

fn grant(record: Record) -> Option<Item> {
    let step = record.grant_step()?;
    if step == GrantStep::Granted {
        let Record { grant, request, reason, by, approvers, policy, subject, .. } = record;
        let said = GrantSaid { request, reason, by, approvers, policy, subject };
        return Some(Item::Grant(grant?, Box::new(said)));
    }
    (step == GrantStep::Requested).then_some(Item::Request(record.request?, record.by?))
}

/// What the log answers.
#[derive(Debug, Default)]
pub struct Exposure {
    pub saw: Vec<Sight>,
    pub may_have_seen: Vec<Sight>,
    grants: HashMap<u64, GrantSaid>,
    requesters: HashMap<u64, String>,
    /// Releases whose end has not come yet, by session and statement.
    open: HashMap<(u64, u64), Open>,
}

#[derive(Debug)]
struct Open {
    sight: Sight,
    /// Whether a statement of the same message has ended.
    begun: bool,
}

impl Exposure {
    /// The next thing that was picked.
    pub fn take(&mut self, item: Item) {
        match item {
            Item::Grant(id, mut said) => {
                if let Some(by) = said.request.and_then(|request| self.requesters.get(&request)) {
                    said.by = Some(by.clone());
                }
                self.grants.insert(id, *said);
            }
            Item::Request(id, by) => _ = self.requesters.insert(id, by),
            Item::Released(sight) => {
                let key = (sight.session, sight.statement);
                self.open.insert(key, Open { sight: *sight, begun: false });
            }
            Item::Ended { session, statement, shown } => {
                self.over(|open, number| open == session && number < statement);
                if shown.is_some() {
                    self.open.remove(&(session, statement));
                } else if let Some(open) = self.open.get_mut(&(session, statement)) {
                    open.begun = true;
                }
                match shown {
                    Some((sight, Answer::Yes(by))) => self.saw.push(Sight { by, ..*sight }),
                    Some((sight, Answer::Maybe(doubt))) => {
                        self.may_have_seen.push(Sight { doubt: Some(doubt), ..*sight });
                    }
                    Some((_, Answer::No)) | None => {}
                }
            }
            Item::LoggedOut { session } => self.over(|open, _| open == session),
            Item::Started => self.killed(),
        }
    }

    /// The session has gone on: what has not ended of these was not run, if any of its message was.
    fn over(&mut self, which: impl Fn(u64, u64) -> bool) {
        let ended = self.open.extract_if(|(session, number), _| which(*session, *number));
        for (_, Open { sight, begun }) in ended {
            if !begun {
                self.may_have_seen.push(Sight { doubt: Some(Doubt::NoEnd), ..sight });
            }
        }
    }

    /// The process ended without a word: whatever was released may have been shown.
    fn killed(&mut self) {
        let open = self.open.drain().map(|(_, open)| open.sight);
        self.may_have_seen.extend(open.map(|sight| Sight { doubt: Some(Doubt::NoEnd), ..sight }));
    }

    /// Call it when all was taken: nothing more comes.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.killed();
        for sights in [&mut self.saw, &mut self.may_have_seen] {
            sights.sort_by_key(|sight| sight.seq);
        }
        self
    }

    /// What the log says of a grant; None if its record is older than the log.
    pub fn grant(&self, id: u64) -> Option<&GrantSaid> {
        self.grants.get(&id)
    }
}

#[cfg(test)]
mod tests;
