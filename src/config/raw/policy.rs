//! Who may ask for what, word for word.

use serde::Deserialize;
use toml::Spanned;

use super::{Text, Texts};

/// A file of policies alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct PolicyFile {
    #[serde(default)]
    pub(in crate::config) policy: Vec<Spanned<Policy>>,
    #[serde(default)]
    pub(in crate::config) standing: Vec<Spanned<Standing>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Policy {
    pub(in crate::config) name: Text,
    pub(in crate::config) subjects: Spanned<Texts>,
    pub(in crate::config) resources: Spanned<Texts>,
    pub(in crate::config) actions: Spanned<Texts>,
    pub(in crate::config) max_duration: Text,
    pub(in crate::config) approvals: Spanned<u32>,
    pub(in crate::config) approvers: Option<Spanned<Texts>>,
    pub(in crate::config) reason: Option<Text>,
    pub(in crate::config) denials: Option<Spanned<u32>>,
    pub(in crate::config) decide_within: Option<Text>,
    pub(in crate::config) auto_per_week: Option<Spanned<u32>>,
    pub(in crate::config) networks: Option<Spanned<Texts>>,
    pub(in crate::config) hours: Option<Text>,
    pub(in crate::config) applications: Option<Spanned<Texts>>,
    pub(in crate::config) max_rows: Option<u64>,
    pub(in crate::config) max_uses: Option<u64>,
    pub(in crate::config) max_subjects: Option<u64>,
    pub(in crate::config) unused: Option<Text>,
    #[serde(default)]
    pub(in crate::config) break_glass: bool,
    pub(in crate::config) review_within: Option<Text>,
    pub(in crate::config) second_factor: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Standing {
    pub(in crate::config) subject: Text,
    pub(in crate::config) resources: Spanned<Texts>,
    pub(in crate::config) actions: Spanned<Texts>,
    pub(in crate::config) networks: Option<Spanned<Texts>>,
    pub(in crate::config) hours: Option<Text>,
    pub(in crate::config) applications: Option<Spanned<Texts>>,
    pub(in crate::config) reason: Text,
}
