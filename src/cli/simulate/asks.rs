//! Requests of the log, asked again: what either configuration's policies make of them, and which
//! grants there would have been.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::book::Who;
use crate::audit::{GrantStep, Record};
use crate::grant::{Action, Actions, Ask, CatalogView, Subject, Urgency};
use crate::model::Timestamp;
use crate::server::rehearsal::Rehearsal;

/// Grants and open requests that are remembered; what is shown by others is shown by unknown ones.
const REMEMBERED_MAX: usize = 1_000_000;
/// A request that was never granted is asked again for so long: how long it was to be is not on
/// record.
const SHORTEST: Duration = Duration::from_secs(60);
/// No request is for longer.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
/// In which policies count what they grant at once.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// What policies make of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// It names nothing that is hidden.
    NotNeeded,
    AtOnce,
    AfterApprovals(u32),
    Refused,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNeeded => f.write_str("not needed"),
            Self::AtOnce => f.write_str("at once"),
            Self::AfterApprovals(1) => f.write_str("after an approval"),
            Self::AfterApprovals(some) => write!(f, "after {some} approvals"),
            Self::Refused => f.write_str("refused"),
        }
    }
}

/// Requests that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) resource: String,
    pub(super) actions: String,
    pub(super) before: Answer,
    pub(super) after: Answer,
}

/// What a grant lets do, and under which of the two configurations there would be one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    pub(super) subject: String,
    pub(super) database: String,
    pub(super) resource: String,
    pub(super) actions: Vec<String>,
    /// Without constants.
    pub(super) rows: Option<String>,
    pub(super) there: [bool; 2],
}

/// What is known of a grant of the log.
#[derive(Clone, Copy, Debug)]
enum Known {
    Terms(u64),
    /// The configuration has it, or has it no more.
    Standing,
}

/// What was asked for and granted, all told.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) terms: Vec<Terms>,
    pub(super) asked: BTreeMap<Asked, u64>,
    pub(super) unknown: u64,
}

type Weeks = HashMap<(String, String), VecDeque<Timestamp>>;

pub(super) struct Asks<'a> {
    sides: [&'a Rehearsal; 2],
    views: HashMap<String, [Option<CatalogView>; 2]>,
    groups: HashMap<String, Vec<String>>,
    /// What each policy has granted at once, to whom and when.
    weeks: [Weeks; 2],
    pending: HashMap<u64, Record>,
    grants: HashMap<u64, Known>,
    terms: Vec<Terms>,
    numbers: HashMap<Terms, u64>,
    asked: BTreeMap<Asked, u64>,
    /// Statements that were shown something by grants that are not on record.
    unknown: u64,
}

impl<'a> Asks<'a> {
    pub(super) fn new(sides: [&'a Rehearsal; 2]) -> Self {
        Self {
            sides,
            views: HashMap::new(),
            groups: HashMap::new(),
            weeks: [Weeks::new(), Weeks::new()],
            pending: HashMap::new(),
            grants: HashMap::new(),
            terms: Vec::new(),
            numbers: HashMap::new(),
            asked: BTreeMap::new(),
            unknown: 0,
        }
    }

    /// Learns in which groups people are.
    pub(super) fn meet<'w>(&mut self, people: impl Iterator<Item = &'w Who>) {
        for who in people.filter(|who| !who.groups.is_empty()) {
            if self.groups.get(&who.user) != Some(&who.groups) {
                self.groups.insert(who.user.clone(), who.groups.clone());
            }
        }
    }

    /// Takes the next step in the life of a request or a grant.
    pub(super) fn step(&mut self, record: &Record) {
        match record.grant_step() {
            Some(GrantStep::Requested) => {
                if let Some(number) = record.request
                    && self.pending.len() < REMEMBERED_MAX
                {
                    self.pending.insert(number, record.clone());
                }
            }
            Some(GrantStep::Granted) => self.granted(record),
            Some(GrantStep::Extended) => {
                if let Some(number) = record.request {
                    self.pending.remove(&number);
                }
                let lasts = record.expires_at.map(|end| between(record.time, end));
                self.ask(record, lasts.unwrap_or(SHORTEST));
            }
            Some(
                GrantStep::Approved
                | GrantStep::Denied
                | GrantStep::Cancelled
                | GrantStep::Lapsed
                | GrantStep::Started
                | GrantStep::Reviewed
                | GrantStep::Revoked
                | GrantStep::Expired
                | GrantStep::Exhausted
                | GrantStep::FactorUsed
                | GrantStep::FactorFailed
                | GrantStep::Restricted
                | GrantStep::Lifted,
            )
            | None => {}
        }
    }

    /// The log is over: requests that nobody granted are asked again as well.
    pub(super) fn end(&mut self) {
        let mut rest: Vec<Record> = self.pending.drain().map(|(_, record)| record).collect();
        rest.sort_by_key(|record| record.seq);
        for record in &rest {
            self.ask(record, SHORTEST);
        }
    }

    fn granted(&mut self, record: &Record) {
        let Some(grant) = record.grant else { return };
        if self.grants.len() >= REMEMBERED_MAX {
            return;
        }
        let (begin, end) = (record.not_before.unwrap_or(record.time), record.expires_at);
        let there = match (record.request, end) {
            (None, None) => {
                self.grants.insert(grant, Known::Standing);
                return;
            }
            // A DBA's own: no policy has a say in it.
            (None, Some(_)) => [true; 2],
            (Some(request), end) => {
                self.pending.remove(&request);
                let answers = self.ask(record, end.map_or(SHORTEST, |end| between(begin, end)));
                answers.map(|answer| answer != Answer::Refused)
            }
        };
        let terms = Terms {
            subject: record.subject.clone().unwrap_or_default(),
            database: record.database.clone().unwrap_or_default(),
            resource: record.resources.first().cloned().unwrap_or_default(),
            actions: record.actions.clone(),
            rows: record.predicate().map(str::to_owned),
            there,
        };
        let next = self.terms.len() as u64;
        let number = *self.numbers.entry(terms.clone()).or_insert(next);
        if number == next {
            self.terms.push(terms);
        }
        self.grants.insert(grant, Known::Terms(number));
    }

    /// Asks both, and counts the answers.
    fn ask(&mut self, record: &Record, lasts: Duration) -> [Answer; 2] {
        let user = record.subject.clone().unwrap_or_default();
        let database = record.database.clone().unwrap_or_default();
        let resource = record.resources.first().cloned().unwrap_or_default();
        let actions: Actions =
            record.actions.iter().filter_map(|word| Action::parse(word)).collect();
        let ask = Ask {
            actions,
            urgency: match record.urgency.as_deref() {
                Some("break_glass") => Urgency::BreakGlass,
                Some(_) | None => Urgency::Ordinary,
            },
            ..Ask::to_read(
                resource.clone(),
                lasts.clamp(SHORTEST, LONGEST),
                record.reason.clone().unwrap_or_default(),
            )
        };
        let [before, after] =
            [0, 1].map(|side| self.answer(side, (&user, &database), &ask, record.time));
        let actions = actions.to_string();
        let asked = Asked { user, database, resource, actions, before, after };
        *self.asked.entry(asked).or_default() += 1;
        [before, after]
    }

    fn answer(
        &mut self,
        side: usize,
        (user, database): (&str, &str),
        ask: &Ask,
        then: Timestamp,
    ) -> Answer {
        let sides = self.sides;
        let views = self.views.entry(database.to_owned());
        let views = views.or_insert_with(|| sides.map(|side| side.view(database)));
        let Some(view) = &views[side] else { return Answer::Refused };
        let groups = self.groups.get(user).map_or(&[][..], Vec::as_slice);
        let person = sides[side].person(user, groups);
        let weeks = &mut self.weeks[side];
        let since = then.checked_sub(WEEK).unwrap_or(then);
        let at_once = |policy: &str| {
            let times = weeks.get(&(user.to_owned(), policy.to_owned()));
            let recent = times.map_or(0, |times| times.iter().filter(|at| **at >= since).count());
            u32::try_from(recent).unwrap_or(u32::MAX)
        };
        match sides[side].policies().retrial(&person, view, ask, then, at_once) {
            Err(_) => Answer::NotNeeded,
            Ok(Err(_)) => Answer::Refused,
            Ok(Ok(allowed)) if allowed.approvals > 0 => Answer::AfterApprovals(allowed.approvals),
            Ok(Ok(allowed)) => {
                let times = weeks.entry((user.to_owned(), allowed.policy)).or_default();
                while times.front().is_some_and(|at| *at < since) {
                    times.pop_front();
                }
                times.push_back(then);
                Answer::AtOnce
            }
        }
    }

    /// The numbers of the terms of grants that so many statements used; what the configuration
    /// grants is left out.
    pub(super) fn terms_of(&mut self, grants: &[u64], count: u64) -> Box<[u64]> {
        let mut terms = Vec::new();
        if grants.iter().any(|grant| !self.grants.contains_key(grant)) {
            self.unknown += count;
        }
        for grant in grants {
            match self.grants.get(grant) {
                Some(Known::Terms(number)) => terms.push(*number),
                Some(Known::Standing) | None => {}
            }
        }
        terms.sort_unstable();
        terms.dedup();
        terms.into()
    }

    /// What was granted, by number, and what was asked for.
    pub(super) fn into_found(self) -> Found {
        let Self { terms, asked, unknown, .. } = self;
        Found { terms, asked, unknown }
    }
}

impl Terms {
    /// Whom it is for; None: nobody whom this version knows.
    pub(super) fn subject(&self) -> Option<Subject> {
        Subject::parse(&self.subject).ok()
    }

    pub(super) fn actions(&self) -> Actions {
        self.actions.iter().filter_map(|word| Action::parse(word)).collect()
    }
}

fn between(begin: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(begin)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
