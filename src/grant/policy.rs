//! Who may ask for what, for how long, and who has to agree.

mod text;
mod trial;

use std::time::Duration;

use regex::Regex;

use super::terms::{Terms, Urgency};
use super::{Actions, Conditions, Limits, Pattern, SecondFactor, Subject};
use crate::model::{Client, Report, SqlState, Timestamp, User, show_duration};

pub use text::{ConditionTexts, PolicyError, PolicyText, StandingText};
pub use trial::{Step, Trial};

/// The first policy that matches subject, resource, actions and urgency decides; where none
/// matches, nothing can be requested.
#[derive(Clone, Debug, Default)]
pub struct Policies(pub Vec<Policy>);

#[derive(Clone, Debug)]
pub struct Policy {
    pub name: String,
    pub subjects: Vec<Subject>,
    pub resources: Vec<Pattern>,
    pub actions: Actions,
    pub max_duration: Duration,
    /// How many different people must approve; 0: granted at once.
    pub approvals: u32,
    /// Who approves; of break-glass access, who reviews.
    pub approvers: Vec<Subject>,
    /// Must be found somewhere in the reason; anchor it with `^…$` to match the whole.
    pub reason: Option<Regex>,
    /// How many different approvers must deny before a request is closed.
    pub denials: u32,
    /// How long a request waits for its decision.
    pub decide_within: Duration,
    /// How many grants a user gets at once in seven days.
    pub auto_per_week: Option<u32>,
    /// Hold when it is requested, and for every statement under the grant.
    pub conditions: Conditions,
    /// Grants get no more than this.
    pub limits: Limits,
    /// Break-glass policies speak of break-glass requests, others of others.
    pub urgency: Urgency,
    /// How long break-glass access waits for its review.
    pub review_within: Duration,
    /// What approvers have to show beside their login.
    pub second_factor: Option<SecondFactor>,
}

/// What the policies say about a request.
#[derive(Clone, Debug)]
pub enum Decision {
    Allowed(Box<Allowed>),
    Refused(Report),
}

/// A request that may be made, and how it goes on.
#[derive(Clone, Debug)]
pub struct Allowed {
    pub policy: String,
    pub max_duration: Duration,
    /// 0: granted at once.
    pub approvals: u32,
    pub approvers: Vec<Subject>,
    pub denials: u32,
    pub decide_within: Duration,
    pub conditions: Conditions,
    pub limits: Limits,
    /// Of break-glass access: how long it waits for its review.
    pub review_within: Option<Duration>,
}

/// Who asks, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub user: &'a User,
    /// None: a request that was made before is looked at again.
    pub client: Option<&'a Client>,
    pub now: Timestamp,
}

impl Policies {
    /// What the first policy that matches says. A matching policy that asks for a shorter
    /// duration or another reason refuses; later ones are not tried. `at_once` tells how many
    /// grants the user got at once in the last seven days under the policy of that name.
    pub fn decide(
        &self,
        terms: &Terms,
        asker: Asker<'_>,
        at_once: impl Fn(&str) -> u32,
    ) -> Decision {
        let requester = asker.user;
        for policy in &self.0 {
            if policy.mismatch(terms, requester).is_some() {
                continue;
            }
            if let Some(problem) = policy.objection(terms, asker) {
                let hint = format!("Ask again in the way that policy \"{}\" wants.", policy.name);
                return Decision::Refused(refused(problem).hint(hint));
            }
            return policy.allow(terms, at_once(&policy.name));
        }
        let report = refused(format!(
            "no policy lets {} request {} on {}",
            requester.name, terms.actions, terms.resource
        ));
        let told = |policy: &Policy| {
            let why = policy.mismatch(terms, requester).unwrap_or_default();
            format!("Policy \"{}\" {why}.", policy.name)
        };
        Decision::Refused(match self.0.as_slice() {
            [] => report.detail("There are no policies, so nothing can be requested."),
            some => report.detail(
                some.iter().take(POLICIES_TOLD_MAX).map(told).collect::<Vec<_>>().join(" "),
            ),
        })
    }
}

/// Refusals explain so many policies.
const POLICIES_TOLD_MAX: usize = 8;

impl Policy {
    /// Why this policy does not speak of these terms; None when it does.
    fn mismatch(&self, terms: &Terms, requester: &User) -> Option<String> {
        let covers = |pattern: &Pattern| {
            pattern.covers(&terms.database, &terms.resource, terms.class.as_deref())
        };
        if !self.subjects.iter().any(|subject| subject.includes(requester)) {
            Some(format!("is for {}", list(&self.subjects)))
        } else if !self.resources.iter().any(covers) {
            Some(format!("covers {}", list(&self.resources)))
        } else if !terms.actions.is_subset(self.actions) {
            Some(format!("allows {}", self.actions))
        } else if self.urgency != terms.urgency {
            Some(match self.urgency {
                Urgency::BreakGlass => "is for break-glass access".to_owned(),
                Urgency::Ordinary => "is not for break-glass access".to_owned(),
            })
        } else {
            None
        }
    }

    /// What a policy that speaks of these terms has against them.
    fn objection(&self, terms: &Terms, asker: Asker<'_>) -> Option<String> {
        let name = &self.name;
        if terms.duration > self.max_duration {
            return Some(format!(
                "policy \"{name}\" allows at most {}, not {}",
                show_duration(self.max_duration),
                show_duration(terms.duration)
            ));
        }
        if let Some(pattern) = self.reason.as_ref().filter(|p| !p.is_match(&terms.reason)) {
            return Some(format!("policy \"{name}\" wants a reason that matches {pattern}"));
        }
        let unmet = asker.client.and_then(|client| self.conditions.unmet(client, asker.now))?;
        Some(format!("policy \"{name}\" allows it {unmet}"))
    }

    fn allow(&self, terms: &Terms, at_once: u32) -> Decision {
        let name = &self.name;
        let mut approvals = self.approvals;
        if let Some(cap) = self.auto_per_week.filter(|cap| at_once >= *cap) {
            if self.approvers.is_empty() {
                return Decision::Refused(
                    refused(format!("policy \"{name}\" grants at most {cap} requests a week"))
                        .detail(format!("You had {at_once} in the last seven days."))
                        .hint("Ask an administrator for a grant."),
                );
            }
            approvals = 1;
        }
        let emergency = self.urgency == Urgency::BreakGlass;
        Decision::Allowed(Box::new(Allowed {
            policy: name.clone(),
            max_duration: self.max_duration,
            approvals,
            approvers: self.approvers.clone(),
            denials: self.denials,
            decide_within: self.decide_within,
            conditions: self.conditions.clone(),
            limits: terms.limits.and(self.limits),
            review_within: emergency.then_some(self.review_within),
        }))
    }
}

/// Whether `approver` may approve or deny a request of `requester`: never one's own, and only
/// who is named among the approvers, whatever other roles one has.
///
/// # Errors
/// The report says why not.
pub fn may_approve(approver: &User, requester: &str, approvers: &[Subject]) -> Result<(), Report> {
    if *approver.name == *requester {
        return Err(refused("nobody decides on their own request")
            .hint(format!("Somebody else must: {}.", list(approvers))));
    }
    if !approvers.iter().any(|subject| subject.includes(approver)) {
        return Err(refused(format!("{} may not decide on this request", approver.name))
            .detail(format!("Its policy names as approvers: {}.", list(approvers))));
    }
    Ok(())
}

fn refused(message: impl Into<String>) -> Report {
    Report::error(SqlState::INSUFFICIENT_PRIVILEGE, message)
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
