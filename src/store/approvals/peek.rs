//! A look at the store from outside: what a proxy would go by, without becoming one.

use std::path::Path;
use std::sync::Arc;

use super::journal::{self, Kept, look};
use super::writer::is_set_back;
use super::{Location, StoreError};
use crate::grant::{GrantEvent, Ledger, LiveTable, RecordedEvent, Standing};
use crate::model::{Epoch, Timestamp};

/// The live table that the store and the `standing` grants give at `now`. Writes nothing; a store
/// that does not exist yet is an empty one. Blocks.
///
/// # Errors
/// [`StoreError::InUse`] while a proxy has it to itself; others when it cannot be read.
pub fn peek(
    location: &Location,
    standing: &[Standing],
    now: Timestamp,
) -> Result<LiveTable, StoreError> {
    let mut ledger = Ledger::default();
    if let Some(Kept { events, seen_at }) = look(location)? {
        for event in &events {
            ledger.apply(event)?;
        }
        if is_set_back(seen_at, now) {
            let ends = ledger.revoke_for_clock(now);
            take_in(&mut ledger, ends, now)?;
        }
    }
    table(ledger, standing, now)
}

/// Which store it is; None if it does not exist yet and can be made. Writes nothing. Blocks.
///
/// # Errors
/// [`StoreError`] when a proxy could not work with it.
pub fn identify(location: &Location) -> Result<Option<String>, StoreError> {
    journal::identify(location)
}

/// From now on the audit log in `local` goes with the store `id`. No proxy may be running on it.
///
/// # Errors
/// [`StoreError::Local`].
pub fn adopt(local: &Path, id: &str) -> Result<(), StoreError> {
    journal::adopt(local, id)
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
    let mut table = LiveTable::new(Epoch::default(), ledger.open_grants().map(Arc::clone));
    for (user, until) in ledger.suspended() {
        table.suspend(user, until);
    }
    Ok(table)
}

fn take_in(ledger: &mut Ledger, events: Vec<GrantEvent>, now: Timestamp) -> Result<(), StoreError> {
    for event in events {
        let sequence = ledger.sequence() + 1;
        ledger.apply(&RecordedEvent { sequence, at: now, event })?;
    }
    Ok(())
}
