//! Policies and standing grants as the configuration writes them.

use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use super::Policy;
use crate::grant::terms::{Standing, Urgency};
use crate::grant::{
    Action, CatalogView, Conditions, Hours, HoursError, Limits, Network, NetworkError, Pattern,
    ResourceError, SecondFactor, Subject, SubjectError,
};
use crate::model::{DurationError, parse_duration};

/// A `[[policy]]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
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
    #[serde(default = "one")]
    pub denials: u32,
    pub decide_within: Option<String>,
    pub auto_per_week: Option<u32>,
    #[serde(flatten)]
    pub conditions: ConditionTexts,
    pub max_rows: Option<u64>,
    pub max_uses: Option<u64>,
    pub max_subjects: Option<u64>,
    pub unused: Option<String>,
    #[serde(default)]
    pub break_glass: bool,
    pub review_within: Option<String>,
    pub second_factor: Option<SecondFactor>,
}

/// Conditions of a policy or a standing grant.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ConditionTexts {
    #[serde(default)]
    pub networks: Vec<String>,
    pub hours: Option<String>,
    #[serde(default)]
    pub applications: Vec<String>,
}

fn one() -> u32 {
    1
}

/// How long a request waits for a decision, unless its policy says otherwise.
const DECIDE_WITHIN_DEFAULT: Duration = Duration::from_secs(86_400);

/// How long an emergency waits for its review, unless its policy says otherwise.
const REVIEW_WITHIN_DEFAULT: Duration = Duration::from_secs(86_400);

/// A `[[standing]]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
pub struct StandingText {
    pub subject: String,
    pub resources: Vec<String>,
    pub actions: Vec<Action>,
    #[serde(flatten)]
    pub conditions: ConditionTexts,
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
    #[error("hours: {0}")]
    Hours(#[from] HoursError),
    #[error("{key}: {source}")]
    Duration { key: &'static str, source: DurationError },
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
        if self.approvals > 0 && self.auto_per_week.is_some() {
            return value("auto_per_week", "it limits what is granted at once: approvals = 0");
        }
        if self.denials == 0 {
            return value("denials", "one denial at least closes a request");
        }
        if self.break_glass && self.approvals > 0 {
            return value("approvals", "break-glass access is immediate: approvals = 0");
        }
        if self.break_glass && self.approvers.is_empty() {
            return value("approvers", "somebody must be able to review break-glass access");
        }
        if !self.break_glass && self.review_within.is_some() {
            return value("review_within", "only break-glass access is reviewed");
        }
        let duration = |key, text: &String| {
            parse_duration(text).map_err(|source| PolicyError::Duration { key, source })
        };
        let or = |key, text: &Option<String>, default| {
            text.as_ref().map_or(Ok(default), |text| duration(key, text))
        };
        let unused = self.unused.as_ref().map(|text| duration("unused", text)).transpose()?;
        let review_within = or("review_within", &self.review_within, REVIEW_WITHIN_DEFAULT)?;
        Ok(Policy {
            name: self.name.clone(),
            subjects: subjects("subjects", &self.subjects)?,
            resources: patterns(&self.resources, views)?,
            actions: self.actions.iter().copied().collect(),
            max_duration: duration("max_duration", &self.max_duration)?,
            approvals: self.approvals,
            approvers: subjects("approvers", &self.approvers)?,
            reason: match &self.reason {
                Some(pattern) => Some(Regex::new(pattern).map_err(Box::new)?),
                None => None,
            },
            denials: self.denials,
            decide_within: or("decide_within", &self.decide_within, DECIDE_WITHIN_DEFAULT)?,
            auto_per_week: self.auto_per_week,
            conditions: self.conditions.resolve()?,
            limits: Limits {
                max_rows: self.max_rows,
                max_uses: self.max_uses,
                max_subjects: self.max_subjects,
                unused,
            },
            urgency: if self.break_glass { Urgency::BreakGlass } else { Urgency::Ordinary },
            review_within,
            second_factor: self.second_factor,
        })
    }
}

impl ConditionTexts {
    fn resolve(&self) -> Result<Conditions, PolicyError> {
        let networks = self.networks.iter().map(|network| Network::parse(network));
        if self.applications.iter().any(|name| name.trim().is_empty()) {
            let problem = "an application has a name";
            return Err(PolicyError::Value { key: "applications", problem });
        }
        Ok(Conditions {
            networks: networks.collect::<Result<_, _>>()?,
            hours: self.hours.as_deref().map(Hours::parse).transpose()?,
            applications: self.applications.clone(),
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
            conditions: self.conditions.resolve()?,
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
