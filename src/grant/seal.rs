//! Receipts for what the ledger decided: made between the decision and the store, so that what is
//! stored is signed.

use super::{Actions, Grant, GrantEvent, Ledger, Request, RequestId};
use crate::model::receipt::{Approval, Attestation, Matter, Outcome, ReceiptBody, Step, Way};
use crate::model::{Digest, SigningKey, Timestamp};

/// Signs for one store with the key of one deployment.
#[derive(Clone, Debug)]
pub struct Sealer {
    pub key: SigningKey,
    /// The store's own identifier.
    pub store: String,
}

/// What has no JSON form.
#[derive(Debug, thiserror::Error)]
#[error("a receipt cannot be made: {0}")]
pub struct SealError(#[from] serde_json::Error);

impl Sealer {
    /// Puts its receipt into each event that wants one. The events follow on what is in `ledger`,
    /// in this order, at `now`.
    ///
    /// # Errors
    /// [`SealError`]; nothing may be stored then.
    pub fn seal(
        &self,
        ledger: &Ledger,
        events: &mut [GrantEvent],
        now: Timestamp,
    ) -> Result<(), SealError> {
        // Requests as they become along the events.
        let mut open: Vec<Request> = Vec::new();
        for event in events {
            match event {
                GrantEvent::Requested { request } => open.push((**request).clone()),
                GrantEvent::Approved { request, by, proven, receipt } => {
                    let Some(known) = Self::open(&mut open, ledger, *request) else { continue };
                    let approval = Approval {
                        by: by.clone(),
                        at: now,
                        factor: proven.factor,
                        own: proven.own.clone(),
                        receipt: None,
                    };
                    let signed = self.approved(known, approval)?;
                    known.approvals.extend(signed.approval());
                    *receipt = Some(Box::new(signed));
                }
                GrantEvent::Granted { grant, receipt }
                | GrantEvent::StandingAdded { grant, receipt } => {
                    let known = match grant.request {
                        Some(id) => Self::open(&mut open, ledger, id).map(|known| &*known),
                        None => None,
                    };
                    *receipt = Some(Box::new(self.granted(grant, known, now)?));
                }
                GrantEvent::Extended { grant, request, expires_at, approvers: _, receipt } => {
                    let known = Self::open(&mut open, ledger, *request).map(|known| &*known);
                    let Some(view) = ledger.grant_view(*grant, now) else { continue };
                    let longer =
                        Grant { expires_at: Some(*expires_at), ..Grant::clone(&view.grant) };
                    *receipt = Some(Box::new(self.granted(&longer, known, now)?));
                }
                // What is used and what time does is nobody's word.
                GrantEvent::Lapsed { .. }
                | GrantEvent::Started { .. }
                | GrantEvent::Used { .. }
                | GrantEvent::Exhausted { .. }
                | GrantEvent::Reviewed { .. }
                | GrantEvent::Denied { .. }
                | GrantEvent::Cancelled { .. }
                | GrantEvent::Revoked { .. }
                | GrantEvent::Expired { .. }
                | GrantEvent::StandingRemoved { .. }
                | GrantEvent::FactorUsed { .. }
                | GrantEvent::FactorFailed { .. }
                | GrantEvent::Restricted { .. }
                | GrantEvent::Lifted { .. }
                | GrantEvent::Signalled { .. } => {}
            }
        }
        Ok(())
    }

    fn open<'a>(
        open: &'a mut Vec<Request>,
        ledger: &Ledger,
        id: RequestId,
    ) -> Option<&'a mut Request> {
        if !open.iter().any(|request| request.id == id) {
            open.push(ledger.request_view(id)?);
        }
        open.iter_mut().find(|request| request.id == id)
    }

    fn approved(&self, request: &Request, last: Approval) -> Result<Attestation, SealError> {
        let receipt = ReceiptBody {
            step: Step::Approved,
            matter: matter(request, &self.store)?,
            policy: Some(request.policy.clone()),
            way: Way::Approvals,
            approvals: request.approvals.iter().cloned().chain([last]).collect(),
            outcome: None,
        };
        Ok(receipt.sign(&self.key))
    }

    fn granted(
        &self,
        grant: &Grant,
        request: Option<&Request>,
        now: Timestamp,
    ) -> Result<Attestation, SealError> {
        let (way, approvals) = match request {
            Some(request) if request.approvals.is_empty() => (Way::Policy, Vec::new()),
            Some(request) => (Way::Approvals, request.approvals.clone()),
            None => {
                let approval = |by: &String| Approval {
                    by: by.clone(),
                    at: now,
                    factor: None,
                    own: None,
                    receipt: None,
                };
                let way = if grant.expires_at.is_none() { Way::Standing } else { Way::Direct };
                (way, grant.approvers.iter().map(approval).collect())
            }
        };
        let receipt = ReceiptBody {
            step: Step::Granted,
            matter: match request {
                Some(request) => matter(request, &self.store)?,
                None => self.matter_of_grant(grant)?,
            },
            policy: grant.policy.clone(),
            way,
            approvals,
            outcome: Some(Outcome {
                id: grant.id,
                begins: grant.not_before,
                ends: grant.expires_at,
                grant: Digest::of(&serde_json::to_vec(grant)?),
            }),
        };
        Ok(receipt.sign(&self.key))
    }

    fn matter_of_grant(&self, grant: &Grant) -> Result<Matter, SealError> {
        let duration = grant.expires_at.map(|end| end.duration_since(grant.not_before));
        Ok(Matter {
            store: self.store.clone(),
            request: None,
            requester: grant.requester.clone(),
            subject: grant.subject.to_string(),
            database: grant.database.clone().unwrap_or_else(|| "*".to_owned()),
            resource: grant.resource.to_string(),
            actions: words(grant.actions),
            rows: grant.rows.as_ref().map(|rows| Digest::of(rows.sql.as_bytes())),
            reason: Digest::of(grant.reason.as_bytes()),
            ticket: grant.ticket.as_ref().map(|ticket| Digest::of(ticket.as_bytes())),
            duration_ms: duration.and_then(|span| u64::try_from(span.as_millis()).ok()),
            not_before: Some(grant.not_before),
            terms: Digest::of(&serde_json::to_vec(grant)?),
        })
    }
}

/// What approving the request would be about, in the store of that name.
///
/// # Errors
/// [`SealError`] when the terms have no JSON form.
pub fn matter(request: &Request, store: &str) -> Result<Matter, SealError> {
    let terms = &request.terms;
    Ok(Matter {
        store: store.to_owned(),
        request: Some(request.id),
        requester: request.requester.clone(),
        // What is requested is for oneself.
        subject: request.requester.clone(),
        database: terms.database.clone(),
        resource: terms.resource.to_string(),
        actions: words(terms.actions),
        rows: terms.rows.as_ref().map(|rows| Digest::of(rows.sql.as_bytes())),
        reason: Digest::of(terms.reason.as_bytes()),
        ticket: terms.ticket.as_ref().map(|ticket| Digest::of(ticket.as_bytes())),
        duration_ms: Some(u64::try_from(terms.duration.as_millis()).unwrap_or(u64::MAX)),
        not_before: terms.not_before,
        terms: Digest::of(&serde_json::to_vec(&(terms, &request.conditions, request.extends))?),
    })
}

fn words(actions: Actions) -> Vec<String> {
    actions.iter().map(|action| action.as_str().to_owned()).collect()
}
