//! Cuts a super-frame of a local stack (TCP or UDP segmentation offload) into frames of the link.
//!
//! A stack that sends over veth hands frames of up to 64 KiB to the device and expects it to cut them; a
//! receiver that merges (GRO) hands on the like. Must never make a frame longer than the segment size
//! the super-frame itself names.

use crate::checksum::{Internet, TCP, UDP, be16, complete, fold, set_be16, sum};

/// What the kernel says about a frame in front of it (`struct virtio_net_hdr`; VIRTIO 1.2, 5.1.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Offload {
    /// The checksum from `csum_start` on is partial.
    pub(crate) needs_csum: bool,
    /// Kind of super-frame, 0 for none.
    pub(crate) gso_type: u8,
    /// Payload octets of a segment.
    pub(crate) gso_size: u16,
    /// Where the checksummed part begins.
    pub(crate) csum_start: u16,
    /// Where its checksum field lies from there.
    pub(crate) csum_offset: u16,
}

impl Offload {
    /// Octets of the header in its legacy form.
    pub(crate) const OCTETS: usize = 10;

    const NEEDS_CSUM: u8 = 1;

    /// Reads the header as a packet socket writes it: in the byte order of the host.
    pub(crate) fn read(header: &[u8]) -> Option<Self> {
        let header: &[u8; Self::OCTETS] = header.get(..Self::OCTETS)?.try_into().ok()?;
        let field = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        Some(Self {
            needs_csum: header[0] & Self::NEEDS_CSUM != 0,
            gso_type: header[1],
            gso_size: field(4),
            csum_start: field(6),
            csum_offset: field(8),
        })
    }

    /// True for a super-frame.
    pub(crate) fn is_super(&self) -> bool {
        self.gso_type != 0
    }

    /// Finishes the checksum of an ordinary frame where the kernel says that it is partial.
    pub(crate) fn complete(&self, frame: &mut [u8]) {
        if self.needs_csum {
            complete(
                frame,
                usize::from(self.csum_start),
                usize::from(self.csum_offset),
            );
        }
    }
}

/// FIN and PSH (RFC 9293 3.1) belong to the last segment, CWR (RFC 3168 6.1.2) to the first.
const FIN_PSH: u8 = 0x01 | 0x08;
const CWR: u8 = 0x80;

/// How to cut one super-frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    found: Internet,
    headers: usize,
    payload: usize,
    size: usize,
}

impl Cut {
    const TCPV4: u8 = 1;
    const TCPV6: u8 = 4;
    const UDP_L4: u8 = 5;
    const ECN: u8 = 0x80;

    /// Plans the cut of `frame`; `None` where it is no super-frame this node can cut.
    pub(crate) fn plan(frame: &[u8], offload: &Offload) -> Option<Self> {
        let found = Internet::find_super(frame)?;
        let (protocol, v4) = match offload.gso_type & !Self::ECN {
            Self::TCPV4 => (TCP, Some(true)),
            Self::TCPV6 => (TCP, Some(false)),
            Self::UDP_L4 => (UDP, None),
            _ => return None,
        };
        if found.protocol != protocol || v4.is_some_and(|v4| v4 != found.v4) {
            return None;
        }
        let transport = if protocol == TCP {
            usize::from(*frame.get(found.transport + 12)? >> 4) * 4
        } else {
            8
        };
        let headers = found.transport + transport;
        let payload = frame.len().checked_sub(headers)?;
        let size = usize::from(offload.gso_size);
        let least = if protocol == TCP { 20 } else { 8 };
        (transport >= least && size > 0 && payload > 0).then_some(Self {
            found,
            headers,
            payload,
            size,
        })
    }

    /// Segments the super-frame becomes.
    pub(crate) fn segments(&self) -> usize {
        self.payload.div_ceil(self.size)
    }

    /// Writes segment `index` of `frame` into `out`; its length, or `None` where it does not fit.
    pub(crate) fn write(&self, frame: &[u8], index: usize, out: &mut [u8]) -> Option<usize> {
        let before = index.checked_mul(self.size)?;
        let payload = self.payload.checked_sub(before)?.min(self.size);
        let start = self.headers + before;
        let len = self.headers + payload;
        let out = out.get_mut(..len)?;
        let (headers, body) = out.split_at_mut(self.headers);
        headers.copy_from_slice(frame.get(..self.headers)?);
        body.copy_from_slice(frame.get(start..start + payload)?);

        let (ip, transport) = (self.found.ip, self.found.transport);
        let transport_len = len - transport;
        if self.found.v4 {
            set_be16(out, ip + 2, (len - ip) as u16);
            let id = be16(out, ip + 4)?.wrapping_add(index as u16);
            set_be16(out, ip + 4, id);
            set_be16(out, ip + 10, 0);
            let header = !fold(sum(out.get(ip..transport)?));
            set_be16(out, ip + 10, header);
        } else {
            set_be16(out, ip + 4, transport_len as u16);
        }
        if self.found.protocol == TCP {
            let field = out.get_mut(transport + 4..transport + 8)?;
            let sequence = u32::from_be_bytes((&*field).try_into().ok()?);
            field.copy_from_slice(&sequence.wrapping_add(before as u32).to_be_bytes());
            let flags = out.get_mut(transport + 13)?;
            if index + 1 < self.segments() {
                *flags &= !FIN_PSH;
            }
            if index > 0 {
                *flags &= !CWR;
            }
        } else {
            set_be16(out, transport + 4, transport_len as u16);
        }
        let field = self.found.checksum_field();
        let pseudo = self.found.pseudo_sum(out, transport_len);
        set_be16(out, field, pseudo);
        complete(out, transport, field - transport).then_some(len)
    }
}

impl Internet {
    /// As [`find`](Self::find), but the length is the frame's: a super-frame above 64 KiB has none in its
    /// header (RFC 2675), and its last octet is the end of the payload.
    fn find_super(frame: &[u8]) -> Option<Self> {
        let mut headers = [0; 128];
        let len = frame.len().min(headers.len());
        let headers = headers.get_mut(..len)?;
        headers.copy_from_slice(frame.get(..len)?);
        let ip = if be16(headers, 12)? == 0x8100 { 18 } else { 14 };
        let v4 = *headers.get(ip)? >> 4 == 4;
        // The headers alone, as a packet that ends where the copy ends.
        let rest = headers.len().checked_sub(ip)?;
        if v4 {
            set_be16(headers, ip + 2, rest as u16);
        } else {
            set_be16(headers, ip + 4, rest.checked_sub(40)? as u16);
        }
        Self::find(headers)
    }
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
