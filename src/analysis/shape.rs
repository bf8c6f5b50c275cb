//! Is it *show*? Hidden columns appear only as bare output columns of one plain SELECT, so rows
//! can be masked on the wire and the text stays the client's own. In doubt it is *compute*.

use std::collections::HashSet;

use super::facts::{Analysis, Place, Shape};
use super::names::{Names, Reach as NamesReach, SYSTEM_COLUMNS};
use super::sensitive::Reach;
use super::statement::Context;
use super::tree::{Deeper, Node};

/// The shape of a query; `analysis` holds its references already.
pub(super) fn of(tree: &Node, analysis: &Analysis, context: Context<'_>) -> Shape {
    if is_plain(tree, analysis, context) { Shape::Plain } else { Shape::Computed }
}

/// Clauses that compute with rows or nest queries.
const COMPUTING: [&str; 9] = [
    "distinct_clause",
    "group_clause",
    "having_clause",
    "window_clause",
    "values_lists",
    "with_clause",
    "op",
    "larg",
    "into_clause",
];

fn is_plain(tree: &Node, analysis: &Analysis, context: Context<'_>) -> bool {
    if tree.kind != "SelectStmt" || COMPUTING.iter().any(|field| has_clause(tree, field)) {
        return false;
    }
    let tables_only = analysis.references.iter().all(|reference| {
        reference.place == Place::From
            && matches!(
                context.sensitive.reach(reference.relation),
                Some(Reach::Table | Reach::Stored | Reach::Carrier(_))
            )
    });
    if !tables_only || !analysis.in_band.is_empty() || !from_is_plain(tree) {
        return false;
    }
    let (bare, rest) = outputs(tree);
    let hidden = hidden_names(analysis, context);
    let row_names = row_names(tree);
    // A function may be fed a whole row, or PII under a name that the alias list gave it.
    rest.reach == NamesReach::Named
        && hidden.is_disjoint(&rest.columns.iter().map(String::as_str).collect())
        && !rest.rows.iter().any(|name| row_names.contains(name.as_str()))
        && rest.qualified.iter().all(|(row, field)| is_column(analysis, context, row, field))
        && bare.iter().all(|output| {
            output.is_safe(&rest, &row_names)
                && output.pair().is_none_or(|(row, field)| is_column(analysis, context, row, field))
        })
        && !sorts_by_position(tree)
}

/// `op` is 1 (SETOP_NONE) on a plain SELECT; every other clause is absent when it is empty.
fn has_clause(tree: &Node, field: &str) -> bool {
    if field == "op" { tree.int("op") > 1 } else { tree.has(field) }
}

/// FROM holds relations and joins on conditions, nothing that nests.
fn from_is_plain(tree: &Node) -> bool {
    let mut plain = true;
    tree.walk(&mut |node| {
        plain &= !matches!(
            node.kind,
            "SubLink"
                | "RangeSubselect"
                | "RangeFunction"
                | "RangeTableFunc"
                | "RangeTableSample"
                | "JsonTable"
                | "FuncCall"
        ) || (node.kind == "FuncCall" && is_pure_call(node));
        plain &= !(node.kind == "JoinExpr" && (node.has("alias") || node.is("is_natural")));
        Deeper::Yes
    });
    plain
}

/// Any call but a window function: what it is given is looked at by name.
fn is_pure_call(call: &Node) -> bool {
    !call.has("over")
}

/// An output column that is nothing but a column or a star.
struct Bare<'a> {
    alias: &'a str,
    parts: Vec<&'a str>,
    star: bool,
}

impl<'a> Bare<'a> {
    /// The last qualifier and the column.
    fn pair(&self) -> Option<(&'a str, &'a str)> {
        match self.parts.as_slice() {
            [.., row, field] if !self.star => Some((row, field)),
            _ => None,
        }
    }

    /// The alias is not used to sort by, and the column is no whole row in disguise.
    fn is_safe(&self, rest: &Names, row_names: &HashSet<&str>) -> bool {
        let alias_unused = self.alias.is_empty() || !rest.columns.contains(self.alias);
        let is_row = !self.star && self.parts.last().is_some_and(|last| row_names.contains(last));
        alias_unused && !is_row && self.parts.len() <= 3
    }
}

/// The bare outputs, and the names of everything else in the statement.
fn outputs(tree: &Node) -> (Vec<Bare<'_>>, Names) {
    let mut bare = Vec::new();
    let mut rest = Node { kind: "rest", fields: Vec::new() };
    for (field, value) in &tree.fields {
        if *field != "target_list" {
            rest.fields.push((field, value.clone()));
        }
    }
    for target in tree.nodes("target_list") {
        match target.node("val") {
            Some(column) if column.kind == "ColumnRef" && !target.has("indirection") => {
                bare.push(Bare {
                    alias: target.text("name"),
                    parts: column.names("fields"),
                    star: column.nodes("fields").any(|part| part.kind == "AStar"),
                });
            }
            _ => rest.fields.push(("target", target.get("val").clone())),
        }
    }
    (bare, Names::of(&rest))
}

fn hidden_names<'a>(analysis: &Analysis, context: Context<'a>) -> HashSet<&'a str> {
    let touched = analysis.references.iter().flat_map(|reference| &reference.touched);
    touched.filter_map(|id| context.schema.column(*id)).map(|column| column.name.as_str()).collect()
}

/// The names by which rows in FROM go.
fn row_names(tree: &Node) -> HashSet<&str> {
    let mut names = HashSet::new();
    tree.walk(&mut |node| {
        match node.kind {
            "RangeVar" if node.has("alias") => {
                names.extend(node.node("alias").map(|alias| alias.text("aliasname")));
            }
            "RangeVar" => {
                names.insert(node.text("relname"));
            }
            "JoinExpr" => {
                names.extend(node.node("join_using_alias").map(|alias| alias.text("aliasname")));
            }
            _ => {}
        }
        Deeper::Yes
    });
    names
}

/// Whether `row.field` is a column wherever `row` is sensitive: with an unknown `field` it would
/// apply a function of that name to the whole row.
fn is_column(analysis: &Analysis, context: Context<'_>, row: &str, field: &str) -> bool {
    analysis.references.iter().all(|reference| {
        let Some(relation) = context.schema.relation(reference.relation) else { return false };
        let name = reference.alias.as_deref().unwrap_or(&relation.name.name);
        name != row || relation.column(field).is_some() || SYSTEM_COLUMNS.contains(&field)
    })
}

/// ORDER BY 2 sorts by an output column, which may be hidden.
fn sorts_by_position(tree: &Node) -> bool {
    tree.nodes("sort_clause")
        .filter_map(|sort| sort.node("node"))
        .any(|key| !matches!(key.kind, "ColumnRef" | "AExpr" | "FuncCall"))
}
