//! Lines inside and outside of their ranges.

use pinode_measure::results::SCHEMA;
use serde_json::json;

use super::super::read::parse;
use super::*;

/// Fits of (PI, size, a, b, from, to).
fn results(fits: &[(&str, u16, f64, f64, f64, f64)]) -> Results {
    let fits: Vec<serde_json::Value> = fits
        .iter()
        .map(|(pi, size, a, b, from, to)| {
            json!({
                "pi": pi, "isolation": "kvm", "size": size, "a": a, "b": b, "r2": 0.99, "points": 9,
                "from": from, "to": to,
            })
        })
        .collect();
    serde_json::from_value(json!({
        "schema": SCHEMA, "host": { "cpu": "", "cores": 2, "kvm": "", "kernel": "" }, "profile": "seed",
        "path": "memory", "trials": [], "throughput": [], "cpu_fit": fits,
    }))
    .unwrap()
}

/// One port, and PIs of (name, what they ask for).
fn demands(pis: &[(&str, &str)]) -> Demands {
    let mut text = "[[port]]\nname = \"west\"\ncapacity = \"10Gbps\"\n".to_owned();
    for (code, (name, asked)) in (1..).zip(pis) {
        text += &format!("[pi.{name}]\ncode = {code}\nguest = \"builtin:patch\"\n{asked}\n");
    }
    parse("demands.toml", &text).unwrap()
}

fn of_guest(results: &Results, asked: &str) -> Result<f64, Unmet> {
    let demands = demands(&[("can", asked)]);
    guest(results, &demands, &demands.pis[0]).map(|load| load.percent)
}

#[test]
fn a_measured_size_has_its_own_line() {
    let results = results(&[("can", 79, 0.2, 3.0, 10.0, 100.0)]);
    assert_eq!(of_guest(&results, "frames = 50000\nsizes = 79"), Ok(13.0));
    // 50,000 frames of 79 octets are 31.6 Mb/s.
    assert_eq!(
        of_guest(&results, "rate = \"31.6Mbps\"\nsizes = 79"),
        Ok(13.0)
    );
    // The ends of the range belong to it.
    assert_eq!(of_guest(&results, "frames = 100000\nsizes = 79"), Ok(23.0));
    assert_eq!(of_guest(&results, "frames = 10000\nsizes = 79"), Ok(5.0));
}

#[test]
fn outside_its_range_a_line_is_not_used() {
    let results = results(&[("can", 79, 0.2, 3.0, 10.0, 100.0)]);
    let above = of_guest(&results, "frames = 100001\nsizes = 79").unwrap_err();
    assert_eq!(above.constraint, Constraint::CpuRange);
    assert!((above.short_by.unwrap() - 0.001).abs() < 1e-9);
    let said = "was measured from 10.000 to 100.000 thousand frames a second, and 100.001 are asked for, 0.001 above; \
                needed: a measurement there, such as pinode measure --profile seed --sizes 79";
    assert!(above.what.ends_with(said), "{}", above.what);
    let below = of_guest(&results, "frames = 9000\nsizes = 79").unwrap_err();
    assert!(below.what.contains("1.000 below"), "{}", below.what);
    for size in [78, 80] {
        let none = of_guest(&results, &format!("frames = 50000\nsizes = {size}")).unwrap_err();
        assert_eq!(
            (none.constraint, none.at.as_str()),
            (Constraint::CpuRange, "pi.can.sizes")
        );
        assert!(
            none.what
                .contains(&format!("for 79 octets, and {size} is asked for")),
            "{}",
            none.what
        );
    }
}

#[test]
fn between_two_sizes_the_dearer_line_counts() {
    let rising = results(&[
        ("can", 79, 0.2, 3.0, 10.0, 100.0),
        ("can", 128, 0.4, 3.0, 10.0, 100.0),
    ]);
    assert_eq!(of_guest(&rising, "frames = 50000\nsizes = 100"), Ok(23.0));
    let falling = results(&[
        ("can", 79, 0.4, 3.0, 10.0, 100.0),
        ("can", 128, 0.2, 3.0, 10.0, 60.0),
    ]);
    assert_eq!(of_guest(&falling, "frames = 50000\nsizes = 100"), Ok(23.0));
    let short = of_guest(&falling, "frames = 61000\nsizes = 100").unwrap_err();
    assert!(
        short.what.contains("in frames of 128 octets"),
        "both have to hold: {}",
        short.what
    );
}

/// Of a rate in bits the small frames are more; each size of a range that was measured counts.
#[test]
fn of_several_sizes_the_dearest_counts() {
    let results = results(&[
        ("can", 100, 0.1, 0.0, 1.0, 1000.0),
        ("can", 200, 0.9, 0.0, 1.0, 1000.0),
        ("can", 400, 0.1, 0.0, 1.0, 1000.0),
    ]);
    // 80 Mb/s: 100, 50, 25 thousand frames a second.
    assert_eq!(
        of_guest(&results, "rate = \"80Mbps\"\nsizes = [100, 400]"),
        Ok(10.0)
    );
    let range = "rate = \"80Mbps\"\nsizes = { from = 100, to = 400 }";
    assert_eq!(of_guest(&results, range), Ok(45.0));
}

#[test]
fn a_missing_fit_is_named_with_those_there_are() {
    let results = results(&[("dss", 79, 0.2, 3.0, 10.0, 100.0)]);
    let missing = of_guest(&results, "frames = 50000\nsizes = 79").unwrap_err();
    assert_eq!(missing.constraint, Constraint::CpuFit);
    assert!(
        missing
            .what
            .contains("CPU use of can (kvm); measured: dss (kvm);"),
        "{}",
        missing.what
    );
}

/// Two ports are twice the frames, unless the PI says on which it sends.
#[test]
fn each_port_is_a_stream_of_its_own() {
    let results = results(&[("can", 79, 0.2, 0.0, 10.0, 100.0)]);
    let text = "[[port]]\nname = \"west\"\ncapacity = \"1Gbps\"\n[[port]]\nname = \"east\"\ncapacity = \"1Gbps\"\n\
                [pi.can]\ncode = 2\nguest = \"builtin:patch\"\nframes = 40000\nsizes = 79\n";
    let both = parse("", text).unwrap();
    assert_eq!(guest(&results, &both, &both.pis[0]).unwrap().percent, 16.0);
    let one = parse("", &format!("{text}ports = [\"east\"]\n")).unwrap();
    assert_eq!(guest(&results, &one, &one.pis[0]).unwrap().percent, 8.0);
}

#[test]
fn the_worker_has_all_of_it() {
    let results = results(&[
        ("host", 79, 0.1, 2.0, 30.0, 300.0),
        ("host", 1518, 0.3, 5.0, 3.0, 30.0),
    ]);
    let of = |asked: &[(&str, &str)]| host(&results, &demands(asked)).map(|load| load.unwrap());
    // One size: its line, at the sum.
    let small = "frames = 100000\nsizes = 79";
    let load = of(&[("can", small), ("dss", small)]).unwrap();
    assert_eq!((load.percent, load.kfps), (22.0, 200.0));
    // Half of what was measured of each: a mixture of the two ends.
    let load = of(&[
        ("can", "frames = 150000\nsizes = 79"),
        ("dss", "frames = 15000\nsizes = 1518"),
    ]);
    assert!((load.unwrap().percent - (15.0 + 4.5 + 5.0)).abs() < 1e-9);
    // More than any mixture.
    let more = of(&[
        ("can", "frames = 200000\nsizes = 79"),
        ("dss", "frames = 15000\nsizes = 1518"),
    ]);
    let more = more.unwrap_err();
    assert_eq!(more.constraint, Constraint::CpuRange);
    assert!(more.what.contains("% more"), "{}", more.what);
    let less = of(&[
        ("can", "frames = 14000\nsizes = 79"),
        ("dss", "frames = 1500\nsizes = 1518"),
    ]);
    assert!(less.unwrap_err().what.contains("% less"));
}

#[test]
fn guests_are_dealt_out_evenly() {
    // In order 90 and 80 would share CPU 0.
    assert_eq!(deal(&[90.0, 10.0, 80.0, 20.0], 2), [0, 2, 1, 3]);
    // As good as any other order: that of the demands.
    assert_eq!(deal(&[10.0, 10.0, 10.0], 2), [0, 1, 2]);
    assert_eq!(deal(&[10.0, 90.0], 1), [0, 1]);
    assert_eq!(deal(&[10.0, 90.0], 2), [0, 1]);
}
