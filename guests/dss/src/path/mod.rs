//! The way of a frame, in stages over a burst.
//!
//! ```text
//! check      is it of this PI, and may its header go on? its label is looked up meanwhile
//! forward    of which connection is it, does it conform? new label, new addresses, and out
//!
//! odd        the others: signalling, and why a frame does not go on
//! originate  what the host says
//! ```
//!
//! A burst goes through each stage before the next begins, so that what must come from memory comes for all frames at
//! once. A frame's first cache line is all of it that is looked at, and is written once. Must never allocate, and never
//! keep a frame without counting it.

mod check;
mod forward;
mod odd;
mod originate;

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, Frame, Frames, Output, VifIndex};

use crate::packet::{Header, MARKED, PLAIN};
use crate::switch::Running;

/// What is known of a frame whose header may go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passing {
    header: Header,
    /// Where the place of its connection stands; then the place.
    place: u32,
    /// The bits of its PIH that say its network.
    vn: u8,
}

/// Frames between two stages, and what is known of each.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: ArrayVec<Frame, BURST>,
    passing: ArrayVec<Passing, BURST>,
}

impl Running {
    /// The frames that came in on `vif`.
    #[inline]
    pub(crate) fn burst(&mut self, vif: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        if self.form.has_pih() {
            self.burst_of::<MARKED>(vif, frames, out);
        } else {
            self.burst_of::<PLAIN>(vif, frames, out);
        }
        if self.signalling.is_waiting() {
            self.originate(frames, out);
        }
    }

    /// The same, of frames whose PDU's header ends behind `START` octets.
    #[inline]
    fn burst_of<const START: usize>(
        &mut self,
        vif: VifIndex,
        frames: &mut Frames<'_>,
        out: &mut Output<'_>,
    ) {
        let from = usize::from(vif.0);
        let mut batch = Batch::default();
        self.check::<START>(from, frames, out, &mut batch);
        self.forward::<START>(from, frames, out, &mut batch);
    }
}
