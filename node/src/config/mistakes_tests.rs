//! Every kind of mistake with its message, one at a time.

use pinode_guest_runtime::control;

use super::PortConfig;
use super::tests::{SMALL, messages, messages_of, read};

#[test]
fn mistakes_in_node() {
    for (line, message) in [
        (
            "workers = 65",
            "node.workers: 65 is not allowed; allowed: 1 to 64",
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
            "wake_interval = \"19us\"",
            "node.wake_interval: 19us is not allowed; allowed: 20us to 10ms",
        ),
        (
            "wake_interval = \"10001us\"",
            "node.wake_interval: 10001us is not allowed; allowed: 20us to 10ms",
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
            "8: port.west.cycle: phase 0 of PI \"can\" is too short by 304 ns: 12us less the guard of 0ns \
             leaves 12000 ns, and the largest frame (1518 octets with FCS) takes 12304 ns at 1Gbps; \
             needed: 12304 ns at least",
        ),
        (
            "phases =",
            "guard = \"90us\"\nphases =",
            "8: port.west.cycle: phase 0 of PI \"can\" is too short by 2304 ns: 100us less the guard of 90us \
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
        format!("[node]\nname = \"n1\"\n{ports}[pi.can]\ncode = 2\nguest = \"builtin:echo\"\n")
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
    let guest = "guest = \"builtin:echo\"";
    for (from, to, message) in [
        (
            "code = 2\n",
            "",
            "10: pi.can.code: is missing; needed: 1 to 7",
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
            "guest = \"builtin:echo\"\ninitrd = \"x\"",
            "13: pi.can.initrd: is not allowed with a built-in guest; allowed: with guest = \"PATH\"",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nvns = []",
            "13: pi.can.vns: is empty; needed: one virtual network at least, 0 to 31",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nvns = [0, 0]",
            "13: pi.can.vns[1]: virtual network 0 is named twice",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nvcpus = 0",
            "13: pi.can.vcpus: 0 is not allowed; allowed: 1 to 32",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nqueue = 100",
            "13: pi.can.queue: 100 is not allowed; allowed: a power of two from 64 to 4096",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nqueue = 8192",
            "13: pi.can.queue: 8192 is not allowed; allowed: 64 to 4096",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nmemory = \"4GiB\"",
            "13: pi.can.memory: 4GiB is not allowed; allowed: 8MiB to 3GiB, in whole pages of 4KiB",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\npih = \"drop\"",
            "13: pi.can.pih: \"drop\" is not allowed; allowed: \"keep\", \"strip\"",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nvns = [0, 1]\npih = \"strip\"",
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
            "guest = \"builtin:echo\"\npolice = { rate = \"1Mbps\" }",
            "13: pi.can.police.burst: is missing; needed: an amount, such as \"64KiB\"",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\npolice = { rate = \"1Mbps\", burst = \"1KiB\" }",
            "13: pi.can.police.burst: 1KiB is not allowed: the largest frame of 1518 octets could \
             never pass; allowed: 1518B or more",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\npolice = { rate = \"999bps\", burst = \"64KiB\" }",
            "13: pi.can.police.rate: police rate 999 bit/s is out of range: allowed are 1000 to \
             400000000000 bit/s",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = 1",
            "13: pi.can.cpu: is of type integer; allowed: a table",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { share = 1 }",
            "13: pi.can.cpu.share: unknown key; allowed: weight, deadline, cgroup",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { weight = 0 }",
            "13: pi.can.cpu.weight: 0 is not allowed; allowed: 1 to 10000",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { weight = 10001 }",
            "13: pi.can.cpu.weight: 10001 is not allowed; allowed: 1 to 10000",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\n[pi.can.cpu]\nweight = 100\ndeadline = { runtime = \"2ms\", period = \"10ms\" }",
            "14: pi.can.cpu.weight: is not allowed beside deadline, which comes before all weights; \
             allowed: one of the two",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { deadline = { runtime = \"2ms\" } }",
            "13: pi.can.cpu.deadline.period: is missing; needed: a duration, such as \"10ms\"",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { deadline = { runtime = \"11ms\", period = \"10ms\" } }",
            "13: pi.can.cpu.deadline.runtime: 11ms is not allowed; allowed: 1024ns to 10ms, the period",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { deadline = { runtime = \"1023ns\", period = \"10ms\" } }",
            "13: pi.can.cpu.deadline.runtime: 1023ns is not allowed; allowed: 1024ns to 10ms, the period",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { deadline = { runtime = \"50us\", period = \"99us\" } }",
            "13: pi.can.cpu.deadline.period: 99us is not allowed; allowed: 100us to 1s",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { deadline = { runtime = \"50us\", period = \"1001ms\" } }",
            "13: pi.can.cpu.deadline.period: 1001ms is not allowed; allowed: 100us to 1s",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { cgroup = \"pinode/can\" }",
            "13: pi.can.cpu.cgroup: \"pinode/can\" is not allowed; allowed: the absolute path of a cgroup \
             without \"..\", such as \"/sys/fs/cgroup/pinode/can\"",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\ncpu = { cgroup = \"/sys/fs/cgroup/../x\" }",
            "13: pi.can.cpu.cgroup: \"/sys/fs/cgroup/../x\" is not allowed; allowed: the absolute path of \
             a cgroup without \"..\", such as \"/sys/fs/cgroup/pinode/can\"",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nconfig = 1",
            "13: pi.can.config: is of type integer; allowed: a table",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\nconfig = { a = inf }",
            "13: pi.can.config: inf is not allowed; allowed: finite",
        ),
        (
            guest,
            "guest = \"builtin:echo\"\n[pi.dss]\ncode = 2\nguest = \"builtin:echo\"",
            "14: pi.dss.code: 2 with virtual network 0 is pi.can's already; allowed: another code, or virtual networks that no other PI of this code carries",
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
            "code = 2\nguest = \"builtin:echo\"",
            "code = 2\nguest = \"x.elf\"\n[node.more]"
        )
        .lines()
        .next(),
        Some(
            "node.toml:13: node.more: unknown key; allowed: name, ethertype, isolation, workers, idle, wake_interval, cpus, identity"
        )
    );
    let thread = SMALL.replace("[[port]]", "isolation = \"thread\"\n[[port]]");
    assert_eq!(
        messages_of(&thread.replace("builtin:echo", "x.elf")),
        "node.toml:13: pi.can.guest: \"x.elf\" cannot run as a thread; with isolation = \"thread\" \
         allowed: \"builtin:patch\", \"builtin:echo\""
    );
}

#[test]
fn a_patch_joins_ports_in_pairs() {
    let port = |name: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\nbackend = \"memory:{name}\"\nmode = \"trunk\"\n\
             capacity = \"1Gbps\"\ncycle = {{ phases = [{{ pi = \"can\", for = \"1ms\" }}] }}\n"
        )
    };
    let patch = SMALL.replace("builtin:echo", "builtin:patch");
    assert_eq!(
        messages_of(&patch),
        "node.toml:12: pi.can.guest: \"builtin:patch\" joins ports in pairs; 1 is configured"
    );
    assert!(read(&(patch.clone() + &port("east"))).is_ok());
    assert_eq!(
        messages_of(&(patch + &port("east") + &port("north"))),
        "node.toml:12: pi.can.guest: \"builtin:patch\" joins ports in pairs; 3 are configured"
    );
}

#[test]
fn a_config_fits_the_line_to_the_guest() {
    // {"a":"..."}: eight octets around the text.
    let config = |octets: usize| {
        let text = "x".repeat(octets - 8);
        SMALL.to_owned() + &format!("[pi.can.config]\na = \"{text}\"\n")
    };
    assert!(read(&config(61_440)).is_ok());
    assert_eq!(
        messages_of(&config(61_441)),
        "node.toml:13: pi.can.config: takes 61441 octets as JSON; allowed: at most 61440, which the \
         line to the guest has room for"
    );
    // Each octet of what must be escaped counts as it is sent.
    let escaped = SMALL.to_owned() + &format!("[pi.can.config]\na = '{}'\n", "\"".repeat(31_000));
    assert!(messages_of(&escaped).contains("takes 62008 octets"));
}

#[test]
fn the_largest_config_of_the_largest_node_fits_the_line() {
    let mut text = SMALL.to_owned();
    for index in 1..32 {
        text += &format!(
            "[[port]]\nname = \"a-long-name-{index:03}\"\nbackend = \"memory:m{index}\"\n\
             mode = \"trunk\"\nmtu = 9000\ncapacity = \"1Gbps\"\n\
             cycle = {{ phases = [{{ pi = \"can\", for = \"1ms\" }}] }}\n"
        );
    }
    let vns: Vec<String> = (0..32).map(|vn| vn.to_string()).collect();
    let pi = format!("vns = [{}]\n[pi.can.config]\n", vns.join(", "));
    let filling = format!("a = \"{}\"\n", "x".repeat(61_440 - 8));
    let text = text.replacen(
        "[[port]]\nname = \"a-",
        &(pi + &filling + "[[port]]\nname = \"a-"),
        1,
    );
    let node = read(&text).expect("right");
    let (pi, most) = (&node.pis[0], control::LINE_OCTETS);
    let vif = |port: &PortConfig| control::VifConfig {
        name: port.name.clone(),
        mac: "a2:50:49:02:00:1f".into(),
        mtu: port.mtu,
        access: Some(31),
    };
    let line = control::ToGuest::Config(control::Config {
        code: Some(7),
        ethertype: u16::MAX,
        seed: u64::MAX,
        function: pi.function().into(),
        vifs: node.ports.iter().map(vif).collect(),
        vns: pi.vns.iter().map(pinode_classifier::Vn::get).collect(),
        pi: pi.config.clone(),
        replay: true,
        idle_after_rounds: u32::MAX,
    });
    let line = serde_json::to_string(&line).expect("JSON");
    assert!(line.len() <= most, "{} octets", line.len());
}
