use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::journal::Journal;
use super::shared::{SLEEP_MAX, Shared, between};
use super::{EventSink, StoreError};
use crate::grant::{Change, GrantEvent, Ledger, LedgerError, Policies, RecordedEvent, Standing};
use crate::model::{Report, SqlState, Timestamp};

/// A clock that has gone back further than this since the store was last written ends grants.
const CLOCK_BACK_MAX: Duration = Duration::from_secs(5);

/// So many expiries are written at once.
const EXPIRIES_MAX: usize = 1_000;

/// What ended is remembered so long; the events stay.
const MEMORY: Duration = Duration::from_secs(86_400);

/// How often what ended longer ago is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Decides on a change with the state that everything before it gave.
pub(super) type Work =
    Box<dyn FnOnce(&Ledger, &Policies, Timestamp) -> Result<Vec<GrantEvent>, Report> + Send>;

pub(super) type Answer = oneshot::Sender<Result<Vec<RecordedEvent>, Report>>;

pub(super) enum Command {
    Change { work: Work, answer: Answer },
    Replace { policies: Policies, standing: Vec<Standing>, answer: Answer },
}

/// Whether the clock has gone back since the store was last written.
pub(super) fn is_set_back(seen_at: Option<Timestamp>, now: Timestamp) -> bool {
    seen_at.is_some_and(|seen| now.checked_add(CLOCK_BACK_MAX).unwrap_or(Timestamp::MAX) < seen)
}

/// Owns the journal; runs on a thread of its own, since writing blocks.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// None after an event did not fit: nothing is written any more, and soon nothing counts.
    journal: Option<Journal>,
    sink: EventSink,
    /// Events that the sink has not taken yet.
    undelivered: Vec<RecordedEvent>,
    max_staleness: Duration,
    next_health: Timestamp,
    next_forget: Timestamp,
}

impl Writer {
    /// Replays the journal and publishes the first table.
    pub(super) fn start(
        mut journal: Journal,
        shared: Arc<Shared>,
        sink: EventSink,
        max_staleness: Duration,
        standing: &[Standing],
    ) -> Result<Self, StoreError> {
        let now = (shared.clock)();
        let events = journal.events_after(0)?;
        let delivered = journal.delivered().map_err(StoreError::Write)?;
        let seen_at = journal.seen_at().map_err(StoreError::Write)?;
        {
            let mut ledger = shared.ledger_mut();
            for event in &events {
                ledger.apply(event)?;
            }
        }
        let undelivered = events.into_iter().filter(|e| e.sequence > delivered).collect();
        let journal = Some(journal);
        let (next_health, next_forget) = (now, now);
        let mut writer =
            Self { shared, journal, sink, undelivered, max_staleness, next_health, next_forget };
        writer.first_table(seen_at, standing, now)?;
        Ok(writer)
    }

    fn first_table(
        &mut self,
        seen_at: Option<Timestamp>,
        standing: &[Standing],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let begins: Vec<_> =
            self.shared.ledger().open_grants().cloned().map(Change::Begins).collect();
        self.shared.publish(&begins);
        let mut events = Vec::new();
        if is_set_back(seen_at, now) {
            tracing::error!("the clock is behind the store's last record: all grants end");
            events = self.shared.ledger().revoke_for_clock(now);
        }
        events.extend(self.shared.ledger().reconcile(standing));
        let journal = self.journal.as_mut().ok_or(StoreError::Stopped)?;
        let sequence = self.shared.ledger().sequence();
        self.shared.sealer.seal(&self.shared.ledger(), &mut events, now)?;
        let recorded = journal.append(sequence, events, now).map_err(StoreError::Write)?;
        self.take_in(&recorded)?;
        self.healthy(now);
        Ok(())
    }

    /// Serves until every handle is gone.
    pub(super) fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            match inbox.recv_timeout(self.pause()) {
                Ok(Command::Change { work, answer }) => {
                    let done = self.change(work);
                    // The caller may have gone; the change stands.
                    let _ = answer.send(done);
                }
                Ok(Command::Replace { policies, standing, answer }) => {
                    let done =
                        self.change(Box::new(move |ledger, _, _| Ok(ledger.reconcile(&standing))));
                    if done.is_ok() {
                        self.shared.policies.store(Arc::new(policies));
                    }
                    let _ = answer.send(done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.tick();
        }
    }

    fn pause(&self) -> Duration {
        let now = (self.shared.clock)();
        let next = self.shared.ledger().next_change(now);
        let next = next.map_or(self.next_health, |at| at.min(self.next_health));
        between(now, next).min(SLEEP_MAX)
    }

    /// What time brings: expiries, the proof that the store can be written, forgetting.
    fn tick(&mut self) {
        let now = (self.shared.clock)();
        let due = self.shared.ledger().due(now, EXPIRIES_MAX);
        let retry = now >= self.next_health;
        if !due.is_empty() && (retry || self.is_sound()) {
            // A failure is logged below; the expiry itself rests on the time, not on the event.
            let _ = self.change(Box::new(move |_, _, _| Ok(due)));
        }
        if retry {
            self.health(now);
        }
        if now >= self.next_forget {
            self.next_forget = after(now, FORGET_EVERY);
            let horizon = now.checked_sub(MEMORY).unwrap_or(Timestamp::MIN);
            self.shared.ledger_mut().forget(horizon);
        }
    }

    fn is_sound(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| !journal.in_doubt())
    }

    fn health(&mut self, now: Timestamp) {
        self.next_health = after(now, self.max_staleness / 3);
        let Ok(()) = self.catch_up() else { return };
        self.deliver();
        let Some(journal) = &mut self.journal else { return };
        match journal.touch(now) {
            Ok(()) => self.healthy(now),
            Err(error) => tracing::error!(%error, "the approval store cannot be written"),
        }
    }

    /// The store was written at `now`. Grants go on to count only while the audit has heard of
    /// all of them.
    fn healthy(&mut self, now: Timestamp) {
        if self.undelivered.is_empty() {
            self.shared.renew(now, self.max_staleness);
        }
    }

    fn change(&mut self, work: Work) -> Result<Vec<RecordedEvent>, Report> {
        self.catch_up()?;
        let now = (self.shared.clock)();
        let mut events = work(&self.shared.ledger(), &self.shared.policies.load(), now)?;
        if events.is_empty() {
            return Ok(Vec::new());
        }
        // What is acknowledged is signed, so it is signed before it is stored.
        self.shared
            .sealer
            .seal(&self.shared.ledger(), &mut events, now)
            .map_err(|error| Report::error(SqlState::INTERNAL_ERROR, error.to_string()))?;
        let sequence = self.shared.ledger().sequence();
        let journal = self.journal.as_mut().ok_or_else(unwritable)?;
        let recorded = journal.append(sequence, events, now).map_err(|error| {
            tracing::error!(%error, "the approval store cannot be written");
            unwritable()
        })?;
        self.take_in(&recorded).map_err(|_| unwritable())?;
        self.healthy(now);
        Ok(recorded)
    }

    /// After a commit that failed, reads what became of it.
    fn catch_up(&mut self) -> Result<(), Report> {
        let journal = self.journal.as_mut().ok_or_else(unwritable)?;
        if !journal.in_doubt() {
            return Ok(());
        }
        let sequence = self.shared.ledger().sequence();
        let found = journal.events_after(sequence).map_err(|error| {
            tracing::error!(%error, "the approval store cannot be read");
            unwritable()
        })?;
        self.take_in(&found).map_err(|_| unwritable())
    }

    /// Makes stored events true: what ends is published before anybody else hears of it, what
    /// begins after the sink did.
    fn take_in(&mut self, events: &[RecordedEvent]) -> Result<(), LedgerError> {
        let mut changes = Vec::new();
        for event in events {
            match self.shared.ledger_mut().apply(event) {
                Ok(change) => changes.push(change),
                Err(error) => {
                    tracing::error!(%error, "an event does not fit: the store stops");
                    self.journal = None;
                    return Err(error);
                }
            }
        }
        let (ends, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change, Change::Ends(_)));
        if !ends.is_empty() {
            self.shared.publish(&ends);
        }
        self.undelivered.extend_from_slice(events);
        self.deliver();
        if others.iter().any(|change| matches!(change, Change::Begins(_))) {
            self.shared.publish(&others);
        }
        Ok(())
    }

    /// Hands the sink what it has not taken yet, in order, as far as it goes.
    fn deliver(&mut self) {
        let mut taken: usize = 0;
        for event in &self.undelivered {
            if let Err(error) = (self.sink)(event) {
                tracing::error!(%error, sequence = event.sequence, "a grant event is not audited");
                break;
            }
            taken += 1;
        }
        let last = taken.checked_sub(1).and_then(|last| self.undelivered.get(last));
        let Some(last) = last.map(|event| event.sequence) else { return };
        self.undelivered.drain(..taken);
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.set_delivered(last)
        {
            tracing::warn!(%error, "the next start will deliver events again");
        }
    }
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

fn unwritable() -> Report {
    Report::error(
        SqlState::IO_ERROR,
        "the approval store cannot be written, so the change was not made",
    )
}
