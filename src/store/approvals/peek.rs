//! A look at the store from outside: what a proxy would go by, without becoming one.

use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::journal::Journal;
use super::writer::is_set_back;
use crate::grant::{GrantEvent, Ledger, LiveTable, RecordedEvent, Standing};
use crate::model::{Epoch, Timestamp};

/// The live table that the store `url` and the `standing` grants give at `now`. Writes nothing; a
/// store that does not exist yet is an empty one. Blocks.
///
/// # Errors
/// [`StoreError::InUse`] while a proxy has it; others when it cannot be read.
pub fn peek(
    url: &str,
    base_dir: &Path,
    standing: &[Standing],
    now: Timestamp,
) -> Result<LiveTable, StoreError> {
    let mut ledger = Ledger::default();
    if let Some(mut journal) = Journal::open_to_read(url, base_dir)? {
        let events = journal.events_after(0)?;
        for event in &events {
            ledger.apply(event)?;
        }
        let seen_at = journal.seen_at().map_err(|error| journal.failed(error))?;
        if is_set_back(seen_at, now) {
            let ends = ledger.revoke_for_clock(now);
            take_in(&mut ledger, ends, now)?;
        }
    }
    table(ledger, standing, now)
}

/// The live table of the `standing` grants alone.
///
/// # Errors
/// [`StoreError::Events`] when they contradict each other.
pub fn standing_only(standing: &[Standing], now: Timestamp) -> Result<LiveTable, StoreError> {
    table(Ledger::default(), standing, now)
}

fn table(
    mut ledger: Ledger,
    standing: &[Standing],
    now: Timestamp,
) -> Result<LiveTable, StoreError> {
    let begin = ledger.reconcile(standing);
    take_in(&mut ledger, begin, now)?;
    Ok(LiveTable::new(Epoch::default(), ledger.open_grants().map(Arc::clone)))
}

fn take_in(ledger: &mut Ledger, events: Vec<GrantEvent>, now: Timestamp) -> Result<(), StoreError> {
    for event in events {
        let sequence = ledger.sequence() + 1;
        ledger.apply(&RecordedEvent { sequence, at: now, event })?;
    }
    Ok(())
}
