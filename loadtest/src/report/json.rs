//! The result for programs. Latencies are in milliseconds, sizes in bytes.

use serde_json::{Map, Value, json};

use super::{PERCENTILES, Report};
use crate::{measure::Series, run::Outcome};

pub fn render(report: &Report) -> Value {
    let runs: Vec<Value> = report.outcomes.iter().map(run).collect();
    let ratios: Vec<Value> = report
        .ratios
        .iter()
        .map(|row| {
            let times = row.b_by_a;
            json!({"name": row.name, "a": row.a, "b": row.b,
                   "ratio": times.map(|times| times.median),
                   "lowest": times.map(|times| times.lowest),
                   "highest": times.map(|times| times.highest)})
        })
        .collect();
    json!({
        "scenario": report.options.scenario.name(),
        "format": report.options.format.name(),
        "threads": report.options.threads,
        "seed": report.options.seed,
        "runs": runs,
        "ratios": ratios,
    })
}

fn run(outcome: &Outcome) -> Value {
    let measure = &outcome.measure;
    let seconds: Vec<Value> = outcome
        .timeline
        .slices()
        .map(|slice| {
            json!({"done": slice.done, "errors": slice.errors, "p50_ms": slice.ms(50.0),
                   "p99_ms": slice.ms(99.0),
                   "server_resident_bytes": slice.server.map(|usage| usage.resident_bytes)})
        })
        .collect();
    let kinds: Map<String, Value> = measure
        .series
        .iter()
        .map(|series| {
            let value = json!({"done": series.done, "latency_ms": latency(series)});
            (series.kind.to_owned(), value)
        })
        .collect();
    let findings: Map<String, Value> =
        outcome.findings.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "target": outcome.target.name,
        "seconds": outcome.elapsed.as_secs_f64(),
        "done": measure.done_total(),
        "per_second": outcome.per_second(),
        "latency_ms": latency(&measure.overall()),
        "sent_late_ms": measure.late.as_ref().map(latency),
        "kinds": kinds,
        "errors": measure.errors,
        "notes": measure.notes,
        "findings": findings,
        "fairness": measure.fairness(),
        "server_cpu_seconds": outcome.server.map(|usage| usage.cpu_seconds),
        "per_server_cpu_second": outcome.per_cpu_second(),
        "server_resident_bytes": outcome.server.map(|usage| usage.resident_bytes),
        "server_grown_bytes": outcome.grown_bytes(),
        "generator_cpu_seconds": outcome.generator_cpu_seconds,
        "timeline": seconds,
    })
}

fn latency(series: &Series) -> Map<String, Value> {
    PERCENTILES.iter().map(|&p| (format!("p{p}"), json!(series.ms(p)))).collect()
}
