//! Asking for a longer life of a grant.

use std::time::Duration;

use super::{Ledger, invalid, limit, refused};
use crate::grant::ask::text;
use crate::grant::{
    Allowed, CatalogView, Grant, GrantEvent, GrantId, GrantState, Policies, Request, Resource,
    Runs, Subject, Terms, Urgency,
};
use crate::model::{Client, Report, Timestamp, show_duration};

/// However often it is extended, no grant lasts longer.
const LIFE_MAX: Duration = Duration::from_secs(31 * 86_400);

/// A longer life for a grant of one's own.
#[derive(Clone, Debug)]
pub struct Extension {
    pub grant: GrantId,
    /// How much longer.
    pub by: Duration,
    pub reason: String,
}

impl Ledger {
    /// Files a request for a longer life of one's own grant, which goes on without a gap when it
    /// is approved before its end.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy.
    pub fn extend(
        &self,
        policies: &Policies,
        client: &Client,
        view: &CatalogView,
        extension: &Extension,
        now: Timestamp,
    ) -> Result<Vec<GrantEvent>, Report> {
        let Extension { grant: id, by, ref reason } = *extension;
        let requester = &client.user;
        let entry = self.entry(id)?;
        let grant = &entry.live.grant;
        if !matches!(&grant.subject, Subject::User(name) if **name == *requester.name) {
            return Err(refused(format!("grant {id} is not yours")));
        }
        match entry.view(now).state {
            GrantState::Active | GrantState::Scheduled => {}
            state @ (GrantState::Expired
            | GrantState::Revoked
            | GrantState::Exhausted
            | GrantState::Standing) => {
                return Err(invalid(format!(
                    "grant {id} is {}, so it cannot be extended",
                    state.as_str()
                )));
            }
        }
        if grant.review.is_some() {
            return Err(refused("break-glass access is not extended")
                .hint("Ask for a grant that somebody approves."));
        }
        if by.is_zero() {
            return Err(invalid("an extension lasts longer than nothing"));
        }
        let reason = text("reason", reason)?;
        if reason.is_empty() {
            return Err(invalid("a reason is needed"));
        }
        if grant.database.as_ref() != Some(&view.database) {
            return Err(invalid(format!("grant {id} is on another database")));
        }
        let class = match &grant.resource {
            Resource::Column(path) => view.class(path).map(str::to_owned),
            Resource::Table(_) | Resource::Class(_) | Resource::All => None,
        };
        let terms = Terms { duration: by, reason, class, ..terms_of(grant) };
        let allowed = self.allowed(policies, &terms, requester, Some(client), now)?;
        let request = self.filed(requester, terms, &allowed, Some(grant), now)?;
        // What could not be approved is not asked for.
        let extended = self.extended(&request, &allowed, &[], now)?;
        let extended = (allowed.approvals == 0).then_some(extended);
        let requested = GrantEvent::Requested { request: Box::new(request) };
        Ok([requested].into_iter().chain(extended).collect())
    }

    /// The longer life of the grant that the request is about, if the policy would give as much
    /// anew: nothing wider, and no later end.
    pub(super) fn extended(
        &self,
        request: &Request,
        allowed: &Allowed,
        approvers: &[String],
        now: Timestamp,
    ) -> Result<GrantEvent, Report> {
        let id = request.extends.unwrap_or_default();
        let entry = self.entry(id)?;
        let view = entry.view(now);
        let end = entry.live.grant.expires_at;
        let (true, Some(end)) = (view.is_open(), end) else {
            return Err(invalid(format!("grant {id} is over: {}", view.state.as_str())));
        };
        within(&entry.live.grant, allowed)?;
        let latest = entry.live.grant.not_before.checked_add(LIFE_MAX).unwrap_or(Timestamp::MAX);
        let expires_at = end
            .checked_add(request.terms.duration)
            .ok()
            .filter(|longer| *longer <= latest)
            .ok_or_else(|| limit("no grant lasts longer than 31 days, however it is extended"))?;
        let begin = now.max(entry.live.grant.not_before);
        let horizon = begin.checked_add(allowed.max_duration).unwrap_or(Timestamp::MAX);
        if expires_at > horizon {
            let (policy, at_most) = (&allowed.policy, show_duration(allowed.max_duration));
            return Err(refused(format!(
                "policy \"{policy}\" allows at most {at_most}, what is left of grant {id} included"
            ))
            .hint(format!("Its end could be {horizon:.0} now, and later when less is left.")));
        }
        let approvers = approvers.to_vec();
        Ok(GrantEvent::Extended {
            grant: id,
            request: request.id,
            expires_at,
            approvers,
            receipt: None,
        })
    }
}

/// Whether the policy's grants are as wide as this one: under other limits or conditions, as a
/// DBA's own GRANT may be, it would outlive what the policy allows.
fn within(grant: &Grant, allowed: &Allowed) -> Result<(), Report> {
    let conditions = allowed.conditions.is_none() || allowed.conditions == grant.conditions;
    if conditions && grant.limits.and(allowed.limits) == grant.limits {
        return Ok(());
    }
    let (id, policy) = (grant.id, &allowed.policy);
    let terms = [allowed.limits.to_string(), allowed.conditions.to_string()];
    let terms = terms.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ");
    Err(refused(format!(
        "grant {id} is wider than policy \"{policy}\" allows, so it is not extended: {terms}"
    ))
    .hint("Ask for a grant of its own."))
}

/// What a grant was asked for with.
fn terms_of(grant: &Grant) -> Terms {
    Terms {
        database: grant.database.clone().unwrap_or_default(),
        resource: grant.resource.clone(),
        class: None,
        actions: grant.actions,
        duration: Duration::ZERO,
        rows: grant.rows.clone(),
        not_before: None,
        reason: String::new(),
        ticket: grant.ticket.clone(),
        limits: grant.limits,
        runs: Runs::FromApproval,
        urgency: Urgency::Ordinary,
    }
}
