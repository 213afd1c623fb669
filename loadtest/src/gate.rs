//! `--pass`: conditions on the result that set the exit status.

use std::str::FromStr;

use crate::run::Outcome;

/// Conditions that must all hold.
#[derive(Clone, Debug)]
pub struct Gate(Vec<Condition>);

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    text: String,
    figure: Figure,
    relation: Relation,
    bound: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    LatencyMs(f64),
    Errors,
    RatePerSecond,
    RatePerCpuSecond,
    ResidentBytes,
    Fairness,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

/// Every way to write a relation; `<=` before `<`.
const RELATIONS: [(&str, Relation); 7] = [
    ("<=", Relation::AtMost),
    ("=<", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("=>", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
    ("=", Relation::Equal),
];

impl Gate {
    /// The conditions that the outcome does not meet, each with what was measured.
    pub fn failures(&self, outcome: &Outcome) -> Vec<String> {
        self.0
            .iter()
            .filter_map(|condition| {
                let Some(value) = condition.figure.of(outcome) else {
                    return Some(format!(
                        "{}: not measured (memory and CPU need the server's process id)",
                        condition.text
                    ));
                };
                let holds = match condition.relation {
                    Relation::Below => value < condition.bound,
                    Relation::AtMost => value <= condition.bound,
                    Relation::AtLeast => value >= condition.bound,
                    Relation::Equal => (value - condition.bound).abs() < f64::EPSILON,
                    Relation::Above => value > condition.bound,
                };
                let measured = condition.figure.shown(value);
                (!holds).then(|| format!("{}: measured {measured}", condition.text))
            })
            .collect()
    }
}

impl Figure {
    fn of(self, outcome: &Outcome) -> Option<f64> {
        match self {
            Self::LatencyMs(percentile) => {
                let overall = outcome.measure.overall();
                overall.is_timed().then(|| overall.ms(percentile))
            }
            Self::Errors => Some(outcome.measure.errors_total() as f64),
            Self::RatePerSecond => Some(outcome.per_second()),
            Self::RatePerCpuSecond => outcome.per_cpu_second(),
            Self::Fairness => outcome.measure.fairness(),
            Self::ResidentBytes => outcome.server.map(|usage| usage.resident_bytes as f64),
        }
    }
}

impl Figure {
    /// With its unit.
    fn shown(self, value: f64) -> String {
        match self {
            Self::LatencyMs(_) => format!("{value:.3} ms"),
            Self::ResidentBytes => format!("{:.1} MiB", value / 1_048_576.0),
            Self::Fairness => format!("{value:.2}"),
            Self::Errors | Self::RatePerSecond | Self::RatePerCpuSecond => format!("{value:.0}"),
        }
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).map(condition).collect::<Result<_, _>>().map(Self)
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    let found = text.find(['<', '=', '>']).and_then(|at| {
        let (name, rest) = text.split_at(at);
        let (sign, relation) = RELATIONS.iter().find(|(sign, _)| rest.starts_with(sign))?;
        Some((name.trim(), *relation, rest[sign.len()..].trim()))
    });
    let Some((name, relation, bound)) = found else {
        return Err(format!("\"{text}\" has none of < <= = >= >, as in p99<20ms"));
    };
    let figure = match name {
        "errors" => Figure::Errors,
        "rate" => Figure::RatePerSecond,
        "cpu-rate" => Figure::RatePerCpuSecond,
        "share" => Figure::Fairness,
        "rss" => Figure::ResidentBytes,
        percentile => percentile
            .strip_prefix('p')
            .and_then(|digits| digits.parse::<f64>().ok())
            .filter(|p| (0.0..=100.0).contains(p))
            .map(Figure::LatencyMs)
            .ok_or_else(|| {
                format!("\"{percentile}\" is none of p50, p99, p99.9, errors, rate, cpu-rate, share, rss")
            })?,
    };
    let bound = figure.bound(bound).map_err(|why| format!("\"{text}\": {why}"))?;
    Ok(Condition { text: text.to_owned(), figure, relation, bound })
}

impl Figure {
    /// The units that a bound of this figure is given in, and what they are in its own: milliseconds, bytes.
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::LatencyMs(_) => &[("us", 0.001), ("ms", 1.0), ("s", 1000.0)],
            Self::ResidentBytes => {
                &[("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0), ("B", 1.0)]
            }
            Self::Errors | Self::RatePerSecond | Self::RatePerCpuSecond | Self::Fairness => {
                &[("", 1.0)]
            }
        }
    }

    /// A number with its unit, or why it is none.
    fn bound(self, text: &str) -> Result<f64, String> {
        let units = self.units();
        let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let number: f64 = number
            .trim()
            .parse()
            .map_err(|_| format!("\"{text}\" does not begin with a number"))?;
        let known = units.iter().find(|(name, _)| *name == unit);
        known.map(|(_, factor)| number * factor).ok_or_else(|| {
            let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
            match names.join(", ") {
                none if none.is_empty() => {
                    format!("\"{unit}\" is too much: this figure has no unit")
                }
                names => format!("a bound with one of the units {names} is due"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_with_their_units() {
        let gate: Gate = "p99<20ms, errors=0,rss<2GiB,p99.9<1s,rate>1000".parse().unwrap();
        let bounds: Vec<f64> = gate.0.iter().map(|c| c.bound).collect();
        assert_eq!(bounds, [20.0, 0.0, 2.0 * 1024.0 * 1024.0 * 1024.0, 1000.0, 1000.0]);
        assert_eq!(gate.0[3].figure, Figure::LatencyMs(99.9));
    }

    #[test]
    fn what_was_measured_is_told_with_its_unit() {
        assert_eq!(Figure::LatencyMs(99.0).shown(14.3278), "14.328 ms");
        assert_eq!(Figure::ResidentBytes.shown(2_097_152.0), "2.0 MiB");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "p99", "p200<1ms", "speed<3", "errors=", "p99<fastms", "p99<=", "errors<>1"]
        {
            assert!(text.parse::<Gate>().is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_may_belong_and_spaces_do_not_matter() {
        let gate: Gate = " p99 <= 20 ms , rate>=1000,errors = 0".parse().unwrap();
        let read: Vec<(Relation, f64)> = gate.0.iter().map(|c| (c.relation, c.bound)).collect();
        let expected =
            [(Relation::AtMost, 20.0), (Relation::AtLeast, 1000.0), (Relation::Equal, 0.0)];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_bound_has_a_unit_of_its_figure_and_no_other() {
        for (text, word) in
            [("p99<20", "ms"), ("p99<2GiB", "ms"), ("rss<20ms", "MiB"), ("errors<1s", "no unit")]
        {
            let refusal = text.parse::<Gate>().unwrap_err();
            assert!(refusal.contains(text) && refusal.contains(word), "{refusal}");
        }
    }
}
