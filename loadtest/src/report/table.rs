//! The result as text, and the rows that the page shows too.

use std::fmt::Write;

use super::{PERCENTILES, Report, figure, mib};
use crate::{
    measure::Measure,
    run::{
        Outcome,
        compare::{Ratio, Times},
    },
};

/// A ratio with its lowest and highest round; a dash where there is none.
pub fn ratio(row: &Ratio) -> String {
    row.b_by_a.map_or_else(
        || "-".to_owned(),
        |Times { median, lowest, highest }| format!("{median:.2} ({lowest:.2}, {highest:.2})"),
    )
}

/// What is told of a run, by name.
pub type Rows = Vec<(String, String)>;

pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for (index, outcome) in report.outcomes.iter().enumerate() {
        let (turn, title) = (report.turn(index), report.title());
        let _ = writeln!(text, "{turn}{title} against {}", outcome.target.name);
        for (name, value) in rows(outcome) {
            let _ = writeln!(text, "  {name:<32} {value}");
        }
    }
    if !report.ratios.is_empty() {
        let _ =
            writeln!(text, "  {:<26} {:>12} {:>12}  B / A (lowest, highest)", "compared", "A", "B");
        for row in &report.ratios {
            let _ = writeln!(
                text,
                "  {:<26} {:>12} {:>12}  {}",
                row.name,
                figure(row.a),
                figure(row.b),
                ratio(row)
            );
        }
    }
    text
}

pub fn rows(outcome: &Outcome) -> Rows {
    let mut rows = Rows::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    let measure = &outcome.measure;
    row("measured", format!("{:.2} s", outcome.elapsed.as_secs_f64()));
    row("done", measure.done_total().to_string());
    row("done a second", format!("{:.0}", outcome.per_second()));
    let overall = measure.overall();
    if overall.is_timed() {
        for percentile in PERCENTILES {
            row(&format!("latency p{percentile}"), format!("{:.3} ms", overall.ms(percentile)));
        }
    }
    if let Some(late) = &measure.late {
        row(
            "sent late here, p50; p99",
            format!("{:.3} ms; {:.3} ms", late.ms(50.0), late.ms(99.0)),
        );
    }
    kinds(measure, &mut row);
    costs(outcome, &mut row);
    if let Some(fairness) = measure.fairness() {
        row("slowest sender by the median", format!("{fairness:.2} of {}", measure.shares.len()));
    }
    for (name, value) in &outcome.findings {
        row(name, value.clone());
    }
    for (what, count) in &measure.notes {
        row(what, count.to_string());
    }
    row("errors", measure.errors_total().to_string());
    for (kind, count) in &measure.errors {
        row(&format!("  {kind}"), count.to_string());
    }
    rows
}

fn kinds(measure: &Measure, row: &mut impl FnMut(&str, String)) {
    if let [only] = measure.series.as_slice() {
        return row("what was done", only.kind.to_owned());
    }
    for series in &measure.series {
        let times = if series.is_timed() {
            format!("  p50 {:.3} ms  p99 {:.3} ms", series.ms(50.0), series.ms(99.0))
        } else {
            String::new()
        };
        row(&format!("  {}", series.kind), format!("{:<10}{times}", series.done));
    }
}

fn costs(outcome: &Outcome, row: &mut impl FnMut(&str, String)) {
    if let Some(usage) = outcome.server {
        row("server CPU", format!("{:.2} s", usage.cpu_seconds));
        if let Some(rate) = outcome.per_cpu_second() {
            row("done a server-CPU-second", format!("{rate:.0}"));
            row("server CPU for each", format!("{:.2} µs", 1e6 / rate));
        }
        row("server memory", format!("{:.1} MiB", mib(usage.resident_bytes)));
    }
    if let Some(grown) = outcome.grown_bytes() {
        row("memory grown", format!("{:.1} MiB", mib(grown)));
        let is_idle = outcome.measure.series.iter().all(|series| !series.is_timed());
        if is_idle && outcome.measure.done_total() > 0 {
            let each = grown as f64 / outcome.measure.done_total() as f64 / 1024.0;
            row("memory a socket", format!("{each:.2} KiB"));
        }
    }
    row("generator CPU", format!("{:.2} s", outcome.generator_cpu_seconds));
}
