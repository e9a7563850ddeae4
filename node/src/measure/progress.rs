//! What a measurement shows while it runs, on stderr: what is running, the best bounds so far, the time left. Lines
//! where there is no terminal; with `--json`, nothing.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pinode_measure::method::{Bounds, Progress};
use pinode_measure::trial::Glimpse;

/// Parts of the bar.
const STEPS: u64 = 1000;
/// Streams whose bounds fit on a line.
const MOST_BOUNDS: usize = 3;

/// The view of a measurement.
#[derive(Debug)]
pub struct Shown {
    bar: Option<ProgressBar>,
    is_silent: bool,
    began: Instant,
    /// Estimated time of the tests behind the one that runs.
    behind: Duration,
    /// Until the test ends, and when that was said.
    left: (Duration, Instant),
    /// Lines that were printed, where there is no terminal.
    said: BTreeSet<String>,
    what: String,
}

impl Shown {
    /// Nothing yet.
    #[must_use]
    pub fn new(is_silent: bool) -> Self {
        let bar = (!is_silent && stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{wide_msg}\n[{bar:50}] {prefix}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
            bar.with_style(style.progress_chars("=> "))
        });
        let now = Instant::now();
        Self {
            bar,
            is_silent,
            began: now,
            behind: Duration::ZERO,
            left: (Duration::ZERO, now),
            said: BTreeSet::new(),
            what: String::new(),
        }
    }

    /// A line that stays.
    pub fn say(&self, text: &str) {
        match &self.bar {
            _ if self.is_silent => {}
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Tests that are estimated to take `behind` follow the one that begins.
    pub fn follows(&mut self, behind: Duration) {
        self.behind = behind;
    }

    /// Something other than a test runs, for about `left`.
    pub fn does(&mut self, what: &str, left: Duration) {
        self.left = (left, Instant::now());
        what.clone_into(&mut self.what);
        self.once(what);
        self.draw(None);
    }

    /// A trial begins.
    pub fn begins(&mut self, progress: &Progress<'_>) {
        self.left = (progress.left, Instant::now());
        let (test, size) = (name(progress.test), &progress.traffic.size);
        let what = format!("{test}, {size} octets, {}", progress.what);
        self.once(&what);
        let trials = match (progress.is_warm_up, progress.made) {
            (true, _) => "warming up".to_owned(),
            (false, made) => format!("trial {}", made + 1),
        };
        self.what = match bounds(progress.bounds) {
            found if found.is_empty() => format!("{what}: {trials}"),
            found => format!("{what}: {trials}; {found}"),
        };
        self.draw(None);
    }

    /// A trial goes on.
    pub fn goes_on(&self, glimpse: Option<Glimpse>) {
        self.draw(glimpse);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn once(&mut self, what: &str) {
        if self.bar.is_none() && self.said.insert(what.to_owned()) {
            self.say(what);
        }
    }

    fn draw(&self, glimpse: Option<Glimpse>) {
        let Some(bar) = &self.bar else { return };
        let (left, said_at) = self.left;
        let left = left.saturating_sub(said_at.elapsed()) + self.behind;
        let (gone, left_s) = (self.began.elapsed().as_secs_f64(), left.as_secs_f64());
        bar.set_position((STEPS as f64 * gone / (gone + left_s).max(1e-3)) as u64);
        bar.set_prefix(format!("about {} left", spoken(left)));
        let seen = glimpse.map(|seen| {
            let missing = seen.sent.saturating_sub(seen.received);
            format!(" ({:.1} s, {missing} under way or lost)", seen.elapsed_s)
        });
        bar.set_message(format!("{}{}", self.what, seen.unwrap_or_default()));
    }
}

/// A test's name as it is written.
#[must_use]
pub fn name(test: pinode_measure::results::Test) -> &'static str {
    use pinode_measure::results::Test;
    match test {
        Test::Throughput => "throughput",
        Test::Latency => "latency",
        Test::Loss => "loss",
        Test::BackToBack => "back_to_back",
        Test::Recovery => "recovery",
        Test::Reset => "reset",
        Test::Saturation => "saturation",
        Test::Demand => "demand",
    }
}

fn bounds(bounds: &[Bounds]) -> String {
    let known = bounds
        .iter()
        .filter(|b| b.lower.is_some() || b.upper.is_some());
    let one = |bounds: &Bounds| {
        let bound = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), kilo);
        format!(
            "{} {}..{}",
            bounds.of,
            bound(bounds.lower),
            bound(bounds.upper)
        )
    };
    let shown: Vec<String> = known.take(MOST_BOUNDS).map(one).collect();
    shown.join(", ")
}

/// In thousands where there are thousands.
fn kilo(value: f64) -> String {
    if value >= 1e4 {
        format!("{:.1}k", value / 1e3)
    } else {
        format!("{value:.0}")
    }
}

/// A time as people say it.
#[must_use]
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_two_units_at_most() {
        let said = |s| spoken(Duration::from_secs(s));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(61), "1 min 1 s");
        assert_eq!(said(7_265), "2 h 1 min");
    }

    #[test]
    fn bounds_show_what_is_known() {
        let of = |of: &str, lower, upper| Bounds {
            of: of.to_owned(),
            lower,
            upper,
        };
        let all = [
            of("a", Some(395_100.0), Some(421_000.0)),
            of("b", None, Some(900.0)),
            of("c", None, None),
        ];
        assert_eq!(bounds(&all), "a 395.1k..421.0k, b ?..900");
        assert_eq!(bounds(&[]), "");
    }
}
