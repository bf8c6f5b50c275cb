//! Looks, beside everything else, whether catalog and schema have moved apart: after each world
//! that is published, so within the interval of refreshing, and whenever values have said something.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Site;
use crate::analysis::sensitive::{Problem, Watch};
use crate::config::{DiscoveryConfig, Suggest};
use crate::decision::World;
use crate::discovery::ColumnFacts;
use crate::discovery::drift::{self, Drift, Found, Memory, Severity, Sides, Values};
use crate::model::ColumnPath;
use crate::schema::Identity;
use crate::server::refresher::{Around, READ_TIMEOUT, with_cause};
use crate::server::setup::Spec;
use crate::store::tags::TagsError;
use crate::upstream::own;
use crate::upstream::sampling;

/// Between two looks: a migration is many changes.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// What is logged of one look; the console lists the rest.
const LINES_MAX: usize = 50;

type Facts = HashMap<ColumnPath, ColumnFacts>;

/// The world that holds, and what it was made from.
pub(in crate::server) struct Published {
    pub(in crate::server) world: Arc<World>,
    pub(in crate::server) spec: Arc<Spec>,
    pub(in crate::server) identity: Identity,
    pub(in crate::server) problems: Vec<Problem>,
}

/// Runs for as long as the database is served.
pub(in crate::server) async fn keep_up(site: Arc<Site>, around: Around) {
    let mut news = site.published.subscribe();
    let mut values = site.values.subscribe();
    let mut watcher =
        Watcher { site: Arc::clone(&site), around, memory: None, facts: None, untold: None };
    loop {
        let published = news.borrow_and_update().clone();
        let seen = Arc::clone(&values.borrow_and_update());
        if let Some(published) = published {
            watcher.look(published, seen).await;
            sleep(LOOK_PAUSE).await;
        }
        // Both senders are the site's, which is held here.
        let changed = tokio::select! {
            changed = news.changed() => changed,
            changed = values.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

struct Watcher {
    site: Arc<Site>,
    around: Around,
    /// Which database it is of.
    memory: Option<(Identity, Memory)>,
    /// What was read of columns in this world; kept where values may ask for another look at it.
    facts: Option<(Arc<Published>, Arc<Facts>)>,
    /// Why what is remembered is not on the disk, or was not read from there.
    untold: Option<String>,
}

impl Watcher {
    async fn look(&mut self, published: Arc<Published>, values: Arc<Values>) {
        if published.spec.watch == Watch::Nothing {
            // Without a catalog there is nothing to move apart from.
            self.tell(Vec::new());
            return;
        }
        let facts = self.facts(&published).await;
        let known = self.memory.take().filter(|(of, _)| *of == published.identity);
        let known = known.map(|(_, memory)| memory);
        let (files, who) = (self.around.tags.clone(), published.identity.clone());
        // Many columns take a while.
        let looking = tokio::task::spawn_blocking(move || {
            let Published { world, spec, identity, problems } = &*published;
            let (known, kept) = match known {
                Some(known) => (known, Ok(())),
                None => match files.recall(&spec.name, identity, &world.schema) {
                    Ok(known) => (known, Ok(())),
                    // Left as it is, for somebody to look at.
                    Err(error) => (Memory::default(), Err(error)),
                },
            };
            let memory = known.renewed(&spec.catalog, &world.schema);
            let kept = kept.and_then(|()| files.remember(&spec.name, identity, &memory));
            let found = drift::find(Sides {
                catalog: &spec.catalog,
                schema: &world.schema,
                sensitive: &world.sensitive,
                problems,
                facts: &facts,
                memory: &memory,
                values: &values,
            });
            (found, memory, kept)
        });
        let database = self.site.database.name();
        let Ok((found, memory, kept)) = looking.await else {
            tracing::error!(%database, "looking for drift of the catalog failed");
            return;
        };
        self.memory = Some((who, memory));
        self.kept(kept);
        self.tell(found);
    }

    async fn facts(&mut self, published: &Arc<Published>) -> Arc<Facts> {
        if let Some((of, facts)) = &self.facts
            && Arc::ptr_eq(of, published)
        {
            return Arc::clone(facts);
        }
        self.facts = None;
        // Without them columns go by name and type.
        let Some(facts) = self.read_facts(&published.spec).await.map(Arc::new) else {
            return Arc::default();
        };
        let DiscoveryConfig { every, suggest } = published.spec.discovery;
        if every.is_some() || suggest == Suggest::FromUse {
            self.facts = Some((Arc::clone(published), Arc::clone(&facts)));
        }
        facts
    }

    async fn read_facts(&self, spec: &Spec) -> Option<Facts> {
        let reading = async {
            let (client, connection) =
                own::connect(&spec.target).await.map_err(|e| with_cause(&e))?;
            tokio::select! {
                facts = sampling::facts(client) => facts.map_err(|error| with_cause(&error)),
                _ = connection => Err("the connection ended".to_owned()),
            }
        };
        let read = timeout(READ_TIMEOUT, reading).await;
        let read = read.unwrap_or_else(|_| Err(format!("no answer within {READ_TIMEOUT:?}")));
        read.inspect_err(|reason| {
            let database = self.site.database.name();
            tracing::info!(%database, %reason, "comments of columns are not known");
        })
        .ok()
    }

    /// Logs, once, that new columns may be taken for known ones after a restart.
    fn kept(&mut self, kept: Result<(), TagsError>) {
        let reason = kept.err().map(|error| error.to_string());
        if let Some(reason) = reason.as_ref().filter(|reason| self.untold.as_ref() != Some(reason))
        {
            let database = self.site.database.name();
            tracing::warn!(%database, %reason, "what columns were is not remembered");
        }
        self.untold = reason;
    }

    /// Logs what is new, once, and shows all of it.
    fn tell(&self, found: Vec<Drift>) {
        let before = self.site.drift.load();
        let found = drift::carried(&before, found, (self.around.clock)());
        let news = found.iter().filter(|now| !before.iter().any(|old| old.drift == now.drift));
        let database = self.site.database.name();
        let mut count = 0_usize;
        for Found { drift, .. } in news {
            count += 1;
            if count > LINES_MAX {
                continue;
            }
            let kind = drift.kind.as_str();
            match drift.severity {
                Severity::Problem | Severity::Warning => {
                    tracing::warn!(%database, kind, %drift, "the catalog does not fit the schema");
                }
                Severity::Note => {
                    tracing::info!(%database, kind, %drift, "of the catalog and the schema");
                }
            }
        }
        if let Some(more) = count.checked_sub(LINES_MAX).filter(|more| *more > 0) {
            tracing::warn!(%database, more, "more of it is not logged: SHOW DRIFT lists all");
        }
        self.site.drift.store(Arc::new(found));
    }
}
