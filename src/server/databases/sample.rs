//! Reads some rows of every table now and then, so that drift is told by what values look like, and
//! not by names alone. Of a value nothing is kept.

mod pace;
mod round;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use self::pace::Since;
use self::round::{Looked, Place, SampledColumns};
use super::Site;
use super::drift::Published;
use crate::analysis::sensitive::Watch;
use crate::schema::{Identity, Snapshot};
use crate::server::setup::{Spec, Upkeep};

/// Runs for as long as the database is served.
pub(in crate::server) async fn keep_up(site: Arc<Site>) {
    let mut rounds = Rounds {
        specs: site.spec.subscribe(),
        worlds: site.published.subscribe(),
        sessions: site.database.sessions(),
        since: None,
        identity: None,
        schema: None,
        failure: None,
        site,
    };
    loop {
        let place = rounds.due().await;
        let mut sampled = rounds.site.values.borrow().sampled.clone();
        let ended = tokio::select! {
            looked = round::look(&place, &mut sampled) => Ended::Looked(looked),
            called_off = rounds.called_off(&place) => called_off,
        };
        rounds.ended(ended, sampled);
    }
}

enum Ended {
    Looked(Result<Looked, String>),
    /// Nobody is there any more: the connection would keep the database from being dropped.
    Unused,
    /// Nobody wants to know any more, or it was of another database.
    Obsolete,
}

struct Rounds {
    site: Arc<Site>,
    specs: watch::Receiver<Arc<Spec>>,
    worlds: watch::Receiver<Option<Arc<Published>>>,
    sessions: watch::Receiver<usize>,
    /// Since when the next round is waited for; None as long as none is wanted.
    since: Option<(Instant, Since)>,
    /// Which database is looked at.
    identity: Option<Identity>,
    /// What its columns were when they were looked at.
    schema: Option<Arc<Snapshot>>,
    /// Why the last round failed.
    failure: Option<String>,
}

impl Rounds {
    /// Waits until a round is to begin; a reload counts at once.
    async fn due(&mut self) -> Place {
        loop {
            let Some((at, published)) = self.next() else {
                self.changed().await;
                continue;
            };
            tokio::select! {
                () = sleep_until(at) => return Place::new(&published),
                () = self.changed() => {}
            }
        }
    }

    /// When the next round begins, as things are, and in which world.
    fn next(&mut self) -> Option<(Instant, Arc<Published>)> {
        let spec = Arc::clone(&self.specs.borrow_and_update());
        let published = self.worlds.borrow_and_update().clone();
        let Some(every) = every(&spec) else {
            self.forget();
            return None;
        };
        let published = published?;
        if self.identity.as_ref().is_some_and(|of| !of.is_same(&published.identity)) {
            self.forget();
        }
        self.identity = Some(published.identity.clone());
        self.renew(&published.world.schema);
        let new = || (Instant::now(), Since::Start { dice: rand::random() });
        let (begin, since) = *self.since.get_or_insert_with(new);
        if self.is_unused(&spec) {
            return None;
        }
        Some((begin.checked_add(since.pause(every))?, published))
    }

    /// Returns when the round at `place` has no reason any more.
    async fn called_off(&mut self, place: &Place) -> Ended {
        loop {
            let spec = Arc::clone(&self.specs.borrow_and_update());
            let published = self.worlds.borrow_and_update().clone();
            let is_same = published.is_some_and(|now| now.identity.is_same(&place.identity));
            if every(&spec).is_none() || !is_same {
                return Ended::Obsolete;
            }
            if self.is_unused(&spec) {
                return Ended::Unused;
            }
            self.changed().await;
        }
    }

    fn is_unused(&mut self, spec: &Spec) -> bool {
        spec.upkeep == Upkeep::WhileUsed && *self.sessions.borrow_and_update() == 0
    }

    async fn changed(&mut self) {
        let while_used = self.specs.borrow().upkeep == Upkeep::WhileUsed;
        // All senders are the site's, which is held here.
        tokio::select! {
            _ = self.specs.changed() => {}
            _ = self.worlds.changed() => {}
            _ = self.sessions.changed(), if while_used => {}
        }
    }

    /// Publishes what was found, and logs, once, what stands in the way.
    fn ended(&mut self, ended: Ended, sampled: SampledColumns) {
        let database = self.site.database.name();
        let (since, failure) = match ended {
            // What is to be forgotten is so before the next round is waited for.
            Ended::Obsolete => return,
            Ended::Unused => (Since::Failure, self.failure.take()),
            Ended::Looked(Ok(Looked { tables, passed_over })) => {
                tracing::info!(%database, tables, passed_over, "some rows of each table were read");
                (Since::Round, None)
            }
            Ended::Looked(Err(reason)) => {
                if self.failure.as_ref() != Some(&reason) {
                    tracing::warn!(%database, %reason, "values were not looked at");
                }
                (Since::Failure, Some(reason))
            }
        };
        self.since = Some((Instant::now(), since));
        self.failure = failure;
        self.publish(sampled);
    }

    /// Columns that became others are spoken for by their names until they are looked at.
    fn renew(&mut self, schema: &Arc<Snapshot>) {
        let Some(before) = self.schema.replace(Arc::clone(schema)) else { return };
        if !Arc::ptr_eq(&before, schema) {
            let mut sampled = self.site.values.borrow().sampled.clone();
            sampled.retain(|path, _| round::is_same(path, &before, schema));
            self.publish(sampled);
        }
    }

    fn forget(&mut self) {
        self.since = None;
        self.identity = None;
        self.schema = None;
        self.failure = None;
        self.publish(SampledColumns::new());
    }

    fn publish(&self, sampled: SampledColumns) {
        self.site.values.send_if_modified(|values| {
            if values.sampled == sampled {
                return false;
            }
            Arc::make_mut(values).sampled = sampled;
            true
        });
    }
}

/// Without a catalog there is nothing that values could be missing in.
fn every(spec: &Spec) -> Option<Duration> {
    match spec.watch {
        Watch::Something => spec.discovery.every,
        Watch::Nothing => None,
    }
}
