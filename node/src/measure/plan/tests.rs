//! What is refused before anything starts, and what plans hold.

use pinode_measure::results::{SizeLabel, Test};
use pinode_measure::stream::{Encapsulation, Transport};

use super::*;

fn asked(profile: Option<Profile>) -> Asked {
    Asked {
        profile,
        ..Asked::of_node(None)
    }
}

fn refused(change: impl FnOnce(&mut Asked)) -> String {
    let mut asked = asked(None);
    change(&mut asked);
    Plan::of(&asked).unwrap_err().to_string()
}

fn config(edit: impl Fn(String) -> String) -> (tempfile::TempDir, Under) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    std::fs::write(&file, edit(include_str!("node.toml").to_owned())).unwrap();
    let under = Under::Node {
        config: Some(file),
        isolation: None,
    };
    (folder, under)
}

#[test]
fn three_streams_at_their_ceilings_unless_told_otherwise() {
    let plan = Plan::of(&asked(None)).unwrap();
    assert_eq!(plan.profile, "quick");
    let labels: Vec<_> = plan
        .rounds
        .iter()
        .map(|round| round.size.label.clone())
        .collect();
    assert_eq!(labels, [79, 512, 1518].map(SizeLabel::Octets));
    let streams = &plan.rounds[0].traffic.streams;
    let names: Vec<_> = streams.iter().map(|stream| stream.pi.as_str()).collect();
    assert_eq!(names, ["ipv6qos", "can", "dss"]);
    for stream in streams {
        assert!((stream.ceiling_fps - 420e3).abs() < 1.0);
        assert!((stream.stream.spec.rate_fps - 420e3).abs() < 1.0);
        assert!(
            stream
                .wait
                .is_some_and(|wait| (wait.longest_ns - 200_792.0).abs() < 1.0)
        );
        assert_eq!(stream.stream.from, Side::West);
    }
    assert!(wire_bps(&plan.rounds[0].traffic, Side::West) <= 1e9);
    assert!(wire_bps(&plan.rounds[0].traffic, Side::East).abs() < 1e-9);
    assert_eq!(
        plan.tests,
        [
            Test::Throughput,
            Test::Latency,
            Test::Loss,
            Test::Saturation
        ]
    );
}

#[test]
fn profiles_have_their_sizes() {
    let sizes = |profile| Plan::of(&asked(Some(profile))).unwrap().rounds.len();
    assert_eq!(sizes(Profile::Rfc2544), 7);
    assert_eq!(sizes(Profile::Seed), 8, "seven and random ones");
    let mut one = asked(None);
    one.tests = vec![Test::Latency, Test::Latency];
    let plan = Plan::of(&one).unwrap();
    assert_eq!(
        (plan.profile, plan.rounds.len(), plan.tests.len()),
        ("single", 1, 1)
    );
}

#[test]
fn both_ways_at_once_double_the_streams() {
    let mut both = asked(None);
    both.bidirectional = true;
    both.streams = vec![
        "pi=can,dst=02:00:00:00:00:01,src_ip=2001:2::5"
            .parse()
            .unwrap(),
    ];
    let plan = Plan::of(&both).unwrap();
    let [there, back] = &plan.rounds[0].traffic.streams[..] else {
        panic!("two streams")
    };
    assert_eq!(
        (there.stream.from, back.stream.from),
        (Side::West, Side::East)
    );
    assert_eq!(there.stream.spec.mac.0, back.stream.spec.mac.1);
    assert_eq!(there.stream.spec.address.1, back.stream.spec.address.0);
    assert_ne!(there.stream.spec.id, back.stream.spec.id);
    // Each has its phase to itself: they leave by different ports.
    assert!((there.ceiling_fps - 420e3).abs() < 1.0 && (back.ceiling_fps - 420e3).abs() < 1.0);
}

#[test]
fn streams_of_one_pi_share_its_phase() {
    let mut two = asked(None);
    two.streams = ["pi=can", "pi=2"].map(|spec| spec.parse().unwrap()).into();
    let plan = Plan::of(&two).unwrap();
    for stream in &plan.rounds[0].traffic.streams {
        assert!((stream.ceiling_fps - 210e3).abs() < 1.0);
    }
}

#[test]
fn a_rate_above_the_port_is_refused() {
    let said = refused(|asked| asked.rate = Some("2Gbps".parse().unwrap()));
    assert!(
        said.contains("--rate 2000000000bps") && said.contains("west") && said.contains("1Gbps"),
        "{said}"
    );
    let said = refused(|asked| asked.streams = vec!["pi=can,rate=1Gbps".parse().unwrap()]);
    assert!(said.contains("1Gbps"), "{said}");
    let mut just = asked(None);
    just.rate = Some("330Mbps".parse().unwrap());
    just.sizes = vec!["1518".parse().unwrap()];
    assert!(
        Plan::of(&just).is_err(),
        "3 x 330 Mb/s of frames and their gaps are more than 1 Gb/s"
    );
    just.rate = Some("320Mbps".parse().unwrap());
    assert!(Plan::of(&just).is_ok());
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let said = refused(|asked| asked.sizes = vec!["1519".parse().unwrap()]);
    assert_eq!(
        said,
        "--sizes 1519: the path carries frames of up to 1518 octets with FCS"
    );
    let said = refused(|asked| asked.sizes = vec!["78".parse().unwrap()]);
    assert_eq!(
        said,
        "--sizes 78: cannot be sent; allowed: 79 to 9018 octets with FCS"
    );
}

#[test]
fn what_the_node_lacks_is_named() {
    let said = refused(|asked| asked.streams = vec!["pi=atm".parse().unwrap()]);
    assert_eq!(
        said,
        "--stream pi=atm: no such PI; allowed: ipv6qos, can, dss"
    );
    let said = refused(|asked| asked.streams = vec!["pi=can,vn=3".parse().unwrap()]);
    assert!(said.ends_with("allowed: 0"), "{said}");
    let said = refused(|asked| asked.streams = vec!["pi=can,encap=plain".parse().unwrap()]);
    assert!(said.contains("trunks carry a PIH"), "{said}");
}

#[test]
fn a_configuration_is_measured_in_memory_and_says_so() {
    let (_folder, under) = config(|text| text.replace("memory:west", "af_packet:eth7"));
    let mut asked = asked(None);
    asked.under = under;
    let plan = Plan::of(&asked).unwrap();
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("af_packet:eth7") && note.contains("memory"))
    );
}

#[test]
fn a_wrong_configuration_is_refused() {
    let (_folder, under) = config(|text| text.replace("capacity", "capacitee"));
    let said = refused(|asked| asked.under = under);
    assert!(
        said.contains("capacitee") && said.contains("node.toml"),
        "{said}"
    );
}

#[test]
fn a_node_with_one_port_has_no_far_end() {
    let (_folder, under) = config(|text| {
        let from = text.rfind("[[port]]").unwrap();
        let to = text.find("[pi.ipv6qos]").unwrap();
        format!("{}{}", &text[..from], &text[to..]).replace("builtin:patch", "./x.elf")
    });
    let said = refused(|asked| asked.under = under);
    assert!(
        said.contains("1 ports") && said.contains("allowed"),
        "{said}"
    );
}

/// Two access ports of the PI can, whose frames have the EtherType that `key` says.
fn access(key: &str) -> (tempfile::TempDir, Under) {
    config(|text| {
        let text = text.replace(
            "mode = \"trunk\"",
            "mode = \"access\"\npi = \"can\"\nvn = 0",
        );
        let phases = "phases = [ { pi = \"ipv6qos\", for = \"100us\" }, { pi = \"can\", for = \"100us\" }, { pi = \"dss\", for = \"100us\" } ]";
        assert!(text.contains(phases));
        let text = text.replace(phases, "phases = [ { pi = \"can\", for = \"300us\" } ]");
        let (from, to) = (
            text.find("[pi.ipv6qos]").unwrap(),
            text.find("[pi.can]").unwrap(),
        );
        let dss = text.find("[pi.dss]").unwrap();
        format!("{}{}", &text[..from], &text[to..dss])
            .replace("code = 2", &format!("code = 2\n{key}"))
    })
}

#[test]
fn access_ports_that_take_no_ipv6_are_refused() {
    // Every frame would be dropped at the first port and look lost.
    for (key, says) in [("", "0x"), ("ethertype = 0x9000", "0x9000")] {
        let (_folder, under) = access(key);
        let said = refused(|asked| asked.under = under);
        assert!(
            said.starts_with("port west:") && said.contains(says) && said.contains("0x86DD"),
            "{said}"
        );
    }
}

#[test]
fn a_size_is_refused_where_it_stands() {
    let said = refused(|asked| asked.streams = vec!["pi=can,size=78".parse().unwrap()]);
    assert!(said.starts_with("--stream size=78: "), "{said}");
    let said = refused(|asked| asked.sizes = vec!["78".parse().unwrap()]);
    assert!(said.starts_with("--sizes 78: "), "{said}");
}

#[test]
fn access_ports_of_one_pi_are_measured_with_plain_frames() {
    let (_folder, under) = access("ethertype = 0x86dd");
    let mut asked = asked(None);
    asked.under = under;
    asked.streams = vec!["udp,dscp=46".parse().unwrap()];
    let plan = Plan::of(&asked).unwrap();
    let spec = &plan.rounds[0].traffic.streams[0].stream.spec;
    assert_eq!(spec.encapsulation, Encapsulation::Plain);
    assert!(matches!(spec.transport, Transport::Udp { to: 7, .. }));
    assert_eq!(spec.traffic_class, 46 << 2);
}

#[test]
fn foreign_devices_are_reset_by_the_user_alone() {
    let links = Links {
        names: ["a", "b"].map(|name| name.parse().unwrap()),
        backend: None,
        capacity_bps: [1_000_000_000; 2],
        mtu: 1500,
    };
    let target = Target::Links(links);
    let mut notes = Vec::new();
    let mut asked = asked(Some(Profile::Rfc2544));
    let all = tests(&asked, Profile::Rfc2544, &target, &mut notes).unwrap();
    assert!(!all.contains(&Test::Reset) && notes.len() == 1);
    asked.tests = vec![Test::Reset];
    let said = tests(&asked, Profile::Rfc2544, &target, &mut notes)
        .unwrap_err()
        .to_string();
    assert!(said.contains("--reset-command"), "{said}");
    asked.reset_command = Some("true".into());
    assert!(tests(&asked, Profile::Rfc2544, &target, &mut notes).is_ok());
    let round = target.round(FrameSize::octets(79), &asked).unwrap();
    let line = 1e9 / (8.0 * 99.0);
    for stream in &round.traffic.streams {
        assert!((stream.ceiling_fps * 3.0 - line).abs() < 1e-3 && stream.wait.is_none());
    }
}
