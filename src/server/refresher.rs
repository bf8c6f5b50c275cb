//! Keeps the world of one database up to date: at the start, now and then, when a session asks,
//! and when the configuration changes.

mod made;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use self::made::changed;
pub(super) use self::made::{Made, make, with_cause};
use super::databases::Site;
use super::databases::drift::Published;
use super::setup::{Spec, Upkeep};
use crate::analysis::mention::MentionError;
use crate::analysis::sensitive::Tags;
use crate::audit::{CatalogChange, CatalogStep, Event};
use crate::model::{Epoch, Timestamp};
use crate::relay::Stale;
use crate::schema::{Identity, Snapshot};
use crate::store::approvals::Clock;
use crate::store::audit_log::AuditLog;
use crate::store::tags::{TagFiles, TagsError};
use crate::telemetry::Metrics;
use crate::telemetry::labels::{Refresh, UpstreamError};
use crate::upstream::ddl_trigger::{self, Trigger};
use crate::upstream::introspect::{self, IntrospectError};
use crate::upstream::own::{self, OwnError};

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
    pub(super) tags: TagFiles,
}

/// Why a world could not be made; goes to the log and to `/readyz`, not to clients.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("no connection in time")]
    ConnectTimeout,
    #[error(transparent)]
    Own(#[from] OwnError),
    #[error("the schema was not read within {READ_TIMEOUT:?}")]
    ReadTimeout,
    #[error(transparent)]
    Introspect(#[from] IntrospectError),
    #[error("the catalog names too much: {0}")]
    Mention(#[from] MentionError),
    #[error("what was tagged before is not known: {0}")]
    Tags(#[from] TagsError),
    /// Sessions go by OIDs that mean something else there.
    #[error("the schema is another database's now; sessions of the old one are ended first")]
    AnotherDatabase,
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
        identity: None,
        tags: Tags::default(),
        unkept: None,
        epoch: Epoch::default(),
        link: None,
        trigger: Trigger::Absent,
        news: Arc::default(),
        tasks: JoinSet::new(),
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
    /// Which database the tags are of.
    identity: Option<Identity>,
    tags: Tags,
    /// Why the tags are not on the disk.
    unkept: Option<String>,
    epoch: Epoch,
    /// Kept while there are sessions; without them it would keep the database from being dropped.
    /// With the triggers it is what they tell, and kept as long as the database is served.
    link: Option<Link>,
    trigger: Trigger,
    /// The triggers have told of DDL, or the link is lost.
    news: Arc<Notify>,
    tasks: JoinSet<()>,
    failing_since: Option<Timestamp>,
}

/// A connection that listens.
struct Link {
    client: Client,
    /// None until it was asked for.
    identity: Option<Identity>,
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
            let listens = self.trigger == Trigger::Installed;
            let kept = used || (always && listens);
            if !kept {
                self.link = None;
            }
            tokio::select! {
                () = &mut pause, if used || always => return,
                () = self.site.database.refresh_wanted() => return,
                () = self.news.notified() => return,
                // Neither sender goes away while this task runs.
                _ = self.specs.changed() => return,
                _ = sessions.changed() => {
                    // Nobody listened meanwhile.
                    let used = *sessions.borrow() > 0;
                    if used && listens && self.link.is_none() && outcome.is_ok() {
                        return;
                    }
                }
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
            if let Some(identity) = self.identity.clone() {
                self.publish(Arc::clone(schema), identity, &spec).await?;
            }
        }
        let mut attempt = 1;
        loop {
            match self.read(&spec, known.as_deref()).await {
                Ok(None) => {
                    self.keep_again(known).await;
                    return Ok(());
                }
                Ok(Some((schema, identity))) => {
                    let same = self.identity.as_ref().is_none_or(|known| known.is_same(&identity));
                    if !same && *self.site.database.sessions().borrow() > 0 {
                        self.site.database.expire();
                        return Err(RefreshError::AnotherDatabase);
                    }
                    return self.publish(Arc::new(schema), identity, &spec).await;
                }
                Err(error) if attempt == ATTEMPTS_MAX => return Err(error),
                Err(_) => {
                    self.link = None;
                    attempt += 1;
                    sleep(ATTEMPT_PAUSE).await;
                }
            }
        }
    }

    /// The schema as it is now, and whose it is; None if it is the one that is known.
    async fn read(
        &mut self,
        spec: &Spec,
        known: Option<&Snapshot>,
    ) -> Result<Option<(Snapshot, Identity)>, RefreshError> {
        let epoch = Epoch(self.epoch.0 + 1);
        let (of, link) = (self.identity.clone(), self.link(spec).await?);
        let reading = async {
            let identity = match &link.identity {
                Some(identity) => identity.clone(),
                None => {
                    ddl_trigger::listen(&link.client).await?;
                    introspect::identity(&link.client).await?
                }
            };
            link.identity = Some(identity.clone());
            let trigger = ddl_trigger::find(&link.client).await?;
            if let Some(known) = known.filter(|_| of.as_ref() == Some(&identity))
                && introspect::schema_version(&link.client).await? == known.version
            {
                return Ok::<_, IntrospectError>((trigger, None));
            }
            let schema = introspect::read(&mut link.client, epoch).await?;
            Ok((trigger, Some((schema, identity))))
        };
        let read = timeout(READ_TIMEOUT, reading).await;
        let (trigger, read) = read.map_err(|_| RefreshError::ReadTimeout)??;
        if trigger != self.trigger {
            tracing::info!(database = %self.site.database.name(), ?trigger, "DDL triggers");
            self.trigger = trigger;
        }
        Ok(read)
    }

    async fn link(&mut self, spec: &Spec) -> Result<&mut Link, RefreshError> {
        let link = match self.link.take().filter(|link| !link.client.is_closed()) {
            Some(link) => link,
            None => {
                let connected =
                    timeout(spec.target.servers.patience(), own::connect(&spec.target)).await;
                let connected = connected.map_err(|_| RefreshError::ConnectTimeout)?;
                let (client, connection) = connected.inspect_err(|_| {
                    self.around.metrics.upstream_errors.of(UpstreamError::Connect).inc();
                })?;
                self.tasks.abort_all();
                self.tasks = JoinSet::new();
                let news = Arc::clone(&self.news);
                self.tasks.spawn(async move { own::attend(connection, &news).await });
                Link { client, identity: None }
            }
        };
        Ok(self.link.insert(link))
    }

    /// Makes the world of `schema` and publishes it.
    async fn publish(
        &mut self,
        schema: Arc<Snapshot>,
        identity: Identity,
        spec: &Arc<Spec>,
    ) -> Result<(), RefreshError> {
        let epoch = Epoch(self.epoch.0 + 1);
        let known = (self.identity.as_ref() == Some(&identity)).then(|| self.tags.clone());
        let (files, who, of) = (self.around.tags.clone(), identity.clone(), Arc::clone(spec));
        // Large schemas take a while, and sessions must not wait for it.
        let making = tokio::task::spawn_blocking(move || {
            let tags = match known {
                Some(tags) => tags,
                None => files.load(&of.name, &who, &schema)?,
            };
            let made = make(epoch, schema, &of, &tags)?;
            // On the disk before anybody goes by it; what cannot be kept is hidden all the same.
            let kept = files.keep(&of.name, &who, &made.world.schema, &made.tags);
            Ok::<_, RefreshError>((made, kept))
        });
        let (made, kept) = making.await.map_err(|_| RefreshError::Panic)??;
        self.kept(kept);
        self.site.identity.store(Some(Arc::new(identity.clone())));
        self.identity = Some(identity.clone());
        let Made { world, for_ddl, tags, problems } = made;
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
        self.site.schema.store(Some(Arc::clone(&world.schema)));
        self.site.database.publish(world, for_ddl);
        if let Some(world) = self.site.database.world() {
            let published = Published { world, spec: Arc::clone(spec), identity, problems };
            self.site.published.send_replace(Some(Arc::new(published)));
        }
        let now = (self.around.clock)();
        if self.around.audit.append(Event::Catalog(change), now).await.is_err() {
            tracing::error!("a change of a schema is not on record: the audit log is closed");
        }
        Ok(())
    }

    /// Tries to keep the tags of the world that holds, if it failed before.
    async fn keep_again(&mut self, schema: Option<Arc<Snapshot>>) {
        let (Some(_), Some(schema), Some(who)) = (&self.unkept, schema, self.identity.clone())
        else {
            return;
        };
        let (files, tags) = (self.around.tags.clone(), self.tags.clone());
        let name = Arc::clone(self.site.database.name());
        let keeping =
            tokio::task::spawn_blocking(move || files.keep(&name, &who, &schema, &tags)).await;
        if let Ok(kept) = keeping {
            self.kept(kept);
        }
    }

    /// Logs, once, that tags would be lost with the process.
    fn kept(&mut self, kept: Result<(), TagsError>) {
        let reason = kept.err().map(|error| error.to_string());
        if let Some(reason) = reason.as_ref().filter(|reason| self.unkept.as_ref() != Some(reason))
        {
            tracing::warn!(database = %self.site.database.name(), %reason, "tags are not kept");
        }
        self.unkept = reason;
    }
}
