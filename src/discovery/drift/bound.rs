//! What binding the catalog to the schema has found already.

use super::{Drift, DriftKind, Severity};
use crate::analysis::sensitive::{Problem, ProblemKind};
use crate::model::{ColumnPath, RelationName};

impl From<&Problem> for Drift {
    fn from(problem: &Problem) -> Self {
        let (kind, table, column) = about(&problem.kind);
        Self {
            severity: Severity::Problem,
            kind,
            table,
            column,
            place: problem.place.clone(),
            words: problem.kind.to_string(),
        }
    }
}

fn about(kind: &ProblemKind) -> (DriftKind, Option<RelationName>, Option<String>) {
    let at = |path: &ColumnPath| (Some(path.relation.clone()), Some(path.column.clone()));
    match kind {
        ProblemKind::NoRelation(name) | ProblemKind::View(name) => {
            (DriftKind::Dangling, Some(name.clone()), None)
        }
        ProblemKind::NoColumn(path) => {
            let (table, column) = at(path);
            (DriftKind::Dangling, table, column)
        }
        ProblemKind::NoFunction(_) => (DriftKind::Dangling, None, None),
        ProblemKind::Renamed { path: _, now } => {
            let (table, column) = at(now);
            (DriftKind::Renamed, table, column)
        }
        ProblemKind::NoClass { path, class: _ } => {
            let (table, column) = at(path);
            (DriftKind::Class, table, column)
        }
        ProblemKind::NoFunctionClass { signature: _, class: _ } => (DriftKind::Class, None, None),
        ProblemKind::Cast(_) | ProblemKind::Operator { symbol: _, function: _ } => {
            (DriftKind::Undecided, None, None)
        }
    }
}
