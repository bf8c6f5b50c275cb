//! How far a sink is, for others to see.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;
use crate::store::audit_log::Position;
use crate::telemetry::SinkMetrics;

/// What a sink tells of itself while it works.
#[derive(Debug)]
pub struct Progress {
    metrics: SinkMetrics,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Behind what it is done with; None until it knows where it is.
    at: Option<Position>,
    /// What of that is on the disk: here it would go on after a crash.
    kept: Option<Position>,
    /// When the first record was made that it has in hand.
    in_hand: Option<Timestamp>,
    last_delivery: Option<Timestamp>,
    /// Why the last attempt was in vain.
    failing: Option<String>,
}

/// One look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The number of the record that comes next.
    pub next: Option<u64>,
    pub behind_records: u64,
    pub behind_secs: u64,
    /// Records.
    pub delivered: u64,
    /// Attempts.
    pub failures: u64,
    /// Records that the receiver does not take.
    pub refused: u64,
    /// Records that were gone before they were shipped.
    pub missed: u64,
    pub last_delivery: Option<Timestamp>,
    pub failing: Option<String>,
}

impl Progress {
    pub fn new(metrics: SinkMetrics) -> Self {
        Self { metrics, state: Mutex::default() }
    }

    /// As of `now`, in a log that ends with `end`. The gauges go by it, too.
    pub fn look(&self, end: Option<Position>, now: Timestamp) -> Shown {
        let state = self.state();
        let behind = match (state.at, end) {
            (Some(at), Some(end)) => end.seq.saturating_sub(at.seq),
            (None, _) | (_, None) => 0,
        };
        let since = state.in_hand.filter(|_| behind > 0).unwrap_or(now);
        let behind_secs = u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0);
        let metrics = &self.metrics;
        metrics.behind_records.set(behind.try_into().unwrap_or(i64::MAX));
        metrics.behind_seconds.set(behind_secs.try_into().unwrap_or(i64::MAX));
        Shown {
            next: state.at.map(|at| at.seq),
            behind_records: behind,
            behind_secs,
            delivered: metrics.delivered.get(),
            failures: metrics.failures.get(),
            refused: metrics.refused.get(),
            missed: metrics.missed.get(),
            last_delivery: state.last_delivery,
            failing: state.failing.clone(),
        }
    }

    /// Where it would go on after a crash; None as long as it does not know.
    pub fn kept(&self) -> Option<Position> {
        self.state().kept
    }

    pub(super) fn in_hand(&self, oldest: Option<Timestamp>) {
        self.state().in_hand = oldest;
    }

    pub(super) fn reached(&self, at: Position) {
        self.state().at = Some(at);
    }

    pub(super) fn kept_at(&self, at: Position) {
        self.state().kept = Some(at);
    }

    pub(super) fn delivered(&self, records: u64, cut: u64, now: Timestamp) {
        self.metrics.delivered.inc_by(records);
        self.metrics.cut.inc_by(cut);
        let mut state = self.state();
        state.last_delivery = Some(now);
        state.failing = None;
    }

    pub(super) fn failed(&self, why: &str) {
        self.metrics.failures.inc();
        self.state().failing = Some(why.to_owned());
    }

    pub(super) fn refused(&self, records: u64) {
        self.metrics.refused.inc_by(records);
    }

    pub(super) fn missed(&self, records: u64) {
        self.metrics.missed.inc_by(records);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
