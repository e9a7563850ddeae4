//! Third stage, where the filter has rules: does it let a packet pass?
//!
//! Neighbour discovery and listener queries to the router are not asked about: without them a link does not work, and
//! they never come from beyond it.

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frames};

use super::{Io, Packet, Packets};
use crate::control::view::Count;
use crate::counters::Cause;
use crate::filter::flows::{Burst, Flows};
use crate::filter::{self, Verdict};
use crate::icmp::Problem;
use crate::icmp::message::UNFORWARDED;
use crate::packet::fields::{Upper, protocol};
use crate::packet::header::{HOP_LIMIT, OCTETS};
use crate::packet::{Alike, Chain, Ends, Fields};
use crate::router::Running;
use crate::routing::{HopId, Routing, Way};

impl Running {
    /// Leaves in `packets` those that pass.
    #[inline]
    pub(super) fn judge(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        if self.filter.is_held() {
            self.hold_back(io, packets);
        }
        if self.filter.asks_flows() {
            self.judge_with_flows(io, packets);
        } else if self.filter.is_alike() {
            self.judge_alike(io, packets);
        } else {
            self.judge_by_rules(io, packets);
        }
    }

    /// Packets of flows pass, those that are excused, too; rules judge the others.
    #[inline(never)]
    fn judge_with_flows(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let now_ns = io.now_ns();
        let mut arrived = Arrived {
            packets,
            frames: io.frames,
            routing: &self.routing,
            at: self.form.at,
            now_ns,
            excused: 0,
        };
        let found = self.filter.flows_mut().find(now_ns, &mut arrived);
        let passing = found | arrived.excused;
        if passing.count_ones() as usize != packets.len() {
            self.judge_others(io, packets, passing);
        }
    }

    /// Judges by rules all packets but those, a bit each, that pass.
    #[inline(never)]
    fn judge_others(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets, passing: u64) {
        let mut fields = ArrayVec::<Fields, BURST>::new();
        for (at, packet) in packets.iter().enumerate() {
            if passing >> (at % BURST) & 1 == 0 {
                let local = self.routing.hop(packet.hop).way == Way::Local;
                fields.push(self.fields(io, packet, local));
            }
        }
        self.judge_fields(io, packets, &fields, passing);
    }

    /// All packets find the same rule, whatever they are, and but those that are excused have its verdict.
    #[inline(never)]
    fn judge_alike(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let mut count = Count::default();
        let mut excused = 0u64;
        let (mut last, mut local) = (HopId::MAX, false);
        for (at, packet) in packets.iter().enumerate() {
            if packet.hop != last {
                (last, local) = (packet.hop, self.routing.hop(packet.hop).way == Way::Local);
            }
            // No flow is there that an error could be about: only what is for the router may be excused.
            if local && self.is_excused(io, packet) {
                excused |= 1 << (at % BURST);
            } else {
                count.add(packet.octets);
            }
        }
        let verdict = self.filter.judge_alike(count).unwrap_or(Verdict::Pass);
        if verdict != Verdict::Pass {
            self.part(io, packets, excused, &[verdict; BURST]);
        }
    }

    /// Rules judge all packets but those that are excused.
    #[inline(never)]
    fn judge_by_rules(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        if self.filter.recalls() {
            return self.judge_again(io, packets);
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
        self.judge_fields(io, packets, &fields, excused);
    }

    /// The same by what rules said of packets like them, where that is known.
    #[inline(never)]
    fn judge_again(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let mut headers = Headers {
            packets,
            frames: io.frames,
            routing: &self.routing,
            at: self.form.at,
            last: HopId::MAX,
            local: false,
        };
        let judged = self.filter.judge_again(&self.tables, &mut headers);
        if !judged.all_pass {
            // Those that are excused have none.
            let verdicts = judged.verdicts.iter().enumerate();
            let verdicts = verdicts.filter(|(at, _)| judged.excused >> (at % BURST) & 1 == 0);
            let verdicts: ArrayVec<Verdict, BURST> = verdicts.map(|(_, is)| *is).collect();
            self.part(io, packets, judged.excused, &verdicts);
        }
    }

    /// Rules judge `fields`, those of all packets that are not excused, a bit each.
    #[inline]
    fn judge_fields(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
        fields: &[Fields],
        excused: u64,
    ) {
        let mut verdicts = [Verdict::Pass; BURST];
        let (now_ns, count) = (io.now_ns(), fields.len().min(BURST));
        let verdicts = &mut verdicts[..count];
        self.filter
            .judge_by_rules(now_ns, &self.tables, fields, verdicts);
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
        let octets = io.frames.octets(&packet.frame);
        let octets = octets.get(self.form.at..).unwrap_or_default();
        let seen = Fields::read(octets, packet.interface, local);
        let now_ns = io.out.now_ns();
        let related = |about: &Fields| self.filter.is_related(now_ns, about);
        (!is_excused(octets, &seen, related)).then_some(seen)
    }

    /// Whether a packet for the router is not judged where no flow could be.
    #[cold]
    fn is_excused(&self, io: &mut Io<'_, '_, '_>, packet: &Packet) -> bool {
        self.unless_excused(io, packet, true).is_none()
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
            let octets = io.frames.octets(&packet.frame);
            let octets = octets.get(self.form.at..).unwrap_or_default();
            let fields = Fields::read(octets, packet.interface, true);
            let mut verdict = [Verdict::Pass];
            let now_ns = io.out.now_ns();
            let related = |about: &Fields| self.filter.is_related(now_ns, about);
            let related = is_error(&fields) && is_about(octets, &fields, related);
            if !related && !is_of_the_link(&fields) {
                self.filter
                    .judge_burst(now_ns, &self.tables, &[fields], &mut verdict);
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

// A bit each.
const _: () = assert!(BURST <= u64::BITS as usize);

/// Octets of an ICMPv6 error in front of the packet that it quotes (RFC 4443 3).
const ERROR_OCTETS: usize = 8;

/// The packets of a burst, as flows look at them.
struct Arrived<'a, 'f> {
    packets: &'a [Packet],
    frames: &'a mut Frames<'f>,
    routing: &'a Routing,
    /// Where in a frame its packet begins.
    at: usize,
    now_ns: u64,
    /// Those that are not judged, a bit each.
    excused: u64,
}

impl Burst for Arrived<'_, '_> {
    #[inline(always)]
    fn packets(&self) -> usize {
        self.packets.len()
    }

    #[inline(always)]
    fn ends(&mut self, at: usize) -> Option<Ends> {
        let packet = self.packets.get(at)?;
        let octets = self.frames.octets(&packet.frame);
        Ends::plain(octets.get(self.at..)?, packet.vn())
    }

    fn fields(&mut self, at: usize, flows: &Flows) -> Option<Fields> {
        let packet = self.packets.get(at)?;
        let local = self.routing.hop(packet.hop).way == Way::Local;
        let octets = self.frames.octets(&packet.frame);
        let octets = octets.get(self.at..).unwrap_or_default();
        let seen = Fields::read(octets, packet.interface, local);
        if is_excused(octets, &seen, |about| flows.is_related(self.now_ns, about)) {
            self.excused |= 1 << (at % BURST);
            return None;
        }
        Some(seen)
    }
}

/// The packets of a burst, as what rules said of ones like them looks at them; no rule tracks flows.
struct Headers<'a, 'f> {
    packets: &'a [Packet],
    frames: &'a mut Frames<'f>,
    routing: &'a Routing,
    /// Where in a frame its packet begins.
    at: usize,
    /// The hop of the last packet that was looked at, and whether that is the router itself.
    last: HopId,
    local: bool,
}

impl filter::Burst for Headers<'_, '_> {
    #[inline(always)]
    fn packets(&self) -> usize {
        self.packets.len()
    }

    #[inline(always)]
    fn octets(&self, at: usize) -> u16 {
        self.packets.get(at).map_or(0, |packet| packet.octets)
    }

    #[inline(always)]
    fn alike(&mut self, at: usize) -> Alike {
        let Some(packet) = self.packets.get(at) else {
            return Alike::NONE;
        };
        if packet.hop != self.last {
            self.last = packet.hop;
            self.local = self.routing.hop(packet.hop).way == Way::Local;
        }
        let octets = self.frames.octets(&packet.frame);
        let octets = octets.get(self.at..).unwrap_or_default();
        Alike::plain(octets, packet.interface, self.local).unwrap_or(Alike::NONE)
    }

    fn fields(&mut self, at: usize) -> Option<Fields> {
        let packet = self.packets.get(at)?;
        let octets = self.frames.octets(&packet.frame);
        let octets = octets.get(self.at..).unwrap_or_default();
        let local = self.routing.hop(packet.hop).way == Way::Local;
        let seen = Fields::read(octets, packet.interface, local);
        // There are no flows that an error could be about.
        (!is_excused(octets, &seen, |_| false)).then_some(seen)
    }
}

/// Whether rules are not asked about a packet; `related` tells whether one that an error is about is of a flow.
fn is_excused(octets: &[u8], seen: &Fields, related: impl FnOnce(&Fields) -> bool) -> bool {
    is_error(seen) && is_about(octets, seen, related) || seen.local && is_discovery(octets, seen)
}

/// Whether it is a message of neighbour discovery that was never forwarded (RFC 4861 7.1), such as one that looks
/// whether a global address of the router is still there.
fn is_discovery(octets: &[u8], fields: &Fields) -> bool {
    is_of_the_link(fields)
        && matches!(fields.source_port, 133..=137)
        && octets.get(HOP_LIMIT) == Some(&UNFORWARDED)
}

/// Whether an ICMPv6 error is about a packet of a flow that was let pass, as `related` tells, and goes to who sent that
/// packet: to anybody else it is no answer.
#[cold]
fn is_about(octets: &[u8], error: &Fields, related: impl FnOnce(&Fields) -> bool) -> bool {
    let quoted = octets.get(Chain::walk(octets).at + ERROR_OCTETS..);
    let quoted = quoted.filter(|quoted| quoted.len() >= OCTETS);
    quoted.is_some_and(|quoted| {
        let fields = Fields::read(quoted, error.interface, false);
        fields.source == error.destination && related(&fields)
    })
}

/// Whether it is an ICMPv6 error.
#[inline]
fn is_error(fields: &Fields) -> bool {
    fields.protocol == protocol::ICMPV6 && fields.upper == Upper::Read && fields.source_port < 128
}

/// Whether it is a message that a link does not work without: MLD and neighbour discovery.
fn is_of_the_link(fields: &Fields) -> bool {
    fields.protocol == protocol::ICMPV6 && matches!(fields.source_port, 130..=137 | 143)
}
