use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::terms::Terms;
use super::{Action, Actions, CatalogView, NetworkError, Pattern, ResourceError};
use super::{SecondFactor, Standing, Subject, SubjectError};
use crate::model::{DurationError, Report, SqlState, User, parse_duration, show_duration};

/// Who may ask for what, for how long, and who has to agree. The first policy that matches
/// subject, resource and actions decides; where none matches, nothing can be requested.
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
    pub approvers: Vec<Subject>,
    /// Must be found somewhere in the reason; anchor it with `^…$` to match the whole.
    pub reason: Option<Regex>,
    /// What approvers have to show beside their login.
    pub second_factor: Option<SecondFactor>,
}

/// What the policies say about a request.
#[derive(Clone, Debug)]
pub enum Decision {
    AutoApprove { policy: String },
    NeedsApproval { policy: String, approvals: u32, approvers: Vec<Subject> },
    Refused(Report),
}

/// A `[[policy]]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    pub name: String,
    pub subjects: Vec<String>,
    pub resources: Vec<String>,
    pub actions: Vec<Action>,
    pub max_duration: String,
    #[serde(default)]
    pub approvals: u32,
    #[serde(default)]
    pub approvers: Vec<String>,
    pub reason: Option<String>,
    pub second_factor: Option<SecondFactor>,
}

/// A `[[standing]]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingText {
    pub subject: String,
    pub resources: Vec<String>,
    pub actions: Vec<Action>,
    #[serde(default)]
    pub networks: Vec<String>,
    pub reason: String,
}

/// A policy or standing grant that makes no sense; `key` is the configuration's.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("{key}: {source}")]
    Subject { key: &'static str, source: SubjectError },
    #[error("resources: {0}")]
    Resource(#[from] ResourceError),
    #[error("networks: {0}")]
    Network(#[from] NetworkError),
    #[error("max_duration: {0}")]
    Duration(#[from] DurationError),
    #[error("reason: {0}")]
    Reason(#[from] Box<regex::Error>),
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: &'static str },
}

impl PolicyText {
    /// The policy, its names resolved against the catalogs of all databases.
    ///
    /// # Errors
    /// [`PolicyError`] names the key.
    pub fn resolve(&self, views: &[CatalogView]) -> Result<Policy, PolicyError> {
        let value = |key, problem| Err(PolicyError::Value { key, problem });
        if self.name.trim().is_empty() {
            return value("name", "a policy needs a name");
        }
        if self.subjects.is_empty() {
            return value("subjects", "a policy for nobody allows nothing");
        }
        if self.resources.is_empty() {
            return value("resources", "a policy on nothing allows nothing");
        }
        if self.actions.is_empty() {
            return value("actions", "a policy for no action allows nothing");
        }
        if self.approvals > 0 && self.approvers.is_empty() {
            return value("approvers", "approvals are needed, so somebody must be able to approve");
        }
        Ok(Policy {
            name: self.name.clone(),
            subjects: subjects("subjects", &self.subjects)?,
            resources: patterns(&self.resources, views)?,
            actions: self.actions.iter().copied().collect(),
            max_duration: parse_duration(&self.max_duration)?,
            approvals: self.approvals,
            approvers: subjects("approvers", &self.approvers)?,
            reason: match &self.reason {
                Some(pattern) => Some(Regex::new(pattern).map_err(Box::new)?),
                None => None,
            },
            second_factor: self.second_factor,
        })
    }
}

impl StandingText {
    /// The standing grant, its names resolved against the catalogs of all databases.
    ///
    /// # Errors
    /// [`PolicyError`] names the key.
    pub fn resolve(&self, views: &[CatalogView]) -> Result<Standing, PolicyError> {
        let value = |key, problem| Err(PolicyError::Value { key, problem });
        if self.resources.is_empty() {
            return value("resources", "a standing grant on nothing allows nothing");
        }
        if self.actions.is_empty() {
            return value("actions", "a standing grant for no action allows nothing");
        }
        if self.reason.trim().is_empty() {
            return value("reason", "a standing grant says why it stands");
        }
        let subject = |source| PolicyError::Subject { key: "subject", source };
        Ok(Standing {
            subject: Subject::parse(&self.subject).map_err(subject)?,
            resources: patterns(&self.resources, views)?,
            actions: self.actions.iter().copied().collect(),
            networks: self
                .networks
                .iter()
                .map(|network| super::Network::parse(network))
                .collect::<Result<_, _>>()?,
            reason: self.reason.clone(),
        })
    }
}

fn subjects(key: &'static str, texts: &[String]) -> Result<Vec<Subject>, PolicyError> {
    let read =
        |text: &String| Subject::parse(text).map_err(|source| PolicyError::Subject { key, source });
    texts.iter().map(read).collect()
}

fn patterns(texts: &[String], views: &[CatalogView]) -> Result<Vec<Pattern>, PolicyError> {
    texts.iter().map(|text| Ok(Pattern::resolve(text, views)?)).collect()
}

impl Policies {
    /// What the first policy that matches says. A matching policy that asks for a shorter
    /// duration or another reason refuses; later ones are not tried.
    pub fn decide(&self, terms: &Terms, requester: &User) -> Decision {
        for policy in &self.0 {
            if policy.mismatch(terms, requester).is_some() {
                continue;
            }
            if let Some(problem) = policy.objection(terms) {
                let hint = format!("Ask again in the way that policy \"{}\" wants.", policy.name);
                return Decision::Refused(refused(problem).hint(hint));
            }
            let policy_name = policy.name.clone();
            return match policy.approvals {
                0 => Decision::AutoApprove { policy: policy_name },
                approvals => Decision::NeedsApproval {
                    policy: policy_name,
                    approvals,
                    approvers: policy.approvers.clone(),
                },
            };
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
        } else {
            None
        }
    }

    /// What a policy that speaks of these terms has against them.
    fn objection(&self, terms: &Terms) -> Option<String> {
        let name = &self.name;
        if terms.duration > self.max_duration {
            return Some(format!(
                "policy \"{name}\" allows at most {}, not {}",
                show_duration(self.max_duration),
                show_duration(terms.duration)
            ));
        }
        let pattern = self.reason.as_ref()?;
        let found = pattern.is_match(&terms.reason);
        (!found).then(|| format!("policy \"{name}\" wants a reason that matches {pattern}"))
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
