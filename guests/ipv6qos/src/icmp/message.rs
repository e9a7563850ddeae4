//! ICMPv6 that was received for the router itself: octets into an enum, with all that the protocols demand of a
//! message before it is looked at (RFC 4443 2.3, RFC 4861 6.1, 7.1, 8.1, RFC 3810 6.2).
//!
//! Must never panic, whatever the octets, nor look at more options than a packet holds.

use super::{HEADER, addresses, checksum, is_link_local, is_multicast, kind};
use crate::control::item::Mac;
use crate::packet::fields::protocol;

/// Octets that mark a solicitation as ours (RFC 3971 5.3.2, RFC 7527).
pub type Nonce = [u8; 6];

/// Hop limit of neighbour discovery: it was never forwarded (RFC 4861 3.1).
pub const UNFORWARDED: u8 = 255;

/// A message and whom it is from and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Source address of the packet.
    pub source: u128,
    /// Destination address of the packet.
    pub destination: u128,
    /// What it says.
    pub message: Message<'a>,
}

/// A message, valid by its protocol's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// An error about a packet that the router sent.
    Error {
        /// Its type, below 128.
        kind: u8,
        /// Its code.
        code: u8,
        /// As much of the packet as is there, from its IPv6 header.
        packet: &'a [u8],
    },
    /// Echo request; [`echo::reply`](super::echo::reply) answers it.
    EchoRequest,
    /// Echo reply.
    EchoReply,
    /// Multicast Listener Query (RFC 3810 5.1, RFC 2710 3).
    Query(Query),
    /// Multicast Listener Report or Done: the router forwards no multicast and does not look into it.
    Listener,
    /// Router Solicitation (RFC 4861 4.1).
    RouterSolicitation {
        /// Its sender's MAC address.
        mac: Option<Mac>,
    },
    /// Router Advertisement (RFC 4861 4.2): valid, and ignored by a router.
    RouterAdvertisement,
    /// Neighbour Solicitation (RFC 4861 4.3).
    Solicitation {
        /// Whose MAC address is asked for.
        target: u128,
        /// Its sender's MAC address.
        mac: Option<Mac>,
        /// Tells solicitations of one node from another's (RFC 7527).
        nonce: Option<Nonce>,
    },
    /// Neighbour Advertisement (RFC 4861 4.4).
    Advertisement(Advertisement),
    /// Redirect (RFC 4861 4.5): valid, and ignored by a router.
    Redirect,
    /// Any other type; unknown informational ones are dropped (RFC 4443 2.4 b).
    Other {
        /// Its type, 128 or more.
        kind: u8,
    },
}

/// Which version of multicast listener discovery a querier speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 2710.
    One,
    /// RFC 3810.
    Two,
}

/// What a Multicast Listener Query asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// The version it is of, by its length (RFC 3810 8.1).
    pub version: Version,
    /// Within how many milliseconds to answer.
    pub within_ms: u32,
    /// The group asked for; unspecified (0): all.
    pub group: u128,
}

/// What a Neighbour Advertisement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertisement {
    /// The address advertised.
    pub target: u128,
    /// Its sender is a router.
    pub router: bool,
    /// It answers a solicitation.
    pub solicited: bool,
    /// It may replace what is known.
    pub overrides: bool,
    /// MAC address of the target.
    pub mac: Option<Mac>,
}

/// Why a message is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Shorter than its type demands.
    #[error("too short")]
    Short,
    /// Wrong checksum.
    #[error("wrong checksum")]
    Checksum,
    /// It was forwarded, or may have been.
    #[error("wrong hop limit")]
    HopLimit,
    /// A code that its type does not have.
    #[error("wrong code")]
    Code,
    /// An option of length 0, beyond the end, or of the wrong length.
    #[error("broken option")]
    Option,
    /// Source, destination or target address that it may not have.
    #[error("wrong address")]
    Address,
    /// No router alert option in front of it.
    #[error("no router alert")]
    RouterAlert,
}

/// Reads the ICMPv6 message at `message_at` of `packet`, which begins with the IPv6 header and ends with the
/// packet (not with the padding of its frame).
///
/// # Errors
///
/// What makes the message one that must be dropped.
pub fn parse(packet: &[u8], message_at: usize) -> Result<Received<'_>, Refused> {
    let (source, destination) = addresses(packet).ok_or(Refused::Short)?;
    let message = packet.get(message_at..).ok_or(Refused::Short)?;
    let [kind, code, _, _, rest @ ..] = message else {
        return Err(Refused::Short);
    };
    if checksum::icmpv6(source, destination, message) != 0 {
        return Err(Refused::Checksum);
    }
    let unforwarded = || {
        if packet.get(7) != Some(&UNFORWARDED) {
            return Err(Refused::HopLimit);
        }
        if *code == 0 {
            Ok(())
        } else {
            Err(Refused::Code)
        }
    };
    let message = match *kind {
        kind::ECHO_REQUEST | kind::ECHO_REPLY if rest.len() < 4 => return Err(Refused::Short),
        kind::ECHO_REQUEST => Message::EchoRequest,
        kind::ECHO_REPLY => Message::EchoReply,
        kind::LISTENER_QUERY => query(packet, source, destination, rest)?,
        kind::LISTENER_REPORT | kind::LISTENER_DONE | kind::LISTENER_REPORT_2 => Message::Listener,
        kind::ROUTER_SOLICITATION => {
            unforwarded()?;
            let options = Options::read(rest, 4)?;
            if source == 0 && options.source_mac.is_some() {
                return Err(Refused::Address);
            }
            let mac = options.source_mac;
            Message::RouterSolicitation { mac }
        }
        kind::ROUTER_ADVERTISEMENT => {
            unforwarded()?;
            Options::read(rest, 12)?;
            link_local(source)?;
            Message::RouterAdvertisement
        }
        kind::NEIGHBOUR_SOLICITATION => {
            unforwarded()?;
            solicitation(source, destination, rest)?
        }
        kind::NEIGHBOUR_ADVERTISEMENT => {
            unforwarded()?;
            advertisement(source, destination, rest)?
        }
        kind::REDIRECT => {
            unforwarded()?;
            Options::read(rest, 36)?;
            link_local(source)?;
            Message::Redirect
        }
        kind @ 0..128 => Message::Error {
            kind,
            code: *code,
            packet: rest.get(4..).ok_or(Refused::Short)?,
        },
        kind => Message::Other { kind },
    };
    Ok(Received {
        source,
        destination,
        message,
    })
}

fn link_local(address: u128) -> Result<(), Refused> {
    if is_link_local(address) {
        Ok(())
    } else {
        Err(Refused::Address)
    }
}

/// The 16 octets behind the first four of `body`.
fn target(body: &[u8]) -> Result<u128, Refused> {
    let octets = body.get(4..20).and_then(|octets| octets.try_into().ok());
    let target = u128::from_be_bytes(octets.ok_or(Refused::Short)?);
    if is_multicast(target) {
        return Err(Refused::Address);
    }
    Ok(target)
}

/// RFC 4861 7.1.1.
fn solicitation(source: u128, destination: u128, body: &[u8]) -> Result<Message<'_>, Refused> {
    let target = target(body)?;
    let options = Options::read(body, 20)?;
    if source == 0 {
        let to_group = destination == super::solicited_node(target);
        if !to_group || options.source_mac.is_some() {
            return Err(Refused::Address);
        }
    } else if is_multicast(source) {
        return Err(Refused::Address);
    }
    Ok(Message::Solicitation {
        target,
        mac: options.source_mac,
        nonce: options.nonce,
    })
}

/// RFC 4861 7.1.2.
fn advertisement(source: u128, destination: u128, body: &[u8]) -> Result<Message<'_>, Refused> {
    let target = target(body)?;
    let options = Options::read(body, 20)?;
    let flags = body.first().copied().unwrap_or(0);
    let solicited = flags & 0x40 != 0;
    let from_group = source == 0 || is_multicast(source);
    if from_group || solicited && is_multicast(destination) {
        return Err(Refused::Address);
    }
    Ok(Message::Advertisement(Advertisement {
        target,
        router: flags & 0x80 != 0,
        solicited,
        overrides: flags & 0x20 != 0,
        mac: options.target_mac,
    }))
}

/// RFC 3810 5.1 and 6.2; RFC 2710 3 where it has 24 octets.
fn query<'a>(
    packet: &[u8],
    source: u128,
    destination: u128,
    body: &[u8],
) -> Result<Message<'a>, Refused> {
    let [high, low, _, _, group @ ..] = body else {
        return Err(Refused::Short);
    };
    let octets = group.get(..16).and_then(|octets| octets.try_into().ok());
    let group = u128::from_be_bytes(octets.ok_or(Refused::Short)?);
    if packet.get(7) != Some(&1) {
        return Err(Refused::HopLimit);
    }
    link_local(source)?;
    let is_general = group == 0;
    if !is_multicast(destination) && is_general || !is_general && !is_multicast(group) {
        return Err(Refused::Address);
    }
    if !has_router_alert(packet) {
        return Err(Refused::RouterAlert);
    }
    let code = u16::from_be_bytes([*high, *low]);
    // Behind type, code and checksum; what is between the two is neither (RFC 3810 8.1).
    let version = match body.len() {
        20 => Version::One,
        24.. => Version::Two,
        _ => return Err(Refused::Short),
    };
    let within_ms = if version == Version::One || code < 0x8000 {
        u32::from(code)
    } else {
        // RFC 3810 5.1.3: a floating-point number.
        let (exponent, mantissa) = (code >> 12 & 7, u32::from(code & 0xfff));
        (mantissa | 0x1000) << (exponent + 3)
    };
    Ok(Message::Query(Query {
        version,
        within_ms,
        group,
    }))
}

/// Whether the hop-by-hop options have a router alert (RFC 2711).
fn has_router_alert(packet: &[u8]) -> bool {
    let Some([protocol::HOP_BY_HOP, _]) = packet.get(6..8) else {
        return false;
    };
    let Some([_, length, ..]) = packet.get(HEADER..) else {
        return false;
    };
    let end = HEADER + 8 + usize::from(*length) * 8;
    let mut options = packet.get(HEADER + 2..end).unwrap_or_default();
    loop {
        options = match options {
            [0, rest @ ..] => rest,
            [5, 2, ..] => return true,
            [_, length, rest @ ..] => rest.get(usize::from(*length)..).unwrap_or_default(),
            _ => return false,
        };
    }
}

/// The options of neighbour discovery that are looked at (RFC 4861 4.6); others are skipped.
#[derive(Debug, Default)]
struct Options {
    source_mac: Option<Mac>,
    target_mac: Option<Mac>,
    nonce: Option<Nonce>,
}

impl Options {
    /// Those behind the first `fixed` octets of `body`.
    fn read(body: &[u8], fixed: usize) -> Result<Self, Refused> {
        let mut rest = body.get(fixed..).ok_or(Refused::Short)?;
        let mut options = Options::default();
        while let [kind, units, ..] = rest {
            let octets = usize::from(*units) * 8;
            if octets == 0 {
                return Err(Refused::Option);
            }
            let (option, behind) = rest.split_at_checked(octets).ok_or(Refused::Option)?;
            let value = option.get(2..8).and_then(|value| value.try_into().ok());
            match *kind {
                // On Ethernet these have 8 octets (RFC 2464 6); a group's address is nobody's.
                1 | 2 if octets != 8 => return Err(Refused::Option),
                1 => options.source_mac = unicast(value)?,
                2 => options.target_mac = unicast(value)?,
                // Longer ones are not ours.
                14 if octets == 8 => options.nonce = value,
                _ => {}
            }
            rest = behind;
        }
        if rest.is_empty() {
            Ok(options)
        } else {
            Err(Refused::Option)
        }
    }
}

fn unicast(value: Option<[u8; 6]>) -> Result<Option<Mac>, Refused> {
    let mac = value
        .map(Mac)
        .filter(|mac| !mac.is_group() && mac.0 != [0; 6]);
    mac.map(Some).ok_or(Refused::Option)
}
