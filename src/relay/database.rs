//! What all sessions of one database share: its published [`World`], and the way to ask for a
//! newer one. Who reads the schema and publishes is the caller's business.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::decision::World;
use crate::grant::LookupMeter;
use crate::model::{ColumnId, Epoch, ROLE_DDL, User};
use crate::session::{PlanCache, Sample, Sampling};
use crate::telemetry::ColumnCells;

/// How long a session waits for a newer world.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

/// Samples that wait to be counted, 16 KiB each; further ones are dropped.
const SAMPLES_MAX: usize = 64;

/// The world could not be refreshed: what it says may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema could not be read again")]
pub struct Stale;

/// One database as its sessions see it.
pub struct Database {
    name: Arc<str>,
    pub(super) cache: PlanCache,
    pub(super) lookups: LookupMeter,
    /// What its sessions look at of what their clients are shown.
    pub sampling: Sampling,
    samples: Mutex<Vec<Sample>>,
    sampled: Notify,
    /// The counters of its columns of personal data, of the world that holds.
    pub(super) cells: DashMap<(Epoch, ColumnId), ColumnCells>,
    /// Empty until the schema was read for the first time; never empty again.
    published: OnceLock<Published>,
    epoch: watch::Sender<Epoch>,
    /// Number of the last refresh that somebody asked for.
    asked: AtomicU64,
    wake: Notify,
    round: watch::Sender<Round>,
    attached: watch::Sender<usize>,
    /// The world is so old that nothing may be decided by it.
    expired: AtomicBool,
}

/// The worlds of one epoch.
struct Published {
    for_everyone: ArcSwap<World>,
    for_ddl: ArcSwap<World>,
}

/// A refresh that is over.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Answers every question up to this number.
    number: u64,
    outcome: Result<(), Stale>,
}

/// A session's mark on its database, for as long as it lives.
pub struct Attached {
    database: Arc<Database>,
}

/// A refresh under way; it answers everything that was asked before it began.
#[derive(Debug)]
#[must_use = "whoever asked waits for its end"]
pub struct Refreshing {
    number: u64,
}

impl Database {
    /// A database by the name that clients use, of which nothing is known yet.
    pub fn new(name: Arc<str>) -> Self {
        Self {
            name,
            cache: PlanCache::default(),
            lookups: LookupMeter::default(),
            sampling: Sampling::default(),
            samples: Mutex::default(),
            sampled: Notify::new(),
            cells: DashMap::new(),
            published: OnceLock::new(),
            epoch: watch::Sender::new(Epoch::default()),
            asked: AtomicU64::new(0),
            wake: Notify::new(),
            round: watch::Sender::new(Round { number: 0, outcome: Err(Stale) }),
            attached: watch::Sender::new(0),
            expired: AtomicBool::new(false),
        }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The world that holds now; None before the first one.
    pub fn world(&self) -> Option<Arc<World>> {
        self.published.get().map(|published| published.for_everyone.load_full())
    }

    /// Where the worlds of a user's sessions are published; None before the first one.
    pub(super) fn worlds(&self, user: &User) -> Option<&ArcSwap<World>> {
        let Published { for_everyone, for_ddl } = self.published.get()?;
        Some(if user.has_role(ROLE_DDL) { for_ddl } else { for_everyone })
    }

    /// The schema could not be read for too long: every session ends.
    pub fn expire(&self) {
        self.expired.store(true, Ordering::SeqCst);
        self.epoch.send_modify(|_| {});
    }

    /// The world is up to date again.
    pub fn renew(&self) {
        self.expired.store(false, Ordering::SeqCst);
    }

    pub fn is_expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    /// Makes `world` the one that holds, and `for_ddl` for who has the role `ddl` (None: the same),
    /// and wakes every session. Their epoch has to be new.
    pub fn publish(&self, world: World, for_ddl: Option<World>) {
        let (epoch, world) = (world.epoch, Arc::new(world));
        let for_ddl = for_ddl.map_or_else(|| Arc::clone(&world), Arc::new);
        let published = self.published.get_or_init(|| Published {
            for_everyone: ArcSwap::new(Arc::clone(&world)),
            for_ddl: ArcSwap::new(Arc::clone(&for_ddl)),
        });
        published.for_everyone.store(world);
        published.for_ddl.store(for_ddl);
        self.epoch.send_replace(epoch);
        // What a session puts back of the old world meanwhile is a few entries that nobody asks for.
        self.cells.retain(|(of, _), _| *of == epoch);
    }

    /// Wakes at every publication.
    pub fn subscribe(&self) -> watch::Receiver<Epoch> {
        self.epoch.subscribe()
    }

    /// Returns when a reading of the schema that began after this call is published; several
    /// callers share one. Cancel safe.
    ///
    /// # Errors
    /// [`Stale`] when it failed or took too long.
    pub async fn refresh(&self) -> Result<(), Stale> {
        let mut round = self.round.subscribe();
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.wake.notify_one();
        let done = timeout(REFRESH_TIMEOUT, round.wait_for(|round| round.number >= number)).await;
        match done {
            Ok(Ok(round)) => round.outcome,
            Ok(Err(_)) | Err(_) => Err(Stale),
        }
    }

    /// Asks for a refresh and does not wait: the database may be gone, and somebody should look.
    pub fn suspect(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Returns when somebody has asked for a refresh. For the one who does them. Cancel safe.
    pub async fn refresh_wanted(&self) {
        self.wake.notified().await;
    }

    /// Call it before the schema is read.
    pub fn begin_refresh(&self) -> Refreshing {
        Refreshing { number: self.asked.load(Ordering::SeqCst) }
    }

    /// Call it after the world was published, or could not be.
    pub fn end_refresh(&self, refreshing: Refreshing, outcome: Result<(), Stale>) {
        self.round.send_replace(Round { number: refreshing.number, outcome });
    }

    /// Puts samples where [`Database::samples`] finds them, as far as there is room.
    pub(super) fn hand_over(&self, samples: &mut Vec<Sample>) {
        let mut waiting = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SAMPLES_MAX.saturating_sub(waiting.len());
        waiting.extend(samples.drain(..).take(room));
        drop(waiting);
        self.sampled.notify_one();
    }

    /// What was handed over; waits until there is something. For the one who counts. Cancel safe.
    pub async fn samples(&self) -> Vec<Sample> {
        self.sampled.notified().await;
        std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a session in until the mark is dropped.
    pub fn attach(self: &Arc<Self>) -> Attached {
        self.attached.send_modify(|count| *count += 1);
        Attached { database: Arc::clone(self) }
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> watch::Receiver<usize> {
        self.attached.subscribe()
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.database.attached.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn polled<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_refresh_answers_only_those_who_asked_before_it_began() {
        let database = Database::new("shop".into());
        let mut first = pin!(database.refresh());
        assert!(polled(first.as_mut()).is_pending());
        let under_way = database.begin_refresh();
        let mut second = pin!(database.refresh());
        assert!(polled(second.as_mut()).is_pending());
        database.end_refresh(under_way, Ok(()));
        assert_eq!(polled(first), Poll::Ready(Ok(())));
        assert!(polled(second.as_mut()).is_pending(), "it may have missed a change");
        database.refresh_wanted().await;
        let again = database.begin_refresh();
        database.end_refresh(again, Err(Stale));
        assert_eq!(second.await, Err(Stale));
    }

    #[test]
    fn sessions_are_counted_as_long_as_they_live() {
        let database = Arc::new(Database::new("shop".into()));
        let (one, two) = (database.attach(), database.attach());
        assert_eq!(*database.sessions().borrow(), 2);
        drop((one, two));
        assert_eq!(*database.sessions().borrow(), 0);
    }
}
