//! The result as a table and as JSON.

use std::{fs, io, path::Path};

use serde_json::{Map, Value, json};

use crate::{options::Options, run::Outcome};

const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];

pub fn print(options: &Options, outcome: &Outcome) {
    println!("{} against {} ({})", options.scenario.name(), options.target, options.format.name());
    let row = |name: &str, value: String| println!("  {name:<28} {value}");
    row("measured", format!("{:.2} s", outcome.elapsed.as_secs_f64()));
    row("done", outcome.measure.done.to_string());
    row("a second", format!("{:.0}", outcome.per_second()));
    if !outcome.measure.latency.is_empty() {
        for percentile in PERCENTILES {
            let nanos = outcome.measure.latency.value_at_percentile(percentile);
            row(&format!("latency p{percentile}"), format!("{:.3} ms", nanos as f64 / 1e6));
        }
    }
    if let Some(usage) = outcome.server {
        row("server CPU", format!("{:.2} s", usage.cpu_seconds));
        if let Some(rate) = outcome.per_cpu_second() {
            row("done a server-CPU-second", format!("{rate:.0}"));
            row("server CPU for each", format!("{:.2} µs", 1e6 / rate));
        }
        row("server memory", format!("{:.1} MiB", usage.resident_bytes as f64 / 1_048_576.0));
        if let Some(grown) = grown(outcome)
            && outcome.measure.done > 0
        {
            row("memory grown", format!("{:.1} MiB", grown as f64 / 1_048_576.0));
            if options.scenario.name() == "idle" {
                row(
                    "memory a socket",
                    format!("{:.2} KiB", grown as f64 / outcome.measure.done as f64 / 1024.0),
                );
            }
        }
    }
    row("errors", outcome.measure.errors_total().to_string());
    for (kind, count) in &outcome.measure.errors {
        row(&format!("  {kind}"), count.to_string());
    }
}

pub fn write_json(path: &Path, options: &Options, outcome: &Outcome) -> io::Result<()> {
    let latency: Map<String, Value> = PERCENTILES
        .iter()
        .map(|&p| (format!("p{p}"), json!(outcome.measure.latency.value_at_percentile(p))))
        .collect();
    let result = json!({
        "scenario": options.scenario.name(),
        "target": options.target.to_string(),
        "format": options.format.name(),
        "seconds": outcome.elapsed.as_secs_f64(),
        "done": outcome.measure.done,
        "per_second": outcome.per_second(),
        "latency_ns": latency,
        "errors": outcome.measure.errors,
        "server_cpu_seconds": outcome.server.map(|usage| usage.cpu_seconds),
        "per_server_cpu_second": outcome.per_cpu_second(),
        "server_resident_bytes": outcome.server.map(|usage| usage.resident_bytes),
        "server_grown_bytes": grown(outcome),
    });
    fs::write(path, format!("{result:#}\n"))
}

fn grown(outcome: &Outcome) -> Option<u64> {
    Some(outcome.server?.resident_bytes.saturating_sub(outcome.resident_before?))
}
