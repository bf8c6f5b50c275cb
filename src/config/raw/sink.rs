//! `[[sink]]`, word for word.

use serde::Deserialize;
use toml::Spanned;

use super::{Text, Texts};

/// Every key of every kind of sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Sink {
    pub(in crate::config) name: Text,
    pub(in crate::config) kind: Text,
    pub(in crate::config) kinds: Option<Spanned<Texts>>,
    pub(in crate::config) from: Option<Text>,
    pub(in crate::config) every: Option<Text>,
    pub(in crate::config) timeout: Option<Text>,
    pub(in crate::config) path: Option<Text>,
    pub(in crate::config) url: Option<Text>,
    pub(in crate::config) ca_file: Option<Text>,
    pub(in crate::config) plaintext: Option<Spanned<bool>>,
    pub(in crate::config) facility: Option<Text>,
    pub(in crate::config) confirm: Option<Spanned<bool>>,
    pub(in crate::config) datagram_len_max: Option<Text>,
    pub(in crate::config) authorization_env: Option<Text>,
    pub(in crate::config) authorization_file: Option<Text>,
    pub(in crate::config) secret_env: Option<Text>,
    pub(in crate::config) secret_file: Option<Text>,
    pub(in crate::config) table: Option<Text>,
    pub(in crate::config) password_env: Option<Text>,
    pub(in crate::config) password_file: Option<Text>,
}
