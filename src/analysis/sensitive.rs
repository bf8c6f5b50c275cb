//! The catalog bound to a live schema: which columns are personal data, and from which relations
//! and functions they can be reached.
//!
//! **Invariant:** a column once tagged stays tagged by (table OID, column number) for as long as
//! the catalog has the entry that tagged it: a RENAME, a DETACH PARTITION or a DROP EXPRESSION
//! launders nothing.

mod bodies;
mod columns;
mod problem;
mod reach;
mod tags;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::mention::{Mention, MentionError};
use crate::catalog::{Catalog, Hiding};
use crate::model::{ColumnId, ColumnNumber, ColumnPath, Oid, RelationName};
use crate::schema::{Snapshot, ValueType};
pub use problem::{Problem, ProblemKind};
pub use tags::{Tag, Tags};

/// The built-in class of columns that somebody looked at and found to be no personal data.
pub const CLASS_CLEAR: &str = "clear";
/// The built-in class of values computed from personal data.
pub const CLASS_DERIVED: &str = "derived";
/// The built-in class of columns that the catalog does not name, where that means masked.
pub const CLASS_UNCLASSIFIED: &str = "unclassified";

/// Everything sensitive in one database.
#[derive(Clone, Debug)]
pub struct Sensitive {
    /// Every column that is personal data, of tables and materialized views alike.
    pub columns: HashMap<ColumnId, PiiColumn>,
    /// Every relation a statement on which needs a closer look.
    pub relations: HashMap<Oid, Reach>,
    /// Every user-defined function a call of which needs a closer look.
    pub functions: HashMap<Oid, FunctionReach>,
    /// Symbols of operators that run sensitive functions, in whatever schema.
    pub operators: BTreeSet<String>,
    /// Names of types (domains included) whose input, casts or checks run sensitive functions.
    pub types: BTreeSet<String>,
    /// Whether anything over personal data sends NOTIFY, whose payload another session reads.
    pub notifies: Notifies,
    /// Gate 1 over all of these names.
    pub mention: Mention,
    functions_by_name: HashMap<String, Vec<Oid>>,
    columns_by_relation: HashMap<Oid, Vec<ColumnNumber>>,
}

/// A column that is personal data.
#[derive(Clone, Debug, PartialEq)]
pub struct PiiColumn {
    /// The column in the catalog's words; derived columns go by their own name.
    pub path: Arc<ColumnPath>,
    pub class: Arc<str>,
    pub hiding: Hiding,
    pub value: ValueType,
}

/// How personal data can be reached through a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A table (partition, inheritance parent or child, foreign table) with columns of its own in
    /// [`Sensitive::columns`].
    Table,
    /// A view: every personal column it may show, and what it reaches that no mask can be put
    /// below: sensitive functions and side doors, by OID (0: one that has no OID in the snapshot).
    View { columns: BTreeSet<ColumnId>, opaque: BTreeSet<Oid> },
    /// A materialized view over personal data: its columns are tagged one by one.
    Stored,
    /// Holds no personal data, but statements on it run code over some (triggers, rules, policies,
    /// defaults, cascades into tables that do): errors, notices and counts may tell.
    Carrier(Touch),
    /// Leads around the tables: [`super::mention::side_door_relation`].
    SideDoor,
}

/// Which statements on a [`Reach::Carrier`] run code over personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// INSERT, UPDATE, DELETE, MERGE, COPY FROM, TRUNCATE.
    Write,
    /// SELECT too: row-level security.
    Read,
}

/// Why a function is sensitive, and what the catalog says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionReach {
    pub name: RelationName,
    pub why: Why,
    /// The catalog declares what the function returns: calling it is allowed, its result is
    /// hidden so.
    pub declared: Option<DeclaredResult>,
}

/// What a declared function returns.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredResult {
    pub class: Arc<str>,
    pub hiding: Hiding,
}

/// The first reason found; there may be more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The body names a sensitive relation, function or side door.
    Mentions(String),
    /// An argument or the result is a row of this relation.
    RowOf(RelationName),
    /// Nobody can tell what the body does.
    Opaque(Opaque),
    /// A trigger of this relation, which has personal data, runs it.
    TriggerOf(RelationName),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opaque {
    /// EXECUTE of a text built at run time.
    DynamicSql,
    /// `U&""` in the body.
    UnicodeEscapes,
    /// A language other than SQL and PL/pgSQL, or C outside the harmless extensions.
    Language,
}

/// Whether code over personal data sends NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notifies {
    No,
    Yes,
}

/// What columns of a catalogued table are that the catalog does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclassified {
    Allow,
    /// Hidden by redact, except primary-key and foreign-key columns: clients need those to address
    /// rows, and hiding them would break every join.
    Mask,
}

impl Sensitive {
    /// Binds `catalog` to `schema`. `tags` are those of the previous binding (or empty).
    ///
    /// # Errors
    /// [`MentionError`] when there are too many names; problems of the catalog are no errors but
    /// part of the result, and never make anything less sensitive.
    pub fn bind(
        schema: &Snapshot,
        catalog: &Catalog,
        tags: &Tags,
        unclassified: Unclassified,
    ) -> Result<(Self, Tags, Vec<Problem>), MentionError> {
        let _ = (schema, catalog, tags, unclassified);
        unimplemented!()
    }

    pub fn column(&self, id: ColumnId) -> Option<&PiiColumn> {
        self.columns.get(&id)
    }

    /// The personal columns of one relation, in the order of their numbers.
    pub fn columns_of(&self, relation: Oid) -> impl Iterator<Item = (ColumnNumber, &PiiColumn)> {
        self.columns_by_relation.get(&relation).into_iter().flatten().filter_map(move |number| {
            let column = self.columns.get(&ColumnId { relation, number: *number })?;
            Some((*number, column))
        })
    }

    pub fn reach(&self, relation: Oid) -> Option<&Reach> {
        self.relations.get(&relation)
    }

    /// Sensitive functions of that name, in whatever schema and with whatever arguments.
    pub fn functions_named(&self, name: &str) -> impl Iterator<Item = &FunctionReach> {
        self.functions_by_name.get(name).into_iter().flatten().filter_map(|o| self.functions.get(o))
    }
}
