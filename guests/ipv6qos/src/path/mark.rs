//! Fifth stage, where there are rules for classes: which class is a packet of, and is it within its rate?

use arrayvec::ArrayVec;
use pinode_guest_runtime::BURST;

use super::next::Departures;
use super::{Io, Packets};
use crate::counters::Cause;
use crate::diffserv::Mark;
use crate::packet::Fields;
use crate::packet::Start;
use crate::packet::header::set_traffic_class;
use crate::router::Running;

impl Running {
    /// Sends packets on, marked and policed.
    #[inline(never)]
    pub(super) fn forward_marked<const START: usize>(
        &mut self,
        io: &mut Io<'_, '_, '_>,
        packets: &mut Packets,
    ) {
        let mut going = Packets::new();
        let mut fields = ArrayVec::<Fields, BURST>::new();
        let mut departures = Departures::new();
        for packet in packets.drain(..) {
            let via = self.via(&packet, &mut departures);
            let start = io.frames.octets(&packet.frame).first_chunk_mut();
            let start: Option<&mut Start<START>> = start;
            let goes = start.and_then(|start| via.takes(start, &packet));
            if goes.is_some() {
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
        for (packet, mark) in going.drain(..).zip(marks) {
            let Mark::Pass(traffic_class) = *mark else {
                self.refuse(io, packet, Cause::Policer, None);
                continue;
            };
            let start = io.frames.octets(&packet.frame).first_chunk_mut();
            let Some(start): Option<&mut Start<START>> = start else {
                self.refuse(io, packet, Cause::Truncated, None);
                continue;
            };
            if let Some(header) = start.last_chunk_mut() {
                set_traffic_class(header, traffic_class);
            }
            let via = self.via(&packet, &mut departures);
            if via.is_open_to(&packet) {
                via.address(start);
                departures.add(via.interface, traffic_class, packet.octets);
                departures.send(via.interface.vif(), packet.frame, io.out);
            } else {
                departures.wait(packet);
            }
        }
        self.depart(io, &mut departures);
    }
}
