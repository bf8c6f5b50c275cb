use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::terms::Terms;
use super::{Action, Actions, CatalogView, NetworkError, Pattern, Request, ResourceError};
use super::{Standing, Subject, SubjectError};
use crate::model::{Report, SqlState, User};

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
    Duration(#[from] crate::model::DurationError),
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
            max_duration: crate::model::parse_duration(&self.max_duration)?,
            approvals: self.approvals,
            approvers: subjects("approvers", &self.approvers)?,
            reason: match &self.reason {
                Some(pattern) => Some(Regex::new(pattern).map_err(Box::new)?),
                None => None,
            },
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
    /// What the first policy that matches says.
    pub fn decide(&self, terms: &Terms, requester: &User) -> Decision {
        let _ = (terms, requester);
        Decision::Refused(Report::error(
            SqlState::INSUFFICIENT_PRIVILEGE,
            "no policy lets you request this",
        ))
    }

    /// Whether `approver` may approve or deny `request`: never one's own, and only the approvers
    /// of its policy.
    ///
    /// # Errors
    /// The report says why not.
    pub fn may_approve(&self, approver: &User, request: &Request) -> Result<(), Report> {
        let _ = (approver, request);
        Err(Report::error(SqlState::INSUFFICIENT_PRIVILEGE, "not supported yet"))
    }
}
