use proptest::prelude::*;

use super::*;
use crate::results::{SizeLabel, csv};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/import/", $name))
    };
}

fn import(octets: &[u8]) -> Imported {
    parse(octets, &Options::default()).unwrap()
}

fn fault(text: &str) -> String {
    parse(text.as_bytes(), &Options::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn lines_of_one_trial_are_its_streams() {
    let Imported { results, ignored } = import(sample!("generic.csv"));
    assert_eq!(ignored, ["colour"]);
    assert_eq!((results.profile.as_str(), results.path), ("import", None));
    assert_eq!(results.trials.len(), 2);
    let trial = &results.trials[0];
    assert_eq!((trial.test, trial.duration_s), (Test::Loss, 10.0));
    assert_eq!(trial.size, SizeLabel::Octets(79));
    let lost: Vec<(&str, u64)> = trial
        .streams
        .iter()
        .map(|s| (s.pi.as_str(), s.lost))
        .collect();
    assert_eq!(lost, [("ipv6qos", 0), ("can", 1000), ("dss", 0)]);
    let can = &trial.streams[1];
    assert_eq!((can.offered_fps, can.received_fps), (1e5, 99_900.0));
    assert_eq!(can.received_l2_bps, 99_900.0 * 79.0 * 8.0);
    let latency = can.latency_ns;
    assert_eq!(
        (latency.min, latency.mean, latency.max),
        (1500, 67_500.0, 201_250)
    );
    assert_eq!(
        (latency.p50, latency.p99, latency.p999),
        (201_250, 201_250, 201_250)
    );
    assert!(
        results
            .notes
            .iter()
            .any(|note| note.starts_with("4 imported lines have no quantiles"))
    );
    assert!(
        results
            .notes
            .iter()
            .any(|note| note.ends_with("ignored: colour."))
    );
}

#[test]
fn percentages_are_of_what_the_offered_load_is_a_percentage_of() {
    let Imported { results, ignored } = import(sample!("testcenter_rfc2544.csv"));
    assert_eq!(ignored, ["PercentLoss"]);
    let found = &results.throughput[0];
    // 1 Gb/s carries 1,262,626 frames of 79 octets.
    assert_eq!((found.fps, found.ceiling_fps), (631_313.0, 1_262_626.0));
    assert_eq!((found.share_of_ceiling, found.pi.as_str()), (0.5, "all"));
    let trial = &results.trials[1];
    assert_eq!(
        (trial.test, &trial.size),
        (Test::Throughput, &SizeLabel::Octets(1518))
    );
    assert_eq!(trial.streams[0].offered_fps, 73_147.0);
    assert_eq!(trial.streams[0].latency_ns.max, 226_010);

    let options = Options {
        link_bps: Some(10_000_000_000),
        pi: Some("can".into()),
        ..Options::default()
    };
    let results = parse(sample!("testcenter_rfc2544.csv"), &options)
        .unwrap()
        .results;
    assert_eq!(results.throughput[0].ceiling_fps, 1e10 / (8.0 * 99.0));
    assert_eq!(results.throughput[0].pi, "can");
}

#[test]
fn counts_with_a_point_are_counts() {
    let Imported { results, ignored } = import(sample!("testcenter_rfc2889.csv"));
    assert_eq!(ignored, ["PercentFrameLoss(%)"]);
    let stream = &results.trials[0].streams[0];
    assert_eq!((stream.received, stream.lost), (50_168_883, 506_757));
    assert_eq!(
        (stream.offered_fps, stream.received_fps),
        (844_594.0, 836_148.05)
    );
}

#[test]
fn other_separators_and_empty_lines_are_no_obstacle() {
    let results = import(sample!("semicolons.csv")).results;
    assert_eq!(results.trials, []);
    let found: Vec<_> = results
        .throughput
        .iter()
        .map(|t| (t.size.to_string(), t.fps))
        .collect();
    assert_eq!(found, [("imix".into(), 1000.5), ("79".into(), 5e5)]);
    assert_eq!(results.throughput[0].share_of_ceiling, 0.5);
}

#[test]
fn a_file_that_was_cut_off_is_refused_wherever_it_shows() {
    let whole = "size,duration_s,tx_frames,rx_frames\n79,10,100,100\n128,10,100,99\n"
        .replace("size", "frame_size");
    assert!(parse(whole.as_bytes(), &Options::default()).is_ok());
    let cut = |octets| fault(&whole[..octets]);
    // Behind "128,10,100", behind "128", and in the header.
    assert_eq!(
        cut(whole.len() - 4),
        "line 3: 3 values, the header names 4 columns; it is the last line: the file was cut off"
    );
    assert!(
        cut(whole.len() - 11).contains("1 values"),
        "{}",
        cut(whole.len() - 11)
    );
    assert_eq!(cut(30), "a header without lines below it");
    // All values are there, the last may be short: said, not refused.
    let short = import(&whole.as_bytes()[..whole.len() - 1]);
    assert!(
        short
            .results
            .notes
            .iter()
            .any(|note| note.contains("no line end"))
    );
    assert_eq!(
        fault("frame_size,pi,duration_s\n79,\"can,10\n128,dss,10\n"),
        "line 2: a quote begins here and does not end; the file was cut off, or a quote inside is not doubled"
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let head = "frame_size,duration_s,tx_frames,rx_frames\n";
    let line = |line: &str| fault(&format!("{head}{line}\n"));
    assert_eq!(fault(""), "empty; the first line names the columns");
    assert_eq!(fault(head), "a header without lines below it");
    assert_eq!(
        fault("a,b\n1,2\n"),
        "no column for the frame size with FCS; allowed names are size_octets, frame_size, frame_size_octets, \
         frame_size_bytes, ConfiguredFrameSize"
    );
    assert_eq!(
        fault("frame_size,duration_s,tx_frames\n79,1,1\n"),
        "no column for frames received; allowed names are received_frames, rx_frames, rx_pkts, RxFrameCount, \
         RxSignatureFrameCount"
    );
    assert_eq!(
        fault("frame_size,Frame Size (bytes)\n79,79\n"),
        "columns \"frame_size\" and \"Frame Size (bytes)\" both hold the frame size with FCS; leave one out"
    );
    assert_eq!(
        line("79,10,\"1,000\",1000"),
        "line 2, column \"tx_frames\": \"1,000\"; allowed is a whole number without separators of thousands"
    );
    assert_eq!(
        line("79,-1,1,1"),
        "line 2, column \"duration_s\": \"-1\"; allowed is 0 or more"
    );
    assert_eq!(
        line("79,0,1,1"),
        "line 2, column \"duration_s\": \"0\"; allowed is more than 0"
    );
    assert_eq!(
        line("20,1,1,1"),
        "line 2, column \"frame_size\": \"20\"; allowed is 46 to 16384 octets with FCS, or the name of a mix"
    );
    assert_eq!(
        line("79,1,N/A,1"),
        "line 2: no frames sent, which is what loss is reckoned by"
    );
    assert_eq!(
        line("79,1,1"),
        "line 2: 3 values, the header names 4 columns"
    );
    for not_finite in ["inf", "NaN", "1e999"] {
        assert!(
            line(&format!("79,{not_finite},1,1")).contains("allowed is a number"),
            "{not_finite}"
        );
    }
    assert_eq!(
        fault("frame_size,throughput_fps\n79,100\n"),
        "line 2: no ceiling_fps or line_rate_fps, which (or --capacity) is what a throughput is a share of"
    );
    assert_eq!(
        fault("frame_size,throughput_percent\n79,50\n"),
        "line 2: no ceiling_fps or line_rate_fps, which (or --capacity, or offered load in percent with frames sent \
         and time) is what percent are of"
    );
    assert_eq!(
        fault("trial,frame_size,duration_s,tx_frames,rx_frames\n1,79,1,1,1\n1,128,1,1,1\n"),
        "line 3: trial 1 has another the frame size with FCS than in line 2"
    );
    let utf16: Vec<u8> = head
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .chain([0xff, 0xfe])
        .collect();
    assert!(matches!(
        parse(&utf16, &Options::default()),
        Err(Fault::Encoding { line: 2 })
    ));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read(Path::new("/nowhere/at/all.csv"), &Options::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/at/all.csv: cannot be read: "),
        "{error}"
    );
}

#[test]
fn our_own_file_comes_back() {
    let written = crate::results::sample::full();
    let text = csv::to_csv(&written).unwrap();
    let read = import(text.as_bytes()).results;
    let mut expected = written.clone();
    for trial in &mut expected.trials {
        // What the file of lines does not have.
        (trial.foreign, trial.stale) = (0, 0);
        trial.pacing_error_ns = crate::stats::Summary::default();
        for stream in &mut trial.streams {
            stream.quantiles.clear();
            if stream.received == 0 {
                stream.latency_ns = crate::stats::Summary::default();
            }
        }
    }
    for found in &mut expected.throughput {
        found.confirmations = 0;
    }
    assert!(
        !expected.trials.is_empty()
            && !expected.throughput.is_empty()
            && !expected.cpu_fit.is_empty()
    );
    assert_eq!(read.trials, expected.trials);
    assert_eq!(read.throughput, expected.throughput);
    assert_eq!(read.cpu, expected.cpu);
    assert_eq!(read.cpu_fit, expected.cpu_fit);
}

/// Text that gets far: real names, values near the allowed ones, quotes and separators.
fn almost_csv() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "frame_size",
        "duration_s",
        "tx_frames",
        "rx_frames",
        "throughput_percent",
        "OfferedLoad(%)",
        "latency_avg_us",
        "latency_max_us",
        "record",
        "trial",
        "a",
        "r2",
        "colour",
    ]);
    let value = prop_oneof![
        Just("79".to_owned()),
        Just("trial".to_owned()),
        Just("cpu_fit".to_owned()),
        Just("\"".to_owned()),
        Just("1e300".to_owned()),
        any::<f64>().prop_map(|v| v.to_string()),
        any::<u32>().prop_map(|v| v.to_string()),
        "[\"a-z,;\t ]{0,4}",
    ];
    let header = prop::collection::vec(name, 1..8);
    let lines = prop::collection::vec(prop::collection::vec(value, 1..8), 0..5);
    (header, lines).prop_map(|(header, lines)| {
        let lines: Vec<String> = lines.iter().map(|values| values.join(",")).collect();
        format!("{}\n{}", header.join(","), lines.join("\n"))
    })
}

proptest! {
    // The same cases every time.
    #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&octets, &Options::default());
    }

    #[test]
    fn what_is_taken_has_only_numbers_that_files_can_hold(text in almost_csv(), link_bps in prop::option::of(1u64..)) {
        let options = Options { link_bps, ..Options::default() };
        if let Ok(imported) = parse(text.as_bytes(), &options) {
            for trial in &imported.results.trials {
                prop_assert!(trial.duration_s > 0.0);
                for stream in &trial.streams {
                    prop_assert!(stream.offered_fps.is_finite() && stream.received_fps.is_finite(), "{stream:?}");
                    prop_assert!(stream.received_l2_bps.is_finite(), "{stream:?}");
                    prop_assert!(stream.latency_ns.mean.is_finite());
                }
            }
            for found in &imported.results.throughput {
                prop_assert!([found.fps, found.l2_bps, found.ceiling_fps, found.share_of_ceiling].iter().all(|v| v.is_finite()), "{found:?}");
            }
        }
    }

    #[test]
    fn every_cut_of_a_file_is_refused_or_said(at in 0usize..1000) {
        let text = std::str::from_utf8(sample!("testcenter_rfc2544.csv")).unwrap();
        let cut = &text.as_bytes()[..at.min(text.len() - 1)];
        if let Ok(imported) = parse(cut, &Options::default()) {
            let notes = &imported.results.notes;
            let is_whole_line = cut.ends_with(b"\n");
            prop_assert!(is_whole_line || notes.iter().any(|note| note.contains("no line end")));
        }
    }
}
