//! What the path of a frame needs of an interface: a cache line.

use crate::control::view::Count;
use crate::packet::Station;

/// An interface, as frames meet it.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Port {
    /// What frames that it sends begin with, but for the destination.
    pub template: u128,
    /// Its MAC address.
    pub station: Station,
    /// Octets of the largest IPv6 packet that it sends.
    pub mtu: u16,
    /// Packets that came in for it, whatever became of them.
    pub received: Count,
    /// Packets that it sent, forwarded and its own.
    pub sent: Count,
}

impl Port {
    /// Where there is no interface: no frame is for it, and none fits.
    pub(super) const ABSENT: Self = Port {
        template: 0,
        station: Station::NOBODY,
        mtu: 0,
        received: Count {
            packets: 0,
            octets: 0,
        },
        sent: Count {
            packets: 0,
            octets: 0,
        },
    };
}
