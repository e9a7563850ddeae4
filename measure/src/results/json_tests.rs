use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::fit::LineFit;
use crate::results::{CpuFit, SizeLabel, Throughput, sample};

const FILE: &str = "results.json";

fn refusal(text: &str) -> String {
    let refused = parse(Path::new(FILE), text).unwrap_err().to_string();
    assert!(refused.starts_with("results.json: "), "{refused}");
    refused
}

/// The keys that the contract of `pinode-results/1` names.
#[test]
fn the_promised_keys_are_there() {
    let text = to_json(&sample::full()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "pinode-results/1");
    for (place, keys) in [
        ("", "schema host profile path trials throughput cpu_fit"),
        ("/host", "cpu cores kvm kernel"),
        ("/trials/0", "test size duration_s streams"),
        (
            "/trials/0/streams/0",
            "pi offered_fps sent received lost reordered duplicated corrupted latency_ns",
        ),
        (
            "/trials/0/streams/0/latency_ns",
            "min mean p50 p99 p999 max",
        ),
        (
            "/throughput/0",
            "size pi fps l2_bps ceiling_fps share_of_ceiling",
        ),
        ("/cpu_fit/0", "pi size a b r2"),
    ] {
        let object = value.pointer(place).and_then(|v| v.as_object()).unwrap();
        for key in keys.split(' ') {
            assert!(object.contains_key(key), "{place}/{key}");
        }
    }
    assert_eq!(value["path"], "memory");
    assert_eq!(value["trials"][0]["test"], "latency");
    assert_eq!(value["trials"][0]["size"], 79);
}

#[test]
fn what_is_written_is_read() {
    for results in [sample::full(), sample::empty()] {
        let text = to_json(&results).unwrap();
        assert!(text.ends_with("}\n"));
        assert_eq!(parse(Path::new(FILE), &text).unwrap(), results);
    }
}

#[test]
fn a_file_of_the_first_days_needs_no_later_key() {
    let text = r#"{ "schema": "pinode-results/1", "host": { "cpu": "", "cores": 2, "kvm": "", "kernel": "" },
        "profile": "rfc2544", "path": "af_xdp", "trials": [ { "test": "reset", "size": 79, "duration_s": 60.0,
        "streams": [] } ], "throughput": [], "cpu_fit": [ { "pi": "can", "size": 79, "a": 1, "b": 2, "r2": 0.5 } ],
        "later": "is not looked at" }"#;
    let results = parse(Path::new(FILE), text).unwrap();
    assert_eq!(results.cpu_fit[0].fit.b, 2.0);
}

#[test]
fn what_is_no_results_file_is_named_and_refused() {
    let whole = to_json(&sample::full()).unwrap();
    let other = whole.replacen("pinode-results/1", "pinode-results/2", 1);
    let said = refusal(&other);
    assert!(
        said.contains(r#"schema "pinode-results/2"; allowed is "pinode-results/1""#),
        "{said}"
    );
    assert!(refusal("{}").contains("no key `schema`"));
    assert!(refusal(r#"{"schema": 1}"#).contains("schema 1;"));
    assert!(refusal("").contains("cut off"));
    assert!(refusal("size,fps\n79,1\n").contains("line 1 column 1"));
    assert!(refusal("[]").contains("an object with the results"));
    let wrong = whole.replacen("\"cores\": 2", "\"cores\": \"two\"", 1);
    let said = refusal(&wrong);
    assert!(said.contains("\"two\", expected u32 at line"), "{said}");
    let lacking = whole.replacen("\"trials\"", "\"trails\"", 1);
    assert!(refusal(&lacking).contains("missing field `trials`"));
    let unread = read(Path::new("/nowhere/results.json"))
        .unwrap_err()
        .to_string();
    assert!(
        unread.starts_with("/nowhere/results.json: cannot be read"),
        "{unread}"
    );
}

#[test]
fn numbers_that_are_not_finite_are_left_out_and_said() {
    let mut results = sample::full();
    results.throughput[1].upper_fps = Some(f64::NAN);
    results.cpu_fit[0].fit.r2 = f64::NEG_INFINITY;
    results.trials[3].streams[2].received_fps = f64::INFINITY;
    if let Some(tester) = &mut results.tester {
        tester.memory_fps = f64::NAN;
    }
    let refused = to_json(&results).unwrap_err().to_string();
    assert!(
        refused.starts_with("trials[3]: ") && refused.contains("\"isolation\":\"kvm\""),
        "{refused}"
    );
    let sound = sound(results.clone());
    let left = |r: &Results| {
        (
            r.trials.len(),
            r.throughput.len(),
            r.cpu_fit.len(),
            r.notes.len(),
        )
    };
    let (trials, throughput, fits, notes) = left(&results);
    assert_eq!(
        left(&sound),
        (trials - 1, throughput - 1, fits - 1, notes + 4)
    );
    assert_eq!(sound.tester, None);
    assert!(
        sound
            .notes
            .iter()
            .any(|n| n.starts_with("throughput[1] was left out"))
    );
    assert_eq!(
        parse(Path::new(FILE), &to_json(&sound).unwrap()).unwrap(),
        sound
    );
}

fn any_size() -> impl Strategy<Value = SizeLabel> {
    prop_oneof![
        any::<u16>().prop_map(SizeLabel::Octets),
        ".*".prop_map(SizeLabel::Mix)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(0x4a50), failure_persistence: None, ..ProptestConfig::default() })]

    /// Any names, any numbers: what is finite comes back bit for bit, what is not is left out.
    #[test]
    fn any_record_comes_back_or_is_left_out(
        size in any_size(), pi in ".*", fps in any::<f64>(), upper_fps in any::<Option<f64>>(),
        a in any::<f64>(), trials in any::<u32>(), note in ".*",
    ) {
        let mut results = sample::empty();
        results.notes.push(note);
        results.throughput.push(Throughput {
            size: size.clone(), pi: pi.clone(), isolation: None, method: String::new(), goal_loss_ratio: 0.0,
            fps, l2_bps: 1.0, lower_fps: 0.1, upper_fps, ceiling_fps: 1e9, share_of_ceiling: 1.0 / 3.0, trials, confirmations: 2,
            limited_by: "line".into(),
        });
        let fit = LineFit { a, b: -a, r2: 0.9, points: 2, from: 0.0, to: 1.0 };
        results.cpu_fit.push(CpuFit { pi, isolation: "kvm".into(), size, fit });
        let finite = [(fps.is_finite() && upper_fps.is_none_or(f64::is_finite)), a.is_finite()];
        prop_assert_eq!(to_json(&results).is_ok(), finite == [true, true]);
        let sound = sound(results);
        prop_assert_eq!([sound.throughput.len() == 1, sound.cpu_fit.len() == 1], finite);
        prop_assert_eq!(parse(Path::new(FILE), &to_json(&sound).unwrap()).unwrap(), sound);
    }
}

/// Cut anywhere before its last brace, a file is said to be cut off.
#[test]
fn half_a_file_is_never_taken() {
    let mut small = sample::full();
    small.trials.truncate(1);
    small.cpu.clear();
    small.trials[0]
        .streams
        .iter_mut()
        .for_each(|s| s.quantiles.clear());
    let text = to_json(&small).unwrap();
    let step = 7;
    for end in (0..text.len() - 1).step_by(step) {
        let said = refusal(&text[..end]);
        assert!(said.contains("cut off"), "{end}: {said}");
    }
}
