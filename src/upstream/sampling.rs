//! Reads a bounded part of every table, for `discovery` to look at, without being felt by the
//! database: read only, with time limits, few pages, one table after the other.
//!
//! Nothing is kept here: each value is counted and forgotten.

mod columns;
mod lossy;
mod observe;
mod plan;
mod queries;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use columns::describe;
pub use columns::{Described, DescribedColumn, Leaf, Reading, Size};
use observe::Eyes;
pub use observe::{Observed, ObservedColumn};
use plan::Plan;

use crate::discovery::ColumnFacts;
use crate::model::ColumnPath;
use crate::schema::RelationKind;

/// What a scan calls itself at the database.
pub const APPLICATION_NAME: &str = "keyhole scan";

/// Partitions of a table that are read, at most.
const LEAVES_MAX: usize = 8;

/// Partitions that turn out empty, before the table is held to be.
const LEAVES_TRIED_MAX: usize = 32;

/// A query that nobody waits for any more ends after so long.
const CONNECTION_CHECK: Duration = Duration::from_secs(2);

/// For each question about what there is.
const FACTS_TIMEOUT: Duration = Duration::from_secs(20);

/// How much of a table is read, and for how long the database is bothered with it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows: u32,
    /// Of values of one table, as text.
    pub bytes: u64,
    /// Longer values are cut by the server; documents at four times as many.
    pub value_chars: u32,
    /// Values of each column that are handed over as they are.
    pub samples: usize,
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
    pub foreign: Foreign,
}

/// Whether other servers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    Read,
    ByName,
}

/// What was read of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    pub rows: u64,
    pub bytes: u64,
}

/// Why the values of a table were not read; the scan goes on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    #[error("the account may not read it")]
    NotPermitted,
    #[error("it was locked by somebody else for longer than --lock-timeout")]
    Locked,
    #[error("it could not be read within --statement-timeout")]
    TooSlow,
    #[error("it is not there any more, or not as it was")]
    Gone,
    /// What a panic says may repeat a value; who put it there does not end the scan.
    #[error("a value of it could not be looked at: please report this")]
    NotUnderstood,
    /// The server's own words may repeat a value, so its code has to do.
    #[error("the database gave an error, SQLSTATE {0}")]
    Failed(String),
}

/// Why a scan cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SamplingError {
    #[error("the session could not be limited")]
    Settings(#[source] tokio_postgres::Error),
    #[error("the tables could not be listed")]
    Describe(#[source] tokio_postgres::Error),
    #[error("the connection to the database was lost")]
    Lost(#[source] tokio_postgres::Error),
    /// The server's own words may repeat a value, so its code has to do.
    #[error("the database ended the connection, SQLSTATE {0}")]
    Ended(String),
    /// What a panic says may repeat a value as well.
    #[error("a table could not be looked at: please report this")]
    Counting,
}

/// Whether a table was read.
pub type Outcome = Result<Sampled, Skip>;

/// A connection that samples.
pub struct Sampler {
    client: Client,
    limits: Limits,
    queries: u64,
}

/// What is known of every column without its values, on a connection that is used for nothing else.
/// Columns of partitions, and those that are inherited, are their parents'.
///
/// # Errors
/// [`SamplingError`] when the connection fails.
pub async fn facts(client: Client) -> Result<HashMap<ColumnPath, ColumnFacts>, SamplingError> {
    let limits = Limits {
        rows: 0,
        bytes: 0,
        value_chars: 0,
        samples: 0,
        statement_timeout: FACTS_TIMEOUT,
        lock_timeout: FACTS_TIMEOUT,
        foreign: Foreign::ByName,
    };
    let tables = Sampler::new(client, limits).await?.describe().await?;
    let columns = tables.into_iter().flat_map(|table| table.columns).map(|column| {
        let (relation, name) = (column.facts.table.clone(), column.facts.column.clone());
        (ColumnPath { relation, column: name }, column.facts)
    });
    Ok(columns.collect())
}

impl Sampler {
    /// Makes a connection of the proxy's own one that can do no harm: whatever is asked on it,
    /// writes are refused and the limits hold.
    ///
    /// # Errors
    /// [`SamplingError`] when the connection fails.
    pub async fn new(client: Client, limits: Limits) -> Result<Self, SamplingError> {
        let millis = |limit: Duration| limit.as_millis().to_string();
        // What was a table when it was listed may be a view by now, and run its owner's functions
        // with our rights.
        let closed = match limits.foreign {
            Foreign::Read => "view",
            Foreign::ByName => "view, foreign-table",
        };
        let settings = [
            ("application_name", APPLICATION_NAME.to_owned()),
            ("default_transaction_read_only", "on".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("statement_timeout", millis(limits.statement_timeout)),
            ("lock_timeout", millis(limits.lock_timeout)),
            ("idle_in_transaction_session_timeout", millis(limits.statement_timeout)),
            ("client_connection_check_interval", millis(CONNECTION_CHECK)),
            ("max_parallel_workers_per_gather", "0".to_owned()),
            ("jit", "off".to_owned()),
            ("search_path", String::new()),
            ("client_encoding", "SQL_ASCII".to_owned()),
            ("restrict_nonsystem_relation_kind", closed.to_owned()),
            ("DateStyle", "ISO, YMD".to_owned()),
            ("IntervalStyle", "postgres".to_owned()),
            ("TimeZone", "UTC".to_owned()),
            ("extra_float_digits", "1".to_owned()),
        ];
        let (names, values): (Vec<&str>, Vec<String>) = settings.into_iter().unzip();
        let parameters: [&(dyn ToSql + Sync); 2] = [&names, &values];
        client.query(queries::SETTINGS, &parameters).await.map_err(SamplingError::Settings)?;
        Ok(Self { client, limits, queries: 1 })
    }

    /// Statements that were sent, those that begin and end transactions included.
    pub fn queries(&self) -> u64 {
        self.queries
    }

    /// Every table that there is to look at, and what is known of it without its values.
    ///
    /// # Errors
    /// [`SamplingError::Describe`].
    pub async fn describe(&mut self) -> Result<Vec<Described>, SamplingError> {
        self.queries += queries::DESCRIBING;
        describe(&mut self.client).await.map_err(SamplingError::Describe)
    }

    /// What the names and some values of a table look like. All columns come in one query; of a
    /// partitioned table, some partitions are asked. Views, and foreign tables if other servers are
    /// not to be asked, go by their names.
    ///
    /// Dropping the future leaves the connection within a transaction: drop the sampler as well.
    ///
    /// # Errors
    /// [`SamplingError`] if nothing can be read any more; what is wrong with the table itself is
    /// its [`Outcome`].
    pub async fn observe(&mut self, table: &Described) -> Result<Observed, SamplingError> {
        let by_name = match table.kind {
            RelationKind::View => true,
            RelationKind::ForeignTable => self.limits.foreign == Foreign::ByName,
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::MaterializedView
            | RelationKind::Sequence
            | RelationKind::CompositeType
            | RelationKind::Index
            | RelationKind::Other => false,
        };
        let places = if by_name { Vec::new() } else { plan::columns(table) };
        let mut eyes = Eyes::new(table, places, self.limits.samples);
        let outcome = match eyes.places.is_empty() {
            true => Ok(Sampled::default()),
            false => self.sample(table, &mut eyes).await?,
        };
        let columns = eyes.close(table).await.map_err(|_| SamplingError::Counting)?;
        Ok(Observed { outcome, columns })
    }

    async fn sample(
        &mut self,
        table: &Described,
        eyes: &mut Eyes,
    ) -> Result<Outcome, SamplingError> {
        let columns = Arc::clone(&eyes.places);
        let mut sum = Sampled::default();
        let leaves = plan::leaves(table);
        let leaves_max = LEAVES_MAX.min(leaves.len());
        let (mut read, mut skipped) = (0, None);
        for leaf in leaves.iter().take(LEAVES_TRIED_MAX) {
            if read == leaves_max {
                break;
            }
            let left = self.left(sum, leaves_max - read);
            let plan = Plan::new(table, leaf, &columns, left, self.limits.value_chars);
            match self.run(&plan, left, eyes).await? {
                Ok(part) => {
                    read += usize::from(part.rows > 0);
                    sum.rows += part.rows;
                    sum.bytes += part.bytes;
                }
                // Who may read a partitioned table need not be allowed its partitions.
                Err(Skip::NotPermitted) if table.is_partitioned() && !is_partly_foreign(table) => {
                    let plan = Plan::whole(table, &columns, left, self.limits.value_chars);
                    return self.run(&plan, left, eyes).await;
                }
                Err(skip) => skipped = Some(skip),
            }
        }
        Ok(match skipped {
            Some(skip) if sum.rows == 0 => Err(skip),
            Some(_) | None => Ok(sum),
        })
    }

    /// The share of one of `wanted` partitions in what may still be read.
    fn left(&self, sum: Sampled, wanted: usize) -> Left {
        let share = u64::try_from(wanted.max(1)).unwrap_or(1);
        Left {
            rows: (u64::from(self.limits.rows).saturating_sub(sum.rows)).div_ceil(share),
            bytes: self.limits.bytes.saturating_sub(sum.bytes).div_ceil(share),
        }
    }

    async fn run(
        &mut self,
        plan: &Plan,
        left: Left,
        eyes: &mut Eyes,
    ) -> Result<Outcome, SamplingError> {
        if left.rows == 0 || left.bytes == 0 {
            return Ok(Ok(Sampled::default()));
        }
        for (index, sql) in plan.statements.iter().enumerate() {
            self.queries += 3;
            let read = read(&mut self.client, sql, plan.chunk_rows, left, eyes).await;
            match read {
                // Chosen pages may all be empty: the first rows will do then.
                Ok(Sampled { rows: 0, .. }) if index + 1 < plan.statements.len() => {}
                Ok(sampled) => return Ok(Ok(sampled)),
                Err(ReadError::Database(error)) => return self.outcome(error),
                Err(ReadError::Counting(_)) => return Ok(Err(Skip::NotUnderstood)),
            }
        }
        Ok(Ok(Sampled::default()))
    }

    fn outcome(&self, error: tokio_postgres::Error) -> Result<Outcome, SamplingError> {
        match error.code().map(tokio_postgres::error::SqlState::code) {
            Some(code) if !self.client.is_closed() => Ok(Err(skip(code))),
            Some(code) => Err(SamplingError::Ended(code.to_owned())),
            None => Err(SamplingError::Lost(error)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Counting(#[from] JoinError),
}

/// The whole of it is read on other servers too.
fn is_partly_foreign(table: &Described) -> bool {
    table.leaves.iter().any(|leaf| leaf.kind == RelationKind::ForeignTable)
}

/// What may still be read.
#[derive(Clone, Copy, Debug)]
struct Left {
    rows: u64,
    bytes: u64,
}

fn skip(code: &str) -> Skip {
    match code {
        "42501" => Skip::NotPermitted,
        "55P03" => Skip::Locked,
        "57014" | "25P03" => Skip::TooSlow,
        // 55000: a view where there was a table.
        "42P01" | "42703" | "3F000" | "55000" => Skip::Gone,
        other => Skip::Failed(other.to_owned()),
    }
}

/// In portions, so that neither side holds more than one of them.
async fn read(
    client: &mut Client,
    sql: &str,
    chunk_rows: i32,
    left: Left,
    eyes: &mut Eyes,
) -> Result<Sampled, ReadError> {
    let transaction = client.build_transaction().read_only(true).start().await?;
    let portal = transaction.bind(sql, &[]).await?;
    let mut sum = Sampled::default();
    while sum.rows < left.rows && sum.bytes < left.bytes {
        let rows = transaction.query_portal(&portal, chunk_rows).await?;
        let is_last = i32::try_from(rows.len()).is_ok_and(|len| len < chunk_rows);
        sum.rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        sum.bytes += eyes.look(rows).await?;
        if is_last {
            break;
        }
    }
    transaction.rollback().await?;
    Ok(sum)
}
