//! What is counted of each sink. Its name is a word of the configuration, as a class's is.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::metrics::{Register, Series};

/// The series of all sinks.
#[derive(Debug)]
pub struct SinkFamilies {
    delivered: IntCounterVec,
    failures: IntCounterVec,
    refused: IntCounterVec,
    missed: IntCounterVec,
    cut: IntCounterVec,
    behind_records: IntGaugeVec,
    behind_seconds: IntGaugeVec,
    /// The number of the oldest record that a sink would still need after a crash.
    pub needed: IntGauge,
}

/// The series of one sink.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// Records that its receiver took.
    pub delivered: IntCounter,
    /// Attempts in vain.
    pub failures: IntCounter,
    /// Records that its receiver does not take.
    pub refused: IntCounter,
    /// Records that were gone before they were shipped.
    pub missed: IntCounter,
    /// Records that arrived cut to what matters.
    pub cut: IntCounter,
    /// Records between it and the log's end.
    pub behind_records: IntGauge,
    /// The age of the oldest record that it has not delivered.
    pub behind_seconds: IntGauge,
}

const LABEL: &[&str] = &["sink"];

impl SinkFamilies {
    pub(super) fn new(register: &mut Register) -> Series<Self> {
        let needed =
            register.gauge("sink_needed_record", "the oldest record a sink still needs")?;
        let mut counter = |name, help| register.counters_by(name, help, LABEL);
        let delivered = counter("sink_records_total", "audit records that a sink delivered")?;
        let failures = counter("sink_failures_total", "attempts of a sink that failed")?;
        let refused = counter("sink_refused_records_total", "records that a receiver refuses")?;
        let missed = counter("sink_missed_records_total", "records removed before they shipped")?;
        let cut = counter("sink_cut_records_total", "records too long for their receiver")?;
        let mut gauge = |name, help| register.gauges_by(name, help, LABEL);
        Ok(Self {
            needed,
            delivered,
            failures,
            refused,
            missed,
            cut,
            behind_records: gauge("sink_behind_records", "records between a sink and the end")?,
            behind_seconds: gauge("sink_behind_seconds", "age of what a sink has not delivered")?,
        })
    }

    /// Those of the sink of that name; they are shown from now on.
    pub fn of(&self, name: &str) -> SinkMetrics {
        let name = &[name];
        SinkMetrics {
            delivered: self.delivered.with_label_values(name),
            failures: self.failures.with_label_values(name),
            refused: self.refused.with_label_values(name),
            missed: self.missed.with_label_values(name),
            cut: self.cut.with_label_values(name),
            behind_records: self.behind_records.with_label_values(name),
            behind_seconds: self.behind_seconds.with_label_values(name),
        }
    }

    /// They are shown no longer.
    pub fn forget(&self, name: &str) {
        let name = &[name];
        for series in [&self.delivered, &self.failures, &self.refused, &self.missed, &self.cut] {
            // It may never have been there.
            let _ = series.remove_label_values(name);
        }
        for series in [&self.behind_records, &self.behind_seconds] {
            let _ = series.remove_label_values(name);
        }
    }
}
