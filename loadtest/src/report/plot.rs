//! Line plots as inline SVG.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels of the axes and the title.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 12.0;
const STEPS: usize = 4;
/// Points that a line has at most; more would not be seen.
const POINTS_MAX: usize = 1200;
const COLOURS: [&str; 6] = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2"];

/// A named line of points, `x` rising.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// How an axis is read: its unit, and what its marks are called.
pub struct Axis {
    pub unit: &'static str,
    /// Names of positions; without any, round numbers are marked.
    pub marks: Vec<(f64, String)>,
}

/// A plot of lines from zero up.
pub fn svg(title: &str, across: &Axis, up: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x_max = points().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
    let y_max = round_up(points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max));
    let x = |value: f64| LEFT + value / x_max * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / y_max * (HEIGHT - BOTTOM - TOP);

    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <text x=\"{LEFT}\" y=\"14\" class=\"title\">{title}</text>"
    );
    for step in 0..=STEPS {
        let value = y_max * step as f64 / STEPS as f64;
        let at = y(value);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            short(value)
        );
    }
    let marks = if across.marks.is_empty() {
        let even = |step| x_max * step as f64 / STEPS as f64;
        (0..=STEPS).map(|step| (even(step), short(even(step)))).collect()
    } else {
        across.marks.clone()
    };
    for (value, name) in &marks {
        let at = x(*value);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{name}</text>",
            HEIGHT - 12.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"14\" text-anchor=\"end\">{up} / {}</text>",
        WIDTH - RIGHT,
        across.unit
    );
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let every = line.points.len().div_ceil(POINTS_MAX).max(1);
        let path: Vec<String> = line
            .points
            .iter()
            .step_by(every)
            .map(|&(across, up)| format!("{:.1},{:.1}", x(across), y(up)))
            .collect();
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\">\
             <title>{}</title></polyline>\
             <text x=\"{:.1}\" y=\"{:.1}\" style=\"fill:{colour}\">{}</text>",
            path.join(" "),
            line.name,
            LEFT + 8.0,
            TOP + 14.0 * (index as f64 + 1.0),
            line.name
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 2.5, 5.0].into_iter().find(|digit| value <= digit * power);
    digit.unwrap_or(10.0) * power
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.1}M", value / 1e6),
        value if value >= 1e4 => format!("{:.0}k", value / 1e3),
        value if value >= 100.0 || value == 0.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.3, 0.5), (1.0, 1.0), (17.0, 20.0), (23.0, 25.0), (870.0, 1000.0)] {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_line_has_its_points_and_long_ones_are_thinned() {
        let axis = Axis { unit: "s", marks: Vec::new() };
        let line = |count: i32| Line {
            name: "p99".to_owned(),
            points: (0..count).map(|at| (f64::from(at), 5.0)).collect(),
        };
        let few = svg("t", &axis, "ms", &[line(3)]);
        assert!(few.contains("points=\"64.0,24.0 386.0,24.0 708.0,24.0\""), "{few}");
        let many = svg("t", &axis, "ms", &[line(100_000)]);
        assert!(many.len() < 40 * POINTS_MAX, "{}", many.len());
    }

    #[test]
    fn nothing_to_plot_is_an_empty_plot() {
        let axis = Axis { unit: "s", marks: Vec::new() };
        assert!(svg("t", &axis, "ms", &[]).ends_with("</svg>"));
    }
}
