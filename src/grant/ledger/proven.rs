//! Approvals with what proves them: the approver's own signature, the second factor.

use std::sync::Arc;

use super::Ledger;
use crate::grant::approvers::{Approver, Approvers, Proof};
use crate::grant::factor::{Factor, FactorState};
use crate::grant::seal::matter;
use crate::grant::{
    Asker, CatalogView, Decision, DirectGrant, GrantEvent, Policies, Proven, Request, RequestId,
    SecondFactor,
};
use crate::model::receipt::OwnSignature;
use crate::model::{PublicKey, Report, SqlState, Timestamp, User};

/// An approval as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Approving<'a> {
    pub approver: &'a User,
    pub request: RequestId,
    pub proof: &'a Proof,
    /// The store's own identifier, which challenges name.
    pub store: &'a str,
}

impl Ledger {
    /// One more approval, as [`Self::approve`] decides, if it is proven: by a signature where the
    /// approver has registered a key, by a second factor where today's policy wants one. What is
    /// given and not wanted has to be right as well. A wrong code gives
    /// [`GrantEvent::FactorFailed`] and nothing else: it is to be stored, and the caller refused.
    ///
    /// # Errors
    /// As [`Self::approve`]; a signature that is missing, wrong or of nobody's key; a code that is
    /// missing, or that nobody looks at after too many wrong ones.
    pub fn approve_proven(
        &self,
        policies: &Policies,
        approvers: &Approvers,
        approving: Approving<'_>,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let Approving { approver, request: id, proof, store } = approving;
        let mut events = self.approve(policies, approver, id, now)?;
        let request = self.request_view(id).ok_or_else(|| refused("there is no such request"))?;
        let none = Approver::default();
        let known = approvers.0.get(&*approver.name).unwrap_or(&none);
        let own = own_signature(known.key.as_ref(), &request, proof, store)?;
        let wanted = wanted(policies, &request, now);
        let factor = match self.factor(approver, known, proof, wanted, now)? {
            Shown::Nothing => None,
            Shown::Right(factor) => Some(factor),
            Shown::Wrong => {
                let user = approver.name.to_string();
                return Ok(vec![GrantEvent::FactorFailed { user, request: id }]);
            }
        };
        let kind = factor.as_ref().map(Factor::kind);
        for event in &mut events {
            if let GrantEvent::Approved { proven, .. } = event {
                *proven = Proven { own: own.clone(), factor: kind };
            }
        }
        let used = factor.map(|factor| GrantEvent::FactorUsed {
            user: approver.name.to_string(),
            request: id,
            factor,
        });
        Ok(used.into_iter().chain(events).collect())
    }

    /// A DBA's own GRANT, as [`Self::grant`] decides. Who has registered a key has none: it would
    /// be their word without their signature, as there is no request to sign.
    ///
    /// # Errors
    /// As [`Self::grant`]; a key of the DBA's own.
    pub fn grant_proven(
        &self,
        approvers: &Approvers,
        by: &User,
        view: &CatalogView,
        direct: &DirectGrant,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let events = self.grant(by, view, direct, now)?;
        let known = approvers.0.get(&*by.name);
        if known.is_some_and(|known| known.key.is_some()) {
            return Err(refused("your word counts with the signature of your own key only")
                .hint("Let it be requested, and approve the request: APPROVE 3 SIGNATURE '…'."));
        }
        Ok(events)
    }

    fn factor(
        &self,
        approver: &User,
        known: &Approver,
        proof: &Proof,
        wanted: Option<SecondFactor>,
        now: Timestamp,
    ) -> Result<Shown, Report> {
        let Some(code) = &proof.code else {
            return match wanted {
                None => Ok(Shown::Nothing),
                Some(SecondFactor::Totp) if known.has_factor() => {
                    Err(refused("this approval needs a second factor")
                        .hint("Give the code that your device shows: APPROVE 3 CODE '123456'."))
                }
                Some(SecondFactor::Totp) => Err(not_enrolled(approver)),
            };
        };
        if !known.has_factor() {
            return Err(not_enrolled(approver));
        }
        let fresh = FactorState::default();
        let state = self.factors.get(&*approver.name).unwrap_or(&fresh);
        if let Some(until) = state.locked_until(now) {
            return Err(refused("too many wrong codes: none is looked at now")
                .detail(format!("Codes of {} count again from {until:.0}.", approver.name)));
        }
        let taken = state.check(known.totp.as_ref(), &known.recovery, code, now);
        Ok(taken.map_or(Shown::Wrong, Shown::Right))
    }
}

/// What a code turned out to be.
enum Shown {
    Nothing,
    Right(Factor),
    Wrong,
}

/// What today's policy wants of whoever approves this request; the first of that name decides,
/// and of several with one name the strictest.
fn wanted(policies: &Policies, request: &Request, now: Timestamp) -> Option<SecondFactor> {
    let requester = User {
        name: request.requester.as_str().into(),
        groups: request.groups.clone().into(),
        roles: Arc::new([]),
    };
    // How much was granted at once matters to requests, not to their approvals.
    let asker = Asker { user: &requester, client: None, now };
    let name = match policies.decide(&request.terms, asker, |_| 0) {
        Decision::Allowed(allowed) => allowed.policy,
        // It is not approved at all then.
        Decision::Refused(_) => return Some(SecondFactor::Totp),
    };
    let mut named = policies.0.iter().filter(|policy| policy.name == name);
    named.find_map(|policy| policy.second_factor)
}

fn own_signature(
    key: Option<&PublicKey>,
    request: &Request,
    proof: &Proof,
    store: &str,
) -> Result<Option<OwnSignature>, Report> {
    let (key, signature) = match (key, proof.signature) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(refused("no key of yours is registered to check it by")),
        (Some(_), None) => {
            return Err(refused("your approvals need the signature of your own key").hint(
                "SHOW CHALLENGE 3 shows what to sign with `keyhole approvals sign`; then \
                 APPROVE 3 SIGNATURE '…'.",
            ));
        }
        (Some(key), Some(signature)) => (key, signature),
    };
    let matter = matter(request, store)
        .map_err(|error| Report::error(SqlState::INTERNAL_ERROR, error.to_string()))?;
    if !key.verifies(matter.challenge().as_str().as_bytes(), &signature) {
        return Err(refused("the signature is not one of this request's challenge by your key")
            .hint("SHOW CHALLENGE 3 shows what to sign; it is another one in every store."));
    }
    Ok(Some(OwnSignature { key: key.id(), signature }))
}

fn not_enrolled(approver: &User) -> Report {
    refused(format!("{} has no second factor", approver.name)).hint(
        "`keyhole user totp` makes one for the configuration; until then, somebody else approves.",
    )
}

fn refused(message: impl Into<String>) -> Report {
    Report::error(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

#[cfg(test)]
mod tests;
