//! Router advertisements: when (RFC 4861 6.2.4 to 6.2.6), and how they are configured.

use pinode_guest_ipv6qos::icmp::{self, Received};
use pinode_guest_ipv6qos::neighbour::{Advertise, Limits, Message, Parameters};
use pinode_guest_ipv6qos::units::Duration;
use proptest::prelude::*;

use super::lab::{HOST_MAC, Lab, MS, SECOND, address, interface, seeded};

const OURS: &str = "2001:db8:1::1/64";

fn advertising(parameters: Parameters) -> Lab {
    let mut lab = Lab::empty(Limits::default());
    lab.link(interface(0, 0), false, Some(parameters), &[OURS]);
    lab
}

fn asks(lab: &mut Lab, mac: bool) {
    let message = icmp::Message::RouterSolicitation {
        mac: mac.then_some(HOST_MAC),
    };
    let received = Received {
        source: if mac { address("fe80::aa") } else { 0 },
        destination: address("ff02::2"),
        message,
    };
    lab.receive(HOST_MAC, &received);
}

/// When advertisements were sent since the last time, nanoseconds, and whether they were last ones.
fn advertised(lab: &mut Lab) -> Vec<(u64, bool)> {
    let messages = std::mem::take(&mut lab.log.messages);
    let advertised = |(at_ns, said): (u64, pinode_guest_ipv6qos::neighbour::Outgoing)| {
        if let Message::RouterAdvertisement { last } = said.message {
            Some((at_ns, last))
        } else {
            None
        }
    };
    messages.into_iter().filter_map(advertised).collect()
}

#[test]
fn the_first_three_come_soon_and_the_others_within_the_interval() {
    let mut lab = advertising(Parameters::default());
    let start_ns = lab.now_ns;
    lab.run(2000 * SECOND);
    let times: Vec<u64> = advertised(&mut lab)
        .into_iter()
        .map(|(at_ns, _)| at_ns)
        .collect();
    assert!(times[0] - start_ns <= SECOND / 2 + MS);
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(
        gaps[..2],
        [16 * SECOND; 2],
        "MAX_INITIAL_RTR_ADVERT_INTERVAL"
    );
    assert!(gaps.len() > 4);
    for gap in &gaps[2..] {
        assert!((200 * SECOND..=600 * SECOND + MS).contains(gap), "{gap}");
    }
}

#[test]
fn hosts_are_answered_soon_but_not_too_often() {
    let mut lab = advertising(Parameters::default());
    lab.run(100 * SECOND);
    advertised(&mut lab);
    let asked_ns = lab.now_ns;
    asks(&mut lab, true);
    lab.run(SECOND);
    let times = advertised(&mut lab);
    assert_eq!(times.len(), 1);
    assert!(
        times[0].0 - asked_ns <= SECOND / 2 + MS,
        "MAX_RA_DELAY_TIME"
    );
    // A flood of questions.
    for _ in 0..30_000 {
        asks(&mut lab, false);
        lab.run(MS);
    }
    let times = advertised(&mut lab);
    assert!((8..=10).contains(&times.len()), "{times:?}");
    for pair in times.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= 3 * SECOND, "MIN_DELAY_BETWEEN_RAS");
    }
}

#[test]
fn who_asks_is_known_as_a_host() {
    let mut lab = advertising(Parameters::default());
    lab.run(SECOND);
    asks(&mut lab, true);
    let id = lab.discovery.find(interface(0, 0), address("fe80::aa"));
    let hop = *lab.discovery.hop(id.expect("known by its question"));
    assert!(hop.is_usable() && hop.is_stale());
    assert_eq!(hop.mac(), HOST_MAC);
}

#[test]
fn one_that_stops_says_so_three_times() {
    let at = interface(0, 0);
    let mut lab = advertising(Parameters::default());
    lab.run(60 * SECOND);
    advertised(&mut lab);
    lab.discovery
        .set_advertise(lab.now_ns, at, None)
        .expect("a link");
    assert!(!lab.discovery.advertises(at));
    asks(&mut lab, false);
    lab.run(MS);
    let first = advertised(&mut lab);
    assert!(matches!(first[..], [(_, true)]), "{first:?}");
    let (packet, _) = lab.write(Message::RouterAdvertisement { last: true });
    assert_eq!(packet[46..48], [0, 0], "router lifetime");
    lab.run(1000 * SECOND);
    let rest = advertised(&mut lab);
    assert!(matches!(rest[..], [(_, true), (_, true)]), "{rest:?}");
    // And again.
    lab.discovery
        .set_advertise(lab.now_ns, at, Some(Parameters::default()))
        .expect("a link");
    lab.run(SECOND);
    let again = advertised(&mut lab);
    assert!(matches!(again[..], [(_, false)]), "{again:?}");
}

#[test]
fn one_that_never_told_stops_without_a_word() {
    let mut lab = Lab::empty(Limits::default());
    lab.link(interface(0, 0), true, Some(Parameters::default()), &[]);
    lab.discovery
        .set_advertise(lab.now_ns, interface(0, 0), None)
        .expect("a link");
    lab.run(100 * SECOND);
    assert_eq!(advertised(&mut lab), []);
}

#[test]
fn nothing_is_advertised_before_there_is_an_address_to_say_it_from() {
    let mut lab = Lab::empty(Limits::default());
    lab.link(interface(0, 0), true, Some(Parameters::default()), &[]);
    lab.run(SECOND);
    assert_eq!(advertised(&mut lab), []);
    lab.run(2 * SECOND);
    assert_eq!(advertised(&mut lab).len(), 1);
}

#[test]
fn a_prefix_taken_away_is_told_of_three_times() {
    let at = interface(0, 0);
    let mut lab = advertising(Parameters::default());
    lab.run(60 * SECOND);
    advertised(&mut lab);
    lab.discovery
        .remove_address(lab.now_ns, at, address("2001:db8:1::1"))
        .expect("it is there");
    for told in [true, true, true, false] {
        while advertised(&mut lab).is_empty() {
            lab.run(SECOND);
        }
        let (packet, _) = lab.write(Message::RouterAdvertisement { last: false });
        let prefix = packet[56 + 8 + 8..].chunks(32).next();
        let shown = prefix.filter(|option| option.first() == Some(&3));
        assert_eq!(shown.is_some(), told);
        if let Some(option) = shown {
            assert_eq!(option[4..12], [0; 8], "valid and preferred lifetime");
        }
    }
}

#[test]
fn received_ones_are_counted_and_do_nothing() {
    let mut lab = Lab::quiet(&[OURS]);
    for message in [icmp::Message::RouterAdvertisement, icmp::Message::Redirect] {
        let received = Received {
            source: address("fe80::bb"),
            destination: address("ff02::1"),
            message,
        };
        lab.receive(HOST_MAC, &received);
    }
    assert_eq!(lab.said(), []);
    assert_eq!(lab.discovery.len(), (0, 0, 0));
    let ignored = lab.discovery.ignored();
    assert_eq!((ignored.router_advertisements, ignored.redirects), (1, 1));
}

fn read(text: &str) -> Result<Advertise, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn it_is_configured_by_a_word_or_a_table() {
    assert_eq!(read("false"), Ok(Advertise::Switch(false)));
    let parameters = |advertise: &Advertise| Advertise::parameters(Some(advertise), false);
    assert_eq!(
        parameters(&Advertise::Switch(true)),
        Some(Parameters::default())
    );
    assert_eq!(parameters(&Advertise::Switch(false)), None);
    assert_eq!(
        Advertise::parameters(None, true),
        Some(Parameters::default())
    );
    assert_eq!(Advertise::parameters(None, false), None);
    let table = r#"{"interval":"30s","managed":true,"rdnss":["2001:db8::53"],"mtu":1400}"#;
    let Advertise::With(table) = read(table).expect("right") else {
        panic!("a table");
    };
    assert_eq!(table.interval, Duration(30 * SECOND));
    assert!(table.managed && !table.other);
    assert_eq!(table.check(1500), Ok(()));
    let shown = serde_json::to_string(&Advertise::With(table.clone())).expect("shown");
    assert_eq!(read(&shown), Ok(Advertise::With(table)));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, named) in [
        (r#""yes""#, "false, true or a table"),
        (r#"{"intervall":"30s"}"#, "unknown field `intervall`"),
        (r#"{"interval":"30"}"#, "allowed: a whole number of s"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(named), "{error}");
    }
    for (text, named) in [
        (r#"{"interval":"3s"}"#, "interval: 3s; allowed: 4s to 1800s"),
        (r#"{"interval":"5500ms"}"#, "whole seconds"),
        (
            r#"{"lifetime":"599s"}"#,
            "lifetime: 599s; allowed: 600s to 9000s",
        ),
        (
            r#"{"preferred":"2s","valid":"1s"}"#,
            "preferred: 2s; allowed: 0s to 1s",
        ),
        (r#"{"valid":"0s"}"#, "valid: 0ns; allowed: 1s"),
        (
            r#"{"mtu":1501}"#,
            "mtu: 1501; allowed: 1280 to the interface's 1500",
        ),
        (r#"{"mtu":1279}"#, "mtu: 1279"),
        (
            r#"{"rdnss":["ff02::1"]}"#,
            "rdnss: ff02::1; allowed: unicast",
        ),
        (
            r#"{"rdnss":["::2","::3","::4","::5","::6","::7","::8","::9","::a"]}"#,
            "rdnss: 9 servers; allowed: 8",
        ),
    ] {
        let Advertise::With(parameters) = read(text).expect(text) else {
            panic!("a table");
        };
        let error = parameters.check(1500).expect_err(text);
        assert!(error.contains(named), "{error}");
    }
    let no_router = read(r#"{"lifetime":"0s"}"#);
    assert!(matches!(no_router, Ok(Advertise::With(table)) if table.check(1500).is_ok()));
}

proptest! {
    #![proptest_config(seeded(200))]

    #[test]
    fn whatever_happens_they_keep_their_distance(
        steps in proptest::collection::vec((0u8..5, 1u64..5000), 1..60),
    ) {
        let at = interface(0, 0);
        let mut lab = advertising(Parameters { interval: Duration(4 * SECOND), ..Parameters::default() });
        let ours = OURS.parse().expect("an address");
        for (what, then_ms) in steps {
            match what {
                0 => asks(&mut lab, true),
                1 => lab.discovery.set_advertise(lab.now_ns, at, None).expect("a link"),
                2 => {
                    let on = Some(Parameters::default());
                    lab.discovery.set_advertise(lab.now_ns, at, on).expect("a link");
                }
                3 => {
                    let _ = lab.discovery.remove_address(lab.now_ns, at, address("2001:db8:1::1"));
                }
                _ => {
                    let _ = lab.discovery.add_address(lab.now_ns, at, ours);
                }
            }
            lab.run(then_ms * MS);
        }
        let times = advertised(&mut lab);
        for pair in times.windows(2) {
            prop_assert!(pair[1].0 - pair[0].0 >= 3 * SECOND);
        }
    }
}
