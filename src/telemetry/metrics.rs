//! The numbers, one typed field each, handed around by `Arc`; there is no global registry.

mod register;

use prometheus::proto::MetricType;
use prometheus::{Encoder, Gauge, Histogram, IntCounter, IntGauge, TextEncoder};

pub use self::register::{Described, Family, Gauges};
pub(super) use self::register::{Register, Series};
use super::cells::{CellFamilies, ColumnCells};
use super::labels::{
    CutCause, Direction, LoginDelay, LoginResult, NoticeChannel, Part, Refresh, Refusal,
    UpstreamError, Verdict,
};
use super::sinks::SinkFamilies;
use crate::discovery::drift::DriftKind;
use crate::risk::Rule;

/// From a fast NVMe flush to a disk that is in trouble, in seconds.
const SYNC_BUCKETS_SECS: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// From a plan that is kept to a statement of the longest text, in seconds.
const DECISION_BUCKETS_SECS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.025, 0.1,
    1.0,
];

/// Everything that `/metrics` and `SHOW STATS` show.
#[derive(Debug)]
pub struct Metrics {
    register: Register,
    /// When the process started, in seconds since 1970.
    pub start: IntGauge,
    /// Sessions on the data port; like the other two gauges of state, `grants_live` and
    /// `requests_open`, it is set when somebody looks: see `control::Desk::take_stock`.
    pub sessions: IntGauge,
    pub logins: Family<LoginResult>,
    /// Answers to failed logins that were, or ought to have been, held back.
    pub login_delays: Family<LoginDelay>,
    pub statements: Family<Verdict>,
    /// Seconds of a step in which gate 2 and the decision, or a plan that was kept, were asked.
    pub decision: Histogram,
    cells: CellFamilies,
    pub refused: Family<Refusal>,
    /// Results stopped because the server's own column ids disagreed with the analysis.
    pub gate3_violations: IntCounter,
    pub grants_live: IntGauge,
    pub requests_open: IntGauge,
    /// Seconds that the oldest of them has waited.
    pub request_oldest: IntGauge,
    /// Break-glass grants in force.
    pub break_glass_live: IntGauge,
    /// Break-glass grants that nobody has reviewed.
    pub break_glass_unreviewed: IntGauge,
    /// Seconds since it was last certain that nothing in the approval store is unknown here.
    pub store_sync_age: Gauge,
    pub audit_records: IntCounter,
    /// 1 while the audit log cannot be written: nothing raw is released.
    pub audit_failing: IntGauge,
    /// Records that could not be kept.
    pub audit_lost: IntCounter,
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
    /// Problems and warnings of catalogs that their schemas have moved away from.
    pub catalog_drift: Gauges<DriftKind>,
    /// 1 for each part for which the proxy is not ready.
    pub unready: Gauges<Part>,
    /// When the certificate of the ports ends, in seconds since 1970; 0 without one.
    pub certificate_end: IntGauge,
}

impl Metrics {
    /// # Errors
    /// Only if two metrics of this file have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let mut register = Register::new()?;
        let r = &mut register;
        name_version(r)?;
        Ok(Self {
            start: r.gauge("start_timestamp_seconds", "when the process started")?,
            sessions: r.gauge("sessions", "sessions on the data port")?,
            logins: r.family("logins_total", "logins on all ports by result")?,
            login_delays: r.family("login_delays_total", "answers to guesses held back")?,
            statements: r.family("statements_total", "statements by verdict")?,
            decision: r.histogram(
                "decision_seconds",
                "time of steps in which statements were analysed and decided; statements that \
                 gate 1 clears are not in it",
                DECISION_BUCKETS_SECS,
            )?,
            cells: CellFamilies::new(r)?,
            refused: r.family("refused_total", "statements refused by reason")?,
            gate3_violations: r.counter(
                "gate3_violations_total",
                "results stopped because the server's column ids disagreed with the analysis",
            )?,
            grants_live: r.gauge("grants_live", "grants in force, standing ones included")?,
            requests_open: r.gauge("requests_open", "requests that wait for approval")?,
            request_oldest: r.gauge(
                "request_oldest_seconds",
                "time that the oldest request has waited for approval; 0 without one",
            )?,
            break_glass_live: r.gauge("break_glass_live", "break-glass grants in force")?,
            break_glass_unreviewed: r
                .gauge("break_glass_unreviewed", "break-glass grants that nobody has reviewed")?,
            store_sync_age: r.gauge_float(
                "store_sync_age_seconds",
                "time since everything in the approval store was known",
            )?,
            audit_records: r.counter("audit_records_total", "audit records written")?,
            audit_failing: r.gauge("audit_failing", "1 while the audit log cannot be written")?,
            audit_lost: r.counter(
                "audit_lost_records_total",
                "records lost while the audit log could not be written (none of them raw)",
            )?,
            audit_sync: r.histogram(
                "audit_sync_seconds",
                "time until a release record is durable",
                SYNC_BUCKETS_SECS,
            )?,
            schema_refreshes: r.family("schema_refreshes_total", "schema readings by result")?,
            cuts: r.family("cuts_total", "results cut and sessions ended, by cause")?,
            upstream_errors: r.family("upstream_errors_total", "errors towards the database")?,
            notifications_sent: r.family("notifications_sent_total", "notifications delivered")?,
            notifications_failed: r.family(
                "notifications_failed_total",
                "attempts to deliver a notification that failed",
            )?,
            notifications_dropped: r.family(
                "notifications_dropped_total",
                "notifications given up: refused for good, or too old",
            )?,
            notifications_waiting: r
                .gauge("notifications_waiting", "events a channel is behind")?,
            sinks: SinkFamilies::new(r)?,
            signals: r.family("signals_total", "signals of the rules over the audit log")?,
            bytes: r.family("bytes_total", "bytes relayed by direction")?,
            catalog_drift: r.gauges("catalog_drift", "problems and warnings of stale catalogs")?,
            unready: r.gauges("unready", "1 while this part keeps the proxy from being ready")?,
            certificate_end: r.gauge(
                "certificate_end_timestamp_seconds",
                "when the ports' certificate is no longer valid; 0 without one",
            )?,
            register,
        })
    }

    /// What is counted of one column of personal data, and of its class. Looking it up takes locks:
    /// keep it.
    pub fn column(&self, class: &str, column: &str) -> ColumnCells {
        self.cells.of(class, column)
    }

    /// Every metric there is, in the order of their names.
    pub fn described(&self) -> Vec<Described> {
        self.register.described()
    }

    /// Every series in Prometheus' text format.
    ///
    /// # Errors
    /// If the encoder fails, which for memory it does not.
    pub fn exposition(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.register.gather(), &mut text)?;
        String::from_utf8(text).map_err(|e| prometheus::Error::Msg(e.to_string()))
    }

    /// Every counter and gauge as (name, labels, value), in the order of their names: the rows
    /// of `SHOW STATS`. Histograms are left to `/metrics`.
    pub fn rows(&self) -> Vec<(String, String, i64)> {
        let mut rows = Vec::new();
        for family in self.register.gather() {
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

/// Which version this is.
fn name_version(r: &mut Register) -> Result<(), prometheus::Error> {
    let build = r.gauges_by("build_info", "1; its label is the version", &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_exposed_from_the_start() {
        let metrics = Metrics::new().unwrap();
        metrics.logins.of(LoginResult::Ok).inc();
        metrics.column("email", "public.customers.email").masked(3);
        metrics.audit_sync.observe(0.002);
        let text = metrics.exposition().unwrap();
        for line in [
            "keyhole_logins_total{result=\"ok\"} 1",
            "keyhole_logins_total{result=\"refused\"} 0",
            "keyhole_masked_cells_total{class=\"email\"} 3",
            "keyhole_column_masked_cells_total{column=\"public.customers.email\"} 3",
            "keyhole_unready{part=\"audit\"} 0",
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
