//! What is asked of a connection and granted to it: service class and peak rate, each way.
//!
//! After `struct atm_qos` of the Linux ATM API: two sets of traffic parameters, transmit and receive as seen by
//! whoever holds them. A peak rate is read as frames a second or as bits a second on the wire.

use serde::{Deserialize, Serialize};

/// Octets of a frame on the wire besides its PDU's payload: preamble and gap (20), Ethernet header (14), PIH (1),
/// label stack entry and control word (8), FCS (4).
pub const OVERHEAD_OCTETS: u64 = 20 + 14 + 1 + 8 + 4;

/// Octets that the shortest frame takes on the wire: 64 (IEEE 802.3-2018 3.2.8), preamble and gap.
pub const LEAST_OCTETS: u64 = 64 + 20;

/// What a connection is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Unspecified bit rate: best effort, behind all constant rates of its PI.
    Ubr,
    /// Constant bit rate: its peak rate, always.
    Cbr,
}

/// A peak rate ("peak cell rate").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Peak {
    /// Frames a second, each of the largest payload.
    Frames(u64),
    /// Bits a second on the wire: preamble, gap, headers and FCS count.
    Bits(u64),
}

/// Traffic one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Traffic {
    /// What is promised.
    pub class: Class,
    /// Peak rate; none: as much as goes, which only [`Class::Ubr`] may ask for.
    pub peak: Option<Peak>,
    /// Cell delay variation tolerance, nanoseconds: how much earlier than its rate alone would have it a frame may come.
    pub cdvt_ns: u64,
    /// Largest payload, octets.
    pub max_sdu: u16,
}

/// Traffic both ways; none: nothing goes that way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Qos {
    /// From whoever holds it.
    pub transmit: Option<Traffic>,
    /// To whoever holds it.
    pub receive: Option<Traffic>,
}

/// Tolerance that is asked for unless another is: what an ordinary host does to the times of frames, nanoseconds.
const CDVT_NS: u64 = 1_000_000;

impl Traffic {
    /// A constant rate, with payloads of so many octets at most, and a tolerance of 1 ms.
    #[must_use]
    pub const fn cbr(peak: Peak, max_sdu: u16) -> Self {
        Self {
            class: Class::Cbr,
            peak: Some(peak),
            cdvt_ns: CDVT_NS,
            max_sdu,
        }
    }

    /// Best effort: as much as goes, with payloads of so many octets at most.
    #[must_use]
    pub const fn ubr(max_sdu: u16) -> Self {
        Self {
            class: Class::Ubr,
            peak: None,
            cdvt_ns: CDVT_NS,
            max_sdu,
        }
    }

    /// Its peak rate in bits a second on the wire; none: as much as goes.
    #[must_use]
    pub fn wire_bps(&self) -> Option<u64> {
        Some(match self.peak? {
            Peak::Bits(bits) => bits,
            Peak::Frames(frames) => {
                let octets = OVERHEAD_OCTETS + u64::from(self.max_sdu);
                frames.saturating_mul(8 * octets.max(LEAST_OCTETS))
            }
        })
    }

    /// What is reserved for it, bits a second on the wire: nothing for best effort.
    #[must_use]
    pub fn reserved_bps(&self) -> u64 {
        match self.class {
            Class::Cbr => self.wire_bps().unwrap_or(0),
            Class::Ubr => 0,
        }
    }
}

impl Qos {
    /// One way, from whoever holds it.
    #[must_use]
    pub const fn sending(traffic: Traffic) -> Self {
        Self {
            transmit: Some(traffic),
            receive: None,
        }
    }

    /// One way, to whoever holds it.
    #[must_use]
    pub const fn receiving(traffic: Traffic) -> Self {
        Self {
            transmit: None,
            receive: Some(traffic),
        }
    }

    /// The same both ways.
    #[must_use]
    pub const fn both(traffic: Traffic) -> Self {
        Self {
            transmit: Some(traffic),
            receive: Some(traffic),
        }
    }

    /// The same, as the other end holds it.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            transmit: self.receive,
            receive: self.transmit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_a_second_are_bits_on_the_wire() {
        let mut traffic = Traffic {
            class: Class::Cbr,
            peak: Some(Peak::Frames(1000)),
            cdvt_ns: 0,
            max_sdu: 52,
        };
        // The seed's smallest frame: 79 octets, 99 on the wire.
        assert_eq!(traffic.wire_bps(), Some(1000 * 8 * 99));
        assert_eq!(traffic.reserved_bps(), 792_000);
        traffic.class = Class::Ubr;
        assert_eq!(traffic.reserved_bps(), 0);
        traffic.peak = Some(Peak::Frames(u64::MAX));
        assert_eq!(traffic.wire_bps(), Some(u64::MAX));
        traffic.peak = None;
        assert_eq!(traffic.wire_bps(), None);
    }
}
