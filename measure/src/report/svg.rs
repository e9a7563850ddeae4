//! Lines and words of drawings, as inline SVG. All that looks like something is a class of the page's style.

use std::fmt::Write;

use minijinja::HtmlEscape;

/// Of a drawing as wide as the page.
pub const WIDTH: f64 = 960.0;
/// Where the values of a plot begin.
pub const LEFT: f64 = 64.0;
/// What is left free behind them.
pub const RIGHT: f64 = 24.0;

/// Distinct values in order of appearance.
pub fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut out = Vec::new();
    values.for_each(|v| {
        if !out.contains(&v) {
            out.push(v)
        }
    });
    out
}

/// The beginning of a drawing of this width and height, and what it is for those who do not see it.
pub fn open(svg: &mut String, (width, height): (f64, f64), title: &str, description: &str) {
    let (title, description) = (HtmlEscape(title), HtmlEscape(description));
    let half = if width < WIDTH { " half" } else { "" };
    let _ = write!(
        svg,
        r#"<svg class="plot{half}" viewBox="0 0 {width} {height}" role="img"><title>{title}</title><desc>{description}</desc>"#
    );
}

/// A line from here to there.
pub fn line(svg: &mut String, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = write!(
        svg,
        r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
    );
}

/// Words.
pub fn text(svg: &mut String, class: &str, (x, y): (f64, f64), words: &str) {
    let words = HtmlEscape(words);
    let _ = write!(
        svg,
        r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{words}</text>"#
    );
}

/// A line through points.
pub fn polyline(svg: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
    let _ = write!(svg, r#"<polyline class="{class}" points=""#);
    for (x, y) in points {
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    svg.push_str(r#""/>"#);
}
