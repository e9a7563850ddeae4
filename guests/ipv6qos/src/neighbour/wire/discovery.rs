//! Octets of neighbour discovery (RFC 4861 4.2 to 4.6, RFC 8106 5.1, RFC 7527 4).

use super::super::groups::ALL_NODES;
use super::super::link::Link;
use super::super::redirect::Redirect;
use super::{LONGEST, Writer, Written, seal_discovery};
use crate::control::item::Mac;
use crate::control::view::AddressState;
use crate::icmp::{HEADER, Nonce, group_mac, is_link_local, kind, solicited_node};
use crate::prefix::Prefix;

/// Options (RFC 4861 4.6, RFC 3971 5.3.2, RFC 8106 5.1).
mod option {
    pub(super) const SOURCE_MAC: u8 = 1;
    pub(super) const TARGET_MAC: u8 = 2;
    pub(super) const PREFIX: u8 = 3;
    pub(super) const REDIRECTED: u8 = 4;
    pub(super) const MTU: u8 = 5;
    pub(super) const NONCE: u8 = 14;
    pub(super) const SERVERS: u8 = 25;
}

/// A router, answering, overriding: flags of a Neighbour Advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// On link, and for autonomous configuration: flags of a prefix.
const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;

fn body(packet: &mut [u8]) -> Option<Writer<'_>> {
    packet.get_mut(HEADER..).map(Writer::new)
}

/// An option of 8 octets.
fn put_short(writer: &mut Writer<'_>, option: u8, value: &[u8; 6]) -> Option<()> {
    writer.put(&[option, 1])?;
    writer.put(value)
}

pub(super) fn solicitation(
    link: &Link,
    source: u128,
    (target, to): (u128, Option<Mac>),
    nonce: Option<Nonce>,
    packet: &mut [u8],
) -> Option<Written> {
    if source != 0 {
        // It may have been taken away since.
        link.own(source)?;
    }
    let mut writer = body(packet)?;
    writer.put(&[kind::NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0])?;
    writer.put(&target.to_be_bytes())?;
    if source != 0 {
        put_short(&mut writer, option::SOURCE_MAC, &link.mac.0)?;
    }
    if let Some(nonce) = nonce {
        put_short(&mut writer, option::NONCE, &nonce)?;
    }
    let length = writer.len();
    let group = solicited_node(target);
    let (destination, mac) = match to {
        Some(mac) => (target, mac),
        None => (group, group_mac(group)),
    };
    seal_discovery(packet, (source, destination), mac, length)
}

pub(super) fn advertisement(
    link: &Link,
    target: u128,
    to: Option<(u128, Mac)>,
    packet: &mut [u8],
) -> Option<Written> {
    // One of ours, or one that other routers may have too (RFC 4861 7.2.7); it may have been taken away since.
    let (source, override_flag) = match link.own(target) {
        Some(own) if own.state == AddressState::Preferred => (target, OVERRIDE),
        _ => (link.anycast(target)?, 0),
    };
    let solicited = if to.is_some() { SOLICITED } else { 0 };
    let flags = ROUTER | solicited | override_flag;
    let mut writer = body(packet)?;
    writer.put(&[kind::NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0])?;
    writer.put(&target.to_be_bytes())?;
    put_short(&mut writer, option::TARGET_MAC, &link.mac.0)?;
    let length = writer.len();
    let (destination, mac) = to.unwrap_or((ALL_NODES, group_mac(ALL_NODES)));
    seal_discovery(packet, (source, destination), mac, length)
}

/// A prefix, with its lifetimes in seconds.
fn put_prefix(
    writer: &mut Writer<'_>,
    prefix: Prefix,
    valid_s: u32,
    preferred_s: u32,
) -> Option<()> {
    // Hosts make addresses of 64 bits of prefix only (RFC 4862 5.5.3 d, RFC 4291 2.5.1).
    let flags = if prefix.length() == 64 {
        ON_LINK | AUTONOMOUS
    } else {
        ON_LINK
    };
    writer.put(&[option::PREFIX, 4, prefix.length(), flags])?;
    writer.put(&valid_s.to_be_bytes())?;
    writer.put(&preferred_s.to_be_bytes())?;
    writer.put(&[0; 4])?;
    writer.put(&prefix.bits().to_be_bytes())
}

pub(super) fn router_advertisement(link: &Link, last: bool, packet: &mut [u8]) -> Option<Written> {
    let said = link.advertise.parameters()?;
    let source = link.link_local()?;
    let seconds = |nanoseconds: u64| {
        // Within 32 bits: it was checked.
        u32::try_from(nanoseconds / 1_000_000_000).unwrap_or(u32::MAX)
    };
    let lifetime_s = if last { 0 } else { said.lifetime_s() };
    let flags = u8::from(said.managed) << 7 | u8::from(said.other) << 6;
    let mut writer = body(packet)?;
    writer.put(&[kind::ROUTER_ADVERTISEMENT, 0, 0, 0, said.hop_limit, flags])?;
    writer.put(&lifetime_s.to_be_bytes())?;
    // Reachable and retransmission time: the hosts' own.
    writer.put(&[0; 8])?;
    put_short(&mut writer, option::SOURCE_MAC, &link.mac.0)?;
    let mtu = u32::from(said.mtu.unwrap_or(link.mtu));
    writer.put(&[option::MTU, 1, 0, 0])?;
    writer.put(&mtu.to_be_bytes())?;
    let mut told: arrayvec::ArrayVec<Prefix, { super::super::ADDRESSES }> =
        arrayvec::ArrayVec::new();
    for own in &link.addresses {
        let prefix = own.address.prefix();
        let is_shown = !is_link_local(own.address.address) && !told.contains(&prefix);
        if is_shown && prefix.length() < 128 {
            // There are as many places as addresses.
            let _ = told.try_push(prefix);
            put_prefix(
                &mut writer,
                prefix,
                seconds(said.valid.0),
                seconds(said.preferred.0),
            )?;
        }
    }
    for prefix in link.advertise.withdrawn() {
        if !told.contains(&prefix) {
            put_prefix(&mut writer, prefix, 0, 0)?;
        }
    }
    if !said.rdnss.is_empty() {
        // At most SERVERS.
        writer.put(&[option::SERVERS, 1 + 2 * said.rdnss.len() as u8, 0, 0])?;
        let servers_s = if last {
            0
        } else {
            seconds(said.interval.0 * 3)
        };
        writer.put(&servers_s.to_be_bytes())?;
        for server in &said.rdnss {
            writer.put(&server.octets())?;
        }
    }
    let length = writer.len();
    let all = (source, ALL_NODES);
    seal_discovery(packet, all, group_mac(ALL_NODES), length)
}

/// As much of `original` is told as fits (RFC 4861 4.5).
pub(in crate::neighbour) fn redirect(
    said: &Redirect,
    original: &[u8],
    packet: &mut [u8],
) -> Option<Written> {
    let mut writer = body(packet)?;
    writer.put(&[kind::REDIRECT, 0, 0, 0, 0, 0, 0, 0])?;
    writer.put(&said.target.to_be_bytes())?;
    writer.put(&said.destination.to_be_bytes())?;
    if let Some(mac) = said.target_mac {
        put_short(&mut writer, option::TARGET_MAC, &mac.0)?;
    }
    let room = LONGEST.checked_sub(HEADER + writer.len() + 8)?;
    let whole_units = original.len().min(room) / 8;
    // At most LONGEST.
    writer.put(&[option::REDIRECTED, 1 + whole_units as u8, 0, 0, 0, 0, 0, 0])?;
    writer.put(original.get(..whole_units * 8)?)?;
    let length = writer.len();
    let ends = (said.source, said.to);
    seal_discovery(packet, ends, said.to_mac, length)
}
