//! Columns that refer to personal data by a foreign key: they hold the same values.

use super::columns::is_inherited;
use super::{Drift, DriftKind, Severity, Sides, dotted};
use crate::model::{ColumnId, ColumnNumber, Oid};
use crate::schema::{Column, ConstraintKind, Relation};

pub(super) fn find(sides: Sides<'_>) -> Vec<Drift> {
    let tables = sides.tables();
    let mut found = Vec::new();
    for relation in sides.schema.relations.values() {
        let keys = relation.constraints.iter().filter(|it| it.kind == ConstraintKind::ForeignKey);
        let table = tables.get(&relation.name);
        found.extend(keys.filter_map(|key| {
            let ([number], Some(other)) = (key.columns.as_slice(), key.other) else { return None };
            let column = relation.column_numbered(*number)?;
            let id = ColumnId { relation: relation.oid, number: *number };
            let is_named = table.is_some_and(|table| table.columns.contains_key(&column.name));
            let is_told = is_inherited(sides, relation, column);
            if is_named || is_told || sides.sensitive.column(id).is_some() {
                return None;
            }
            let (source, of) = referred(sides, relation, other)?;
            let id = ColumnId { relation: source.oid, number: of.number };
            let class = &sides.sensitive.column(id)?.class;
            Some(told(
                relation,
                column,
                &dotted(source, &of.name),
                class,
                table.map(|it| &*it.place),
            ))
        }));
    }
    found
}

fn told(
    relation: &Relation,
    column: &Column,
    source: &str,
    class: &str,
    place: Option<&str>,
) -> Drift {
    let path = dotted(relation, &column.name);
    Drift {
        severity: Severity::Warning,
        kind: DriftKind::Uncatalogued,
        table: Some(relation.name.clone()),
        column: Some(column.name.clone()),
        place: place.unwrap_or_default().to_owned(),
        words: format!(
            "{path} is not in the catalog: it holds values of {source} (class \"{class}\"), by a \
             foreign key"
        ),
    }
}

/// The column of `other` that a foreign key of `relation` refers to, if there is only one such key
/// between the two: which key means which column is not known otherwise.
fn referred<'a>(
    sides: Sides<'a>,
    relation: &Relation,
    other: Oid,
) -> Option<(&'a Relation, &'a Column)> {
    let source = sides.schema.relation(other)?;
    let from = source
        .constraints
        .iter()
        .filter(|it| it.kind == ConstraintKind::ReferencedBy && it.other == Some(relation.oid));
    let columns: Vec<&[ColumnNumber]> = from.map(|it| it.columns.as_slice()).collect();
    match columns.as_slice() {
        [[number]] => Some((source, source.column_numbered(*number)?)),
        _ => None,
    }
}
