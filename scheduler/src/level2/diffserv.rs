//! Differentiated services (RFC 2474) in four classes, as RFC 4594 groups them.
//!
//! | class | code points | served |
//! |---|---|---|
//! | NC | CS6 | first; policed |
//! | RT | EF (RFC 3246), VOICE-ADMIT (RFC 5865), CS5, CS4 | next; policed |
//! | AS | AF11 to AF43 (RFC 2597), CS3, CS2 | by weight; drop precedence |
//! | BE | DF, LE (RFC 8622), all others, and what is no IP packet | by weight |
//!
//! NC and RT go strictly before the rest, and what is above their rate and burst is dropped when it
//! comes: so the rest always gets what they may not use, and EF's delay is bounded by its burst
//! (RFC 3246 2.2). AS and BE share by deficit round robin. Of a class, AF's drop precedences 2 and 3
//! fill only a part, and so does LE, which is there for what would otherwise be left unused.
//!
//! Must never reorder frames of one class: AF's precedences are one queue (RFC 2597 2).

use std::num::NonZeroU8;

use super::bucket::Bucket;
use super::class::Class;
use super::round::Round;
use super::{Arrival, ClassCounters, ClassName, Discipline, Refused};
use crate::rate::LinkRate;

/// A class that goes before others, and is policed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policed {
    /// Its rate: octets of frames, with FCS.
    pub rate: LinkRate,
    /// Most octets at once; a frame longer than this never passes.
    pub burst_octets: u32,
    /// Most frames that wait.
    pub limit: usize,
}

/// A class that shares what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighted {
    /// Its share to that of the other.
    pub weight: NonZeroU8,
    /// Most frames that wait.
    pub limit: usize,
}

/// The four classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes {
    /// Network control.
    pub nc: Policed,
    /// Real time.
    pub rt: Policed,
    /// Assured forwarding.
    pub assured: Weighted,
    /// Best effort.
    pub be: Weighted,
}

/// The order of DiffServ. It allocates once, when it is made.
#[derive(Debug, Clone)]
pub struct Diffserv<T> {
    nc: Strict<T>,
    rt: Strict<T>,
    shared: Round<T>,
    /// In the order of [`Phb`]'s shared ones.
    thresholds: [usize; 5],
}

#[derive(Debug, Clone)]
struct Strict<T> {
    class: Class<T>,
    bucket: Bucket,
}

/// How a code point is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phb {
    Nc,
    Rt,
    /// In the shared class of the first number; up to the threshold of the second.
    Shared(u8, u8),
}

const AS: u8 = 0;
const BE: u8 = 1;
const AF_1: Phb = Phb::Shared(AS, 0);
const AF_2: Phb = Phb::Shared(AS, 1);
const AF_3: Phb = Phb::Shared(AS, 2);
const DF: Phb = Phb::Shared(BE, 3);
const LE: Phb = Phb::Shared(BE, 4);

/// By code point.
const PHBS: [Phb; 64] = {
    let mut phbs = [DF; 64];
    phbs[48] = Phb::Nc; // CS6
    phbs[46] = Phb::Rt; // EF
    phbs[44] = Phb::Rt; // VOICE-ADMIT
    phbs[40] = Phb::Rt; // CS5
    phbs[32] = Phb::Rt; // CS4
    phbs[24] = AF_1; // CS3
    phbs[16] = AF_1; // CS2
    let mut class = 1;
    while class <= 4 {
        phbs[8 * class + 2] = AF_1;
        phbs[8 * class + 4] = AF_2;
        phbs[8 * class + 6] = AF_3;
        class += 1;
    }
    phbs[1] = LE;
    phbs
};

/// How the packet that begins with `pdu` is treated, by its DSCP. Other protocols and what is too
/// short to tell are best effort.
#[inline]
fn phb(pdu: &[u8]) -> Phb {
    let &[first, second, ..] = pdu else {
        return DF;
    };
    let traffic_class = match first >> 4 {
        6 => first << 4 | second >> 4,
        4 => second,
        _ => return DF,
    };
    PHBS.get(usize::from(traffic_class >> 2))
        .copied()
        .unwrap_or(DF)
}

impl<T> Strict<T> {
    fn new(policed: &Policed) -> Self {
        Self {
            class: Class::new(policed.limit),
            bucket: Bucket::new(policed.rate, policed.burst_octets),
        }
    }

    #[inline]
    fn enqueue(&mut self, frame: T, arrival: &Arrival<'_>) -> Result<(), Refused<T>> {
        let Self { class, bucket } = self;
        let conforms = || bucket.takes(arrival.now_ns, arrival.octets);
        class.enqueue(frame, arrival.octets, usize::MAX, conforms)
    }
}

impl<T> Diffserv<T> {
    /// Names of the classes, in the order in which they are told of.
    pub const NAMES: [&'static str; 4] = ["nc", "rt", "as", "be"];

    /// Empty classes; NC and RT may send their bursts at once.
    #[must_use]
    pub fn new(classes: &Classes) -> Self {
        let Classes {
            nc,
            rt,
            assured,
            be,
        } = classes;
        let part = |limit: usize, quarters: usize| limit.saturating_mul(quarters).div_ceil(4);
        Self {
            nc: Strict::new(nc),
            rt: Strict::new(rt),
            shared: Round::new([assured, be].map(|c| (c.limit, c.weight.get()))),
            thresholds: [
                assured.limit,
                part(assured.limit, 3),
                part(assured.limit, 2),
                be.limit,
                part(be.limit, 2),
            ],
        }
    }

    fn counters(&self) -> [ClassCounters; 4] {
        [
            self.nc.class.counters(),
            self.rt.class.counters(),
            self.shared.counters(usize::from(AS)),
            self.shared.counters(usize::from(BE)),
        ]
    }
}

impl<T> Discipline<T> for Diffserv<T> {
    fn looks(&self) -> usize {
        2
    }

    #[inline]
    fn enqueue(&mut self, frame: T, arrival: &Arrival<'_>) -> Result<(), Refused<T>> {
        match phb(arrival.pdu) {
            Phb::Nc => self.nc.enqueue(frame, arrival),
            Phb::Rt => self.rt.enqueue(frame, arrival),
            Phb::Shared(class, threshold) => {
                let threshold = self.thresholds.get(usize::from(threshold));
                let threshold = threshold.copied().unwrap_or(usize::MAX);
                self.shared
                    .enqueue(usize::from(class), frame, arrival.octets, threshold)
            }
        }
    }

    #[inline]
    fn dequeue_if(&mut self, _now_ns: u64, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        for strict in [&mut self.nc, &mut self.rt] {
            if let Some((frame, _)) = strict.class.dequeue_if(&mut may_start) {
                return Some(frame);
            }
        }
        self.shared.dequeue_if(may_start)
    }

    fn clear(&mut self, mut frame: impl FnMut(T)) {
        self.nc.class.clear(&mut frame);
        self.rt.class.clear(&mut frame);
        self.shared.clear(frame);
    }

    #[inline]
    fn len(&self) -> usize {
        self.nc.class.len() + self.rt.class.len() + self.shared.len()
    }

    fn classes(&self, most: usize, mut each: impl FnMut(ClassName, ClassCounters)) {
        let all = Self::NAMES.into_iter().zip(self.counters());
        all.take(most)
            .for_each(|(name, counters)| each(ClassName::Named(name), counters));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_are_treated_as_their_rfcs_ask() {
        let is = |dscp: u8, expected: Phb| {
            let traffic_class = dscp << 2 | 0b11;
            let v6 = [0x60 | traffic_class >> 4, traffic_class << 4 | 0xF];
            assert_eq!(phb(&v6), expected, "IPv6, code point {dscp}");
            assert_eq!(phb(&[0x45, traffic_class]), expected, "IPv4, {dscp}");
        };
        let known = [
            (48, Phb::Nc),
            (46, Phb::Rt),
            (44, Phb::Rt),
            (40, Phb::Rt),
            (32, Phb::Rt),
            (24, AF_1),
            (16, AF_1),
            (10, AF_1),
            (12, AF_2),
            (14, AF_3),
            (18, AF_1),
            (20, AF_2),
            (22, AF_3),
            (26, AF_1),
            (28, AF_2),
            (30, AF_3),
            (34, AF_1),
            (36, AF_2),
            (38, AF_3),
            (1, LE),
        ];
        for dscp in 0..64 {
            let found = known.iter().find(|known| known.0 == dscp);
            is(dscp, found.map_or(DF, |known| known.1));
        }
    }

    #[test]
    fn what_is_no_packet_is_best_effort() {
        for pdu in [&[][..], &[0x60], &[0x00, 0xB8], &[0x5B, 0x80], &[0xFF; 2]] {
            assert_eq!(phb(pdu), DF, "{pdu:?}");
        }
    }
}
