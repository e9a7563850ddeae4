//! Configurations that are right, and how what is wrong with others is reported.

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
identity = "hall-3"

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
pub(super) const SMALL: &str = r#"[node]
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
guest = "builtin:echo"
"#;

pub(super) fn read(text: &str) -> Result<NodeConfig, ConfigError> {
    parse(
        "node.toml",
        Path::new("/etc/pinode"),
        text,
        &["patch", "echo"],
    )
}

/// The messages for `SMALL` with `from` replaced by `to`.
pub(super) fn messages(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from} is not in the sample");
    messages_of(&SMALL.replacen(from, to, 1))
}

pub(super) fn messages_of(text: &str) -> String {
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
            "node.toml:2: node.nam: unknown key; allowed: name, ethertype, isolation, workers, idle, wake_interval, cpus, identity",
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
fn a_pi_needs_no_phase_on_the_access_port_of_another() {
    let text = SMALL.replace("mode = \"trunk\"", "mode = \"access\"\npi = \"can\"");
    let text = text + "[pi.dss]\ncode = 3\nguest = \"builtin:echo\"\n";
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

#[test]
fn a_guests_share_of_the_cpus_is_read() {
    let cpu = |text: &str| {
        let text = format!("{SMALL}cpu = {{ {text} }}\n");
        read(&text).unwrap().pis.swap_remove(0).cpu
    };
    assert_eq!(read(SMALL).unwrap().pis[0].cpu, CpuShare::default());
    assert_eq!(cpu(""), CpuShare::default());
    assert_eq!(cpu("weight = 10000").claim, Some(CpuClaim::Weight(10_000)));
    let share = cpu(
        "deadline = { runtime = \"0.5ms\", period = \"10ms\" }, cgroup = \"/sys/fs/cgroup/pinode/can\"",
    );
    let claim = CpuClaim::Deadline {
        runtime_ns: 500_000,
        period_ns: 10_000_000,
    };
    assert_eq!(share.claim, Some(claim));
    assert_eq!(share.cgroup, Some("/sys/fs/cgroup/pinode/can".into()));
}
