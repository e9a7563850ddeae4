//! Last stage: who is next on the link? The frame gets its addresses and goes out.

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Output, VifIndex};

use super::settle::Held;
use super::{Io, Packet, Packets};
use crate::control::view::Count;
use crate::icmp::MINIMUM_MTU;
use crate::neighbour::{self, Asker, NeighbourId};
use crate::packet::header::{HOP_LIMIT, OCTETS};
use crate::packet::{Header, Start, Station, form};
use crate::router::Running;
use crate::routing::{Hop, HopId, Way};
use crate::vn::{InterfaceId, Vn};

/// Packets that left by one interface with one traffic class, one behind the other.
#[derive(Debug, Clone, Copy)]
struct Run {
    interface: InterfaceId,
    traffic_class: u8,
    count: Count,
}

/// What left in a burst, and what could not at once.
pub(super) struct Departures {
    /// Where the last packet went.
    via: Via,
    /// Frames to be sent by one vif.
    frames: ArrayVec<Frame, BURST>,
    vif: VifIndex,
    last: Option<Run>,
    /// Those before the last.
    runs: ArrayVec<Run, BURST>,
    /// Packets whose neighbour is not known, must hear that it is used, or is where they came from.
    waiting: Packets,
    /// The neighbour that was looked up for a hop, which may remember it.
    found: Option<(HopId, NeighbourId)>,
}

impl Departures {
    pub(super) fn new() -> Self {
        Departures {
            via: Via::NOWHERE,
            frames: ArrayVec::new(),
            vif: VifIndex(0),
            last: None,
            runs: ArrayVec::new(),
            waiting: Packets::new(),
            found: None,
        }
    }

    /// A packet whose next hop is not known, must hear that it is used, or is where it came from.
    pub(super) fn wait(&mut self, packet: Packet) {
        // No more than packets of a burst.
        self.waiting.push(packet);
    }

    /// Sends a frame, with others to the same vif.
    #[inline(always)]
    pub(super) fn send(&mut self, to: VifIndex, frame: Frame, out: &mut Output<'_>) {
        if to != self.vif {
            self.flush(out);
            self.vif = to;
        }
        self.frames.push(frame);
    }

    #[inline(never)]
    fn flush(&mut self, out: &mut Output<'_>) {
        out.send_all(self.vif, &mut self.frames);
    }

    /// Counts a packet that is sent.
    #[inline(always)]
    pub(super) fn add(&mut self, interface: InterfaceId, traffic_class: u8, octets: u16) {
        match &mut self.last {
            Some(run) if run.interface == interface && run.traffic_class == traffic_class => {
                run.count.add(octets);
            }
            _ => self.turn(interface, traffic_class, octets),
        }
    }

    #[inline(never)]
    fn turn(&mut self, interface: InterfaceId, traffic_class: u8, octets: u16) {
        let mut count = Count::default();
        count.add(octets);
        let next = Run {
            interface,
            traffic_class,
            count,
        };
        if let Some(last) = self.last.replace(next) {
            // No more runs than packets of a burst.
            let _ = self.runs.try_push(last);
        }
    }
}

impl Hop {
    /// The address that a packet to `destination` is sent to next.
    #[inline]
    fn next(&self, destination: u128) -> u128 {
        match self.way {
            Way::Gateway => self.gateway,
            _ => destination,
        }
    }
}

/// Where packets go: by way of a next router the same for all of its hop in a burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Via {
    /// What frames begin with, but for the packet.
    head: u128,
    /// [`HopId::MAX`], which is no packet's, where the next is the destination itself: looked for anew for each.
    hop: HopId,
    /// Octets of the largest packet; 0 where none goes.
    mtu: u16,
    pub interface: InterfaceId,
    /// Whether the neighbour is known and need not hear that it is used, so that there is a head.
    is_ready: bool,
}

impl Via {
    /// That of no packet.
    const NOWHERE: Self = Via {
        head: 0,
        hop: HopId::MAX,
        mtu: 0,
        interface: InterfaceId::new(VifIndex(0), Vn::of_pih(0)),
        is_ready: false,
    };

    /// Whether a packet can be sent this way at once.
    #[inline(always)]
    pub(super) fn is_open_to(&self, packet: &Packet) -> bool {
        self.is_ready & (self.interface != packet.interface)
    }

    /// Gives a frame its addresses.
    #[inline(always)]
    pub(super) fn address<const START: usize>(&self, start: &mut Start<START>) {
        form::rewrite(start, self.head);
    }

    /// Whether a packet goes on this way, as far as can be seen at once: it is one hop further then. Gives its
    /// traffic class.
    #[inline(always)]
    pub(super) fn takes<const START: usize>(
        &self,
        start: &mut Start<START>,
        packet: &Packet,
    ) -> Option<u8> {
        let header: &mut [u8; OCTETS] = start.last_chunk_mut()?;
        let traffic_class = Header(header).traffic_class();
        let hops = &mut header[HOP_LIMIT];
        if packet.octets > self.mtu || *hops <= 1 {
            return None;
        }
        *hops -= 1;
        Some(traffic_class)
    }
}

impl Running {
    /// Where a packet goes.
    #[inline(always)]
    pub(super) fn via(&self, packet: &Packet, departures: &mut Departures) -> Via {
        if departures.via.hop != packet.hop {
            departures.via = self.find_via(packet.hop, packet.destination, departures);
        }
        departures.via
    }

    #[inline(never)]
    fn find_via(&self, value: HopId, destination: u128, departures: &mut Departures) -> Via {
        let hop = self.routing.hop(value);
        let (of, neighbour) = match hop.way {
            Way::Gateway => (value, self.gateway(value, hop, departures)),
            Way::Link => {
                let known = self.discovery.find(hop.interface, destination);
                (HopId::MAX, known.map(|known| self.discovery.hop(known)))
            }
            _ => {
                return Via {
                    hop: value,
                    ..Via::NOWHERE
                };
            }
        };
        let port = self.interfaces.port(hop.interface);
        let ready = neighbour.filter(|known| known.is_usable() && !known.is_stale());
        let head = ready.map(|known| Station::of(known.mac()).head(port.template));
        Via {
            head: head.unwrap_or(0),
            hop: of,
            mtu: port.mtu,
            interface: hop.interface,
            is_ready: head.is_some(),
        }
    }

    /// The next router: the neighbour that the hop remembers, if it still is the one, or the one there is.
    fn gateway(
        &self,
        value: HopId,
        hop: &Hop,
        departures: &mut Departures,
    ) -> Option<&neighbour::Hop> {
        let (id, to) = (hop.interface, hop.gateway);
        let remembered = hop.neighbour.map(|known| self.discovery.hop(known));
        match remembered {
            Some(neighbour) if neighbour.is(id, to) => Some(neighbour),
            _ => {
                let found = self.discovery.find(id, to)?;
                departures.found = Some((value, found));
                Some(self.discovery.hop(found))
            }
        }
    }

    /// Counts the classes of what goes on as it came.
    #[inline]
    pub(super) fn count_classes(&mut self, io: &mut Io<'_, '_, '_>, departures: &Departures) {
        for run in departures.runs.iter().chain(&departures.last) {
            self.diffserv.count_run(run.traffic_class, run.count);
        }
        for packet in &departures.waiting {
            let octets = io.frames.octets(&packet.frame).get(self.form.at..);
            let class = octets.and_then(Header::of).map_or(0, Header::traffic_class);
            let mut count = Count::default();
            count.add(packet.octets);
            self.diffserv.count_run(class, count);
        }
    }

    /// Counts what left, and deals with what could not.
    #[inline]
    pub(super) fn depart(&mut self, io: &mut Io<'_, '_, '_>, departures: &mut Departures) {
        departures.flush(io.out);
        for run in departures.runs.drain(..).chain(departures.last) {
            self.interfaces.sent(run.interface, run.count);
            let fates = self.counters.of(run.interface.vn());
            fates.forwarded.merge(run.count);
        }
        if let Some((hop, neighbour)) = departures.found {
            self.routing.remember(hop, neighbour);
        }
        for packet in departures.waiting.drain(..) {
            self.wait(io, packet);
        }
    }

    /// The next hop is not known, must hear that it is used, or is on the link that the packet came from. What need
    /// not wait is in the outbox at once, in order.
    #[cold]
    fn wait(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        let hop = *self.routing.hop(packet.hop);
        let to = hop.next(packet.destination);
        let now_ns = io.now_ns();
        if hop.interface == packet.interface {
            self.redirect(io, &packet, to);
        }
        self.counters.of(packet.vn()).held += 1;
        let asker = Asker {
            interface: packet.interface,
            network: self.source(io, &packet).map_or(0, |of| (of >> 64) as u64),
        };
        let held = Held::forwarded(packet);
        self.discovery
            .resolve(now_ns, hop.interface, to, asker, held, &mut self.outbox);
    }

    fn source(&self, io: &mut Io<'_, '_, '_>, packet: &Packet) -> Option<u128> {
        let octets = io.frames.octets(&packet.frame).get(self.form.at..);
        octets.and_then(Header::of).map(Header::source)
    }

    /// Tells the sender of a packet that `to` is on its own link (RFC 4861 8.2).
    fn redirect(&mut self, io: &mut Io<'_, '_, '_>, packet: &Packet, to: u128) {
        let id = packet.interface;
        let ends = (self.source(io, packet).unwrap_or(0), packet.destination);
        let Some(redirect) = self.discovery.redirect(io.now_ns(), id, ends, to) else {
            return;
        };
        let Some(frame) = io.out.make(id.vif()) else {
            self.counters.of(id.vn()).unsaid += 1;
            return;
        };
        let mut original = [0; MINIMUM_MTU];
        let octets = io.frames.octets(&packet.frame);
        let octets = octets.get(self.form.at..).unwrap_or_default();
        let quoted = octets.len().min(original.len());
        let (Some(original), Some(octets)) = (original.get_mut(..quoted), octets.get(..quoted))
        else {
            return io.out.discard(frame);
        };
        original.copy_from_slice(octets);
        self.put(io, frame, id, |_, buffer| redirect.write(original, buffer));
    }
}
