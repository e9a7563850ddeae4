//! What goes to neighbours by the guest: handed over in its order, and nobody waits until the guest has taken it.
//!
//! Must never hold more than so many PDUs: those that there is no room for are lost, and said again by the link layer.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::signalling::Signalling;

/// PDUs that may wait for the guest.
const WAITING: usize = 1_024;
/// PDUs in a line to the guest: a PDU is at most 1,424 octets, a line 64 KiB, and base64 takes four for three.
const PDUS: usize = 32;

/// Where PDUs are handed in. Dropped, it lets what waits still go.
pub(super) struct Post(SyncSender<(u16, Vec<u8>)>);

/// What was handed in.
pub(super) struct Posted(Receiver<(u16, Vec<u8>)>);

pub(super) fn post() -> (Post, Posted) {
    let (sender, receiver) = sync_channel(WAITING);
    (Post(sender), Posted(receiver))
}

impl Post {
    /// Hands in a PDU that is to leave by this port.
    pub fn send(&self, port: u16, pdu: Vec<u8>) {
        match self.0.try_send((port, pdu)) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Posted {
    /// Sends what is handed in until nobody hands in any more; what has come meanwhile together.
    pub fn deliver(self, signalling: &Signalling) {
        while let Ok(first) = self.0.recv() {
            let mut by_port: BTreeMap<u16, Vec<Vec<u8>>> = BTreeMap::new();
            let more = self.0.try_iter().take(WAITING);
            for (port, pdu) in std::iter::once(first).chain(more) {
                by_port.entry(port).or_default().push(pdu);
            }
            for (port, pdus) in by_port {
                for pdus in pdus.chunks(PDUS) {
                    signalling.send(port, pdus.to_vec());
                }
            }
        }
    }
}
