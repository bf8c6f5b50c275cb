use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::{Rule, Severity};
use crate::model::Timestamp;

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signal {
    pub rule: Rule,
    pub severity: Severity,
    /// `alice`; of an unused grant, its subject. None: nobody knows who it is, only from where.
    pub user: Option<String>,
    pub address: Option<IpAddr>,
    pub session: Option<u64>,
    /// The record that made it one. With the rule and whom it is about, it names the signal.
    pub trigger: u64,
    pub at: Timestamp,
    /// When what it tells began.
    pub since: Timestamp,
    /// Counts; `folded` is how many of the kind were kept quiet since the last one.
    pub figures: BTreeMap<&'static str, u64>,
    /// PII columns that it is about.
    pub columns: Vec<String>,
    /// The last of the records that prove it.
    pub records: Vec<u64>,
}
