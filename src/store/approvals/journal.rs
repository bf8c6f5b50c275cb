use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::StoreError;
use crate::grant::{GrantEvent, RecordedEvent};
use crate::model::Timestamp;

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
pub(super) struct Journal {
    connection: Connection,
    path: PathBuf,
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
    pub(super) fn open(url: &str, base_dir: &Path) -> Result<Self, StoreError> {
        let path = path_of(url, base_dir)?;
        create_private(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        let connection = connect(&path).map_err(|source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::InUse(path.clone())
            }
            _ => StoreError::Sqlite { path: path.clone(), source },
        })?;
        let mut journal = Self { connection, path, doubt: Doubt::None };
        journal.prepare()?;
        Ok(journal)
    }

    /// The file as it is, only to be read; None if there is none.
    pub(super) fn open_to_read(url: &str, base_dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = path_of(url, base_dir)?;
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .and_then(|connection| connection.busy_timeout(Duration::ZERO).map(|()| connection))
            .map_err(|source| StoreError::Sqlite { path: path.clone(), source })?;
        let journal = Self { connection, path, doubt: Doubt::None };
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

    /// What an error of SQLite's means here.
    pub(super) fn failed(&self, source: rusqlite::Error) -> StoreError {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StoreError::InUse(self.path.clone())
            }
            _ => StoreError::Sqlite { path: self.path.clone(), source },
        }
    }

    /// Every event after `sequence`, in order.
    pub(super) fn events_after(&mut self, sequence: u64) -> Result<Vec<RecordedEvent>, StoreError> {
        let rows = self.rows_after(sequence).map_err(|error| self.failed(error))?;
        self.doubt = Doubt::None;
        let read = |(id, at, body): (i64, String, String)| {
            let corrupt = || StoreError::Corrupt { path: self.path.clone(), event: id };
            Ok(RecordedEvent {
                sequence: u64::try_from(id).map_err(|_| corrupt())?,
                at: at.parse().map_err(|_| corrupt())?,
                event: serde_json::from_str(&body).map_err(|_| corrupt())?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    fn rows_after(&self, sequence: u64) -> rusqlite::Result<Vec<(i64, String, String)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, at, body FROM event WHERE id > ?1 ORDER BY id")?;
        let from = i64::try_from(sequence).unwrap_or(i64::MAX);
        statement.query_map([from], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }

    /// Whether [`Self::events_after`] must be read before the next [`Self::append`].
    pub(super) fn in_doubt(&self) -> bool {
        self.doubt == Doubt::LastCommit
    }

    /// Adds events after `sequence`, all or none; they are on the disk when this returns.
    pub(super) fn append(
        &mut self,
        sequence: u64,
        events: Vec<GrantEvent>,
        now: Timestamp,
    ) -> rusqlite::Result<Vec<RecordedEvent>> {
        let recorded: Vec<RecordedEvent> = events
            .into_iter()
            .zip(sequence + 1..)
            .map(|(event, sequence)| RecordedEvent { sequence, at: now, event })
            .collect();
        self.doubt = Doubt::LastCommit;
        self.insert(&recorded, now)?;
        self.doubt = Doubt::None;
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
    pub(super) fn touch(&mut self, now: Timestamp) -> rusqlite::Result<()> {
        self.set_meta("seen_at", &now.to_string())
    }

    /// What tells this store from every other.
    pub(super) fn store_id(&self) -> Result<String, StoreError> {
        let id = self.meta("store_id").map_err(|error| self.failed(error))?;
        id.ok_or_else(|| StoreError::Version { path: self.path.clone(), found: String::new() })
    }

    /// The last time that the store was written.
    pub(super) fn seen_at(&self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.meta("seen_at")?.and_then(|text| text.parse().ok()))
    }

    /// The last event that the sink took; 0 before the first.
    pub(super) fn delivered(&self) -> rusqlite::Result<u64> {
        Ok(self.meta("delivered")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Remembers the last event that the sink took. If this is lost, events come twice.
    pub(super) fn set_delivered(&mut self, sequence: u64) -> rusqlite::Result<()> {
        self.set_meta("delivered", &sequence.to_string())
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

fn path_of(url: &str, base_dir: &Path) -> Result<PathBuf, StoreError> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return Err(StoreError::Postgres);
    }
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() && !path.starts_with(':') => Ok(base_dir.join(path)),
        _ => Err(StoreError::Url(url.to_owned())),
    }
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
