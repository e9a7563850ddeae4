//! What the demo shows while it runs: a progress line for each PI. With `--json`, nothing.

use std::sync::atomic::AtomicBool;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::told_to_end;
use super::traffic::Meters;
use crate::config::NodeConfig;

/// The live view, on stderr.
pub struct Live {
    silent: bool,
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Live {
    /// Begins with the boot.
    pub fn new(silent: bool, config: &NodeConfig) -> Self {
        let all = MultiProgress::new();
        let mut lines = Vec::new();
        if !silent {
            eprintln!(
                "booting {} guests (isolation {}), {} links of {}",
                config.pis.len(),
                config.isolation.as_str(),
                config.ports.len(),
                rate(config.ports[0].capacity_bps),
            );
            let style = ProgressStyle::with_template("{prefix:>8} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            for pi in &config.pis {
                let line = all.add(ProgressBar::new_spinner().with_style(style.clone()));
                line.set_prefix(pi.name.clone());
                line.set_message("booting");
                lines.push(line);
            }
        }
        Self { silent, all, lines }
    }

    /// A line above the progress.
    pub fn say(&self, text: &str) {
        if self.silent {
            return;
        }
        // Where there is no terminal, the progress swallows what is printed above it.
        if self.all.is_hidden() || self.all.println(text).is_err() {
            eprintln!("{text}");
        }
    }

    /// All guests forward.
    pub fn ready(&self, ready_ms: f64) {
        self.say(&format!(
            "all guests forward after {ready_ms:.0} ms; traffic starts"
        ));
    }

    /// The phases were changed.
    pub fn changed(&self, phases: &[(&str, u64)]) {
        let phases: Vec<String> = phases
            .iter()
            .map(|(pi, ns)| format!("{pi}={}us", ns / 1000))
            .collect();
        self.say(&format!("phases set while running: {}", phases.join(" ")));
    }

    /// The rates as they are; says whether to go on.
    pub fn rates(&self, meters: &Meters, interrupted: &AtomicBool) -> bool {
        let both = meters.eastbound.latest().zip(meters.westbound.latest());
        for (line, ((_, received, east), (_, received_west, west))) in self.lines.iter().zip(both) {
            let (Some(east), Some(west)) = (east, west) else {
                continue;
            };
            line.set_message(format!(
                "offered {:>6.1}  received {:>6.1} kframes/s   missing {:>8}",
                (east.sent_fps + west.sent_fps) / 1e3,
                (east.received_fps + west.received_fps) / 1e3,
                received.missing + received_west.missing,
            ));
        }
        !told_to_end(interrupted)
    }

    /// Takes the progress away.
    pub fn finish(&self) {
        self.lines.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// A link's rate in the largest unit of which it is a whole number.
fn rate(bps: u64) -> String {
    [(1_000_000_000, "Gb/s"), (1_000_000, "Mb/s"), (1000, "kb/s")]
        .into_iter()
        .find(|(unit, _)| bps > 0 && bps.is_multiple_of(*unit))
        .map_or_else(
            || format!("{bps} b/s"),
            |(unit, name)| format!("{} {name}", bps / unit),
        )
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_whole_numbers() {
        assert_eq!(rate(10_000_000_000), "10 Gb/s");
        assert_eq!(rate(2_500_000_000), "2500 Mb/s");
        assert_eq!(rate(100_000_000), "100 Mb/s");
        assert_eq!([rate(1), rate(0)], ["1 b/s", "0 b/s"]);
    }
}
