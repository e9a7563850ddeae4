//! Answers to echo requests (RFC 4443 4.2), in the buffer they came in.

use super::{HEADER, HOP_LIMIT, addresses, checksum, is_multicast, kind, write_header};
use crate::packet::fields::protocol;

/// Most octets of a message: a packet's payload.
const MOST: usize = u16::MAX as usize;

/// Makes the echo request in `packet` (from its IPv6 header to its end, the message at `message_at`, already
/// received by [`parse`](super::parse)) the reply to it, in front of which no extension header is left. The reply comes
/// from the address that was asked, or from `ours` if that was a group; DSCP is the request's.
///
/// Gives the octets of the reply; none, and nothing done, if there is no request or nobody to answer.
pub fn reply(packet: &mut [u8], message_at: usize, ours: Option<u128>) -> Option<usize> {
    let (source, destination) = addresses(packet)?;
    let length = packet.len().checked_sub(message_at)?;
    let is_request = packet.get(message_at) == Some(&kind::ECHO_REQUEST);
    if !is_request || message_at < HEADER || !(8..=MOST).contains(&length) {
        return None;
    }
    if source == 0 || is_multicast(source) {
        return None;
    }
    let from = if is_multicast(destination) {
        ours?
    } else {
        destination
    };
    // ECN is not the request's: the reply is no congestion signal (RFC 3168 5).
    let traffic_class = (packet.first()? << 4 | packet.get(1)? >> 4) & 0xfc;
    packet.copy_within(message_at.., HEADER);
    let octets = HEADER + length;
    let (header, message) = packet.get_mut(..octets)?.split_first_chunk_mut()?;
    *message.first_mut()? = kind::ECHO_REPLY;
    let ends = (from, source);
    // At most MOST.
    write_header(
        header,
        traffic_class,
        protocol::ICMPV6,
        HOP_LIMIT,
        length as u16,
        ends,
    );
    checksum::seal(from, source, message);
    Some(octets)
}
