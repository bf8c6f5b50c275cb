//! A table under observation. Its values are counted on a thread for blocking work, a portion at a
//! time, as many of them take a while.

use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};
use tokio_postgres::Row;

use super::Outcome;
use super::columns::Described;
use super::lossy::Lossy;
use crate::discovery::{ColumnFacts, Finding, Observer};

/// What was seen of one table.
pub struct Observed {
    /// Whether its values were read; names speak in any case.
    pub outcome: Outcome,
    /// In the order of [`Described::columns`].
    pub columns: Vec<ObservedColumn>,
}

pub struct ObservedColumn {
    /// Most confident first.
    pub findings: Vec<Finding>,
    /// Values that were neither NULL nor blank.
    pub seen: u64,
    /// As stored: for whoever asked for them, and to be masked before anybody sees them.
    pub samples: Vec<String>,
}

/// Who looks at the values.
pub(super) struct Eyes {
    columns: Vec<Eye>,
    facts: Vec<ColumnFacts>,
    /// The columns that are read, by their places.
    pub(super) places: Arc<[usize]>,
    samples_max: usize,
}

struct Eye {
    observer: Observer,
    samples: Vec<String>,
}

impl Eyes {
    pub(super) fn new(table: &Described, places: Vec<usize>, samples_max: usize) -> Self {
        let facts = table.columns.iter().map(|column| column.facts.clone());
        let facts: Vec<ColumnFacts> = facts.collect();
        Self { columns: eyes(&facts), facts, places: places.into(), samples_max }
    }

    /// Returns how many bytes the values have; what is no text is left out. After an error it has
    /// seen nothing.
    pub(super) async fn look(&mut self, rows: Vec<Row>) -> Result<u64, JoinError> {
        let mut columns = std::mem::take(&mut self.columns);
        let (places, samples_max) = (Arc::clone(&self.places), self.samples_max);
        let looking = spawn_blocking(move || {
            let bytes: usize =
                rows.iter().map(|row| see(row, &places, &mut columns, samples_max)).sum();
            (columns, bytes)
        });
        let looked = looking.await;
        if looked.is_err() {
            self.columns = eyes(&self.facts);
        }
        let (columns, bytes) = looked?;
        self.columns = columns;
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    pub(super) async fn close(self, table: &Described) -> Result<Vec<ObservedColumn>, JoinError> {
        let names = table.columns.iter().map(|column| column.facts.column.clone());
        let names: Vec<String> = names.collect();
        let weighing = spawn_blocking(move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let column = |Eye { observer, samples }: Eye| ObservedColumn {
                findings: observer.findings(&names),
                seen: observer.seen(),
                samples,
            };
            self.columns.into_iter().map(column).collect()
        });
        weighing.await
    }
}

fn eyes(facts: &[ColumnFacts]) -> Vec<Eye> {
    let eye =
        |facts: &ColumnFacts| Eye { observer: Observer::new(facts.clone()), samples: Vec::new() };
    facts.iter().map(eye).collect()
}

fn see(row: &Row, places: &[usize], columns: &mut [Eye], samples_max: usize) -> usize {
    let mut bytes = 0;
    for (index, place) in places.iter().enumerate() {
        let Ok(value) = row.try_get::<_, Option<Lossy<'_>>>(index) else { continue };
        let value = value.as_ref().map(|text| &*text.0);
        bytes += value.map_or(0, str::len);
        let Some(eye) = columns.get_mut(*place) else { continue };
        eye.observer.see(value);
        if let Some(value) = value.filter(|_| eye.samples.len() < samples_max) {
            eye.samples.push(value.to_owned());
        }
    }
    bytes
}
