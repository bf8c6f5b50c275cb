//! Where catalog and database have moved apart: what the catalog names and is not there, what is
//! there and the catalog does not name although it looks like personal data, and what nobody has
//! decided.
//!
//! Whatever is found is to be put right in the catalog; nothing here makes anything less hidden.

mod bound;
mod candidates;
mod columns;
mod copies;
mod keys;
mod memory;
mod undecided;
mod values;

use std::collections::HashMap;
use std::fmt;

use super::ColumnFacts;
use crate::analysis::sensitive::{Problem, Sensitive};
use crate::catalog::{Catalog, Table};
use crate::model::{ColumnPath, RelationName, Timestamp};
use crate::schema::{Relation, Snapshot};

pub use candidates::{Candidate, candidates};
pub(super) use columns::{LOOKS_MIN, known};
pub use memory::{Memory, Remembered, Was};
pub use values::Values;

/// One thing that has moved apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drift {
    pub severity: Severity,
    pub kind: DriftKind,
    /// The relation that it is about, as it is called now if it is there; None: a function or type.
    pub table: Option<RelationName>,
    pub column: Option<String>,
    /// Where the catalog speaks of it: `catalog/shop.toml:33`; empty where it does not.
    pub place: String,
    /// A sentence without a value of any column.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The catalog says what is not so.
    Problem,
    /// It says too little, or what may not be so any longer.
    Warning,
    /// Hidden or refused already; good to know.
    Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DriftKind {
    /// A table, column or function of the catalog is not there.
    Dangling,
    Renamed,
    /// A class of the catalog is not there.
    Class,
    /// A column that says whose row it is, or which is a decoy, is not there or cannot say so.
    Key,
    Retyped,
    /// A mask does not fit the type of its column.
    Mask,
    /// A column came to a catalogued table, and the catalog does not say what it is.
    New,
    /// Looks like personal data, and the catalog does not name it.
    Uncatalogued,
    /// Derives personal data, and the catalog does not say what comes out.
    Undecided,
}

impl DriftKind {
    pub const ALL: [Self; 9] = [
        Self::Dangling,
        Self::Renamed,
        Self::Class,
        Self::Key,
        Self::Retyped,
        Self::Mask,
        Self::New,
        Self::Uncatalogued,
        Self::Undecided,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dangling => "dangling",
            Self::Renamed => "renamed",
            Self::Class => "class",
            Self::Key => "key",
            Self::Retyped => "retyped",
            Self::Mask => "mask",
            Self::New => "new",
            Self::Uncatalogued => "uncatalogued",
            Self::Undecided => "undecided",
        }
    }
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.words)
        } else {
            write!(f, "{}: {}", self.place, self.words)
        }
    }
}

/// What was found, and since when it is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub drift: Drift,
    pub since: Timestamp,
}

/// What is found `now`; of what was found before, since when.
pub fn carried(before: &[Found], found: Vec<Drift>, now: Timestamp) -> Vec<Found> {
    let since: HashMap<&Drift, Timestamp> =
        before.iter().map(|found| (&found.drift, found.since)).collect();
    let found = found.into_iter().map(|drift| {
        let since = since.get(&drift).copied().unwrap_or(now);
        Found { drift, since }
    });
    found.collect()
}

/// Both sides at one moment, and what was known before.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    pub catalog: &'a Catalog,
    pub schema: &'a Snapshot,
    /// The catalog bound to the schema, and what was wrong with it.
    pub sensitive: &'a Sensitive,
    pub problems: &'a [Problem],
    /// What else is known of columns; those that are missing go by name and type.
    pub facts: &'a HashMap<ColumnPath, ColumnFacts>,
    /// As [`Memory::renewed`] by this catalog and this schema.
    pub memory: &'a Memory,
    /// What values have said; columns of which none was looked at go by their names.
    pub values: &'a Values,
}

/// Everything that has moved apart, what is worst first.
pub fn find(sides: Sides<'_>) -> Vec<Drift> {
    let mut found: Vec<Drift> = sides.problems.iter().map(Drift::from).collect();
    found.extend(keys::missing(sides));
    found.extend(columns::retyped(sides));
    found.extend(columns::unmasked(sides));
    found.extend(columns::uncatalogued(sides));
    found.extend(copies::find(sides));
    found.extend(undecided::find(sides));
    found.sort_by(|one, other| {
        let by = |drift: &Drift| (drift.severity, drift.kind);
        by(one).cmp(&by(other)).then_with(|| one.words.cmp(&other.words))
    });
    found.dedup();
    found
}

impl<'a> Sides<'a> {
    fn tables(self) -> HashMap<&'a RelationName, &'a Table> {
        self.catalog.tables.iter().map(|table| (&table.name, table)).collect()
    }

    /// Catalogued tables that are there, whatever they are called now.
    fn catalogued(self) -> impl Iterator<Item = (&'a Table, &'a Relation)> {
        let found = move |table| Some((table, self.memory.relation_of(table, self.schema)?));
        self.catalog.tables.iter().filter_map(found)
    }
}

fn dotted(relation: &Relation, column: &str) -> String {
    format!("{}.{column}", relation.name)
}

#[cfg(test)]
mod tests;
