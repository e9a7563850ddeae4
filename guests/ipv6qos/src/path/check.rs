//! First stage: is it an IPv6 packet for this router to handle, and where does it end?
//!
//! Nearly all packets pass [`plain`], which knows yes and no more. What it does not know goes through [`careful`],
//! which knows why not. The rules: RFC 8200 3 (version, lengths), RFC 4291 2.4 to 2.7 (addresses).

use pinode_guest_runtime::{Frame, VifIndex};

use super::{Io, Packet, Packets};
use crate::control::view::Count;
use crate::counters::Cause;
use crate::icmp::{Problem, is_link_local, is_multicast};
use crate::packet::chain::TCP_FLAGS;
use crate::packet::fields::protocol;
use crate::packet::header::OCTETS;
use crate::packet::{Form, Header, Start, Station};
use crate::router::Running;
use crate::routing::Way;
use crate::unsafe_prefetch::prefetch;
use crate::vn::{InterfaceId, Vn};

/// The first 64 bits of an address from which on it is link-local, site-local or a group's.
const BEYOND: u64 = 0xfe80 << 48;

/// What [`plain`] saw of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    interface: InterfaceId,
    octets: u16,
    is_tcp: bool,
    destination: u128,
}

/// What is to be done with a packet that is not plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sorted {
    /// It goes on like others.
    Route(Seen),
    /// It is for the router, whatever the routes say.
    Deliver(Seen),
    /// Its sender is told why it is dropped.
    Refuse(Seen, Cause, Problem),
    /// It is dropped.
    Drop(Vn, Cause, u16),
}

/// Whether an address that begins like that is one that most packets do not have: link-local, a group's, loopback,
/// unspecified, with an IPv4 address in it.
#[inline]
const fn is_unusual(high: u64) -> bool {
    high.wrapping_sub(1) >= BEYOND - 1
}

impl Running {
    /// Takes the frames of a burst and leaves in `packets` those that are to be routed.
    #[inline]
    pub(super) fn check<const START: usize>(
        &mut self,
        vif: VifIndex,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
    ) {
        // Packets of one interface mostly come together: counted when another comes.
        let (mut last, mut count) = (None, Count::default());
        let is_read = !(self.filter.is_open() & self.diffserv.is_plain());
        while let Some(mut frame) = io.frames.next() {
            let octets = io.frames.octets(&frame);
            let Some(seen) = self.plain::<START>(vif, octets) else {
                self.unusual(vif, io, packets, frame);
                continue;
            };
            if last != Some(seen.interface) {
                self.count_received(last.replace(seen.interface), count);
                count = Count::default();
            }
            count.add(seen.octets);
            if is_read & seen.is_tcp {
                // Rules look at its flags, which are in the frame's next line.
                prefetch(octets, START + TCP_FLAGS);
            }
            let end = START - OCTETS + usize::from(seen.octets);
            if end != octets.len() {
                io.frames.resize(&mut frame, end);
            }
            let hop = self
                .routing
                .approach(seen.interface.vn(), seen.destination)
                .bits();
            packets.push(Packet {
                frame,
                destination: seen.destination,
                interface: seen.interface,
                octets: seen.octets,
                hop,
            });
        }
        self.count_received(last, count);
    }

    /// Counts packets that came in on an interface.
    #[inline]
    fn count_received(&mut self, interface: Option<InterfaceId>, count: Count) {
        let Some(id) = interface else {
            return;
        };
        self.counters.of(id.vn()).received.merge(count);
        self.interfaces.received(id, count);
    }

    /// Looks whether there is nothing special about a frame.
    #[inline]
    fn plain<const START: usize>(&self, vif: VifIndex, octets: &[u8]) -> Option<Seen> {
        let start: &Start<START> = octets.first_chunk()?;
        let head = Form::head(start);
        let id = InterfaceId::new(vif, self.form.vn(head));
        let station = self.interfaces.port(id).station;
        if Station::destination(head) != station || !self.form.is_ours(head) {
            return None;
        }
        let header = Header(start.last_chunk()?);
        let length = OCTETS + usize::from(header.payload_octets());
        let (source, destination) = (header.source(), header.destination());
        let unusual = is_unusual((source >> 64) as u64) | is_unusual((destination >> 64) as u64);
        if unusual || START - OCTETS + length > octets.len() {
            return None;
        }
        Some(Seen {
            interface: id,
            // Fits: a buffer holds fewer octets.
            octets: length as u16,
            is_tcp: header.next_header() == protocol::TCP,
            destination,
        })
    }

    /// Deals with a frame that there may be something special about.
    #[cold]
    fn unusual(
        &mut self,
        vif: VifIndex,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
        mut frame: Frame,
    ) {
        let sorted = self.careful(vif, io.frames.octets(&frame));
        let seen = match sorted {
            Sorted::Route(seen) | Sorted::Deliver(seen) | Sorted::Refuse(seen, ..) => seen,
            Sorted::Drop(vn, cause, octets) => {
                self.counters.of(vn).received.add(octets);
                self.counters.drop(vn, cause, octets);
                return io.out.discard(frame);
            }
        };
        let id = seen.interface;
        let mut count = Count::default();
        count.add(seen.octets);
        self.count_received(Some(id), count);
        io.frames
            .resize(&mut frame, self.form.at + usize::from(seen.octets));
        let packet = Packet {
            frame,
            destination: seen.destination,
            interface: id,
            octets: seen.octets,
            hop: self.routing.approach(id.vn(), seen.destination).bits(),
        };
        match sorted {
            Sorted::Refuse(_, cause, problem) => self.refuse(io, packet, cause, Some(problem)),
            Sorted::Deliver(_) => self.deliver_judged(io, packet),
            _ => packets.push(packet),
        }
    }

    /// Sorts a frame by all rules.
    fn careful(&self, vif: VifIndex, octets: &[u8]) -> Sorted {
        let head = Form::head(octets);
        let id = InterfaceId::new(vif, self.form.vn(head));
        let vn = id.vn();
        let behind = octets.len().saturating_sub(self.form.at);
        // Fits: a buffer holds fewer octets.
        let drop = |cause| Sorted::Drop(vn, cause, behind.min(usize::from(u16::MAX)) as u16);
        if octets.len() < self.form.at || !self.form.is_framed(head) {
            return drop(Cause::Foreign);
        }
        if !self.interfaces.has(id) {
            return drop(Cause::UnknownVn);
        }
        let Some(header) = octets.get(self.form.at..).and_then(Header::of) else {
            return drop(Cause::Truncated);
        };
        if header.version() != 6 {
            return drop(Cause::Version);
        }
        let length = OCTETS + usize::from(header.payload_octets());
        if length > behind {
            return drop(Cause::Truncated);
        }
        let (source, destination) = (header.source(), header.destination());
        let station = Station::destination(head);
        let seen = Seen {
            interface: id,
            // Fits: no more than `behind`.
            octets: length as u16,
            is_tcp: false,
            destination,
        };
        if station != self.interfaces.port(id).station && !station.is_group() {
            return drop(Cause::OtherStation);
        }
        if is_multicast(source) || source == LOOPBACK {
            return drop(Cause::Source);
        }
        if is_multicast(destination) {
            return match self.discovery.listens(id, destination) {
                true => Sorted::Deliver(seen),
                false => drop(Cause::Group),
            };
        }
        if station.is_group() {
            return drop(Cause::OtherStation);
        }
        if destination == 0 || destination == LOOPBACK {
            return drop(Cause::Destination);
        }
        if source == 0 {
            return drop(Cause::Source);
        }
        if is_link_local(destination) {
            return match self.discovery.address_state(id, destination).is_some() {
                true => Sorted::Deliver(seen),
                false => drop(Cause::Scope),
            };
        }
        // To an address of the router a neighbour may write from its link-local one.
        let beyond =
            is_link_local(source) && self.routing.lookup(vn, destination).way != Way::Local;
        if beyond {
            return Sorted::Refuse(seen, Cause::Scope, Problem::BeyondScope);
        }
        Sorted::Route(seen)
    }
}

const LOOPBACK: u128 = 1;
