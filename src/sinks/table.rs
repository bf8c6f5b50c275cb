//! A table in PostgreSQL: a row for each record, once, as its key is log and number.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Error, Statement};

use super::{Delivered, Failure, Shipment, Sink};
use crate::audit::Record;
use crate::model::Timestamp;
use crate::store::approvals::{Connect, Link};

pub struct Table {
    /// Quoted, with its schema if that was said.
    name: String,
    connect: Connect,
    /// How long a connection may take.
    connect_patience: Duration,
    timeout: Duration,
    /// None before the first attempt, and after every failure.
    session: Option<Session>,
}

struct Session {
    client: Client,
    insert: Statement,
    driver: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Table {
    pub fn new(
        schema: Option<&str>,
        table: &str,
        connect: Connect,
        connect_patience: Duration,
        timeout: Duration,
    ) -> Self {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let schema = schema.map_or_else(String::new, |schema| quoted(schema) + ".");
        let name = schema + &quoted(table);
        Self { name, connect, connect_patience, timeout, session: None }
    }

    async fn session(&self) -> Result<Session, Failure> {
        let late = |_| for_now(format!("no connection within {:?}", self.connect_patience));
        let connecting = (self.connect)(Arc::new(Notify::new()));
        let connected = timeout(self.connect_patience, connecting).await.map_err(late)?;
        let Link { client, driver } = connected.map_err(|error| for_now(error.to_string()))?;
        let driver = Handle::current().spawn(driver).abort_handle();
        let preparing = timeout(self.timeout, prepare(&client, &self.name, self.timeout)).await;
        let insert = match preparing {
            Ok(Ok(insert)) => insert,
            Ok(Err(error)) => {
                driver.abort();
                return Err(for_now(in_words(&error)));
            }
            Err(_) => {
                driver.abort();
                return Err(for_now(format!("no answer within {:?}", self.timeout)));
            }
        };
        Ok(Session { client, insert, driver })
    }
}

#[async_trait]
impl Sink for Table {
    async fn deliver(&mut self, shipment: &Shipment, _: Timestamp) -> Result<Delivered, Failure> {
        let session = match self.session.take().filter(|it| !it.client.is_closed()) {
            Some(session) => session,
            None => self.session().await?,
        };
        let inserted = timeout(self.timeout, insert(&session, shipment)).await;
        match inserted {
            Ok(Ok(())) => {
                self.session = Some(session);
                Ok(Delivered::default())
            }
            Ok(Err(error)) if is_about_content(&error) => {
                self.session = Some(session);
                Err(Failure::ForGood { why: in_words(&error) })
            }
            Ok(Err(error)) => Err(for_now(in_words(&error))),
            Err(_) => Err(for_now(format!("no answer within {:?}", self.timeout))),
        }
    }
}

/// Makes the table if it is missing. An account that may not, but may insert, is good enough once
/// there is one.
async fn prepare(client: &Client, name: &str, limit: Duration) -> Result<Statement, Error> {
    let limit = limit.as_millis().max(1);
    let settings = format!(
        "SET statement_timeout = {limit}; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
    );
    client.batch_execute(&settings).await?;
    let row = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&name]).await?;
    if !row.try_get::<_, bool>(0)? {
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {name} (\
             log text NOT NULL, seq bigint NOT NULL, \"time\" timestamptz NOT NULL, \
             kind text NOT NULL, record jsonb NOT NULL, PRIMARY KEY (log, seq))"
        );
        client.batch_execute(&create).await?;
    }
    let insert = format!(
        "INSERT INTO {name} (log, seq, \"time\", kind, record) \
         SELECT $1::text, seq, at::timestamptz, kind, record::jsonb \
         FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) \
         AS r (seq, at, kind, record) ON CONFLICT (log, seq) DO NOTHING"
    );
    client.prepare(&insert).await
}

async fn insert(session: &Session, shipment: &Shipment) -> Result<(), Error> {
    let (mut numbers, mut times, mut kinds, mut records) = (vec![], vec![], vec![], vec![]);
    for (seq, line) in shipment.records() {
        let read = Record::of(line).ok();
        numbers.push(i64::try_from(seq).unwrap_or(i64::MAX));
        // What has no time is not of this program; PostgreSQL says so.
        times.push(read.as_ref().map_or_else(String::new, |it| format!("{:.6}", it.time)));
        kinds.push(word_of(line, read.as_ref()));
        records.push(String::from_utf8_lossy(line));
    }
    let log = shipment.log();
    let Session { client, insert, .. } = session;
    client.execute(insert, &[&log, &numbers, &times, &kinds, &records]).await.map(drop)
}

/// The record's own word, also of kinds that later versions have.
fn word_of(line: &[u8], read: Option<&Record>) -> String {
    let own = || {
        let value: serde_json::Value = serde_json::from_slice(line).ok()?;
        Some(value["kind"].as_str()?.to_owned())
    };
    let known = read.filter(|record| record.kind != crate::audit::Kind::Other);
    known.map(|record| record.kind.as_str().to_owned()).or_else(own).unwrap_or_default()
}

/// Data that PostgreSQL does not take, such as a zero byte in JSON.
fn is_about_content(error: &Error) -> bool {
    const DATA_EXCEPTION: &str = "22";
    const CONSTRAINT: &str = "23";
    let class = error.code().map(|state| &state.code()[..2]);
    matches!(class, Some(DATA_EXCEPTION | CONSTRAINT))
}

fn for_now(why: String) -> Failure {
    Failure::ForNow { why, wait: None }
}

/// PostgreSQL's own words where it has some, without what it says of values.
fn in_words(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) if is_about_content(error) => format!("refused with {}", said.code().code()),
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
