//! The audit log on disk: one thread writes, everybody else hands it events.
//!
//! [`AuditLog`] is the handle. Normalizing, JSON and hashing happen on the writer's thread; a
//! caller pays for a short lock. Durable appends are committed in groups: while one fsync runs,
//! the next group gathers.
//!
//! **Invariant:** a [`Receipt`] is handed out only after the record's bytes and its group were
//! synced; after a failed write or sync everything since the last good sync is written anew.

mod closed;
mod files;
mod follow;
mod notable;
mod proof;
mod queue;
mod recent;
mod segment;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::audit::{Broken, Event, Receipt};
use crate::model::{SigningKey, Timestamp};
use files::Segments;
pub use follow::{Batch, FollowError, Follower, From, Position};
pub use notable::Durable;
pub use proof::{KeptCheckpoint, Proofs};
use queue::Shared;
pub use recent::look_back;
pub use verify::{Effort, Place, Verified, gather, gather_within, scan, scan_proven, verify_dir};
use writer::{Disk, Writer};

/// Why the audit log cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("audit directory {dir} cannot be used: {source}")]
    Directory { dir: PathBuf, source: std::io::Error },
    #[error("audit directory {dir} is in use by another keyhole")]
    Locked { dir: PathBuf },
    #[error("audit log is broken: {0}")]
    Broken(#[from] Broken),
    #[error("audit log writer cannot be started: {0}")]
    Thread(std::io::Error),
    /// The session answers 58030 and releases nothing raw.
    #[error("audit log cannot be written")]
    Failing,
    #[error("audit log is closed")]
    Closed,
}

/// What [`AuditLog::open`] found at the end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    None,
    /// The last record was cut short by a crash: it was removed, and a `repaired` record follows.
    CutOff {
        file: String,
        bytes: u64,
    },
}

/// Sizes and times of the log.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A file that has grown to this many bytes is followed by the next.
    pub rotate_bytes: u64,
    /// So is one that was begun so long ago, with the next record.
    pub rotate_every: Option<Duration>,
    /// Signs checkpoints; None: the log has none.
    pub checkpoints: Option<Checkpoints>,
    /// Room of the queue: one unit for a record and one for each 4 KiB of its statement.
    pub queue_units: u32,
    /// Bytes of records kept in memory while the log cannot be written; more are counted as lost.
    pub kept_bytes: usize,
    /// Longest time that a record waits before it is written to the file.
    pub write_every: Duration,
    /// Longest time that a written record waits for an fsync.
    pub sync_every: Duration,
    /// Time between attempts while the log cannot be written.
    pub retry_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rotate_bytes: 64 << 20,
            rotate_every: None,
            checkpoints: None,
            queue_units: 8192,
            kept_bytes: 16 << 20,
            write_every: Duration::from_millis(200),
            sync_every: Duration::from_secs(1),
            retry_every: Duration::from_secs(1),
        }
    }
}

/// How checkpoints are signed.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub key: SigningKey,
    /// Longest time that a record waits for one.
    pub every: Duration,
}

/// What becomes of closed files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping {
    pub compress: bool,
    /// Files whose last record is older are removed; None: none is.
    pub before: Option<Timestamp>,
    /// Who reads the log is here: files from this one on stay.
    pub needed: Option<Position>,
}

/// What [`AuditLog::tend`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    pub compressed: usize,
    /// The last record that was removed.
    pub retired: Option<u64>,
}

/// Counts since the log was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Records in the chain, those not yet synced included.
    pub records: u64,
    pub syncs: u64,
    /// Records that could not be kept while the log could not be written.
    pub lost: u64,
}

/// A handle of the open log; cheap to clone. When the last one is gone the writer ends too.
#[derive(Clone)]
pub struct AuditLog {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    dir: PathBuf,
    id: String,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(None);
    }
}

impl AuditLog {
    /// Opens the directory with the usual [`Limits`]; `clock` dates the log's own records.
    ///
    /// Creates the directory (mode 0700), locks it, verifies the end of the chain and repairs one
    /// record that a crash cut short.
    ///
    /// # Errors
    /// The directory cannot be created or written, another process holds it, or the end of the
    /// chain is broken in any other way.
    pub fn open(
        dir: &Path,
        clock: impl Fn() -> Timestamp + Send + 'static,
    ) -> Result<(Self, Repair), AuditError> {
        Self::open_with(dir, Limits::default(), clock)
    }

    /// [`AuditLog::open`] with other limits.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(
        dir: &Path,
        limits: Limits,
        clock: impl Fn() -> Timestamp + Send + 'static,
    ) -> Result<(Self, Repair), AuditError> {
        let (segments, chain, repair) = Segments::open(dir, limits.rotate_bytes)?;
        let unusable = |source| AuditError::Directory { dir: dir.to_owned(), source };
        let id = segments.id().to_owned();
        let mut writer = Writer::new(segments, chain, limits, Box::new(clock));
        writer.begin(&repair).map_err(unusable)?;
        Ok((Self::start(dir, id, writer)?, repair))
    }

    fn start<D: Disk>(dir: &Path, id: String, writer: Writer<D>) -> Result<Self, AuditError> {
        let shared = writer.shared();
        std::thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || writer.run())
            .map_err(AuditError::Thread)?;
        Ok(Self { handle: Arc::new(Handle { shared, dir: dir.to_owned(), id }) })
    }

    /// Queues the event; waits while the queue is full. The record is written within
    /// [`Limits::write_every`] and synced within [`Limits::sync_every`].
    ///
    /// Cancel safety: when dropped while it waits, the event is not recorded.
    ///
    /// # Errors
    /// [`AuditError::Closed`] after [`AuditLog::shutdown`].
    pub async fn append(&self, event: Event, time: Timestamp) -> Result<(), AuditError> {
        self.handle.shared.push(event, time, None).await
    }

    /// [`AuditLog::append`] without waiting: gives back an event for which the queue has no room.
    ///
    /// # Errors
    /// As there.
    pub fn try_append(&self, event: Event, time: Timestamp) -> Result<Option<Event>, AuditError> {
        self.handle.shared.try_push(event, time)
    }

    /// Resolves when the record, and every one before it, is durable.
    ///
    /// Cancel safety: when dropped the record may still be written; its receipt is gone.
    ///
    /// # Errors
    /// [`AuditError::Failing`] at once while the log cannot be written, [`AuditError::Closed`]
    /// after [`AuditLog::shutdown`]. The record may then be in the log nevertheless: it says more
    /// than happened, never less.
    pub async fn append_durable(
        &self,
        event: Event,
        time: Timestamp,
    ) -> Result<Receipt, AuditError> {
        if !self.healthy() {
            return Err(self.handle.shared.refusal());
        }
        let (reply, answer) = oneshot::channel();
        self.handle.shared.push(event, time, Some(reply)).await?;
        answer.await.unwrap_or(Err(AuditError::Closed))
    }

    /// Tells this log from every other: 32 hexadecimal digits, made with the directory. Positions
    /// mean something in one log only.
    pub fn id(&self) -> &str {
        &self.handle.id
    }

    /// Reads what is durable, from there on, and what becomes durable.
    ///
    /// # Errors
    /// [`FollowError::Closed`] after [`AuditLog::shutdown`]; others when the directory cannot be
    /// read.
    pub fn follow(&self, from: From) -> Result<Follower, FollowError> {
        let end = self.handle.shared.follow_end().ok_or(FollowError::Closed)?;
        Follower::new(&self.handle.dir, end, from)
    }

    /// Compresses closed files, and removes those whose last record is older than
    /// [`Keeping::before`], after a durable record that says so.
    ///
    /// # Errors
    /// A file cannot be read, written or removed; the next call tries again.
    pub async fn tend(&self, keeping: Keeping, now: Timestamp) -> Result<Tended, AuditError> {
        let end = self.handle.shared.follow_end().ok_or(AuditError::Closed)?;
        let current = end.borrow().end.file;
        let mut tended = Tended::default();
        if let Some(before) = keeping.before {
            let needed = keeping.needed.map_or(current, |at| at.file.min(current));
            let over = self.on_disk(move |dir| closed::over(dir, before, needed)).await?;
            if let Some(retired) = over {
                self.append_durable(Event::Retired(retired.clone()), now).await?;
                tended.retired = Some(retired.through);
                self.on_disk(move |dir| closed::remove(dir, &retired)).await?;
            }
        }
        if keeping.compress {
            let dir = self.handle.dir.clone();
            let unusable = |source| AuditError::Directory { dir: dir.clone(), source };
            let compressed = closed::compress_aside(dir.clone(), current).await;
            tended.compressed = compressed.map_err(unusable)?;
        }
        Ok(tended)
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, AuditError> {
        let dir = self.handle.dir.clone();
        let unusable = |source| AuditError::Directory { dir: self.handle.dir.clone(), source };
        let done = tokio::task::spawn_blocking(move || work(&dir)).await;
        done.map_err(|_| unusable(std::io::Error::other("the work on it panicked")))?
            .map_err(unusable)
    }

    /// Follows how far the log is durable; None after [`AuditLog::shutdown`].
    pub fn end(&self) -> Option<watch::Receiver<Durable>> {
        self.handle.shared.follow_end()
    }

    /// Whether records reach the disk; for `/readyz`.
    pub fn healthy(&self) -> bool {
        self.handle.shared.healthy()
    }

    pub fn stats(&self) -> Stats {
        self.handle.shared.stats()
    }

    /// Writes and syncs what is queued, then ends the writer and gives the directory free.
    /// Appends are refused from now on.
    ///
    /// # Errors
    /// [`AuditError::Failing`] when the last records could not be written.
    pub async fn shutdown(&self) -> Result<(), AuditError> {
        let (reply, answer) = oneshot::channel();
        self.handle.shared.close(Some(reply));
        answer.await.unwrap_or(Err(AuditError::Closed))
    }
}
