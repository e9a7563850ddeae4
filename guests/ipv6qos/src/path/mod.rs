//! The path of a frame, in stages over a burst.
//!
//! ```text
//! check      is it an IPv6 packet for this router to handle?
//! route      where does its destination lead?               all destinations at once
//! judge      does the filter let it pass?                   only where there are rules
//! forward    hop limit and size: may it go there?
//! mark       which class is it of, within which rate?       only where there are rules
//! next       who is next on the link? new addresses, and out
//!
//! deliver    the other end: packets for the router itself
//! collect    those of them that come in fragments, or are answered in some
//! refuse     why a packet does not go on: counted, its sender told
//! originate  what the router says itself
//! settle     what became of frames that waited for a neighbour
//! ```
//!
//! A burst goes through each stage before the next begins; what leaves the path is dealt with on the spot. Must
//! never allocate, never trust a length that a packet claims, and never keep a frame without counting it.

mod check;
mod collect;
mod deliver;
mod forward;
mod judge;
mod mark;
mod next;
mod originate;
mod refuse;
mod settle;

pub(crate) use settle::Held;

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Frames, Output, VifIndex};

use crate::lpm::Approach;
use crate::packet::form;
use crate::router::Running;
use crate::routing::HopId;
use crate::vn::{InterfaceId, Vn};

/// Groups of flows that are looked through each tick, for those that have run out: a million flows in a second.
const SWEPT: u32 = 256;

/// A packet on its way.
#[derive(Debug)]
pub(crate) struct Packet {
    /// Its frame, which ends where the packet does.
    pub frame: Frame,
    /// Its destination.
    pub destination: u128,
    /// The interface it came in on.
    pub interface: InterfaceId,
    /// Octets of it: IPv6 header and payload.
    pub octets: u16,
    /// What the look-up of its destination gave; before it, where to begin.
    pub hop: u32,
}

impl Packet {
    /// Its virtual network.
    #[inline]
    pub(crate) const fn vn(&self) -> Vn {
        self.interface.vn()
    }
}

/// Packets between two stages.
pub(crate) type Packets = ArrayVec<Packet, BURST>;

/// What packets are made of and where they go, while a burst or a tick is handled.
pub(crate) struct Io<'a, 'f, 'o> {
    /// Octets of frames.
    pub frames: &'a mut Frames<'f>,
    /// Where frames go.
    pub out: &'a mut Output<'o>,
}

impl Io<'_, '_, '_> {
    /// The time of this burst.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.out.now_ns()
    }
}

impl Running {
    /// The frames that came in on `vif`.
    pub(crate) fn burst(&mut self, vif: VifIndex, io: &mut Io<'_, '_, '_>) {
        if self.form.has_pih() {
            self.burst_of::<{ form::MARKED }>(vif, io);
        } else {
            self.burst_of::<{ form::PLAIN }>(vif, io);
        }
    }

    /// The same, of frames whose IPv6 header ends behind `START` octets.
    fn burst_of<const START: usize>(&mut self, vif: VifIndex, io: &mut Io<'_, '_, '_>) {
        let mut packets = Packets::new();
        self.check::<START>(vif, io, &mut packets);
        self.route(&mut packets);
        if !self.filter.is_open() {
            self.judge(io, &mut packets);
        }
        if self.diffserv.is_plain() {
            self.forward::<START>(io, &mut packets);
        } else {
            self.forward_marked::<START>(io, &mut packets);
        }
        if !self.outbox.is_empty() {
            self.settle(io);
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, io: &mut Io<'_, '_, '_>) {
        self.now_ns = io.now_ns();
        self.discovery.tick(self.now_ns, &mut self.outbox);
        if !self.reassembly.is_empty() {
            self.give_up(io);
        }
        self.filter.flows_mut().work(self.now_ns, SWEPT);
        if !self.outbox.is_empty() {
            self.settle(io);
        }
    }

    /// Finds the hops of destinations that the first look did not say all of.
    #[inline]
    fn route(&mut self, packets: &mut Packets) {
        let mut unknown = 0u64;
        for (at, packet) in packets.iter_mut().enumerate() {
            let (vn, destination) = (packet.vn(), packet.destination);
            match Approach::of_bits(packet.hop).done() {
                Ok(hop) => packet.hop = hop,
                Err(bits) => match self.routing.recalled(vn, destination, bits) {
                    Some(hop) => packet.hop = hop,
                    None => unknown |= 1 << (at % BURST),
                },
            }
        }
        if unknown != 0 {
            self.look_up(packets, unknown);
        }
    }

    /// Looks up the destinations of packets, a bit each.
    #[inline(never)]
    fn look_up(&mut self, packets: &mut Packets, unknown: u64) {
        let is_unknown = |at: usize| unknown >> (at % BURST) & 1 != 0;
        let mut keys = ArrayVec::<(Vn, u128), BURST>::new();
        let mut hops = ArrayVec::<HopId, BURST>::new();
        for (at, packet) in packets.iter().enumerate() {
            if is_unknown(at) {
                keys.push((packet.vn(), packet.destination));
                hops.push(packet.hop);
            }
        }
        self.routing.lookup_burst(&keys, &mut hops);
        let packets = packets.iter_mut().enumerate();
        let packets = packets.filter(|(at, _)| is_unknown(*at));
        for ((_, packet), hop) in packets.zip(hops) {
            packet.hop = hop;
        }
    }
}

// A bit each.
const _: () = assert!(BURST <= u64::BITS as usize);
