//! What the analysis of one statement found: the words in which decisions are made.

use std::collections::HashSet;
use std::ops::Range;

use super::names::Names;
use crate::model::{ColumnId, Oid};

/// One statement, resolved against a schema and a `search_path`.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub kind: Kind,
    /// References to sensitive relations.
    pub references: Vec<Reference>,
    /// Unqualified names that another schema's sensitive relation shares; spliced so that what runs
    /// is what was resolved here.
    pub qualify: Vec<Qualify>,
    /// Reasons to refuse that no column grant clears.
    pub obstacles: Vec<Obstacle>,
    /// Functions with a declared class that the statement calls.
    pub classed: Vec<ClassedCall>,
    pub shape: Shape,
    pub results: Results,
    /// INSERT, UPDATE, DELETE, MERGE on sensitive relations, in CTEs as well.
    pub writes: Vec<Write>,
    /// What the values read that an UPDATE stores into a relation that is not sensitive.
    pub stored: Vec<Names>,
    /// References to the proxy's own relations and functions in schema `keyhole`.
    pub in_band: Vec<InBand>,
    /// The prepared statement that EXPLAIN or CREATE TABLE AS executes.
    pub executes: Option<String>,
    /// `schema.relation` before a column, where the relation is sensitive.
    pub rows_by_schema: Vec<Qualify>,
    pub names: Names,
    /// The statement's bytes in the text.
    pub span: Range<usize>,
}

/// What a statement is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SELECT, VALUES, TABLE and data-modifying statements.
    Query,
    CopyOut,
    CopyIn,
    /// `PREPARE name AS …`
    Prepare(String),
    Execute(String),
    /// `DEALLOCATE name`, None for ALL.
    Deallocate(Option<String>),
    /// `DECLARE name CURSOR FOR …`
    Declare(String),
    /// FETCH and MOVE.
    Fetch(String),
    /// `CLOSE name`, None for ALL.
    Close(Option<String>),
    Explain,
    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW.
    Store,
    /// Changes what exists; the schema snapshot is stale afterwards.
    Define,
    /// Settings, transactions, locks, maintenance: shows nothing.
    Utility,
}

/// Whether hidden columns appear only as bare output columns of one plain SELECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// They do: rows can be masked on the wire.
    Plain,
    Computed,
}

/// Which rows one row of a result shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// Of each reference one, or none.
    OneByOne,
    /// What may be made of several.
    Mixed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub relation: Oid,
    pub place: Place,
    /// The name's bytes, qualifiers included.
    pub name: Range<usize>,
    /// All bytes that stand for the relation: ONLY and a trailing star included.
    pub span: Range<usize>,
    /// The alias as written, if any.
    pub alias: Option<String>,
    pub children: Children,
    /// PII columns that the statement may read through this reference.
    pub touched: Vec<ColumnId>,
    /// System columns that the statement names.
    pub system: Vec<&'static str>,
    /// What the rows read here flow into.
    pub flow: Flow,
    /// The TABLESAMPLE clause's bytes.
    pub sample: Option<Range<usize>>,
    /// The GROUP BY of the SELECT that this is a direct part of.
    pub group: Option<Group>,
    /// Conditions of that SELECT that could run on stored values.
    pub lookups: Vec<Lookup>,
}

/// A column compared with values that the client sends: a conjunct of WHERE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    pub column: ColumnId,
    /// The condition's bytes.
    pub span: Range<usize>,
    /// The bytes of each value.
    pub values: Vec<Range<usize>>,
}

/// A GROUP BY of plain columns. Grouping by a primary key makes the relation's other columns
/// usable; below a subselect the server no longer knows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Where further columns can be added.
    pub end: usize,
    /// Qualifier and name.
    pub columns: Vec<(Option<String>, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    From,
    /// `TABLE relation`, which stands for a whole SELECT.
    TableCommand,
    /// In FROM with TABLESAMPLE.
    Sampled,
    /// Target of the write with this index.
    Target(usize),
    /// COPY relation TO.
    Copy,
    /// COPY relation FROM.
    CopyTarget,
    /// LOCK, TRUNCATE, VACUUM …: nothing is read.
    Utility,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    Included,
    Only,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Client,
    /// Into a stored relation.
    Stored,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qualify {
    pub span: Range<usize>,
    pub relation: Oid,
}

/// Why a statement cannot be let through or rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A door around the tables: statistics, files, SQL in strings, other sessions' statements.
    SideDoor(String),
    /// A function whose body reads PII, or cannot be looked into.
    Function(String),
    /// A view that reads through such a function.
    OpaqueView(String),
    /// DDL over PII, DO, LOAD …: needs the `ddl` role.
    Ddl(String),
    /// A construct that is not supported over PII.
    Unsupported(String),
    /// No relation of that name under this search_path.
    Unknown { name: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassedCall {
    pub function: String,
    pub class: String,
}

/// An INSERT, UPDATE, DELETE or MERGE whose target is sensitive.
#[derive(Clone, Debug)]
pub struct Write {
    /// One, except for MERGE.
    pub actions: Vec<WriteAction>,
    /// Index into `references`.
    pub target: usize,
    pub assigned: Vec<Assignment>,
    /// Column references at the statement's own level.
    pub uses: Vec<ColumnUse>,
    /// Other items in FROM/USING.
    pub others: Vec<OtherItem>,
    /// Every name by which rows go, anywhere in the statement, but the target's.
    pub aliases: HashSet<String>,
    /// Names of the target's row before and after the write, for RETURNING.
    pub versions: Vec<String>,
    pub conflict: Conflict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteAction {
    Insert,
    Update,
    Delete,
}

/// `column = value` of a SET, or a column that an INSERT fills.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub column: String,
    pub value: Assigned,
    /// What the value reads.
    pub reads: Names,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// A constant, a parameter, or a column of what the client sent along; the expression's bytes.
    Plain(Range<usize>),
    /// DEFAULT.
    Default,
    /// Any other expression.
    Expression,
    /// A new row's value.
    Inserted,
}

/// A reference to a column, at the level of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnUse {
    pub span: Range<usize>,
    pub qualifier: Option<String>,
    /// None for a star.
    pub column: Option<String>,
    pub place: UsePlace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsePlace {
    /// WHERE, ON: read to find rows.
    Condition,
    /// A bare output column of RETURNING without an alias of its own.
    Returned,
    /// Inside an expression of RETURNING, or a column with an alias.
    ReturnedExpression,
    /// In the value of a SET.
    Assigned,
    /// In a subquery of any of these.
    Nested,
}

/// Another item of UPDATE … FROM, DELETE … USING or MERGE … USING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherItem {
    /// The name by which its rows go.
    pub alias: Option<String>,
    /// The relation that it is; None for a subquery, function, CTE or join.
    pub relation: Option<Oid>,
    pub source: Source,
}

/// Whether anything sensitive is read below an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Harmless,
    Sensitive,
}

/// ON CONFLICT's choice of index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conflict {
    #[default]
    None,
    /// `(column, …)`
    Columns(Vec<String>),
    /// No target, or by constraint name or expression.
    Any,
}

/// A reference to schema `keyhole`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InBand {
    pub name: String,
    /// None for a relation.
    pub arguments: Option<Vec<Given>>,
    /// The bytes to replace.
    pub span: Range<usize>,
    pub alias: Option<String>,
}

/// An argument of a call: by its place, or `name => value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub name: Option<String>,
    pub value: Argument,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    Text(String),
    Null,
    /// `$n`
    Parameter(u16),
}
