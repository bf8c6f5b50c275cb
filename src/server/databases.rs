//! The databases that are served, each with the task that keeps its world up to date.

pub(super) mod drift;
mod sample;
mod usage;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use dashmap::DashMap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::drift::Published;
use super::refresher::{self, Around};
use super::setup::{Setup, Spec, Upkeep};
use crate::discovery::drift::{Found, Values};
use crate::relay::Database;
use crate::schema::{Identity, Snapshot};

/// One database.
pub(super) struct Site {
    pub(super) database: Arc<Database>,
    /// What its world is made from; a reload changes it.
    pub(super) spec: watch::Sender<Arc<Spec>>,
    /// The schema of the world that holds.
    pub(super) schema: ArcSwapOption<Snapshot>,
    /// Which database the schema is of.
    pub(super) identity: ArcSwapOption<Identity>,
    /// Why the last refresh failed.
    pub(super) failure: ArcSwapOption<String>,
    /// The world that holds and what it was made from, for who looks after that.
    pub(super) published: watch::Sender<Option<Arc<Published>>>,
    /// What values have said of its columns, by what looks at them.
    pub(super) values: watch::Sender<Arc<Values>>,
    /// Where its catalog and its schema have moved apart.
    pub(super) drift: ArcSwap<Vec<Found>>,
}

/// Every [`Site`], by the name that clients use.
pub(super) struct Databases {
    sites: DashMap<String, (Arc<Site>, JoinHandle<()>)>,
    around: Around,
}

impl Databases {
    pub(super) fn new(around: Around) -> Self {
        Self { sites: DashMap::new(), around }
    }

    /// The site of that name, if it was ever needed.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Site>> {
        self.sites.get(name).map(|entry| Arc::clone(&entry.0))
    }

    /// The site of `spec`'s database; a new one starts to read its schema.
    pub(super) fn ensure(&self, spec: Spec) -> Arc<Site> {
        let name = Arc::clone(&spec.name);
        let entry = self.sites.entry(name.to_string()).or_insert_with(|| {
            let site = Arc::new(Site {
                database: Arc::new(Database::new(name)),
                spec: watch::Sender::new(Arc::new(spec)),
                schema: ArcSwapOption::empty(),
                identity: ArcSwapOption::empty(),
                failure: ArcSwapOption::empty(),
                published: watch::Sender::new(None),
                values: watch::Sender::default(),
                drift: ArcSwap::default(),
            });
            let schema = refresher::keep_up(Arc::clone(&site), self.around.clone());
            let looks = drift::keep_up(Arc::clone(&site), self.around.clone());
            let samples = sample::keep_up(Arc::clone(&site));
            let counts = usage::keep_up(Arc::clone(&site));
            #[expect(clippy::disallowed_methods, reason = "owned by the entry of the site")]
            let task = tokio::spawn(async { _ = tokio::join!(schema, looks, samples, counts) });
            (site, task)
        });
        Arc::clone(&entry.0)
    }

    /// Takes over a new configuration: sites that left it are gone, the others are bound anew.
    pub(super) fn reconcile(&self, setup: &Setup) {
        self.sites.retain(|name, (site, task)| match setup.spec(name) {
            Some(spec) => {
                site.spec.send_replace(Arc::new(spec));
                true
            }
            None => {
                task.abort();
                false
            }
        });
        for spec in setup.names().filter_map(|name| setup.spec(name)) {
            self.ensure(spec);
        }
    }

    /// Every site.
    pub(super) fn list(&self) -> Vec<Arc<Site>> {
        self.sites.iter().map(|entry| Arc::clone(&entry.0)).collect()
    }

    /// Those without an entry of their own in the configuration, by their names.
    pub(super) fn while_used(&self) -> Vec<Arc<Site>> {
        let mut sites = self.list();
        sites.retain(|site| site.spec.borrow().upkeep == Upkeep::WhileUsed);
        sites.sort_by(|one, other| one.database.name().cmp(other.database.name()));
        sites
    }

    /// Stops reading schemas.
    pub(super) fn stop(&self) {
        self.sites.retain(|_, (_, task)| {
            task.abort();
            false
        });
    }
}
