//! Fields that were masked, and fields that were released raw: by class of the catalog, and by column.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounter, IntCounterVec};

use super::metrics::{Register, Series};

/// Columns that are told apart. A catalog of more has the rest, and what is derived without end,
/// under [`OTHER`].
const COLUMNS_MAX: usize = 1000;

/// What a column is counted as that is one too many.
const OTHER: &str = "other";

/// The series of all classes and columns.
#[derive(Debug)]
pub(super) struct CellFamilies {
    masked: IntCounterVec,
    raw: IntCounterVec,
    column_masked: IntCounterVec,
    column_raw: IntCounterVec,
    columns: Mutex<HashSet<String>>,
}

/// What is counted of one column of personal data.
#[derive(Clone, Debug)]
pub struct ColumnCells {
    masked: [IntCounter; 2],
    raw: [IntCounter; 2],
}

impl CellFamilies {
    pub(super) fn new(register: &mut Register) -> Series<Self> {
        let mut by = |name, help, labels| register.counters_by(name, help, labels);
        let (class, column): (&[&str], &[&str]) = (&["class"], &["column"]);
        Ok(Self {
            masked: by("masked_cells_total", "fields that were masked, by class", class)?,
            raw: by("raw_cells_total", "fields released raw under a grant, by class", class)?,
            column_masked: by(
                "column_masked_cells_total",
                "fields that were masked, by column of the catalog",
                column,
            )?,
            column_raw: by(
                "column_raw_cells_total",
                "fields released raw under a grant, by column of the catalog",
                column,
            )?,
            columns: Mutex::default(),
        })
    }

    /// Both are words of the catalog; a partition's column is its table's.
    pub(super) fn of(&self, class: &str, column: &str) -> ColumnCells {
        let column = if self.takes(column) { column } else { OTHER };
        let of = |by_class: &IntCounterVec, by_column: &IntCounterVec| {
            [by_class.with_label_values(&[class]), by_column.with_label_values(&[column])]
        };
        ColumnCells {
            masked: of(&self.masked, &self.column_masked),
            raw: of(&self.raw, &self.column_raw),
        }
    }

    fn takes(&self, column: &str) -> bool {
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        columns.contains(column)
            || (columns.len() < COLUMNS_MAX && columns.insert(column.to_owned()))
    }
}

impl ColumnCells {
    /// `count` fields were masked.
    pub fn masked(&self, count: u64) {
        self.masked.iter().for_each(|counter| counter.inc_by(count));
    }

    /// `count` fields were released raw.
    pub fn raw(&self, count: u64) {
        self.raw.iter().for_each(|counter| counter.inc_by(count));
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Metrics;

    use super::*;

    fn series(metrics: &Metrics, start: &str) -> Vec<String> {
        let text = metrics.exposition().unwrap();
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    #[test]
    fn a_column_counts_for_itself_and_its_class() {
        let metrics = Metrics::new().unwrap();
        metrics.column("email", "public.a.x").raw(2);
        metrics.column("email", "public.b.y").raw(3);
        assert_eq!(
            series(&metrics, "keyhole_column_raw_cells_total"),
            [
                "keyhole_column_raw_cells_total{column=\"public.a.x\"} 2",
                "keyhole_column_raw_cells_total{column=\"public.b.y\"} 3",
            ]
        );
        assert_eq!(
            series(&metrics, "keyhole_raw_cells_total"),
            ["keyhole_raw_cells_total{class=\"email\"} 5"]
        );
        assert_eq!(
            series(&metrics, "keyhole_masked_cells_total"),
            ["keyhole_masked_cells_total{class=\"email\"} 0"]
        );
    }

    #[test]
    fn columns_without_end_are_one_series() {
        let metrics = Metrics::new().unwrap();
        for number in 0..COLUMNS_MAX + 50 {
            metrics.column("email", &format!("public.t{number}.x")).masked(1);
        }
        metrics.column("email", "public.t0.x").masked(1);
        let series = series(&metrics, "keyhole_column_masked_cells_total");
        assert_eq!(series.len(), COLUMNS_MAX + 1);
        let other = "keyhole_column_masked_cells_total{column=\"other\"} 50";
        assert!(series.iter().any(|line| line == other));
    }
}
