//! From an open journal to the first table.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::reading::{Clock, Reach};
use super::{Writer, is_set_back};
use crate::grant::seal::Sealer;
use crate::grant::{Change, GrantEvent};
use crate::model::Timestamp;
use crate::store::approvals::journal::{History, Journal};
use crate::store::approvals::settings::{Location, Settings};
use crate::store::approvals::shared::Shared;
use crate::store::approvals::{StoreError, runtime};

/// The longest that one step towards a shared store may take.
const PATIENCE_MAX: Duration = Duration::from_secs(5);

impl Writer {
    /// Replays the journal and publishes the first table.
    pub(in super::super) fn open(
        settings: Settings,
        shared: Arc<Shared>,
    ) -> Result<Self, StoreError> {
        let Settings { location, local, max_staleness, standing, on_event, key, .. } = settings;
        let runtime = Arc::new(runtime().map_err(StoreError::Thread)?);
        let poll = match &location {
            Location::Sqlite(_) => max_staleness,
            Location::Postgres(shared) => shared.poll,
        };
        let patience = (max_staleness / 4).min(PATIENCE_MAX);
        let journal = Journal::open(&location, &local, patience, &runtime)?;
        let sealer = Sealer { key, store: journal.store_id()? };
        shared.name(sealer.store.clone());
        let now = (shared.clock)();
        let mut writer = Self {
            shared,
            runtime,
            journal: Some(journal),
            sealer,
            news: Arc::new(Notify::new()),
            sink: on_event,
            undelivered: Vec::new(),
            begins: Vec::new(),
            standing,
            max_staleness,
            poll,
            reach: Reach::Within,
            clock: Clock::Right,
            over: Vec::new(),
            next_health: now,
            next_poll: now,
            next_forget: now,
        };
        writer.first_table()?;
        if let Some(journal) = &writer.journal {
            journal.watch(&writer.news);
        }
        Ok(writer)
    }

    fn first_table(&mut self) -> Result<(), StoreError> {
        // What may take long is read before others are kept out.
        let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
        let before = (self.shared.clock)();
        let first = journal.read()?;
        let (delivered, seen_at) = (journal.delivered()?, journal.seen_at()?);
        self.check_clock(before, &first)?;
        self.absorb(&first.events)?;
        self.undelivered.retain(|event| event.sequence > delivered);
        let resumed = std::mem::take(&mut self.begins).into_iter();
        let resumed = resumed.filter(|change| matches!(change, Change::Resumes { .. }));
        let mut open: Vec<_> = self.shared.ledger().open().cloned().map(Change::Begins).collect();
        open.extend(resumed);
        self.shared.publish(&open);
        let begun = self.begin_now()?;
        let now = begun.decided_at;
        let mut events = Vec::new();
        if is_set_back(seen_at, before) {
            tracing::error!("the clock is behind the store's last record: all grants end");
            events = self.shared.ledger().revoke_for_clock(now);
        } else if first.history == History::Another {
            tracing::error!(
                "the approval store was set back: what this proxy last saw is not in it; all \
                 grants end, and its events are audited again"
            );
            events = self.shared.ledger().revoke_for_history();
        }
        events.extend(self.shared.ledger().reconcile(&self.standing));
        self.write_first(events, now)?;
        self.settle();
        self.healthy(begun);
        Ok(())
    }

    fn write_first(
        &mut self,
        mut events: Vec<GrantEvent>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
        if events.is_empty() {
            return journal.touch(now);
        }
        let at = journal.dated(now);
        self.sealer.seal(&self.shared.ledger(), &mut events, at)?;
        let recorded = journal.append(events, at)?;
        self.tell_of_replaced(&recorded);
        self.absorb(&recorded)?;
        Ok(())
    }
}
