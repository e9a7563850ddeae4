//! Mistakes of a demands file, and what its rates come to.

use super::*;

const PORTS: &str = "[[port]]\nname = \"west\"\ncapacity = \"1Gbps\"\n";

/// One PI that asks for this.
fn of(asked: &str) -> Demands {
    let pi = "[pi.can]\ncode = 2\nguest = \"builtin:patch\"";
    parse("demands.toml", &format!("{PORTS}{pi}\n{asked}\n")).unwrap()
}

#[test]
fn what_is_wrong_with_a_demands_file_is_told_by_line_and_key() {
    let text = "[node]\nname = \"n1\"\nspeed = 3\n[cycle]\nis = \"300us\"\nfrom = \"1us\"\n\
                [[port]]\nname = \"west\"\ncapacity = \"fast\"\n[[port]]\nname = \"east\"\ncapacity = \"1Gbps\"\nlaunch_time = 1\n\
                [pi.can]\ncode = 2\nguest = \"builtin:patch\"\nrate = \"1Mbps\"\nframes = 3\nsizes = { from = 500, to = 79 }\n\
                [pi.dss]\ncode = 9\nsizes = 20\nburst = \"10B\"\ncpu_cap = 200\nports = [\"north\"]\n";
    let said = parse("demands.toml", text).unwrap_err().to_string();
    let lines: Vec<&str> = said.lines().collect();
    for expected in [
        "demands.toml:3: node.speed: unknown key; allowed: name, isolation, cpus, worker_cap, stall",
        "demands.toml:6: cycle.from: is not allowed beside is, which names the one cycle",
        "demands.toml:9: port[0].capacity: \"fast\" is not allowed; allowed: a number and bps, kbps, Mbps or Gbps, such as \"1Gbps\"",
        "demands.toml:13: port[1].launch_time: is of type integer; allowed: true or false",
        "demands.toml:18: pi.can.frames: is not allowed beside rate; allowed: one of the two",
        "demands.toml:19: pi.can.sizes: goes from 500 to 79; allowed: to not below from",
        "demands.toml:21: pi.dss.code: 9 is not allowed; allowed: 1 to 7",
        "demands.toml:20: pi.dss.guest: is missing; needed: \"builtin:NAME\" or the path of an ELF or bzImage",
        "demands.toml:20: pi.dss: has no rate; needed: rate = \"100Mbps\", or frames = 100000 (a second)",
        "demands.toml:22: pi.dss.sizes: 20 is not allowed; allowed: 64 to 9018",
        "demands.toml:24: pi.dss.cpu_cap: 200 is not allowed; allowed: 1 to 100",
    ] {
        assert!(lines.contains(&expected), "{expected}\nis not in\n{said}");
    }
    let one = |text: &str| parse("d", text).unwrap_err().to_string();
    assert!(one("").contains("d:1: port: is missing; needed: a table [[port]] for each link"));
    assert!(one("port = [").starts_with("d:1:"));
    let burst = format!(
        "{PORTS}[pi.can]\ncode = 2\nguest = \"builtin:patch\"\nframes = 1\nsizes = [79, 512]\nburst = \"511B\"\n"
    );
    assert!(
        one(&burst).contains("allowed: 512B or more"),
        "{}",
        one(&burst)
    );
    let long = "[cycle]\nfrom = \"1us\"\nto = \"2s\"\nstep = \"1us\"\n";
    assert!(
        one(long).contains("has 2000000 cycles; allowed: at most 1000000"),
        "{}",
        one(long)
    );
}

/// Frames a second of several sizes: what the largest take of the wire, told in the smallest.
#[test]
fn a_rate_in_frames_weighs_as_the_largest() {
    let demands = of("frames = 1000\nsizes = [79, 1518]\nburst = \"4KiB\"");
    let configured = demands.pis[0].as_configured();
    assert_eq!((configured.size, configured.burst), (79, 4096));
    let wire = 1000.0 * 8.0 * 1538.0;
    let flow = configured.flow();
    assert!(
        flow.rho_bps >= wire && flow.rho_bps < wire + 2.0,
        "{flow:?}"
    );
    // Of one size it is the size's own rate.
    let alike = of("frames = 1000\nsizes = 512");
    assert_eq!(alike.pis[0].as_configured().rate_bps, 8 * 512 * 1000);
}
