//! Rules, policers and counters together, as the router uses them.

use pinode_guest_ipv6qos::control::item::{ClassRule, ColourAction, Meter, Policer};
use pinode_guest_ipv6qos::control::matching::Dscp;
use pinode_guest_ipv6qos::control::view::{Count, PolicerView};
use pinode_guest_ipv6qos::diffserv::{BurstCounts, Diffserv, Mark, Phb};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use pinode_guest_ipv6qos::rules::{SLICE, Tables};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;
use proptest::prelude::*;

use crate::seeded;

const MS: u64 = 1_000_000;

fn packet(traffic_class: u8, port: u16, octets: u16) -> Fields {
    Fields {
        source: 1,
        destination: 2,
        interface: InterfaceId::new(VifIndex(0), Vn::default()),
        source_port: 1,
        destination_port: port,
        protocol: protocol::UDP,
        traffic_class,
        tcp_flags: 0,
        upper: Upper::Read,
        fragment: false,
        fragment_id: 0,
        identifier: 0,
        local: false,
        octets,
    }
}

fn dscp(name: &str) -> Dscp {
    name.parse().unwrap()
}

/// The traffic class of a code point, with ECN of 1.
fn class(name: &str) -> u8 {
    dscp(name).get() << 2 | 1
}

/// An octet in a millisecond, bursts of 1000 octets and 500.
fn srtcm(name: &str) -> Policer {
    serde_json::from_value(serde_json::json!({
        "name": name, "meter": "srtcm", "cir": "8kbps", "cbs": "1000B", "ebs": "500B",
    }))
    .unwrap()
}

fn trtcm(name: &str) -> Policer {
    serde_json::from_value(serde_json::json!({
        "name": name, "meter": "trtcm", "cir": "8kbps", "cbs": "1000B", "pir": "16kbps", "pbs": "1500B",
    }))
    .unwrap()
}

fn rule(text: &str) -> ClassRule {
    serde_json::from_str(text).unwrap()
}

/// What is under test, with tables and one burst at a time.
struct Bench {
    diffserv: Diffserv,
    tables: Tables,
    now_ns: u64,
}

impl Bench {
    fn with(policers: &[Policer], rules: &[&str]) -> Self {
        let mut bench = Bench {
            diffserv: Diffserv::new(8),
            tables: Tables::new(),
            now_ns: 0,
        };
        for policer in policers {
            bench.diffserv.add_policer(policer).unwrap();
        }
        for text in rules {
            bench.add(text).unwrap();
        }
        bench
    }

    fn add(&mut self, text: &str) -> Result<ClassRule, String> {
        let Bench {
            diffserv, tables, ..
        } = self;
        let none = |name: &str| Err(format!("there is no interface {name}"));
        let added = diffserv.add_class(tables, &none, &rule(text));
        self.work();
        added.map_err(|error| error.to_string())
    }

    fn replace(&mut self, text: &str) -> Result<ClassRule, String> {
        let Bench {
            diffserv, tables, ..
        } = self;
        let none = |name: &str| Err(format!("there is no interface {name}"));
        let replaced = diffserv.replace_class(tables, &none, &rule(text));
        self.work();
        replaced.map_err(|error| error.to_string())
    }

    fn delete(&mut self, priority: u32) -> Result<ClassRule, String> {
        let rule = ClassRule {
            priority: Some(priority),
            ..rule("{}")
        };
        let deleted = self.diffserv.delete_class(&mut self.tables, &rule);
        self.work();
        deleted.map_err(|error| error.to_string())
    }

    fn work(&mut self) {
        while !self.diffserv.work(&mut self.tables, SLICE) {}
    }

    fn marks(&mut self, packets: &[Fields]) -> Vec<Mark> {
        let mut marks = vec![Mark::Drop; packets.len()];
        { &mut self.diffserv }.mark_burst(self.now_ns, &self.tables, packets, &mut marks);
        marks
    }

    fn mark(&mut self, traffic_class: u8, port: u16, octets: u16) -> Mark {
        self.marks(&[packet(traffic_class, port, octets)])[0]
    }

    fn counter(&self, name: &str) -> Count {
        let mut all = self.diffserv.counters();
        all.find(|view| view.counter == name).expect(name).count
    }

    fn policer(&self, name: &str) -> PolicerView {
        let mut all = self.diffserv.policers(None);
        all.find(|view| view.policer.name == name).unwrap()
    }
}

fn count(packets: u64, octets: u64) -> Count {
    Count { packets, octets }
}

#[test]
fn without_rules_packets_are_only_counted() {
    let mut bench = Bench::with(&[srtcm("idle")], &[]);
    assert!(bench.diffserv.is_plain());
    let packets: Vec<Fields> = (0..=255).map(|tc| packet(tc, 1, 100)).collect();
    let expected: Vec<Mark> = (0..=255).map(Mark::Pass).collect();
    assert_eq!(bench.marks(&packets), expected);
    let mut passed = BurstCounts::default();
    packets[..64]
        .iter()
        .for_each(|packet| passed.add(packet.traffic_class, packet.octets));
    bench.diffserv.count(&passed);
    let code_points = |phb: Phb| (0..64).filter(|dscp| Phb::of(dscp << 2) == phb).count() as u64;
    let again = |phb: Phb| (0..16).filter(|dscp| Phb::of(dscp << 2) == phb).count() as u64;
    for phb in Phb::ALL {
        let packets = 4 * (code_points(phb) + again(phb));
        let passed = count(packets, 100 * packets);
        assert_eq!(bench.counter(&format!("class.{}", phb.name())), passed);
        let policed = bench.counter(&format!("class.{}.policed", phb.name()));
        assert_eq!(policed, Count::default());
    }
}

#[test]
fn the_first_rule_marks_and_polices() {
    let mut bench = Bench::with(
        &[srtcm("gold")],
        &[
            r#"{"priority":10,"match":{"dport":"80"},"dscp":"AF11","policer":"gold"}"#,
            r#"{"priority":20,"match":{"dport":"80-90"},"dscp":"CS2"}"#,
            r#"{"match":{"dport":"5060"},"dscp":"EF"}"#,
        ],
    );
    assert!(!bench.diffserv.is_plain());
    let pass = |name| Mark::Pass(class(name));
    assert_eq!(bench.mark(class("DF"), 80, 1000), pass("AF11"));
    assert_eq!(bench.mark(class("DF"), 80, 500), pass("AF12"));
    assert_eq!(bench.mark(class("DF"), 80, 1), Mark::Drop);
    assert_eq!(bench.mark(class("DF"), 85, 1), pass("CS2"));
    assert_eq!(bench.mark(class("CS1"), 5060, 200), pass("EF"));
    assert_eq!(bench.mark(class("CS1"), 53, 100), pass("CS1"));
    assert_eq!(bench.counter("class.as.1"), count(2, 1001));
    assert_eq!(bench.counter("class.as.2"), count(1, 500));
    assert_eq!(bench.counter("class.as.1.policed"), count(1, 1));
    assert_eq!(bench.counter("class.rt"), count(1, 200));
    assert_eq!(bench.counter("class.be"), count(1, 100));
    let view = bench.policer("gold");
    assert_eq!(view.green_count, count(1, 1000));
    assert_eq!(view.yellow_count, count(1, 500));
    assert_eq!(view.red_count, count(1, 1));
    let seen: Vec<(Option<u32>, u64)> = { bench.diffserv.classes(None) }
        .map(|view| (view.rule.priority, view.count.packets))
        .collect();
    assert_eq!(seen, [(Some(10), 3), (Some(20), 1), (Some(30), 1)]);
}

#[test]
fn colours_do_what_they_are_told() {
    let policer = Policer {
        green: ColourAction::Precedence,
        yellow: ColourAction::Dscp(dscp("CS1")),
        red: ColourAction::Pass,
        ..srtcm("p")
    };
    let mut bench = Bench::with(&[policer], &[r#"{"policer":"p"}"#]);
    assert_eq!(bench.mark(class("AF43"), 1, 900), Mark::Pass(class("AF41")));
    // What has no drop precedence passes as it is.
    assert_eq!(bench.mark(class("EF"), 1, 100), Mark::Pass(class("EF")));
    assert_eq!(bench.mark(class("AF43"), 1, 500), Mark::Pass(class("CS1")));
    assert_eq!(bench.mark(class("AF43"), 1, 500), Mark::Pass(class("AF43")));
}

#[test]
fn aware_policers_take_the_colour_that_came() {
    let policer = Policer {
        aware: true,
        ..trtcm("p")
    };
    let rules = [r#"{"match":{"dport":"1"},"dscp":"AF21","policer":"p"}"#];
    let mut bench = Bench::with(&[policer], &rules);
    // Yellow and red as they came, although the rule says AF21.
    assert_eq!(bench.mark(class("AF12"), 1, 500), Mark::Pass(class("AF22")));
    assert_eq!(bench.mark(class("AF13"), 1, 1), Mark::Drop);
    assert_eq!(
        bench.mark(class("AF11"), 1, 1000),
        Mark::Pass(class("AF21"))
    );
    assert_eq!(bench.policer("p").green_count, count(1, 1000));
    // Blind ones do not look.
    let mut bench = Bench::with(&[trtcm("p")], &rules);
    assert_eq!(
        bench.mark(class("AF13"), 1, 1000),
        Mark::Pass(class("AF21"))
    );
}

#[test]
fn replaced_policers_and_rules_go_on_counting() {
    let mut bench = Bench::with(
        &[srtcm("p")],
        &[r#"{"priority":7,"match":{"dport":"1"},"policer":"p"}"#],
    );
    assert_eq!(bench.mark(0, 1, 1000), Mark::Pass(0));
    bench.diffserv.replace_policer(&trtcm("p")).unwrap();
    let error = bench.diffserv.replace_policer(&Policer {
        pbs: None,
        ..trtcm("p")
    });
    assert!(error.is_err());
    assert_eq!(
        bench.mark(0, 1, 1000),
        Mark::Pass(0),
        "its buckets are full"
    );
    let view = bench.policer("p");
    assert_eq!(
        (view.policer, view.green_count),
        (trtcm("p"), count(2, 2000))
    );
    bench
        .replace(r#"{"priority":7,"match":{"dport":"1-2"},"dscp":"EF"}"#)
        .unwrap();
    assert_eq!(bench.mark(0, 2, 50), Mark::Pass(46 << 2));
    let view = bench.diffserv.classes(None).next().unwrap();
    assert_eq!((view.rule.policer, view.count), (None, count(3, 2050)));
    bench.diffserv.delete_policer("p").unwrap();
    // What replaces nothing is new.
    bench.diffserv.replace_policer(&srtcm("q")).unwrap();
    assert_eq!(bench.policer("q").green_count, Count::default());
    assert_eq!(
        bench.replace(r#"{"priority":9}"#).unwrap().priority,
        Some(9)
    );
}

#[test]
fn policers_that_rules_name_stay() {
    let mut bench = Bench::with(&[srtcm("p"), srtcm("q")], &[]);
    for priority in 1..=10 {
        let text =
            format!(r#"{{"priority":{priority},"match":{{"dport":"{priority}"}},"policer":"p"}}"#);
        bench.add(&text).unwrap();
    }
    let refused = |bench: &mut Bench| bench.diffserv.delete_policer("p").unwrap_err().to_string();
    assert_eq!(
        refused(&mut bench),
        "policer p is named by class rules 1, 2, 3, 4, 5, 6, 7, 8, ...; allowed: to delete those first"
    );
    for priority in 1..=9 {
        let deleted = bench.delete(priority).unwrap();
        assert_eq!(deleted.policer.as_deref(), Some("p"));
    }
    // A rule that is not added, or does not take another's place, names nothing.
    bench.add(r#"{"priority":10,"policer":"p"}"#).unwrap_err();
    bench
        .replace(r#"{"priority":10,"match":{"dev":"north"},"policer":"q"}"#)
        .unwrap_err();
    bench.diffserv.delete_policer("q").unwrap();
    assert!(refused(&mut bench).contains("rules 10;"));
    bench
        .replace(r#"{"priority":10,"match":{"dport":"10"}}"#)
        .unwrap();
    assert_eq!(bench.diffserv.delete_policer("p").unwrap(), srtcm("p"));
    assert_eq!(bench.mark(4, 10, 60_000), Mark::Pass(4));
}

#[test]
fn lists_go_on_behind_a_name() {
    let names = ["c", "a", "b"];
    let bench = Bench::with(&names.map(srtcm), &[]);
    let behind = |after: Option<&str>| -> Vec<String> {
        { bench.diffserv.policers(after) }
            .map(|view| view.policer.name)
            .collect()
    };
    assert_eq!(behind(None), ["a", "b", "c"]);
    assert_eq!(behind(Some("a")), ["b", "c"]);
    assert_eq!(behind(Some("aa")), ["b", "c"]);
    assert_eq!(behind(Some("c")), [""; 0]);
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let (sr, tr) = (srtcm("p"), trtcm("p"));
    let refused = |policer: &Policer| {
        let mut diffserv = Diffserv::new(8);
        let error = diffserv.add_policer(policer).unwrap_err().to_string();
        assert!(diffserv.policers(None).next().is_none());
        error
    };
    let rate = |text: &str| text.parse().unwrap();
    let size = |text: &str| text.parse().unwrap();
    for (policer, says) in [
        (
            Policer {
                name: "a b".into(),
                ..sr.clone()
            },
            "\"a b\" is no name of a policer; allowed:",
        ),
        (
            Policer {
                ebs: None,
                ..sr.clone()
            },
            "policer p: srtcm needs ebs; allowed: cir, cbs, ebs",
        ),
        (
            Policer {
                pir: Some(rate("1Mbps")),
                ..sr.clone()
            },
            "pir is nothing of srtcm; allowed: cir, cbs, ebs",
        ),
        (
            Policer {
                pbs: Some(size("1KiB")),
                ..sr.clone()
            },
            "pbs is nothing of srtcm",
        ),
        (
            Policer {
                ebs: Some(size("1KiB")),
                ..tr.clone()
            },
            "ebs is nothing of trtcm; allowed: cir, cbs, pir, pbs",
        ),
        (
            Policer {
                pir: None,
                ..tr.clone()
            },
            "trtcm needs pir",
        ),
        (
            Policer {
                pbs: None,
                ..tr.clone()
            },
            "trtcm needs pbs",
        ),
        (
            Policer {
                meter: Meter::Trtcm,
                ..sr.clone()
            },
            "ebs is nothing of trtcm",
        ),
        (
            Policer {
                pir: Some(rate("7999bps")),
                ..tr.clone()
            },
            "pir 7999bps is below cir 8kbps; allowed: 8kbps and more",
        ),
        (
            Policer {
                cir: rate("0bps"),
                ..sr.clone()
            },
            "cir 0bps lets nothing pass; allowed: 1bps and more",
        ),
        (
            Policer {
                pir: Some(rate("0Gbps")),
                ..tr.clone()
            },
            "pir 0bps lets nothing pass",
        ),
        (
            Policer {
                cbs: size("0B"),
                ..tr.clone()
            },
            "cbs 0B cannot be; allowed: 1B to 1GiB",
        ),
        (
            Policer {
                pbs: Some(size("0B")),
                ..tr.clone()
            },
            "pbs 0B cannot be; allowed: 1B to 1GiB",
        ),
        (
            Policer {
                cbs: size("2GiB"),
                ..tr
            },
            "cbs 2GiB cannot be; allowed: 1B to 1GiB",
        ),
        (
            Policer {
                ebs: Some(size("1025MiB")),
                ..sr.clone()
            },
            "ebs 1025MiB cannot be; allowed: 0B to 1GiB",
        ),
        (
            Policer {
                cbs: size("0B"),
                ebs: Some(size("0B")),
                ..sr.clone()
            },
            "every packet is red; allowed: one of them 0",
        ),
    ] {
        let error = refused(&policer);
        assert!(error.contains(says), "{error}");
    }
    let mut bench = Bench::with(std::slice::from_ref(&sr), &[r#"{"priority":1}"#]);
    let error = bench.diffserv.add_policer(&sr).unwrap_err().to_string();
    assert_eq!(error, "policer p is there already");
    let error = bench.diffserv.delete_policer("q").unwrap_err().to_string();
    assert_eq!(error, "there is no policer q");
    for (error, says) in [
        (
            bench.add(r#"{"policer":"q"}"#),
            "policer: there is no q; allowed: one that was added",
        ),
        (
            bench.add(r#"{"priority":1}"#),
            "there is a rule with priority 1",
        ),
        (
            bench.add(r#"{"match":{"dev":"north"}}"#),
            "there is no interface north",
        ),
        (bench.delete(2), "there is no rule with priority 2"),
    ] {
        let error = error.unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    let unnamed = bench.diffserv.delete_class(&mut bench.tables, &rule("{}"));
    assert!(
        unnamed
            .unwrap_err()
            .to_string()
            .contains("priority is missing")
    );
}

#[test]
fn policers_are_bounded() {
    let mut diffserv = Diffserv::new(8);
    for number in 0..8 {
        diffserv.add_policer(&srtcm(&format!("p{number}"))).unwrap();
    }
    let error = diffserv
        .add_policer(&srtcm("more"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "policer more: there are 8 already; allowed: `limits.policers`, which is 8"
    );
    diffserv.delete_policer("p7").unwrap();
    diffserv.add_policer(&srtcm("more")).unwrap();
    assert!(Diffserv::octets(8, 0) > 8 * size_of::<Policer>() as u64);
}

fn action() -> impl Strategy<Value = ColourAction> {
    prop_oneof![
        Just(ColourAction::Pass),
        Just(ColourAction::Precedence),
        Just(ColourAction::Drop),
        (0u8..64).prop_map(|dscp| ColourAction::Dscp(Dscp::new(dscp).unwrap())),
    ]
}

proptest! {
    #![proptest_config(seeded(96))]

    /// Whatever the rules: each packet is of one colour, counted in one class, and keeps its ECN bits (RFC 3168 5).
    #[test]
    fn all_are_accounted_for_and_ecn_is_left_alone(
        policers in prop::collection::vec((any::<bool>(), any::<bool>(), action(), action(), action()), 1..4),
        marks in prop::collection::vec((0u16..4, prop::option::of(0u8..64), 0usize..4), 0..6),
        packets in prop::collection::vec((any::<u8>(), 0u16..4, 40u16..1500, 0u64..200), 1..300),
    ) {
        let mut bench = Bench::with(&[], &[]);
        for (number, (is_sr, aware, green, yellow, red)) in policers.iter().copied().enumerate() {
            let name = format!("p{number}");
            let policer = if is_sr { srtcm(&name) } else { trtcm(&name) };
            bench.diffserv.add_policer(&Policer { aware, green, yellow, red, ..policer }).unwrap();
        }
        for (port, dscp, policer) in marks {
            let dscp = dscp.map(|dscp| format!(r#","dscp":"{dscp}""#)).unwrap_or_default();
            let policer = policers.get(policer).map(|_| format!(r#","policer":"p{policer}""#)).unwrap_or_default();
            bench.add(&format!(r#"{{"match":{{"dport":"{port}"}}{dscp}{policer}}}"#)).unwrap();
        }
        let all = packets.len() as u64;
        let (mut passed, mut sent) = (0, 0);
        for burst in packets.chunks(70) {
            bench.now_ns += burst[0].3 * MS;
            let fields: Vec<Fields> = burst.iter().map(|&(tc, port, octets, _)| packet(tc, port, octets)).collect();
            for (field, mark) in fields.iter().zip(bench.marks(&fields)) {
                sent += u64::from(field.octets);
                if let Mark::Pass(traffic_class) = mark {
                    prop_assert_eq!(traffic_class & 3, field.traffic_class & 3);
                    passed += 1;
                }
            }
        }
        let counted: Vec<_> = bench.diffserv.counters().collect();
        let sum = |policed: bool| -> Count {
            let of = counted.iter().filter(|view| view.counter.ends_with(".policed") == policed);
            of.fold(Count::default(), |sum, view| count(sum.packets + view.count.packets, sum.octets + view.count.octets))
        };
        let (through, dropped) = (sum(false), sum(true));
        prop_assert_eq!((through.packets, dropped.packets), (passed, all - passed));
        prop_assert_eq!(through.octets + dropped.octets, sent);
        // Each packet that a rule passes to a policer has one colour there.
        for view in bench.diffserv.policers(None) {
            let name = &view.policer.name;
            let rules = bench.diffserv.classes(None).filter(|class| class.rule.policer.as_ref() == Some(name));
            let matched: u64 = rules.map(|class| class.count.packets).sum();
            let coloured = view.green_count.packets + view.yellow_count.packets + view.red_count.packets;
            prop_assert_eq!(coloured, matched);
        }
    }
}
