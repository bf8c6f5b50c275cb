//! Asking for a grant, and what comes of it.

use std::borrow::Cow;
use std::time::Duration;

use super::{Ledger, invalid, limit, refused};
use crate::grant::ask::{countable, nameable};
use crate::grant::{
    Allowed, Ask, Asker, CatalogView, Conditions, Decision, DirectGrant, Grant, GrantEvent,
    Policies, RecordedEvent, Request, RequestState, Resource, Review, Runs, Subject, Terms,
    Urgency,
};
use crate::model::{Client, Report, SqlState, Timestamp, User};

/// So many requests of one user may wait for a decision.
const PENDING_PER_USER_MAX: usize = 50;

/// So many grants of one subject may be open: what `LiveTable::cover` walks through.
const GRANTS_PER_SUBJECT_MAX: usize = 1_000;

/// So many grants of one subject on some rows of one relation may be open: what becomes one OR.
const ROW_GRANTS_PER_RELATION_MAX: usize = 32;

/// A grant that waits for its first use waits no longer.
const FIRST_USE_WITHIN: Duration = Duration::from_secs(86_400);

/// Access that somebody wants.
#[derive(Clone, Debug)]
pub struct Wish {
    pub client: Client,
    /// That of the database as the client named it.
    pub catalog: CatalogView,
    pub ask: Ask,
}

impl Ledger {
    /// Files requests, all of them or none: each as if those before it were filed.
    ///
    /// # Errors
    /// As [`Ledger::request`], of the first that cannot be filed.
    pub fn request_all(
        &self,
        policies: &Policies,
        wishes: &[Wish],
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let Some((last, before)) = wishes.split_last() else { return Ok(Vec::new()) };
        let mut ahead = Cow::Borrowed(self);
        let mut events = Vec::new();
        let file = |ledger: &Self, wish: &Wish| {
            ledger.request(policies, &wish.client, &wish.catalog, &wish.ask, now)
        };
        for wish in before {
            for event in file(&ahead, wish)? {
                let sequence = ahead.sequence + 1;
                let recorded = RecordedEvent { sequence, at: now, event: event.clone() };
                let applied = ahead.to_mut().apply(&recorded);
                applied.map_err(|misfit| {
                    Report::error(SqlState::INTERNAL_ERROR, misfit.to_string())
                })?;
                events.push(event);
            }
        }
        events.extend(file(&ahead, last)?);
        Ok(events)
    }

    /// Files a request, with the grant where the policy needs no approval.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy or the catalog.
    pub fn request(
        &self,
        policies: &Policies,
        client: &Client,
        view: &CatalogView,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let requester = &client.user;
        nameable(requester)?;
        let terms = ask.read(view, now)?;
        let allowed = self.allowed(policies, &terms, requester, Some(client), now)?;
        if terms.urgency == Urgency::BreakGlass {
            // None is laid in for later, when its user may be locked out of it.
            if terms.not_before.is_some() || terms.runs == Runs::FromFirstUse {
                return Err(refused("break-glass access is for now, not for later"));
            }
            self.may_break_glass(requester, now)?;
        }
        let request = self.filed(requester, terms, &allowed, None, now)?;
        let granted = match allowed.approvals {
            0 => {
                let mut grant = self.granted(&request, &allowed, &[], now)?;
                grant.review = review(&allowed, now)?;
                Some(GrantEvent::Granted { grant: Box::new(grant), receipt: None })
            }
            _ => None,
        };
        let requested = GrantEvent::Requested { request: Box::new(request) };
        Ok([requested].into_iter().chain(granted).collect())
    }

    pub(super) fn allowed(
        &self,
        policies: &Policies,
        terms: &Terms,
        user: &User,
        client: Option<&Client>,
        now: Timestamp,
    ) -> Result<Allowed, Report> {
        let at_once = |policy: &str| self.history.at_once(policy, &user.name, now);
        match policies.decide(terms, Asker { user, client, now }, at_once) {
            Decision::Allowed(mut allowed) => {
                self.one_more(policies, &mut allowed, user, now)?;
                Ok(*allowed)
            }
            Decision::Refused(report) => Err(report),
        }
    }

    pub(super) fn filed(
        &self,
        requester: &User,
        mut terms: Terms,
        allowed: &Allowed,
        extends: Option<&Grant>,
        now: Timestamp,
    ) -> Result<Request, Report> {
        let waiting = self
            .requests
            .values()
            .filter(|request| request.state == RequestState::Pending)
            .filter(|request| *request.requester == *requester.name);
        if allowed.approvals > 0 && waiting.count() >= PENDING_PER_USER_MAX {
            return Err(limit(format!("{PENDING_PER_USER_MAX} of your requests wait already")));
        }
        // What the approver sees is what is granted.
        terms.limits = allowed.limits;
        countable(terms.actions, terms.limits, terms.runs)?;
        let decide_by = now.checked_add(allowed.decide_within).unwrap_or(Timestamp::MAX);
        let end = extends.and_then(|grant| grant.expires_at);
        Ok(Request {
            id: self.request_last + 1,
            requester: requester.name.to_string(),
            groups: requester.groups.to_vec(),
            terms,
            policy: allowed.policy.clone(),
            approvals_needed: allowed.approvals,
            approvers: allowed.approvers.clone(),
            requested_at: now,
            state: RequestState::Pending,
            approved_by: Vec::new(),
            closed_by: None,
            closed_reason: None,
            decided_at: None,
            grant: None,
            denials_needed: allowed.denials,
            denied_by: Vec::new(),
            decide_by: Some(end.map_or(decide_by, |end| end.min(decide_by))),
            extends: extends.map(|grant| grant.id),
            conditions: allowed.conditions.clone(),
            approvals: Vec::new(),
        })
    }

    fn may_break_glass(&self, user: &User, now: Timestamp) -> Result<(), Report> {
        match self.history.overdue(&user.name, now) {
            None => Ok(()),
            Some(grant) => Err(refused(format!(
                "break-glass access is locked for {}: grant {grant} has not been reviewed in time",
                user.name
            ))
            .hint(format!("A reviewer says REVIEW {grant} REASON '…' on the console."))),
        }
    }

    /// The grant of a request that is decided.
    pub(super) fn granted(
        &self,
        request: &Request,
        allowed: &Allowed,
        approvers: &[String],
        now: Timestamp,
    ) -> Result<Grant, Report> {
        let subject = Subject::User(request.requester.clone());
        let conditions = allowed.conditions.clone();
        let terms =
            Terms { limits: request.terms.limits.and(allowed.limits), ..request.terms.clone() };
        let mut grant = self.grant_of(subject, &terms, conditions, now)?;
        grant.requester.clone_from(&request.requester);
        grant.approvers = approvers.to_vec();
        grant.request = Some(request.id);
        grant.policy = Some(request.policy.clone());
        Ok(grant)
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
        super::needs_control(by)?;
        if direct.subject.includes(by) {
            return Err(refused(format!("{} may not grant to themselves", by.name))
                .detail(format!("The grant would be to {}, which includes you.", direct.subject))
                .hint("Request it instead, and let somebody else approve."));
        }
        if direct.ask.urgency == Urgency::BreakGlass {
            return Err(invalid("break-glass access is requested, not granted"));
        }
        let terms = direct.ask.read(view, now)?;
        let approver = by.name.to_string();
        let subject = direct.subject.clone();
        let mut grant = self.grant_of(subject, &terms, Conditions::default(), now)?;
        grant.requester.clone_from(&approver);
        grant.approvers = vec![approver];
        Ok(vec![GrantEvent::Granted { grant: Box::new(grant), receipt: None }])
    }

    /// The grant that these terms give; its time runs from now, from the moment they name, or
    /// from its first use.
    fn grant_of(
        &self,
        subject: Subject,
        terms: &Terms,
        conditions: Conditions,
        now: Timestamp,
    ) -> Result<Grant, Report> {
        let open = self.held.get(&subject).copied().unwrap_or_default();
        if open >= GRANTS_PER_SUBJECT_MAX {
            return Err(limit(format!("{subject} holds {open} grants, which is the limit")));
        }
        if terms.rows.is_some() {
            self.room_for_rows(&subject, &terms.resource)?;
        }
        let not_before = terms.not_before.map_or(now, |start| start.max(now));
        let (wait, from_first_use) = match terms.runs {
            Runs::FromApproval => (Duration::ZERO, None),
            Runs::FromFirstUse => (FIRST_USE_WITHIN, Some(terms.duration)),
        };
        let expires_at = not_before
            .checked_add(terms.duration)
            .and_then(|end| end.checked_add(wait))
            .map_err(|_| invalid("the grant would end after the end of time"))?;
        Ok(Grant {
            id: self.grant_last + 1,
            subject,
            database: Some(terms.database.clone()),
            resource: terms.resource.clone(),
            actions: terms.actions,
            rows: terms.rows.clone(),
            conditions,
            limits: terms.limits,
            from_first_use,
            not_before,
            expires_at: Some(expires_at),
            reason: terms.reason.clone(),
            ticket: terms.ticket.clone(),
            requester: String::new(),
            approvers: Vec::new(),
            request: None,
            policy: None,
            review: None,
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

/// What has to follow on break-glass access.
fn review(allowed: &Allowed, now: Timestamp) -> Result<Option<Review>, Report> {
    let Some(within) = allowed.review_within else { return Ok(None) };
    let due = now
        .checked_add(within)
        .map_err(|_| invalid("the review would be due after the end of time"))?;
    Ok(Some(Review { due, reviewers: allowed.approvers.clone() }))
}
