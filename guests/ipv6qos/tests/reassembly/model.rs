//! One packet against a list of what came.

use pinode_guest_ipv6qos::reassembly::{MOST, Reassembly, Taken};
use proptest::prelude::*;
use proptest::sample::SizeRange;

use crate::fragments::*;
use crate::seeded;

/// What came of a packet, and whether it was given up.
#[derive(Default)]
struct Model {
    came: Vec<(usize, Vec<u8>, bool)>,
    dead: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Kept,
    Whole(Vec<u8>),
    Refused,
}

impl Model {
    fn take(&mut self, offset: usize, more: bool, octets: &[u8]) -> Expected {
        let piece = (offset, octets.to_vec(), more);
        if self.dead || self.came.contains(&piece) {
            return Expected::Refused;
        }
        let end = offset + octets.len();
        // In units of 8: the last one fills its unit.
        let reach = end.next_multiple_of(8);
        let overlaps = |(other, content, _): &(usize, Vec<u8>, bool)| {
            *other < reach && offset < (other + content.len()).next_multiple_of(8)
        };
        let last = self.came.iter().find(|(_, _, more)| !more);
        let total = last.map(|(at, content, _)| at + content.len());
        let behind_the_end = match total {
            Some(total) => !more || end > total,
            None => {
                !more
                    && self
                        .came
                        .iter()
                        .any(|(at, content, _)| at + content.len() > end)
            }
        };
        if self.came.iter().any(overlaps) || behind_the_end || end > MOST {
            self.dead = true;
            return Expected::Refused;
        }
        self.came.push(piece);
        let total = total.or((!more).then_some(end));
        let sum = self.came.iter().map(|(_, content, _)| content.len()).sum();
        if total != Some(sum) {
            return Expected::Kept;
        }
        self.came.sort();
        Expected::Whole(
            self.came
                .iter()
                .flat_map(|(_, content, _)| content.clone())
                .collect(),
        )
    }
}

/// Where a packet of so many units is cut, and in which order its fragments come; some come twice.
fn cut() -> impl Strategy<Value = (Vec<u8>, Vec<(usize, usize)>)> {
    (
        9usize..MOST,
        proptest::collection::vec(1usize..1125, SizeRange::new(1..=40)),
    )
        .prop_flat_map(|(octets, mut cuts)| {
            cuts.extend([0, octets.div_ceil(8)]);
            cuts.retain(|cut| *cut <= octets.div_ceil(8));
            cuts.sort_unstable();
            cuts.dedup();
            let pieces: Vec<(usize, usize)> = cuts
                .windows(2)
                .map(|pair| (pair[0] * 8, (pair[1] * 8).min(octets)))
                .collect();
            let twice = pieces.iter().step_by(3).copied();
            let order =
                Just(pieces.iter().copied().chain(twice).collect::<Vec<_>>()).prop_shuffle();
            (Just(content(octets)), order)
        })
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn a_packet_is_put_together_in_any_order((octets, pieces) in cut(), with_options: bool) {
        let mut pool = Reassembly::new(1);
        let mut missing: std::collections::BTreeSet<_> = pieces.iter().copied().collect();
        let mut expected = whole(SOURCE, &octets);
        if with_options {
            expected = padded(expected);
        }
        for (start, end) in pieces {
            let mut given = fragment(SOURCE, 7, start, end < octets.len(), &octets[start..end]);
            if with_options {
                given = padded(given);
            }
            let is_new = missing.remove(&(start, end));
            match pool.take(0, on(0, 0), &given) {
                Taken::Whole(number) => {
                    prop_assert!(missing.is_empty() && is_new);
                    prop_assert_eq!(take_out(&mut pool, number), expected);
                    prop_assert!(pool.is_empty());
                    return Ok(());
                }
                Taken::Kept => prop_assert!(is_new && !missing.is_empty()),
                Taken::Refused => prop_assert!(!is_new),
                wrong => prop_assert!(false, "{wrong:?}"),
            }
        }
        prop_assert!(false, "never whole");
    }

    /// Pieces that may overlap, contradict each other or leave holes.
    #[test]
    fn whatever_comes_is_as_the_model_says(
        pieces in proptest::collection::vec((0usize..8, 1usize..40, any::<bool>(), any::<bool>()), 1..12),
    ) {
        let mut pool = Reassembly::new(1);
        let mut model = Model::default();
        for (unit, octets, more, other) in pieces {
            let octets = if more { octets.next_multiple_of(8) } else { octets };
            let offset = unit * 8;
            let mut brought = content(400)[offset..offset + octets].to_vec();
            // A first fragment has the upper-layer header.
            if offset == 0 && octets < 8 {
                brought.resize(8, 0);
            }
            if other {
                brought[0] ^= 0x80;
            }
            let expected = model.take(offset, more, &brought);
            let atomic = offset == 0 && !more;
            match pool.take(0, on(0, 0), &fragment(SOURCE, 7, offset, more, &brought)) {
                Taken::Kept => prop_assert_eq!(expected, Expected::Kept),
                Taken::Refused => prop_assert_eq!(expected, Expected::Refused),
                Taken::Whole(number) => {
                    let packet = take_out(&mut pool, number);
                    prop_assert_eq!(expected, Expected::Whole(packet[40..].to_vec()));
                    model = Model::default();
                }
                Taken::Wrong(wrong) => prop_assert!(false, "{wrong:?} {atomic}"),
            }
        }
    }

    #[test]
    fn any_octets_are_taken(packets in proptest::collection::vec((any::<Vec<u8>>(), any::<[u8; 3]>()), 1..40)) {
        let mut pool = Reassembly::new(1);
        for (number, (rest, [headers, vif, kind])) in packets.iter().enumerate() {
            let mut given = fragment(SOURCE, u32::from(vif & 3), 0, false, &[]);
            given.truncate(44);
            given.extend(rest);
            for _ in 0..headers & 3 {
                given = padded(given);
            }
            let at = usize::from(*kind) % given.len();
            given[at] ^= headers;
            let now_ns = number as u64 * 4 * SECOND;
            if let Taken::Whole(number) = pool.take(now_ns, on(vif & 1, vif >> 4), &given) {
                take_out(&mut pool, number);
            }
            while let Some(expired) = pool.expire(now_ns) {
                let mut room = [0; 100];
                let written = pool.write_first(&expired, &mut room);
                prop_assert!(expired.first.is_none() || written.is_some_and(|octets| octets >= 40));
            }
            prop_assert!(pool.len() <= 16);
        }
        while pool.expire(1000 * SECOND).is_some() {}
        prop_assert!(pool.is_empty());
    }
}
