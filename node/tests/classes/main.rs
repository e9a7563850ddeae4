//! Classes of the IPv6 QoS PI under overload, from end to end in virtual time: EF keeps its delay bound, AF drops by
//! precedence, and what EF leaves is shared by weight, within 2 %. Packets are marked by hosts, or by the router.

#[path = "../rig/mod.rs"]
mod rig;

mod bench;
mod traffic;

use bench::{FROM_NS, NC, RT, SHARE, STEP_NS, UNTIL_NS, WEIGHTS, run};
use pinode_guest_ipv6qos::Router;
use pinode_guest_patch::Patch;
use pinode_scheduler::bounds::{self, Flow, PiBounds};
use pinode_scheduler::{Cycle, LinkRate, Phase};
use serde_json::{Value, json};
use traffic::{Outcome, Source};

const EF: u8 = 46;
const AF: [u8; 3] = [10, 12, 14];
/// Octets of frames with FCS.
const EF_SIZE: usize = 200;
const AF_SIZE: usize = 1000;
const BE_SIZE: usize = 700;

/// EF as unkind as its policer lets it be: its whole burst at once, again as soon as the rate has brought it back, at
/// ever other instants of the cycle.
fn ef(dscp: u8) -> Source {
    let burst = u64::from(RT.1) / EF_SIZE as u64;
    let bits = burst * EF_SIZE as u64 * 8;
    Source {
        name: "EF",
        dscp,
        port: 5060,
        size: EF_SIZE,
        burst,
        every_ns: (bits * 1_000_000_000).div_ceil(RT.0) + 7,
    }
}

/// BE, three times what it can get.
fn be() -> Source {
    Source::even("BE", 0, 80, BE_SIZE, 45_000)
}

fn bounds() -> PiBounds {
    let phases = [0, 1, 2].map(|slot| Phase {
        owner: Some(slot),
        duration_ns: 100_000,
    });
    let link = LinkRate::new(1_000_000_000).unwrap();
    let cycle = Cycle::new(&phases, 0, link, |_| 1519).unwrap();
    bounds::of_pi(&cycle, 0, 1519).unwrap()
}

/// What `pinode check` says of RT's delay: of the policers, in frames of 79 octets or more.
fn delay_bound_ns() -> u64 {
    let flow = |(bps, burst): (u64, u32)| Flow::of_frames(bps, burst.into(), 79);
    let bound = bounds().strict_delay_ns(&[flow(NC)], flow(RT), 20_000);
    bound.unwrap() as u64
}

/// What holds whatever the AF packets are: EF, and the shares.
fn judge(ef: &Outcome, assured: &[Outcome], be: &Outcome) {
    assert!(ef.sent > 0);
    assert_eq!(ef.lost(), 0, "EF");
    // The node and the guest look once a step each.
    let bound_ns = delay_bound_ns() + 2 * STEP_NS;
    let closed_ns = 200_000;
    assert!(ef.longest_ns > closed_ns, "some had to wait for the window");
    assert!(
        ef.longest_ns <= bound_ns,
        "{} ns, bound {bound_ns}",
        ef.longest_ns
    );
    let assured_ns: u64 = assured.iter().map(|outcome| outcome.wire_ns).sum();
    let left_ns = (assured_ns + be.wire_ns) as f64;
    let weights = f64::from(WEIGHTS[0] + WEIGHTS[1]);
    for (name, wire_ns, weight) in [
        ("AS", assured_ns, WEIGHTS[0]),
        ("BE", be.wire_ns, WEIGHTS[1]),
    ] {
        let due = f64::from(weight) / weights;
        let share = wire_ns as f64 / left_ns;
        assert!(
            (share / due - 1.0).abs() <= 0.02,
            "{name}: {share:.4} of what is left, due {due:.4}"
        );
    }
    // Nothing of the phase is left unused but what no frame fits in.
    let phase_ns = ((UNTIL_NS - FROM_NS) / SHARE) as f64;
    let used = (left_ns + ef.wire_ns as f64) / phase_ns;
    assert!((0.93..=1.0).contains(&used), "{used:.4} of the phase");
}

/// EF, BE and AF11, AF12, AF13 at these rates, frames a second.
fn by_precedence(fps: [u64; 3]) -> Vec<Source> {
    let names = ["AF11", "AF12", "AF13"];
    let mut sources = vec![ef(EF), be()];
    for ((name, dscp), fps) in names.into_iter().zip(AF).zip(fps) {
        sources.push(Source::even(name, dscp, 443, AF_SIZE, fps));
    }
    sources
}

/// Frames lost of AF11, AF12, AF13, and sent.
fn assured_loss(outcomes: &[Outcome]) -> ([u64; 3], [u64; 3]) {
    let [ef, be, assured @ ..] = outcomes else {
        panic!("EF and BE are there")
    };
    judge(ef, assured, be);
    let of = |count: fn(&Outcome) -> u64| [0, 1, 2].map(|at: usize| count(&assured[at]));
    (of(Outcome::lost), of(|outcome| outcome.sent))
}

/// AS gets about 20,000 frames a second of those sizes. What is above goes by precedence, the highest first, and none
/// of a lower one before all of that is gone.
fn drops_by_precedence(mut run: impl FnMut(&[Source]) -> Vec<Outcome>) {
    let (lost, sent) = assured_loss(&run(&by_precedence([6_000, 6_000, 14_000])));
    assert_eq!(lost[..2], [0, 0]);
    assert!(
        lost[2] > sent[2] / 4 && lost[2] < sent[2],
        "{lost:?} of {sent:?}"
    );
    let (lost, sent) = assured_loss(&run(&by_precedence([12_000, 14_000, 10_000])));
    assert_eq!((lost[0], lost[2]), (0, sent[2]));
    assert!(
        lost[1] > sent[1] / 4 && lost[1] < sent[1],
        "{lost:?} of {sent:?}"
    );
    let (lost, sent) = assured_loss(&run(&by_precedence([27_000, 6_000, 6_000])));
    assert_eq!(lost[1..], sent[1..]);
    assert!(
        lost[0] > sent[0] / 8 && lost[0] < sent[0],
        "{lost:?} of {sent:?}"
    );
}

/// A router from west to east, with these policers and class rules.
fn router(policers: &Value, classes: &Value) -> Value {
    json!({
        "interface": {
            "west": { "mac": "02:00:00:00:01:01", "address": ["2001:db8:1::1/64"] },
            "east": { "mac": "02:00:00:00:02:01", "address": ["2001:db8:2::1/64"] },
        },
        "neighbour": [{ "address": "2001:db8:2::9", "lladdr": "02:00:00:00:02:09", "dev": "east" }],
        "route": [{ "prefix": "2001:db8:9::/48", "via": "2001:db8:2::9" }],
        "policer": policers,
        "class": classes,
    })
}

#[test]
fn what_hosts_marked_is_treated_so() {
    drops_by_precedence(|sources| run(&mut Patch, Value::Null, sources));
}

#[test]
fn a_router_leaves_marks_of_hosts_alone() {
    let none = json!([]);
    drops_by_precedence(|sources| run(&mut Router::default(), router(&none, &none), sources));
}

/// Nothing is marked when it comes. The router tells voice by its port, and two customers by their addresses; each of
/// them sends more than AS gets in all, and gets what its policer finds green, and yellow.
#[test]
fn the_router_marks_and_polices() {
    // Octets of IPv6 packets: those of frames without Ethernet, PIH and FCS.
    const PACKET: u64 = AF_SIZE as u64 - 19;
    let policers = json!([
        { "name": "gold", "meter": "srtcm", "cir": "60Mbps", "cbs": "16KiB", "ebs": "8KiB", "red": "precedence" },
        { "name": "silver", "meter": "trtcm", "cir": "30Mbps", "cbs": "8KiB", "pir": "50Mbps", "pbs": "8KiB",
          "red": "precedence" },
    ]);
    let classes = json!([
        { "match": { "protocol": "udp", "dport": "5060" }, "dscp": "EF" },
        { "match": { "from": "2001:db8:1::b/128" }, "dscp": "AF11", "policer": "gold" },
        { "match": { "from": "2001:db8:1::c/128", "dport": "443" }, "dscp": "AF21", "policer": "silver" },
    ]);
    let sources = [
        ef(0),
        be(),
        Source::even("gold", 0, 443, AF_SIZE, 21_000),
        Source::even("silver", 0, 443, AF_SIZE, 21_000),
    ];
    let outcomes = run(
        &mut Router::default(),
        router(&policers, &classes),
        &sources,
    );
    let [voice, bulk, gold, silver] = &outcomes[..] else {
        panic!("four sources")
    };
    judge(voice, &[gold.clone(), silver.clone()], bulk);
    assert_eq!(voice.arrived.keys().collect::<Vec<_>>(), [&EF]);
    assert_eq!(bulk.arrived.keys().collect::<Vec<_>>(), [&0]);
    // All that is green gets through: in any time what the rate brings, and a packet more or less; nothing is yellow
    // of a single rate that never rests.
    let seconds = (UNTIL_NS - FROM_NS) as f64 / 1e9;
    let packets = |bps: f64| bps * seconds / (8 * PACKET) as f64;
    let near = |outcome: &Outcome, dscp: u8, due: f64| {
        let arrived = outcome.arrived.get(&dscp).copied().unwrap_or(0) as f64;
        assert!(
            (arrived - due).abs() <= 2.0,
            "{arrived} of code point {dscp}, due {due}"
        );
    };
    near(gold, 10, packets(60e6));
    near(gold, 12, 0.0);
    near(silver, 18, packets(30e6));
    near(silver, 20, packets(20e6));
    for (outcome, red) in [(gold, 14), (silver, 22)] {
        let arrived = outcome.arrived.get(&red).copied().unwrap_or(0);
        assert!(arrived > 0 && outcome.lost() > arrived, "{outcome:?}");
    }
}
