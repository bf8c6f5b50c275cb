use serde::Deserialize;
use serde_json::Value;

use crate::audit::GrantStep;

/// A record of kind `grant`, as it was written.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GrantLine {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) step: GrantStep,
    pub(super) request: Option<u64>,
    pub(super) grant: Option<u64>,
    pub(super) subject: String,
    pub(super) database: String,
    pub(super) resources: Vec<String>,
    pub(super) actions: Vec<String>,
    pub(super) rows: Option<String>,
    pub(super) not_before: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) by: Option<String>,
    #[serde(default)]
    pub(super) approvers: Vec<String>,
    pub(super) policy: Option<String>,
    pub(super) receipt: Option<Value>,
}

/// A record of kind `release` or `statement`: what was shown under which grants.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReleaseLine {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) kind: String,
    pub(super) session: u64,
    pub(super) statement: u64,
    pub(super) user: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    pub(super) database: String,
    #[serde(default, alias = "raw_columns")]
    pub(super) columns: Vec<String>,
    #[serde(default, alias = "looked_up_columns")]
    pub(super) lookups: Vec<String>,
    #[serde(default)]
    pub(super) grants: Vec<u64>,
}

impl GrantLine {
    /// In a few words.
    pub(super) fn about(&self) -> String {
        match (self.grant, self.request) {
            (Some(grant), _) => format!("grant {grant}"),
            (None, Some(request)) => format!("request {request}"),
            (None, None) => "record".to_owned(),
        }
    }
}
