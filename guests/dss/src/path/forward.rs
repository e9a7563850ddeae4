//! Second and third stage: of which connection is it, and does it conform? New label, new addresses, and out.

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Frames, Output, VifIndex};

use super::check::beginning;
use super::{Batch, Passing};
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

/// Frames ahead of the one at hand whose connections are asked for: what comes from memory is on its way that long.
const AHEAD: usize = 16;

/// Where frames go: a port, or why nowhere.
type Ways = ArrayVec<Result<u8, Cause>, BURST>;

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
        let mut ways = Ways::new();
        for (at, frame) in going.iter().enumerate() {
            if let Some(ahead) = passing.get_mut(at + AHEAD) {
                ahead.place = self.table.find(Slot::of_bits(ahead.place));
            }
            if let Some(passing) = passing.get(at) {
                ways.push(self.switch::<START>(frames, frame, passing, now_ns));
            }
        }
        let Some(&first) = ways.first() else {
            return;
        };
        match first {
            Ok(to) if ways.iter().all(|way| *way == first) => {
                let count = going.len() as u64;
                if let Some(port) = self.ports.get_mut(from) {
                    port.fates.switched += count;
                }
                if let Some(port) = self.ports.get_mut(usize::from(to)) {
                    port.fates.sent += count;
                }
                out.send_all(VifIndex(to), going);
            }
            _ => self.scatter(from, &ways, going, out),
        }
    }

    /// Sends frames that do not all go one way, or not at all.
    #[inline(never)]
    fn scatter(
        &mut self,
        from: usize,
        ways: &Ways,
        going: &mut ArrayVec<Frame, BURST>,
        out: &mut Output<'_>,
    ) {
        for (frame, way) in going.drain(..).zip(ways) {
            match *way {
                Ok(to) => {
                    if let Some(port) = self.ports.get_mut(from) {
                        port.fates.switched += 1;
                    }
                    if let Some(port) = self.ports.get_mut(usize::from(to)) {
                        port.fates.sent += 1;
                    }
                    out.send(VifIndex(to), frame);
                }
                Err(cause) => self.refuse(from, cause, frame, out),
            }
        }
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
        let Passing { header, place } = *passing;
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

    /// A frame does not go on.
    #[cold]
    pub(super) fn refuse(&mut self, from: usize, cause: Cause, frame: Frame, out: &mut Output<'_>) {
        if let Some(port) = self.ports.get_mut(from) {
            port.fates.drop(cause);
        }
        out.discard(frame);
    }
}
