//! `SHOW SINKS`.

use super::super::desk::Sink;
use super::super::table::{Cell, Column};

pub(super) const COLUMNS: &[Column] = &[
    Column::text("name"),
    Column::text("kind"),
    Column::text("records"),
    Column::text("state"),
    Column::int("next"),
    Column::int("behind_records"),
    Column::int("behind_seconds"),
    Column::int("delivered"),
    Column::int("failures"),
    Column::int("refused"),
    Column::int("missed"),
    Column::time("last_delivery"),
    Column::text("failing"),
];

pub(super) fn rows(sinks: Vec<Sink>) -> Vec<Vec<Cell>> {
    sinks.into_iter().map(row).collect()
}

fn row(sink: Sink) -> Vec<Cell> {
    let state = sink.state();
    vec![
        sink.name.into(),
        sink.kind.into(),
        sink.kinds.into(),
        state.into(),
        sink.next.into(),
        sink.behind_records.into(),
        sink.behind_secs.into(),
        sink.delivered.into(),
        sink.failures.into(),
        sink.refused.into(),
        sink.missed.into(),
        sink.last_delivery.into(),
        sink.failing.into(),
    ]
}
