//! Builds the families of series that the encoder writes.

use std::collections::BTreeMap;

use kakera_shards::counters::{self, Reading};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary,
};

use super::{
    Kind, Sample,
    latency::{BOUNDS_MICROS, Merged},
    shard::SUMMED,
};

pub(super) type Labels = Vec<(&'static str, String)>;

/// Families by name, because all series of one must stand together.
pub(super) struct Families<'a> {
    prefix: &'a str,
    labels: &'a Labels,
    by_name: BTreeMap<String, MetricFamily>,
}

impl<'a> Families<'a> {
    pub(super) fn new(prefix: &'a str, labels: &'a Labels) -> Self {
        Self { prefix, labels, by_name: BTreeMap::new() }
    }

    pub(super) fn finish(self) -> Vec<MetricFamily> {
        self.by_name.into_values().collect()
    }

    /// What the shards' counters read.
    pub(super) fn readings(&mut self, readings: &[Reading]) {
        let mut sums: BTreeMap<&str, (&Reading, u64)> = BTreeMap::new();
        for reading in readings {
            if SUMMED.contains(&reading.name) {
                sums.entry(reading.name).or_insert((reading, 0)).1 += reading.value;
            } else {
                let labels = [("shard", reading.shard.0.to_string())];
                self.number(
                    reading.name,
                    reading.help,
                    kind(reading),
                    &labels,
                    reading.value as f64,
                );
            }
        }
        for (reading, sum) in sums.into_values() {
            self.number(reading.name, reading.help, kind(reading), &[], sum as f64);
        }
    }

    pub(super) fn samples(&mut self, samples: &[Sample]) {
        for sample in samples {
            self.number(sample.name, sample.help, sample.kind, &[], sample.value);
        }
    }

    /// Samples whose names are conventions of their own.
    pub(super) fn append_plain(&mut self, samples: &[Sample]) {
        let prefix = std::mem::take(&mut self.prefix);
        self.samples(samples);
        self.prefix = prefix;
    }

    pub(super) fn number(
        &mut self,
        name: &str,
        help: &'static str,
        kind: Kind,
        labels: &[(&'static str, String)],
        value: f64,
    ) {
        let mut metric = self.metric(labels);
        let field_type = match kind {
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
                MetricType::COUNTER
            }
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
                MetricType::GAUGE
            }
        };
        self.push(name, help, field_type, metric);
    }

    /// A histogram in seconds.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &'static str,
        labels: &[(&'static str, String)],
        merged: &Merged,
    ) {
        let mut cumulative = 0;
        let buckets = BOUNDS_MICROS.iter().zip(&merged.buckets).map(|(bound, count)| {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(seconds(*bound));
            bucket.set_cumulative_count(cumulative);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(merged.count());
        histogram.set_sample_sum(seconds(merged.sum_micros));
        let mut metric = self.metric(labels);
        metric.set_histogram(histogram);
        self.push(name, help, MetricType::HISTOGRAM, metric);
    }

    /// Sum and count of a histogram alone, in seconds.
    pub(super) fn total(
        &mut self,
        name: &str,
        help: &'static str,
        labels: &[(&'static str, String)],
        merged: &Merged,
    ) {
        let mut summary = Summary::default();
        summary.set_sample_count(merged.count());
        summary.set_sample_sum(seconds(merged.sum_micros));
        let mut metric = self.metric(labels);
        metric.set_summary(summary);
        self.push(name, help, MetricType::SUMMARY, metric);
    }

    fn metric(&self, labels: &[(&'static str, String)]) -> Metric {
        let pairs = self.labels.iter().chain(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.clone());
            pair
        });
        Metric::from_label(pairs.collect())
    }

    fn push(&mut self, name: &str, help: &'static str, field_type: MetricType, metric: Metric) {
        let name = legal(&format!("{}{name}", self.prefix));
        let family = self.by_name.entry(name.clone()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name);
            family.set_help(help.to_owned());
            family.set_field_type(field_type);
            family
        });
        family.mut_metric().push(metric);
    }
}

fn kind(reading: &Reading) -> Kind {
    match reading.kind {
        counters::Kind::Counter => Kind::Counter,
        counters::Kind::Gauge => Kind::Gauge,
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// A name of letters, digits and underscores that does not begin with a digit.
fn legal(name: &str) -> String {
    let legal: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if legal.starts_with(|c: char| c.is_ascii_digit()) { format!("_{legal}") } else { legal }
}
