//! Contents of information elements, octet by octet (counted from 0, numbers big-endian).
//!
//! Coded by ITU-T Q.2931:
//!
//! | element | contents |
//! |---|---|
//! | called party number 0x70, calling party number 0x6C (4.5.11, 4.5.13) | 0: 0x82, ATM end system address; 1..20: address |
//! | broadband bearer capability 0x5E (4.5.7) | 0: 0x80 and the class, 1 BCOB-A (some constant rate) or 16 BCOB-X (none); 1: 0x80, point to point |
//! | B-LLI 0x5F (4.5.9) | 1 to 64 octets, carried as they are |
//! | cause 0x08 (4.5.15) | 0: 0x81, private network serving the local user; 1: 0x80 and the cause; 2..: diagnostic, 8 octets at most |
//! | call state 0x14 (4.5.12) | 0: number of the state, 6 bits |
//!
//! Coded by this project:
//!
//! | element | contents |
//! |---|---|
//! | ATM traffic descriptor 0x59 | 0..19: forward, from the calling to the called side; 20..39: backward |
//! | each way of it | 0: 0 nothing goes this way (and the rest is 0), 1 UBR, 2 CBR; 1: unit, 0 no peak rate, 1 frames/s, 2 bits/s on the wire; 2..9: peak rate; 10..17: CDVT, ns; 18..19: largest payload, octets |
//! | quality of service parameter 0x5C | 0: class forward, 1: backward; 1 for CBR, 0 (unspecified) for the rest |
//! | nodes crossed 0xF0 | 0: how many, 1 to 255; left out where it is none |
//! | words beside a cause 0xF1 | 1 to 200 octets of UTF-8 |
//! | connection identifier 0x5A | 0: 0x88, exclusive; 1: VN, 5 bits; 2..4: label, 20 bits |
//!
//! A reader returns none for contents that are not so. Must not know which message they are in.

use alloc::string::String;
use alloc::vec::Vec;

use crate::address::{Address, OCTETS};
use crate::qos::{Class, Peak, Qos, Traffic};

use super::reason::{Reason, WORDS_OCTETS};
use super::setup::{BLLI_OCTETS, possible};
use super::{CallState, Cause, ConnectionIdentifier};

/// Type of number unknown, ATM end system address.
const END_SYSTEM_ADDRESS: u8 = 0x82;
const BCOB_A: u8 = 0x81;
const BCOB_X: u8 = 0x90;
const POINT_TO_POINT: u8 = 0x80;
/// Explicit indication, exclusive.
const EXCLUSIVE: u8 = 0x88;
const PRIVATE_NETWORK: u8 = 0x81;
/// Octets of a traffic descriptor, one way.
const TRAFFIC_OCTETS: usize = 20;

pub(super) fn address(address: &Address) -> [u8; 1 + OCTETS] {
    let mut contents = [END_SYSTEM_ADDRESS; 1 + OCTETS];
    contents[1..].copy_from_slice(&address.0);
    contents
}

pub(super) fn read_address(contents: &[u8]) -> Option<Address> {
    match contents.split_first()? {
        (&END_SYSTEM_ADDRESS, octets) => Some(Address(octets.try_into().ok()?)),
        _ => None,
    }
}

fn is_constant(traffic: Option<Traffic>) -> bool {
    traffic.is_some_and(|traffic| traffic.class == Class::Cbr)
}

pub(super) fn bearer(qos: &Qos) -> [u8; 2] {
    let constant = is_constant(qos.transmit) || is_constant(qos.receive);
    [if constant { BCOB_A } else { BCOB_X }, POINT_TO_POINT]
}

/// Whether it is a bearer that there is; none if it cannot be read.
pub(super) fn read_bearer(contents: &[u8]) -> Option<bool> {
    let (class, rest) = contents.split_first()?;
    let connection = rest.first()?;
    Some(matches!(*class, BCOB_A | BCOB_X) && *connection == POINT_TO_POINT)
}

/// As the calling side sees it.
pub(super) fn traffic(qos: &Qos) -> Vec<u8> {
    let mut contents = Vec::with_capacity(2 * TRAFFIC_OCTETS);
    for way in [qos.transmit, qos.receive] {
        let Some(way) = way else {
            contents.extend_from_slice(&[0; TRAFFIC_OCTETS]);
            continue;
        };
        let (unit, peak) = match way.peak {
            None => (0, 0),
            Some(Peak::Frames(peak)) => (1, peak),
            Some(Peak::Bits(peak)) => (2, peak),
        };
        contents.push(match way.class {
            Class::Ubr => 1,
            Class::Cbr => 2,
        });
        contents.push(unit);
        contents.extend_from_slice(&peak.to_be_bytes());
        contents.extend_from_slice(&way.cdvt_ns.to_be_bytes());
        contents.extend_from_slice(&way.max_sdu.to_be_bytes());
    }
    contents
}

/// As the calling side sees it.
pub(super) fn read_traffic(contents: &[u8]) -> Option<Qos> {
    let (forward, backward) = contents.split_at_checked(TRAFFIC_OCTETS)?;
    Some(Qos {
        transmit: read_way(forward)?,
        receive: read_way(backward)?,
    })
}

fn read_way(octets: &[u8]) -> Option<Option<Traffic>> {
    let octets: &[u8; TRAFFIC_OCTETS] = octets.try_into().ok()?;
    let (head, rest) = octets.split_first_chunk::<2>()?;
    let (peak, rest) = rest.split_first_chunk()?;
    let (cdvt, max_sdu) = rest.split_first_chunk()?;
    let peak = u64::from_be_bytes(*peak);
    let class = match head[0] {
        0 => return (*octets == [0; TRAFFIC_OCTETS]).then_some(None),
        1 => Class::Ubr,
        2 => Class::Cbr,
        _ => return None,
    };
    let peak = match (head[1], peak) {
        (0, 0) => None,
        (1, peak) => Some(Peak::Frames(peak)),
        (2, peak) => Some(Peak::Bits(peak)),
        _ => return None,
    };
    let traffic = Traffic {
        class,
        peak,
        cdvt_ns: u64::from_be_bytes(*cdvt),
        max_sdu: u16::from_be_bytes(max_sdu.try_into().ok()?),
    };
    possible(&traffic).then_some(Some(traffic))
}

pub(super) fn qos_parameter(qos: &Qos) -> [u8; 2] {
    [qos.transmit, qos.receive].map(|way| u8::from(is_constant(way)))
}

pub(super) fn connection(connection: ConnectionIdentifier) -> [u8; 5] {
    let [_, high, middle, low] = connection.label().to_be_bytes();
    [EXCLUSIVE, connection.vn(), high, middle, low]
}

pub(super) fn read_connection(contents: &[u8]) -> Option<ConnectionIdentifier> {
    match *contents {
        [EXCLUSIVE, vn, high, middle, low] => {
            ConnectionIdentifier::new(vn, u32::from_be_bytes([0, high, middle, low])).ok()
        }
        _ => None,
    }
}

/// Nodes crossed.
pub(super) fn read_hops(contents: &[u8]) -> Option<u8> {
    match contents {
        [hops @ 1..=u8::MAX] => Some(*hops),
        _ => None,
    }
}

pub(super) fn read_blli(contents: &[u8]) -> Option<Vec<u8>> {
    (1..=BLLI_OCTETS)
        .contains(&contents.len())
        .then(|| contents.to_vec())
}

pub(super) fn reason(reason: &Reason) -> Vec<u8> {
    let mut contents = Vec::with_capacity(2 + reason.diagnostic().len());
    contents.extend_from_slice(&[PRIVATE_NETWORK, 0x80 | reason.cause.number()]);
    contents.extend_from_slice(reason.diagnostic());
    contents
}

pub(super) fn read_reason(contents: &[u8]) -> Option<Reason> {
    match *contents {
        // The high bit says that no octet belongs to the same group behind it.
        [0x80..=0xff, cause @ 0x80..=0xff, ref diagnostic @ ..] => {
            Some(Reason::new(Cause::from_number(cause), diagnostic))
        }
        _ => None,
    }
}

/// Words; more of them than are kept are wrong, as is what is no text.
pub(super) fn read_words(contents: &[u8]) -> Option<String> {
    let fits = (1..=WORDS_OCTETS).contains(&contents.len());
    let words = core::str::from_utf8(contents).ok().filter(|_| fits)?;
    Some(words.into())
}

pub(super) fn read_state(contents: &[u8]) -> Option<CallState> {
    match *contents {
        [number] => CallState::from_number(number & 0x3f),
        _ => None,
    }
}
