//! How metrics come to be: each is registered once, and described for the reference.

use std::marker::PhantomData;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::telemetry::labels::Label;

const PREFIX: &str = "keyhole";

/// A metric in the words of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// As it is exposed.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    pub labels: &'static [&'static str],
    /// Of one closed label; empty where the configuration or the catalog gives the values.
    pub values: Vec<&'static str>,
    pub help: String,
}

/// All metrics of the process.
#[derive(Debug)]
pub(in crate::telemetry) struct Register {
    registry: Registry,
    described: Vec<Described>,
}

/// A series by words of the configuration or the catalog.
pub(in crate::telemetry) type Series<V> = Result<V, prometheus::Error>;

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

/// Gauges over a closed set of label values.
#[derive(Debug)]
pub struct Gauges<L> {
    gauges: Vec<IntGauge>,
    label: PhantomData<L>,
}

impl<L: Label> Gauges<L> {
    /// The gauge of one label value.
    pub fn of(&self, label: L) -> &IntGauge {
        &self.gauges[label.index()]
    }
}

impl Register {
    pub(super) fn new() -> Series<Self> {
        let registry = Registry::new_custom(Some(PREFIX.to_owned()), None)?;
        Ok(Self { registry, described: Vec::new() })
    }

    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    pub(super) fn described(&self) -> Vec<Described> {
        let mut all = self.described.clone();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(in crate::telemetry) fn gauge(&mut self, name: &str, help: &str) -> Series<IntGauge> {
        self.add(IntGauge::new(name, help)?, name, "gauge", help, &[])
    }

    pub(super) fn gauge_float(&mut self, name: &str, help: &str) -> Series<Gauge> {
        self.add(Gauge::new(name, help)?, name, "gauge", help, &[])
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> Series<IntCounter> {
        self.add(IntCounter::new(name, help)?, name, "counter", help, &[])
    }

    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Series<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(options)?, name, "histogram", help, &[])
    }

    pub(in crate::telemetry) fn counters_by(
        &mut self,
        name: &str,
        help: &str,
        labels: &'static [&'static str],
    ) -> Series<IntCounterVec> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.add(counters, name, "counter", help, labels)
    }

    pub(in crate::telemetry) fn gauges_by(
        &mut self,
        name: &str,
        help: &str,
        labels: &'static [&'static str],
    ) -> Series<IntGaugeVec> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.add(gauges, name, "gauge", help, labels)
    }

    /// Every label value exists from the start, at zero: a rate needs a first sample.
    pub(super) fn family<L: Label>(&mut self, name: &str, help: &str) -> Series<Family<L>> {
        let series = self.counters_by(name, help, single::<L>())?;
        let counters = L::ALL.iter().map(|l| series.with_label_values(&[l.as_str()])).collect();
        self.closed::<L>();
        Ok(Family { counters, label: PhantomData })
    }

    /// Likewise.
    pub(super) fn gauges<L: Label>(&mut self, name: &str, help: &str) -> Series<Gauges<L>> {
        let series = self.gauges_by(name, help, single::<L>())?;
        let gauges = L::ALL.iter().map(|l| series.with_label_values(&[l.as_str()])).collect();
        self.closed::<L>();
        Ok(Gauges { gauges, label: PhantomData })
    }

    /// The label of the metric that was added last takes these values only.
    fn closed<L: Label>(&mut self) {
        if let Some(last) = self.described.last_mut() {
            last.values = L::ALL.iter().map(|label| label.as_str()).collect();
        }
    }

    fn add<C: Collector + Clone + 'static>(
        &mut self,
        collector: C,
        name: &str,
        kind: &'static str,
        help: &str,
        labels: &'static [&'static str],
    ) -> Series<C> {
        self.registry.register(Box::new(collector.clone()))?;
        let (name, help) = (format!("{PREFIX}_{name}"), help.to_owned());
        self.described.push(Described { name, kind, labels, values: Vec::new(), help });
        Ok(collector)
    }
}

/// The label's name as the list of labels.
fn single<L: Label>() -> &'static [&'static str] {
    const { &[L::NAME] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::Part;

    #[test]
    fn what_is_registered_is_described() {
        let mut register = Register::new().unwrap();
        register.gauges::<Part>("b", "what b is").unwrap();
        register.counter("a_total", "what a is").unwrap();
        let described = register.described();
        assert_eq!(described[0].name, "keyhole_a_total");
        assert_eq!((described[1].kind, described[1].labels), ("gauge", &["part"][..]));
        assert_eq!(described[1].values, ["store", "audit", "schema", "shutdown"]);
    }

    #[test]
    fn a_name_is_there_once() {
        let mut register = Register::new().unwrap();
        register.counter("a_total", "one").unwrap();
        assert!(register.counter("a_total", "the other").is_err());
        assert_eq!(register.described().len(), 1);
    }
}
