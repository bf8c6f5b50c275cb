//! What the events add up to, and which events a command gives. A command changes nothing by
//! itself: its events are stored first and applied then.

mod apply;
mod decide;
mod end;
mod extend;
mod history;
mod proven;
mod request;
mod restrict;
mod set_back;
mod spend;
mod standing;
mod time;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use self::history::History;
use self::restrict::Restrictions;
use super::factor::FactorState;
use super::{
    Grant, GrantId, GrantState, GrantView, Live, Request, RequestId, RequestState, Subject,
};
use crate::model::{Report, SqlState, Timestamp, User};

pub use end::Scope;
pub use extend::Extension;
pub use proven::Approving;
pub use request::Wish;
pub use restrict::RISK;

/// All requests and grants, as replaying the events gives them.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Whose own counts are told apart from those of others.
    proxy: Arc<str>,
    requests: BTreeMap<RequestId, Request>,
    grants: BTreeMap<GrantId, Entry>,
    /// When grants that have not ended begin, and when they end.
    begins: BTreeSet<(Timestamp, GrantId)>,
    ends: BTreeSet<(Timestamp, GrantId)>,
    /// When requests that wait lapse.
    lapses: BTreeSet<(Timestamp, RequestId)>,
    /// Grants that have not ended, by subject.
    held: HashMap<Subject, usize>,
    /// Of approvers who have shown one.
    factors: HashMap<String, FactorState>,
    /// Grants that have not ended and have limits.
    limited: BTreeSet<GrantId>,
    history: History,
    restrictions: Restrictions,
    request_last: RequestId,
    grant_last: GrantId,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    live: Live,
    ended: Option<Ended>,
    /// A limit is reached; it goes on to count for what has been paid.
    exhausted: Option<Timestamp>,
    reviewed_by: Option<String>,
}

#[derive(Clone, Debug)]
struct Ended {
    state: GrantState,
    at: Timestamp,
    by: Option<String>,
}

/// What an event means for the live table.
#[derive(Clone, Debug)]
pub enum Change {
    None,
    Begins(Live),
    Ends(Arc<Grant>),
    /// The same grant, with another end.
    Becomes {
        old: Arc<Grant>,
        new: Live,
    },
    /// No grant counts for the user; None: until they resume.
    Suspends {
        user: String,
        until: Option<Timestamp>,
    },
    /// The user's grants count again.
    Resumes {
        user: String,
    },
}

/// An event that cannot follow on those before it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LedgerError {
    #[error("event {found} follows on event {last}")]
    Sequence { last: u64, found: u64 },
    #[error("event {sequence} ({kind}) does not fit those before it")]
    Misfit { sequence: u64, kind: &'static str },
}

impl Ledger {
    /// An empty ledger of the process with this name among those that share a store.
    pub fn of(proxy: impl Into<Arc<str>>) -> Self {
        Self { proxy: proxy.into(), ..Self::default() }
    }

    /// The number of the last event applied; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The grants that have not ended, for a live table.
    pub fn open_grants(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.open().map(|live| &live.grant)
    }

    /// The grants that have not ended, with what is left of them.
    pub fn open(&self) -> impl Iterator<Item = &Live> {
        self.grants.values().filter(|entry| entry.ended.is_none()).map(|entry| &entry.live)
    }

    pub fn request_view(&self, id: RequestId) -> Option<Request> {
        self.requests.get(&id).cloned()
    }

    pub fn grant_view(&self, id: GrantId, now: Timestamp) -> Option<GrantView> {
        self.grants.get(&id).map(|entry| entry.view(now))
    }

    /// Every request that is remembered, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.values().cloned().collect()
    }

    /// Every grant that is remembered, oldest first.
    pub fn grants(&self, now: Timestamp) -> Vec<GrantView> {
        self.grants.values().map(|entry| entry.view(now)).collect()
    }

    /// How many break-glass grants wait for their review, however long ago they ended.
    pub fn unreviewed_count(&self) -> usize {
        self.history.unreviewed_count()
    }

    fn entry(&self, id: GrantId) -> Result<&Entry, Report> {
        self.grants.get(&id).ok_or_else(|| unknown("grant", id))
    }

    /// The request if it waits for a decision.
    fn pending(&self, id: RequestId, now: Timestamp) -> Result<&Request, Report> {
        let request = self.requests.get(&id).ok_or_else(|| unknown("request", id))?;
        match request.state {
            RequestState::Pending if request.decide_by.is_some_and(|end| now >= end) => {
                Err(invalid(format!("request {id} has lapsed: nobody decided in time")))
            }
            RequestState::Pending => Ok(request),
            state @ (RequestState::Approved
            | RequestState::Denied
            | RequestState::Cancelled
            | RequestState::Lapsed) => {
                Err(invalid(format!("request {id} is {} already", state.as_str())))
            }
        }
    }
}

impl Entry {
    fn new(live: Live) -> Self {
        Self { live, ended: None, exhausted: None, reviewed_by: None }
    }

    fn view(&self, now: Timestamp) -> GrantView {
        let Live { grant, budget } = &self.live;
        let spent = budget.as_ref().is_some_and(|budget| budget.is_spent());
        let (state, ended_at, ended_by) = match (&self.ended, grant.expires_at) {
            (Some(end), _) => (end.state, Some(end.at), end.by.clone()),
            (None, None) => (GrantState::Standing, None, None),
            (None, Some(end)) if now >= end => (GrantState::Expired, Some(end), None),
            (None, Some(_)) if spent => (GrantState::Exhausted, self.exhausted, None),
            (None, Some(_)) if now < grant.not_before => (GrantState::Scheduled, None, None),
            (None, Some(_)) => (GrantState::Active, None, None),
        };
        GrantView {
            grant: Arc::clone(grant),
            state,
            ended_at,
            ended_by,
            used: budget.as_ref().map(|budget| budget.used()),
            reviewed_by: self.reviewed_by.clone(),
        }
    }
}

fn needs_control(by: &User) -> Result<(), Report> {
    if by.has_role("control") {
        return Ok(());
    }
    Err(refused(format!("{} may not do this", by.name)).detail("It needs the role \"control\"."))
}

fn refused(message: impl Into<String>) -> Report {
    Report::error(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

fn invalid(message: impl Into<String>) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn limit(message: impl Into<String>) -> Report {
    Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

fn unknown(what: &str, id: u64) -> Report {
    Report::error(SqlState::UNDEFINED_OBJECT, format!("there is no {what} {id}"))
}

#[cfg(test)]
mod tests;
