//! What a session's steps add to metrics and to the list of sessions.

use super::Relay;
use crate::audit::{Event, Names, Statement};
use crate::model::{ColumnId, ColumnPath, RelationName};
use crate::session::{Rest, Tally};
use crate::telemetry::ColumnCells;
use crate::telemetry::labels::{Refusal, Verdict};
use crate::telemetry::sessions::{Exposure, State};

/// Somebody was shown what nobody has a reason to look at. The record says who.
fn warn_of_honey(statement: &Statement) {
    if let Some(shown) = &statement.subjects {
        for table in &shown.honey {
            let Statement { session, statement, .. } = statement;
            tracing::warn!(session, statement, %table, "a decoy was shown raw");
        }
    }
}

/// Whether the list says that this session sees something raw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Exposed {
    #[default]
    Nothing,
    Something,
}

impl<C, S> Relay<'_, C, S> {
    /// Counts what the last steps did, and hands on what is counted elsewhere.
    pub(super) fn tally(&mut self) {
        let state = match self.session.rest() {
            Some(Rest::Idle) => State::Idle,
            Some(Rest::InTransaction) => State::InTransaction,
            Some(Rest::InFailedTransaction) => State::FailedTransaction,
            None => State::Active,
        };
        self.listed.set_state(state);
        let mut statements = 0;
        for event in &self.effects.audit {
            if let Event::Statement(statement) = event {
                statements += 1;
                warn_of_honey(statement);
                if !statement.raw_columns.is_empty() || self.exposed == Exposed::Something {
                    let exposure = exposure(&statement.raw_columns, &statement.grants);
                    let raw = !exposure.columns.is_empty();
                    self.exposed = if raw { Exposed::Something } else { Exposed::Nothing };
                    self.listed.expose(exposure);
                }
            }
        }
        if statements > 0 {
            self.listed.count_statements(statements);
        }
        if !self.effects.samples.is_empty() {
            self.database.hand_over(&mut self.effects.samples);
        }
        let tally = std::mem::take(&mut self.effects.tally);
        self.count(tally);
    }

    /// Shows in the list what is about to be released.
    pub(super) fn show_release(&mut self, event: &Event) {
        if let Event::Release(release) = event {
            self.exposed = Exposed::Something;
            self.listed.expose(exposure(&release.columns, &release.grants));
        }
    }

    fn count(&self, tally: Tally) {
        let Tally {
            decided,
            clear,
            shown,
            computed,
            raw,
            refused,
            cut,
            violations,
            masked_cells,
            raw_cells,
        } = tally;
        let metrics = &self.around.metrics;
        let counts = [
            (metrics.statements.of(Verdict::Clear), clear),
            (metrics.statements.of(Verdict::Show), shown + raw),
            (metrics.statements.of(Verdict::Compute), computed),
            (metrics.statements.of(Verdict::Refuse), refused.len() as u64),
            (metrics.cuts.of(self.cut_cause), cut),
            (&metrics.gate3_violations, violations),
        ];
        for (counter, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            counter.inc_by(count);
        }
        for state in refused {
            metrics.refused.of(Refusal::of(state)).inc();
        }
        if decided > 0 {
            let took = (self.around.clock)().duration_since(self.now);
            metrics.decision.observe(took.as_secs_f64());
        }
        for (column, count) in masked_cells {
            self.with_cells(column, |cells| cells.masked(count));
        }
        for (column, count) in raw_cells {
            self.with_cells(column, |cells| cells.raw(count));
        }
    }

    /// Once per result and column. What a column is counted as changes with the world only.
    fn with_cells(&self, id: ColumnId, act: impl FnOnce(&ColumnCells)) {
        let world = self.worlds.load();
        let key = (world.epoch, id);
        if let Some(cells) = self.database.cells.get(&key) {
            return act(&cells);
        }
        if let Some(column) = world.sensitive.column(id) {
            let cells = self.around.metrics.column(&column.class, &column.path.dotted());
            act(&cells);
            self.database.cells.insert(key, cells);
        }
    }
}

fn exposure(columns: &Names, grants: &[u64]) -> Exposure {
    let columns = columns.iter().filter_map(|name| column_path(name)).collect();
    Exposure { columns, grants: grants.to_vec() }
}

/// Reads `schema.table.column` back, for showing: dots within a name count as the table's.
fn column_path(name: &str) -> Option<ColumnPath> {
    let (schema, rest) = name.split_once('.')?;
    let (table, column) = rest.rsplit_once('.')?;
    Some(ColumnPath { relation: RelationName::new(schema, table), column: column.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_columns_name_reads_back() {
        let path = column_path("public.customers.email").unwrap();
        assert_eq!(path.to_string(), "public.customers.email");
        assert_eq!((&*path.relation.name, &*path.column), ("customers", "email"));
        assert_eq!(column_path("email"), None);
    }
}
