//! The writer's thread: events become lines, lines become durable, groups get their receipts.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::follow::Position;
use super::notable::{Stretch, note};
use super::queue::{Ending, Entry, Phase, Reply, Shared, now};
use super::{AuditError, Limits, Repair};
use crate::audit::{Cause, Chain, Checkpoint, Encoder, Event, Lost, Receipt, Repaired};
use crate::model::Timestamp;

/// Unsynced bytes that force an fsync before its time; a file outgrows its size by no more than
/// this and one piece.
const UNSYNCED_BYTES_MAX: usize = 1 << 20;

/// Memory for them that is kept: one that is outgrown by every group would be given back and
/// fetched again each time.
const UNSYNCED_BYTES_KEPT: usize = 2 * UNSYNCED_BYTES_MAX;

/// Units of the queue that are given back together, as each return of room may wake a caller.
/// Their lines are written then: some 128 KiB, which are still in the processor's cache.
const PIECE_UNITS: usize = 256;

/// The file at the end of the log. Tests put one in its place that fails.
pub(super) trait Disk: Send + 'static {
    /// The number of the file, and how many of its bytes are durable.
    fn place(&self) -> (u32, u64);
    /// Appends to the file.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything written durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Takes back everything since the last good sync.
    fn rewind(&mut self) -> io::Result<()>;
    /// Goes on to the next file; only right after a sync.
    fn turn_over(&mut self) -> io::Result<()>;
    /// Whether the file has its size.
    fn is_full(&self) -> bool;
    /// When the file was begun: the time of its first record, if it has one.
    fn begun(&self) -> Option<Timestamp>;
    /// The log's id.
    fn id(&self) -> &str;
    /// Records at the end of the log that no checkpoint vouched for when it was opened.
    fn unsigned(&self) -> u64;
}

pub(super) type Clock = Box<dyn Fn() -> Timestamp + Send>;

pub(super) struct Writer<D: Disk> {
    disk: D,
    encoder: Encoder,
    limits: Limits,
    clock: Clock,
    shared: Arc<Shared>,
    /// Every line since the last good sync: a failed sync may have dropped what was written.
    unsynced: Vec<u8>,
    /// How much of it was written.
    written: usize,
    /// Which of it rules look for.
    notable: Vec<Stretch>,
    /// When the oldest of it must be synced.
    sync_at: Option<Instant>,
    waiting: Vec<(Reply, Receipt)>,
    state: State,
    /// When the file was begun, by the clock of records.
    begun: Option<Timestamp>,
    /// Records since the last checkpoint.
    unsigned: u64,
    /// When the oldest of them must have one.
    checkpoint_at: Option<Instant>,
}

enum State {
    Writing,
    Failing { retry_at: Instant, lost: Lost },
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(disk: D, chain: Chain, limits: Limits, clock: Clock) -> Self {
        let (file, offset) = disk.place();
        let (begun, unsigned) = (disk.begun(), disk.unsigned());
        let end = Position { file, offset, seq: chain.next_seq() };
        Self {
            disk,
            encoder: Encoder::from(chain),
            clock,
            shared: Arc::new(Shared::new(&limits, end)),
            limits,
            unsynced: Vec::new(),
            written: 0,
            notable: Vec::new(),
            sync_at: None,
            waiting: Vec::new(),
            state: State::Writing,
            begun,
            unsigned,
            checkpoint_at: None,
        }
    }

    /// What callers share with this writer.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Before anything else: what was cut off the end of the log, and a checkpoint.
    ///
    /// # Errors
    /// When the records cannot be made durable.
    pub(super) fn begin(&mut self, repair: &Repair) -> io::Result<()> {
        if let Repair::CutOff { file, bytes } = repair {
            self.encode_own(&Event::Repaired(Repaired { file: file.clone(), bytes: *bytes }));
        }
        self.checkpoint(Cause::Opened);
        self.commit()
    }

    /// Runs until the log is closed.
    pub(super) fn run(mut self) {
        let ending = Ending::of(Arc::clone(&self.shared));
        let mut entries = Vec::new();
        loop {
            let phase = self.shared.take(&mut entries, self.deadline(), &self.limits);
            self.encode_all(&mut entries);
            match phase {
                Phase::Open => self.settle(),
                Phase::Closing | Phase::Ended => break,
            }
        }
        let outcome = match self.state {
            State::Writing => {
                if self.unsigned > 0 {
                    self.checkpoint(Cause::Stopped);
                }
                self.commit_or_fail()
            }
            State::Failing { .. } => self.retry(),
        };
        // The lock goes with the disk: whoever hears of the end may open the directory.
        drop(self);
        ending.tell(outcome);
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Writing => self.sync_at.into_iter().chain(self.checkpoint_at).min(),
            State::Failing { retry_at, .. } => Some(*retry_at),
        }
    }

    fn encode_all(&mut self, entries: &mut Vec<Entry>) {
        let mut units = 0;
        for entry in entries.drain(..) {
            units += entry.units();
            self.encode(entry);
            if units >= PIECE_UNITS {
                self.shared.free(mem::take(&mut units));
                self.write_or_fail();
            }
        }
        self.shared.free(units);
        if !self.unsynced.is_empty() && self.sync_at.is_none() {
            self.sync_at = Some(now() + self.limits.sync_every);
        }
    }

    fn encode(&mut self, entry: Entry) {
        let Entry { event, time, reply, .. } = entry;
        if let State::Failing { lost, .. } = &mut self.state {
            if let Some(reply) = reply {
                refuse(reply);
                return;
            }
            if self.unsynced.len() >= self.limits.kept_bytes {
                lost.records += 1;
                lost.since.get_or_insert(time);
                self.shared.count_lost();
                return;
            }
        }
        let from = self.place();
        match self.encoder.encode(&event, time, &mut self.unsynced) {
            Ok(seq) => {
                self.count(time);
                if event.is_notable() {
                    let record = Stretch { from, to: self.place() };
                    note(&mut self.notable, record);
                }
                if let Event::Retired(_) = event {
                    // Who is not able to sign cannot say so.
                    self.checkpoint(Cause::Retired);
                }
                if let Some(reply) = reply {
                    self.waiting.push((reply, Receipt::issue(seq, event.scope())));
                }
            }
            Err(error) => {
                self.shared.count_lost();
                tracing::error!(%error, "an audit record has no JSON form");
                if let Some(reply) = reply {
                    refuse(reply);
                }
            }
        }
    }

    /// The log's own records.
    fn encode_own(&mut self, event: &Event) {
        let time = (self.clock)();
        match self.encoder.encode(event, time, &mut self.unsynced) {
            Ok(_) => self.count(time),
            Err(error) => tracing::error!(%error, "an audit record has no JSON form"),
        }
    }

    /// One more record.
    fn count(&mut self, time: Timestamp) {
        self.shared.count_records(1);
        self.begun.get_or_insert(time);
        self.unsigned += 1;
        if self.checkpoint_at.is_none()
            && let Some(checkpoints) = &self.limits.checkpoints
        {
            self.checkpoint_at = Some(now() + checkpoints.every);
        }
    }

    /// Vouches for everything so far, if there is a key.
    fn checkpoint(&mut self, why: Cause) {
        let Some(checkpoints) = &self.limits.checkpoints else { return };
        let checkpoint = Checkpoint {
            log: self.disk.id().to_owned(),
            why,
            every_s: checkpoints.every.as_secs(),
            covers: self.unsigned,
            key: checkpoints.key.public().id(),
        };
        let time = (self.clock)();
        let out = &mut self.unsynced;
        match self.encoder.checkpoint(&checkpoint, &checkpoints.key, time, out) {
            Ok(_) => {
                self.shared.count_records(1);
                self.begun.get_or_insert(time);
                self.unsigned = 0;
                self.checkpoint_at = None;
                self.sync_at.get_or_insert(now() + self.limits.sync_every);
            }
            Err(error) => tracing::error!(%error, "a checkpoint has no JSON form"),
        }
    }

    /// Writes, and syncs when it is time.
    fn settle(&mut self) {
        let now = now();
        if matches!(self.state, State::Writing) && self.checkpoint_at.is_some_and(|at| at <= now) {
            self.checkpoint(Cause::Interval);
        }
        match &self.state {
            State::Writing => {
                let due = self.sync_at.is_some_and(|at| at <= now);
                if due || !self.waiting.is_empty() {
                    // The outcome is in the state and in the answers.
                    let _ = self.commit_or_fail();
                } else {
                    self.write_or_fail();
                }
            }
            State::Failing { retry_at, .. } if *retry_at <= now => {
                let _ = self.retry();
            }
            State::Failing { .. } => {}
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if let Some(lines) = self.unsynced.get(self.written..)
            && !lines.is_empty()
        {
            self.disk.write(lines)?;
            self.written = self.unsynced.len();
        }
        Ok(())
    }

    /// Writes what there is, and syncs when that is much. Lines that are made while the log fails
    /// wait for the next attempt.
    fn write_or_fail(&mut self) {
        match self.state {
            State::Writing if self.unsynced.len() >= UNSYNCED_BYTES_MAX => {
                // The outcome is in the state and in the answers.
                let _ = self.commit_or_fail();
            }
            State::Writing => {
                if let Err(error) = self.write() {
                    self.fail(&error);
                }
            }
            State::Failing { .. } => {}
        }
    }

    /// Makes everything durable and hands out the receipts.
    fn commit(&mut self) -> io::Result<()> {
        self.write()?;
        if !self.unsynced.is_empty() {
            self.disk.sync()?;
            self.shared.count_sync();
        }
        self.unsynced.clear();
        self.unsynced.shrink_to(UNSYNCED_BYTES_KEPT);
        self.written = 0;
        self.sync_at = None;
        self.tell_end();
        for (reply, receipt) in self.waiting.drain(..) {
            // The session may be gone; its record stays.
            let _ = reply.send(Ok(receipt));
        }
        if self.disk.is_full() || self.is_old() {
            self.disk.turn_over()?;
            self.begun = None;
            self.tell_end();
            self.checkpoint(Cause::Rotated);
        }
        Ok(())
    }

    /// Whether the file was begun too long ago to be written further.
    fn is_old(&self) -> bool {
        let (Some(every), Some(begun)) = (self.limits.rotate_every, self.begun) else {
            return false;
        };
        Duration::try_from((self.clock)().duration_since(begun)).is_ok_and(|age| age >= every)
    }

    /// Behind the last record that was encoded.
    fn place(&self) -> Position {
        let (file, durable) = self.disk.place();
        let offset = durable + self.unsynced.len() as u64;
        Position { file, offset, seq: self.encoder.next_seq() }
    }

    /// Says how far the log is durable, which everything that was encoded is now.
    fn tell_end(&mut self) {
        self.shared.set_end(self.place(), &mut self.notable);
    }

    fn commit_or_fail(&mut self) -> Result<(), ()> {
        self.commit().map_err(|error| self.fail(&error))
    }

    fn fail(&mut self, error: &io::Error) {
        self.shared.set_failing();
        for (reply, _) in self.waiting.drain(..) {
            refuse(reply);
        }
        let retry_at = now() + self.limits.retry_every;
        match &mut self.state {
            State::Writing => {
                tracing::error!(%error, "audit log cannot be written; no raw data until it can");
                self.state = State::Failing { retry_at, lost: Lost { records: 0, since: None } };
            }
            State::Failing { retry_at: at, .. } => *at = retry_at,
        }
    }

    /// Begins anew from the last good sync.
    fn retry(&mut self) -> Result<(), ()> {
        let again = self.disk.rewind().and_then(|()| {
            self.written = 0;
            self.commit()
        });
        if let Err(error) = again {
            self.fail(&error);
            return Err(());
        }
        if let State::Failing { lost, .. } = mem::replace(&mut self.state, State::Writing)
            && lost.records > 0
        {
            tracing::error!(records = lost.records, "audit records were lost");
            self.encode_own(&Event::Lost(lost));
            self.commit_or_fail()?;
        }
        tracing::info!("audit log is written again");
        self.shared.set_healthy();
        Ok(())
    }
}

fn refuse(reply: Reply) {
    // The session may be gone.
    let _ = reply.send(Err(AuditError::Failing));
}
