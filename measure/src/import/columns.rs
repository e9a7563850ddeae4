//! What a column holds, told by its name in the header.
//!
//! Names are compared without case, spaces and signs (`%` counts as `percent`), so `Frame Size`, `frame_size` and
//! `FrameSize` are one. Units are part of the name: a time or rate without one is not taken.

use super::Fault;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Record,
    Trial,
    Test,
    Size,
    Pi,
    Isolation,
    From,
    To,
    /// Seconds.
    Duration,
    Paused,
    LongestPause,
    Refused,
    OfferedFps,
    /// Of the line rate.
    OfferedPercent,
    /// Bits per second, octets with FCS.
    OfferedBps,
    Sent,
    Unsent,
    Received,
    Lost,
    Reordered,
    Duplicated,
    Corrupted,
    ReceivedFps,
    ReceivedBps,
    LatencyMin,
    LatencyMean,
    LatencyP50,
    LatencyP99,
    LatencyP999,
    LatencyMax,
    MeanWait,
    LongestWait,
    CeilingFps,
    Method,
    GoalLossRatio,
    ThroughputFps,
    ThroughputPercent,
    ThroughputBps,
    LowerFps,
    UpperFps,
    Share,
    Trials,
    LimitedBy,
    Kfps,
    CpuPercent,
    Lossless,
    FitA,
    FitB,
    FitR2,
    FitPoints,
    FitFrom,
    FitTo,
}

/// A field, what it holds in words, and its names with the factor to our unit.
struct Known {
    field: Field,
    what: &'static str,
    names: &'static [(&'static str, f64)],
}

const fn known(field: Field, what: &'static str, names: &'static [(&'static str, f64)]) -> Known {
    Known { field, what, names }
}

/// Every name that is taken. The first of each is that of our own `results.csv`.
const KNOWN: &[Known] = &[
    known(Field::Record, "the kind of line", &[("record", 1.0)]),
    known(Field::Trial, "the number of the trial", &[("trial", 1.0)]),
    known(Field::Test, "the test", &[("test", 1.0)]),
    known(
        Field::Size,
        "the frame size with FCS",
        &[
            ("size_octets", 1.0),
            ("frame_size", 1.0),
            ("frame_size_octets", 1.0),
            ("frame_size_bytes", 1.0),
            ("ConfiguredFrameSize", 1.0),
        ],
    ),
    known(
        Field::Pi,
        "the PI or stream",
        &[
            ("pi", 1.0),
            ("stream", 1.0),
            ("stream_name", 1.0),
            ("StreamBlock", 1.0),
        ],
    ),
    known(Field::Isolation, "the isolation", &[("isolation", 1.0)]),
    known(
        Field::From,
        "where frames enter",
        &[("from", 1.0), ("tx_port", 1.0)],
    ),
    known(
        Field::To,
        "where frames leave",
        &[("to", 1.0), ("rx_port", 1.0)],
    ),
    known(
        Field::Duration,
        "the time of the trial",
        &[
            ("duration_s", 1.0),
            ("Duration(sec)", 1.0),
            ("duration_ms", 1e-3),
        ],
    ),
    known(
        Field::Paused,
        "the time of the tester's pauses",
        &[("paused_s", 1.0)],
    ),
    known(
        Field::LongestPause,
        "the tester's longest pause",
        &[("longest_pause_s", 1.0)],
    ),
    known(
        Field::Refused,
        "whether the trial was refused",
        &[("refused", 1.0)],
    ),
    known(
        Field::OfferedFps,
        "the offered load",
        &[
            ("offered_fps", 1.0),
            ("OfferedLoad(fps)", 1.0),
            ("offered_kfps", 1e3),
            ("tx_pps", 1.0),
        ],
    ),
    known(
        Field::OfferedPercent,
        "the offered load",
        &[("offered_percent", 1.0), ("OfferedLoad(%)", 1.0)],
    ),
    known(
        Field::OfferedBps,
        "the offered load",
        &[("offered_l2_bps", 1.0), ("offered_l2_mbps", 1e6)],
    ),
    known(
        Field::Sent,
        "frames sent",
        &[
            ("sent_frames", 1.0),
            ("tx_frames", 1.0),
            ("tx_pkts", 1.0),
            ("TxFrameCount", 1.0),
            ("TxSignatureFrameCount", 1.0),
        ],
    ),
    known(Field::Unsent, "frames not sent", &[("unsent_frames", 1.0)]),
    known(
        Field::Received,
        "frames received",
        &[
            ("received_frames", 1.0),
            ("rx_frames", 1.0),
            ("rx_pkts", 1.0),
            ("RxFrameCount", 1.0),
            ("RxSignatureFrameCount", 1.0),
        ],
    ),
    known(Field::Lost, "frames lost", &[("lost_frames", 1.0)]),
    known(
        Field::Reordered,
        "frames out of order",
        &[("reordered_frames", 1.0), ("out_of_order_frames", 1.0)],
    ),
    known(
        Field::Duplicated,
        "frames received again",
        &[("duplicated_frames", 1.0), ("DuplicateFrameCount", 1.0)],
    ),
    known(
        Field::Corrupted,
        "frames changed",
        &[("corrupted_frames", 1.0)],
    ),
    known(
        Field::ReceivedFps,
        "the rate received",
        &[
            ("received_fps", 1.0),
            ("ForwardingRate(fps)", 1.0),
            ("rx_pps", 1.0),
        ],
    ),
    known(
        Field::ReceivedBps,
        "the rate received in bits",
        &[("received_l2_bps", 1.0), ("received_l2_mbps", 1e6)],
    ),
    known(
        Field::LatencyMin,
        "the shortest latency",
        &[
            ("latency_min_ns", 1.0),
            ("latency_min_us", 1e3),
            ("latency_min_ms", 1e6),
            ("MinimumLatency(us)", 1e3),
        ],
    ),
    known(
        Field::LatencyMean,
        "the mean latency",
        &[
            ("latency_mean_ns", 1.0),
            ("latency_mean_us", 1e3),
            ("latency_mean_ms", 1e6),
            ("latency_avg_ns", 1.0),
            ("latency_avg_us", 1e3),
            ("latency_avg_ms", 1e6),
            ("AverageLatency(us)", 1e3),
        ],
    ),
    known(
        Field::LatencyP50,
        "the median latency",
        &[
            ("latency_p50_ns", 1.0),
            ("latency_p50_us", 1e3),
            ("latency_p50_ms", 1e6),
        ],
    ),
    known(
        Field::LatencyP99,
        "the 99 % latency",
        &[
            ("latency_p99_ns", 1.0),
            ("latency_p99_us", 1e3),
            ("latency_p99_ms", 1e6),
        ],
    ),
    known(
        Field::LatencyP999,
        "the 99.9 % latency",
        &[
            ("latency_p999_ns", 1.0),
            ("latency_p999_us", 1e3),
            ("latency_p999_ms", 1e6),
        ],
    ),
    known(
        Field::LatencyMax,
        "the longest latency",
        &[
            ("latency_max_ns", 1.0),
            ("latency_max_us", 1e3),
            ("latency_max_ms", 1e6),
            ("MaximumLatency(us)", 1e3),
        ],
    ),
    known(
        Field::MeanWait,
        "the computed mean wait",
        &[("mean_wait_ns", 1.0)],
    ),
    known(
        Field::LongestWait,
        "the computed longest wait",
        &[("longest_wait_ns", 1.0)],
    ),
    known(
        Field::CeilingFps,
        "the ceiling",
        &[("ceiling_fps", 1.0), ("line_rate_fps", 1.0)],
    ),
    known(
        Field::Method,
        "the method of the search",
        &[("method", 1.0)],
    ),
    known(
        Field::GoalLossRatio,
        "the loss ratio allowed",
        &[("goal_loss_ratio", 1.0)],
    ),
    known(
        Field::ThroughputFps,
        "the throughput",
        &[("throughput_fps", 1.0), ("throughput_kfps", 1e3)],
    ),
    known(
        Field::ThroughputPercent,
        "the throughput",
        &[("throughput_percent", 1.0)],
    ),
    known(
        Field::ThroughputBps,
        "the throughput",
        &[("throughput_l2_bps", 1.0), ("throughput_l2_mbps", 1e6)],
    ),
    known(Field::LowerFps, "the lower bound", &[("lower_fps", 1.0)]),
    known(Field::UpperFps, "the upper bound", &[("upper_fps", 1.0)]),
    known(
        Field::Share,
        "the share of the ceiling",
        &[("share_of_ceiling", 1.0)],
    ),
    known(Field::Trials, "the number of trials", &[("trials", 1.0)]),
    known(Field::LimitedBy, "what limits", &[("limited_by", 1.0)]),
    known(Field::Kfps, "the rate handled", &[("kfps", 1.0)]),
    known(Field::CpuPercent, "the CPU use", &[("cpu_percent", 1.0)]),
    known(
        Field::Lossless,
        "whether nothing was lost",
        &[("lossless", 1.0)],
    ),
    known(Field::FitA, "the slope of a fit", &[("a", 1.0)]),
    known(Field::FitB, "the base of a fit", &[("b", 1.0)]),
    known(Field::FitR2, "the R-square of a fit", &[("r2", 1.0)]),
    known(Field::FitPoints, "the points of a fit", &[("points", 1.0)]),
    known(Field::FitFrom, "the range of a fit", &[("from_kfps", 1.0)]),
    known(Field::FitTo, "the range of a fit", &[("to_kfps", 1.0)]),
];

/// Where the columns of a file are.
pub(super) struct Columns {
    found: Vec<Column>,
}

/// A column that is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) field: Field,
    pub(super) at: usize,
    /// Its name in the file.
    pub(super) name: String,
    /// What its values are multiplied by.
    pub(super) factor: f64,
}

impl Columns {
    /// The columns of a header, and those that are not known.
    pub(super) fn find(header: &[String]) -> Result<(Self, Vec<String>), Fault> {
        let (mut found, mut ignored): (Vec<Column>, _) = (Vec::new(), Vec::new());
        for (at, name) in header.iter().enumerate() {
            let Some((known, factor)) = look_up(name) else {
                if !name.is_empty() {
                    ignored.push(name.clone());
                }
                continue;
            };
            if let Some(first) = found.iter().find(|column| column.field == known.field) {
                return Err(Fault::Twice {
                    first: first.name.clone(),
                    second: name.clone(),
                    what: known.what,
                });
            }
            found.push(Column {
                field: known.field,
                at,
                name: name.clone(),
                factor,
            });
        }
        let columns = Self { found };
        match columns.get(Field::Size) {
            Some(_) => Ok((columns, ignored)),
            None => Err(missing(Field::Size)),
        }
    }

    pub(super) fn get(&self, field: Field) -> Option<&Column> {
        self.found.iter().find(|column| column.field == field)
    }
}

/// The error of a column that is not there.
pub(super) fn missing(field: Field) -> Fault {
    let known = KNOWN.iter().find(|known| known.field == field);
    let names = known.map_or(&[][..], |known| known.names);
    let allowed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    Fault::Missing {
        what: what(field),
        allowed: allowed.join(", "),
    }
}

/// What a field holds, in words.
pub(super) fn what(field: Field) -> &'static str {
    let known = KNOWN.iter().find(|known| known.field == field);
    known.map_or("a value", |known| known.what)
}

fn look_up(name: &str) -> Option<(&'static Known, f64)> {
    let plain = plain(name);
    KNOWN.iter().find_map(|known| {
        let mut names = known.names.iter();
        let (_, factor) = names.find(|(name, _)| self::plain(name) == plain)?;
        Some((known, *factor))
    })
}

/// A name without case, spaces and signs.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            '%' => plain.push_str("percent"),
            c if c.is_alphanumeric() => plain.extend(c.to_lowercase()),
            // Micro sign and Greek letter mu: microseconds.
            _ => {}
        }
    }
    plain.replace(['\u{b5}', '\u{3bc}'], "u")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_has_two_meanings() {
        let mut seen = std::collections::BTreeMap::new();
        for known in KNOWN {
            for (name, _) in known.names {
                assert_eq!(seen.insert(plain(name), known.what), None, "{name}");
            }
        }
    }

    #[test]
    fn names_are_compared_without_case_spaces_and_signs() {
        let factor = |name| look_up(name).map(|(known, factor)| (known.field, factor));
        assert_eq!(factor("Frame Size"), Some((Field::Size, 1.0)));
        assert_eq!(
            factor("Minimum Latency (us)"),
            Some((Field::LatencyMin, 1e3))
        );
        assert_eq!(
            factor("Minimum Latency (\u{b5}s)"),
            Some((Field::LatencyMin, 1e3))
        );
        assert_eq!(factor("OfferedLoad(%)"), Some((Field::OfferedPercent, 1.0)));
        assert_eq!(factor("Latency"), None, "no unit");
    }

    #[test]
    fn every_column_of_our_own_file_of_trials_and_throughput_is_known() {
        let unknown: Vec<String> = crate::results::csv::columns()
            .into_iter()
            .filter(|name| look_up(name).is_none())
            .collect();
        const DEMAND: [&str; 7] = [
            "demanded_fps",
            "bound_ns",
            "repetitions",
            "held",
            "share_within",
            "host_percent",
            "met",
        ];
        // Those of records that are not taken, and no other.
        let not_taken = |name: &String| {
            name.starts_with("burst_")
                || name.ends_with("_buffer_s")
                || ["is_at_least", "repetition", "after_fps"].contains(&name.as_str())
                || name.contains("recovery")
                || DEMAND.contains(&name.as_str())
        };
        assert_eq!(
            unknown
                .iter()
                .filter(|name| !not_taken(name))
                .collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
    }
}
