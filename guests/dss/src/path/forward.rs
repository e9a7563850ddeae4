//! Second and third stage: of which connection is it, and does it conform? New label, new addresses, and out.

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Frames, Output, VifIndex};

use super::Batch;
use super::check::beginning;
use crate::counters::Cause;
use crate::packet::HEAD;
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

/// Frames in a row that leave by one port.
struct Run {
    frames: ArrayVec<Frame, BURST>,
    to: u8,
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
        for passing in batch.iter_mut() {
            passing.place = self.table.find(Slot::of_bits(passing.place));
        }
        let now_ns = out.now_ns();
        let mut run = Run {
            frames: ArrayVec::new(),
            to: 0,
        };
        let mut switched = 0;
        for passing in batch.drain(..) {
            match self.switch::<START>(
                frames,
                &passing.frame,
                passing.header,
                passing.place,
                now_ns,
            ) {
                Ok(to) => {
                    switched += 1;
                    if to != run.to {
                        self.depart(&mut run, out);
                        run.to = to;
                    }
                    run.frames.push(passing.frame);
                }
                Err(cause) => self.refuse(from, cause, passing.frame, out),
            }
        }
        self.depart(&mut run, out);
        if let Some(port) = self.ports.get_mut(from) {
            port.fates.switched += switched;
        }
    }

    /// Makes a frame what it leaves as; the port that it leaves by.
    #[inline(always)]
    fn switch<const START: usize>(
        &mut self,
        frames: &mut Frames<'_>,
        frame: &Frame,
        header: crate::packet::Header,
        place: u32,
        now_ns: u64,
    ) -> Result<u8, Cause> {
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
        let octets = frames.octets(frame);
        if let Some(start) = octets.first_chunk_mut::<START>() {
            let (head, header) = beginning(start);
            let head = self.form.in_vn_of(port.template, head);
            if let Some(octets) = start.first_chunk_mut::<HEAD>() {
                *octets = head.to_le_bytes();
            }
            let entry = start.last_chunk_mut::<{ crate::config::HEADER_OCTETS }>();
            if let Some(entry) = entry.and_then(|header| header.first_chunk_mut::<ENTRY>()) {
                *entry = header.switched(label);
            }
        }
        Ok(to)
    }

    #[inline(always)]
    fn depart(&mut self, run: &mut Run, out: &mut Output<'_>) {
        if let Some(port) = self.ports.get_mut(usize::from(run.to)) {
            port.fates.sent += run.frames.len() as u64;
        }
        out.send_all(VifIndex(run.to), &mut run.frames);
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
