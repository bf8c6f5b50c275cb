//! One connection, and what is said on it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join3, join4};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Error, Row, Statement};

use super::listen::CHANNEL;
use super::rows::{READ, Written};
use crate::store::approvals::StoreError;
use crate::store::approvals::settings::{Link, Shared};

/// Waits for whoever is adding events, and keeps everybody else from it.
const LOCK: &str = "SELECT FROM keyhole.head FOR UPDATE";

const INSERT: &str = "INSERT INTO keyhole.event (id, mark, at, kind, body) \
     SELECT id, $1, at, kind, body \
     FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) AS e (id, at, kind, body)";

const ADVANCE: &str = "UPDATE keyhole.head \
     SET sequence = $1, seen_at = greatest(seen_at, clock_timestamp())";

const TOUCH: &str = "UPDATE keyhole.head SET seen_at = greatest(seen_at, clock_timestamp())";

const NOTIFY: &str = "SELECT pg_notify($1, $2)";

/// Whether a reading keeps others from adding events until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    None,
    Head,
}

/// A connection that has nothing to do with the tables yet.
pub(super) struct Line {
    pub(super) client: Client,
    driver: AbortHandle,
}

/// One that has.
pub(super) struct Session {
    line: Line,
    statements: Statements,
}

struct Statements {
    lock: Statement,
    read: Statement,
    insert: Statement,
    advance: Statement,
    touch: Statement,
    notify: Statement,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Line {
    /// Connects; nothing that is said may take longer than `patience`. To be called within the
    /// runtime that is to drive it.
    pub(super) async fn open(store: &Shared, patience: Duration) -> Result<Self, StoreError> {
        let unheard = Arc::new(Notify::new());
        let connecting = timeout(store.connect_patience, (store.connect)(unheard)).await;
        let place = || store.place.clone();
        let connected = connecting
            .map_err(|_| StoreError::Late { place: place(), limit: store.connect_patience })?;
        let Link { client, driver } =
            connected.map_err(|source| StoreError::Connect { place: place(), source })?;
        let driver = Handle::current().spawn(driver).abort_handle();
        let line = Self { client, driver };
        let setting = timeout(patience, line.client.batch_execute(&settings(patience))).await;
        let set = setting.map_err(|_| StoreError::Late { place: place(), limit: patience })?;
        set.map_err(|source| StoreError::Database { place: place(), source })?;
        Ok(line)
    }

    /// Needs the tables.
    pub(super) async fn prepare(self, place: &str) -> Result<Session, StoreError> {
        let client = &self.client;
        let preparing = async {
            Ok(Statements {
                lock: client.prepare(LOCK).await?,
                read: client.prepare(READ).await?,
                insert: client.prepare(INSERT).await?,
                advance: client.prepare(ADVANCE).await?,
                touch: client.prepare(TOUCH).await?,
                notify: client.prepare(NOTIFY).await?,
            })
        };
        let failed = |source| StoreError::Database { place: place.to_owned(), source };
        let statements = preparing.await.map_err(failed)?;
        Ok(Session { line: self, statements })
    }
}

impl Session {
    pub(super) fn client(&self) -> &Client {
        &self.line.client
    }

    pub(super) fn is_open(&self) -> bool {
        !self.line.client.is_closed()
    }

    /// The head and every event from number `from` on, as of one moment; with the lock, in a
    /// transaction that stays open.
    pub(super) async fn read(&self, lock: Lock, from: u64) -> Result<Vec<Row>, Error> {
        let client = &self.line.client;
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let Statements { lock: head, read, .. } = &self.statements;
        let parameters = [&from as &(dyn tokio_postgres::types::ToSql + Sync)];
        let reading = client.query(read, &parameters);
        match lock {
            Lock::None => reading.await,
            // All is sent at once. The reading has a snapshot of its own, taken with the lock.
            Lock::Head => {
                let begin = client.batch_execute("BEGIN");
                let (begun, locked, rows) = join3(begin, client.query(head, &[]), reading).await;
                begun?;
                locked?;
                rows
            }
        }
    }

    /// Adds events, tells everybody and commits.
    pub(super) async fn append(&self, written: &Written, mark: &str) -> Result<(), Error> {
        let client = &self.line.client;
        let Written { ids, at, kinds, bodies, last } = written;
        let Statements { insert, advance, notify, .. } = &self.statements;
        let number = last.to_string();
        let (inserted, advanced, told, committed) = join4(
            client.execute(insert, &[&mark, ids, at, kinds, bodies]),
            client.execute(advance, &[last]),
            client.execute(notify, &[&CHANNEL, &number]),
            // After an error this is a rollback; the error has been told before.
            client.batch_execute("COMMIT"),
        )
        .await;
        inserted?;
        advanced?;
        told?;
        committed
    }

    pub(super) async fn touch(&self) -> Result<(), Error> {
        let client = &self.line.client;
        let touch = client.execute(&self.statements.touch, &[]);
        let (touched, committed) = join(touch, client.batch_execute("COMMIT")).await;
        touched?;
        committed
    }

    pub(super) async fn release(&self) -> Result<(), Error> {
        self.line.client.batch_execute("ROLLBACK").await
    }
}

/// A proxy that stops in the middle must not keep the others waiting for long. What was committed
/// is durable whatever the database's default; a stronger setting than `on` is left alone.
fn settings(patience: Duration) -> String {
    let limit = patience.as_millis().max(1);
    let idle = (limit / 2).max(1);
    format!(
        "SET search_path = pg_catalog; \
         SET default_transaction_isolation = 'read committed'; \
         SET statement_timeout = {limit}; \
         SET lock_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {idle}; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
    )
}
