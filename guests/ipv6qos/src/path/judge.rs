//! Third stage, where the filter has rules: does it let a packet pass?
//!
//! Neighbour discovery and listener queries are not asked about: without them a link does not work, and they never
//! come from beyond it.

use arrayvec::ArrayVec;
use pinode_guest_runtime::BURST;

use super::{Io, Packet, Packets};
use crate::counters::Cause;
use crate::filter::{self, Verdict};
use crate::icmp::Problem;
use crate::packet::Fields;
use crate::packet::fields::protocol;
use crate::router::Running;
use crate::routing::Way;

impl Running {
    /// Leaves in `packets` those that pass.
    pub(super) fn judge(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let mut fields = ArrayVec::<Fields, BURST>::new();
        for packet in packets.iter() {
            let local = self.routing.hop(packet.hop).way == Way::Local;
            fields.push(self.fields(io, packet, local));
        }
        let mut verdicts = [Verdict::Pass; BURST];
        let (now_ns, count) = (io.now_ns(), fields.len().min(BURST));
        let verdicts = &mut verdicts[..count];
        self.filter
            .judge_burst(now_ns, &self.tables, &fields, verdicts);
        let mut passed = Packets::new();
        for (packet, verdict) in packets.drain(..).zip(verdicts) {
            match verdict {
                Verdict::Pass => passed.push(packet),
                verdict => self.turn_away(io, packet, *verdict),
            }
        }
        *packets = passed;
    }

    /// A packet for the router that no route was looked up for: judged alone.
    pub(super) fn deliver_judged(&mut self, io: &mut Io<'_, '_, '_>, packet: Packet) {
        if !self.filter.is_open() {
            let fields = self.fields(io, &packet, true);
            let mut verdict = [Verdict::Pass];
            if !is_of_the_link(&fields) {
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

/// Whether it is a message that a link does not work without: MLD and neighbour discovery.
fn is_of_the_link(fields: &Fields) -> bool {
    fields.protocol == protocol::ICMPV6 && matches!(fields.source_port, 130..=137 | 143)
}
