//! A trunk port: its frames carry the PIH, of any PI of the node.
//!
//! Classification reads the frame at fixed offsets and looks once into the table; it must never
//! parse further into a PI's PDU.

use crate::drop::{Drop, TxDrop};
use crate::pi::{ConfigError, GuestForm, MAX_PIS, Pi, check_ethertype};
use crate::pih::{ETHERNET_OCTETS, HEAD_OCTETS, Pih, ethertype, field};
use crate::port::{NO_SLOT, Verdict};
use crate::splice::Splice;
use crate::table::Table;

/// Classification on a trunk port.
#[derive(Debug, Clone)]
pub struct Trunk {
    ethertype: u16,
    /// Octets without FCS.
    largest_frame: usize,
    table: Table,
    pis: [Option<Pi>; MAX_PIS],
}

impl Trunk {
    /// A trunk port whose frames of `ethertype` belong to `pis`, with `mtu` octets behind the
    /// Ethernet header (the PIH is one of them).
    ///
    /// # Errors
    /// [`ConfigError`] if a PI is not well formed or two share a slot, or a code and a
    /// virtual network.
    pub fn new(ethertype: u16, mtu: u16, pis: &[Pi]) -> Result<Self, ConfigError> {
        check_ethertype(ethertype)?;
        let table = Table::new(pis)?;
        let mut by_slot = [None; MAX_PIS];
        for pi in pis {
            if let Some(entry) = by_slot.get_mut(usize::from(pi.slot)) {
                *entry = Some(*pi);
            }
        }
        let largest_frame = ETHERNET_OCTETS + usize::from(mtu);
        Ok(Self {
            ethertype,
            largest_frame,
            table,
            pis: by_slot,
        })
    }

    /// Octets of the longest frame on this port's wire, without FCS.
    #[inline]
    #[must_use]
    pub fn largest_frame(&self) -> usize {
        self.largest_frame
    }

    /// Which PI a frame from the wire belongs to.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn classify(&self, frame: &[u8]) -> Result<Verdict, Drop> {
        let Some(head) = frame.first_chunk::<HEAD_OCTETS>() else {
            return Err(Drop::Truncated);
        };
        if frame.len() > self.largest_frame {
            return Err(Drop::Oversize);
        }
        if ethertype(head) != Some(self.ethertype) {
            return Err(Drop::BadEthertype);
        }
        let slot = self.table.lookup(head[field::PIH])?;
        Ok(Verdict { slot })
    }

    /// The form in which the guest of the verdict's PI gets `frame`.
    #[inline]
    #[must_use]
    pub fn to_guest(&self, verdict: Verdict, frame: &[u8]) -> Splice {
        match (self.pi(verdict.slot), frame.first_chunk()) {
            (
                Some(Pi {
                    form: GuestForm::Strip { ethertype },
                    ..
                }),
                Some(head),
            ) => Splice::plain(head, *ethertype, HEAD_OCTETS),
            _ => Splice::AS_IS,
        }
    }

    /// Checks a frame that the guest of `slot` sends and gives its form on this port's wire.
    /// `head` is the copy of its first 15 octets, `frame_octets` its length without FCS.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn to_wire(&self, slot: u8, head: &[u8], frame_octets: usize) -> Result<Splice, TxDrop> {
        let (Some(pi), Some(head), HEAD_OCTETS..) = (
            self.pi(slot),
            head.first_chunk::<HEAD_OCTETS>(),
            frame_octets,
        ) else {
            return Err(TxDrop::Spoofed);
        };
        let splice = match pi.form {
            GuestForm::Keep => {
                let pih = guest_pih(head, self.ethertype, pi)?;
                if !pi.vns.contains(pih.vn()) {
                    return Err(TxDrop::UnknownVn);
                }
                Splice::same_head(head)
            }
            GuestForm::Strip { ethertype } => {
                guest_plain(head, ethertype)?;
                Splice::with_pih(head, self.ethertype, pi.own_pih().raw(), ETHERNET_OCTETS)
            }
        };
        match splice.octets(frame_octets) > self.largest_frame {
            true => Err(TxDrop::Oversize),
            false => Ok(splice),
        }
    }

    /// Whether frames of `slot` are the same on the wire and at the guest.
    #[inline]
    #[must_use]
    pub fn passes_as_is(&self, slot: u8) -> bool {
        self.pi(slot).is_some_and(|pi| pi.form == GuestForm::Keep)
    }

    /// [`to_wire`](Self::to_wire) for a frame that [passes as it is](Self::passes_as_is) and was
    /// copied whole: `frame` is the host's own copy of it.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn check_copy(&self, slot: u8, frame: &[u8]) -> Result<(), TxDrop> {
        match usize::from(slot) < MAX_PIS && self.slot(frame) == slot {
            true => Ok(()),
            false => self.why_not(slot, frame),
        }
    }

    /// [`classify`](Self::classify) in short: the slot of the PI, or a number that is no slot.
    #[inline]
    #[must_use]
    pub fn slot(&self, frame: &[u8]) -> u8 {
        match frame.first_chunk::<HEAD_OCTETS>() {
            Some(head)
                if frame.len() <= self.largest_frame && ethertype(head) == Some(self.ethertype) =>
            {
                self.table.slot(head[field::PIH])
            }
            _ => NO_SLOT,
        }
    }

    #[cold]
    fn why_not(&self, slot: u8, frame: &[u8]) -> Result<(), TxDrop> {
        let head = &frame[..frame.len().min(HEAD_OCTETS)];
        self.to_wire(slot, head, frame.len()).map(|_splice| ())
    }

    #[inline]
    fn pi(&self, slot: u8) -> Option<&Pi> {
        self.pis.get(usize::from(slot)).and_then(Option::as_ref)
    }
}

/// The PIH of a frame from a guest that keeps it, if the frame is one of the guest's PI.
#[inline]
pub(crate) fn guest_pih(
    head: &[u8; HEAD_OCTETS],
    node_ethertype: u16,
    pi: &Pi,
) -> Result<Pih, TxDrop> {
    match (ethertype(head), Pih::from_raw(head[field::PIH])) {
        (Some(seen), Ok(pih)) if seen == node_ethertype && pih.code() == pi.code => Ok(pih),
        _ => Err(TxDrop::Spoofed),
    }
}

/// Whether a frame from a stripped guest is of the guest's EtherType. Another one would be lost on
/// the way: nothing behind the PIH says it.
#[inline]
pub(crate) fn guest_plain(head: &[u8; HEAD_OCTETS], guest_ethertype: u16) -> Result<(), TxDrop> {
    match ethertype(head) == Some(guest_ethertype) {
        true => Ok(()),
        false => Err(TxDrop::Spoofed),
    }
}
