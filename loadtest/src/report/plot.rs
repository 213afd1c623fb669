//! Line plots as inline SVG.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels of the axes and the title.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 12.0;
const STEPS: usize = 5;
/// Points that a line has at most; more would not be seen.
const POINTS_MAX: usize = 1200;
const COLOURS: [&str; 6] = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2"];

/// A named line of points, `x` rising.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// What runs across.
pub enum Across {
    /// Seconds.
    Time,
    /// Named positions.
    Named(Vec<(f64, String)>),
}

/// How values are placed upwards.
#[derive(Clone, Copy, PartialEq)]
pub enum Up {
    /// From zero.
    Even,
    /// A power of ten is as high as the next.
    Powers,
}

/// A plot of lines; the title tells what is plotted, with its unit.
pub fn svg(title: &str, across: &Across, up: Up, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let x_max = points().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
    let top = points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max);
    let bottom = points().map(|point| point.1).filter(|up| *up > 0.0).fold(top, f64::min);
    let steps = up.steps(bottom, top);
    let (first, last) =
        (steps.first().copied().unwrap_or(0.0), steps.last().copied().unwrap_or(1.0));
    let x = |value: f64| LEFT + value / x_max * (WIDTH - LEFT - RIGHT);
    let height = |value: f64| match up {
        Up::Even => value / last,
        Up::Powers => (value.max(first) / first).log10() / (last / first).log10(),
    };
    let y = |value: f64| HEIGHT - BOTTOM - height(value) * (HEIGHT - BOTTOM - TOP);

    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <text x=\"{LEFT}\" y=\"14\" class=\"title\">{title}</text>"
    );
    for value in steps {
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
    let marks = match across {
        Across::Time => seconds(x_max),
        Across::Named(marks) => marks.clone(),
    };
    for (value, name) in &marks {
        let at = x(*value);
        // At the edge a name would be cut off.
        let anchor = if at > WIDTH - RIGHT - 24.0 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{name}</text>",
            HEIGHT - 12.0
        );
    }
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

impl Up {
    /// Where the lines across are drawn.
    fn steps(self, bottom: f64, top: f64) -> Vec<f64> {
        if self == Self::Even {
            let top = round_up(top);
            return (0..=STEPS).map(|step| top * step as f64 / STEPS as f64).collect();
        }
        let (first, last) = (bottom.log10().floor() as i32, top.log10().ceil() as i32);
        (first..=last.max(first + 1)).map(|power| 10_f64.powi(power)).collect()
    }
}

/// Round numbers of seconds up to the last.
fn seconds(last: f64) -> Vec<(f64, String)> {
    let every = round_up(last / 8.0).max(1.0).ceil();
    let count = (last / every) as usize;
    (0..=count).map(|mark| mark as f64 * every).map(|at| (at, format!("{at} s"))).collect()
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
        value => format!("{}", (value * 1000.0).round() / 1000.0),
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
        let line = |count: i32| Line {
            name: "p99".to_owned(),
            points: (0..count).map(|at| (f64::from(at), 5.0)).collect(),
        };
        let few = svg("t", &Across::Time, Up::Even, &[line(3)]);
        assert!(few.contains("points=\"64.0,24.0 386.0,24.0 708.0,24.0\""), "{few}");
        let many = svg("t", &Across::Time, Up::Even, &[line(100_000)]);
        assert!(many.len() < 40 * POINTS_MAX, "{}", many.len());
    }

    #[test]
    fn nothing_to_plot_is_an_empty_plot() {
        for up in [Up::Even, Up::Powers] {
            let empty = svg("t", &Across::Time, up, &[]);
            assert!(empty.ends_with("</svg>") && !empty.contains("NaN"), "{empty}");
        }
    }

    #[test]
    fn marks_are_round_and_powers_of_ten_hold_all_that_is_plotted() {
        let names = |last| seconds(last).into_iter().map(|mark| mark.1).collect::<Vec<_>>();
        assert_eq!(names(3.0), ["0 s", "1 s", "2 s", "3 s"]);
        assert_eq!(names(600.0).len(), 7);
        assert_eq!(Up::Powers.steps(0.13, 24.0), [0.1, 1.0, 10.0, 100.0]);
        let steps = Up::Even.steps(0.0, 23.0).into_iter().map(short).collect::<Vec<_>>();
        assert_eq!(steps, ["0", "5", "10", "15", "20", "25"]);
    }
}
