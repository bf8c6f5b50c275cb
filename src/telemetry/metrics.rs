//! The numbers, one typed field each, handed around by `Arc`; there is no global registry.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use super::labels::{
    CutCause, Direction, Label, LoginDelay, LoginResult, NoticeChannel, Refresh, Refusal,
    UpstreamError, Verdict,
};
use super::sinks::SinkFamilies;
use crate::risk::Rule;

/// From a fast NVMe flush to a disk that is in trouble, in seconds.
const SYNC_BUCKETS_SECS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Counters over a closed set of label values, each resolved once: counting is one atomic add.
#[derive(Debug)]
pub struct Family<L> {
    counters: Vec<IntCounter>,
    label: PhantomData<L>,
}

impl<L: Label> Family<L> {
    /// The counter of one label value.
    pub fn of(&self, label: L) -> &IntCounter {
        &self.counters[label.index()]
    }

    /// Over all label values.
    pub fn total(&self) -> u64 {
        self.counters.iter().map(IntCounter::get).sum()
    }
}

/// Everything that `/metrics` and `SHOW STATS` show.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Sessions on the data port; like the other two gauges of state, `grants_live` and
    /// `requests_open`, it is set when somebody looks: see `control::Desk::take_stock`.
    pub sessions: IntGauge,
    pub logins: Family<LoginResult>,
    /// Answers to failed logins that were, or ought to have been, held back.
    pub login_delays: Family<LoginDelay>,
    pub statements: Family<Verdict>,
    masked_cells: IntCounterVec,
    raw_cells: IntCounterVec,
    pub refused: Family<Refusal>,
    /// Results stopped because the server's own column ids disagreed with the analysis.
    pub gate3_violations: IntCounter,
    pub grants_live: IntGauge,
    pub requests_open: IntGauge,
    /// Seconds since it was last certain that nothing in the approval store is unknown here.
    pub store_sync_age: Gauge,
    pub audit_records: IntCounter,
    /// 1 while the audit log cannot be written: nothing raw is released.
    pub audit_failing: IntGauge,
    /// Seconds from handing records over until they are durable.
    pub audit_sync: Histogram,
    pub schema_refreshes: Family<Refresh>,
    pub cuts: Family<CutCause>,
    pub upstream_errors: Family<UpstreamError>,
    pub bytes: Family<Direction>,
    /// Events that a channel delivered.
    pub notifications_sent: Family<NoticeChannel>,
    /// Attempts in vain.
    pub notifications_failed: Family<NoticeChannel>,
    /// Events that a channel gave up: refused for good, or too old.
    pub notifications_dropped: Family<NoticeChannel>,
    /// Events that the slowest channel is behind.
    pub notifications_waiting: IntGauge,
    pub sinks: SinkFamilies,
    /// Signals of the rules over the audit log.
    pub signals: Family<Rule>,
}

impl Metrics {
    /// # Errors
    /// Only if two metrics of this file have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("keyhole".to_owned()), None)?;
        let r = &registry;
        Ok(Self {
            sessions: gauge(r, "sessions", "sessions on the data port")?,
            logins: family(r, "logins_total", "logins by result")?,
            login_delays: family(r, "login_delays_total", "answers to guesses held back")?,
            statements: family(r, "statements_total", "statements by verdict")?,
            masked_cells: by_class(r, "masked_cells_total", "fields that were masked")?,
            raw_cells: by_class(r, "raw_cells_total", "fields released raw under a grant")?,
            refused: family(r, "refused_total", "statements refused by reason")?,
            gate3_violations: counter(
                r,
                "gate3_violations_total",
                "results stopped because the server's column ids disagreed with the analysis",
            )?,
            grants_live: gauge(r, "grants_live", "grants in force")?,
            requests_open: gauge(r, "requests_open", "requests that wait for approval")?,
            store_sync_age: register(
                r,
                Gauge::new(
                    "store_sync_age_seconds",
                    "time since everything in the approval store was known",
                )?,
            )?,
            audit_records: counter(r, "audit_records_total", "audit records written")?,
            audit_failing: gauge(r, "audit_failing", "1 while the audit log cannot be written")?,
            audit_sync: register(
                r,
                Histogram::with_opts(
                    HistogramOpts::new("audit_sync_seconds", "time until records are durable")
                        .buckets(SYNC_BUCKETS_SECS.to_vec()),
                )?,
            )?,
            schema_refreshes: family(r, "schema_refreshes_total", "schema snapshots by result")?,
            cuts: family(r, "cuts_total", "results cut and sessions ended, by cause")?,
            upstream_errors: family(r, "upstream_errors_total", "errors towards the database")?,
            notifications_sent: family(r, "notifications_sent_total", "notifications delivered")?,
            notifications_failed: family(
                r,
                "notifications_failed_total",
                "attempts to deliver a notification that failed",
            )?,
            notifications_dropped: family(
                r,
                "notifications_dropped_total",
                "notifications given up: refused for good, or too old",
            )?,
            notifications_waiting: gauge(
                r,
                "notifications_waiting",
                "events that the slowest channel of notifications is behind",
            )?,
            sinks: SinkFamilies::new(r)?,
            signals: family(r, "signals_total", "signals of the rules over the audit log")?,
            bytes: family(r, "bytes_total", "bytes relayed by direction")?,
            registry,
        })
    }

    /// Masked fields of one class of the catalog (its name: a word of the configuration). Keep
    /// the counter with the mask it counts for; looking it up takes a lock.
    pub fn masked_cells(&self, class: &str) -> IntCounter {
        self.masked_cells.with_label_values(&[class])
    }

    /// Like [`Metrics::masked_cells`], for fields released raw under a grant.
    pub fn raw_cells(&self, class: &str) -> IntCounter {
        self.raw_cells.with_label_values(&[class])
    }

    /// Every series in Prometheus' text format.
    ///
    /// # Errors
    /// If the encoder fails, which for memory it does not.
    pub fn exposition(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|e| prometheus::Error::Msg(e.to_string()))
    }

    /// Every counter and gauge as (name, labels, value), in the order of their names: the rows
    /// of `SHOW STATS`. Histograms are left to `/metrics`.
    pub fn rows(&self) -> Vec<(String, String, i64)> {
        let mut rows = Vec::new();
        for family in self.registry.gather() {
            for metric in family.get_metric() {
                let value = match family.get_field_type() {
                    MetricType::COUNTER => metric.get_counter().get_value(),
                    MetricType::GAUGE => metric.get_gauge().get_value(),
                    MetricType::HISTOGRAM | MetricType::SUMMARY | MetricType::UNTYPED => continue,
                };
                let labels: Vec<String> = metric
                    .get_label()
                    .iter()
                    .map(|label| format!("{}={}", label.name(), label.value()))
                    .collect();
                rows.push((family.name().to_owned(), labels.join(","), value as i64));
            }
        }
        rows
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    register(registry, IntGauge::new(name, help)?)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    register(registry, IntCounter::new(name, help)?)
}

fn by_class(
    registry: &Registry,
    name: &str,
    help: &str,
) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(Opts::new(name, help), &["class"])?)
}

/// Every label value exists from the start, at zero: a rate needs a first sample.
fn family<L: Label>(
    registry: &Registry,
    name: &str,
    help: &str,
) -> Result<Family<L>, prometheus::Error> {
    let series = register(registry, IntCounterVec::new(Opts::new(name, help), &[L::NAME])?)?;
    let counters = L::ALL.iter().map(|l| series.with_label_values(&[l.as_str()])).collect();
    Ok(Family { counters, label: PhantomData })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_exposed_from_the_start() {
        let metrics = Metrics::new().unwrap();
        metrics.logins.of(LoginResult::Ok).inc();
        metrics.masked_cells("email").inc_by(3);
        metrics.audit_sync.observe(0.002);
        let text = metrics.exposition().unwrap();
        for line in [
            "keyhole_logins_total{result=\"ok\"} 1",
            "keyhole_logins_total{result=\"refused\"} 0",
            "keyhole_masked_cells_total{class=\"email\"} 3",
            "keyhole_cuts_total{cause=\"revoked\"} 0",
            "keyhole_audit_sync_seconds_count 1",
            "keyhole_sessions 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn the_rows_hold_counters_and_gauges() {
        let metrics = Metrics::new().unwrap();
        metrics.grants_live.set(2);
        metrics.statements.of(Verdict::Show).inc_by(5);
        let rows = metrics.rows();
        assert!(rows.contains(&("keyhole_grants_live".into(), String::new(), 2)), "{rows:?}");
        let show = ("keyhole_statements_total".into(), "verdict=show".into(), 5);
        assert!(rows.contains(&show), "{rows:?}");
        assert_eq!(metrics.statements.total(), 5);
    }
}
