//! Files in, verdicts out.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::results::{SCHEMA, Throughput, TrialRecord};

/// From the document, as a file would be: keys that are added later are left out.
fn read<T: serde::de::DeserializeOwned>(document: serde_json::Value) -> T {
    serde_json::from_value(document).unwrap()
}

fn results() -> Results {
    read(json!({
        "schema": SCHEMA, "host": { "cpu": "", "cores": 2, "kvm": "", "kernel": "" }, "profile": "single",
        "path": "memory", "trials": [], "throughput": [], "cpu_fit": [],
    }))
}

fn found(pi: &str, size: u16, fps: f64) -> Throughput {
    read(json!({
        "size": size, "pi": pi, "isolation": "kvm", "method": "binary", "fps": fps, "l2_bps": fps * 8.0,
        "ceiling_fps": 1e7, "share_of_ceiling": fps / 1e7,
    }))
}

fn trial(test: &str, offered_fps: f64, received: u64, mean: f64) -> TrialRecord {
    read(json!({
        "test": test, "size": 79, "isolation": "kvm", "duration_s": 1.0,
        "streams": [{
            "pi": "can", "from": "west", "to": "east", "offered_fps": offered_fps, "sent": 1000,
            "received": received, "lost": 1000 - received, "reordered": 0, "duplicated": 0, "corrupted": 0,
            "latency_ns": { "min": 0, "mean": mean, "p50": 0, "p99": 0, "p999": 0, "max": 0 },
        }],
    }))
}

fn throughputs(values: &[f64]) -> Results {
    let throughput = values.iter().map(|&fps| found("can", 79, fps)).collect();
    Results {
        throughput,
        ..results()
    }
}

fn metrics(metrics: &[Metric]) -> Options {
    Options {
        metrics: metrics.to_vec(),
    }
}

const ALL: Options = Options {
    metrics: Vec::new(),
};

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn set(folder: &Path, names: &[&str]) -> DataSet {
    DataSet {
        files: names.iter().map(|name| folder.join(name)).collect(),
    }
}

/// The first example of the slides. They print three of each five values; the other two follow from average and
/// deviation.
#[test]
fn numbers_are_printed_as_ministat_prints_them() {
    let eight = "4500078\n4735822\n4648451 # median\n\n4632222\n4724896\n";
    let sixteen = "# 16 queues\n4925106\n5198632\n5104512\n5070589.5\n5142971\n";
    let folder = folder_with(&[("rxq8", eight), ("rxq16", sixteen)]);
    let sets = ["rxq8", "rxq16"].map(|name| set(folder.path(), &[name]));
    let shown = run(&sets, &ALL).unwrap().to_string();
    let lines: Vec<&str> = shown.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "",
            "    N           Min           Max        Median           Avg        Stddev",
            "x   5       4500078       4735822       4648451     4648293.8     94545.404",
            "+   5       4925106       5198632       5104512     5088362.1     102920.87",
            "Difference at 95.0% confidence",
            "\t440068 +/- 144126",
            "\t9.46731% +/- 3.23827%",
            "\t(Student's t, pooled s = 98821.9)"
        ]
    );
}

#[test]
fn several_searches_of_a_file_are_repetitions() {
    let a = throughputs(&[4.00e6, 4.01e6, 3.99e6]);
    let b = throughputs(&[4.40e6, 4.41e6, 4.42e6]);
    let comparison = compare(&a, &b, &ALL).unwrap();
    let [figure] = comparison.figures.as_slice() else {
        panic!("{comparison}");
    };
    let [judged] = figure.others.as_slice() else {
        panic!("{comparison}");
    };
    assert_eq!((figure.reference.n, judged.statistics.n), (3, 3));
    let Verdict::Difference(difference) = judged.verdict else {
        panic!("{comparison}");
    };
    assert!((difference.difference - 4.1e5).abs() < 1e-3);
    assert!(
        comparison
            .to_string()
            .contains("throughput of 79 octets, can, kvm, binary (frames/s)")
    );
}

#[test]
fn one_value_each_is_no_test() {
    let comparison = compare(&throughputs(&[4e6]), &throughputs(&[5e6]), &ALL).unwrap();
    let said = "1 value each: no test possible; repeat the measurement with --repeat N\n";
    assert!(comparison.to_string().ends_with(said), "{comparison}");
    let comparison = compare(&throughputs(&[4e6]), &throughputs(&[5e6, 6e6]), &ALL).unwrap();
    assert!(
        comparison.to_string().contains("1 and 2 values: no test"),
        "{comparison}"
    );
}

/// Files of a data set are pooled, in JSON as in the table.
#[test]
fn repetitions_in_several_files() {
    let text = |fps| serde_json::to_string(&throughputs(&[fps])).unwrap();
    let files = [
        ("a1", text(4.0e6)),
        ("a2", text(4.1e6)),
        ("b1", text(4.0e6)),
        ("b2", text(4.2e6)),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let folder = folder_with(&files);
    let sets = [
        set(folder.path(), &["a1", "a2"]),
        set(folder.path(), &["b1", "b2"]),
    ];
    let comparison = run(&sets, &metrics(&[Metric::Throughput])).unwrap();
    assert!(
        comparison
            .to_string()
            .contains("No difference proven at 95.0% confidence")
    );
    let json = serde_json::to_value(&comparison).unwrap();
    let other = &json["figures"][0]["others"][0];
    assert_eq!(other["verdict"], "no_difference_proven");
    assert_eq!((&other["n"], &other["set"]), (&2.into(), &1.into()));
    assert_eq!(json["figures"][0]["metric"], "throughput");
    assert_eq!(json["figures"][0]["size"], 79);
    // As the command line names them.
    let written: DataSet = "a1,a2".parse().unwrap();
    assert_eq!(written.to_string(), "a1,a2");
    assert!(
        "a1,"
            .parse::<DataSet>()
            .is_err_and(|e| e.to_string().contains("FILE,FILE"))
    );
}

/// Loads that were laid out are figures of their own; a load that a search found is none.
#[test]
fn loads_are_kept_apart_where_there_are_several() {
    let at = |loads: &[f64]| Results {
        trials: loads
            .iter()
            .map(|&load| trial("latency", load, 1000, load))
            .collect(),
        ..results()
    };
    let laid_out = at(&[1e5, 2e5, 1e5, 2e5]);
    let comparison = compare(&laid_out, &laid_out, &metrics(&[Metric::LatencyMean])).unwrap();
    let loads: Vec<_> = comparison
        .figures
        .iter()
        .map(|figure| figure.key.load)
        .collect();
    assert_eq!(loads, [Some(100_000), Some(200_000)]);
    assert!(
        comparison
            .figures
            .iter()
            .all(|figure| figure.reference.n == 2)
    );
    let way = comparison.figures[0].key.way.as_deref();
    assert_eq!(way, Some("west to east"));

    let comparison = compare(&at(&[1e5]), &at(&[1.1e5]), &ALL).unwrap();
    let loads: Vec<_> = comparison
        .figures
        .iter()
        .map(|figure| figure.key.load)
        .collect();
    assert_eq!(loads, [None, None], "mean and p99");
}

#[test]
fn what_says_nothing_is_left_out() {
    let refused = TrialRecord {
        refused: true,
        ..trial("loss", 1e5, 500, 1.0)
    };
    let of = |trials: Vec<TrialRecord>| Results {
        trials,
        ..results()
    };
    let a = of(vec![
        refused,
        trial("loss", 1e5, 900, 1.0),
        trial("throughput", 1e5, 1000, 1.0),
        trial("latency", 1e5, 0, 0.0),
    ]);
    let b = of(vec![trial("loss", 1e5, 1000, 1.0)]);
    let comparison = compare(&a, &b, &ALL).unwrap();
    let [figure] = comparison.figures.as_slice() else {
        panic!("{comparison}");
    };
    assert_eq!((figure.key.metric, figure.reference.n), (Metric::Loss, 1));
    assert_eq!(figure.reference.average, 0.1);
    assert!(comparison.unmatched.is_empty(), "{comparison}");
}

#[test]
fn every_repetition_of_a_burst_counts() {
    let bursts = |bursts: &[u64]| Results {
        back_to_back: vec![read(json!({
            "size": 79, "pi": "can", "bursts": bursts, "mean_frames": 0.0, "min_frames": 0, "max_frames": 0,
            "stddev_frames": 0.0, "burst_fps": 1e6, "implied_buffer_s": 0.0, "corrected_buffer_s": null,
            "is_at_least": false,
        }))],
        ..results()
    };
    let comparison = compare(&bursts(&[10, 11, 12]), &bursts(&[30, 31, 32]), &ALL).unwrap();
    assert!(
        comparison.to_string().contains("\t20 +/- 2.26659"),
        "{comparison}"
    );
}

#[test]
fn three_sets_and_what_is_in_one_alone() {
    let folder = folder_with(&[
        ("a", "1\n2\n3\n"),
        ("b", "1\n2\n3\n"),
        ("c", "11\n12\n13\n"),
    ]);
    let sets = ["a", "b", "c"].map(|name| set(folder.path(), &[name]));
    let shown = run(&sets, &ALL).unwrap().to_string();
    let signs: String = shown
        .lines()
        .filter_map(|line| line.chars().next())
        .collect();
    assert_eq!(signs, "x+* x+N*D\t\t\t", "{shown}");

    let mut more = throughputs(&[1.0, 2.0]);
    more.throughput.push(found("dss", 128, 3.0));
    more.partial = true;
    let comparison = compare(&throughputs(&[1.0, 2.0]), &more, &ALL).unwrap();
    let shown = comparison.to_string();
    let lone = "not compared: throughput of 128 octets, dss, kvm, binary is in B alone\n";
    assert!(shown.contains(lone), "{shown}");
    assert!(shown.contains("note: B holds a measurement that was ended before its time."));
}

#[test]
fn what_cannot_be_compared_is_named() {
    let results_text = serde_json::to_string(&throughputs(&[1.0])).unwrap();
    let folder = folder_with(&[
        ("numbers", "1\n2\n"),
        ("words", "1\ntwo\n"),
        ("inf", "inf\n"),
        ("empty", "# nothing\n"),
        ("results", &results_text),
        ("other", "{\"schema\": \"someone-else/3\"}"),
        ("half", &results_text[..results_text.len() / 2]),
    ]);
    let of = |names: &[&str]| -> String {
        let sets: Vec<DataSet> = names
            .iter()
            .map(|name| set(folder.path(), &[name]))
            .collect();
        run(&sets, &ALL)
            .map(|c| c.to_string())
            .unwrap_err()
            .to_string()
    };
    assert!(of(&["numbers", "missing"]).contains("missing: cannot be read: No such file"));
    assert!(of(&["numbers", "words"]).contains("words:2: \"two\" is no number; allowed: "));
    assert!(of(&["numbers", "inf"]).contains("inf:1: \"inf\" is no number"));
    assert!(of(&["empty", "numbers"]).contains("empty: holds no number"));
    assert!(of(&["numbers", "results"]).contains("allowed: all files of one kind"));
    assert!(of(&["results", "other"]).contains("someone-else/3"));
    assert!(of(&["results", "half"]).contains("half"));
    assert_eq!(of(&["numbers"]), "there are 1 data sets; allowed: 2 to 7");
    let sets = [
        set(folder.path(), &["numbers"]),
        set(folder.path(), &["numbers"]),
    ];
    let error = run(&sets, &metrics(&[Metric::Loss])).unwrap_err();
    assert!(matches!(error, CompareError::MetricOfNumbers));

    let other = Results {
        throughput: vec![found("dss", 1518, 1.0)],
        ..results()
    };
    let error = compare(&throughputs(&[1.0]), &other, &ALL)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "A and B have no figure in common: A has throughput of 79 octets, can, kvm, binary; B has throughput of \
         1518 octets, dss, kvm, binary"
    );
    let error = "speed".parse::<Metric>().unwrap_err().to_string();
    assert!(error.starts_with("there is no metric \"speed\"; allowed: throughput, latency_mean,"));
}
