//! First stage: is it of this PI, for this station, and may its header go on?

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Frames, Output};

use super::{Batch, Passing};
use crate::packet::{HEAD, Header};
use crate::switch::Running;

/// What a frame begins with, and the header of its PDU.
#[inline(always)]
pub(super) fn beginning<const START: usize>(start: &[u8; START]) -> (u128, Header) {
    let head = start.first_chunk::<HEAD>().copied().unwrap_or_default();
    let header = start.last_chunk().copied().unwrap_or_default();
    (
        u128::from_le_bytes(head),
        Header(u64::from_be_bytes(header)),
    )
}

impl Running {
    #[inline(always)]
    pub(super) fn check<const START: usize>(
        &mut self,
        from: usize,
        frames: &mut Frames<'_>,
        out: &mut Output<'_>,
        batch: &mut Batch,
    ) {
        let Some(port) = self.ports.get(from) else {
            return;
        };
        let (form, station) = (self.form, port.station);
        let networks = self.table.networks(from);
        let mut odd = ArrayVec::<Frame, BURST>::new();
        while let Some(frame) = frames.next() {
            if let Some(start) = frames.start::<START>(&frame) {
                let (head, header) = beginning(start);
                if form.is_ours(head) && station.is_meant(head) && header.may_go() {
                    let slot = networks.approach(form.vn(head), header.label());
                    if let Some(slot) = slot {
                        batch.frames.push(frame);
                        batch.passing.push(Passing {
                            header,
                            place: slot.bits(),
                            vn: form.vn_bits(head),
                        });
                        continue;
                    }
                }
            }
            odd.push(frame);
        }
        let received = batch.frames.len() + odd.len();
        if let Some(port) = self.ports.get_mut(from) {
            port.fates.received += received as u64;
        }
        for frame in odd {
            self.odd::<START>(from, frames, out, frame);
        }
    }
}
