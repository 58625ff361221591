//! Curves as SVG, both axes logarithmic, without a library.

use std::fmt::Write as _;

/// A curve: a name and its points.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What the legend says.
    pub name: String,
    /// x and y, both above zero.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 60.0;
const LEGEND: f64 = 210.0;
const COLORS: [&str; 8] = ["#c0392b", "#2c3e50", "#2980b9", "#27ae60", "#8e44ad", "#d35400", "#16a085", "#7f8c8d"];

/// The powers of ten around some values.
fn decades(values: impl Iterator<Item = f64>) -> (i32, i32) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| *value > 0.0) {
        low = low.min(value.log10());
        high = high.max(value.log10());
    }
    if low > high {
        return (0, 1);
    }
    #[expect(clippy::cast_possible_truncation, reason = "logarithms are small")]
    let (low, high) = (low.floor() as i32, high.ceil() as i32);
    (low, high.max(low + 1))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Draws the curves.
#[must_use]
pub fn svg(title: &str, x_label: &str, y_label: &str, curves: &[Curve]) -> String {
    // What is not above zero has no logarithm: it is left out, as a gap.
    let shown = |curve: &Curve| -> Vec<(f64, f64)> {
        curve.points.iter().copied().filter(|(x, y)| *x > 0.0 && *y > 0.0).collect()
    };
    let points = || curves.iter().flat_map(shown);
    let (left, right) = decades(points().map(|point| point.0));
    let (low, high) = decades(points().map(|point| point.1));
    let inner = (WIDTH - 2.0 * MARGIN - LEGEND, HEIGHT - 2.0 * MARGIN);
    let x = |value: f64| MARGIN + (value.log10() - f64::from(left)) / f64::from(right - left) * inner.0;
    let y = |value: f64| HEIGHT - MARGIN - (value.log10() - f64::from(low)) / f64::from(high - low) * inner.1;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{MARGIN}\" y=\"24\" \
         font-size=\"15\">{}</text>\n",
        escape(title)
    );
    for power in left..=right {
        let at = x(10f64.powi(power));
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {MARGIN}V{:.1}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{}</text>",
            HEIGHT - MARGIN,
            HEIGHT - MARGIN + 16.0,
            tick(power)
        );
    }
    for power in low..=high {
        let at = y(10f64.powi(power));
        let _ = writeln!(
            out,
            "<path d=\"M{MARGIN} {at:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            MARGIN + inner.0,
            MARGIN - 6.0,
            at + 4.0,
            tick(power)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n<text x=\"{MARGIN}\" y=\"{:.1}\">{}</text>",
        MARGIN + inner.0 / 2.0,
        HEIGHT - 20.0,
        escape(x_label),
        MARGIN - 12.0,
        escape(y_label)
    );
    for (number, curve) in curves.iter().enumerate() {
        let color = COLORS[number % COLORS.len()];
        let path: Vec<String> =
            shown(curve).iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let legend = MARGIN + 16.0 * f64::from(u16::try_from(number).unwrap_or(u16::MAX));
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n<text x=\"{:.1}\" \
             y=\"{legend:.1}\" fill=\"{color}\">{}</text>",
            path.join(" "),
            WIDTH - MARGIN - LEGEND + 12.0,
            escape(&curve.name)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn tick(power: i32) -> String {
    match power {
        0..3 => 10f64.powi(power).to_string(),
        3..6 => format!("{}k", 10f64.powi(power - 3)),
        6..9 => format!("{}M", 10f64.powi(power - 6)),
        9..12 => format!("{}G", 10f64.powi(power - 9)),
        _ => format!("1e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_holds_its_curves_between_its_axes() {
        let curve = Curve { name: "a <b>".into(), points: vec![(1000.0, 100.0), (1_000_000.0, 1000.0)] };
        let svg = svg("title", "keys", "ns", &[curve]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        // From corner to corner.
        assert!(svg.contains("points=\"60.0,340.0 430.0,60.0\""), "{svg}");
        assert!(svg.contains("a &lt;b&gt;") && svg.contains(">1k<") && svg.contains(">1M<"));
    }

    #[test]
    fn nothing_to_draw_is_no_reason_to_fail() {
        assert!(svg("t", "x", "y", &[]).contains("</svg>"));
        let never = Curve { name: "never".into(), points: vec![(10.0, f64::NAN), (0.0, 1.0), (10.0, 5.0)] };
        let svg = svg("t", "x", "y", &[never]);
        assert!(!svg.contains("NaN") && svg.contains("points=\"60.0,"), "{svg}");
    }
}
