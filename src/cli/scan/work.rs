//! The scan itself: connections that take one table after the other, until there is none left or
//! somebody has had enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::place::Place;
use super::state::State;
use super::{Arguments, Catalog};
use crate::catalog::Hiding;
use crate::cli::check::with_cause;
use crate::cli::progress::Progress;
use crate::discovery::report::{Found, ScannedColumn, ScannedTable, TableKind};
use crate::mask::{Format, Masked, Needs, WireMask};
use crate::schema::{RelationKind, ValueType};
use crate::upstream::connect::Target;
use crate::upstream::introspect;
use crate::upstream::own::{self, Connection};
use crate::upstream::sampling::{
    Described, Foreign, Limits, Observed, Sampler, SamplingError, Skip,
};

/// What stands where a value has no masked form.
const NO_FORM: &str = "***";

/// What each connection asks to know which database it is at.
const IDENTITY_QUERIES: u64 = 2;

/// Of a masked value, so many characters are shown.
const SAMPLE_CHARS_MAX: usize = 60;

const ROW_SECURITY: &str =
    "row-level security: rows that the account may not see were not looked at";
const PROXIED: &str = "--url leads to a Keyhole proxy, which shows masks where values are: scan the \
                       database itself";
const FOREIGN: &str = "a foreign table: --foreign reads it";

/// What came of a scan.
pub(super) struct Scan {
    /// In the order of their names.
    pub(super) tables: Vec<ScannedTable>,
    pub(super) measured: Measured,
    pub(super) ended: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Whole,
    Interrupted,
}

/// What it took.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Measured {
    pub(super) seconds: f64,
    /// Statements that were sent.
    pub(super) queries: u64,
    /// Of values, as text.
    pub(super) bytes: u64,
    /// Tables of which an earlier scan had read what there is.
    pub(super) resumed: u64,
}

/// What each connection needs to know.
struct Shared {
    tables: Vec<Described>,
    next: AtomicUsize,
    catalog: Catalog,
    pause: Duration,
    foreign: Foreign,
}

/// From a connection.
enum Told {
    Table(usize, ScannedTable, u64),
    Done(u64),
    Failed(SamplingError),
}

impl Scan {
    /// # Errors
    /// Says why it could not begin, or could not go on; what was read is kept where
    /// `--resume` says.
    #[expect(clippy::disallowed_methods, reason = "how long it took is told, and decides nothing")]
    pub(super) async fn run(arguments: &Arguments, place: &Place) -> Result<Self, String> {
        let begin = Instant::now();
        let limits = arguments.bounds.limits(arguments.show_samples);
        // The upstream of a configuration is what is protected; a URL may be anything.
        let way = if arguments.url.is_some() { Way::Any } else { Way::Upstream };
        let mut first = connected(&place.target, limits, way).await?;
        let described = first.sampler.describe().await.map_err(|error| with_cause(&error))?;
        let taken = |table: &Described| arguments.bounds.take(&table.name.schema, &table.name.name);
        let mut state = match &arguments.resume {
            Some(path) => Some(State::open(path, &first.database).map_err(|e| e.to_string())?),
            None => None,
        };
        let (mut done, mut tables) = (Vec::new(), Vec::new());
        for table in described.into_iter().filter(taken) {
            match state.as_mut().and_then(|state| state.take(&table)) {
                Some(scanned) => done.push(typed(scanned, &table)),
                None => tables.push(table),
            }
        }
        let resumed = u64::try_from(done.len()).unwrap_or(u64::MAX);
        let shared = Shared {
            tables,
            next: AtomicUsize::new(0),
            catalog: place.catalog.clone(),
            pause: arguments.bounds.pause,
            foreign: limits.foreign,
        };
        let mut samplers = vec![first.sampler];
        let jobs = usize::from(arguments.bounds.jobs).min(shared.tables.len().max(1));
        while samplers.len() < jobs {
            samplers.push(connected(&place.target, limits, Way::Upstream).await?.sampler);
        }
        let asked = IDENTITY_QUERIES * u64::try_from(samplers.len()).unwrap_or(u64::MAX);
        let (scanned, mut measured, ended) = gather(shared, samplers, state.as_mut()).await?;
        done.extend(scanned);
        done.sort_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
        if let (Ended::Whole, Some(state)) = (ended, &mut state) {
            state.finish(done.len()).map_err(|error| error.to_string())?;
        }
        measured.resumed = resumed;
        measured.queries += asked;
        measured.seconds = begin.elapsed().as_secs_f64();
        Ok(Self { tables: done, measured, ended })
    }
}

struct Connected {
    sampler: Sampler,
    /// The same text for the same database.
    database: String,
}

/// Where a connection may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Upstream,
    Any,
}

async fn connected(target: &Target, limits: Limits, way: Way) -> Result<Connected, String> {
    let patience = target.servers.patience();
    let connecting = tokio::time::timeout(patience, own::connect(target)).await;
    let (client, connection) = connecting
        .map_err(|_| format!("the database did not answer in {patience:?}"))?
        .map_err(|error| with_cause(&error))?;
    attend(connection);
    if way == Way::Any && own::is_proxied(&client).await.map_err(|error| with_cause(&error))? {
        return Err(PROXIED.to_owned());
    }
    let identity = introspect::identity(&client).await.map_err(|error| with_cause(&error))?;
    let sampler = Sampler::new(client, limits).await.map_err(|error| with_cause(&error))?;
    Ok(Connected { sampler, database: identity.key() })
}

#[expect(clippy::disallowed_methods, reason = "a task of this command, gone with its client")]
fn attend(connection: Connection) {
    tokio::spawn(connection);
}

/// Has every connection work, and keeps what they find.
async fn gather(
    shared: Shared,
    samplers: Vec<Sampler>,
    mut state: Option<&mut State>,
) -> Result<(Vec<ScannedTable>, Measured, Ended), String> {
    let shared = Arc::new(shared);
    let progress = Progress::of_tables("scanning", shared.tables.len());
    let (tell, mut told) = mpsc::channel(samplers.len() * 2);
    let mut workers = JoinSet::new();
    for sampler in samplers {
        workers.spawn(work(Arc::clone(&shared), sampler, tell.clone()));
    }
    drop(tell);
    let (mut tables, mut measured) = (Vec::new(), Measured::default());
    let mut enough = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let next = tokio::select! {
            next = told.recv() => next,
            // Dropping the workers closes their connections; the server ends their queries.
            _ = &mut enough => return Ok((tables, measured, Ended::Interrupted)),
        };
        match next {
            None => break,
            Some(Told::Done(queries)) => measured.queries += queries,
            Some(Told::Failed(error)) => return Err(with_cause(&error)),
            Some(Told::Table(place, scanned, bytes)) => {
                progress.count();
                measured.bytes += bytes;
                if let (Some(state), Some(table)) = (&mut state, shared.tables.get(place)) {
                    state.keep(table, &scanned).map_err(|error| error.to_string())?;
                }
                tables.push(scanned);
            }
        }
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|_| "a table could not be looked at: please report this".to_owned())?;
    }
    Ok((tables, measured, Ended::Whole))
}

async fn work(shared: Arc<Shared>, mut sampler: Sampler, tell: mpsc::Sender<Told>) {
    loop {
        let place = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(table) = shared.tables.get(place) else { break };
        let told = match look(&shared, &mut sampler, table).await {
            Ok((scanned, bytes)) => Told::Table(place, scanned, bytes),
            Err(error) => Told::Failed(error),
        };
        if tell.send(told).await.is_err() {
            return;
        }
        if !shared.pause.is_zero() {
            tokio::time::sleep(shared.pause).await;
        }
    }
    // Nobody is there to hear it if the scan has ended.
    let _ = tell.send(Told::Done(sampler.queries())).await;
}

/// One table: its values if they can be read, its names in any case.
async fn look(
    shared: &Shared,
    sampler: &mut Sampler,
    table: &Described,
) -> Result<(ScannedTable, u64), SamplingError> {
    let foreign = table.kind == RelationKind::ForeignTable && shared.foreign == Foreign::ByName;
    let Observed { outcome, columns } = sampler.observe(table).await?;
    let columns = table.columns.iter().zip(columns).map(|(column, observed)| {
        let findings: Vec<Found> = observed.findings.iter().map(Found::new).collect();
        let catalog = &shared.catalog;
        let samples = masked(findings.first(), &column.value, catalog, observed.samples);
        ScannedColumn {
            name: column.facts.column.clone(),
            data_type: column.facts.data_type.clone(),
            findings,
            value: Some(column.value.clone()),
            samples,
        }
    });
    let columns = columns.collect();
    let sampled = outcome.clone().unwrap_or_default();
    let skipped = outcome.err().as_ref().map(Skip::to_string).or_else(|| unread(table));
    let note = match (foreign, table.row_security) {
        (true, _) => Some(FOREIGN.to_owned()),
        (false, true) => Some(ROW_SECURITY.to_owned()),
        (false, false) => None,
    };
    let scanned = ScannedTable {
        schema: table.name.schema.clone(),
        name: table.name.name.clone(),
        kind: kind(table.kind),
        rows: sampled.rows,
        skipped,
        note,
        columns,
    };
    Ok((scanned, sampled.bytes))
}

/// Columns that the account may not read, if there are any.
fn unread(table: &Described) -> Option<String> {
    use crate::upstream::sampling::Reading;
    if table.kind == RelationKind::View {
        return None;
    }
    let closed = table.columns.iter().filter(|column| column.reading == Reading::NotPermitted);
    match (closed.count(), table.columns.len()) {
        (0, _) => None,
        (closed, all) if closed == all => Some(Skip::NotPermitted.to_string()),
        (closed, all) => Some(format!("the account may not read {closed} of its {all} columns")),
    }
}

fn kind(kind: RelationKind) -> TableKind {
    match kind {
        RelationKind::PartitionedTable => TableKind::PartitionedTable,
        RelationKind::View => TableKind::View,
        RelationKind::MaterializedView => TableKind::MaterializedView,
        RelationKind::ForeignTable => TableKind::ForeignTable,
        // Nothing else is listed.
        RelationKind::Table
        | RelationKind::Sequence
        | RelationKind::CompositeType
        | RelationKind::Index
        | RelationKind::Other => TableKind::Table,
    }
}

/// What was kept of a table, with the types that it has.
fn typed(mut scanned: ScannedTable, table: &Described) -> ScannedTable {
    for (column, described) in scanned.columns.iter_mut().zip(&table.columns) {
        column.value = Some(described.value.clone());
    }
    scanned
}

/// Samples as whoever has no grant would see them; what was not recognized is not shown at all.
fn masked(
    found: Option<&Found>,
    value: &ValueType,
    catalog: &Catalog,
    raw: Vec<String>,
) -> Vec<String> {
    let Some(found) = found else { return Vec::new() };
    let own = catalog.classes.get(&found.class).map(|class| &class.hiding);
    let spec = match (own, &found.mask) {
        (Some(Hiding::Deny), _) | (None, None) => None,
        (Some(Hiding::Mask(spec)), _) => Some(spec),
        (None, Some(mask)) => Some(&mask.0),
    };
    let mask = spec.and_then(|spec| WireMask::new(spec, value).ok());
    raw.iter().map(|raw| one_masked(mask.as_ref(), raw)).collect()
}

fn one_masked(mask: Option<&WireMask>, raw: &str) -> String {
    let Some(mask) = mask else { return NO_FORM.to_owned() };
    // UTF-8 and ISO dates are what a sampling session has.
    let (Some(Needs::Nothing | Needs::Utf8 | Needs::IsoDates), mut out) =
        (mask.needs(Format::Text), Vec::new())
    else {
        return NO_FORM.to_owned();
    };
    match mask.apply(Format::Text, raw.as_bytes(), &mut out) {
        Ok(Masked::Value) => String::from_utf8_lossy(&out).chars().take(SAMPLE_CHARS_MAX).collect(),
        Ok(Masked::Null) => "NULL".to_owned(),
        Err(_) => NO_FORM.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Class, MaskSpec};
    use crate::discovery::report::Mask;

    fn found(mask: Option<MaskSpec>) -> Found {
        Found {
            kind: "email".to_owned(),
            class: "email".to_owned(),
            confidence: 90,
            reasons: Vec::new(),
            path: None,
            seen: 1,
            matched: 1,
            mask: mask.map(Mask),
        }
    }

    #[test]
    fn samples_are_shown_as_without_a_grant() {
        let text = ValueType { oid: 25, typmod: -1, sql: "text".to_owned(), category: b'S' };
        let number = ValueType { oid: 23, typmod: -1, sql: "integer".to_owned(), category: b'N' };
        let none = Catalog::default();
        let raw = || vec!["ada@example.com".to_owned()];
        let email = found(Some(MaskSpec::Email));
        assert_eq!(masked(Some(&email), &text, &none, raw()), ["a***@example.com"]);
        assert_eq!(masked(Some(&email), &number, &none, raw()), [NO_FORM]);
        assert_eq!(masked(Some(&found(None)), &text, &none, raw()), [NO_FORM]);
        assert_eq!(masked(None, &text, &none, raw()), [""; 0]);
        let hiding = Hiding::Mask(MaskSpec::Redact);
        let class = Class { name: "email".to_owned(), hiding, sensitivity: None };
        let own = Catalog { classes: [("email".to_owned(), class)].into(), ..none };
        assert_eq!(masked(Some(&email), &text, &own, raw()), ["***"]);
    }
}
