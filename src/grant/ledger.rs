//! What the events add up to, and which events a command gives. A command changes nothing by
//! itself: its events are stored first and applied then.

mod commands;
mod proven;
mod standing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::factor::FactorState;
use super::{
    Grant, GrantEvent, GrantId, GrantState, GrantView, RecordedEvent, Request, RequestId,
    RequestState, Subject,
};
use crate::model::Timestamp;
use crate::model::receipt::{Approval, Attestation};

pub use proven::Approving;

/// All requests and grants, as replaying the events gives them.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    requests: BTreeMap<RequestId, Request>,
    grants: BTreeMap<GrantId, Entry>,
    /// When grants that have not ended begin, and when they end.
    begins: BTreeSet<(Timestamp, GrantId)>,
    ends: BTreeSet<(Timestamp, GrantId)>,
    /// Grants that have not ended, by subject.
    held: HashMap<Subject, usize>,
    /// Of approvers who have shown one.
    factors: HashMap<String, FactorState>,
    request_last: RequestId,
    grant_last: GrantId,
    sequence: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    grant: Arc<Grant>,
    ended: Option<Ended>,
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
    Begins(Arc<Grant>),
    Ends(Arc<Grant>),
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
    /// The number of the last event applied; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes one more event in.
    ///
    /// # Errors
    /// [`LedgerError`] when one is missing before it or it cannot have happened; nothing is
    /// changed then.
    pub fn apply(&mut self, recorded: &RecordedEvent) -> Result<Change, LedgerError> {
        let RecordedEvent { sequence, at, event } = recorded;
        if *sequence != self.sequence + 1 {
            return Err(LedgerError::Sequence { last: self.sequence, found: *sequence });
        }
        let misfit = || LedgerError::Misfit { sequence: *sequence, kind: event.kind() };
        let change = match event {
            GrantEvent::Requested { request } => self.file(request).ok_or_else(misfit)?,
            GrantEvent::Approved { request, by, receipt, .. } => {
                let request = self.pending_mut(*request).ok_or_else(misfit)?;
                request.approved_by.push(by.clone());
                request.approvals.push(approval(receipt.as_deref(), by, *at));
                Change::None
            }
            GrantEvent::Denied { request, by, reason } => {
                let request = self.pending_mut(*request).ok_or_else(misfit)?;
                close(request, RequestState::Denied, *at, Some(by));
                request.closed_reason.clone_from(reason);
                Change::None
            }
            GrantEvent::Cancelled { request, by } => {
                let request = self.pending_mut(*request).ok_or_else(misfit)?;
                close(request, RequestState::Cancelled, *at, Some(by));
                Change::None
            }
            GrantEvent::Granted { grant, .. } | GrantEvent::StandingAdded { grant, .. } => {
                self.begin(grant, *at).ok_or_else(misfit)?
            }
            GrantEvent::Revoked { grant, by } => {
                self.end(*grant, GrantState::Revoked, *at, Some(by)).ok_or_else(misfit)?
            }
            GrantEvent::Expired { grant } => {
                self.end(*grant, GrantState::Expired, *at, None).ok_or_else(misfit)?
            }
            GrantEvent::StandingRemoved { grant } => {
                let by = standing::CONFIGURATION.to_owned();
                self.end(*grant, GrantState::Revoked, *at, Some(&by)).ok_or_else(misfit)?
            }
            GrantEvent::FactorUsed { user, factor, .. } => {
                self.factors.entry(user.clone()).or_default().used(factor);
                Change::None
            }
            GrantEvent::FactorFailed { user, .. } => {
                self.factors.entry(user.clone()).or_default().failed(*at);
                Change::None
            }
        };
        self.sequence = *sequence;
        Ok(change)
    }

    fn file(&mut self, request: &Request) -> Option<Change> {
        if request.id <= self.request_last {
            return None;
        }
        self.request_last = request.id;
        self.requests.insert(request.id, request.clone());
        Some(Change::None)
    }

    fn pending_mut(&mut self, id: RequestId) -> Option<&mut Request> {
        self.requests.get_mut(&id).filter(|request| request.state == RequestState::Pending)
    }

    fn begin(&mut self, grant: &Grant, at: Timestamp) -> Option<Change> {
        if grant.id <= self.grant_last {
            return None;
        }
        if let Some(id) = grant.request {
            let request = self.pending_mut(id)?;
            close(request, RequestState::Approved, at, None);
            request.grant = Some(grant.id);
        }
        let grant = Arc::new(grant.clone());
        self.grant_last = grant.id;
        self.begins.insert((grant.not_before, grant.id));
        self.ends.extend(grant.expires_at.map(|end| (end, grant.id)));
        *self.held.entry(grant.subject.clone()).or_default() += 1;
        self.grants.insert(grant.id, Entry { grant: Arc::clone(&grant), ended: None });
        Some(Change::Begins(grant))
    }

    fn end(
        &mut self,
        id: GrantId,
        state: GrantState,
        at: Timestamp,
        by: Option<&String>,
    ) -> Option<Change> {
        let entry = self.grants.get_mut(&id).filter(|entry| entry.ended.is_none())?;
        let grant = Arc::clone(&entry.grant);
        let at = match (state, grant.expires_at) {
            (GrantState::Expired, Some(end)) => end,
            _ => at,
        };
        entry.ended = Some(Ended { state, at, by: by.cloned() });
        self.begins.remove(&(grant.not_before, id));
        if let Some(end) = grant.expires_at {
            self.ends.remove(&(end, id));
        }
        if let Some(count) = self.held.get_mut(&grant.subject) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&grant.subject);
            }
        }
        Some(Change::Ends(grant))
    }

    /// The grants that have not ended, for a live table.
    pub fn open_grants(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.grants.values().filter(|entry| entry.ended.is_none()).map(|entry| &entry.grant)
    }

    /// The next moment after `now` at which a grant begins or ends by time.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let after = Bound::Excluded((now, GrantId::MAX));
        let next = |times: &BTreeSet<(Timestamp, GrantId)>| {
            times.range((after, Bound::Unbounded)).next().map(|(at, _)| *at)
        };
        next(&self.begins).into_iter().chain(next(&self.ends)).min()
    }

    /// The `expired` events that are due and not written yet, at most `limit`.
    pub fn due(&self, now: Timestamp, limit: usize) -> Vec<GrantEvent> {
        let over = self.ends.iter().take_while(|(end, _)| *end <= now);
        over.take(limit).map(|(_, grant)| GrantEvent::Expired { grant: *grant }).collect()
    }

    /// Forgets what ended before `horizon`; the events stay in the store.
    pub fn forget(&mut self, horizon: Timestamp) {
        self.grants.retain(|_, entry| entry.ended.as_ref().is_none_or(|end| end.at >= horizon));
        self.requests.retain(|_, request| request.decided_at.is_none_or(|at| at >= horizon));
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
}

impl Entry {
    fn view(&self, now: Timestamp) -> GrantView {
        let grant = Arc::clone(&self.grant);
        let (state, ended_at, ended_by) = match (&self.ended, grant.expires_at) {
            (Some(end), _) => (end.state, Some(end.at), end.by.clone()),
            (None, None) => (GrantState::Standing, None, None),
            (None, Some(end)) if now >= end => (GrantState::Expired, Some(end), None),
            (None, Some(_)) if now < grant.not_before => (GrantState::Scheduled, None, None),
            (None, Some(_)) => (GrantState::Active, None, None),
        };
        GrantView { grant, state, ended_at, ended_by }
    }
}

/// The approval as later receipts name it.
fn approval(receipt: Option<&Attestation>, by: &str, at: Timestamp) -> Approval {
    let signed = receipt.and_then(Attestation::approval);
    signed.unwrap_or_else(|| Approval {
        by: by.to_owned(),
        at,
        factor: None,
        own: None,
        receipt: None,
    })
}

fn close(request: &mut Request, state: RequestState, at: Timestamp, by: Option<&String>) {
    request.state = state;
    request.decided_at = Some(at);
    request.closed_by = by.cloned();
}

#[cfg(test)]
mod tests;
