use crate::grant::seal::SealError;
use std::path::PathBuf;
use std::time::Duration;

use super::settings::ConnectFailure;
use crate::grant::LedgerError;

/// A store that cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("max_staleness must be from 1s to 1h, not {0:?}")]
    Staleness(Duration),
    #[error("store {} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("store {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("store {}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("store {} is of version {found}, which this program does not know", path.display())]
    Version { path: PathBuf, found: String },
    #[error("event {event} of the store cannot be read")]
    Corrupt { event: i64 },
    #[error("the store's events contradict each other: {0}")]
    Events(#[from] LedgerError),
    #[error("the store cannot be written: {0}")]
    Write(#[source] rusqlite::Error),
    #[error("store {place} is out of reach: {source}")]
    Connect { place: String, source: ConnectFailure },
    #[error("store {place} has not answered in {limit:?}")]
    Late { place: String, limit: Duration },
    /// Just after a failure: not tried again so soon.
    #[error("store {place} is out of reach")]
    Away { place: String },
    #[error("store {place}: {}", said(source))]
    Database { place: String, source: tokio_postgres::Error },
    #[error("store {place} is of version {found}, and this program knows {known} at most")]
    Newer { place: String, found: i32, known: i32 },
    #[error("schema keyhole cannot be made in {place}; let the database's owner run: {sql}")]
    Schema { place: String, sql: String },
    #[error("schema keyhole in {place} is no approval store: its head is missing")]
    Headless { place: String },
    #[error("{place} holds another store ({found}) than at the start ({known})")]
    Replaced { place: String, known: String, found: String },
    #[error(
        "this is store {found}, and {} belongs to store {kept}: the numbers of grants in that \
         audit log would mean others; if it is meant, run: keyhole store adopt",
        folder.display()
    )]
    OtherStore { folder: PathBuf, kept: String, found: String },
    #[error(
        "the clock of this machine and the database's differ by {skew:?}; more than {max:?} is \
         too much to tell when grants end"
    )]
    Skew { skew: Duration, max: Duration },
    #[error("{}: {source}", path.display())]
    Local { path: PathBuf, source: std::io::Error },
    #[error("the store's thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
    #[error("the store is set back again and again")]
    Unsettled,
    #[error(transparent)]
    Receipt(#[from] SealError),
    #[error("the store has stopped")]
    Stopped,
}

/// The database's own words where it has some.
fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => error.to_string(),
    }
}
