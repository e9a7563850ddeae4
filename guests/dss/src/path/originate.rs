//! What the host says: link layer PDUs in frames of label 1, as soon as there are buffers for them.

use pinode_guest_runtime::{Frames, Output, VifIndex};

use crate::config::HEADER_OCTETS;
use crate::packet::{HEAD, Header};
use crate::switch::Running;

/// Octets of the shortest frame, without FCS (IEEE 802.3 4.4.2).
const SHORTEST: usize = 60;

impl Running {
    /// Sends what waits, port by port; what finds no buffer waits on.
    #[cold]
    #[inline(never)]
    pub(crate) fn originate(&mut self, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        for number in 0..self.ports.len() {
            // Fits: a node has few ports.
            let to = VifIndex(number as u8);
            while let Some((vn, pdu)) = self.signalling.outgoing(number)
                && let Some(port) = self.ports.get_mut(number)
                && let Some(mut frame) = out.make(to)
            {
                let template = self.form.in_vn(port.template, vn);
                let octets = self.form.at + HEADER_OCTETS + pdu.len();
                let fits = frames.resize(&mut frame, octets.max(SHORTEST));
                let written = fits && {
                    let octets = frames.octets(&frame);
                    octets.fill(0);
                    write(octets, self.form.at, template, pdu).is_some()
                };
                self.signalling.sent(number);
                if written {
                    port.fates.injected += 1;
                    out.send(to, frame);
                } else {
                    // Cannot be: its length was looked at when it was taken.
                    out.discard(frame);
                }
            }
        }
    }
}

fn write(octets: &mut [u8], at: usize, template: u128, pdu: &[u8]) -> Option<()> {
    *octets.first_chunk_mut::<HEAD>()? = template.to_le_bytes();
    let behind = octets.get_mut(at..)?;
    let (header, behind) = behind.split_first_chunk_mut::<HEADER_OCTETS>()?;
    *header = Header::signalling(pdu.len()).0.to_be_bytes();
    behind.get_mut(..pdu.len())?.copy_from_slice(pdu);
    Some(())
}
