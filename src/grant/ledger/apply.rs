//! One more event: what becomes true with it.

use std::sync::Arc;

use super::{Change, Ended, Entry, Ledger, LedgerError, standing};
use crate::grant::{
    Grant, GrantEvent, GrantId, GrantState, Live, Origin, RecordedEvent, Request, RequestId,
    RequestState, Restricted,
};
use crate::model::Timestamp;
use crate::model::receipt::{Approval, Attestation};

impl Ledger {
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
        let change = self.take(event, *at).ok_or_else(misfit)?;
        self.sequence = *sequence;
        Ok(change)
    }

    fn take(&mut self, event: &GrantEvent, at: Timestamp) -> Option<Change> {
        match event {
            GrantEvent::Requested { request } => self.file(request),
            GrantEvent::Approved { request, by, proven: _, receipt } => {
                let request = self.pending_mut(*request)?;
                request.approved_by.push(by.clone());
                request.approvals.push(approval(receipt.as_deref(), by, at));
                Some(Change::None)
            }
            GrantEvent::Denied { request, by, reason } => {
                self.denied(*request, by, reason.as_ref(), at)
            }
            GrantEvent::Cancelled { request, by } => {
                self.close(*request, RequestState::Cancelled, at, Some(by))
            }
            GrantEvent::Lapsed { request } => self.close(*request, RequestState::Lapsed, at, None),
            GrantEvent::Granted { grant, receipt: _ }
            | GrantEvent::StandingAdded { grant, receipt: _ } => self.begin(grant, at),
            GrantEvent::Extended { grant, request, expires_at, approvers, receipt: _ } => {
                self.lengthen(*grant, *request, *expires_at, approvers, at)
            }
            GrantEvent::Started { grant, expires_at } => self.start(*grant, *expires_at),
            GrantEvent::Used { grant, proxy, usage } => {
                // What a proxy tells of a grant that has ended meanwhile is late, not wrong.
                let entry = self.grants.get(grant);
                if let Some(budget) = entry.and_then(|entry| entry.live.budget.as_ref()) {
                    let here = **proxy == *self.proxy;
                    let origin = if here { Origin::Here } else { Origin::Elsewhere };
                    budget.stored(usage, origin, at);
                }
                Some(Change::None)
            }
            GrantEvent::Exhausted { grant } => {
                self.open_mut(*grant)?.exhausted = Some(at);
                Some(Change::None)
            }
            GrantEvent::Reviewed { grant, by, note: _ } => {
                if !self.history.reviewed(*grant) {
                    return None;
                }
                if let Some(entry) = self.grants.get_mut(grant) {
                    entry.reviewed_by = Some(by.clone());
                }
                Some(Change::None)
            }
            GrantEvent::FactorUsed { user, request: _, factor } => {
                self.factors.entry(user.clone()).or_default().used(factor);
                Some(Change::None)
            }
            GrantEvent::FactorFailed { user, request: _ } => {
                self.factors.entry(user.clone()).or_default().failed(at);
                Some(Change::None)
            }
            GrantEvent::Restricted { user, restriction, until, by, reason } => {
                let (user, by, reason) = (user.clone(), by.clone(), reason.clone());
                let (restriction, until) = (*restriction, *until);
                let restricted = Restricted { user, restriction, since: at, until, by, reason };
                Some(self.take_restriction(restricted))
            }
            GrantEvent::Lifted { user, by: _ } => Some(self.take_lift(user)),
            GrantEvent::Signalled { signal: _ } => Some(Change::None),
            GrantEvent::Revoked { grant, by } => {
                self.end(*grant, GrantState::Revoked, at, Some(by))
            }
            GrantEvent::Expired { grant } => self.end(*grant, GrantState::Expired, at, None),
            GrantEvent::StandingRemoved { grant } => {
                let by = standing::CONFIGURATION.to_owned();
                self.end(*grant, GrantState::Revoked, at, Some(&by))
            }
        }
    }

    fn file(&mut self, request: &Request) -> Option<Change> {
        if request.id <= self.request_last {
            return None;
        }
        self.request_last = request.id;
        self.lapses.extend(request.decide_by.map(|at| (at, request.id)));
        self.requests.insert(request.id, request.clone());
        Some(Change::None)
    }

    fn pending_mut(&mut self, id: RequestId) -> Option<&mut Request> {
        self.requests.get_mut(&id).filter(|request| request.state == RequestState::Pending)
    }

    fn denied(
        &mut self,
        id: RequestId,
        by: &String,
        reason: Option<&String>,
        at: Timestamp,
    ) -> Option<Change> {
        let request = self.pending_mut(id)?;
        request.denied_by.push(by.clone());
        request.closed_reason = reason.cloned();
        if request.denied_by.len() < usize::try_from(request.denials_needed).ok()? {
            return Some(Change::None);
        }
        self.close(id, RequestState::Denied, at, Some(by))
    }

    fn close(
        &mut self,
        id: RequestId,
        state: RequestState,
        at: Timestamp,
        by: Option<&String>,
    ) -> Option<Change> {
        let request = self.pending_mut(id)?;
        request.state = state;
        request.decided_at = Some(at);
        request.closed_by = by.cloned();
        let lapses = request.decide_by.map(|at| (at, id));
        if let Some(entry) = lapses {
            self.lapses.remove(&entry);
        }
        Some(Change::None)
    }

    fn begin(&mut self, grant: &Grant, at: Timestamp) -> Option<Change> {
        if grant.id <= self.grant_last {
            return None;
        }
        if let Some(id) = grant.request {
            self.close(id, RequestState::Approved, at, None)?;
            self.requests.get_mut(&id)?.grant = Some(grant.id);
        }
        let live = Live::from(Arc::new(grant.clone()));
        self.grant_last = grant.id;
        self.begins.insert((grant.not_before, grant.id));
        self.ends.extend(grant.expires_at.map(|end| (end, grant.id)));
        *self.held.entry(grant.subject.clone()).or_default() += 1;
        if live.budget.is_some() {
            self.limited.insert(grant.id);
        }
        self.history.granted(grant, at);
        self.grants.insert(grant.id, Entry::new(live.clone()));
        Some(Change::Begins(live))
    }

    fn lengthen(
        &mut self,
        id: GrantId,
        request: RequestId,
        expires_at: Timestamp,
        approvers: &[String],
        at: Timestamp,
    ) -> Option<Change> {
        self.open_mut(id)?;
        self.close(request, RequestState::Approved, at, None)?;
        let request = self.requests.get_mut(&request)?;
        request.grant = Some(id);
        let request = request.clone();
        self.history.extended(&request, at);
        self.replace(id, |grant| {
            grant.expires_at = Some(expires_at);
            for name in approvers {
                if !grant.approvers.contains(name) {
                    grant.approvers.push(name.clone());
                }
            }
        })
    }

    fn start(&mut self, id: GrantId, expires_at: Timestamp) -> Option<Change> {
        self.replace(id, |grant| {
            grant.from_first_use = None;
            grant.expires_at = Some(expires_at);
        })
    }

    /// The grant in another form, with what is left of it.
    fn replace(&mut self, id: GrantId, change: impl FnOnce(&mut Grant)) -> Option<Change> {
        let entry = self.open_mut(id)?;
        let old = Arc::clone(&entry.live.grant);
        let mut grant = Grant::clone(&old);
        change(&mut grant);
        let new = Live { grant: Arc::new(grant), budget: entry.live.budget.clone() };
        entry.live = new.clone();
        if let Some(end) = old.expires_at {
            self.ends.remove(&(end, id));
        }
        self.ends.extend(new.grant.expires_at.map(|end| (end, id)));
        Some(Change::Becomes { old, new })
    }

    fn open_mut(&mut self, id: GrantId) -> Option<&mut Entry> {
        self.grants.get_mut(&id).filter(|entry| entry.ended.is_none())
    }

    fn end(
        &mut self,
        id: GrantId,
        state: GrantState,
        at: Timestamp,
        by: Option<&String>,
    ) -> Option<Change> {
        let entry = self.open_mut(id)?;
        let grant = Arc::clone(&entry.live.grant);
        let at = match (state, grant.expires_at) {
            (GrantState::Expired, Some(end)) => end,
            _ => at,
        };
        entry.ended = Some(Ended { state, at, by: by.cloned() });
        self.begins.remove(&(grant.not_before, id));
        if let Some(end) = grant.expires_at {
            self.ends.remove(&(end, id));
        }
        self.limited.remove(&id);
        if let Some(count) = self.held.get_mut(&grant.subject) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&grant.subject);
            }
        }
        Some(Change::Ends(grant))
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
