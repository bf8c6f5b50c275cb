//! `[risk]` and what is in it, word for word.

use serde::Deserialize;
use toml::Spanned;

use super::{Text, Texts};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Risk {
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) time_zone: Option<Text>,
    pub(in crate::config) severity_min: Option<Text>,
    #[serde(default)]
    pub(in crate::config) rule: Vec<Spanned<RiskRule>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RiskRule {
    pub(in crate::config) name: Text,
    pub(in crate::config) enabled: Option<bool>,
    pub(in crate::config) users: Option<Texts>,
    pub(in crate::config) except: Option<Texts>,
    pub(in crate::config) severity: Option<Text>,
    pub(in crate::config) actions: Option<Texts>,
    pub(in crate::config) lasts: Option<Text>,
    pub(in crate::config) quiet: Option<Text>,
    pub(in crate::config) count: Option<Spanned<u64>>,
    pub(in crate::config) within: Option<Text>,
    pub(in crate::config) factor: Option<Spanned<u64>>,
    pub(in crate::config) learn: Option<Text>,
    pub(in crate::config) days: Option<Spanned<u64>>,
    pub(in crate::config) rows: Option<Spanned<u64>>,
    pub(in crate::config) bytes: Option<Text>,
    pub(in crate::config) subjects: Option<Spanned<u64>>,
    pub(in crate::config) margin: Option<Spanned<u64>>,
}
