//! Configurations that are right, and every mistake with its message.

use std::path::Path;

use pinode_classifier::{PiCode, Vn};
use pinode_ports::BackendSpec;

use super::*;

/// A node that makes use of every key.
const FULL: &str = r#"[node]
name = "n1"
ethertype = 0x88B6
isolation = "kvm"
workers = 1
cpus = { workers = [0], guests = [1] }

[[port]]
name = "west"
backend = "af_xdp:veth-w"
mode = "trunk"
capacity = "1Gbps"
mtu = 1400
[port.cycle]
guard = "2us"
phases = [
  { pi = "ipv6qos", for = "100us" },
  { pi = "none", for = "50us" },
  { pi = "video", for = "80us" },
]

[[port]]
name = "east"
backend = "pcap:in.pcap,/tmp/out.pcap"
mode = "access"
pi = "video"
vn = 3
ethertype = 0x0800
capacity = "2.5Gbps"
[port.cycle]
phases = [{ pi = "video", for = "1ms" }]

[pi.ipv6qos]
code = 1
guest = "builtin:patch"
police = { rate = "400Mbps", burst = "64KiB" }
[pi.ipv6qos.config.interface]
west = { mac = "02:00:00:01:01:01", address = ["2001:db8:1::1/64"] }
[[pi.ipv6qos.config.route]]
prefix = "2001:db8:9::/48"
metric = 0x10
share = 0.5
since = 2026-01-02

[pi.video]
code = 6
ethertype = 0x86DD
guest = "images/vmlinux"
initrd = "images/initrd"
cmdline = "quiet"
vns = [3]
vcpus = 2
memory = "1GiB"
pih = "strip"
queue = 512
"#;

/// The least there must be.
const SMALL: &str = r#"[node]
name = "n1"
[[port]]
name = "west"
backend = "memory:cable"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "can", for = "100us" }]
[pi.can]
code = 2
guest = "builtin:patch"
"#;

fn read(text: &str) -> Result<NodeConfig, ConfigError> {
    parse(
        "node.toml",
        Path::new("/etc/pinode"),
        text,
        &["patch", "echo"],
    )
}

/// The messages for `SMALL` with `from` replaced by `to`.
fn messages(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from} is not in the sample");
    messages_of(&SMALL.replacen(from, to, 1))
}

fn messages_of(text: &str) -> String {
    read(text).expect_err("a mistake").to_string()
}

#[test]
fn every_key_is_read() {
    let node = read(FULL).unwrap();
    assert_eq!(
        (node.name.as_str(), node.ethertype, node.isolation),
        ("n1", 0x88B6, Isolation::Kvm)
    );
    assert_eq!(
        (node.workers, node.cpus),
        (
            1,
            Cpus {
                workers: vec![0],
                guests: vec![1]
            }
        )
    );

    let [west, east] = &node.ports[..] else {
        panic!("two ports")
    };
    assert_eq!(west.name, "west");
    assert_eq!(west.backend, "af_xdp:veth-w".parse().unwrap());
    assert_eq!(
        (west.mode, west.capacity_bps),
        (PortMode::Trunk, 1_000_000_000)
    );
    assert_eq!(
        (west.mtu, west.largest_frame(), west.guard_ns),
        (1400, 1418, 2000)
    );
    assert_eq!(
        west.phases,
        [(Some(0), 100_000), (None, 50_000), (Some(1), 80_000)]
            .map(|(owner, duration_ns)| PhaseConfig { owner, duration_ns })
    );
    assert_eq!(west.cycle_ns(), 230_000);
    let (input, output) = (
        Some("/etc/pinode/in.pcap".into()),
        Some("/tmp/out.pcap".into()),
    );
    assert_eq!(east.backend, BackendSpec::Pcap { input, output });
    let vn = Vn::new(3).unwrap();
    assert_eq!(
        east.mode,
        PortMode::Access {
            slot: 1,
            vn,
            ethertype: 0x0800
        }
    );
    assert_eq!(
        (east.capacity_bps, east.mtu, east.guard_ns),
        (2_500_000_000, 1500, 0)
    );

    let [first, video] = &node.pis[..] else {
        panic!("two PIs")
    };
    assert_eq!(
        (first.name.as_str(), first.code),
        ("ipv6qos", PiCode::IPV6QOS)
    );
    assert_eq!(first.guest, GuestImage::Builtin("patch".into()));
    assert_eq!(first.guest.to_string(), "builtin:patch");
    assert_eq!(
        (first.vcpus, first.memory, first.queue),
        (1, 32 << 20, 4096)
    );
    assert_eq!((first.pih, first.ethertype), (PihMode::Keep, Some(0x86DD)));
    assert_eq!(
        first.police,
        Some(Police {
            rate_bps: 400_000_000,
            burst: 65_536
        })
    );
    assert_eq!(
        first.config,
        serde_json::json!({
            "interface": {
                "west": { "mac": "02:00:00:01:01:01", "address": ["2001:db8:1::1/64"] }
            },
            "route": [
                { "prefix": "2001:db8:9::/48", "metric": 16, "share": 0.5, "since": "2026-01-02" }
            ]
        })
    );
    assert_eq!(
        video.guest,
        GuestImage::File {
            kernel: "/etc/pinode/images/vmlinux".into(),
            initrd: Some("/etc/pinode/images/initrd".into()),
            cmdline: "quiet".into()
        }
    );
    assert_eq!((video.vcpus, video.memory, video.queue), (2, 1 << 30, 512));
    assert_eq!(video.pih, PihMode::Strip { ethertype: 0x86DD });
    assert_eq!(video.vns.iter().collect::<Vec<_>>(), [vn]);
    assert_eq!(video.config, serde_json::json!({}));
}

#[test]
fn what_is_left_out_has_its_default() {
    let node = read(SMALL).unwrap();
    assert_eq!(
        (node.ethertype, node.isolation, node.workers),
        (0x88B5, Isolation::Kvm, 1)
    );
    assert_eq!(node.cpus, Cpus::default());
    assert_eq!(node.ports[0].mtu, 1500);
    assert_eq!(node.pis[0].vns.iter().collect::<Vec<_>>(), [Vn::DEFAULT]);
}

#[test]
fn several_mistakes_are_said_together_in_the_order_of_the_file() {
    let text = r#"[node]
nam = "n1"
isolation = "xen"
[[port]]
name = "west"
backend = "ether:eth0"
mode = "trunkk"
capacity = "1 Gbps"
mtu = "large"
colour = "red"
[port.cycle]
guard = 5
phases = [{ pi = "cam", for = "100us" }, { pi = "can" }]
[pi.can]
code = 8
guest = "builtin:router"
vns = [32]
memory = "4MiB"
[pie]
"#;
    let found = messages_of(text);
    let found: Vec<&str> = found.lines().collect();
    let backend = found
        .iter()
        .position(|l| l.starts_with("node.toml:6: port.west.backend: "));
    assert!(
        backend.is_some_and(|i| found[i].contains("\"ether:eth0\"")),
        "{found:#?}"
    );
    let found: Vec<&str> = found
        .into_iter()
        .filter(|l| !l.contains("backend: "))
        .collect();
    assert_eq!(
        found,
        [
            "node.toml:1: node.name: is missing; needed: a name, such as \"n1\"",
            "node.toml:2: node.nam: unknown key; allowed: name, ethertype, isolation, workers, cpus",
            "node.toml:3: node.isolation: \"xen\" is not allowed; allowed: \"kvm\", \"thread\"",
            "node.toml:7: port.west.mode: \"trunkk\" is not allowed; allowed: \"trunk\", \"access\"",
            "node.toml:8: port.west.capacity: \"1 Gbps\" is not allowed; allowed: a number and bps, \
             kbps, Mbps or Gbps, such as \"1Gbps\"",
            "node.toml:9: port.west.mtu: is of type string; allowed: a whole number from 64 to 9000",
            "node.toml:10: port.west.colour: unknown key; allowed: name, backend, mode, pi, vn, \
             ethertype, capacity, mtu, cycle",
            "node.toml:12: port.west.cycle.guard: is of type integer; allowed: a string",
            "node.toml:13: port.west.cycle.phases[0].pi: there is no PI \"cam\"; allowed: can, none",
            "node.toml:13: port.west.cycle.phases[1].for: is missing; needed: a duration, such as \
             \"100us\"",
            "node.toml:15: pi.can.code: 8 is not allowed; allowed: 1 to 7",
            "node.toml:16: pi.can.guest: \"builtin:router\" is not allowed; allowed: \
             \"builtin:patch\", \"builtin:echo\" or the path of an ELF or bzImage",
            "node.toml:17: pi.can.vns[0]: 32 is not allowed; allowed: 0 to 31",
            "node.toml:18: pi.can.memory: 4MiB is not allowed; allowed: 8MiB to 3GiB, in whole \
             pages of 4KiB",
            "node.toml:19: pie: unknown key; allowed: node, pi, port",
        ]
    );
}

#[test]
fn a_mistake_in_the_syntax_is_said_alone() {
    let found = messages("mode = \"trunk\"", "mode = trunk");
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.starts_with("node.toml:6: "), "{found}");
    let found = messages("mode = \"trunk\"", "mode = \"trunk\"\nmode = \"trunk\"");
    assert!(found.starts_with("node.toml:7: duplicate key"), "{found}");
}

#[test]
fn an_empty_file_says_what_is_needed() {
    assert_eq!(
        messages_of(""),
        "node.toml:1: node: is missing; needed: a table [node] with a name\n\
         node.toml:1: pi: is missing; needed: a table [pi.NAME] for each Parallel Internet\n\
         node.toml:1: port: is missing; needed: a table [[port]] for each port"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let error = load(Path::new("/nowhere/node.toml"), &["patch"]).expect_err("no file");
    assert_eq!(
        error.to_string(),
        "/nowhere/node.toml: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn mistakes_in_node() {
    for (line, message) in [
        (
            "workers = 2",
            "node.workers: 2 is not allowed: several workers are not supported yet; allowed: 1",
        ),
        (
            "workers = 0",
            "node.workers: 0 is not allowed; allowed: 1 to 64",
        ),
        (
            "ethertype = 1500",
            "node.ethertype: 1500 is not allowed; allowed: 1536 to 65535",
        ),
        (
            "ethertype = -1",
            "node.ethertype: -1 is not allowed; allowed: 1536 to 65535",
        ),
        (
            "isolation = true",
            "node.isolation: is of type boolean; allowed: a string",
        ),
        (
            "cpus = { workers = [0, 1] }",
            "node.cpus.workers: names 2 CPUs; allowed: one for each of 1",
        ),
        (
            "cpus = { guests = [1, 1] }",
            "node.cpus.guests[1]: CPU 1 is named twice",
        ),
        (
            "cpus = { guest = [1] }",
            "node.cpus.guest: unknown key; allowed: workers, guests",
        ),
        (
            "cpus = [1]",
            "node.cpus: is of type array; allowed: a table",
        ),
    ] {
        let found = messages("name = \"n1\"", &format!("name = \"n1\"\n{line}"));
        assert_eq!(found, format!("node.toml:3: {message}"));
    }
    for name in ["", "N1", "a name", "a-name-of-more-x", "-a"] {
        assert_eq!(
            messages("\"n1\"", &format!("{name:?}")),
            format!(
                "node.toml:2: node.name: {name:?} is not allowed as a name; allowed: 1 to 15 of \
                 a-z, 0-9 and -, not - first"
            )
        );
    }
}

#[test]
fn mistakes_in_a_port() {
    let access = "mode = \"access\"";
    for (from, to, message) in [
        (
            "name = \"west\"\n",
            "",
            "3: port[0].name: is missing; needed: a name, such as \"west\"",
        ),
        (
            "mode = \"trunk\"\n",
            "",
            "3: port.west.mode: is missing; needed: \"trunk\" or \"access\"",
        ),
        (
            "mode = \"trunk\"",
            "mode = \"trunk\"\npi = \"can\"",
            "7: port.west.pi: is not allowed on a trunk; allowed: with mode = \"access\"",
        ),
        (
            "mode = \"trunk\"",
            access,
            "3: port.west: is an access port without the key pi; needed: the PI it belongs to",
        ),
        (
            "mode = \"trunk\"",
            "mode = \"access\"\npi = \"dss\"",
            "7: port.west.pi: there is no PI \"dss\"; allowed: can",
        ),
        (
            "mode = \"trunk\"",
            "mode = \"access\"\npi = \"can\"\nvn = 4",
            "8: port.west.vn: virtual network 4 is not one of PI \"can\"; allowed: 0",
        ),
        (
            "mode = \"trunk\"",
            "mode = \"access\"\npi = \"can\"\nethertype = 0x88B5",
            "8: port.west.ethertype: 0x88B5 is the EtherType of frames with PIH; allowed: another",
        ),
        (
            "capacity = \"1Gbps\"",
            "capacity = \"0bps\"",
            "7: port.west.capacity: \"0bps\" is not allowed; allowed: more than 0",
        ),
        (
            "capacity = \"1Gbps\"",
            "capacity = \"1Gbps\"\nmtu = 9001",
            "8: port.west.mtu: 9001 is not allowed; allowed: 64 to 9000",
        ),
        (
            "for = \"100us\"",
            "for = \"0us\"",
            "9: port.west.cycle.phases[0].for: \"0us\" is not allowed; allowed: more than 0",
        ),
        (
            "for = \"100us\"",
            "for = \"11s\"",
            "9: port.west.cycle.phases: make a cycle of 11s; allowed: at most 10s",
        ),
        (
            "[{ pi = \"can\", for = \"100us\" }]",
            "[]",
            "9: port.west.cycle.phases: has 0 phases; allowed: 1 to 1024",
        ),
        (
            "[port.cycle]\nphases = [{ pi = \"can\", for = \"100us\" }]\n",
            "",
            "3: port.west.cycle: is missing; needed: a table [port.cycle] with phases",
        ),
        (
            "for = \"100us\"",
            "for = \"12us\"",
            "8: port.west.cycle: phase 0 of PI \"can\" is too short: 12us less the guard of 0ns \
             leaves 12000 ns, and the largest frame (1518 octets with FCS) takes 12304 ns at 1Gbps; \
             needed: 12304 ns at least",
        ),
        (
            "phases =",
            "guard = \"90us\"\nphases =",
            "8: port.west.cycle: phase 0 of PI \"can\" is too short: 100us less the guard of 90us \
             leaves 10000 ns, and the largest frame (1518 octets with FCS) takes 12304 ns at 1Gbps; \
             needed: 102304 ns at least",
        ),
        (
            "pi = \"can\", for",
            "pi = \"none\", for",
            "8: port.west.cycle: has no phase for PI \"can\", whose guest could never send here; \
             needed: a phase for each PI that the port carries",
        ),
    ] {
        assert_eq!(messages(from, to), format!("node.toml:{message}"));
    }
}

#[test]
fn mistakes_between_ports() {
    let port = |name: &str, backend: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\nbackend = \"{backend}\"\nmode = \"trunk\"\n\
             capacity = \"1Gbps\"\ncycle = {{ phases = [{{ pi = \"can\", for = \"1ms\" }}] }}\n"
        )
    };
    let node = |ports: &str| {
        format!("[node]\nname = \"n1\"\n{ports}[pi.can]\ncode = 2\nguest = \"builtin:patch\"\n")
    };
    let two = |a: (&str, &str), b: (&str, &str)| node(&(port(a.0, a.1) + &port(b.0, b.1)));
    assert_eq!(
        messages_of(&two(("a", "memory:x"), ("a", "memory:x"))),
        "node.toml:10: port[1].name: \"a\" is the name of another port already"
    );
    assert_eq!(
        messages_of(&two(("a", "af_xdp:eth0"), ("b", "af_packet:eth0"))),
        "node.toml:11: port.b.backend: is taken by port a already; allowed: an interface for each port"
    );
    assert_eq!(
        messages_of(&two(("a", "pcap:a,o"), ("b", "pcap:b,o"))),
        "node.toml:11: port.b.backend: is taken by port a already; allowed: a trace to write for each port"
    );
    assert!(read(&two(("a", "memory:x"), ("b", "memory:x"))).is_ok());
    assert!(read(&two(("a", "pcap:i,"), ("b", "pcap:i,"))).is_ok());
    let three = port("a", "memory:x") + &port("b", "memory:x") + &port("c", "memory:x");
    assert_eq!(
        messages_of(&node(&three)),
        "node.toml:17: port.c.backend: is taken by port a and b already; allowed: two ports of one \
         memory name, a cable's ends"
    );
    let many = (0..33).map(|i| port(&format!("p{i}"), &format!("memory:m{i}")));
    let found = messages_of(&node(&many.collect::<String>()));
    assert_eq!(
        found,
        "node.toml:3: port: there are 33 ports; allowed: 1 to 32"
    );
}

#[test]
fn mistakes_in_a_pi() {
    let guest = "guest = \"builtin:patch\"";
    for (from, to, message) in [
        (
            "code = 2\n",
            "",
            "10: pi.can.code: is missing; needed: 1 to 7, one that no other PI has",
        ),
        (
            "code = 2",
            "code = 0",
            "11: pi.can.code: 0 is not allowed; allowed: 1 to 7",
        ),
        (
            guest,
            "guest = \"\"",
            "12: pi.can.guest: \"\" is no path; needed: \"builtin:NAME\" or a path",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\ninitrd = \"x\"",
            "13: pi.can.initrd: is not allowed with a built-in guest; allowed: with guest = \"PATH\"",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nvns = []",
            "13: pi.can.vns: is empty; needed: one virtual network at least, 0 to 31",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nvns = [0, 0]",
            "13: pi.can.vns[1]: virtual network 0 is named twice",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nvcpus = 0",
            "13: pi.can.vcpus: 0 is not allowed; allowed: 1 to 32",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nqueue = 100",
            "13: pi.can.queue: 100 is not allowed; allowed: a power of two from 64 to 4096",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nqueue = 8192",
            "13: pi.can.queue: 8192 is not allowed; allowed: 64 to 4096",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nmemory = \"4GiB\"",
            "13: pi.can.memory: 4GiB is not allowed; allowed: 8MiB to 3GiB, in whole pages of 4KiB",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\npih = \"drop\"",
            "13: pi.can.pih: \"drop\" is not allowed; allowed: \"keep\", \"strip\"",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nvns = [0, 1]\npih = \"strip\"",
            "14: pi.can.pih: \"strip\" is not allowed with 2 virtual networks, which only the PIH \
             tells apart; allowed: one VN in vns, or \"keep\"",
        ),
        (
            "code = 2",
            "code = 5\npih = \"strip\"",
            "12: pi.can.pih: \"strip\" needs the key ethertype: only codes 1, 2 and 3 have one by default",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\npolice = { rate = \"1Mbps\" }",
            "13: pi.can.police.burst: is missing; needed: an amount, such as \"64KiB\"",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\npolice = { rate = \"1Mbps\", burst = \"1KiB\" }",
            "13: pi.can.police.burst: 1KiB is not allowed: the largest frame of 1518 octets could \
             never pass; allowed: 1518B or more",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nconfig = 1",
            "13: pi.can.config: is of type integer; allowed: a table",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\nconfig = { a = inf }",
            "13: pi.can.config: inf is not allowed; allowed: finite",
        ),
        (
            guest,
            "guest = \"builtin:patch\"\n[pi.dss]\ncode = 2\nguest = \"builtin:echo\"",
            "14: pi.dss.code: 2 is the code of pi.can already",
        ),
    ] {
        // A PI too many lacks its phase; that is said as well, and is tested with the ports.
        let found = messages(from, to);
        let found: Vec<&str> = found
            .lines()
            .filter(|l| !l.contains("has no phase"))
            .collect();
        assert_eq!(found, [format!("node.toml:{message}")]);
    }
    assert_eq!(
        messages(
            "code = 2\nguest = \"builtin:patch\"",
            "code = 2\nguest = \"x.elf\"\n[node.more]"
        )
        .lines()
        .next(),
        Some(
            "node.toml:13: node.more: unknown key; allowed: name, ethertype, isolation, workers, cpus"
        )
    );
    let thread = SMALL.replace("[[port]]", "isolation = \"thread\"\n[[port]]");
    assert_eq!(
        messages_of(&thread.replace("builtin:patch", "x.elf")),
        "node.toml:13: pi.can.guest: \"x.elf\" cannot run as a thread; with isolation = \"thread\" \
         allowed: \"builtin:patch\", \"builtin:echo\""
    );
}

#[test]
fn a_pi_needs_no_phase_on_the_access_port_of_another() {
    let text = SMALL.replace("mode = \"trunk\"", "mode = \"access\"\npi = \"can\"");
    let text = text + "[pi.dss]\ncode = 3\nguest = \"builtin:patch\"\n";
    let node = read(&text).unwrap();
    assert_eq!(
        node.ports[0].mode,
        PortMode::Access {
            slot: 0,
            vn: Vn::DEFAULT,
            ethertype: 0x8624
        }
    );
}

#[test]
fn a_free_code_on_an_access_port_needs_an_ethertype() {
    let text = SMALL.replace("mode = \"trunk\"", "mode = \"access\"\npi = \"can\"");
    let text = text.replace("code = 2", "code = 4");
    assert_eq!(
        messages_of(&text),
        "node.toml:7: port.west.pi: \"can\" has no EtherType of its own; needed: the key ethertype \
         here or in pi.can"
    );
    assert!(read(&text.replace("code = 4", "code = 4\nethertype = 0x0800")).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_panics(cut in 0..FULL.len(), junk in ".{0,8}") {
        if FULL.is_char_boundary(cut) {
            let (head, tail) = FULL.split_at(cut);
            let _ = read(&format!("{head}{junk}{tail}"));
            let _ = read(&format!("{head}{junk}"));
        }
    }
}
