//! Keeps the world of one database up to date: at the start, now and then, when a session asks,
//! and when the configuration changes.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::databases::Site;
use super::setup::{Spec, Upkeep};
use crate::analysis::mention::MentionError;
use crate::analysis::sensitive::{Problem, Sensitive, Tags};
use crate::audit::{CatalogChange, CatalogStep, Event};
use crate::decision::World;
use crate::grant::CatalogView;
use crate::mask::MaskError;
use crate::model::{ColumnPath, Epoch, Timestamp};
use crate::relay::Stale;
use crate::schema::Snapshot;
use crate::store::approvals::Clock;
use crate::store::audit_log::AuditLog;
use crate::telemetry::Metrics;
use crate::telemetry::labels::{Refresh, UpstreamError};
use crate::upstream::introspect::{self, IntrospectError};
use crate::upstream::own::{self, OwnError};

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A reading fails when objects are dropped meanwhile; it is tried again so many times.
const ATTEMPTS_MAX: usize = 3;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(200);

/// As long as there is no world, or it could not be refreshed, it is tried again so often.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Failures for so many intervals of refreshing, and at least so long, end all sessions: a view
/// that somebody made meanwhile would not be known as one over personal data.
const EXPIRY_INTERVALS: u32 = 10;
const EXPIRY_MIN: Duration = Duration::from_secs(300);

/// What the upkeep of every database needs from the process.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) clock: Clock,
    pub(super) audit: AuditLog,
    pub(super) metrics: Arc<Metrics>,
}

/// Why a world could not be made; goes to the log and to `/readyz`, not to clients.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    ConnectTimeout,
    #[error(transparent)]
    Own(#[from] OwnError),
    #[error("the schema was not read within {READ_TIMEOUT:?}")]
    ReadTimeout,
    #[error(transparent)]
    Introspect(#[from] IntrospectError),
    #[error("the catalog names too much: {0}")]
    Mention(#[from] MentionError),
    #[error("binding the catalog to the schema failed")]
    Panic,
}

/// Runs for as long as the database is served.
pub(super) async fn keep_up(site: Arc<Site>, around: Around) {
    let specs = site.spec.subscribe();
    let mut refresher = Refresher {
        site,
        around,
        specs,
        bound: None,
        tags: Tags::default(),
        epoch: Epoch::default(),
        link: None,
        tasks: JoinSet::new(),
        told: Vec::new(),
        failing_since: None,
    };
    loop {
        let outcome = refresher.round().await;
        refresher.rest(outcome).await;
    }
}

struct Refresher {
    site: Arc<Site>,
    around: Around,
    specs: watch::Receiver<Arc<Spec>>,
    /// What the published world was made from.
    bound: Option<Arc<Spec>>,
    tags: Tags,
    epoch: Epoch,
    /// Kept while there are sessions; without them it would keep the database from being dropped.
    link: Option<Client>,
    tasks: JoinSet<()>,
    /// Problems of the catalog that were logged.
    told: Vec<String>,
    failing_since: Option<Timestamp>,
}

/// A world and what it was made of.
pub(super) struct Made {
    pub(super) world: World,
    schema: Snapshot,
    tags: Tags,
    problems: Vec<Problem>,
    masks: Vec<(Arc<ColumnPath>, MaskError)>,
}

impl Refresher {
    /// One refresh, for everybody who has asked until now.
    async fn round(&mut self) -> Result<(), Stale> {
        let refreshing = self.site.database.begin_refresh();
        let outcome = self.refresh().await;
        let label = if outcome.is_ok() { Refresh::Ok } else { Refresh::Failed };
        self.around.metrics.schema_refreshes.of(label).inc();
        let outcome = match outcome {
            Ok(()) => {
                if self.site.failure.swap(None).is_some() {
                    tracing::info!(database = %self.site.database.name(), "the schema is known");
                }
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                Err(Stale)
            }
        };
        self.site.database.end_refresh(refreshing, outcome);
        outcome
    }

    fn failed(&mut self, error: &RefreshError) {
        self.link = None;
        let reason = with_cause(error);
        let before = self.site.failure.swap(Some(Arc::new(reason.clone())));
        if before.is_none_or(|before| *before != reason) {
            tracing::warn!(database = %self.site.database.name(), %reason, "schema not read");
        }
    }

    /// Waits until there is a reason for the next round.
    async fn rest(&mut self, outcome: Result<(), Stale>) {
        let every = self.specs.borrow().refresh;
        let pause = match outcome {
            Ok(()) => {
                self.failing_since = None;
                self.site.database.renew();
                every
            }
            Err(Stale) => {
                let now = (self.around.clock)();
                let since = *self.failing_since.get_or_insert(now);
                let failing = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                if failing >= (every * EXPIRY_INTERVALS).max(EXPIRY_MIN) {
                    self.site.database.expire();
                }
                RETRY_PAUSE
            }
        };
        let always = self.specs.borrow().upkeep == Upkeep::Always;
        let mut sessions = self.site.database.sessions();
        let pause = sleep(pause);
        tokio::pin!(pause);
        loop {
            let used = *sessions.borrow_and_update() > 0;
            if !used {
                self.link = None;
            }
            tokio::select! {
                () = &mut pause, if used || always => return,
                () = self.site.database.refresh_wanted() => return,
                // Neither sender goes away while this task runs.
                _ = self.specs.changed() => return,
                _ = sessions.changed() => {}
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), RefreshError> {
        let spec = Arc::clone(&self.specs.borrow_and_update());
        let changed = self.bound.as_ref().is_some_and(|bound| !Arc::ptr_eq(bound, &spec));
        let known = self.site.schema.load_full();
        if let Some(schema) = known.as_ref().filter(|_| changed) {
            // At once and without the database: a catalog that hides more must not wait.
            self.link = None;
            self.publish((**schema).clone(), &spec).await?;
        }
        let mut attempt = 1;
        loop {
            match self.read(&spec, known.as_deref()).await {
                Ok(None) => return Ok(()),
                Ok(Some(schema)) => return self.publish(schema, &spec).await,
                Err(error) if attempt == ATTEMPTS_MAX => return Err(error),
                Err(_) => {
                    self.link = None;
                    attempt += 1;
                    sleep(ATTEMPT_PAUSE).await;
                }
            }
        }
    }

    /// The schema as it is now; None if it is the one that is known.
    async fn read(
        &mut self,
        spec: &Spec,
        known: Option<&Snapshot>,
    ) -> Result<Option<Snapshot>, RefreshError> {
        let epoch = Epoch(self.epoch.0 + 1);
        let client = self.client(spec).await?;
        let reading = async {
            if let Some(known) = known
                && introspect::schema_version(client).await? == known.version
            {
                return Ok(None);
            }
            introspect::read(client, epoch).await.map(Some)
        };
        let read = timeout(READ_TIMEOUT, reading).await;
        Ok(read.map_err(|_| RefreshError::ReadTimeout)??)
    }

    async fn client(&mut self, spec: &Spec) -> Result<&mut Client, RefreshError> {
        let link = match self.link.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => {
                let connected = timeout(CONNECT_TIMEOUT, own::connect(&spec.target)).await;
                let connected = connected.map_err(|_| RefreshError::ConnectTimeout)?;
                let (client, connection) = connected.inspect_err(|_| {
                    self.around.metrics.upstream_errors.of(UpstreamError::Connect).inc();
                })?;
                self.tasks.abort_all();
                self.tasks = JoinSet::new();
                self.tasks.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "the proxy's own connection is lost");
                    }
                });
                client
            }
        };
        Ok(self.link.insert(link))
    }

    /// Makes the world of `schema` and publishes it.
    async fn publish(&mut self, schema: Snapshot, spec: &Arc<Spec>) -> Result<(), RefreshError> {
        let epoch = Epoch(self.epoch.0 + 1);
        let (tags, of) = (self.tags.clone(), Arc::clone(spec));
        // Large schemas take a while, and sessions must not wait for it.
        let making = tokio::task::spawn_blocking(move || make(epoch, schema, &of, &tags));
        let made = making.await.map_err(|_| RefreshError::Panic)??;
        let Made { world, schema, tags, problems, masks } = made;
        self.tell(&problems, &masks);
        self.epoch = epoch;
        self.tags = tags;
        self.bound = Some(Arc::clone(spec));
        let before = self.site.database.world();
        let step = if before.is_none() { CatalogStep::Loaded } else { CatalogStep::Refreshed };
        let change = CatalogChange {
            step,
            database: self.site.database.name().to_string(),
            epoch: epoch.0,
            pii_columns: world.sensitive.columns.len() as u64,
            changed: changed(before.as_deref(), &world),
        };
        self.site.schema.store(Some(Arc::new(schema)));
        self.site.database.publish(world);
        let now = (self.around.clock)();
        if self.around.audit.append(Event::Catalog(change), now).await.is_err() {
            tracing::error!("a change of a schema is not on record: the audit log is closed");
        }
        Ok(())
    }

    /// Logs what is wrong with the catalog, once.
    fn tell(&mut self, problems: &[Problem], masks: &[(Arc<ColumnPath>, MaskError)]) {
        let mut lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        lines.extend(masks.iter().map(|(path, error)| format!("{path}: {error}; hidden as NULL")));
        let database = self.site.database.name();
        for problem in lines.iter().filter(|line| !self.told.contains(line)) {
            tracing::warn!(%database, %problem, "the catalog does not fit the schema");
        }
        self.told = lines;
    }
}

pub(super) fn make(
    epoch: Epoch,
    schema: Snapshot,
    spec: &Spec,
    tags: &Tags,
) -> Result<Made, MentionError> {
    let (sensitive, tags, problems) =
        Sensitive::bind(&schema, &spec.catalog, tags, spec.unclassified)?;
    let view = CatalogView::new(&*spec.name, &spec.catalog, Some(&schema));
    let name = Arc::clone(&spec.name);
    let (world, masks) = World::new(epoch, name, schema.clone(), sensitive, view, spec.rules);
    Ok(Made { world, schema, tags, problems, masks })
}

/// Columns that became personal data or ceased to be, by name.
fn changed(before: Option<&World>, after: &World) -> Vec<String> {
    let names = |world: &World| -> BTreeSet<String> {
        world.sensitive.columns.values().map(|column| column.path.to_string()).collect()
    };
    let Some(before) = before.map(names) else { return Vec::new() };
    before.symmetric_difference(&names(after)).cloned().collect()
}

/// The error and what led to it, in one line.
pub(super) fn with_cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}
