//! PDUs of signalling on their way from and to the host, by port, and who is at the other end of it.
//!
//! What waits is bounded for each port apart, so that a port that is flooded keeps no other from the host. The memory
//! for it is set aside when it is made. Must never look into a PDU.

use alloc::vec;
use alloc::vec::Vec;

use crate::config::{Configuration, HEADER_OCTETS};
use crate::control::{Event, Mac, Octets, Punted};

/// Octets of PDUs in one event: a line that is said at once, of which several may wait.
const EVENT_OCTETS: usize = 8 * 1024;

/// What is known of a PDU besides its octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// Its virtual network.
    pub vn: u8,
    /// Who sent it, where it came in.
    pub mac: Mac,
}

/// PDUs, first in first out.
#[derive(Debug)]
struct Queue {
    octets: Vec<u8>,
    pdus: Vec<(Waiting, u16)>,
    largest: usize,
    first: usize,
    count: usize,
}

impl Queue {
    /// With room for `most` PDUs of `largest` octets.
    fn new(most: usize, largest: usize) -> Self {
        let nobody = Waiting {
            vn: 0,
            mac: Mac::ALL,
        };
        Queue {
            octets: vec![0; most * largest],
            pdus: vec![(nobody, 0); most],
            largest,
            first: 0,
            count: 0,
        }
    }

    /// Octets of memory of one.
    fn memory(most: usize, largest: usize) -> usize {
        most * (largest + size_of::<(Waiting, u16)>())
    }

    /// Puts a PDU behind the others; false: there is no room for it.
    fn put(&mut self, waiting: Waiting, pdu: &[u8]) -> bool {
        let Self { largest, .. } = *self;
        let most = self.pdus.len();
        if self.count >= most || pdu.len() > largest {
            return false;
        }
        let at = (self.first + self.count) % most;
        let place = self.octets.get_mut(at * largest..at * largest + pdu.len());
        let (Some(place), Some(meta)) = (place, self.pdus.get_mut(at)) else {
            return false;
        };
        place.copy_from_slice(pdu);
        // Fits: an MTU does.
        *meta = (waiting, pdu.len() as u16);
        self.count += 1;
        true
    }

    /// The first PDU.
    fn first(&self) -> Option<(Waiting, &[u8])> {
        let (waiting, octets) = *self.pdus.get(self.first).filter(|_| self.count > 0)?;
        let at = self.first * self.largest;
        let pdu = self.octets.get(at..at + usize::from(octets))?;
        Some((waiting, pdu))
    }

    /// Lets the first PDU go.
    fn pass(&mut self) {
        if self.count > 0 {
            self.count -= 1;
            self.first = (self.first + 1) % self.pdus.len();
        }
    }
}

/// Signalling of a port.
#[derive(Debug)]
struct Port {
    /// For the host.
    punted: Queue,
    /// From the host.
    injected: Queue,
    /// The station at the other end.
    peer: Option<Mac>,
}

/// Signalling of all ports.
#[derive(Debug)]
pub(crate) struct Signalling {
    ports: Vec<Port>,
    /// PDUs for the host in all queues.
    untold: usize,
    /// PDUs from the host in all queues.
    waiting: usize,
    /// The port that the next event begins with.
    turn: usize,
}

fn largest(mtu: u16) -> usize {
    usize::from(mtu).saturating_sub(HEADER_OCTETS)
}

impl Signalling {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let most = configuration.punted as usize;
        let port = |config: &crate::config::PortConfig| Port {
            punted: Queue::new(most, largest(config.mtu)),
            injected: Queue::new(most, largest(config.mtu)),
            peer: None,
        };
        Signalling {
            ports: configuration.ports.iter().map(port).collect(),
            untold: 0,
            waiting: 0,
            turn: 0,
        }
    }

    /// Octets of memory of one.
    pub(crate) fn octets(configuration: &Configuration) -> u64 {
        let most = configuration.punted as usize;
        let of = |mtu| 2 * Queue::memory(most, largest(mtu)) + size_of::<Port>();
        let ports = configuration.ports.iter();
        ports.map(|port| of(port.mtu) as u64).sum()
    }

    /// Takes a PDU for the host that came in on `port`; false: too many wait.
    pub(crate) fn punt(&mut self, port: usize, waiting: Waiting, pdu: &[u8]) -> bool {
        let port = self.ports.get_mut(port);
        let taken = port.is_some_and(|port| port.punted.put(waiting, pdu));
        self.untold += usize::from(taken);
        taken
    }

    /// Notes who is at the other end of `port`; true: it was not known, or another.
    pub(crate) fn meet(&mut self, port: usize, peer: Mac) -> bool {
        let Some(port) = self.ports.get_mut(port) else {
            return false;
        };
        port.peer.replace(peer) != Some(peer)
    }

    /// The station at the other end of `port`.
    pub(crate) fn peer(&self, port: usize) -> Option<Mac> {
        self.ports.get(port)?.peer
    }

    /// Whether the host has to be told something.
    #[inline]
    pub(crate) fn has_event(&self) -> bool {
        self.untold > 0
    }

    /// What the host is to be told next: of each port one, by turns.
    pub(crate) fn event(&mut self) -> Option<Event> {
        let mut told = Vec::new();
        let mut octets = 0;
        while self.untold > 0 && octets < EVENT_OCTETS {
            self.turn = (self.turn + 1) % self.ports.len().max(1);
            let Some(port) = self.ports.get_mut(self.turn) else {
                break;
            };
            if let Some((Waiting { vn, mac }, pdu)) = port.punted.first() {
                octets += pdu.len();
                told.push(Punted {
                    // Fits: a node has few ports.
                    port: self.turn as u8,
                    vn,
                    mac,
                    pdu: Octets(pdu.to_vec()),
                });
                port.punted.pass();
                self.untold -= 1;
            }
        }
        (!told.is_empty()).then_some(Event::Signalling(told))
    }

    /// Takes a PDU of the host that is to leave by `port`; false: too many wait.
    pub(crate) fn inject(&mut self, port: usize, vn: u8, pdu: &[u8]) -> bool {
        let waiting = Waiting { vn, mac: Mac::ALL };
        let port = self.ports.get_mut(port);
        let taken = port.is_some_and(|port| port.injected.put(waiting, pdu));
        self.waiting += usize::from(taken);
        taken
    }

    /// Whether anything of the host waits to be sent.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// The first PDU that is to leave by `port`, and its virtual network.
    pub(crate) fn outgoing(&self, port: usize) -> Option<(u8, &[u8])> {
        let (waiting, pdu) = self.ports.get(port)?.injected.first()?;
        Some((waiting.vn, pdu))
    }

    /// That PDU was sent.
    pub(crate) fn sent(&mut self, port: usize) {
        if let Some(port) = self.ports.get_mut(port) {
            self.waiting -= usize::from(port.injected.count > 0);
            port.injected.pass();
        }
    }

    /// PDUs that wait at `port`: for the host, from the host.
    pub(crate) fn counts(&self, port: usize) -> (u32, u32) {
        // Both fit: their number is configured with 32 bits.
        self.ports.get(port).map_or((0, 0), |port| {
            (port.punted.count as u32, port.injected.count as u32)
        })
    }
}
