//! Second and third stage: of which connection is it, and does it conform? New label, new addresses, and out.

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Frames, Output, VifIndex};

use super::{Batch, Passing};
use crate::counters::Cause;
use crate::packet::{Form, HEAD};
use crate::switch::Running;
use crate::table::Slot;
use crate::table::sequence::Order;

/// Octets of the FCS, and of preamble and gap (IEEE 802.3 4.4.2).
const FCS: u32 = 4;
const GAP: u32 = 20;
/// Octets of the shortest frame, without FCS.
const SHORTEST: u32 = 60;

/// Octets of a label stack entry.
const ENTRY: usize = 4;

/// Frames ahead of the one at hand whose connections are asked for: what comes from memory is on its way that long.
const AHEAD: usize = 16;

/// Frames in a row that leave by one port.
#[derive(Default)]
struct Row {
    to: u8,
    frames: ArrayVec<Frame, BURST>,
}

impl Running {
    #[inline(always)]
    pub(super) fn forward<const START: usize>(
        &mut self,
        from: usize,
        frames: &mut Frames<'_>,
        out: &mut Output<'_>,
        batch: &mut Batch,
    ) {
        let Batch {
            frames: going,
            passing,
        } = batch;
        for ahead in passing.iter_mut().take(AHEAD) {
            ahead.place = self.table.find(Slot::of_bits(ahead.place));
        }
        let now_ns = out.now_ns();
        let mut row = Row::default();
        for (at, frame) in going.drain(..).enumerate() {
            if let Some(ahead) = passing.get_mut(at + AHEAD) {
                ahead.place = self.table.find(Slot::of_bits(ahead.place));
            }
            let passing = passing.get(at);
            let way = passing.map(|passing| self.switch::<START>(frames, &frame, passing, now_ns));
            match way {
                Some(Ok(to)) => {
                    if to != row.to {
                        self.send_row(from, &mut row, out);
                        row.to = to;
                    }
                    row.frames.push(frame);
                }
                Some(Err(cause)) => self.refuse(from, cause, frame, out),
                // There are as many of these as of those.
                None => out.discard(frame),
            }
        }
        self.send_row(from, &mut row, out);
    }

    /// Sends a row of frames.
    #[inline]
    fn send_row(&mut self, from: usize, row: &mut Row, out: &mut Output<'_>) {
        let count = row.frames.len() as u64;
        if count == 0 {
            return;
        }
        if let Some(port) = self.ports.get_mut(from) {
            port.fates.switched += count;
        }
        if let Some(port) = self.ports.get_mut(usize::from(row.to)) {
            port.fates.sent += count;
        }
        out.send_all(VifIndex(row.to), &mut row.frames);
    }

    /// Makes a frame what it leaves as; the port that it leaves by.
    #[inline(always)]
    fn switch<const START: usize>(
        &mut self,
        frames: &mut Frames<'_>,
        frame: &Frame,
        passing: &Passing,
        now_ns: u64,
    ) -> Result<u8, Cause> {
        let Passing { header, place, vn } = *passing;
        let entry = self.table.entry(place).ok_or(Cause::UnknownLabel)?;
        let to = entry.to_port;
        // There is one: connections to others are not set up.
        let port = self.ports.get(usize::from(to));
        let port = port.ok_or(Cause::UnknownLabel)?;
        if frame.len() > port.largest {
            return Err(Cause::TooBig);
        }
        // Fits: the largest frame does.
        let octets = frame.len() as u32;
        let order = match header.sequence() {
            0 => Order::Next,
            number => entry.sequence.see(number),
        };
        let conforms = !entry.gcra.is_one()
            || entry
                .gcra
                .conforms(now_ns, octets.max(SHORTEST) + FCS + GAP);
        if conforms {
            entry.frames += 1;
            entry.octets += u64::from(octets + FCS);
        } else {
            entry.policed += 1;
        }
        let label = entry.to_label;
        match order {
            Order::Next => {}
            Order::Missing(missing) => self.table.disorder(place, Some(missing)),
            Order::Late => self.table.disorder(place, None),
        }
        if !conforms {
            return Err(Cause::Policed);
        }
        if let Some(start) = frames.start::<START>(frame) {
            if let Some(octets) = start.first_chunk_mut::<HEAD>() {
                *octets = Form::with_bits(port.template, vn).to_le_bytes();
            }
            let entry = start.last_chunk_mut::<{ crate::config::HEADER_OCTETS }>();
            if let Some(entry) = entry.and_then(|header| header.first_chunk_mut::<ENTRY>()) {
                *entry = header.switched(label);
            }
        }
        Ok(to)
    }

    /// A frame does not go on.
    #[cold]
    pub(super) fn refuse(&mut self, from: usize, cause: Cause, frame: Frame, out: &mut Output<'_>) {
        if let Some(port) = self.ports.get_mut(from) {
            port.fates.drop(cause);
        }
        out.discard(frame);
    }
}
