//! One statement's meaning: dispatch over PostgreSQL's statement kinds.

use super::define;
use super::facts::{Analysis, Flow, Kind, Obstacle, Place, Shape};
use super::names::Names;
use super::parse::Parsed;
use super::sensitive::Sensitive;
use super::tree::{Node, Value};
use super::walk::Walker;
use super::{results, shape};
use crate::schema::{Relation, Snapshot};

/// The schemas in which unqualified names are looked up, in order, implicit ones included
/// (`current_schemas(true)`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SearchPath(pub Vec<String>);

impl SearchPath {
    /// The relation that `name` means under this path.
    pub fn resolve<'a>(&self, schema: &'a Snapshot, name: &str) -> Option<&'a Relation> {
        self.0.iter().find_map(|namespace| schema.find(namespace, name))
    }
}

/// What names mean: the same text means different things under different contexts.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub schema: &'a Snapshot,
    pub sensitive: &'a Sensitive,
    pub path: &'a SearchPath,
}

/// Analyses the statement with this `index` of a parsed text.
pub fn analyse(parsed: &Parsed, index: usize, context: Context<'_>) -> Analysis {
    let statement = &parsed.statements[index];
    let tree = &statement.tree;
    let names = Names::of(tree);
    let mut walker = Walker::new(&parsed.tokens, context, names, statement.span.clone());
    walker.note_checked_rows(tree);
    top(&mut walker, tree);
    let mut analysis = walker.finish();
    analysis.shape = match &analysis.kind {
        Kind::Query => shape::of(tree, &analysis, context),
        Kind::CopyOut
        | Kind::CopyIn
        | Kind::Prepare(_)
        | Kind::Execute(_)
        | Kind::Deallocate(_)
        | Kind::Declare(_)
        | Kind::Fetch(_)
        | Kind::Close(_)
        | Kind::Explain
        | Kind::Store
        | Kind::Define
        | Kind::Utility => Shape::Computed,
    };
    analysis.results = results::of(tree, &analysis.kind);
    analysis
}

fn top(walker: &mut Walker<'_>, tree: &Node) {
    let kind = match tree.kind {
        "SelectStmt" if has_into(tree) => Kind::Store,
        "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" | "CallStmt" => {
            Kind::Query
        }
        "CopyStmt" if tree.is("is_from") => Kind::CopyIn,
        "CopyStmt" => Kind::CopyOut,
        "PrepareStmt" => Kind::Prepare(tree.text("name").to_owned()),
        "ExecuteStmt" => Kind::Execute(tree.text("name").to_owned()),
        "DeallocateStmt" => Kind::Deallocate(named(tree, "name")),
        "DeclareCursorStmt" => Kind::Declare(tree.text("portalname").to_owned()),
        "FetchStmt" => Kind::Fetch(tree.text("portalname").to_owned()),
        "ClosePortalStmt" => Kind::Close(named(tree, "portalname")),
        "ExplainStmt" => Kind::Explain,
        "CreateTableAsStmt" => Kind::Store,
        "TransactionStmt" | "VariableSetStmt" | "VariableShowStmt" | "DiscardStmt"
        | "ListenStmt" | "UnlistenStmt" | "NotifyStmt" | "ConstraintsSetStmt"
        | "CheckPointStmt" | "LockStmt" | "TruncateStmt" | "VacuumStmt" | "ReindexStmt"
        | "RefreshMatViewStmt" => Kind::Utility,
        _ => Kind::Define,
    };
    walker.out.kind = kind.clone();
    match kind {
        Kind::Query | Kind::Execute(_) => walker.node(tree),
        Kind::Store => {
            walker.flow = Flow::Stored;
            walker.fills_rows();
            body(walker, tree, if tree.kind == "SelectStmt" { None } else { Some("query") });
        }
        Kind::Prepare(_) | Kind::Declare(_) | Kind::Explain => {
            walker.value(tree.get("argtypes"));
            body(walker, tree, Some("query"));
        }
        Kind::CopyIn | Kind::CopyOut => copy(walker, tree),
        Kind::Deallocate(_) | Kind::Fetch(_) | Kind::Close(_) => {}
        Kind::Utility => walker.maintained(tree),
        Kind::Define => define::check(walker, tree),
    }
}

fn named(tree: &Node, field: &str) -> Option<String> {
    tree.has(field).then(|| tree.text(field).to_owned())
}

/// SELECT … INTO, also where the first arm of a set operation has it.
fn has_into(tree: &Node) -> bool {
    tree.has("into_clause") || tree.node("larg").is_some_and(has_into)
}

/// The statement inside another: only what can be rewritten in place.
fn body(walker: &mut Walker<'_>, tree: &Node, field: Option<&str>) {
    let inner = match field {
        None => tree,
        Some(field) => match tree.node(field) {
            Some(inner) => inner,
            None => return walker.unsupported("statement without a body"),
        },
    };
    match inner.kind {
        "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
            if walker.out.kind == Kind::Explain && has_into(inner) {
                walker.flow = Flow::Stored;
            }
            walker.node(inner);
        }
        "ExecuteStmt" => {
            walker.out.executes = Some(inner.text("name").to_owned());
            walker.value(inner.get("params"));
        }
        "DeclareCursorStmt" => body(walker, inner, Some("query")),
        "CreateTableAsStmt" => {
            walker.flow = Flow::Stored;
            body(walker, inner, Some("query"));
        }
        other => walker.unsupported(&format!("{} of {other}", tree.kind)),
    }
}

fn copy(walker: &mut Walker<'_>, tree: &Node) {
    if tree.is("is_program") || tree.has("filename") {
        walker.out.obstacles.push(Obstacle::Ddl("COPY with a file or program".to_owned()));
    }
    if let Some(query) = tree.node("query") {
        walker.node(query);
    }
    if let Value::Node(condition) = tree.get("where_clause") {
        walker.node(condition);
    }
    let place = if tree.is("is_from") { Place::CopyTarget } else { Place::Copy };
    if let Some(relation) = tree.node("relation") {
        walker.copied(relation, place, &tree.names("attlist"));
    }
}
