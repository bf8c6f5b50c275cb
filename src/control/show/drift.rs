//! `SHOW DRIFT`.

use super::super::desk::{Database, Drifted};
use super::super::table::{Cell, Column};
use crate::discovery::drift::Found;

pub(super) const COLUMNS: &[Column] = &[
    Column::text("database"),
    Column::text("severity"),
    Column::text("kind"),
    Column::text("table"),
    Column::text("column"),
    Column::text("what"),
    Column::text("place"),
    Column::time("since"),
];

pub(super) fn rows(database: &Database) -> Vec<Vec<Cell>> {
    let each = database.drift.iter().flat_map(Drifted::each);
    each.map(|(name, found)| row(name, found)).collect()
}

fn row(database: &str, Found { drift, since }: &Found) -> Vec<Cell> {
    let place = Some(&drift.place).filter(|place| !place.is_empty());
    vec![
        database.to_owned().into(),
        drift.severity.as_str().into(),
        drift.kind.as_str().into(),
        drift.table.as_ref().map(ToString::to_string).into(),
        drift.column.clone().into(),
        drift.words.clone().into(),
        place.cloned().into(),
        (*since).into(),
    ]
}
