//! Octets of Multicast Listener Reports, version 2 (RFC 3810 5.2), and of Reports and Dones of version 1 (RFC 2710
//! 3), with the router alert (RFC 2711) they need.

use super::super::groups::{ALL_ROUTERS, GROUPS};
use super::super::link::Link;
use super::super::outbox::Report;
use super::{Writer, Written, seal};
use crate::icmp::{HEADER, group_mac, kind};
use crate::packet::fields::protocol;

/// All routers that understand these reports.
const ALL_LISTENING_ROUTERS: u128 = 0xff02 << 112 | 0x16;

/// Types of multicast address records (RFC 3810 5.2.12): all sources are wanted, or none.
mod record {
    pub(super) const IS_EXCLUDE: u8 = 2;
    pub(super) const TO_INCLUDE: u8 = 3;
    pub(super) const TO_EXCLUDE: u8 = 4;
}

/// Octets of the hop-by-hop header: router alert for multicast listener discovery, padded.
const HOP_BY_HOP: [u8; 8] = [protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0];

pub(super) fn report(link: &Link, report: Report, packet: &mut [u8]) -> Option<Written> {
    let mut groups: arrayvec::ArrayVec<u128, GROUPS> = arrayvec::ArrayVec::new();
    let record = match report {
        Report::Old(group) => {
            return old(link, kind::LISTENER_REPORT, (group, group), packet);
        }
        Report::OldDone(group) => {
            let [routers, _] = ALL_ROUTERS;
            return old(link, kind::LISTENER_DONE, (group, routers), packet);
        }
        Report::Current => {
            // There are as many places as groups.
            link.groups
                .current()
                .take(GROUPS)
                .for_each(|group| groups.push(group));
            record::IS_EXCLUDE
        }
        Report::Group(group) => {
            groups.push(group);
            record::IS_EXCLUDE
        }
        Report::Joined(group) => {
            groups.push(group);
            record::TO_EXCLUDE
        }
        Report::Left(group) => {
            groups.push(group);
            record::TO_INCLUDE
        }
    };
    let mut writer = packet.get_mut(HEADER..).map(Writer::new)?;
    writer.put(&HOP_BY_HOP)?;
    let message_at = writer.len();
    writer.put(&[kind::LISTENER_REPORT_2, 0, 0, 0, 0, 0])?;
    // At most GROUPS.
    writer.put(&(groups.len() as u16).to_be_bytes())?;
    for group in groups {
        writer.put(&[record, 0, 0, 0])?;
        writer.put(&group.to_be_bytes())?;
    }
    let written = (message_at, writer.len());
    sealed(link, packet, ALL_LISTENING_ROUTERS, written)
}

/// A message of version 1 about `group`.
fn old(
    link: &Link,
    kind: u8,
    (group, destination): (u128, u128),
    packet: &mut [u8],
) -> Option<Written> {
    let mut writer = packet.get_mut(HEADER..).map(Writer::new)?;
    writer.put(&HOP_BY_HOP)?;
    let message_at = writer.len();
    writer.put(&[kind, 0, 0, 0, 0, 0, 0, 0])?;
    writer.put(&group.to_be_bytes())?;
    let written = (message_at, writer.len());
    sealed(link, packet, destination, written)
}

fn sealed(
    link: &Link,
    packet: &mut [u8],
    destination: u128,
    (message_at, length): (usize, usize),
) -> Option<Written> {
    // Unspecified until the link-local address is in use (RFC 3590, RFC 3810 5.2.13).
    let ends = (link.link_local().unwrap_or(0), destination);
    let chain = (protocol::HOP_BY_HOP, message_at);
    let octets = seal(packet, ends, 1, chain, length)?;
    Some(Written {
        octets,
        destination: group_mac(destination),
    })
}
