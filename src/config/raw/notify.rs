//! `[notify]` and what is in it, word for word.

use serde::Deserialize;
use toml::Spanned;

use super::{Text, Texts};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Notify {
    pub(in crate::config) console_url: Option<Text>,
    pub(in crate::config) age_max: Option<Text>,
    #[serde(default)]
    pub(in crate::config) webhook: Vec<Spanned<Webhook>>,
    pub(in crate::config) smtp: Option<Spanned<Smtp>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Webhook {
    pub(in crate::config) name: Text,
    pub(in crate::config) url: Option<Text>,
    pub(in crate::config) url_env: Option<Text>,
    pub(in crate::config) secret_env: Option<Text>,
    pub(in crate::config) secret_file: Option<Text>,
    pub(in crate::config) format: Option<Text>,
    pub(in crate::config) events: Option<Spanned<Texts>>,
    pub(in crate::config) ca_file: Option<Text>,
    pub(in crate::config) plaintext: Option<bool>,
    pub(in crate::config) timeout: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Smtp {
    pub(in crate::config) url: Text,
    pub(in crate::config) user: Option<Text>,
    pub(in crate::config) password_env: Option<Text>,
    pub(in crate::config) password_file: Option<Text>,
    pub(in crate::config) from: Text,
    pub(in crate::config) to: Option<Spanned<Texts>>,
    pub(in crate::config) events: Option<Spanned<Texts>>,
    pub(in crate::config) ca_file: Option<Text>,
    pub(in crate::config) plaintext: Option<bool>,
    pub(in crate::config) timeout: Option<Text>,
}
