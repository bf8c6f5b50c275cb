use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::sync::{RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Clock;
use crate::grant::{Approvers, Change, Ledger, LiveTable, Policies};
use crate::model::{Epoch, Timestamp};

/// A sleeping thread looks at the clock at least so often, in case it was set forward.
pub(super) const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the handle, the writer and the watch over time have in common.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) table: ArcSwap<LiveTable>,
    pub(super) policies: ArcSwap<Policies>,
    pub(super) approvers: ArcSwap<Approvers>,
    pub(super) epoch: watch::Sender<Epoch>,
    /// The last event that the sink took.
    pub(super) recorded: watch::Sender<u64>,
    /// Which store it is; known once it is open.
    store_id: OnceLock<String>,
    /// Written by the writer only, and never held during I/O.
    ledger: RwLock<Ledger>,
    /// Held while publishing, so that no publication overwrites another.
    publishing: Mutex<Running>,
    published: Condvar,
    /// When it was last certain that everything in the store is known; microseconds since 1970.
    synced_at: AtomicI64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    Stopping,
}

/// A ledger under a name that nobody has: it tells the counts of this process from those of
/// others, and from its own in a history that is read again, whose rows were shown already.
pub(super) fn empty_ledger() -> Ledger {
    Ledger::of(format!("{:016x}", rand::random::<u64>()))
}

impl Shared {
    pub(super) fn new(clock: Clock, policies: Policies, approvers: Approvers) -> Self {
        // Valid until the first proof that the store can be written: not at all.
        let mut table = LiveTable::default();
        table.valid_until = Some(Timestamp::MIN);
        Self {
            clock,
            epoch: watch::Sender::new(table.epoch),
            recorded: watch::Sender::new(0),
            store_id: OnceLock::new(),
            table: ArcSwap::from_pointee(table),
            policies: ArcSwap::from_pointee(policies),
            approvers: ArcSwap::from_pointee(approvers),
            ledger: RwLock::new(empty_ledger()),
            publishing: Mutex::new(Running::Yes),
            published: Condvar::new(),
            synced_at: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn ledger(&self) -> RwLockReadGuard<'_, Ledger> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ledger_mut(&self) -> RwLockWriteGuard<'_, Ledger> {
        self.ledger.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self, store_id: String) {
        // Opened once.
        let _ = self.store_id.set(store_id);
    }

    pub(super) fn store_id(&self) -> &str {
        self.store_id.get().map_or("", String::as_str)
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.publishing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes these changes as the next table and wakes whoever watches.
    pub(super) fn publish(&self, changes: &[Change]) {
        let guard = self.lock();
        let mut table = LiveTable::clone(&self.table.load());
        for change in changes {
            match change {
                Change::None => {}
                Change::Begins(live) => table.insert(live.clone()),
                Change::Ends(grant) => table.remove(grant),
                Change::Becomes { old, new } => {
                    table.remove(old);
                    table.insert(new.clone());
                }
                Change::Suspends { user, until } => table.suspend(user, *until),
                Change::Resumes { user } => table.resume(user),
            }
        }
        self.put(table);
        drop(guard);
    }

    /// Publishes a table of these grants and suspensions alone.
    pub(super) fn publish_whole(&self, ledger: &Ledger) {
        let guard = self.lock();
        let old = self.table.load();
        let mut table = LiveTable::new(old.epoch, ledger.open_grants().map(Arc::clone));
        for (user, until) in ledger.suspended() {
            table.suspend(user, until);
        }
        table.valid_until = old.valid_until;
        self.put(table);
        drop(guard);
    }

    /// Everything that the store held at `now` is known.
    pub(super) fn synced(&self, now: Timestamp) {
        self.synced_at.fetch_max(now.as_microsecond(), Ordering::Relaxed);
    }

    pub(super) fn sync_age(&self) -> Duration {
        let synced = self.synced_at.load(Ordering::Relaxed);
        let age = (self.clock)().as_microsecond().saturating_sub(synced);
        Duration::from_micros(u64::try_from(age).unwrap_or_default())
    }

    /// Publishes that the store was written at `now`; wakes only whom it makes a difference to.
    pub(super) fn renew(&self, now: Timestamp, max_staleness: Duration) {
        let guard = self.lock();
        let old = self.table.load();
        let until = now.checked_add(max_staleness).unwrap_or(Timestamp::MAX);
        let mut table = LiveTable::clone(&old);
        table.valid_until = Some(until);
        if old.valid_until.is_some_and(|until| now >= until) {
            self.put(table);
        } else {
            self.table.store(Arc::new(table));
            self.published.notify_all();
        }
        drop(guard);
    }

    fn put(&self, mut table: LiveTable) {
        table.epoch.0 += 1;
        let epoch = table.epoch;
        self.table.store(Arc::new(table));
        self.epoch.send_replace(epoch);
        self.published.notify_all();
    }

    pub(super) fn stop(&self) {
        *self.lock() = Running::Stopping;
        self.published.notify_all();
    }

    /// Wakes whoever watches at each moment at which a grant begins or ends by time, or the
    /// store has been out of reach for too long. Does no I/O, so a disk that hangs cannot delay
    /// it. Returns after [`Self::stop`].
    pub(super) fn watch_time(&self) {
        let mut announced = (self.clock)();
        let mut guard = self.lock();
        while *guard == Running::Yes {
            let now = (self.clock)();
            let next = self.next_moment(announced);
            if next.is_some_and(|at| at <= now) {
                announced = now;
                self.put(LiveTable::clone(&self.table.load()));
                continue;
            }
            let sleep = next.map_or(SLEEP_MAX, |at| between(now, at).min(SLEEP_MAX));
            guard =
                self.published.wait_timeout(guard, sleep).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn next_moment(&self, after: Timestamp) -> Option<Timestamp> {
        let stale = self.table.load().valid_until.filter(|until| *until > after);
        self.ledger().next_change(after).into_iter().chain(stale).min()
    }
}

/// How long to sleep from `now` until `then`; at least a millisecond, so that nothing spins.
pub(super) fn between(now: Timestamp, then: Timestamp) -> Duration {
    let span = Duration::try_from(then.duration_since(now)).unwrap_or_default();
    span.max(Duration::from_millis(1))
}
