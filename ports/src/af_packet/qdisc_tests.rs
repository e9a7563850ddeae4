//! Listings of queueing disciplines: what holds frames, what does not, what is no listing.

use super::*;
use proptest::prelude::*;

const INTERFACE: u32 = 4;

fn attribute_of(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = ((ATTRIBUTE + payload.len()) as u16).to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(payload);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = ((HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend([0; 8]);
    octets.extend(payload);
    octets
}

fn discipline(interface: u32, parent: u32, name: &str, options: &[u8]) -> Vec<u8> {
    let mut payload = vec![0; 4];
    for word in [interface, 0x8001_0000, parent, 2] {
        payload.extend(word.to_ne_bytes());
    }
    payload.extend(attribute_of(KIND, format!("{name}\0").as_bytes()));
    payload.extend(attribute_of(OPTIONS, options));
    // Statistics come behind, as the kernel writes them.
    payload.extend(attribute_of(7, &[0; 20]));
    message(NEW_QDISC, 2, &payload)
}

fn etf_options(delta: i32, clock: i32, flags: u32) -> Vec<u8> {
    let words = [
        delta.to_ne_bytes(),
        clock.to_ne_bytes(),
        flags.to_ne_bytes(),
    ];
    attribute_of(ETF_PARMS, words.as_flattened())
}

fn etf_root(delta: i32, clock: i32, flags: u32) -> Option<Holder> {
    let options = etf_options(delta, clock, flags);
    holder_of(&[discipline(INTERFACE, ROOT, "etf", &options)])
}

fn holder_of(disciplines: &[Vec<u8>]) -> Option<Holder> {
    let mut listing = Listing::default();
    assert_eq!(
        listing
            .read(&disciplines.concat(), INTERFACE)
            .expect("whole"),
        More::Expected
    );
    let done = message(DONE, 2, &[0; 4]);
    let answer = listing.read(&done, INTERFACE);
    assert_eq!(answer.expect("whole"), More::Done);
    listing.holder()
}

/// What Linux 6.1 answers for an interface with fq at its root, up to the options.
#[test]
#[cfg(target_endian = "little")]
fn octets_of_an_answer_are_read() {
    let mut octets: Vec<u8> = vec![
        0x34, 0, 0, 0, 0x24, 0, 2, 0, 0x6c, 0x7d, 0x12, 0x65, 0x29, 3, 0, 0, // nlmsghdr
        0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 1, 0x80, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, // tcmsg
        7, 0, 1, 0, b'f', b'q', 0, 0, // TCA_KIND
        8, 0, 2, 0x80, 4, 0, 1, 0, // TCA_OPTIONS, nested
    ];
    assert_eq!(octets.len(), 0x34);
    let mut listing = Listing::default();
    let more = listing.read(&octets, INTERFACE).expect("whole");
    assert_eq!((more, listing.holder()), (More::Expected, Some(Holder::Fq)));
    octets[20] = 5;
    let mut listing = Listing::default();
    listing.read(&octets, INTERFACE).expect("whole");
    assert_eq!(listing.holder(), None);
}

#[test]
fn what_is_asked_is_a_listing() {
    let request = request(INTERFACE);
    assert_eq!(u32_at(&request, 0).expect("there"), 36);
    assert_eq!(u16_at(&request, 4).expect("there"), 38);
    assert_eq!(u16_at(&request, 6).expect("there"), 0x301);
    assert_eq!(u32_at(&request, 20).expect("there"), INTERFACE);
}

#[test]
fn etf_holds_frames_in_strict_mode_by_tai_with_a_delta() {
    let tai = libc::CLOCK_TAI;
    let holds = |offload| {
        Some(Holder::Etf {
            delta_ns: 200_000,
            offload,
        })
    };
    assert_eq!(etf_root(200_000, tai, 0), holds(false));
    assert_eq!(etf_root(200_000, tai, 2), holds(true));
    // With skip_sock_check.
    assert_eq!(etf_root(200_000, tai, 4), holds(false));
    assert_eq!(etf_root(200_000, tai, 1), None);
    assert_eq!(etf_root(0, tai, 0), None);
    assert_eq!(etf_root(-1, tai, 0), None);
    assert_eq!(etf_root(200_000, libc::CLOCK_REALTIME, 0), None);
    let none = [discipline(INTERFACE, ROOT, "etf", &[])];
    assert_eq!(holder_of(&none), None);
}

#[test]
fn all_transmit_queues_hold_frames_alike_or_none_does() {
    let of = |parent, name: &str| discipline(INTERFACE, parent, name, &[]);
    let etf = |parent, delta| {
        let options = etf_options(delta, libc::CLOCK_TAI, 0);
        discipline(INTERFACE, parent, "etf", &options)
    };
    for root in ["mq", "mqprio"] {
        let root = of(ROOT, root);
        let both = [
            root.clone(),
            of(1, "fq"),
            of(2, "fq"),
            of(INGRESS, "clsact"),
        ];
        assert_eq!(holder_of(&both), Some(Holder::Fq));
        assert_eq!(
            holder_of(&[root.clone(), of(1, "fq"), of(2, "pfifo_fast")]),
            None
        );
        assert_eq!(holder_of(&[root.clone(), of(1, "fq"), etf(2, 5)]), None);
        assert_eq!(holder_of(&[root.clone(), etf(1, 5), etf(2, 6)]), None);
        let alike = Holder::Etf {
            delta_ns: 5,
            offload: false,
        };
        assert_eq!(
            holder_of(&[root.clone(), etf(1, 5), etf(2, 5)]),
            Some(alike)
        );
        assert_eq!(holder_of(&[root]), None);
    }
    assert_eq!(holder_of(&[of(ROOT, "prio"), of(1, "fq")]), None);
    assert_eq!(holder_of(&[of(INGRESS, "fq")]), None);
    assert_eq!(holder_of(&[of(ROOT, "fq_codel")]), None);
    // Of another interface.
    assert_eq!(holder_of(&[discipline(5, ROOT, "fq", &[])]), None);
}

#[test]
fn an_error_is_said_and_a_change_meanwhile_noticed() {
    let mut listing = Listing::default();
    let refused = message(ERROR, 0, &(-libc::EPERM).to_ne_bytes());
    let error = listing.read(&refused, INTERFACE).expect_err("refused");
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    let changed = message(DONE, INTERRUPTED, &[0; 4]);
    let more = listing.read(&changed, INTERFACE).expect("whole");
    assert_eq!(more, More::Interrupted);
    assert!(listing.read(&[], INTERFACE).is_err());
}

/// The loopback interface of a namespace holds nothing unless someone asked for it.
#[test]
fn the_kernel_answers() {
    assert_eq!(holder(1).expect("the kernel lists disciplines"), None);
}

proptest! {
    #[test]
    fn any_octets_are_survived(
        octets in prop::collection::vec(any::<u8>(), 0..80),
        cut in 0usize..80,
        at in 0usize..80,
        value: u8,
    ) {
        let _ = Listing::default().read(&octets, INTERFACE);
        let options = etf_options(1, libc::CLOCK_TAI, 0);
        let mut spoilt = discipline(INTERFACE, ROOT, "etf", &options);
        if let Some(octet) = spoilt.get_mut(at) {
            *octet = value;
        }
        spoilt.truncate(spoilt.len() - cut.min(spoilt.len()));
        let _ = Listing::default().read(&spoilt, INTERFACE);
    }
}
