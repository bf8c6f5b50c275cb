//! The catalog bound to a live schema: which columns are personal data, and from which relations
//! and functions they can be reached.
//!
//! **Invariant:** a column once tagged stays tagged by (table OID, column number) for as long as
//! the catalog has the entry that tagged it and the caller hands back the [`Tags`] of the binding
//! before: a RENAME, a DETACH PARTITION or a DROP EXPRESSION launders nothing. `store::tags` keeps
//! them across a restart.

mod bodies;
mod columns;
mod declared;
mod fed;
mod lineage;
mod problem;
mod reach;
mod tags;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::mention::{
    Mention, MentionError, side_door_function, side_door_of_sessions, side_door_relation,
};
use crate::catalog::{Catalog, Hiding};
use crate::model::{ByNumber, ColumnId, ColumnNumber, ColumnPath, Oid, RelationName};
use crate::schema::{Column, Snapshot, ValueType};
use bodies::Bodies;
use columns::Columns;
pub use problem::{Problem, ProblemKind};
use reach::Reaching;
pub use tags::{Origin, Tag, Tags};

/// The built-in class of columns that somebody looked at and found to be no personal data.
pub const CLASS_CLEAR: &str = "clear";
/// The built-in class of values computed from personal data.
pub const CLASS_DERIVED: &str = "derived";
/// The built-in class of columns that the catalog does not name, where that means masked.
pub const CLASS_UNCLASSIFIED: &str = "unclassified";

/// Everything sensitive in one database.
#[derive(Clone, Debug)]
pub struct Sensitive {
    pub watch: Watch,
    pub audience: Audience,
    /// Every column that is personal data, of tables and materialized views alike.
    pub columns: ByNumber<ColumnId, PiiColumn>,
    /// Every relation a statement on which needs a closer look.
    pub relations: ByNumber<Oid, Reach>,
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
    columns_by_relation: ByNumber<Oid, Vec<ColumnNumber>>,
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
pub enum DeclaredResult {
    /// No personal data: [`CLASS_CLEAR`].
    Clear,
    Pii {
        class: Arc<str>,
        hiding: Hiding,
    },
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
    /// The catalog declares it, and nothing else says so.
    Declared,
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

/// Whose sessions it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    Everyone,
    /// Who has the role `ddl`, and with it may define code that nobody can look into: running such
    /// code, and looking at what sessions do and wait for, is no further step for them.
    /// What is known to read personal data is as sensitive as for everyone.
    Ddl,
}

/// Whether there is anything to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// No catalog of the whole configuration names anything: there are no side doors either.
    Nothing,
    Something,
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

impl Audience {
    /// Whether this side door is open to them.
    fn may_use(self, name: &str) -> bool {
        self == Self::Ddl && side_door_of_sessions(name)
    }
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
        Self::bind_for(Audience::Everyone, schema, catalog, tags, unclassified)
    }

    /// The same for [`Audience::Ddl`]; `tags` are those that the binding for everyone gave.
    ///
    /// # Errors
    /// [`MentionError`], as in [`Self::bind`].
    pub fn bind_for_ddl(
        &self,
        schema: &Snapshot,
        catalog: &Catalog,
        tags: &Tags,
        unclassified: Unclassified,
    ) -> Result<Self, MentionError> {
        let (this, ..) = Self::bind_for(Audience::Ddl, schema, catalog, tags, unclassified)?;
        // What others are told by triggers that nobody can look into.
        Ok(Self { notifies: self.notifies, ..this })
    }

    fn bind_for(
        audience: Audience,
        schema: &Snapshot,
        catalog: &Catalog,
        tags: &Tags,
        unclassified: Unclassified,
    ) -> Result<(Self, Tags, Vec<Problem>), MentionError> {
        let mut problems = Vec::new();
        let bodies = Bodies::read(schema, audience)?;
        let mut columns = Columns::bind(schema, catalog, tags, unclassified, &mut problems);
        let declared = declared::find(schema, catalog, &mut problems);
        let reaching = Reaching::find(schema, &bodies, &mut columns, &declared);

        let relations = reaching.reaches(&columns);
        let notifies = reach::notifies(&reaching);
        let operators: BTreeSet<String> =
            reaching.operators.iter().map(|&symbol| symbol.to_owned()).collect();
        problems.extend(problem::closed_operators(schema, &reaching));
        let types = types(schema, &reaching, &mut problems);
        let functions = functions(schema, reaching.functions, declared);
        let mut functions_by_name: HashMap<String, Vec<Oid>> = HashMap::new();
        for (oid, function) in &functions {
            functions_by_name.entry(function.name.name.clone()).or_default().push(*oid);
        }
        // Side doors are in every gate.
        let names: BTreeSet<&str> = relations
            .iter()
            .filter(|(_, reach)| **reach != Reach::SideDoor)
            .filter_map(|(oid, _)| Some(schema.relation(*oid)?.name.name.as_str()))
            .chain(functions_by_name.keys().map(String::as_str))
            .chain(types.iter().map(String::as_str))
            .chain(fed::names(schema, &bodies, &relations))
            .collect();
        let mention = Mention::new(names, operators.iter().map(String::as_str))?;
        let (columns, tags) = columns.finish();
        let mut columns_by_relation: ByNumber<Oid, Vec<ColumnNumber>> = ByNumber::default();
        for id in columns.keys() {
            columns_by_relation.entry(id.relation).or_default().push(id.number);
        }
        columns_by_relation.values_mut().for_each(|numbers| numbers.sort_unstable());
        let this = Self {
            watch: Watch::Something,
            audience,
            columns,
            relations,
            functions,
            operators,
            types,
            notifies,
            mention,
            functions_by_name,
            columns_by_relation,
        };
        Ok((this, tags, problems))
    }

    /// Where nothing is personal data, in this database or in another that can be reached from it.
    ///
    /// # Errors
    /// [`MentionError`], as in [`Self::bind`].
    pub fn nothing() -> Result<Self, MentionError> {
        Ok(Self {
            watch: Watch::Nothing,
            audience: Audience::Everyone,
            columns: ByNumber::default(),
            relations: ByNumber::default(),
            functions: HashMap::new(),
            operators: BTreeSet::new(),
            types: BTreeSet::new(),
            notifies: Notifies::No,
            mention: Mention::of_nothing()?,
            functions_by_name: HashMap::new(),
            columns_by_relation: ByNumber::default(),
        })
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

    /// Whether a function of this name, in whatever schema, leads around the tables.
    pub fn is_side_door_function(&self, name: &str) -> bool {
        side_door_function(name) && !self.audience.may_use(name)
    }

    /// Whether a relation leads around the tables.
    pub fn is_side_door_relation(&self, schema: &str, name: &str) -> bool {
        side_door_relation(schema, name) && !self.audience.may_use(name)
    }

    pub fn reach(&self, relation: Oid) -> Option<&Reach> {
        self.relations.get(&relation)
    }

    /// Sensitive functions of that name, in whatever schema and with whatever arguments.
    pub fn functions_named(&self, name: &str) -> impl Iterator<Item = &FunctionReach> {
        self.functions_by_name.get(name).into_iter().flatten().filter_map(|o| self.functions.get(o))
    }
}

fn functions(
    schema: &Snapshot,
    mut found: HashMap<Oid, Why>,
    mut declared: BTreeMap<Oid, Option<DeclaredResult>>,
) -> HashMap<Oid, FunctionReach> {
    let mut functions = HashMap::with_capacity(found.len());
    for function in &schema.functions {
        if let Some(why) = found.remove(&function.oid) {
            let name = function.name.clone();
            let declared = declared.remove(&function.oid).flatten();
            functions.insert(function.oid, FunctionReach { name, why, declared });
        }
    }
    functions
}

/// The names of sensitive types. PostgreSQL's own types are used without being named: whoever hung
/// a cast over personal data on one is told so.
fn types(
    schema: &Snapshot,
    reaching: &Reaching<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for code in schema.types.iter().filter(|code| reaching.types.contains(&code.oid)) {
        if code.name.schema == "pg_catalog" {
            let kind = ProblemKind::Cast(code.name.name.clone());
            problems.push(Problem { place: String::new(), kind });
        } else {
            names.insert(code.name.name.clone());
        }
    }
    // Rows with such columns check them as well, at whatever depth; arrays are told by their names.
    let element = |column: &Column| {
        let name = column.value.sql.trim_end_matches("[]");
        name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_owned()
    };
    loop {
        let before = names.len();
        for relation in schema.relations.values() {
            let is_checked = |column: &Column| {
                reaching.types.contains(&column.type_oid)
                    || names.contains(&element(column))
                    || schema
                        .row_types
                        .get(&column.type_oid)
                        .and_then(|row| schema.relation(*row))
                        .is_some_and(|row| names.contains(&row.name.name))
            };
            if relation.columns.iter().any(is_checked) {
                names.insert(relation.name.name.clone());
            }
        }
        if names.len() == before {
            return names;
        }
    }
}

#[cfg(test)]
mod tests;
