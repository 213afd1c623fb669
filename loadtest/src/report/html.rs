//! The result as one page that needs nothing else: plots are inline, no font or script is fetched.

use std::fmt::Write;

use super::{
    Report, figure, mib,
    plot::{Across, Line, Up, svg},
    table,
};
use crate::{measure::Slice, run::Outcome};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;\
padding:0 1rem;color:#1f2937}table{border-collapse:collapse;width:100%}td,th{padding:.15rem .5rem;\
border-bottom:1px solid #e5e7eb;text-align:left;vertical-align:top;white-space:pre-wrap}\
svg{width:100%;margin:.75rem 0;background:#f9fafb}svg text{font-size:11px;fill:#6b7280}\
svg text.title{font-size:13px;fill:#1f2937}code{font-size:13px;overflow-wrap:anywhere}\
.grid{stroke:#e5e7eb;stroke-width:1}";

/// Nines on the axis of percentiles: p90 is one, p99.99 four.
const NINES_MAX: u32 = 4;

pub fn render(report: &Report) -> String {
    let title = escape(&report.title());
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p><code>{}</code></p>",
        escape(&command())
    );
    if !report.ratios.is_empty() {
        page.push_str(&ratios(report));
    }
    for (index, outcome) in report.outcomes.iter().enumerate() {
        let turn = report.turn(index);
        let _ = write!(page, "<h2>{turn}{}</h2>", escape(&outcome.target.name));
        page.push_str(&plots(outcome));
        page.push_str("<table>");
        for (name, value) in table::rows(outcome) {
            let _ = write!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(&name), escape(&value));
        }
        page.push_str("</table>");
    }
    page.push_str(
        "<p>Latency runs from the moment a thing was due, so a stall is charged with all that queued \
         behind it.</p></body></html>\n",
    );
    page
}

/// How this run is repeated.
fn command() -> String {
    let quoted = |argument: String| {
        let is_plain =
            argument.chars().all(|letter| letter.is_alphanumeric() || "-_.:@/=+%".contains(letter));
        if is_plain { argument } else { format!("'{argument}'") }
    };
    let arguments = std::env::args().skip(1).map(quoted);
    std::iter::once("kakera-loadtest".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn ratios(report: &Report) -> String {
    let mut table = "<table><tr><th>compared</th><th>A</th><th>B</th>\
                     <th>B / A (lowest, highest)</th></tr>"
        .to_owned();
    for row in &report.ratios {
        let _ = write!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            row.name,
            figure(row.a),
            figure(row.b),
            table::ratio(row)
        );
    }
    table + "</table>"
}

fn plots(outcome: &Outcome) -> String {
    let slices: Vec<&Slice> = outcome.timeline.slices().collect();
    let over_time = |name: &str, figure: &dyn Fn(&Slice) -> f64| Line {
        name: name.to_owned(),
        points: slices
            .iter()
            .enumerate()
            .map(|(second, slice)| (second as f64 + 1.0, figure(slice)))
            .collect(),
    };
    let mut plots = svg(
        "Throughput: done a second",
        &Across::Time,
        Up::Even,
        &[
            over_time("done", &|slice| slice.done as f64),
            over_time("errors", &|slice| slice.errors as f64),
        ],
    );
    if outcome.measure.overall().is_timed() {
        let latencies =
            [50.0, 99.0, 100.0].map(|p| over_time(&format!("p{p}"), &move |slice| slice.ms(p)));
        plots += &svg("Latency over time, ms", &Across::Time, Up::Powers, &latencies);
        plots += &percentiles(outcome);
    }
    if slices.iter().any(|slice| slice.server.is_some()) {
        let memory = over_time("resident", &|slice| {
            slice.server.map_or(0.0, |usage| mib(usage.resident_bytes))
        });
        plots += &svg("Server memory, MiB", &Across::Time, Up::Even, &[memory]);
    }
    plots
}

/// Latency over percentiles, each nine as wide as the last.
fn percentiles(outcome: &Outcome) -> String {
    let overall = outcome.measure.overall();
    let percentile = |nines: f64| 100.0 - 100.0 / 10_f64.powf(nines);
    let steps = NINES_MAX * 25;
    let points = (0..=steps)
        .map(|step| f64::from(step) / 25.0)
        .map(|nines| (nines, overall.ms(percentile(nines))))
        .collect();
    let marks = (0..=NINES_MAX)
        .map(|nines| {
            let nines = f64::from(nines);
            (nines, format!("p{}", (percentile(nines) * 100.0).round() / 100.0))
        })
        .collect();
    let line = Line { name: "all".to_owned(), points };
    svg("Latency by percentile, ms", &Across::Named(marks), Up::Powers, &[line])
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use clap::Parser;

    use super::*;
    use crate::{measure::Measure, measure::Timeline, options::Options};

    fn report() -> Report {
        let options = Arc::new(Options::parse_from(["loadtest", "echo"]));
        let (mut measure, mut timeline) = (Measure::default(), Timeline::default());
        for second in 0..5 {
            measure.done("pong", Duration::from_millis(second as u64 + 1));
            timeline.add(second, &measure.take_slice(), 1);
        }
        measure.error("<script src=\"http://far.away/x.js\">");
        let outcome = Outcome {
            target: options.target.clone(),
            measure,
            timeline,
            elapsed: Duration::from_secs(5),
            server: None,
            resident_before: None,
            generator_cpu_seconds: 0.5,
            findings: Vec::new(),
        };
        Report::of_one(&options, outcome)
    }

    #[test]
    fn the_page_opens_without_a_network() {
        let page = render(&report());
        for reference in ["<script", "<link", "<img", "src=\"", "href=", "url(", "@import"] {
            assert!(!page.contains(reference), "{reference}");
        }
        assert!(page.contains("&lt;script"), "what a server says is shown as text");
    }

    #[test]
    fn the_page_plots_throughput_latency_and_percentiles() {
        let page = render(&report());
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(page.contains("latency p99"));
    }
}
