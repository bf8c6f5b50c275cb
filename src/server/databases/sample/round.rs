//! One round: some rows of every table, one after the other, with rests.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;

use super::pace::rest;
use crate::analysis::sensitive::CLASS_UNCLASSIFIED;
use crate::discovery::Finding;
use crate::model::ColumnPath;
use crate::schema::{Identity, Snapshot};
use crate::server::databases::drift::Published;
use crate::server::refresher::{READ_TIMEOUT, with_cause};
use crate::upstream::connect::Target;
use crate::upstream::introspect;
use crate::upstream::own;
use crate::upstream::sampling::{
    Described, DescribedColumn, Foreign, Limits, Observed, Reading, Sampler,
};

const LIMITS: Limits = Limits {
    rows: 500,
    bytes: 8 << 20,
    value_chars: 4_096,
    samples: 0,
    statement_timeout: Duration::from_secs(5),
    lock_timeout: Duration::from_millis(500),
    foreign: Foreign::ByName,
};

/// The limits above end whatever a server does; this is for one that is not there any more.
const TABLE_TIMEOUT: Duration = Duration::from_secs(600);

/// As [`crate::discovery::drift::Values`] has it.
pub(super) type SampledColumns = HashMap<ColumnPath, Vec<Finding>>;

/// Where a round looks.
pub(super) struct Place {
    target: Arc<Target>,
    pub(super) identity: Identity,
    /// What is personal data, or somebody has said that it is none: nothing is to be found there.
    decided: HashSet<ColumnPath>,
}

/// What came of a round, in tables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) tables: usize,
    /// Locked, slow, not permitted.
    pub(super) passed_over: usize,
}

impl Place {
    pub(super) fn new(published: &Published) -> Self {
        let Published { world, spec, identity, .. } = published;
        let named = spec.catalog.tables.iter().flat_map(|table| {
            let relation = &table.name;
            let path =
                |name: &String| ColumnPath { relation: relation.clone(), column: name.clone() };
            table.columns.keys().map(path)
        });
        let columns = world.sensitive.columns.values();
        let hidden = columns.filter(|column| &*column.class != CLASS_UNCLASSIFIED);
        let hidden = hidden.map(|column| ColumnPath::clone(&column.path));
        let (target, identity) = (Arc::clone(&spec.target), identity.clone());
        Self { target, identity, decided: named.chain(hidden).collect() }
    }
}

/// Brings `sampled` up to date, table by table; what was done before a failure stays.
///
/// # Errors
/// Why it could not go on, without a word of the server's that could repeat a value.
pub(super) async fn look(place: &Place, sampled: &mut SampledColumns) -> Result<Looked, String> {
    let connecting = timeout(place.target.servers.patience(), own::connect(&place.target)).await;
    let connected = connecting.map_err(|_| "no connection in time".to_owned())?;
    let (client, connection) = connected.map_err(|error| with_cause(&error))?;
    tokio::select! {
        looked = read(place, client, sampled) => looked,
        _ = connection => Err("the connection ended".to_owned()),
    }
}

async fn read(
    place: &Place,
    client: Client,
    sampled: &mut SampledColumns,
) -> Result<Looked, String> {
    let begin = Instant::now();
    let listing = timeout(READ_TIMEOUT, list(place, client)).await;
    let (mut sampler, tables) =
        listing.map_err(|_| format!("no answer within {READ_TIMEOUT:?}"))??;
    sleep(rest(begin.elapsed())).await;
    let mut looked = Looked::default();
    for table in &tables {
        let begin = Instant::now();
        let observed = timeout(TABLE_TIMEOUT, sampler.observe(table)).await;
        let observed = observed.map_err(|_| format!("no answer within {TABLE_TIMEOUT:?}"))?;
        let observed = observed.map_err(|error| with_cause(&error))?;
        looked.tables += 1;
        looked.passed_over += usize::from(observed.outcome.is_err());
        take_over(sampled, table, observed);
        sleep(rest(begin.elapsed())).await;
    }
    let columns = |table: &Described| table.columns.iter().map(path).collect::<Vec<_>>();
    let there: HashSet<ColumnPath> = tables.iter().flat_map(columns).collect();
    sampled.retain(|column, _| there.contains(column));
    Ok(looked)
}

/// The tables, from anywhere on: a round that is cut short each time gets everywhere at last.
async fn list(place: &Place, client: Client) -> Result<(Sampler, Vec<Described>), String> {
    let identity = introspect::identity(&client).await.map_err(|error| with_cause(&error))?;
    if !identity.is_same(&place.identity) {
        return Err("the database is another one now".to_owned());
    }
    let mut sampler = Sampler::new(client, LIMITS).await.map_err(|error| with_cause(&error))?;
    let mut tables = sampler.describe().await.map_err(|error| with_cause(&error))?;
    for column in tables.iter_mut().flat_map(|table| &mut table.columns) {
        if column.reading == Reading::Read && place.decided.contains(&path(column)) {
            column.reading = Reading::NotWanted;
        }
    }
    if !tables.is_empty() {
        let first = rand::random_range(..tables.len());
        tables.rotate_left(first);
    }
    Ok((sampler, tables))
}

/// Columns that were not read keep what was found before, and of those without a value the names
/// speak again.
fn take_over(sampled: &mut SampledColumns, table: &Described, observed: Observed) {
    if observed.outcome.is_err() {
        return;
    }
    for (column, seen) in table.columns.iter().zip(observed.columns) {
        if column.reading != Reading::Read {
            continue;
        }
        if seen.seen > 0 {
            sampled.insert(path(column), seen.findings);
        } else {
            sampled.remove(&path(column));
        }
    }
}

/// Whether a column is the one that it was, and of the same type.
pub(super) fn is_same(path: &ColumnPath, before: &Snapshot, now: &Snapshot) -> bool {
    let of = |schema: &Snapshot| {
        let relation = schema.find(&path.relation.schema, &path.relation.name)?;
        let id = relation.id_of(&path.column)?;
        Some((id, schema.column(id)?.value.sql.clone()))
    };
    of(before) == of(now)
}

fn path(column: &DescribedColumn) -> ColumnPath {
    let facts = &column.facts;
    ColumnPath { relation: facts.table.clone(), column: facts.column.clone() }
}

#[cfg(test)]
mod tests;
