//! Deciding on requests, and looking at emergencies afterwards.

use std::sync::Arc;

use super::{Ledger, invalid, refused, unknown};
use crate::grant::ask::text;
use crate::grant::policy::may_approve;
use crate::grant::{GrantEvent, GrantId, Policies, Proven, Request, RequestId};
use crate::model::{Report, Timestamp, User};

impl Ledger {
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
        let request = self.pending(id, now)?;
        let requester = User {
            name: request.requester.as_str().into(),
            groups: request.groups.clone().into(),
            roles: Arc::new([]),
        };
        let mut allowed = self
            .allowed(policies, &request.terms, &requester, None, now)
            .map_err(|report| report.hint("The policies have changed since it was requested."))?;
        if allowed.approvals == 0 {
            // Nobody needs to be asked any more; who was asked may still answer.
            allowed.approvals = request.approvals_needed;
            allowed.approvers.clone_from(&request.approvers);
        }
        may_approve(approver, &request.requester, &allowed.approvers)?;
        if request.approved_by.iter().any(|name| **name == *approver.name) {
            return Err(invalid(format!("you have approved request {id} already")));
        }
        let by = approver.name.to_string();
        let names: Vec<_> = request.approved_by.iter().cloned().chain([by.clone()]).collect();
        let enough = names.len() >= usize::try_from(allowed.approvals).unwrap_or(usize::MAX);
        let request = Request { policy: allowed.policy.clone(), ..request.clone() };
        let outcome = match (enough, request.extends) {
            (false, _) => None,
            (true, Some(_)) => Some(self.extended(&request, &allowed, &names, now)?),
            (true, None) => {
                let grant = self.granted(&request, &allowed, &names, now)?;
                Some(GrantEvent::Granted { grant: Box::new(grant), receipt: None })
            }
        };
        // Its receipt follows before it is stored.
        let approved =
            GrantEvent::Approved { request: id, by, proven: Proven::default(), receipt: None };
        Ok([approved].into_iter().chain(outcome).collect())
    }

    /// One denial; enough of them close a request for good. Whoever could approve it may.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, not among the approvers, or denied already.
    pub fn deny(
        &self,
        approver: &User,
        id: RequestId,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let request = self.pending(id, now)?;
        may_approve(approver, &request.requester, &request.approvers)?;
        if request.denied_by.iter().any(|name| **name == *approver.name) {
            return Err(invalid(format!("you have denied request {id} already")));
        }
        let reason = reason.map(|words| text("reason", words)).transpose()?;
        Ok(vec![GrantEvent::Denied { request: id, by: approver.name.to_string(), reason }])
    }

    /// Takes one's own request back.
    ///
    /// # Errors
    /// Unknown, not pending, or somebody else's.
    pub fn cancel(
        &self,
        by: &User,
        id: RequestId,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let request = self.pending(id, now)?;
        if *request.requester != *by.name {
            return Err(refused(format!("request {id} is not yours")));
        }
        Ok(vec![GrantEvent::Cancelled { request: id, by: by.name.to_string() }])
    }

    /// Says that somebody has looked at what was done under a break-glass grant.
    ///
    /// # Errors
    /// Unknown, no break-glass grant, reviewed already, one's own, not among the reviewers, or
    /// without a note.
    pub fn review(&self, by: &User, id: GrantId, note: &str) -> Result<Vec<GrantEvent>, Report> {
        let entry = self.grants.get(&id).ok_or_else(|| unknown("grant", id))?;
        let grant = &entry.live.grant;
        let Some(review) = &grant.review else {
            return Err(invalid(format!("grant {id} is no break-glass access")));
        };
        may_approve(by, &grant.requester, &review.reviewers)?;
        if !self.history.is_unreviewed(id) {
            return Err(invalid(format!("grant {id} has been reviewed already")));
        }
        let note = text("note", note)?;
        if note.is_empty() {
            return Err(invalid("a review says what was found"));
        }
        Ok(vec![GrantEvent::Reviewed { grant: id, by: by.name.to_string(), note }])
    }
}
