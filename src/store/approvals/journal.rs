//! Where the events are: in a file of this process, or in a database that several proxies share.
//!
//! Either way a change is: [`Journal::begin`], which reads what others wrote and, where there are
//! others, keeps them out; a decision on the state that this gives; [`Journal::append`].

mod local;
mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::StoreError;
use super::settings::Location;
use crate::grant::{GrantEvent, Origin, RecordedEvent};
use crate::model::Timestamp;

pub(super) use local::adopt;

pub(super) enum Journal {
    Sqlite(sqlite::Journal),
    Postgres(Box<postgres::Journal>),
}

/// What a reading found.
#[derive(Debug, Default)]
pub(super) struct News {
    /// After the last event that was known, in order, without a gap.
    pub(super) events: Vec<RecordedEvent>,
    pub(super) history: History,
    /// What became of an append whose outcome was not known; None: there was none, or it still
    /// is not.
    pub(super) outcome: Option<Outcome>,
    /// The database's time at the reading; None: there is no clock but our own.
    pub(super) time: Option<Timestamp>,
}

/// Whether what was read before is still in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum History {
    #[default]
    Same,
    /// The store was set back, by a failover that lost transactions or by a restored backup: the
    /// last event known here is not in it. [`Journal::read_again`] comes next.
    Another,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored(Vec<RecordedEvent>),
    /// And never will be.
    Lost,
}

impl Journal {
    /// Opens or creates the store; what this proxy remembers of it lies in `local`.
    pub(super) fn open(
        location: &Location,
        local: &Path,
        patience: Duration,
        runtime: &Arc<Runtime>,
    ) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => {
                let journal = sqlite::Journal::open(path)?;
                local::Local::open(local, &journal.store_id()?)?;
                Ok(Self::Sqlite(journal))
            }
            Location::Postgres(shared) => {
                let journal = postgres::Journal::open(shared, local, patience, runtime)?;
                Ok(Self::Postgres(Box::new(journal)))
            }
        }
    }

    /// What is read and written without delay when somebody else has written.
    pub(super) fn watch(&self, news: &Arc<Notify>) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(journal) => journal.watch(news),
        }
    }

    /// Whether other proxies write too.
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// Reads what was written after the last event known here.
    pub(super) fn read(&mut self) -> Result<News, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.read(),
            Self::Postgres(journal) => journal.read(),
        }
    }

    /// Like [`Self::read`], and nobody else writes from here until [`Self::append`],
    /// [`Self::touch`] or [`Self::release`].
    pub(super) fn begin(&mut self) -> Result<News, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.read(),
            Self::Postgres(journal) => journal.begin(),
        }
    }

    /// Adds events, all or none; they are durable when this returns. After an error it may be
    /// open whether they are stored: the next [`Self::begin`] finds out.
    pub(super) fn append(
        &mut self,
        events: Vec<GrantEvent>,
        now: Timestamp,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.append(events, now),
            Self::Postgres(journal) => journal.append(events, now),
        }
    }

    /// What events that are decided at `now` are dated: none before the one that it follows.
    pub(super) fn dated(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Sqlite(_) => now,
            Self::Postgres(journal) => journal.dated(now),
        }
    }

    /// Proves that the store can be written, and remembers the time.
    pub(super) fn touch(&mut self, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(journal) => journal.touch(now),
            Self::Postgres(journal) => journal.touch(),
        }
    }

    /// Nothing is to be written after [`Self::begin`].
    pub(super) fn release(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(journal) => journal.release(),
        }
    }

    /// Whether it is open what became of the last append.
    pub(super) fn in_doubt(&self) -> bool {
        match self {
            Self::Sqlite(journal) => journal.in_doubt(),
            Self::Postgres(journal) => journal.in_doubt(),
        }
    }

    /// The last time that the store was written, as of the last reading.
    pub(super) fn seen_at(&self) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.seen_at(),
            Self::Postgres(journal) => Ok(journal.seen_at()),
        }
    }

    /// The last event that the sink took, as this proxy remembers it; 0 before the first.
    pub(super) fn delivered(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.delivered(),
            Self::Postgres(journal) => Ok(journal.delivered()),
        }
    }

    /// Remembers the last event that the sink took. If this is lost, events come twice.
    pub(super) fn set_delivered(&mut self, sequence: u64) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(journal) => journal.set_delivered(sequence),
            Self::Postgres(journal) => journal.set_delivered(sequence),
        }
    }

    /// Which store it is.
    pub(super) fn store_id(&self) -> Result<String, StoreError> {
        match self {
            Self::Sqlite(journal) => journal.store_id(),
            Self::Postgres(journal) => Ok(journal.store_id().to_owned()),
        }
    }

    /// The first `count` events after `sequence`, in order, and whether this proxy wrote them, now
    /// or before a restart.
    pub(super) fn page_after(
        &mut self,
        sequence: u64,
        count: usize,
    ) -> Result<Vec<(RecordedEvent, Origin)>, StoreError> {
        match self {
            Self::Sqlite(journal) => {
                let events = journal.page_after(sequence, count)?;
                Ok(events.into_iter().map(|event| (event, Origin::Here)).collect())
            }
            Self::Postgres(journal) => journal.page_after(sequence, count),
        }
    }

    /// Reads everything anew, after [`History::Another`]; and the last event that is what it was.
    pub(super) fn read_again(&mut self) -> Result<(News, u64), StoreError> {
        match self {
            // Nobody else writes there, so nothing is another than it was.
            Self::Sqlite(_) => Err(StoreError::Unsettled),
            Self::Postgres(journal) => journal.read_again(),
        }
    }
}

/// All that a store holds.
pub(super) struct Kept {
    pub(super) events: Vec<RecordedEvent>,
    /// When it was last written.
    pub(super) seen_at: Option<Timestamp>,
}

/// The store as it is; None if there is none yet.
pub(super) fn look(location: &Location) -> Result<Option<Kept>, StoreError> {
    match location {
        Location::Sqlite(path) => {
            let Some(mut journal) = sqlite::Journal::open_to_read(path)? else { return Ok(None) };
            let News { events, .. } = journal.read()?;
            Ok(Some(Kept { events, seen_at: journal.seen_at()? }))
        }
        Location::Postgres(shared) => postgres::look(shared),
    }
}

/// Which store it is; None if there is none yet.
pub(super) fn identify(location: &Location) -> Result<Option<String>, StoreError> {
    match location {
        Location::Sqlite(path) => {
            let journal = sqlite::Journal::open_to_read(path)?;
            journal.map(|journal| journal.store_id()).transpose()
        }
        Location::Postgres(shared) => postgres::identify(shared),
    }
}

/// An event as a row holds it; None if that cannot be read.
fn recorded(id: i64, at: &str, body: &str) -> Option<RecordedEvent> {
    Some(RecordedEvent {
        sequence: u64::try_from(id).ok()?,
        at: at.parse().ok()?,
        event: serde_json::from_str(body).ok()?,
    })
}
