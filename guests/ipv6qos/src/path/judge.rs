//! Third stage, where the filter has rules: does it let a packet pass?
//!
//! Neighbour discovery and listener queries to the router are not asked about: without them a link does not work, and
//! they never come from beyond it.

use arrayvec::ArrayVec;
use pinode_guest_runtime::BURST;

use super::{Io, Packet, Packets};
use crate::counters::Cause;
use crate::filter::{self, Verdict};
use crate::icmp::Problem;
use crate::icmp::message::UNFORWARDED;
use crate::packet::fields::{Upper, protocol};
use crate::packet::header::{HOP_LIMIT, OCTETS};
use crate::packet::{Chain, Fields};
use crate::router::Running;
use crate::routing::Way;

impl Running {
    /// Leaves in `packets` those that pass.
    #[inline(never)]
    pub(super) fn judge(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        if self.filter.is_held() {
            self.hold_back(io, packets);
        }
        let mut fields = ArrayVec::<Fields, BURST>::new();
        let mut excused = 0u64;
        for (at, packet) in packets.iter().enumerate() {
            let local = self.routing.hop(packet.hop).way == Way::Local;
            let octets = io.frames.octets(&packet.frame);
            let octets = octets.get(self.form.at..).unwrap_or_default();
            // Pushed here and there, so that what is read is written once, where it is looked at.
            if let Some(seen) = Fields::plain(octets, packet.interface, local) {
                fields.push(seen);
            } else if let Some(seen) = self.unless_excused(io, packet, local) {
                fields.push(seen);
            } else {
                excused |= 1 << (at % BURST);
            }
        }
        let mut verdicts = [Verdict::Pass; BURST];
        let (now_ns, count) = (io.now_ns(), fields.len().min(BURST));
        let verdicts = &mut verdicts[..count];
        self.filter
            .judge_burst(now_ns, &self.tables, &fields, verdicts);
        if !verdicts.iter().all(|verdict| *verdict == Verdict::Pass) {
            self.part(io, packets, excused, verdicts);
        }
    }

    /// What rules see of a packet that is not the plainest; none if they are not asked.
    #[inline(never)]
    fn unless_excused(
        &self,
        io: &mut Io<'_, '_, '_>,
        packet: &Packet,
        local: bool,
    ) -> Option<Fields> {
        let seen = self.fields(io, packet, local);
        let excused = is_error(&seen) && self.is_related(io, packet)
            || local && self.is_discovery(io, packet, &seen);
        (!excused).then_some(seen)
    }

    /// Leaves in `packets` those that are excused, a bit each, and those of the others whose verdict says so.
    #[inline(never)]
    fn part(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
        excused: u64,
        verdicts: &[Verdict],
    ) {
        let mut verdicts = verdicts.iter();
        let mut passed = Packets::new();
        for (at, packet) in packets.drain(..).enumerate() {
            let verdict = match excused >> (at % BURST) & 1 {
                0 => verdicts.next(),
                _ => None,
            };
            match verdict {
                None | Some(Verdict::Pass) => passed.push(packet),
                Some(verdict) => self.turn_away(io, packet, *verdict),
            }
        }
        *packets = passed;
    }

    /// Leaves in `packets` those for the router itself: what may be forwarded is not known yet.
    #[cold]
    fn hold_back(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let mut staying = Packets::new();
        for packet in packets.drain(..) {
            if self.routing.hop(packet.hop).way == Way::Local {
                staying.push(packet);
            } else {
                self.refuse(io, packet, Cause::Replay, None);
            }
        }
        *packets = staying;
    }

    /// A packet for the router that no route was looked up for: judged alone.
    pub(super) fn deliver_judged(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        if !self.filter.is_open() {
            let fields = self.fields(io, &packet, true);
            let mut verdict = [Verdict::Pass];
            let related = is_error(&fields) && self.is_related(io, &packet);
            if !related && !is_of_the_link(&fields) {
                self.filter
                    .judge_burst(io.now_ns(), &self.tables, &[fields], &mut verdict);
            }
            if verdict[0] != Verdict::Pass {
                return self.turn_away(io, packet, verdict[0]);
            }
        }
        self.deliver(io, packet);
    }

    /// What rules see of a packet.
    #[inline]
    pub(super) fn fields(&self, io: &mut Io<'_, '_, '_>, packet: &Packet, local: bool) -> Fields {
        let octets = io.frames.octets(&packet.frame);
        let octets = octets.get(self.form.at..).unwrap_or_default();
        Fields::read(octets, packet.interface, local)
    }

    /// Whether it is a message of neighbour discovery that was never forwarded (RFC 4861 7.1), such as one that looks
    /// whether a global address of the router is still there.
    fn is_discovery(&self, io: &mut Io<'_, '_, '_>, packet: &Packet, fields: &Fields) -> bool {
        let octets = io.frames.octets(&packet.frame);
        let hops = octets.get(self.form.at + HOP_LIMIT);
        is_of_the_link(fields)
            && matches!(fields.source_port, 133..=137)
            && hops == Some(&UNFORWARDED)
    }

    /// Whether an ICMPv6 error is about a packet of a flow that was let pass, and goes to who sent that packet: to
    /// anybody else it is no answer.
    #[cold]
    fn is_related(&self, io: &mut Io<'_, '_, '_>, packet: &Packet) -> bool {
        let octets = io.frames.octets(&packet.frame);
        let octets = octets.get(self.form.at..).unwrap_or_default();
        let quoted = octets.get(Chain::walk(octets).at + ERROR_OCTETS..);
        let quoted = quoted.filter(|quoted| quoted.len() >= OCTETS);
        quoted.is_some_and(|quoted| {
            let fields = Fields::read(quoted, packet.interface, false);
            fields.source == packet.destination && self.filter.is_related(io.out.now_ns(), &fields)
        })
    }

    /// A packet that does not pass.
    fn turn_away(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet, verdict: Verdict) {
        let (cause, problem) = match verdict {
            Verdict::Drop(filter::Cause::FlowsFull) => (Cause::FlowsFull, None),
            Verdict::Reject => (Cause::Filter, Some(Problem::Prohibited)),
            _ => (Cause::Filter, None),
        };
        self.refuse(io, packet, cause, problem);
    }
}

// A bit each.
const _: () = assert!(BURST <= u64::BITS as usize);

/// Octets of an ICMPv6 error in front of the packet that it quotes (RFC 4443 3).
const ERROR_OCTETS: usize = 8;

/// Whether it is an ICMPv6 error.
#[inline]
fn is_error(fields: &Fields) -> bool {
    fields.protocol == protocol::ICMPV6 && fields.upper == Upper::Read && fields.source_port < 128
}

/// Whether it is a message that a link does not work without: MLD and neighbour discovery.
fn is_of_the_link(fields: &Fields) -> bool {
    fields.protocol == protocol::ICMPV6 && matches!(fields.source_port, 130..=137 | 143)
}
