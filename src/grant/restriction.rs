//! What is taken from a user for a time: their grants, or being granted anything at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// No grant counts for the user, those of their groups and standing ones included.
    Suspended,
    /// The user's requests need one approval more than the policy says.
    SecondApproval,
}

impl Restriction {
    /// The word of records, tables and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::SecondApproval => "second_approval",
        }
    }
}

/// A restriction in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restricted {
    pub user: String,
    pub restriction: Restriction,
    pub since: Timestamp,
    /// The first moment at which it is over; None: when somebody lifts it.
    pub until: Option<Timestamp>,
    pub by: String,
    pub reason: String,
}

impl Restricted {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|end| now < end)
    }
}

/// What is to be taken from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restrict {
    pub user: String,
    pub restriction: Restriction,
    /// None: until somebody lifts it.
    pub duration: Option<Duration>,
    pub reason: String,
}

/// A signal of the rules over the audit log, as it is told to people: counts, no values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signalled {
    pub rule: String,
    pub severity: String,
    /// None: nobody knows who it is, only from where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    pub since: Timestamp,
    pub figures: BTreeMap<String, u64>,
    /// Numbers of the records of the audit log that prove it.
    pub records: Vec<u64>,
    /// What was done about it.
    pub actions: Vec<String>,
}
