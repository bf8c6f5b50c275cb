//! What exists upstream: relations, columns, functions, as one immutable [`Snapshot`] per database.
//!
//! Pure: the introspection queries run in `upstream`; this is what they are read into.

use std::collections::HashMap;

use crate::model::{ByNumber, ColumnId, ColumnNumber, Epoch, Oid, RelationName};

/// What [`Function::language`] says of aggregates.
pub const LANGUAGE_AGGREGATE: &str = "aggregate";
/// What [`Function::language`] says of the constructors of a range type that runs no code but
/// PostgreSQL's own.
pub const LANGUAGE_RANGE: &str = "range";

/// Everything the proxy knows of one database's schema at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub epoch: Epoch,
    /// `server_version_num`, such as 150018.
    pub server_version: u32,
    pub relations: ByNumber<Oid, Relation>,
    pub functions: Vec<Function>,
    /// Names of schemas that exist.
    pub schemas: Vec<String>,
    /// User-defined operators.
    pub operators: Vec<Operator>,
    /// Types, by the functions that their checks and casts run.
    pub types: Vec<TypeCode>,
    /// Types that carry rows of a relation (its row type, arrays of and domains over it) → relation.
    pub row_types: HashMap<Oid, Oid>,
    /// What `upstream::introspect::schema_version` said when this was read; empty when made by hand.
    pub version: String,
    by_name: HashMap<String, Vec<Oid>>,
    children: HashMap<Oid, Vec<Oid>>,
}

/// Which database it is, whatever it is called and wherever it is reached: OIDs mean the same as
/// long as this is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's system identifier; None where the account may not ask for it.
    pub system: Option<String>,
    /// `pg_database.oid`
    pub database: Oid,
    /// `pg_database.datname`
    pub name: String,
}

impl Identity {
    /// Whether both are the same database, as far as the accounts that asked may know.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.system, &other.system) {
            (Some(one), Some(another)) => one == another && self.database == other.database,
            (None, _) | (_, None) => self.database == other.database && self.name == other.name,
        }
    }

    /// The same text for the same database. Without a system identifier the name has to do.
    pub fn key(&self) -> String {
        match &self.system {
            Some(system) => format!("{system}/{}", self.database),
            None => format!("?/{}/{}", self.database, self.name),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelationKind {
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    ForeignTable,
    Sequence,
    CompositeType,
    Index,
    Other,
}

#[derive(Clone, Debug)]
pub struct Relation {
    pub oid: Oid,
    pub name: RelationName,
    pub kind: RelationKind,
    /// The OID of the relation's row type (`pg_class.reltype`), 0 when it has none.
    pub row_type: Oid,
    /// Live columns in the order of their numbers; dropped ones are left out.
    pub columns: Vec<Column>,
    /// Direct parents by inheritance or partitioning (`pg_inherits`).
    pub parents: Vec<Oid>,
    /// Relations named anywhere in the rules of this one: what a view reads (`pg_depend` over
    /// `pg_rewrite`), DO ALSO/INSTEAD rules of tables included.
    pub reads: Vec<Oid>,
    /// User-defined functions called by the rules of this relation (the same `pg_depend`; those
    /// behind operators included), by OID. PostgreSQL keeps no dependencies on its own functions:
    /// those are to be looked for in [`Self::definition`] and [`Code::text`].
    pub calls: Vec<Oid>,
    /// Row-level security: runs on every statement.
    pub policies: Code,
    /// Rules other than a view's own, defaults, checks, index expressions, trigger conditions.
    pub on_write: Code,
    /// A view's or materialized view's query, as `pg_get_viewdef` prints it with an empty
    /// `search_path`; no semicolon at its end.
    pub definition: Option<String>,
    /// Functions run by triggers on this relation (internal ones excluded), by OID.
    pub triggers: Vec<Oid>,
    /// Unique, primary-key, exclusion, check and foreign-key rules whose verdict depends on values.
    pub constraints: Vec<Constraint>,
    /// Columns of the primary key, empty without one.
    pub primary_key: Vec<ColumnNumber>,
    /// Row-level security is enabled.
    pub row_security: bool,
}

/// Code attached to a relation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    pub reads: Vec<Oid>,
    /// User-defined functions, by OID.
    pub calls: Vec<Oid>,
    /// The expressions and statements themselves, with an empty `search_path`, one per line.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub number: ColumnNumber,
    pub name: String,
    /// The declared type (`pg_attribute.atttypid`); for a domain, the domain.
    pub type_oid: Oid,
    pub value: ValueType,
    pub not_null: bool,
    pub default: ColumnDefault,
    /// `GENERATED ALWAYS AS (…) STORED/VIRTUAL`: the columns its expression reads; None otherwise.
    pub generated_from: Option<Vec<ColumnNumber>>,
}

/// What a column gets when nobody gives it a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnDefault {
    Null,
    /// Its own default, its domain's, or an identity's sequence.
    Expression,
}

/// The type of a column's values as it goes over the wire: a domain's base type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// OID of the base type.
    pub oid: Oid,
    /// `atttypmod` as PostgreSQL keeps it (-1: none); the domain's where the column has none.
    pub typmod: i32,
    /// `format_type(oid, typmod)`, such as `character varying(80)`: good for a cast.
    pub sql: String,
    /// `pg_type.typcategory`, such as `b'S'` for strings.
    pub category: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// Unique indexes and primary keys.
    Unique,
    Exclusion,
    Check,
    /// This relation's columns refer to another's.
    ForeignKey,
    /// Another relation's foreign key refers to these columns.
    ReferencedBy,
}

/// A rule whose success or failure tells something about the values of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    pub kind: ConstraintKind,
    /// For rules over whole rows, all columns.
    pub columns: Vec<ColumnNumber>,
    /// The relation at the other end of a foreign key.
    pub other: Option<Oid>,
    /// `ON UPDATE/DELETE` actions other than NO ACTION/RESTRICT (for `ReferencedBy`).
    pub cascades: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub oid: Oid,
    pub name: RelationName,
    /// `pg_get_function_identity_arguments`, for messages: `p_id integer`.
    pub arguments: String,
    /// `oid::regprocedure` with an empty `search_path`: `public.customer_email(integer)`.
    pub signature: String,
    /// Argument types by OID, input ones.
    pub argument_types: Vec<Oid>,
    /// Types of OUT, INOUT and TABLE arguments, by OID.
    pub output_types: Vec<Oid>,
    pub return_type: Oid,
    /// `sql`, `plpgsql`, `c` …; [`LANGUAGE_AGGREGATE`] for aggregates,
    /// [`LANGUAGE_RANGE`].
    pub language: String,
    /// The body: `prosrc`, or the text of an SQL-standard body (`pg_get_function_sqlbody`); for an
    /// aggregate, the names of the functions it runs.
    pub body: String,
    /// Default expressions of its arguments.
    pub defaults: String,
    /// Relations its SQL-standard body depends on (`pg_depend`).
    pub reads: Vec<Oid>,
    /// The extension it belongs to.
    pub extension: Option<String>,
    /// Functions that an aggregate or an SQL-standard body runs (operators' included), by OID.
    pub runs: Vec<Oid>,
}

/// An operator as statements spell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub symbol: String,
    pub function: Oid,
    /// The function's name without its schema; it may be one of PostgreSQL's own.
    pub function_name: String,
}

/// A type whose checks (domains) or casts run user-defined functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCode {
    pub oid: Oid,
    pub name: RelationName,
    pub calls: Vec<Oid>,
}

impl Snapshot {
    /// Puts the parts together and indexes them.
    pub fn new(
        epoch: Epoch,
        server_version: u32,
        relations: Vec<Relation>,
        functions: Vec<Function>,
        schemas: Vec<String>,
    ) -> Self {
        let mut by_name: HashMap<String, Vec<Oid>> = HashMap::new();
        let mut children: HashMap<Oid, Vec<Oid>> = HashMap::new();
        for relation in &relations {
            for parent in &relation.parents {
                children.entry(*parent).or_default().push(relation.oid);
            }
            by_name.entry(relation.name.name.clone()).or_default().push(relation.oid);
        }
        let row_types = relations.iter().filter(|r| r.row_type != 0).map(|r| (r.row_type, r.oid));
        let row_types = row_types.collect();
        let relations = relations.into_iter().map(|r| (r.oid, r)).collect();
        Self {
            epoch,
            server_version,
            relations,
            functions,
            schemas,
            row_types,
            by_name,
            children,
            ..Self::default()
        }
    }

    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        self.relations.get(&id.relation)?.column_numbered(id.number)
    }

    /// Every relation of that name, in whatever schema.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Relation> {
        self.by_name.get(name).into_iter().flatten().filter_map(|oid| self.relations.get(oid))
    }

    pub fn find(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.named(name).find(|relation| relation.name.schema == schema)
    }

    /// Relations that directly inherit from or are partitions of `parent`.
    pub fn children(&self, parent: Oid) -> impl Iterator<Item = &Relation> {
        self.children.get(&parent).into_iter().flatten().filter_map(|oid| self.relations.get(oid))
    }
}

impl Relation {
    /// A relation without columns, rules or anything else yet.
    pub fn new(oid: Oid, name: RelationName, kind: RelationKind) -> Self {
        Self {
            oid,
            name,
            kind,
            row_type: 0,
            columns: Vec::new(),
            parents: Vec::new(),
            reads: Vec::new(),
            calls: Vec::new(),
            policies: Code::default(),
            on_write: Code::default(),
            definition: None,
            triggers: Vec::new(),
            constraints: Vec::new(),
            primary_key: Vec::new(),
            row_security: false,
        }
    }

    /// Of PostgreSQL itself: `pg_catalog` or `information_schema`.
    pub fn is_system(&self) -> bool {
        matches!(self.name.schema.as_str(), "pg_catalog" | "information_schema")
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn id_of(&self, name: &str) -> Option<ColumnId> {
        let number = self.column(name)?.number;
        Some(ColumnId { relation: self.oid, number })
    }

    pub fn column_numbered(&self, number: ColumnNumber) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }
}
