//! One sink at work: reads on in the log behind its position, and delivers a batch after another.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Delivered, Failure, Progress, Shipment, Sink};
use crate::audit::{Kind, Record};
use crate::config::SinkStart;
use crate::net::pace::Pace;
use crate::store::approvals::Clock;
use crate::store::audit_log::{AuditLog, Batch, FollowError, Follower, From, Position};
use crate::store::positions::Positions;

/// Bytes of records that are read at a time, and so about what a sink has in memory.
const BATCH_LEN: usize = 256 << 10;

/// How often the position is written down, and so how much comes twice after a crash.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// After so many records one after the other that a receiver refuses, and none that it takes, it is
/// taken to be wrong about all of them, and asked again.
const REFUSED_MAX: u32 = 10;

/// While the process ends, nobody waits longer than this before the next attempt.
const LAST_PAUSE: Duration = Duration::from_millis(250);

/// What sinks share.
#[derive(Clone)]
pub struct Around {
    pub log: AuditLog,
    pub positions: Positions,
    pub clock: Clock,
    /// Says true when the log was closed: what is left is shipped without waiting for more.
    pub closing: watch::Receiver<bool>,
}

/// A sink of the configuration.
pub struct Shipper {
    /// The name of its file among [`Positions`].
    pub name: String,
    pub kinds: Option<Vec<Kind>>,
    pub from: SinkStart,
    /// How long records may wait to be sent together.
    pub every: Duration,
    pub sink: Box<dyn Sink>,
    /// Between attempts.
    pub pace: Pace,
    pub around: Around,
    pub progress: Arc<Progress>,
}

/// Why it does not go on with what it is at.
enum End {
    /// Told to, or all of a log that was closed is shipped.
    Stopped,
    /// The log does not have these records any more.
    Gone(Position),
    /// The log cannot be read.
    Unread(String),
}

/// A shipper under way.
struct Journey {
    shipper: Shipper,
    stop: watch::Receiver<bool>,
    log: Arc<str>,
    /// Behind what is done with; None: it has not begun.
    at: Option<Position>,
    kept: Option<Position>,
    keep_at: Instant,
    refused_in_a_row: u32,
}

impl Shipper {
    /// The usual one: for ever, as the files keep what is not shipped.
    pub const PACE: Pace = Pace {
        first: Duration::from_millis(500),
        longest: Duration::from_secs(30),
        asked_for_max: Duration::from_secs(600),
        attempts_max: u32::MAX,
    };

    /// Works until `stop` says true, when the attempt under way is finished first, or until all of
    /// a log that was closed is shipped.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let log = self.around.log.id().into();
        let journey = Journey {
            shipper: self,
            stop,
            log,
            at: None,
            kept: None,
            keep_at: Instant::now(),
            refused_in_a_row: 0,
        };
        journey.run().await;
    }
}

impl Journey {
    async fn run(mut self) {
        let mut from = self.begin().await;
        let (mut lost, mut gone) = (None, None);
        let mut attempts = 0;
        loop {
            let before = self.at;
            let end = match self.shipper.around.log.follow(from) {
                Ok(follower) => self.follow(follower, lost.take()).await,
                Err(FollowError::Closed) => End::Stopped,
                Err(error) => ended(error),
            };
            attempts = if self.at == before { attempts + 1 } else { 1 };
            match end {
                End::Stopped => break,
                // It came here from the oldest record: nothing was removed, something is damaged.
                End::Gone(position) if gone == Some(position) => {
                    self.unread(&FollowError::Gone(position).to_string());
                    from = From::Position(position);
                }
                End::Gone(position) => {
                    (lost, gone) = (Some(position), Some(position));
                    from = From::Oldest;
                }
                End::Unread(why) => {
                    self.unread(&why);
                    from = self.at.map_or(From::Oldest, From::Position);
                }
            }
            // Not at once even where the log lost something: it may be losing more.
            let wait = self.shipper.pace.wait(attempts, rand::random(), None);
            if self.pause(wait).await.is_err() {
                break;
            }
        }
        self.keep().await;
    }

    fn unread(&self, why: &str) {
        let sink = &self.shipper.name;
        tracing::error!(sink, why, "the audit log cannot be read");
        self.shipper.progress.failed(why);
    }

    /// Where it goes on. Where it was is not known after a file was damaged: better twice than not
    /// at all then.
    async fn begin(&mut self) -> From {
        let shipper = &self.shipper;
        let (positions, name) = (shipper.around.positions.clone(), shipper.name.clone());
        let log = Arc::clone(&self.log);
        let read = move || positions.read::<Position>(&name, &log);
        let why = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(Some(position))) => return From::Position(position),
            Ok(Ok(None)) => {
                return match shipper.from {
                    SinkStart::Oldest => From::Oldest,
                    SinkStart::Now => From::Now,
                };
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "reading what was shipped panicked".to_owned(),
        };
        tracing::error!(sink = shipper.name, why, "all records of the log are shipped again");
        From::Oldest
    }

    /// Ships what the follower gives. `lost` is where it should have gone on.
    async fn follow(&mut self, mut follower: Follower, lost: Option<Position>) -> End {
        if let Some(at) = follower.position() {
            if let Some(lost) = lost {
                let records = at.seq.saturating_sub(lost.seq);
                let sink = &self.shipper.name;
                tracing::error!(sink, records, "records were removed before they were shipped");
                self.shipper.progress.missed(records);
            }
            self.reached(at);
            if self.kept.is_none() {
                self.keep().await;
            }
        }
        loop {
            match self.next(&mut follower).await {
                Ok(batch) => {
                    if let Err(end) = self.take(&batch, follower.waiting()).await {
                        return end;
                    }
                }
                Err(end) => return end,
            }
        }
    }

    /// The next batch. Meanwhile, what was delivered is written down.
    async fn next(&mut self, follower: &mut Follower) -> Result<Batch, End> {
        let mut next = pin!(follower.next(BATCH_LEN));
        loop {
            let (due, open) = (self.keep_at, self.at != self.kept);
            tokio::select! {
                batch = &mut next => return match batch {
                    Ok(Some(batch)) => Ok(batch),
                    Ok(None) | Err(FollowError::Closed) => Err(End::Stopped),
                    Err(error) => Err(ended(error)),
                },
                () = sleep_until(due), if open => self.keep().await,
                () = told(&mut self.stop) => return Err(End::Stopped),
            }
        }
    }

    /// Delivers a batch, and waits for more to come together if no more is `waiting`.
    async fn take(&mut self, batch: &Batch, waiting: u64) -> Result<(), End> {
        let oldest = batch.records().next().and_then(|line| Record::of(line).ok());
        self.shipper.progress.in_hand(oldest.map(|record| record.time));
        let shipment = Shipment::of(&self.log, batch, self.shipper.kinds.as_deref());
        if !shipment.is_empty() {
            self.ship(shipment).await?;
        }
        self.reached(batch.to);
        self.shipper.progress.in_hand(None);
        if Instant::now() >= self.keep_at {
            self.keep().await;
        }
        if waiting == 0 && !*self.shipper.around.closing.borrow() {
            self.pause(self.shipper.every).await?;
        }
        Ok(())
    }

    /// Until all of it is taken; of what is refused, the record that it is about is left out.
    async fn ship(&mut self, shipment: Shipment) -> Result<(), End> {
        let mut parts = vec![shipment];
        while let Some(part) = parts.pop() {
            match self.attempt(&part).await? {
                Ok(()) => {}
                Err(why) => match part.halves() {
                    Some((first, second)) => parts.extend([second, first]),
                    None => {
                        let (sink, (seq, _)) = (&self.shipper.name, part.span());
                        tracing::error!(sink, seq, why, "the receiver refuses a record");
                        self.refused_in_a_row += 1;
                        self.shipper.progress.refused(1);
                    }
                },
            }
        }
        Ok(())
    }

    /// Until it is taken, or refused for what is in it.
    async fn attempt(&mut self, part: &Shipment) -> Result<Result<(), String>, End> {
        for attempts in 1.. {
            let now = (self.shipper.around.clock)();
            let (why, wait) = match self.shipper.sink.deliver(part, now).await {
                Ok(Delivered { cut, refused }) => {
                    let progress = &self.shipper.progress;
                    if refused > 0 {
                        let sink = &self.shipper.name;
                        tracing::error!(sink, refused, "the receiver refuses records");
                        progress.refused(refused);
                    }
                    progress.delivered(part.len().saturating_sub(refused), cut, now);
                    self.refused_in_a_row = 0;
                    return Ok(Ok(()));
                }
                Err(Failure::ForGood { why }) if self.refused_in_a_row < REFUSED_MAX => {
                    self.shipper.progress.failed(&why);
                    return Ok(Err(why));
                }
                Err(Failure::ForGood { why }) => (why, None),
                Err(Failure::ForNow { why, wait }) => (why, wait),
            };
            self.shipper.progress.failed(&why);
            let wait = self.shipper.pace.wait(attempts, rand::random(), wait);
            let sink = &self.shipper.name;
            tracing::warn!(sink, why, attempts, ?wait, "records wait for their receiver");
            self.pause(wait).await?;
        }
        Err(End::Stopped)
    }

    fn reached(&mut self, at: Position) {
        self.at = Some(at);
        self.shipper.progress.reached(at);
    }

    /// Writes down where it is.
    async fn keep(&mut self) {
        self.keep_at = Instant::now() + KEEP_EVERY;
        let Some(at) = self.at.filter(|_| self.at != self.kept) else { return };
        let shipper = &self.shipper;
        let (positions, name) = (shipper.around.positions.clone(), shipper.name.clone());
        let log = Arc::clone(&self.log);
        let kept = tokio::task::spawn_blocking(move || positions.keep(&name, &log, at)).await;
        match kept {
            Ok(Ok(())) => {
                self.kept = Some(at);
                self.shipper.progress.kept_at(at);
            }
            Ok(Err(error)) => {
                let sink = &self.shipper.name;
                tracing::error!(sink, %error, "the next start will ship records again");
            }
            // Nothing in it panics; the next time it is tried again.
            Err(_) => {}
        }
    }

    /// Shorter when the process ends.
    async fn pause(&mut self, wait: Duration) -> Result<(), End> {
        let closing = &mut self.shipper.around.closing;
        let wait = if *closing.borrow() { wait.min(LAST_PAUSE) } else { wait };
        let over = *closing.borrow();
        tokio::select! {
            () = sleep(wait) => Ok(()),
            () = told(closing), if !over => Ok(()),
            () = told(&mut self.stop) => Err(End::Stopped),
        }
    }
}

fn ended(error: FollowError) -> End {
    match error {
        FollowError::Gone(position) => End::Gone(position),
        FollowError::Closed | FollowError::Read { .. } => End::Unread(error.to_string()),
    }
}

/// Returns when it says true; a sender that is gone says so, too.
async fn told(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|said| *said).await;
}

#[cfg(test)]
mod tests;
