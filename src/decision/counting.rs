//! Which statements limited grants are of use to: those whose raw values all stand in the rows of
//! their result, where they can be counted.

use super::{Release, Standpoint, Subjects};
use crate::analysis::facts::{Analysis, Flow, Kind, Place, Reference, Shape};
use crate::analysis::sensitive::Reach;
use crate::grant::Counting;
use crate::model::ColumnId;

/// What can be counted of the statement's result.
pub(super) fn of(analysis: &Analysis, standpoint: Standpoint<'_>) -> Counting {
    let sensitive = &standpoint.world.sensitive;
    let in_rows = |reference: &Reference| {
        reference.place == Place::From
            && reference.flow == Flow::Client
            && matches!(sensitive.reach(reference.relation), Some(Reach::Table | Reach::Stored))
    };
    let rows = analysis.kind == Kind::Query
        && analysis.shape == Shape::Plain
        && analysis.writes.is_empty()
        && analysis.references.iter().all(in_rows);
    match (rows, analysis.references.as_slice()) {
        (false, _) => Counting::Uses,
        // Of several, nobody could say whose values are which subject's.
        (true, [only]) if key(only, standpoint).is_some() => Counting::Subjects,
        (true, _) => Counting::Rows,
    }
}

/// Notes how the rows of the result count.
pub(super) fn note(analysis: &Analysis, standpoint: Standpoint<'_>, release: &mut Release) {
    if release.meters.is_empty() {
        return;
    }
    let reads = |reference: &&Reference| {
        release.columns.iter().any(|column| reference.touched.contains(column))
    };
    let count = analysis.references.iter().filter(reads).count();
    release.weight = u64::try_from(count).unwrap_or(u64::MAX).max(1);
    let counts_subjects = |meter: &crate::grant::Meter| meter.0.limits().max_subjects.is_some();
    if let ([only], true) =
        (analysis.references.as_slice(), release.meters.iter().any(counts_subjects))
    {
        release.subjects =
            key(only, standpoint).map(|key| Subjects { key, columns: release.columns.clone() });
    }
}

/// The column that tells the subjects of a relation apart: the first that the catalog names, or a
/// primary key of one column.
fn key(reference: &Reference, standpoint: Standpoint<'_>) -> Option<ColumnId> {
    let world = standpoint.world;
    let relation = world.schema.relation(reference.relation)?;
    let (_, pii) = world.sensitive.columns_of(reference.relation).next()?;
    match (world.view.subjects(&pii.path.relation), relation.primary_key.as_slice()) {
        (Some(names), _) => relation.id_of(names.first()?),
        (None, [number]) => Some(ColumnId { relation: relation.oid, number: *number }),
        (None, _) => None,
    }
}
