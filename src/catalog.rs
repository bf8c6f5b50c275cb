//! Which columns are personal data, in the words of the catalog files, and how each is hidden.
//!
//! Pure words: binding them to a live schema is `analysis::sensitive`, hiding is `mask`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::model::RelationName;

/// The merged catalog of one database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    pub classes: BTreeMap<String, Class>,
    pub tables: Vec<Table>,
    pub functions: Vec<DeclaredFunction>,
    pub honey: Vec<Honey>,
}

impl Catalog {
    /// Whether it says of nothing that it holds personal data.
    pub fn names_nothing(&self) -> bool {
        self.tables.is_empty() && self.functions.is_empty()
    }
}

/// A kind of personal data and how it is hidden.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    pub name: String,
    pub hiding: Hiding,
    pub sensitivity: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Hiding {
    Mask(MaskSpec),
    /// Touching it without a grant is refused.
    Deny,
}

/// A catalogued table: column name → class name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: RelationName,
    pub columns: BTreeMap<String, String>,
    /// The columns that say whose data a row is, each by itself; None: the primary key, if it is
    /// one column.
    pub subject: Option<Vec<String>>,
    /// Where the catalog says so, for messages: `catalog/shop.toml:33`.
    pub place: String,
}

/// Decoys: rows that nobody has a reason to read.
#[derive(Clone, PartialEq, Eq)]
pub struct Honey {
    pub table: RelationName,
    /// The column that tells them from others.
    pub key: String,
    /// In PostgreSQL's text form; shown to nobody.
    pub values: Vec<String>,
    pub place: String,
}

impl fmt::Debug for Honey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, values: _, place } = self;
        write!(f, "Honey({table}.{key} at {place})")
    }
}

/// What a function that reads PII returns, as the catalog declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredFunction {
    /// As written: `public.customer_email(integer)`.
    pub signature: String,
    pub class: String,
    pub place: String,
}

/// One mask, as configured: `mask = { kind = "partial", keep_last = 4 }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum MaskSpec {
    /// `***` for strings, NULL for every other type.
    Redact,
    Null,
    /// The same value for every row, given in PostgreSQL's text form.
    Constant {
        value: String,
    },
    /// Keeps the first and last characters; what lies between becomes `*`, one per character.
    /// Values too short to hide anything become all stars.
    Partial {
        #[serde(default)]
        keep_first: usize,
        #[serde(default)]
        keep_last: usize,
    },
    /// First letter and domain: `a***@example.com`.
    Email,
    /// Dates and timestamps truncated.
    Date {
        to: DatePrecision,
    },
    /// Numbers rounded down to a multiple of `size`.
    Bucket {
        size: u64,
    },
    /// Addresses cut to their network: `10.2.3.4` is `10.2.3.0/24` at 24.
    Ip {
        #[serde(default = "ipv4_prefix_default")]
        v4_prefix: u8,
        #[serde(default = "ipv6_prefix_default")]
        v6_prefix: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePrecision {
    Year,
    Month,
}

fn ipv4_prefix_default() -> u8 {
    24
}

fn ipv6_prefix_default() -> u8 {
    48
}
