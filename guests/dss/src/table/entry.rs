//! A connection: what each of its frames touches, and what only those touch that something is wrong with.

use super::gcra::Gcra;
use super::sequence::Sequence;
use crate::control::{Connection, Key};

/// What a frame needs of its connection, and what it leaves there.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub(crate) struct Entry {
    /// Its policer, if it is policed.
    pub gcra: Gcra,
    /// Frames that went on.
    pub frames: u64,
    /// Octets of them, with FCS.
    pub octets: u64,
    /// Frames that the policer dropped.
    pub policed: u64,
    /// The label that they leave with.
    pub to_label: u32,
    /// The number that is expected next.
    pub sequence: Sequence,
    /// The port that they leave by.
    pub to_port: u8,
}

// All that a frame touches comes with one line.
const _: () = assert!(size_of::<Entry>() == 64);

/// The rest of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Terms {
    /// 0: as much as goes.
    rate_bps: u64,
    tolerance_ns: u64,
    pub gaps: u64,
    pub repeats: u64,
}

impl Entry {
    pub(super) fn of(connection: &Connection) -> Self {
        let policed = connection.rate_bps.filter(|_| connection.police);
        Entry {
            gcra: policed.map_or(Gcra::NONE, |rate| Gcra::new(rate, connection.tolerance_ns)),
            to_label: connection.to_label,
            to_port: connection.to_port,
            ..Entry::default()
        }
    }

    pub(super) fn connection(&self, key: Key, terms: &Terms) -> Connection {
        Connection {
            port: key.port,
            vn: key.vn,
            label: key.label,
            to_port: self.to_port,
            to_label: self.to_label,
            rate_bps: (terms.rate_bps != 0).then_some(terms.rate_bps),
            tolerance_ns: terms.tolerance_ns,
            police: self.gcra.is_one(),
        }
    }
}

impl Terms {
    pub(super) fn of(connection: &Connection) -> Self {
        Terms {
            rate_bps: connection.rate_bps.unwrap_or(0),
            tolerance_ns: connection.tolerance_ns,
            ..Terms::default()
        }
    }
}
