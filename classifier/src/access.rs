//! An access port: untagged frames of one PI and one VN, so that an ordinary host plugs in.
//!
//! The node pushes the PIH on the way in and pops it on the way out, as a bridge does with the tag
//! of a VLAN. The port must never carry frames of another EtherType: the in-node form has no place
//! for it, and the far end would read them wrong.

use crate::drop::{Drop, TxDrop};
use crate::pi::{ConfigError, GuestForm, Pi, check_ethertype};
use crate::pih::{ETHERNET_OCTETS, HEAD_OCTETS, Pih, Vn, ethertype};
use crate::port::Verdict;
use crate::splice::Splice;
use crate::trunk::{guest_pih, guest_plain};

/// Classification on an access port.
#[derive(Debug, Clone)]
pub struct Access {
    node_ethertype: u16,
    access_ethertype: u16,
    /// Octets without FCS, on this port's wire.
    largest_frame: usize,
    pi: Pi,
    pih: Pih,
}

impl Access {
    /// An access port of `vn` in `pi`: frames of `access_ethertype` on its wire, `node_ethertype`
    /// before the PIH inside the node, `mtu` octets behind the Ethernet header on its wire. Inside
    /// the node its largest frame is one octet longer: the PIH.
    ///
    /// # Errors
    /// [`ConfigError`] if the PI is not well formed or does not carry `vn`.
    pub fn new(
        node_ethertype: u16,
        access_ethertype: u16,
        mtu: u16,
        pi: Pi,
        vn: Vn,
    ) -> Result<Self, ConfigError> {
        check_ethertype(node_ethertype)?;
        check_ethertype(access_ethertype)?;
        pi.check()?;
        if !pi.vns.contains(vn) {
            return Err(ConfigError::AccessVn {
                code: pi.code,
                vn,
                vns: pi.vns,
            });
        }
        let largest_frame = ETHERNET_OCTETS + usize::from(mtu);
        let pih = Pih::new(pi.code, vn);
        Ok(Self {
            node_ethertype,
            access_ethertype,
            largest_frame,
            pi,
            pih,
        })
    }

    /// Octets of the longest frame on this port's wire, without FCS.
    #[inline]
    #[must_use]
    pub fn largest_frame(&self) -> usize {
        self.largest_frame
    }

    /// Whether a frame from the wire is one of the port's PI.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn classify(&self, frame: &[u8]) -> Result<Verdict, Drop> {
        if frame.len() < HEAD_OCTETS {
            return Err(Drop::Truncated);
        }
        if frame.len() > self.largest_frame {
            return Err(Drop::Oversize);
        }
        if ethertype(frame) != Some(self.access_ethertype) {
            return Err(Drop::BadEthertype);
        }
        Ok(Verdict { slot: self.pi.slot })
    }

    /// The form in which the PI's guest gets `frame`: with the PIH pushed, or plain.
    #[inline]
    #[must_use]
    pub fn to_guest(&self, _verdict: Verdict, frame: &[u8]) -> Splice {
        let Some(head) = frame.first_chunk() else {
            return Splice::AS_IS;
        };
        match self.pi.form {
            GuestForm::Keep => {
                Splice::with_pih(head, self.node_ethertype, self.pih.raw(), ETHERNET_OCTETS)
            }
            GuestForm::Strip { ethertype } => Splice::plain(head, ethertype, ETHERNET_OCTETS),
        }
    }

    /// Checks a frame that the guest of `slot` sends and gives its form on this port's wire: with
    /// the PIH popped. `head` is the copy of its first 15 octets, `frame_octets` its length
    /// without FCS.
    ///
    /// # Errors
    /// The cause of its drop.
    #[inline]
    pub fn to_wire(&self, slot: u8, head: &[u8], frame_octets: usize) -> Result<Splice, TxDrop> {
        let (true, Some(head), HEAD_OCTETS..) = (
            slot == self.pi.slot,
            head.first_chunk::<HEAD_OCTETS>(),
            frame_octets,
        ) else {
            return Err(TxDrop::Spoofed);
        };
        let splice = match self.pi.form {
            GuestForm::Keep => {
                if guest_pih(head, self.node_ethertype, &self.pi)? != self.pih {
                    return Err(TxDrop::UnknownVn);
                }
                Splice::plain(head, self.access_ethertype, HEAD_OCTETS)
            }
            GuestForm::Strip { ethertype } => {
                guest_plain(head, ethertype)?;
                Splice::plain(head, self.access_ethertype, ETHERNET_OCTETS)
            }
        };
        match splice.octets(frame_octets) > self.largest_frame {
            true => Err(TxDrop::Oversize),
            false => Ok(splice),
        }
    }
}
