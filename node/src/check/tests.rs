//! The report against the table of the design document and the contract's example, and what refuses.

use std::path::Path;

use super::*;
use crate::config;

fn report(cycle: &str) -> Report {
    let text = format!(
        r#"
        [node]
        name = "n1"
        [[port]]
        name = "west"
        backend = "memory:w"
        mode = "trunk"
        capacity = "1Gbps"
        cycle = {cycle}
        [pi.ipv6qos]
        code = 1
        guest = "x.elf"
        [pi.can]
        code = 2
        guest = "x.elf"
        [pi.dss]
        code = 3
        guest = "x.elf"
        "#
    );
    let config = config::parse("node.toml", Path::new(""), &text, &[]);
    Report::of(&config.unwrap())
}

fn thirds() -> Report {
    report(
        r#"{ phases = [{ pi = "ipv6qos", for = "100us" }, { pi = "can", for = "100us" },
            { pi = "dss", for = "100us" }] }"#,
    )
}

/// The table of the design document: 1 Gb/s, three phases of 100 us, no guard.
const DESIGN: [(u32, u64, &str, &str, &str, &str); 7] = [
    (79, 126, "265.4", "420.0", "200.8", "67.2"),
    (128, 84, "286.7", "280.0", "201.2", "67.5"),
    (256, 45, "307.2", "150.0", "202.2", "68.1"),
    (512, 23, "314.0", "76.7", "204.3", "69.5"),
    (1024, 11, "300.4", "36.7", "208.4", "72.4"),
    (1280, 9, "307.2", "30.0", "210.4", "73.8"),
    (1518, 8, "323.8", "26.7", "212.3", "75.1"),
];

#[test]
fn the_table_of_the_design_to_the_last_digit() {
    let report = thirds();
    assert!(report.ok);
    assert_eq!(
        report.ports[0].pi.keys().collect::<Vec<_>>(),
        ["ipv6qos", "can", "dss"]
    );
    for pi in report.ports[0].pi.values() {
        let digit = |value: f64| format!("{value:.1}");
        let rows = pi.sizes.iter().map(|s| {
            let (mbps, kfps) = (digit(s.ceiling_bps / 1e6), digit(s.ceiling_fps / 1e3));
            let (longest, mean) = (digit(s.longest_wait_ns / 1e3), digit(s.mean_wait_ns / 1e3));
            (s.size, s.frames_per_phase, mbps, kfps, longest, mean)
        });
        let design = DESIGN.map(|(size, n, mbps, kfps, longest, mean)| {
            (
                size,
                n,
                mbps.into(),
                kfps.into(),
                longest.into(),
                mean.into(),
            )
        });
        assert_eq!(rows.collect::<Vec<_>>(), design);
    }
}

#[test]
fn the_document_of_the_contract() {
    let document = serde_json::to_value(thirds()).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document.get("problems"), None);
    let west = &document["ports"][0];
    assert_eq!(west["name"], "west");
    assert_eq!(west["capacity_bps"], 1_000_000_000);
    assert_eq!(west["cycle_ns"], 300_000);
    let pi = &west["pi"]["ipv6qos"];
    assert_eq!(
        (&pi["phase_ns"], &pi["largest_frame"]),
        (&100_000.into(), &1518.into())
    );
    // S = 100 us - 12.304 us; R = S / T_c; latency T_c - S.
    let near = |value: &serde_json::Value, expected: f64| {
        (value.as_f64().unwrap() - expected).abs() < expected * 1e-12
    };
    assert!(near(&pi["guaranteed_bps"], 1e9 * 87_696.0 / 300_000.0));
    assert!(near(&pi["latency_ns"], 212_304.0));
    let size = &pi["sizes"][0];
    assert_eq!(
        (&size["size"], &size["frames_per_phase"]),
        (&79.into(), &126.into())
    );
    assert_eq!(size["ceiling_fps"], 420_000.0);
    assert_eq!(size["ceiling_bps"], 265_440_000.0);
    assert_eq!(size["longest_wait_ns"], 200_792.0);
    // (T_c - T_p + t_L)^2 / (2 T_c) with t_L = 792 ns.
    assert!(near(
        &size["mean_wait_ns"],
        200_792.0 * 200_792.0 / 600_000.0
    ));
}

#[test]
fn the_largest_frame_of_the_port_is_the_last_size() {
    let sizes = |mtu: &str| {
        let text = format!(
            "[node]\nname = \"n1\"\n[[port]]\nname = \"w\"\nbackend = \"memory:w\"\n\
             mode = \"access\"\npi = \"can\"\ncapacity = \"1Gbps\"\nmtu = {mtu}\n\
             cycle = {{ phases = [{{ pi = \"can\", for = \"1ms\" }}, {{ pi = \"dss\", for = \"1ms\" }}] }}\n\
             [pi.can]\ncode = 2\nguest = \"x.elf\"\n[pi.dss]\ncode = 3\nguest = \"x.elf\"\n"
        );
        let config = config::parse("node.toml", Path::new(""), &text, &[]).unwrap();
        let report = Report::of(&config);
        // Only the access port's own PI can send there, whatever phases there are.
        assert_eq!(report.ports[0].pi.keys().collect::<Vec<_>>(), ["can"]);
        report.ports[0].pi["can"]
            .sizes
            .iter()
            .map(|s| s.size)
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes("1500"), SIZES);
    assert_eq!(sizes("110"), [79, 128]);
    assert_eq!(sizes("200"), [79, 128, 218]);
    assert_eq!(sizes("9000"), [79, 128, 256, 512, 1024, 1280, 1518, 9018]);
}

#[test]
fn several_phases_of_a_pi_add_up() {
    let report = report(
        r#"{ phases = [{ pi = "ipv6qos", for = "50us" }, { pi = "can", for = "100us" },
            { pi = "ipv6qos", for = "50us" }, { pi = "dss", for = "100us" }] }"#,
    );
    let pi = &report.ports[0].pi["ipv6qos"];
    assert_eq!((pi.phase_ns, pi.sizes[0].frames_per_phase), (100_000, 126));
    assert_eq!(pi.sizes[0].longest_wait_ns, 100_792.0);
}

/// Two PIs on one port of 1 Gb/s, 100 us of 300 us each, with `more` in `[pi.a]`.
fn of(more: &str) -> Result<Report, String> {
    let text = format!(
        "[node]\nname = \"n1\"\n[[port]]\nname = \"west\"\nbackend = \"memory:w\"\n\
         mode = \"trunk\"\ncapacity = \"1Gbps\"\n\
         cycle = {{ phases = [{{ pi = \"a\", for = \"100us\" }}, {{ pi = \"b\", for = \"200us\" }}] }}\n\
         [pi.b]\ncode = 2\nguest = \"x.elf\"\n[pi.a]\ncode = 1\nguest = \"x.elf\"\n{more}\n"
    );
    let config = config::parse("node.toml", Path::new(""), &text, &[]);
    let report = Report::of(&config.map_err(|error| error.to_string())?);
    assert!(report.ok, "{:?}", report.problems);
    Ok(report)
}

#[test]
fn a_demand_that_holds_is_told_with_its_bounds() {
    let demand = "demand = { rate = \"200Mbps\", burst = \"6KiB\", delay = \"500us\" }";
    let report = of(demand).unwrap();
    let a = &report.ports[0].pi["a"];
    let demand = a.demand.unwrap();
    assert!((demand.needs_bps - 200e6 * 99.0 / 79.0).abs() < 1e-3);
    // T = 212.304 us; 6144 octets are 77 frames: 8 (6144 + 1540) bits at R = 292.32 Mb/s.
    let delay_ns = 212_304.0 + 61_472.0 * 300.0 / 87.696;
    assert!((demand.delay_ns - delay_ns).abs() < 1e-3);
    assert_eq!(a.sizes[0].delay_ns, Some(demand.delay_ns));
    assert_eq!(demand.allowed_ns, Some(500_000));
    let waiting = (61_472.0 + 250.632_911e6 * 212_304e-9) / 792.0;
    assert_eq!(demand.backlog_frames, f64::ceil(waiting) as u64);
    let text = report_table(&report);
    assert!(
        text.contains("demand      200Mbps in frames of 79 octets needs 250.6 Mb/s of wire: ok\n"),
        "{text}"
    );
    assert!(
        text.contains("bursts of 6KiB: delay 422.6 us of 500us allowed, up to 145 frames wait: ok"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn a_demand_that_does_not_hold_is_refused_by_how_much() {
    let refused = |demand: &str| of(&format!("demand = {{ {demand} }}")).unwrap_err();
    // 300 Mb/s in frames of 79 octets are 375.949 on the wire: S = 112.785 us in place of 87.696.
    assert_eq!(
        refused("rate = \"300Mbps\", burst = \"2KiB\""),
        "node.toml:8: port.west.cycle: guarantees PI \"a\" 292.3 Mb/s of wire, and its demand of \
         300Mbps in frames of 79 octets needs 375.9 Mb/s: short by 83.6 Mb/s; phase short by 25.1 us \
         in this cycle"
    );
    let late = refused("rate = \"200Mbps\", burst = \"6KiB\", delay = \"400us\"");
    assert!(
        late.contains(
            "bounds the delay of PI \"a\" to 422.6 us, and its demand of 200Mbps in frames of 79 octets \
             with bursts of 6KiB asks for 400us: late by 22.6 us; phase short by 7.0 us in this cycle"
        ),
        "{late}"
    );
    let never = refused("rate = \"900Mbps\", burst = \"2KiB\"");
    assert!(
        never.ends_with("more than a cycle of 300us has to give"),
        "{never}"
    );
}

/// What is said to be lacking is what is lacking: so much more phase holds, a little less does not.
#[test]
fn the_phase_that_is_short_is_enough_when_it_is_given() {
    let with = |phase_ns: u64, demand: &str| {
        let more = format!("demand = {{ {demand} }}");
        let text = format!(
            "[node]\nname = \"n1\"\n[[port]]\nname = \"west\"\nbackend = \"memory:w\"\n\
             mode = \"trunk\"\ncapacity = \"1Gbps\"\n\
             cycle = {{ guard = \"1us\", phases = [{{ pi = \"a\", for = \"{phase_ns}ns\" }}, \
             {{ pi = \"none\", for = \"{}ns\" }}] }}\n\
             [pi.a]\ncode = 1\nguest = \"x.elf\"\n{more}\n",
            300_000 - phase_ns
        );
        config::parse("node.toml", Path::new(""), &text, &[]).map_err(|error| error.to_string())
    };
    let demands = [
        "rate = \"300Mbps\", burst = \"2KiB\"",
        "rate = \"200Mbps\", burst = \"6KiB\", delay = \"400us\"",
        "rate = \"10Mbps\", burst = \"1518B\", size = 1518, delay = \"250us\"",
    ];
    for demand in demands {
        let said = with(100_000, demand).unwrap_err();
        let short = said.split("phase short by ").nth(1).unwrap();
        let short_us: f64 = short.split(' ').next().unwrap().parse().unwrap();
        // Said to a tenth of a microsecond.
        let enough = 100_000 + (short_us * 1e3) as u64;
        assert!(with(enough + 51, demand).is_ok(), "{demand}: {said}");
        assert!(with(enough - 60, demand).is_err(), "{demand}: {said}");
    }
}

#[test]
fn a_policed_pi_is_told_the_delay_of_what_the_policer_lets_in() {
    let report = of("police = { rate = \"250Mbps\", burst = \"1518B\" }").unwrap();
    let a = &report.ports[0].pi["a"];
    // In frames of 79 octets 250 Mb/s are 313.3 on the wire, more than the 292.3 guaranteed.
    assert_eq!(a.sizes[0].delay_ns, None);
    assert!(report_table(&report).contains("unbounded"));
    let last = a.sizes.last().unwrap();
    let expected = 212_304.0 + 12_304.0 * 300.0 / 87.696;
    assert!((last.delay_ns.unwrap() - expected).abs() < 1e-3);
    assert_eq!(a.demand, None);
}

#[test]
fn a_lone_frame_ends_after_its_longest_wait_and_itself() {
    let report = thirds();
    let size = &report.ports[0].pi["can"].sizes[6];
    assert_eq!(
        (size.size, size.delay_ns),
        (1518, Some(212_304.0 + 12_304.0))
    );
    // Goodput of R in frames of 1518 octets.
    let goodput = 1e9 * 87_696.0 / 300_000.0 * 1518.0 / 1538.0;
    assert!((size.guaranteed_bps - goodput).abs() < 1e-3);
}

#[test]
fn a_smaller_max_sdu_guarantees_more() {
    let report = of("max_sdu = 482").unwrap();
    let pi = &report.ports[0].pi["a"];
    assert_eq!(pi.largest_frame, 500);
    // S = 100 us less 4.16 us.
    assert!((pi.guaranteed_bps - 1e9 * 95.84 / 300.0).abs() < 1e-3);
    let sizes: Vec<u32> = pi.sizes.iter().map(|size| size.size).collect();
    assert_eq!(sizes, [79, 128, 256, 500]);
    assert_eq!(report.ports[0].pi["b"].largest_frame, 1518);
    // A phase that holds no frame of the port's MTU may hold the PI's.
    let short = |sdu: &str| {
        let text = format!(
            "[node]\nname = \"n1\"\n[[port]]\nname = \"west\"\nbackend = \"memory:w\"\n\
             mode = \"trunk\"\ncapacity = \"1Gbps\"\n\
             cycle = {{ phases = [{{ pi = \"a\", for = \"5us\" }}] }}\n\
             [pi.a]\ncode = 1\nguest = \"x.elf\"\n{sdu}\n"
        );
        config::parse("node.toml", Path::new(""), &text, &[]).is_ok()
    };
    assert!(short("max_sdu = 482"));
    assert!(!short(""));
}

#[test]
fn a_queue_that_is_too_small_is_noted_and_not_refused() {
    let report = of("queue = 64").unwrap();
    let [note] = &report.notes[..] else {
        panic!("{:?}", report.notes)
    };
    assert_eq!(note.at, "port.west.pi.a");
    assert_eq!(
        note.what,
        "a queue of 64 loses frames that come at the ceiling's rate, in frames of 79 octets; up to 85 \
         wait"
    );
    assert!(of("queue = 128").unwrap().notes.is_empty());
}
