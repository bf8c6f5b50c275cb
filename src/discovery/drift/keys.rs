//! Columns that say whose row it is, and those that tell decoys: without them nobody knows.

use super::{Drift, DriftKind, Severity, Sides, dotted};
use crate::audit::subject::KeyKind;
use crate::catalog::Table;
use crate::schema::Relation;

/// What a column of the catalog is a key for.
#[derive(Clone, Copy)]
enum For {
    Subjects,
    Decoys,
}

pub(super) fn missing(sides: Sides<'_>) -> Vec<Drift> {
    let mut found = Vec::new();
    for (table, relation) in sides.catalogued() {
        for column in table.subject.iter().flatten() {
            found.extend(of(sides, table, relation, column, &table.place, For::Subjects));
        }
        for honey in sides.catalog.honey.iter().filter(|honey| honey.table == table.name) {
            found.extend(of(sides, table, relation, &honey.key, &honey.place, For::Decoys));
        }
    }
    found
}

fn of(
    sides: Sides<'_>,
    table: &Table,
    relation: &Relation,
    column: &str,
    place: &str,
    key: For,
) -> Option<Drift> {
    let path = dotted(relation, column);
    let without = match key {
        For::Subjects => "whose rows are shown is not recorded",
        For::Decoys => "nobody is told when a decoy is shown",
    };
    let (severity, words) = match relation.column(column) {
        Some(there) if KeyKind::of(&there.value).is_some() => return None,
        Some(there) => {
            let data_type = &there.value.sql;
            let said =
                format!("{path} is a key of type {data_type}, which cannot be one: {without}");
            (Severity::Warning, said)
        }
        None => {
            let now = now_called(sides, table, relation, column);
            let now = now.map(|now| format!(", it is {now} now")).unwrap_or_default();
            (Severity::Problem, format!("there is no key column {path}{now}: {without}"))
        }
    };
    Some(Drift {
        severity,
        kind: DriftKind::Key,
        table: Some(relation.name.clone()),
        column: Some(column.to_owned()),
        place: place.to_owned(),
        words,
    })
}

/// What the column that had the name is called now.
fn now_called(
    sides: Sides<'_>,
    table: &Table,
    relation: &Relation,
    column: &str,
) -> Option<String> {
    let known = sides.memory.0.get(&relation.oid).filter(|known| known.table == table.name)?;
    let (number, _) = known.columns.iter().find(|(_, was)| was.name == column)?;
    relation.column_numbered(*number).map(|now| now.name.clone())
}
