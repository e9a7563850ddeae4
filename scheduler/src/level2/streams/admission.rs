//! Connections are set up and taken down, and what of it all is left.
//!
//! A refusal changes nothing. What memory is needed beyond what was taken at the beginning is handed in
//! and out, so that it may be done between two frames. Must never admit more than there is.

use super::super::ClassCounters;
use super::contract::{ConnectError, Connection, Reserved, Service, Signalling, Terms, Tolerance};
use super::labels::Block;
use super::shaped::Shaped;
use super::{LABEL_LEAST, LABEL_MOST, NETWORKS, ROUTER_ALERT, SIGNALLING, Streams};
use crate::rate::OVERHEAD_OCTETS;

/// What becomes of a connection that is taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// What it was promised.
    pub contract: Connection,
    /// What it counted.
    pub counters: ClassCounters,
}

impl Reserved {
    fn add(&mut self, contract: &Connection) {
        self.change(
            contract,
            u128::wrapping_add,
            u64::wrapping_add,
            u32::wrapping_add,
        );
    }

    fn take(&mut self, contract: &Connection) {
        self.change(
            contract,
            u128::wrapping_sub,
            u64::wrapping_sub,
            u32::wrapping_sub,
        );
    }

    /// Sums of what was added and taken again are exact whatever wraps around between.
    fn change(
        &mut self,
        contract: &Connection,
        products: fn(u128, u128) -> u128,
        sums: fn(u64, u64) -> u64,
        counts: fn(u32, u32) -> u32,
    ) {
        if contract.service == Service::Ubr {
            self.ubr = counts(self.ubr, 1);
            return;
        }
        let bps = contract.peak.map_or(0, |peak| peak.bits_per_s());
        self.rate_bps = sums(self.rate_bps, bps);
        let told_ns = match contract.tolerance {
            Tolerance::Own(own_ns) => own_ns,
            Tolerance::Shared(more_ns) => {
                self.untold_bps = sums(self.untold_bps, bps);
                more_ns
            }
        };
        let told = u128::from(bps) * u128::from(told_ns);
        self.told_bps_ns = products(self.told_bps_ns, told);
        let turn = u64::from(contract.largest) + OVERHEAD_OCTETS;
        self.turn_octets = sums(self.turn_octets, turn);
        self.frames = counts(self.frames, contract.buffer);
        self.cbr = counts(self.cbr, 1);
    }
}

impl<T: Copy> Streams<T> {
    /// Frames with label 1 in any network that is carried are signalling from now on. Allocates; for when the
    /// discipline is made.
    #[must_use]
    pub fn with_signalling(mut self, signalling: Signalling) -> Self {
        let Signalling {
            peak,
            tolerance_ns,
            buffer,
        } = signalling;
        let buffer = buffer.min(self.spare().1);
        self.signalling.contract = Connection {
            peak: Some(peak),
            tolerance: Tolerance::Own(tolerance_ns),
            buffer,
            ..self.signalling.contract
        };
        self.reserved.frames += buffer;
        for vn in 0..NETWORKS {
            let block = || Some(Block::default());
            self.labels.set((vn, ROUTER_ALERT), SIGNALLING, block);
        }
        self
    }

    /// Sets a connection up (CAC), with memory of its own for its label. As
    /// [`connect_within`](Self::connect_within) for when the discipline is made.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has changed then.
    pub fn connect(&mut self, contract: Connection) -> Result<(), ConnectError> {
        self.connect_within(contract, &mut vec![Block::default()])
    }

    /// Sets a connection up (CAC). Neither allocates nor frees: if its label needs a block of labels, one
    /// is taken from `blocks`.
    ///
    /// # Errors
    /// [`ConnectError`]; nothing has changed then.
    pub fn connect_within(
        &mut self,
        contract: Connection,
        blocks: &mut Vec<Block>,
    ) -> Result<(), ConnectError> {
        self.admit(&contract)?;
        let Connection { vn, label, .. } = contract;
        let lacks = self.labels.lacks(vn, label);
        if lacks && blocks.is_empty() {
            return Err(ConnectError::NoBlock { label });
        }
        // At most as many as connections there may be, which is 32 bits.
        let listed = self.listed.len() as u32;
        let shaped = Shaped::new(contract, listed);
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(old) = self.connections.get_mut(place as usize) {
                    *old = shaped;
                }
                place
            }
            None => {
                let place = self.connections.len() as u32;
                self.connections.push(shaped);
                place
            }
        };
        self.listed.push(place);
        self.labels.set((vn, label), place, || blocks.pop());
        self.reserved.add(&contract);
        Ok(())
    }

    /// Whether there is room for it all.
    fn admit(&self, contract: &Connection) -> Result<(), ConnectError> {
        let Connection {
            vn,
            label,
            service,
            peak,
            buffer,
            ..
        } = *contract;
        if vn >= NETWORKS {
            return Err(ConnectError::Network { vn });
        }
        if !self.labels.carries(vn) {
            return Err(ConnectError::NotCarried { vn });
        }
        if !(LABEL_LEAST..=LABEL_MOST).contains(&label) {
            return Err(ConnectError::Label { label });
        }
        if self.labels.get(vn, label).is_some() {
            return Err(ConnectError::Taken { vn, label });
        }
        if buffer == 0 {
            return Err(ConnectError::NoBuffer);
        }
        if service == Service::Cbr {
            let asked_bps = peak.ok_or(ConnectError::NoRate)?.bits_per_s();
            let (spare_bps, spare) = self.spare();
            if asked_bps > spare_bps {
                return Err(ConnectError::Rate {
                    asked_bps,
                    spare_bps,
                });
            }
            let asked = buffer;
            if asked > spare {
                return Err(ConnectError::Buffer { asked, spare });
            }
        }
        let most = self.most;
        if self.listed.len() >= most as usize {
            return Err(ConnectError::Most { most });
        }
        Ok(())
    }

    /// As [`disconnect_within`](Self::disconnect_within), freeing what memory is left over.
    pub fn disconnect(
        &mut self,
        vn: u8,
        label: u32,
        waiting: impl FnMut(T),
    ) -> Option<ClassCounters> {
        let released = self.disconnect_within((vn, label), waiting, &mut Vec::with_capacity(1));
        released.map(|released| released.counters)
    }

    /// Takes a connection down, and gives what it counted. What still waits is handed back in order,
    /// for its buffers to be given back and to be counted. Neither allocates nor frees: memory that is left
    /// over goes to `blocks`, if there is room. None: there is no such connection.
    pub fn disconnect_within(
        &mut self,
        (vn, label): (u8, u32),
        mut waiting: impl FnMut(T),
        blocks: &mut Vec<Block>,
    ) -> Option<Released> {
        let place = self.labels.get(vn, label)?;
        let shaped = self.connections.get_mut(place as usize)?;
        while let Some((frame, _)) = self.frames.pop(&mut shaped.line) {
            shaped.counted.cleared += 1;
            self.total.cleared += 1;
            if !shaped.is_cbr() {
                self.turns.frames -= 1;
            }
            waiting(frame);
        }
        let (contract, counters, listed) = (shaped.contract, shaped.counters(), shaped.listed);
        self.eligible.remove(place);
        self.turns.leaves(&mut self.connections, place);
        self.labels.unset((vn, label), |block| {
            if blocks.len() == blocks.capacity() {
                return Some(block);
            }
            blocks.push(block);
            None
        });
        self.listed.swap_remove(listed as usize);
        if let Some(moved) = self.listed.get(listed as usize)
            && let Some(moved) = self.connections.get_mut(*moved as usize)
        {
            moved.listed = listed;
        }
        self.free.push(place);
        self.reserved.take(&contract);
        Some(Released { contract, counters })
    }

    /// What changes with the schedule and with what is admitted. Connections that were admitted stay,
    /// also if there is less than that now.
    pub fn set_terms(&mut self, terms: Terms) {
        let Terms {
            rate_bps,
            tolerance_ns,
            signalling,
        } = terms;
        self.rate_bps = rate_bps;
        self.untold_ns = tolerance_ns;
        if let Some((peak, tolerance_ns)) = signalling {
            self.signalling.contract.peak = Some(peak);
            self.signalling.contract.tolerance = Tolerance::Own(tolerance_ns);
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.listed.len()
    }

    /// How many there may be.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most
    }

    /// What they have been promised.
    #[must_use]
    pub fn reserved(&self) -> Reserved {
        self.reserved
    }

    /// What signalling has of the rate, bits/s.
    #[must_use]
    pub fn signalling_bps(&self) -> u64 {
        let peak = self.signalling.contract.peak;
        peak.map_or(0, |peak| peak.bits_per_s())
    }

    /// What signalling has counted.
    #[must_use]
    pub fn signalling(&self) -> ClassCounters {
        self.signalling.counters()
    }

    /// What is left for further connections: bits/s, and frames of buffer.
    #[must_use]
    pub fn spare(&self) -> (u64, u32) {
        let taken_bps = self.reserved.rate_bps.saturating_add(self.signalling_bps());
        let frames = self.most_frames.saturating_sub(self.reserved.frames);
        (self.rate_bps.saturating_sub(taken_bps), frames)
    }

    /// The connections from the one at `from` on, in an order in which the last takes the place of one
    /// that is taken down. `each` is told whether to go on.
    pub fn list(&self, from: usize, mut each: impl FnMut(&Connection, ClassCounters) -> bool) {
        for place in self.listed.get(from..).unwrap_or_default() {
            if let Some(shaped) = self.connections.get(*place as usize)
                && !each(&shaped.contract, shaped.counters())
            {
                return;
            }
        }
    }
}
