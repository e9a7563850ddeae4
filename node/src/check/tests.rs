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
    // T = 212.304 us; 6144 octets weigh 99/79 as much on the wire: at R = 292.32 Mb/s.
    let burst_bits = 8.0 * 6_144.0 * 99.0 / 79.0;
    let delay_ns = 212_304.0 + burst_bits * 300.0 / 87.696;
    assert!((demand.delay_ns - delay_ns).abs() < 1e-3);
    assert_eq!(a.sizes[0].delay_ns, Some(demand.delay_ns));
    assert_eq!(demand.allowed_ns, Some(500_000));
    let waiting = (burst_bits + 250.632_911e6 * 212_304e-9) / 792.0;
    assert_eq!(demand.backlog_frames, f64::ceil(waiting) as u64);
    let text = report_table(&report);
    assert!(
        text.contains("demand      200Mbps in frames of 79 octets needs 250.6 Mb/s of wire: ok\n"),
        "{text}"
    );
    assert!(
        text.contains("bursts of 6KiB: delay 423.0 us of 500us allowed, up to 145 frames wait: ok"),
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
            "bounds the delay of PI \"a\" to 423.0 us, and its demand of 200Mbps in frames of 79 octets \
             with bursts of 6KiB asks for 400us: late by 23.0 us; phase short by 7.1 us in this cycle"
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

#[test]
fn the_document_of_strict_and_weighted_classes() {
    let report = of("[pi.a.level2]\ndiscipline = \"diffserv\"\n\
         nc = { rate = \"10Mbps\", burst = \"1518B\" }\n\
         rt = { rate = \"100Mbps\", burst = \"3160B\" }\n\
         as = { weight = 3 }");
    let report = report.unwrap();
    let document = serde_json::to_value(&report).unwrap();
    let level2 = &document["ports"][0]["pi"]["a"]["level2"];
    assert_eq!(document["ports"][0]["pi"]["b"].get("level2"), None);
    let near = |value: &serde_json::Value, expected: f64| {
        let found = value.as_f64().unwrap();
        assert!(
            (found - expected).abs() < expected * 1e-9,
            "{found} {expected}"
        );
    };
    assert_eq!(level2["discipline"], "diffserv");
    assert_eq!(
        (&level2["size"], &level2["lookahead_ns"]),
        (&79.into(), &20_000.into())
    );
    let (nc, rt) = (&level2["nc"], &level2["rt"]);
    assert_eq!(
        (&nc["rate_bps"], &nc["burst_bytes"]),
        (&10_000_000.into(), &1518.into())
    );
    assert_eq!(
        (&rt["rate_bps"], &rt["burst_bytes"]),
        (&100_000_000.into(), &3160.into())
    );
    // R = 292.32 Mb/s, T = 212.304 us and the lookahead; a frame of 1518 octets is 12,304 bits. On the
    // wire bursts and rates weigh 99/79 as much.
    let (rate, latency_ns) = (0.29232, 232_304.0);
    let (nc_rate, nc_bits) = (0.01 * 99.0 / 79.0, 1518.0 * 8.0 * 99.0 / 79.0);
    let (rt_rate, rt_bits) = (0.1 * 99.0 / 79.0, 3960.0 * 8.0);
    near(&nc["needs_bps"], nc_rate * 1e9);
    near(&rt["needs_bps"], rt_rate * 1e9);
    near(&nc["delay_ns"], latency_ns + (nc_bits + 12_304.0) / rate);
    let before = nc_bits + 12_304.0 + nc_rate * latency_ns;
    near(
        &rt["delay_ns"],
        latency_ns + (rt_bits + before) / (rate - nc_rate),
    );
    let left = (rate - nc_rate - rt_rate) * 1e9;
    assert_eq!(
        (&level2["as"]["weight"], &level2["be"]["weight"]),
        (&3.into(), &1.into())
    );
    near(&level2["as"]["guaranteed_bps"], left * 0.75);
    near(&level2["be"]["guaranteed_bps"], left * 0.25);
    let text = report_table(&report);
    assert!(
        text.contains("as  3/4 of rest       -    115.9      -\n"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn the_document_of_connections() {
    let connections: Vec<_> = (16..40)
        .map(|label| format!("{{ port = \"west\", label = {label}, rate = \"2Mbps\" }}"))
        .collect();
    let report = of(&format!(
        "[pi.a.level2]\ndiscipline = \"streams\"\nconnections = [{}]",
        connections.join(", ")
    ));
    let report = report.unwrap();
    let document = serde_json::to_value(&report).unwrap();
    let level2 = &document["ports"][0]["pi"]["a"]["level2"];
    assert_eq!(level2["discipline"], "streams");
    assert_eq!(level2["needs_bps"], 48_000_000);
    assert_eq!(level2["connections"].as_array().unwrap().len(), 24);
    let last = &level2["connections"][23];
    assert_eq!((&last["vn"], &last["label"]), (&0.into(), &39.into()));
    assert_eq!(last["rate_bps"], 2_000_000);
    // 12,304 bits at 2 Mb/s; a turn of each of 24, and a frame that is on its way. Signalling has a
    // hundredth, a frame at once and what comes in 316486 ns.
    assert_eq!(level2["signalling_bps"], 2923200);
    assert_eq!(last["interval_ns"], 6_152_000.0);
    let before = 0.29232 * 232_304.0 + 2.0 * 12_304.0 + 0.0029232 * 316486.0;
    let left = 0.29232 - 0.0029232;
    let near = |found: &serde_json::Value, expected: f64| {
        (found.as_f64().unwrap() - expected).abs() < 1e-3
    };
    assert!(near(&level2["base_ns"], before / left));
    assert!(near(&level2["octet_ns"], 8.0 / left));
    let delay_ns: f64 = (before + 24.0 * 12_304.0) / left;
    assert!(near(&last["delay_ns"], delay_ns));
    // Each has its turn before its next frame comes: it holds for all frames, and none takes less than
    // one of 64 octets, 672 ns.
    assert!(near(&last["bound_ns"], delay_ns));
    assert!(near(&last["variation_ns"], delay_ns - 672.0));
    assert_eq!(level2["most"], 4096);
    assert_eq!(level2["spare_bps"], 292_320_000 - 48_000_000 - 2923200);
    // Filled in: with it a connection has that bound from when its frames come.
    assert_eq!(last["tolerance_ns"], delay_ns.ceil() as u64);
    let text = report_table(&report);
    assert!(
        text.contains(
            "streams, 24 connections with 48.0 and signalling with 2.9 of 292.3 Mb/s of wire: ok;"
        ),
        "{text}"
    );
    assert!(text.contains("    and 8 more; with --json all\n"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn strict_classes_that_may_take_more_than_is_guaranteed_are_refused_by_how_much() {
    let with = |more: &str| of(&format!("[pi.a.level2]\ndiscipline = \"diffserv\"\n{more}"));
    // 250 Mb/s in frames of 79 octets are 313.3 on the wire, 5 % of 292.3 are 18.3.
    assert_eq!(
        with("rt = { rate = \"250Mbps\" }").unwrap_err(),
        "node.toml:8: port.west.cycle: guarantees PI \"a\" 292.3 Mb/s of wire, and its classes nc and rt, \
         policed to 14616kbps and 250Mbps, may need 331.6 Mb/s in frames of 79 octets: short by 39.3 \
         Mb/s; phase short by 12.6 us in this cycle"
    );
    assert!(with("rt = { rate = \"218Mbps\" }").is_ok());
    assert!(with("rt = { rate = \"219Mbps\" }").is_err());
    // The shares that are filled in always fit.
    assert!(with("").is_ok());
    // By what they bring in the smallest frames that the PI says it sends.
    assert!(
        with(
            "rt = { rate = \"250Mbps\" }\n[pi.a.demand]\nrate = \"1Mbps\"\nburst = \"2KiB\"\n\
                  size = 512"
        )
        .is_ok()
    );
}

/// With a rate that follows from the phases and one that does not, so much more phase holds, a little
/// less does not.
#[test]
fn the_phase_that_strict_classes_are_short_of_is_enough() {
    let with = |phase_ns: u64| {
        let text = format!(
            "[node]\nname = \"n1\"\n[[port]]\nname = \"west\"\nbackend = \"memory:w\"\n\
             mode = \"trunk\"\ncapacity = \"1Gbps\"\n\
             cycle = {{ phases = [{{ pi = \"a\", for = \"{phase_ns}ns\" }}, \
             {{ pi = \"none\", for = \"{}ns\" }}] }}\n\
             [pi.a]\ncode = 1\nguest = \"x.elf\"\n[pi.a.level2]\ndiscipline = \"diffserv\"\n\
             rt = {{ rate = \"250Mbps\" }}\n",
            300_000 - phase_ns
        );
        config::parse("node.toml", Path::new(""), &text, &[]).map_err(|error| error.to_string())
    };
    let said = with(100_000).unwrap_err();
    assert!(said.contains("phase short by 12.6 us"), "{said}");
    assert!(with(112_651).is_ok());
    assert!(with(112_540).is_err());
}

/// The policers of a running node keep the rates of the schedule that it started with.
#[test]
fn another_schedule_is_judged_by_the_rates_in_force() {
    let text = "[node]\nname = \"n1\"\n[[port]]\nname = \"west\"\nbackend = \"memory:w\"\n\
        mode = \"trunk\"\ncapacity = \"1Gbps\"\n\
        cycle = { phases = [{ pi = \"a\", for = \"250us\" }, { pi = \"none\", for = \"50us\" }] }\n\
        [pi.a]\ncode = 1\nguest = \"x.elf\"\nlevel2 = { discipline = \"diffserv\" }\n";
    let config = config::parse("node.toml", Path::new(""), text, &[]).unwrap();
    let mut planned = config.ports[0].clone();
    planned.phases[0].duration_ns = 50_000;
    planned.phases[1].duration_ns = 250_000;
    // R = 792.3 Mb/s, of which 35 % in frames of 79 octets are 347.5; of 50 us it is 125.7.
    let problems = config::schedule_problems(&planned, &config.needs_in_force(&config.ports[0]));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("guarantees PI \"a\" 125.7 Mb/s")
            && problems[0].contains("need 347.5 Mb/s"),
        "{problems:?}"
    );
    // Started with it, the classes are of its size.
    assert_eq!(
        config::schedule_problems(&planned, &config.named_needs()),
        [""; 0]
    );
}
