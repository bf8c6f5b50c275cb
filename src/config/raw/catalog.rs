//! The keys of catalog files.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::{OneOrMany, Text};
use crate::catalog::MaskSpec;

/// A catalog file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct CatalogFile {
    #[serde(default)]
    pub(in crate::config) class: Vec<Spanned<Class>>,
    #[serde(default)]
    pub(in crate::config) table: Vec<Spanned<Table>>,
    #[serde(default)]
    pub(in crate::config) function: Vec<Spanned<Function>>,
    #[serde(default)]
    pub(in crate::config) honey: Vec<Honey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Class {
    pub(in crate::config) name: Text,
    pub(in crate::config) mask: Option<Spanned<MaskSpec>>,
    pub(in crate::config) deny: Option<Spanned<bool>>,
    pub(in crate::config) sensitivity: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Table {
    pub(in crate::config) name: Text,
    pub(in crate::config) subject: Option<Spanned<OneOrMany>>,
    pub(in crate::config) columns: BTreeMap<String, Text>,
}

/// Not shown in full: its values are nobody's to read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Honey {
    pub(in crate::config) table: Text,
    pub(in crate::config) key: Text,
    pub(in crate::config) values: Vec<String>,
}

impl fmt::Debug for Honey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Honey({}.{})", self.table.get_ref(), self.key.get_ref())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Function {
    pub(in crate::config) name: Text,
    pub(in crate::config) class: Text,
}
