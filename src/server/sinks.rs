//! The sinks of the audit log at work: started, changed and ended with the configuration.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::setup::SinkPlan;
use super::workers::Workers;
use crate::control::desk;
use crate::model::Timestamp;
use crate::relay::Surroundings;
use crate::sinks::{Around, Progress, Shipper};
use crate::store::audit_log::Position;
use crate::store::positions::Positions;
use crate::telemetry::Metrics;

/// How long the end of the log may take to be shipped when the process stops; the rest is shipped
/// by the next one.
const LAST_SHIPMENTS: Duration = Duration::from_secs(5);

pub(super) struct Sinks {
    around: Around,
    metrics: Arc<Metrics>,
    closing: watch::Sender<bool>,
    sinks: Workers<SinkPlan, Arc<Progress>>,
}

impl Sinks {
    /// Positions lie within the log's own folder, as they mean something in that log only.
    pub(super) fn new(surroundings: &Surroundings, audit_dir: &Path) -> Self {
        let (closing, closed) = watch::channel(false);
        let around = Around {
            log: surroundings.audit.clone(),
            positions: Positions::new(audit_dir.join("positions")),
            clock: Arc::clone(&surroundings.clock),
            closing: closed,
        };
        let metrics = Arc::clone(&surroundings.metrics);
        Self { around, metrics, closing, sinks: Workers::default() }
    }

    /// Lets those sinks work and no others. One that stays as it was is not disturbed; one that
    /// changes goes on where it was.
    pub(super) fn reconcile(&self, plans: &[SinkPlan]) {
        let gone = self.sinks.reconcile(plans, |plan, stopped| {
            let metrics = self.metrics.sinks.of(&plan.config.name);
            let progress = Arc::new(Progress::new(metrics));
            let shipper = Shipper {
                name: plan.config.name.clone(),
                kinds: plan.config.kinds.clone(),
                from: plan.config.from,
                every: plan.config.every,
                sink: plan.sink(),
                pace: Shipper::PACE,
                around: self.around.clone(),
                progress: Arc::clone(&progress),
            };
            (shipper.run(stopped), progress)
        });
        for name in gone {
            self.metrics.sinks.forget(&name);
        }
    }

    /// Where the slowest sink would go on after a crash: what is before it, no sink needs any
    /// more. None: there is no sink.
    pub(super) fn behind(&self) -> Option<Position> {
        // As long as one does not know where it is, it may need all there is.
        let beginning = Position { file: 0, offset: 0, seq: 0 };
        let kept = |(_, progress): (SinkPlan, Arc<Progress>)| progress.kept().unwrap_or(beginning);
        self.sinks.shown().into_iter().map(kept).min()
    }

    /// Each sink as it is now, in the order of their names; the gauges go by it, too.
    pub(super) fn look(&self, now: Timestamp) -> Vec<desk::Sink> {
        let end = self.around.log.end().map(|durable| durable.borrow().end);
        let look = |(plan, progress): (SinkPlan, Arc<Progress>)| {
            let shown = progress.look(end, now);
            let kinds = plan.config.kinds.iter().flatten();
            let kinds: Vec<_> = kinds.map(|kind| kind.as_str()).collect();
            desk::Sink {
                name: plan.config.name.clone(),
                kind: plan.config.kind().as_str(),
                kinds: if kinds.is_empty() { "all".to_owned() } else { kinds.join(", ") },
                next: shown.next,
                behind_records: shown.behind_records,
                behind_secs: shown.behind_secs,
                delivered: shown.delivered,
                failures: shown.failures,
                refused: shown.refused,
                missed: shown.missed,
                last_delivery: shown.last_delivery,
                failing: shown.failing,
            }
        };
        let mut sinks: Vec<_> = self.sinks.shown().into_iter().map(look).collect();
        sinks.sort_by(|one, other| one.name.cmp(&other.name));
        sinks
    }

    /// Ships the rest of the log, which was closed.
    pub(super) async fn finish(&self) {
        self.closing.send_replace(true);
        if timeout(LAST_SHIPMENTS, self.sinks.ended()).await.is_err() {
            tracing::warn!("not all sinks have the end of the audit log: the next start ships it");
        }
    }
}
