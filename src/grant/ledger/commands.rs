use std::sync::Arc;

use super::{Entry, Ledger};
use crate::grant::ask::{invalid, nameable, text};
use crate::grant::policy::may_approve;
use crate::grant::terms::{Ask, DirectGrant, Terms};
use crate::grant::{
    CatalogView, Decision, Grant, GrantEvent, GrantId, GrantState, Policies, Proven, Request,
    RequestId, RequestState, Resource, Subject,
};
use crate::model::{Report, SqlState, Timestamp, User};

/// So many requests of one user may wait for a decision.
const PENDING_PER_USER_MAX: usize = 50;

/// So many grants of one subject may be open: what `LiveTable::cover` walks through.
const GRANTS_PER_SUBJECT_MAX: usize = 1_000;

/// So many grants of one subject on some rows of one relation may be open: what becomes one OR.
const ROW_GRANTS_PER_RELATION_MAX: usize = 32;

impl Ledger {
    /// Files a request, with the grant where the policy needs no approval.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy or the catalog.
    pub fn request(
        &self,
        policies: &Policies,
        requester: &User,
        view: &CatalogView,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        nameable(requester)?;
        let terms = ask.read(view, now)?;
        let (policy, approvals_needed, approvers) = match policies.decide(&terms, requester) {
            Decision::AutoApprove { policy } => (policy, 0, Vec::new()),
            Decision::NeedsApproval { policy, approvals, approvers } => {
                (policy, approvals, approvers)
            }
            Decision::Refused(report) => return Err(report),
        };
        let waiting = self
            .requests
            .values()
            .filter(|request| request.state == RequestState::Pending)
            .filter(|request| *request.requester == *requester.name);
        if approvals_needed > 0 && waiting.count() >= PENDING_PER_USER_MAX {
            return Err(limit(format!("{PENDING_PER_USER_MAX} of your requests wait already")));
        }
        let request = Request {
            id: self.request_last + 1,
            requester: requester.name.to_string(),
            groups: requester.groups.to_vec(),
            terms,
            policy,
            approvals_needed,
            approvers,
            requested_at: now,
            state: RequestState::Pending,
            approved_by: Vec::new(),
            closed_by: None,
            closed_reason: None,
            decided_at: None,
            grant: None,
            approvals: Vec::new(),
        };
        let granted = match approvals_needed {
            0 => Some(self.granted(&request, &[], now)?),
            _ => None,
        };
        let requested = GrantEvent::Requested { request: Box::new(request) };
        Ok([requested].into_iter().chain(granted).collect())
    }

    /// One more approval, with the grant when it was the last one needed. The policies of today
    /// are asked again, so that a request filed under laxer ones gains nothing by waiting.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, not among the approvers, approved already, or no longer
    /// allowed by the policies.
    pub(super) fn approve(
        &self,
        policies: &Policies,
        approver: &User,
        id: RequestId,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let request = self.pending(id)?;
        let requester = User {
            name: request.requester.as_str().into(),
            groups: request.groups.clone().into(),
            roles: Arc::new([]),
        };
        let (policy, needed, approvers) = match policies.decide(&request.terms, &requester) {
            Decision::AutoApprove { policy } => {
                (policy, request.approvals_needed, request.approvers.clone())
            }
            Decision::NeedsApproval { policy, approvals, approvers } => {
                (policy, approvals, approvers)
            }
            Decision::Refused(report) => {
                return Err(report.hint("The policies have changed since it was requested."));
            }
        };
        may_approve(approver, &request.requester, &approvers)?;
        if request.approved_by.iter().any(|name| **name == *approver.name) {
            return Err(invalid(format!("you have approved request {id} already")));
        }
        let by = approver.name.to_string();
        let names: Vec<_> = request.approved_by.iter().cloned().chain([by.clone()]).collect();
        let enough = names.len() >= usize::try_from(needed).unwrap_or(usize::MAX);
        let request = Request { policy, ..request.clone() };
        let granted = if enough { Some(self.granted(&request, &names, now)?) } else { None };
        Ok([approved(id, by)].into_iter().chain(granted).collect())
    }

    /// Closes a request for good: whoever could approve it may.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, or not among the approvers.
    pub fn deny(
        &self,
        approver: &User,
        id: RequestId,
        reason: Option<&str>,
    ) -> Result<Vec<GrantEvent>, Report> {
        let request = self.pending(id)?;
        may_approve(approver, &request.requester, &request.approvers)?;
        let reason = reason.map(|words| text("reason", words)).transpose()?;
        Ok(vec![GrantEvent::Denied { request: id, by: approver.name.to_string(), reason }])
    }

    /// Takes one's own request back.
    ///
    /// # Errors
    /// Unknown, not pending, or somebody else's.
    pub fn cancel(&self, by: &User, id: RequestId) -> Result<Vec<GrantEvent>, Report> {
        let request = self.pending(id)?;
        if *request.requester != *by.name {
            return Err(refused(format!("request {id} is not yours")));
        }
        Ok(vec![GrantEvent::Cancelled { request: id, by: by.name.to_string() }])
    }

    /// A DBA's own GRANT, never to a subject that includes the DBA.
    ///
    /// # Errors
    /// The report says why not.
    pub(super) fn grant(
        &self,
        by: &User,
        view: &CatalogView,
        direct: &DirectGrant,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        needs_control(by)?;
        if direct.subject.includes(by) {
            return Err(refused(format!("{} may not grant to themselves", by.name))
                .detail(format!("The grant would be to {}, which includes you.", direct.subject))
                .hint("Request it instead, and let somebody else approve."));
        }
        let terms = direct.ask.read(view, now)?;
        let approver = by.name.to_string();
        let mut grant = self.grant_of(direct.subject.clone(), &terms, now)?;
        grant.requester.clone_from(&approver);
        grant.approvers = vec![approver];
        Ok(vec![granted(grant)])
    }

    /// Ends a grant: whoever has the role `control` may, its subject, and who approved it.
    ///
    /// # Errors
    /// Unknown, over already, standing, or not allowed.
    pub fn revoke(
        &self,
        by: &User,
        id: GrantId,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let entry = self.grants.get(&id).ok_or_else(|| unknown("grant", id))?;
        let grant = &entry.grant;
        let own = matches!(&grant.subject, Subject::User(name) if **name == *by.name);
        let approved = grant.approvers.iter().any(|name| **name == *by.name);
        if !(own || approved) {
            needs_control(by)?;
        }
        match entry.view(now).state {
            GrantState::Active | GrantState::Scheduled => Ok(vec![revoked(entry, by)]),
            GrantState::Standing => Err(invalid(format!("grant {id} stands in the configuration"))
                .hint("Take it out of proxy.toml and reload.")),
            state @ (GrantState::Expired | GrantState::Revoked) => {
                Err(invalid(format!("grant {id} is over: {}", state.as_str())))
            }
        }
    }

    /// Ends every grant that is not standing.
    ///
    /// # Errors
    /// Needs the role `control`.
    pub fn revoke_all(&self, by: &User, now: Timestamp) -> Result<Vec<GrantEvent>, Report> {
        needs_control(by)?;
        Ok(self.ends(by, now))
    }

    /// Ends every grant that is not standing because the clock cannot be trusted.
    pub fn revoke_for_clock(&self, now: Timestamp) -> Vec<GrantEvent> {
        let clock = User { name: "the clock".into(), groups: Arc::new([]), roles: Arc::new([]) };
        self.ends(&clock, now)
    }

    fn ends(&self, by: &User, now: Timestamp) -> Vec<GrantEvent> {
        let open = |entry: &&Entry| {
            matches!(entry.view(now).state, GrantState::Active | GrantState::Scheduled)
        };
        self.grants.values().filter(open).map(|entry| revoked(entry, by)).collect()
    }

    fn pending(&self, id: RequestId) -> Result<&Request, Report> {
        let request = self.requests.get(&id).ok_or_else(|| unknown("request", id))?;
        match request.state {
            RequestState::Pending => Ok(request),
            state @ (RequestState::Approved | RequestState::Denied | RequestState::Cancelled) => {
                Err(invalid(format!("request {id} is {} already", state.as_str())))
            }
        }
    }

    fn granted(
        &self,
        request: &Request,
        approvers: &[String],
        now: Timestamp,
    ) -> Result<GrantEvent, Report> {
        let subject = Subject::User(request.requester.clone());
        let mut grant = self.grant_of(subject, &request.terms, now)?;
        grant.requester.clone_from(&request.requester);
        grant.approvers = approvers.to_vec();
        grant.request = Some(request.id);
        grant.policy = Some(request.policy.clone());
        Ok(granted(grant))
    }

    /// The grant that these terms give; its time runs from now or from the moment they name.
    fn grant_of(&self, subject: Subject, terms: &Terms, now: Timestamp) -> Result<Grant, Report> {
        let open = self.held.get(&subject).copied().unwrap_or_default();
        if open >= GRANTS_PER_SUBJECT_MAX {
            return Err(limit(format!("{subject} holds {open} grants, which is the limit")));
        }
        if terms.rows.is_some() {
            self.room_for_rows(&subject, &terms.resource)?;
        }
        let not_before = terms.not_before.map_or(now, |start| start.max(now));
        let expires_at = not_before
            .checked_add(terms.duration)
            .map_err(|_| invalid("the grant would end after the end of time"))?;
        Ok(Grant {
            id: self.grant_last + 1,
            subject,
            database: Some(terms.database.clone()),
            resource: terms.resource.clone(),
            actions: terms.actions,
            rows: terms.rows.clone(),
            networks: Vec::new(),
            not_before,
            expires_at: Some(expires_at),
            reason: terms.reason.clone(),
            ticket: terms.ticket.clone(),
            requester: String::new(),
            approvers: Vec::new(),
            request: None,
            policy: None,
        })
    }

    fn room_for_rows(&self, subject: &Subject, resource: &Resource) -> Result<(), Report> {
        let same = self
            .open_grants()
            .filter(|grant| grant.rows.is_some() && grant.subject == *subject)
            .filter(|grant| grant.resource.relation() == resource.relation());
        if same.count() >= ROW_GRANTS_PER_RELATION_MAX {
            return Err(limit(format!(
                "{subject} holds {ROW_GRANTS_PER_RELATION_MAX} grants on rows of this table, \
                 which is the limit"
            )));
        }
        Ok(())
    }
}

/// Its receipt follows before it is stored.
fn approved(request: RequestId, by: String) -> GrantEvent {
    GrantEvent::Approved { request, by, proven: Proven::default(), receipt: None }
}

fn granted(grant: Grant) -> GrantEvent {
    GrantEvent::Granted { grant: Box::new(grant), receipt: None }
}

fn revoked(entry: &Entry, by: &User) -> GrantEvent {
    GrantEvent::Revoked { grant: entry.grant.id, by: by.name.to_string() }
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

fn limit(message: impl Into<String>) -> Report {
    Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

fn unknown(what: &str, id: u64) -> Report {
    Report::error(SqlState::UNDEFINED_OBJECT, format!("there is no {what} {id}"))
}
