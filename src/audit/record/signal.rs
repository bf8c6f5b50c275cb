//! What a rule over the log itself has found.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::fields::{maybe_name, moment};
use crate::model::Timestamp;

/// A signal: counts and the numbers of records, no values.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Signal {
    pub rule: &'static str,
    pub severity: &'static str,
    /// As claimed, of logins that failed.
    #[serde(serialize_with = "maybe_name", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// The record that made it one; with the rule and the user this names the signal.
    pub trigger: u64,
    #[serde(serialize_with = "moment")]
    pub since: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, u64>,
    /// PII columns that it is about.
    #[serde(rename = "pii_columns", skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The last of the records that prove it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<u64>,
    /// What was done.
    pub actions: Vec<&'static str>,
    /// What should have been done and could not be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<&'static str>,
}
