//! Host to guest: copies frames into the buffers that the driver made available.
//!
//! One frame goes into one chain, or with VIRTIO_NET_F_MRG_RXBUF into as many as it needs
//! (VIRTIO 1.2, 5.1.6.4). Must never show the driver part of a frame: nothing counts before the
//! whole frame is in, and nothing is visible before [`Receiveq::publish`].

use super::chain::{Budget, Chain, Direction};
use super::notify::notification_methods;
use super::ring::{Descriptor, Ring};
use crate::error::{QueueError, Refused};
use crate::layout::{DESC_F_WRITE, NET_HEADER, QueueLayout};
use crate::unsafe_ram::{Ram, Window};

/// `virtio_net_hdr` of a frame in one buffer without offloads: all zero but `num_buffers` = 1.
const HEADER: [u8; NET_HEADER as usize] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
/// Where `num_buffers` stands in it (5.1.6).
const NUM_BUFFERS: core::ops::Range<u32> = 10..12;

/// Device side of a receive queue. See [`Receiveq::new`].
#[derive(Debug)]
pub struct Receiveq {
    ring: Ring,
    mrg_rxbuf: bool,
}

notification_methods!(Receiveq);

impl Receiveq {
    /// The queue at `layout` in `ram`, at its start (indices 0); `mrg_rxbuf` as negotiated.
    /// It asks for no kicks.
    ///
    /// # Errors
    ///
    /// The layout is not allowed; nothing was written then.
    pub fn new(ram: Ram, layout: &QueueLayout, mrg_rxbuf: bool) -> Result<Self, QueueError> {
        Ok(Receiveq {
            ring: Ring::new(ram, layout)?,
            mrg_rxbuf,
        })
    }

    /// Copies `virtio_net_hdr`, `prefix` and `body` into the next buffer or buffers. The driver
    /// sees it after [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// [`Refused::Full`]: not enough buffers, nothing changed. [`Refused::Broken`]: the driver
    /// broke the protocol, by a buffer too small for the frame too (5.1.6.3.1); for good.
    #[inline]
    pub fn deliver(&mut self, prefix: &[u8], body: &[u8]) -> Result<(), Refused> {
        if self.ring.seen() == 0 && self.look()? == 0 {
            return Err(Refused::Full);
        }
        if self.deliver_run(prefix, core::iter::once(body), 1) == 1 {
            Ok(())
        } else {
            self.deliver_in_pieces(prefix, body)
        }
    }

    /// [`deliver`](Self::deliver) for each of `bodies`, without a prefix, for as long as each finds
    /// a buffer in one piece. Returns how many that were, from the first: those behind are to be
    /// given to `deliver`, which knows every case.
    #[inline]
    pub fn deliver_all<'f>(&mut self, mut bodies: impl Iterator<Item = &'f [u8]>) -> usize {
        let mut delivered = 0;
        loop {
            let seen = self.ring.seen();
            if seen == 0 && self.look().unwrap_or(0) == 0 {
                return delivered;
            }
            let seen = self.ring.seen();
            let run = self.deliver_run(&[], &mut bodies, seen);
            delivered += usize::from(run);
            if run < seen {
                return delivered;
            }
        }
    }

    /// Looks for more buffers. A broken queue has none to be seen, so this is where it shows.
    #[cold]
    fn look(&mut self) -> Result<u16, QueueError> {
        self.ring.intact()?;
        self.ring.look()
    }

    /// Shows the driver all that was delivered: one store of `used.idx`, for a burst.
    #[inline]
    pub fn publish(&mut self) {
        self.ring.publish();
    }

    /// The common case, up to `most` in a row: one descriptor that holds it all. Returns for how
    /// many it was so. `most` entries must have been seen.
    #[inline(always)]
    fn deliver_run<'f>(
        &mut self,
        prefix: &[u8],
        mut bodies: impl Iterator<Item = &'f [u8]>,
        most: u16,
    ) -> u16 {
        let burst = self.ring.burst();
        let used = self.ring.used();
        let seen = self.ring.seen();
        let first = self.ring.next_avail();
        let mut run = 0;
        while run < most {
            let Some(body) = bodies.next() else {
                break;
            };
            let at = first.wrapping_add(run);
            burst.prefetch(at, seen - run);
            burst.prefetch_buffer(at, seen - run, NET_HEADER);
            let Some(head) = burst.head(at) else {
                break;
            };
            let Descriptor {
                addr, len, flags, ..
            } = burst.descriptor(head);
            if flags != DESC_F_WRITE {
                break;
            }
            // All of the buffer is checked, though the frame may need less of it: what is refused
            // must not depend on the frame.
            let pieces = [&HEADER, prefix, body];
            let Some(octets) = burst.ram.write_pieces(addr, len, pieces) else {
                break;
            };
            used.prefetch(run);
            used.fill(run, head, octets);
            run += 1;
        }
        self.ring.take(run);
        self.ring.give(run);
        run
    }

    /// Any case: chains, several buffers, and whatever is wrong.
    #[cold]
    fn deliver_in_pieces(&mut self, prefix: &[u8], body: &[u8]) -> Result<(), Refused> {
        match self.scatter(prefix, body) {
            Ok(buffers) => {
                self.ring.take(buffers);
                self.ring.give(buffers);
                Ok(())
            }
            Err(Refused::Full) => Err(Refused::Full),
            Err(Refused::Broken(error)) => Err(Refused::Broken(self.ring.fail_blind(error))),
        }
    }

    /// Writes the frame and its used entries from the next available entry on, and says how many
    /// buffers that took. Buffers written in vain are still the device's, no harm is done.
    fn scatter(&mut self, prefix: &[u8], body: &[u8]) -> Result<u16, Refused> {
        let need = frame_octets(prefix, body).ok_or(Refused::Full)?;
        let mut frame = Gather {
            pieces: [&HEADER, prefix, body],
            at: 0,
            left: need,
        };
        // Where the two octets of `num_buffers` went: the header may lie in pieces too (2.7.4).
        let mut count_at = [0; 2];
        let mut budget = Budget::new(&self.ring);
        let mut buffers = 0;
        while frame.left > 0 {
            if buffers == self.ring.seen() && self.ring.look()? == buffers {
                return Err(Refused::Full);
            }
            let head = self.ring.head(buffers)?;
            let before = frame.left;
            let mut chain = Chain::new(&self.ring, head, Direction::Writes);
            while frame.left > 0
                && let Some(segment) = chain.next(&mut budget)?
            {
                let start = need - frame.left;
                let octets = segment.len.min(frame.left);
                let outside = QueueError::BufferOutside {
                    head,
                    addr: segment.addr,
                    len: u64::from(segment.len),
                    ram: self.ring.ram.len(),
                };
                let window = self.ring.ram.window(segment.addr, u64::from(octets));
                frame.pour(window.ok_or(outside)?);
                for (place, position) in count_at.iter_mut().zip(NUM_BUFFERS) {
                    if (start..start + octets).contains(&position) {
                        *place = segment.addr + u64::from(position - start);
                    }
                }
            }
            let have = before - frame.left;
            // Each buffer must hold the header at least, and without MRG_RXBUF the whole frame.
            let smallest = if self.mrg_rxbuf { NET_HEADER } else { need };
            if frame.left > 0 && have < smallest {
                return Err(QueueError::BufferTooSmall {
                    head,
                    have,
                    need: smallest,
                }
                .into());
            }
            self.ring.fill_used(buffers, head, have);
            buffers += 1;
        }
        if buffers > 1 {
            for (addr, octet) in count_at.into_iter().zip(buffers.to_le_bytes()) {
                // In RAM: the octet was just written there.
                let _ = self.ring.ram.write(addr, &[octet]);
            }
        }
        Ok(buffers)
    }
}

/// Octets of header and frame; `None`: more than a queue can count.
#[inline]
fn frame_octets(prefix: &[u8], body: &[u8]) -> Option<u32> {
    u32::try_from(prefix.len().checked_add(body.len())?)
        .ok()?
        .checked_add(NET_HEADER)
}

/// Header, prefix and body as one stream.
struct Gather<'a> {
    pieces: [&'a [u8]; 3],
    at: usize,
    left: u32,
}

impl Gather<'_> {
    /// Fills `window`, or as much of it as there is to come.
    fn pour(&mut self, mut window: Window<'_>) {
        while window.left() > 0
            && let Some(piece) = self.pieces.get_mut(self.at)
        {
            let put = window.put(piece);
            *piece = piece.get(put..).unwrap_or_default();
            if piece.is_empty() {
                self.at += 1;
            }
            // Fits: all pieces together are at most `left`, which is a u32.
            self.left -= put as u32;
        }
    }
}
