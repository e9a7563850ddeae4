//! What is promised to connections, and what their sequence numbers say.

use pinode_guest_dss::control::{Answer, Connection, Counts, Request};
use pinode_scheduler::rate::LinkRate;
use proptest::prelude::*;

use crate::bed::{Bed, Pdu, connection, frame, host, key, port};
use crate::seeded;

fn counts(bed: &mut Bed, label: u32) -> Counts {
    let items = vec![key(0, 0, label)];
    match bed.answer(&Request::Disconnect { items }) {
        Answer::Disconnected { counts } => counts[0].expect("it is there"),
        answer => panic!("{answer:?}"),
    }
}

fn policed(label: u32, rate_bps: u64, tolerance_ns: u64) -> Connection {
    Connection {
        rate_bps: Some(rate_bps),
        tolerance_ns,
        police: true,
        ..connection(0, 0, label, 1, label)
    }
}

fn of(label: u32, sequence: u16, payload: usize) -> Vec<u8> {
    let pdu = Pdu::numbered(label, sequence);
    frame(port(0), host(0), 0, &pdu.octets(&vec![7; payload]))
}

/// GCRA by its definition, in picoseconds: the leaky bucket form (ITU-T I.371 Annex A), not that of the switch.
struct Bucket {
    level_ps: u128,
    last_ns: u64,
    tolerance_ns: u64,
}

impl Bucket {
    fn conforms(&mut self, now_ns: u64, frame_ps: u128) -> bool {
        let passed = u128::from(now_ns - self.last_ns) * 1000;
        let level = self.level_ps.saturating_sub(passed);
        if level > u128::from(self.tolerance_ns) * 1000 {
            return false;
        }
        (self.level_ps, self.last_ns) = (level + frame_ps, now_ns);
        true
    }
}

proptest! {
    #![proptest_config(seeded(200))]

    /// At rates of which an octet takes whole picoseconds both forms agree, frame by frame.
    #[test]
    fn it_polices_as_the_standard_says(
        mbps in prop::sample::select(vec![1u64, 8, 10, 50, 100, 400, 1000]),
        tolerance_ns in 0u64..50_000,
        arrivals in prop::collection::vec((0u64..40_000, 30usize..400), 1..100),
    ) {
        let mut bed = Bed::with(&[policed(16, mbps * 1_000_000, tolerance_ns)]);
        let mut bucket = Bucket { level_ps: 0, last_ns: 0, tolerance_ns };
        let mut now_ns = 1;
        let (mut went, mut octets, mut dropped) = (0, 0, 0);
        for (gap, payload) in arrivals {
            bed.pass(gap);
            now_ns += gap;
            let given = of(16, 0, payload);
            let wire = given.len().max(60) as u64 + 4;
            let frame_ps = u128::from((wire + 20) * 8 * 1_000_000 / mbps);
            let goes = bucket.conforms(now_ns, frame_ps);
            prop_assert_eq!(bed.give(0, &given).len(), usize::from(goes));
            if goes {
                went += 1;
                octets += given.len() as u64 + 4;
            } else {
                dropped += 1;
            }
        }
        prop_assert_eq!(bed.dropped(0, "policed"), dropped);
        bed.conserves();
        let expected = Counts { frames: went, octets, policed: dropped, gaps: 0, repeats: 0 };
        prop_assert_eq!(counts(&mut bed, 16), expected);
    }

    /// Whatever a network loses, repeats or turns around, what is counted as missing less what came late is what did not
    /// come, as long as less than half of all numbers is missing at once.
    #[test]
    fn what_is_missing_is_counted(
        fates in prop::collection::vec((0u8..4, 1u64..20_000), 1..60),
    ) {
        let mut bed = Bed::with(&[connection(0, 0, 16, 1, 16)]);
        // The number of the frame that is sent n-th: 1 behind 65535 (RFC 4385 4.1).
        let number = |n: u64| 1 + (n % 65_535) as u16;
        let (mut next, mut missing, mut repeated, mut went) = (0, 0, 0, 0);
        for (fate, run) in fates {
            match fate {
                // Lost, unless none came before: nobody knows of those.
                0 if went > 0 => {
                    next += run;
                    missing += run;
                }
                // Twice.
                1 if went > 0 => {
                    bed.give(0, &of(16, number(next - 1), 40));
                    (repeated, went) = (repeated + 1, went + 1);
                    continue;
                }
                _ => {}
            }
            bed.give(0, &of(16, number(next), 40));
            (next, went) = (next + 1, went + 1);
        }
        let counts = counts(&mut bed, 16);
        prop_assert_eq!((counts.frames, counts.gaps, counts.repeats), (went, missing, repeated));
        bed.conserves();
    }
}

/// The scheduler's own arithmetic: what level 2 of one node lets go, the switch of the next lets pass. A clock of whole
/// nanoseconds has frames come one too early at most.
#[test]
fn what_is_shaped_to_a_rate_is_never_policed() {
    for rate_bps in [64_000, 1_544_000, 99_999_999, 1_000_000_007] {
        let rate = LinkRate::new(rate_bps).expect("a rate");
        let mut bed = Bed::with(&[policed(16, rate_bps, 1)]);
        let (mut due_ps, mut now_ns) = (0u128, 1);
        for number in 0..2000usize {
            let payload = 40 + number * 7 % 1000;
            let given = of(16, 0, payload);
            let at_ns = u64::try_from(due_ps.div_ceil(1000)).unwrap() + 1;
            bed.pass(at_ns - now_ns);
            now_ns = at_ns;
            assert_eq!(
                bed.give(0, &given).len(),
                1,
                "frame {number} at {rate_bps} bit/s"
            );
            due_ps += u128::from(rate.wire_time_ps(given.len() as u32 + 4));
        }
    }
}

#[test]
fn a_connection_that_sends_too_much_harms_nobody() {
    let mut bed = Bed::with(&[
        policed(16, 1_000_000, 0),
        policed(17, 1_000_000, 0),
        connection(0, 0, 18, 1, 18),
    ]);
    // 100 octets on the wire: one each 800 us.
    let mut out = [0; 3];
    for _ in 0..50 {
        let mut given = vec![of(16, 0, 53); 10];
        given.extend([of(17, 0, 53), of(18, 0, 53)]);
        for (_, frame) in bed.give_all(0, &given) {
            let label = u32::from_be_bytes([0, frame[15], frame[16], frame[17]]) >> 4;
            out[label as usize - 16] += 1;
        }
        bed.pass(800_000);
    }
    assert_eq!(out, [50, 50, 50]);
    assert_eq!(counts(&mut bed, 16).policed, 450);
    assert_eq!(counts(&mut bed, 17).policed, 0);
    bed.conserves();
}

#[test]
fn a_rate_that_is_not_to_be_policed_is_not() {
    let told = Connection {
        police: false,
        ..policed(16, 1000, 0)
    };
    let mut bed = Bed::with(&[told]);
    assert_eq!(bed.give_all(0, &vec![of(16, 0, 53); 64]).len(), 64);
    assert_eq!(counts(&mut bed, 16).policed, 0);
}

#[test]
fn numbers_are_counted_where_they_are_used() {
    let mut bed = Bed::with(&[connection(0, 0, 16, 1, 16)]);
    // The first is whatever it is; 0 is none.
    for number in [65_534, 65_535, 1, 0, 0, 2, 2, 1, 5, 3, 6] {
        bed.give(0, &of(16, number, 40));
    }
    let counts = counts(&mut bed, 16);
    assert_eq!((counts.frames, counts.gaps, counts.repeats), (11, 2, 3));
}
