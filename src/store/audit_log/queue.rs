//! What callers and the writer share.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError, oneshot, watch};

use super::follow::Position;
use super::notable::{Durable, Stretch};
use super::{AuditError, Limits, Stats};
use crate::audit::{Event, Receipt};
use crate::model::Timestamp;

/// Bytes of statement text that count as one more unit of the queue.
const UNIT_BYTES: usize = 4096;
/// Records that wake the writer before its time: about 256 KiB of lines.
const GATHERED_RECORDS_MAX: usize = 512;

pub(super) type Reply = oneshot::Sender<Result<Receipt, AuditError>>;
pub(super) type Ended = oneshot::Sender<Result<(), AuditError>>;

pub(super) struct Entry {
    pub(super) event: Event,
    pub(super) time: Timestamp,
    /// Someone waits until the record is durable.
    pub(super) reply: Option<Reply>,
    units: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// No more entries are taken; those that are there get written.
    Closing,
    Ended,
}

/// How soon the writer is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// It sleeps until somebody wakes it.
    Idle,
    /// It wakes by itself when records have gathered for a while.
    Gathering,
    Now,
}

struct Queue {
    entries: Vec<Entry>,
    phase: Phase,
    urgency: Urgency,
    ended: Vec<Ended>,
    /// Whether everything was written, once the writer has ended.
    outcome: Result<(), ()>,
}

pub(super) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    room: Semaphore,
    units_max: u32,
    healthy: AtomicBool,
    records: AtomicU64,
    syncs: AtomicU64,
    lost: AtomicU64,
    /// How far the log is durable; no more once the writer has ended.
    end: Mutex<Option<watch::Sender<Durable>>>,
}

impl Shared {
    pub(super) fn new(limits: &Limits, end: Position) -> Self {
        let units_max = limits.queue_units.max(1);
        let queue = Queue {
            entries: Vec::new(),
            phase: Phase::Open,
            urgency: Urgency::Gathering,
            ended: Vec::new(),
            outcome: Err(()),
        };
        Self {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            room: Semaphore::new(units_max as usize),
            units_max,
            healthy: AtomicBool::new(true),
            records: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            end: Mutex::new(Some(watch::Sender::new(Durable::new(end)))),
        }
    }

    pub(super) async fn push(
        &self,
        event: Event,
        time: Timestamp,
        reply: Option<Reply>,
    ) -> Result<(), AuditError> {
        let units = self.units(&event);
        let permit = self.room.acquire_many(units).await.map_err(|_| AuditError::Closed)?;
        self.put(event, time, reply, permit)
    }

    /// [`Shared::push`] where there is room; otherwise gives the event back.
    pub(super) fn try_push(
        &self,
        event: Event,
        time: Timestamp,
    ) -> Result<Option<Event>, AuditError> {
        match self.room.try_acquire_many(self.units(&event)) {
            Ok(permit) => self.put(event, time, None, permit).map(|()| None),
            Err(TryAcquireError::NoPermits) => Ok(Some(event)),
            Err(TryAcquireError::Closed) => Err(AuditError::Closed),
        }
    }

    /// The room that the event takes.
    fn units(&self, event: &Event) -> u32 {
        let extra = u32::try_from(event.text_bytes() / UNIT_BYTES).unwrap_or(u32::MAX);
        extra.saturating_add(1).min(self.units_max)
    }

    fn put(
        &self,
        event: Event,
        time: Timestamp,
        reply: Option<Reply>,
        permit: SemaphorePermit<'_>,
    ) -> Result<(), AuditError> {
        let units = self.units(&event);
        let mut queue = self.lock();
        if queue.phase != Phase::Open {
            return Err(AuditError::Closed);
        }
        permit.forget();
        let urgent = reply.is_some()
            || queue.entries.len() + 1 >= GATHERED_RECORDS_MAX
            || self.room.available_permits() < self.units_max as usize / 2;
        queue.entries.push(Entry { event, time, reply, units });
        let before = queue.urgency;
        if urgent {
            queue.urgency = Urgency::Now;
        } else if before == Urgency::Idle {
            queue.urgency = Urgency::Gathering;
        }
        let wake = queue.urgency != before;
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Refuses further entries; `ended` hears when the writer is done.
    pub(super) fn close(&self, ended: Option<Ended>) {
        let mut queue = self.lock();
        if queue.phase == Phase::Ended {
            let outcome = queue.outcome;
            drop(queue);
            tell(ended, outcome);
            return;
        }
        queue.phase = Phase::Closing;
        queue.ended.extend(ended);
        drop(queue);
        self.room.close();
        self.wake.notify_one();
    }

    /// Sleeps until somebody waits for a record, many have gathered, the first has waited
    /// for `write_every`, `deadline` has come or the log is closed. Then `entries`, which are
    /// none, are what was queued.
    ///
    /// While there is a deadline the first record need not wake the writer to start its time:
    /// the writer looks every `write_every`.
    pub(super) fn take(
        &self,
        entries: &mut Vec<Entry>,
        deadline: Option<Instant>,
        limits: &Limits,
    ) -> Phase {
        let mut gathered = None;
        let mut queue = self.lock();
        while queue.urgency != Urgency::Now && queue.phase == Phase::Open {
            if gathered.is_none() && (deadline.is_some() || !queue.entries.is_empty()) {
                gathered = Some(now() + limits.write_every);
            }
            let until = gathered.into_iter().chain(deadline).min();
            let Some(until) = until else {
                queue.urgency = Urgency::Idle;
                queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                break;
            }
            let woken = self.wake.wait_timeout(queue, left);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.urgency = Urgency::Gathering;
        mem::swap(&mut queue.entries, entries);
        queue.phase
    }

    /// Gives the room of entries free that the writer has turned into lines.
    pub(super) fn free(&self, units: usize) {
        self.room.add_permits(units);
    }

    /// The writer is gone: whoever waits hears it.
    pub(super) fn end(&self, outcome: Result<(), ()>) {
        let mut queue = self.lock();
        if queue.phase == Phase::Ended {
            return;
        }
        queue.phase = Phase::Ended;
        queue.outcome = outcome;
        queue.entries.clear();
        let ended = mem::take(&mut queue.ended);
        drop(queue);
        self.room.close();
        self.healthy.store(false, Ordering::Release);
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = None;
        tell(ended, outcome);
    }

    /// Why a durable append is refused while the log is not healthy.
    pub(super) fn refusal(&self) -> AuditError {
        match self.lock().phase {
            Phase::Open => AuditError::Failing,
            Phase::Closing | Phase::Ended => AuditError::Closed,
        }
    }

    pub(super) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    pub(super) fn set_healthy(&self) {
        self.healthy.store(true, Ordering::Release);
    }

    pub(super) fn set_failing(&self) {
        self.healthy.store(false, Ordering::Release);
    }

    pub(super) fn count_records(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn count_sync(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// The log is durable up to there; of what is new, `notable` is, which is emptied.
    pub(super) fn set_end(&self, position: Position, notable: &mut Vec<Stretch>) {
        if let Some(end) = &*self.end.lock().unwrap_or_else(PoisonError::into_inner) {
            end.send_modify(|durable| durable.advance(position, notable));
        }
    }

    /// Follows how far the log is durable; None once the writer has ended.
    pub(super) fn follow_end(&self) -> Option<watch::Receiver<Durable>> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.as_ref().map(watch::Sender::subscribe)
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            records: self.records.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }

    /// A caller that panicked cannot have left the queue half changed.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(ended: impl IntoIterator<Item = Ended>, outcome: Result<(), ()>) {
    for ended in ended {
        // Nobody listening is fine.
        let _ = ended.send(outcome.map_err(|()| AuditError::Failing));
    }
}

impl Entry {
    pub(super) fn units(&self) -> usize {
        self.units as usize
    }
}

/// Tells everybody that the writer has ended, however it ended.
pub(super) struct Ending(Arc<Shared>);

impl Ending {
    pub(super) fn of(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(super) fn tell(self, outcome: Result<(), ()>) {
        self.0.end(outcome);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(Err(()));
    }
}

#[expect(clippy::disallowed_methods, reason = "the writer's own timer; records carry their time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
