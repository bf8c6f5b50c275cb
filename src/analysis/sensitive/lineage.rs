//! Where the columns of a materialized view come from: what it stores of personal data, column by
//! column. In doubt nothing is said, and all of its columns are hidden.

use std::collections::HashSet;

use super::columns::Columns;
use crate::analysis::names::{Names, Reach};
use crate::analysis::parse::parse;
use crate::analysis::tree::{Deeper, Node};
use crate::model::ColumnId;
use crate::schema::{Relation, RelationKind, Snapshot};

/// What a column of a stored query holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nothing of personal columns.
    Clear,
    /// The values of one.
    Values(ColumnId),
    /// Something computed from some.
    Computed,
}

/// Kinds of nodes that bring columns or rows of other queries, or rows that a name does not tell.
const OPAQUE: [&str; 8] = [
    "CommonTableExpr",
    "JsonTable",
    "RangeFunction",
    "RangeSubselect",
    "RangeTableFunc",
    "RangeTableSample",
    "SubLink",
    "SetOperationStmt",
];

/// What each column of the view holds; None if its query is more than one plain SELECT over tables,
/// or if personal columns decide which rows it has.
pub(super) fn of(view: &Relation, schema: &Snapshot, columns: &Columns<'_>) -> Option<Vec<Holds>> {
    let parsed = parse(view.definition.as_deref()?).ok()?;
    let [statement] = parsed.statements.as_slice() else { return None };
    let select = &statement.tree;
    let nests = ["with_clause", "larg", "values_lists", "distinct_clause", "into_clause"];
    if select.kind != "SelectStmt" || nests.iter().any(|field| select.has(field)) {
        return None;
    }
    let rows = rows(select, schema)?;
    let query = Query { rows: &rows, columns };
    let rest = Node {
        kind: "rest",
        fields: select.fields.iter().filter(|(it, _)| *it != "target_list").cloned().collect(),
    };
    if query.reads_personal(&Names::of(&rest)) {
        return None;
    }
    let outputs: Vec<Holds> =
        select.nodes("target_list").map(|target| query.holds(target.node("val"))).collect();
    (outputs.len() == view.columns.len()).then_some(outputs)
}

/// A table in FROM, and the name by which its rows go.
struct Row<'a> {
    name: &'a str,
    relation: &'a Relation,
}

fn rows<'a>(select: &'a Node, schema: &'a Snapshot) -> Option<Vec<Row<'a>>> {
    let (mut rows, mut is_plain) = (Vec::new(), true);
    select.walk(&mut |node| {
        is_plain &= !OPAQUE.contains(&node.kind);
        if node.kind == "RangeVar" {
            let found = schema.find(node.text("schemaname"), node.text("relname"));
            let is_table = |it: &&Relation| {
                matches!(
                    it.kind,
                    RelationKind::Table
                        | RelationKind::PartitionedTable
                        | RelationKind::MaterializedView
                        | RelationKind::ForeignTable
                )
            };
            match found.filter(is_table) {
                Some(relation) => {
                    let alias = node.node("alias").map(|alias| alias.text("aliasname"));
                    rows.push(Row { name: alias.unwrap_or(&relation.name.name), relation });
                }
                None => is_plain = false,
            }
        }
        Deeper::Yes
    });
    is_plain.then_some(rows)
}

struct Query<'a> {
    rows: &'a [Row<'a>],
    columns: &'a Columns<'a>,
}

impl Query<'_> {
    /// Whether an expression may read a personal column, by its name, a star or a whole row.
    fn reads_personal(&self, names: &Names) -> bool {
        names.reach == Reach::Everything
            || self.rows.iter().any(|row| {
                let personal: HashSet<ColumnId> = self.columns.of(row.relation.oid).collect();
                let all = row.relation.columns.iter().map(|column| column.name.as_str()).collect();
                !personal.is_empty()
                    && (names.reads_row(&[row.name], &all)
                        || personal.iter().any(|id| {
                            let column = row.relation.column_numbered(id.number);
                            column.is_none_or(|column| names.columns.contains(&column.name))
                        }))
            })
    }

    fn holds(&self, value: Option<&Node>) -> Holds {
        let Some(value) = value else { return Holds::Computed };
        if !self.reads_personal(&Names::of(value)) {
            return Holds::Clear;
        }
        let names = value.names("fields");
        let column = match (value.kind, names.as_slice()) {
            ("ColumnRef", [row, column]) => {
                let mut called = self.rows.iter().filter(|it| it.name == *row);
                called.next().filter(|_| called.next().is_none()).map(|it| (it.relation, *column))
            }
            ("ColumnRef", [column]) => {
                let mut having = self.rows.iter().filter(|it| it.relation.column(column).is_some());
                having.next().filter(|_| having.next().is_none()).map(|it| (it.relation, *column))
            }
            _ => None,
        };
        let id = column.and_then(|(relation, column)| relation.id_of(column));
        match id.filter(|id| self.columns.is_pii(*id)) {
            Some(id) => Holds::Values(id),
            None => Holds::Computed,
        }
    }
}
