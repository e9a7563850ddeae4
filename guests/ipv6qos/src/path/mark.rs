//! Fifth stage, where there are rules for classes: which class is a packet of, and is it within its rate?

use arrayvec::ArrayVec;
use pinode_guest_runtime::BURST;

use super::next::Departures;
use super::{Io, Packets};
use crate::counters::Cause;
use crate::diffserv::Mark;
use crate::packet::Fields;
use crate::packet::header::{OCTETS, set_traffic_class};
use crate::router::Running;

impl Running {
    /// Sends packets on, marked and policed.
    pub(super) fn forward_marked(&mut self, io: &mut Io<'_, '_, '_>, packets: &mut Packets) {
        let mut going = Packets::new();
        let mut fields = ArrayVec::<Fields, BURST>::new();
        for packet in packets.drain(..) {
            let hop = self.routing.hop(packet.hop);
            let octets = io.frames.octets(&packet.frame);
            if self.may_go(octets, &packet, hop).is_some() {
                fields.push(self.fields(io, &packet, false));
                going.push(packet);
            } else {
                self.elsewhere(io, packet);
            }
        }
        let mut marks = [Mark::Drop; BURST];
        let (now_ns, count) = (io.now_ns(), fields.len().min(BURST));
        let marks = &mut marks[..count];
        self.diffserv
            .mark_burst(now_ns, &self.tables, &fields, marks);
        let mut departures = Departures::default();
        for ((packet, fields), mark) in going.drain(..).zip(&fields).zip(marks) {
            let Mark::Pass(traffic_class) = *mark else {
                self.refuse(io, packet, Cause::Policer, None);
                continue;
            };
            if traffic_class != fields.traffic_class {
                let octets = io.frames.octets(&packet.frame);
                let header = octets
                    .get_mut(self.form.at..)
                    .and_then(|octets| octets.first_chunk_mut::<OCTETS>());
                if let Some(header) = header {
                    set_traffic_class(header, traffic_class);
                }
            }
            let hop = self.routing.hop(packet.hop);
            self.next(io, packet, hop, &mut departures);
        }
        self.depart(io, departures);
    }
}
