//! The events in PostgreSQL, for several proxies.
//!
//! One row, the head, holds the number of the last event. Whoever adds events holds its lock from
//! before it reads to its commit, so numbers have no gaps and a reader that sees one event has
//! seen all before it. Each event carries the mark of the append that it came with: a store whose
//! history is not what was read here, because it was set back, is told by its marks.

mod feed;
mod listen;
mod look;
mod rows;
mod schema;
mod session;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use self::rows::Found;
use self::session::{Line, Lock, Session};
use super::local::{Local, Position};
use super::{History, News, Outcome};
use crate::grant::{GrantEvent, RecordedEvent};
use crate::model::Timestamp;
use crate::store::approvals::StoreError;
use crate::store::approvals::settings::Shared;

/// Reading all of a store may take so long.
const FIRST_READING: Duration = Duration::from_secs(120);

/// Between attempts to reach a database that is away.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// So many marks are kept to find where two histories part.
const RECENT_MAX: usize = 4_096;

pub(super) use look::{identify, look};

pub(in crate::store::approvals) struct Journal {
    store: Shared,
    runtime: Arc<Runtime>,
    patience: Duration,
    /// None after any failure: the next step begins with a new connection.
    session: Option<Session>,
    retry: Retry,
    /// Which store it is.
    id: String,
    /// This proxy's own name: its marks begin with it.
    proxy: String,
    local: Local,
    /// As found at the start; None once it was compared.
    remembered: Option<Position>,
    delivered: u64,
    /// The last event that was read or written here.
    known: Position,
    /// When that was.
    last_at: Timestamp,
    seen_at: Option<Timestamp>,
    recent: VecDeque<Position>,
    attempt: Option<Attempt>,
}

/// An append whose outcome is not known yet.
struct Attempt {
    recorded: Vec<RecordedEvent>,
    mark: String,
}

/// When a database that is away is tried again.
struct Retry {
    at: Option<Instant>,
    pause: Duration,
}

impl Journal {
    /// Connects, and makes the tables if they are not there.
    pub(super) fn open(
        store: &Shared,
        local: &Path,
        patience: Duration,
        runtime: &Arc<Runtime>,
    ) -> Result<Self, StoreError> {
        let opening = async {
            schema::prepare(&mut Line::open(store, patience).await?.client, &store.place).await?;
            let line = Line::open(store, patience).await?;
            let id = schema::store_id(&line.client, &store.place).await?;
            Ok::<_, StoreError>((line.prepare(&store.place).await?, id))
        };
        let (session, id) = runtime.block_on(opening)?;
        let local = Local::open(local, &id)?;
        let (remembered, proxy) = (local.position(), local.proxy()?);
        Ok(Self {
            store: store.clone(),
            runtime: Arc::clone(runtime),
            patience,
            session: Some(session),
            retry: Retry { at: None, pause: RETRY_MIN },
            id,
            proxy,
            local,
            delivered: remembered.as_ref().map_or(0, |position| position.sequence),
            remembered,
            known: Position::default(),
            last_at: Timestamp::MIN,
            seen_at: None,
            recent: VecDeque::new(),
            attempt: None,
        })
    }

    /// Tells `news` of what others write, from a task of this journal's runtime.
    pub(super) fn watch(&self, news: &Arc<Notify>) {
        let (store, news) = (self.store.clone(), Arc::clone(news));
        self.runtime.spawn(listen::listen(store, news, self.patience));
    }

    pub(super) fn read(&mut self) -> Result<News, StoreError> {
        self.reading(Lock::None)
    }

    pub(super) fn begin(&mut self) -> Result<News, StoreError> {
        self.reading(Lock::Head)
    }

    /// A connection that was lost while nobody used it is no reason to fail.
    fn reading(&mut self, lock: Lock) -> Result<News, StoreError> {
        let used = self.session.is_some();
        match self.attempt_reading(lock) {
            Err(StoreError::Database { source, .. }) if used && is_lost(&source) => {
                self.attempt_reading(lock)
            }
            done => done,
        }
    }

    fn attempt_reading(&mut self, lock: Lock) -> Result<News, StoreError> {
        let session = self.session()?;
        let limit = if self.known.sequence == 0 { FIRST_READING } else { self.patience };
        let from = self.known.sequence;
        let reading = async { timeout(limit, session.read(lock, from)).await };
        let rows = match self.runtime.block_on(reading) {
            Ok(Ok(rows)) => rows,
            Ok(Err(source)) => return Err(self.failed(source)),
            Err(_) => return Err(self.late(limit)),
        };
        // What is wrong below ends the connection, and with it the lock.
        let found = Found::read(&rows, &self.store.place)?;
        if found.store_id != self.id {
            return Err(StoreError::Replaced {
                place: self.store.place.clone(),
                known: self.id.clone(),
                found: found.store_id,
            });
        }
        let news = self.take(found, lock)?;
        self.session = Some(session);
        Ok(news)
    }

    fn take(&mut self, found: Found, lock: Lock) -> Result<News, StoreError> {
        let Found { sequence, seen_at, time, mut positions, mut events, .. } = found;
        self.seen_at = seen_at;
        if self.known.sequence > 0 {
            if positions.first() != Some(&self.known) {
                return Ok(News { history: History::Another, time, ..News::default() });
            }
            positions.remove(0);
            drop(events.remove(0));
        }
        let events = events.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut next = self.known.sequence;
        for position in &positions {
            next += 1;
            if position.sequence != next {
                return Err(StoreError::Corrupt { event: i64::try_from(next).unwrap_or(i64::MAX) });
            }
        }
        if sequence != next {
            return Err(StoreError::Corrupt { event: i64::try_from(next).unwrap_or(i64::MAX) });
        }
        let history = self.compare(&positions);
        let outcome = self.outcome(&positions, lock);
        self.advance(positions, events.last().map(|last| last.at));
        Ok(News { events, history, outcome, time })
    }

    /// Whether the position that was remembered at the start is in the store.
    fn compare(&mut self, positions: &[Position]) -> History {
        match self.remembered.take() {
            Some(remembered) if !positions.contains(&remembered) => {
                self.delivered = 0;
                History::Another
            }
            Some(_) | None => History::Same,
        }
    }

    /// Under the lock, what is not stored never will be: the append held it to its end.
    fn outcome(&mut self, positions: &[Position], lock: Lock) -> Option<Outcome> {
        let attempt = self.attempt.take()?;
        let stored = positions.iter().any(|position| position.mark == attempt.mark);
        match (stored, lock) {
            (true, _) => Some(Outcome::Stored(attempt.recorded)),
            (false, Lock::Head) => Some(Outcome::Lost),
            (false, Lock::None) => {
                self.attempt = Some(attempt);
                None
            }
        }
    }

    fn advance(&mut self, positions: Vec<Position>, last_at: Option<Timestamp>) {
        if let Some(last) = positions.last() {
            self.known = last.clone();
        }
        self.last_at = last_at.map_or(self.last_at, |at| at.max(self.last_at));
        self.recent.extend(positions);
        let surplus = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..surplus);
    }

    /// No event is dated before the one that it follows.
    pub(super) fn dated(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_at)
    }

    /// Needs [`Self::begin`] before it.
    pub(super) fn append(
        &mut self,
        events: Vec<GrantEvent>,
        now: Timestamp,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let Some(session) = self.session.take() else { return Err(self.away()) };
        let at = self.dated(now);
        let recorded: Vec<RecordedEvent> = events
            .into_iter()
            .zip(self.known.sequence + 1..)
            .map(|(event, sequence)| RecordedEvent { sequence, at, event })
            .collect();
        let mark = format!("{}{:016x}", self.proxy, rand::random::<u64>());
        let written = rows::Written::new(&recorded)?;
        self.attempt = Some(Attempt { recorded: recorded.clone(), mark: mark.clone() });
        let appending = async { timeout(self.patience, session.append(&written, &mark)).await };
        match self.runtime.block_on(appending) {
            Ok(Ok(())) => {}
            Ok(Err(source)) => return Err(self.failed(source)),
            Err(_) => return Err(self.late(self.patience)),
        }
        self.attempt = None;
        self.session = Some(session);
        let positions = recorded
            .iter()
            .map(|event| Position { sequence: event.sequence, mark: mark.clone() })
            .collect();
        self.advance(positions, Some(at));
        Ok(recorded)
    }

    /// Needs [`Self::begin`] before it.
    pub(super) fn touch(&mut self) -> Result<(), StoreError> {
        let Some(session) = self.session.take() else { return Err(self.away()) };
        let touching = async { timeout(self.patience, session.touch()).await };
        match self.runtime.block_on(touching) {
            Ok(Ok(())) => {}
            Ok(Err(source)) => return Err(self.failed(source)),
            Err(_) => return Err(self.late(self.patience)),
        }
        self.session = Some(session);
        Ok(())
    }

    pub(super) fn release(&mut self) {
        let Some(session) = self.session.take() else { return };
        let releasing = async { timeout(self.patience, session.release()).await };
        // Without a connection there is no lock either.
        if let Ok(Ok(())) = self.runtime.block_on(releasing) {
            self.session = Some(session);
        }
    }

    pub(super) fn store_id(&self) -> &str {
        &self.id
    }

    pub(super) fn in_doubt(&self) -> bool {
        self.attempt.is_some()
    }

    pub(super) fn seen_at(&self) -> Option<Timestamp> {
        self.seen_at
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) fn set_delivered(&mut self, sequence: u64) -> Result<(), StoreError> {
        self.delivered = sequence;
        if sequence == 0 {
            return self.local.forget_position();
        }
        // One whose mark is no longer known is not written down: what comes after it will be.
        let at = self.recent.binary_search_by_key(&sequence, |position| position.sequence);
        let position = at.ok().and_then(|at| self.recent.get(at));
        position.map_or(Ok(()), |position| self.local.set_position(position))
    }

    pub(super) fn read_again(&mut self) -> Result<(News, u64), StoreError> {
        let (known, recent) = (std::mem::take(&mut self.known), std::mem::take(&mut self.recent));
        match self.read() {
            Ok(news) => {
                self.attempt = None;
                let same = self.recent.iter().rev().find(|position| {
                    let at = recent.binary_search_by_key(&position.sequence, |old| old.sequence);
                    at.is_ok_and(|at| recent[at] == **position)
                });
                Ok((news, same.map_or(0, |position| position.sequence)))
            }
            Err(error) => {
                // It is found to be another again.
                (self.known, self.recent) = (known, recent);
                Err(error)
            }
        }
    }

    fn session(&mut self) -> Result<Session, StoreError> {
        if let Some(session) = self.session.take().filter(Session::is_open) {
            return Ok(session);
        }
        if self.retry.at.is_some_and(|at| Instant::now() < at) {
            return Err(self.away());
        }
        let opening = async {
            let line = Line::open(&self.store, self.patience).await?;
            Ok(timeout(self.patience, line.prepare(&self.store.place)).await)
        };
        let opened = match self.runtime.block_on(opening) {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(self.late(self.patience)),
            Err(error) => Err(error),
        };
        self.retry = match &opened {
            Ok(_) => Retry { at: None, pause: RETRY_MIN },
            Err(_) => Retry {
                at: Some(Instant::now() + self.retry.pause),
                pause: (self.retry.pause * 2).min(RETRY_MAX),
            },
        };
        opened
    }

    fn failed(&self, source: tokio_postgres::Error) -> StoreError {
        StoreError::Database { place: self.store.place.clone(), source }
    }

    fn late(&self, limit: Duration) -> StoreError {
        StoreError::Late { place: self.store.place.clone(), limit }
    }

    fn away(&self) -> StoreError {
        StoreError::Away { place: self.store.place.clone() }
    }
}

/// Whether the connection had gone, or leads to a server that is no longer the one to write to.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    const OPERATOR_INTERVENTION: &str = "57";
    const READ_ONLY: &str = "25006";
    error.as_db_error().is_none_or(|said| {
        said.code().code().starts_with(OPERATOR_INTERVENTION) || said.code().code() == READ_ONLY
    })
}
