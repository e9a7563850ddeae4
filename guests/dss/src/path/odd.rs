//! Frames that do not go on by their label: signalling, which the host is told of, and all that is wrong.

use pinode_guest_runtime::{Frame, Frames, Output};

use super::check::beginning;
use crate::counters::Cause;
use crate::packet::{LABEL_LEAST, ROUTER_ALERT, Station};
use crate::signalling::Waiting;
use crate::switch::Running;

impl Running {
    /// A frame whose header may not go on, or that is of no network of its port.
    #[cold]
    #[inline(never)]
    pub(super) fn odd<const START: usize>(
        &mut self,
        from: usize,
        frames: &mut Frames<'_>,
        out: &mut Output<'_>,
        frame: Frame,
    ) {
        match self.meet::<START>(from, frames.octets(&frame)) {
            Ok(()) => {
                if let Some(port) = self.ports.get_mut(from) {
                    port.fates.punted += 1;
                }
                out.discard(frame);
            }
            Err(cause) => self.refuse(from, cause, frame, out),
        }
    }

    /// Takes signalling for the host, or says why the frame goes no further.
    fn meet<const START: usize>(&mut self, from: usize, octets: &[u8]) -> Result<(), Cause> {
        let Some((start, behind)) = octets.split_first_chunk::<START>() else {
            return Err(Cause::Truncated);
        };
        let (head, header) = beginning(start);
        if !self.form.is_ours(head) {
            return Err(Cause::Foreign);
        }
        let vn = self.form.vn(head);
        let port = self.ports.get_mut(from).ok_or(Cause::UnknownVn)?;
        if port.vns >> (vn & 31) & 1 == 0 {
            return Err(Cause::UnknownVn);
        }
        if !port.station.is_meant(head) {
            return Err(Cause::OtherStation);
        }
        if !header.is_bottom() {
            return Err(Cause::Stack);
        }
        match header.label() {
            ROUTER_ALERT => {}
            ..LABEL_LEAST => return Err(Cause::ReservedLabel),
            _ if header.ttl() <= 1 => return Err(Cause::Expired),
            _ => return Err(Cause::ControlWord),
        }
        let payload = header
            .payload(behind.len())
            .filter(|_| header.has_control_word());
        let pdu = payload.and_then(|octets| behind.get(..octets));
        let pdu = pdu.ok_or(Cause::ControlWord)?;
        let mac = Station::source(head);
        // Networks are five bits.
        let waiting = Waiting { vn: vn as u8, mac };
        if !self.signalling.punt(from, waiting, pdu) {
            return Err(Cause::PuntFull);
        }
        if !mac.is_group() && self.signalling.meet(from, mac) {
            port.template = self.form.template(port.mac, mac);
        }
        Ok(())
    }
}
