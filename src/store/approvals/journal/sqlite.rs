use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::{News, recorded};
use crate::grant::{GrantEvent, RecordedEvent};
use crate::model::Timestamp;
use crate::store::approvals::StoreError;

/// Grows when the tables or the events' bodies change in a way that older programs misread.
const SCHEMA_VERSION: u32 = 1;

/// How long to wait at the start for another proxy that is just going down.
const LOCK_WAIT: Duration = Duration::from_secs(2);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS event (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
";

/// The events in SQLite. One process at a time: the file stays locked while it is open, since
/// another writer's events would go unnoticed here.
pub(in crate::store::approvals) struct Journal {
    connection: Connection,
    path: PathBuf,
    /// The last event that was read or written here; 0 before the first.
    sequence: u64,
    /// Whether the last write may or may not have reached the disk.
    doubt: Doubt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// A commit failed: what the file holds must be read before anything is added.
    LastCommit,
}

impl Journal {
    /// Opens or creates the file; returns it locked, checked and writable.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        create_private(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        let connection = connect(&path).map_err(|source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::InUse(path.clone())
            }
            _ => StoreError::Sqlite { path: path.clone(), source },
        })?;
        let mut journal = Self { connection, path, sequence: 0, doubt: Doubt::LastCommit };
        journal.prepare()?;
        Ok(journal)
    }

    /// The file as it is, only to be read; None if there is none.
    pub(super) fn open_to_read(path: &Path) -> Result<Option<Self>, StoreError> {
        let path = path.to_owned();
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .and_then(|connection| connection.busy_timeout(Duration::ZERO).map(|()| connection))
            .map_err(|source| StoreError::Sqlite { path: path.clone(), source })?;
        let journal = Self { connection, path, sequence: 0, doubt: Doubt::LastCommit };
        match journal.meta("schema_version").map_err(|error| journal.failed(error))? {
            Some(found) if found == SCHEMA_VERSION.to_string() => Ok(Some(journal)),
            found => {
                Err(StoreError::Version { path: journal.path, found: found.unwrap_or_default() })
            }
        }
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        let version = self.meta("schema_version").map_err(|error| self.failed(error))?;
        match version.as_deref() {
            None => {
                let created = self.set_meta("schema_version", &SCHEMA_VERSION.to_string());
                created.map_err(|error| self.failed(error))?;
                let named = self.connection.execute(
                    "INSERT OR IGNORE INTO meta VALUES ('store_id', lower(hex(randomblob(16))))",
                    [],
                );
                named.map_err(|error| self.failed(error))?;
            }
            Some(found) if found == SCHEMA_VERSION.to_string() => {}
            Some(found) => {
                return Err(StoreError::Version {
                    path: self.path.clone(),
                    found: found.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Which store it is.
    pub(super) fn store_id(&self) -> Result<String, StoreError> {
        let id = self.meta("store_id").map_err(|error| self.failed(error))?;
        id.ok_or_else(|| StoreError::Version { path: self.path.clone(), found: "no id".to_owned() })
    }

    /// What an error of SQLite's means here.
    fn failed(&self, source: rusqlite::Error) -> StoreError {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::InUse(self.path.clone())
            }
            _ => StoreError::Sqlite { path: self.path.clone(), source },
        }
    }

    /// Every event after the last known one, in order. Nobody else writes: after the first reading
    /// there are some only where a commit failed.
    pub(super) fn read(&mut self) -> Result<News, StoreError> {
        if self.doubt == Doubt::None {
            return Ok(News::default());
        }
        let events = self.page_after(self.sequence, usize::MAX)?;
        self.sequence = events.last().map_or(self.sequence, |last| last.sequence);
        self.doubt = Doubt::None;
        Ok(News { events, ..News::default() })
    }

    /// The first `count` events after `sequence`, in order.
    pub(super) fn page_after(
        &self,
        sequence: u64,
        count: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let rows = self.rows_after(sequence, count).map_err(|error| self.failed(error))?;
        let read = |(id, at, body): (i64, String, String)| {
            recorded(id, &at, &body).ok_or(StoreError::Corrupt { event: id })
        };
        rows.into_iter().map(read).collect()
    }

    fn rows_after(
        &self,
        sequence: u64,
        count: usize,
    ) -> rusqlite::Result<Vec<(i64, String, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, at, body FROM event WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let from = i64::try_from(sequence).unwrap_or(i64::MAX);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        statement
            .query_map([from, count], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect()
    }

    /// Whether [`Self::read`] comes before the next [`Self::append`].
    pub(super) fn in_doubt(&self) -> bool {
        self.doubt == Doubt::LastCommit
    }

    /// Adds events after the last known one, all or none; they are on the disk when this returns.
    pub(super) fn append(
        &mut self,
        events: Vec<GrantEvent>,
        now: Timestamp,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let recorded: Vec<RecordedEvent> = events
            .into_iter()
            .zip(self.sequence + 1..)
            .map(|(event, sequence)| RecordedEvent { sequence, at: now, event })
            .collect();
        self.doubt = Doubt::LastCommit;
        self.insert(&recorded, now).map_err(StoreError::Write)?;
        self.doubt = Doubt::None;
        self.sequence += recorded.len() as u64;
        Ok(recorded)
    }

    fn insert(&mut self, events: &[RecordedEvent], now: Timestamp) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO event (id, at, kind, body) VALUES (?1, ?2, ?3, ?4)")?;
            for RecordedEvent { sequence, at, event } in events {
                let body = serde_json::to_string(event)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                let id = i64::try_from(*sequence).unwrap_or(i64::MAX);
                insert.execute(params![id, at.to_string(), event.kind(), body])?;
            }
            set(&transaction, "seen_at", &now.to_string())?;
        }
        transaction.commit()
    }

    /// Proves that the store can be written, and remembers the time.
    pub(super) fn touch(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.set_meta("seen_at", &now.to_string()).map_err(StoreError::Write)
    }

    /// The last time that the store was written.
    pub(super) fn seen_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let text = self.meta("seen_at").map_err(|error| self.failed(error))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// The last event that the sink took; 0 before the first.
    pub(super) fn delivered(&self) -> Result<u64, StoreError> {
        let text = self.meta("delivered").map_err(|error| self.failed(error))?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Remembers the last event that the sink took. If this is lost, events come twice.
    pub(super) fn set_delivered(&mut self, sequence: u64) -> Result<(), StoreError> {
        self.set_meta("delivered", &sequence.to_string()).map_err(StoreError::Write)
    }

    fn meta(&self, key: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
            .optional()
    }

    fn set_meta(&mut self, key: &str, value: &str) -> rusqlite::Result<()> {
        set(&self.connection, key, value)
    }
}

fn set(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
        )?
        .execute([key, value])
        .map(drop)
}

/// The file exists, is readable by its owner only, and its name is on the disk.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().create_new(true).append(true).mode(0o600).open(path) {
        Ok(_) => {}
        // Not opened here: closing it would drop the locks that this process may hold on it.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;"))?;
    Ok(connection)
}
