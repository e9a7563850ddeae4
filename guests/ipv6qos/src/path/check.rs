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
use crate::vn::{InterfaceId, Vn};
use pinode_guest_runtime::unsafe_prefetch::prefetch;

/// The first 64 bits of an address from which on it is link-local, site-local or a group's.
const BEYOND: u64 = 0xfe80 << 48;

/// What frames begin with that are for one interface of the router, as far as nothing is special about them.
#[derive(Debug, Clone, Copy)]
struct Usual {
    station: Station,
    /// Bits of the last four octets of the head that count, and what they are.
    mask: u32,
    expected: u32,
    interface: InterfaceId,
}

impl Usual {
    /// That of no frame.
    const NONE: Self = Usual {
        station: Station::NOBODY,
        mask: 0,
        expected: 0,
        interface: InterfaceId::new(VifIndex(0), Vn::of_pih(0)),
    };

    #[inline(always)]
    fn is_of(&self, head: u128) -> bool {
        (Station::destination(head) == self.station)
            & (Form::last_four(head) & self.mask == self.expected)
    }
}

/// What [`plain`] saw of a packet.
#[derive(Debug, Clone, Copy)]
struct Plain {
    octets: u16,
    is_tcp: bool,
    destination: u128,
}

/// What [`Running::careful`] saw of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    interface: InterfaceId,
    octets: u16,
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

/// Looks whether there is nothing special about the packet of a frame that is for the router.
#[inline(always)]
fn plain<const START: usize>(octets: &[u8]) -> Option<Plain> {
    let start: &Start<START> = octets.first_chunk()?;
    let header = Header(start.last_chunk()?);
    let length = OCTETS + usize::from(header.payload_octets());
    let (source, destination) = (header.source(), header.destination());
    let unusual = is_unusual((source >> 64) as u64) | is_unusual((destination >> 64) as u64);
    if unusual | (START - OCTETS + length > octets.len()) {
        return None;
    }
    Some(Plain {
        // Fits: a buffer holds fewer octets.
        octets: length as u16,
        is_tcp: header.next_header() == protocol::TCP,
        destination,
    })
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
        let (mut usual, mut count) = (Usual::NONE, Count::default());
        let is_read = !(self.filter.is_open() & self.diffserv.is_plain());
        while let Some(mut frame) = io.frames.next() {
            let octets = io.frames.octets(&frame);
            let head = Form::head(octets);
            if !usual.is_of(head) {
                let Some(another) = self.usual(vif, head) else {
                    self.unusual(vif, io, packets, frame);
                    continue;
                };
                self.count_received(usual.interface, count);
                (usual, count) = (another, Count::default());
            }
            let Some(seen) = plain::<START>(octets) else {
                self.unusual(vif, io, packets, frame);
                continue;
            };
            count.add(seen.octets);
            if is_read & seen.is_tcp {
                // Rules look at its flags, which are in the frame's next line.
                prefetch(octets, START + TCP_FLAGS);
            }
            let end = START - OCTETS + usize::from(seen.octets);
            if end != octets.len() {
                io.frames.resize(&mut frame, end);
            }
            let vn = usual.interface.vn();
            packets.push(Packet {
                frame,
                destination: seen.destination,
                interface: usual.interface,
                octets: seen.octets,
                hop: self.routing.approach(vn, seen.destination).bits(),
            });
        }
        self.count_received(usual.interface, count);
    }

    /// Counts packets that came in on an interface.
    #[inline(never)]
    fn count_received(&mut self, interface: InterfaceId, count: Count) {
        if count.packets > 0 {
            self.counters.of(interface.vn()).received.merge(count);
            self.interfaces.received(interface, count);
        }
    }

    /// What a frame with this head and those like it begin with, if it is an IPv6 packet for an interface.
    #[inline(never)]
    fn usual(&self, vif: VifIndex, head: u128) -> Option<Usual> {
        let interface = InterfaceId::new(vif, self.form.vn(head));
        let (mask, expected) = self.form.of_vn(interface.vn());
        let usual = Usual {
            station: self.interfaces.port(interface).station,
            mask,
            expected,
            interface,
        };
        usual.is_of(head).then_some(usual)
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
        self.count_received(id, count);
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
