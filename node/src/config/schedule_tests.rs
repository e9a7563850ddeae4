//! What may be asked of a schedule, and how a mistake in it is told.

use super::super::tests::{SMALL, messages, read};
use super::*;

const CYCLE: &str = "[port.cycle]\n";

fn port(cycle: &str) -> PortConfig {
    let text = SMALL.replacen(CYCLE, &format!("{CYCLE}{cycle}\n"), 1);
    read(&text).unwrap().ports.swap_remove(0)
}

#[test]
fn base_time_and_extension_have_their_units_and_defaults() {
    let plain = port("");
    assert_eq!((plain.base_tai_ns, plain.extension_ns), (0, 0));
    let both = port("base_time = \"1700000000.5s\"\nextension = \"20us\"");
    assert_eq!(
        (both.base_tai_ns, both.extension_ns),
        (1_700_000_000_500_000_000, 20_000)
    );
    assert_eq!(port("base_time = 17").base_tai_ns, 17);
    // As long as the cycle is allowed.
    assert_eq!(port("extension = \"100us\"").extension_ns, 100_000);
}

#[test]
fn mistakes_in_base_time_and_extension() {
    for (line, message) in [
        (
            "base_time = \"soon\"",
            "9: port.west.cycle.base_time: \"soon\" is not allowed; allowed: a number and ns, us, ms or s, \
             such as \"100us\"",
        ),
        (
            "base_time = -1",
            "9: port.west.cycle.base_time: -1 is not allowed; allowed: 0 to 18446744073709551615",
        ),
        // The clock ends in the year 2554.
        (
            "base_time = \"18446744074s\"",
            "9: port.west.cycle.base_time: \"18446744074s\" is not allowed; allowed: whole nanoseconds, at \
             most 18446744073709551615",
        ),
        (
            "base_time = true",
            "9: port.west.cycle.base_time: is of type boolean; allowed: a string",
        ),
        (
            "extension = \"101us\"",
            "8: port.west.cycle: an extension of 101us is longer than the cycle; allowed: at most 100us",
        ),
        (
            "basetime = 5",
            "9: port.west.cycle.basetime: unknown key; allowed: guard, extension, base_time, phases",
        ),
    ] {
        let found = messages(CYCLE, &format!("{CYCLE}{line}\n"));
        assert_eq!(found, format!("node.toml:{message}"), "{line}");
    }
}

#[test]
fn what_a_pi_needs_is_read() {
    let text = SMALL.to_owned()
        + "max_sdu = 46\ndemand = { rate = \"1Mbps\", burst = \"64B\", size = 64, delay = \"1ms\", frames = 1953, own_latency = \"80us\" }\n";
    let needs = read(&text).unwrap().pis[0].needs;
    let demand = Demand {
        rate_bps: 1_000_000,
        burst: 64,
        size: 64,
        delay_ns: Some(1_000_000),
        frames: Some(1953),
        own_latency_ns: Some(80_000),
    };
    assert_eq!((needs.max_sdu, needs.demand), (Some(46), Some(demand)));
    let text = SMALL.to_owned() + "demand = { rate = \"1Mbps\", burst = \"79B\" }\n";
    let demand = read(&text).unwrap().pis[0].needs.demand.unwrap();
    assert_eq!((demand.size, demand.delay_ns), (79, None));
    assert_eq!(read(SMALL).unwrap().pis[0].needs, Needs::default());
}

#[test]
fn mistakes_in_what_a_pi_needs() {
    for (line, message) in [
        (
            "max_sdu = 45",
            "pi.can.max_sdu: 45 is not allowed; allowed: 46 to 9000",
        ),
        (
            "max_sdu = 1501",
            "pi.can.max_sdu: 1501 is more than any port's mtu; allowed: 46 to 1500",
        ),
        (
            "demand = { rate = \"1Mbps\" }",
            "pi.can.demand.burst: is missing; needed: an amount, such as \"64KiB\"",
        ),
        (
            "demand = { rate = \"1Mbps\", burst = \"79B\", frames = 1583 }",
            "pi.can.demand.frames: 1583 frames of 79 octets a second are more than the rate of 1Mbps; allowed: at most \
             1582, or a larger rate",
        ),
        (
            "demand = { rate = \"1Mbps\", burst = \"78B\" }",
            "pi.can.demand.burst: 78B is not allowed: a frame of 79 octets would be no burst; allowed: \
             79B or more",
        ),
        (
            "demand = { rate = \"1Mbps\", burst = \"1MiB\", size = 63 }",
            "pi.can.demand.size: 63 is not allowed; allowed: 64 to 9018",
        ),
        (
            "demand = { rate = \"1Mbps\", burst = \"1MiB\", size = 1519 }",
            "pi.can.demand.size: 1519 is more than its largest frame of 1518 octets; allowed: 64 to 1518",
        ),
        (
            "demand = { rate = \"1Mbps\", burst = \"1MiB\", jitter = \"1us\" }",
            "pi.can.demand.jitter: unknown key; allowed: rate, burst, size, delay, frames, own_latency",
        ),
    ] {
        let end = "guest = \"builtin:echo\"\n";
        let found = messages(end, &format!("{end}{line}\n"));
        assert_eq!(found, format!("node.toml:13: {message}"), "{line}");
    }
}

/// Each port's own MTU limits too, and a PI is judged by its own largest frame.
#[test]
fn the_smaller_of_mtu_and_max_sdu_holds() {
    let port = port("");
    let needs = |max_sdu| Needs {
        max_sdu,
        demand: None,
        diffserv: None,
    };
    assert_eq!(port.largest_frame_of(needs(None)), 1518);
    assert_eq!(port.largest_frame_of(needs(Some(1000))), 1018);
    assert_eq!(port.largest_frame_of(needs(Some(9000))), 1518);
    // 8 (1018 + 20) ns at 1 Gb/s.
    let exact = PortConfig {
        phases: vec![super::super::PhaseConfig {
            owner: Some(0),
            duration_ns: 8_304,
        }],
        ..port
    };
    assert_eq!(
        schedule_problems(&exact, &[("can", needs(Some(1000)))]),
        [""; 0]
    );
    let short = schedule_problems(&exact, &[("can", needs(Some(1001)))]);
    assert!(
        short[0].starts_with("phase 0 of PI \"can\" is too short by 8 ns: 8304ns less"),
        "{short:?}"
    );
    assert!(exact.schedule(&[needs(Some(1000))]).is_ok());
    assert!(exact.schedule(&[needs(Some(1001))]).is_err());
}

/// Durations are an operator's, and what is asked of a running node is judged before it is a cycle.
#[test]
fn phases_longer_than_the_clock_are_no_cycle() {
    let phase = super::super::PhaseConfig {
        owner: Some(0),
        duration_ns: u64::MAX,
    };
    let port = PortConfig {
        phases: vec![phase, phase],
        ..port("")
    };
    assert_eq!(port.cycle_ns(), u64::MAX);
    let _ = schedule_problems(&port, &[("can", Needs::default())]);
    assert_eq!(
        port.schedule(&[]),
        Err(CycleError::TooLong { phase: 0 }.into())
    );
}
