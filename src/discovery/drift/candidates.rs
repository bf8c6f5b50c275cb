//! Columns whose values may say that they belong into the catalog.

use std::collections::HashSet;

use super::columns::{is_looked_at, known, open, parent};
use super::{Severity, Sides};
use crate::model::{ColumnId, Oid};
use crate::schema::{Column, Relation, Snapshot};

/// How far a column is followed from a partition of a partition to its table.
const PARENTS_MAX: usize = 64;

/// A column of a table that the catalog does not name and that is not hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: ColumnId,
    /// Where it is told: the column that it is inherited from, or itself.
    pub told_at: ColumnId,
    /// The type of its values as they go over the wire: a domain's base type.
    pub type_oid: Oid,
}

/// All of them, in the order of their numbers. What is remembered is not needed: columns that a
/// table's earlier name decides on are among them, and nothing is told of those.
pub fn candidates(sides: Sides<'_>) -> Vec<Candidate> {
    let open: HashSet<ColumnId> = open(sides)
        .into_iter()
        .filter(|open| open.severity != Severity::Note)
        .filter(|open| known(sides.schema, open.relation, open.column).may_say_something())
        .map(|open| id(open.relation, open.column))
        .collect();
    let mut found = Vec::new();
    for relation in sides.schema.relations.values().filter(|relation| is_looked_at(relation)) {
        for column in &relation.columns {
            let candidate = Candidate {
                id: id(relation, column),
                told_at: told_at(sides.schema, relation, column),
                type_oid: column.value.oid,
            };
            let is_shown = sides.sensitive.column(candidate.id).is_none();
            if is_shown && open.contains(&candidate.told_at) {
                found.push(candidate);
            }
        }
    }
    found.sort_unstable_by_key(|candidate| candidate.id);
    found
}

fn told_at(schema: &Snapshot, relation: &Relation, column: &Column) -> ColumnId {
    let mut at = (relation, column);
    for _ in 0..PARENTS_MAX {
        let Some(above) = parent(schema, at.0, at.1) else { break };
        at = above;
    }
    id(at.0, at.1)
}

fn id(relation: &Relation, column: &Column) -> ColumnId {
    ColumnId { relation: relation.oid, number: column.number }
}
