//! Counts, beside everything else, what clients are shown of columns that no catalog names, where
//! the configuration says so (`suggest` in `[discovery]`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Site;
use super::drift::Published;
use crate::analysis::sensitive::Watch;
use crate::config::Suggest;
use crate::discovery::drift::{self, Candidate, Memory, Sides, Values};
use crate::discovery::{Finding, Usage};
use crate::model::ColumnPath;
use crate::schema::Identity;
use crate::session::{Candidates, Sample};

/// Samples are counted together, and found out, at most so often.
const COUNT_PAUSE: Duration = Duration::from_secs(2);

/// Runs for as long as the database is served.
pub(in crate::server) async fn keep_up(site: Arc<Site>) {
    let mut news = site.published.subscribe();
    let mut counter = Counter { site: Arc::clone(&site), counted: None };
    loop {
        let published = news.borrow_and_update().clone();
        if let Some(published) = published {
            counter.renew(published).await;
        }
        loop {
            let samples = async {
                sleep(COUNT_PAUSE).await;
                site.database.samples().await
            };
            tokio::select! {
                changed = news.changed() => match changed {
                    Ok(()) => break,
                    // The sender is the site's, which is held here.
                    Err(_) => return,
                },
                samples = samples => counter.count(samples).await,
            }
        }
    }
}

struct Counter {
    site: Arc<Site>,
    /// None where nothing is to be counted.
    counted: Option<Counted>,
}

struct Counted {
    /// Which database it is of.
    identity: Identity,
    candidates: Arc<Candidates>,
    usage: Usage,
}

impl Counter {
    /// Goes by the world that was published.
    async fn renew(&mut self, published: Arc<Published>) {
        let spec = &published.spec;
        if spec.discovery.suggest == Suggest::Off || spec.watch == Watch::Nothing {
            self.counted = None;
            self.site.database.sampling.stop();
            self.tell(HashMap::new());
            return;
        }
        let known = self.counted.take().filter(|it| it.identity.is_same(&published.identity));
        let usage = known.map(|counted| counted.usage).unwrap_or_default();
        // Many columns take a while.
        let renewing = tokio::task::spawn_blocking(move || {
            let found = candidates(&published);
            let schema = Arc::clone(&published.world.schema);
            let mut usage = usage.renewed(schema, &found);
            let findings = usage.findings().clone();
            let candidates = Arc::new(Candidates::new(&found));
            let identity = published.identity.clone();
            (Counted { identity, candidates, usage }, findings)
        });
        let Ok((counted, findings)) = renewing.await else { return self.failed() };
        self.site.database.sampling.look_at(Arc::clone(&counted.candidates));
        self.counted = Some(counted);
        self.tell(findings);
    }

    async fn count(&mut self, samples: Vec<Sample>) {
        let Some(mut counted) = self.counted.take() else { return };
        let counting = tokio::task::spawn_blocking(move || {
            // What was taken before is of columns that may be others now.
            let candidates = Arc::clone(&counted.candidates);
            let current = |sample: &&Sample| Arc::ptr_eq(sample.candidates(), &candidates);
            for sample in samples.iter().filter(current) {
                sample.values().for_each(|(column, value)| counted.usage.see(column, value));
            }
            let findings = counted.usage.findings().clone();
            (counted, findings)
        });
        let Ok((counted, findings)) = counting.await else { return self.failed() };
        self.counted = Some(counted);
        self.tell(findings);
    }

    /// Nothing is counted until the next world.
    fn failed(&self) {
        self.site.database.sampling.stop();
        let database = self.site.database.name();
        tracing::error!(%database, "counting what clients are shown failed");
    }

    fn tell(&self, used: HashMap<ColumnPath, Vec<Finding>>) {
        self.site.values.send_if_modified(|values| {
            let is_new = values.used != used;
            if is_new {
                *values = Arc::new(Values { used, ..(**values).clone() });
            }
            is_new
        });
    }
}

fn candidates(published: &Published) -> Vec<Candidate> {
    let Published { world, spec, problems, .. } = published;
    drift::candidates(Sides {
        catalog: &spec.catalog,
        schema: &world.schema,
        sensitive: &world.sensitive,
        problems,
        facts: &HashMap::new(),
        memory: &Memory::default(),
        values: &Values::default(),
    })
}
