//! Connections: where the frames of a label go, and what is promised to them.
//!
//! ```text
//! labels    from port, virtual network and label to a place, in a fixed number of steps
//! entry     what a frame of a connection touches: one cache line
//! gcra      whether a frame conforms to a peak rate
//! sequence  what sequence numbers say is missing
//! ```
//!
//! A frame finds its connection in three steps, `Networks::approach`, `Table::find` and `Table::entry`; each of the
//! first two asks for what the next needs. Memory is set aside when the table is made and used as connections come; none
//! is taken later. Must never take a step more for a connection because there are many.

mod entry;
pub mod gcra;
mod labels;
pub mod sequence;

use alloc::vec::Vec;

use pinode_guest_runtime::unsafe_prefetch::prefetch;
use thiserror::Error;

use crate::config::{Configuration, PortConfig, VNS};
use crate::control::{Connection, Counts, Held, Key, Kind};
use crate::packet::{LABEL_LEAST, LABEL_MOST};
use entry::Terms;
use labels::Labels;

pub(crate) use entry::Entry;
pub(crate) use labels::{Networks, Slot};

/// Peak rates that can be, bits a second.
pub const RATE_LEAST: u64 = 8;
/// See [`RATE_LEAST`].
pub const RATE_MOST: u64 = 1_000_000_000_000;

/// Why a connection is not set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// There is no such port.
    #[error("{key}: there is no port {port}; allowed: 0 to {}", ports - 1)]
    Port {
        /// Which key says so.
        key: &'static str,
        /// The port asked for.
        port: u8,
        /// How many there are.
        ports: usize,
    },
    /// The port does not carry it.
    #[error("vn: port {port} does not carry virtual network {vn}")]
    Vn {
        /// The port.
        port: u8,
        /// The network asked for.
        vn: u8,
    },
    /// Labels are 20 bits, the first 16 of which mean something else.
    #[error("{key}: label {label} is out of range; allowed: {LABEL_LEAST} to {LABEL_MOST}")]
    Label {
        /// Which key says so.
        key: &'static str,
        /// The label asked for.
        label: u32,
    },
    /// A rate that is none.
    #[error("rate_bps: {rate} is out of range; allowed: {RATE_LEAST} to {RATE_MOST}")]
    Rate {
        /// The rate asked for.
        rate: u64,
    },
    /// There is nothing to police.
    #[error("police: needs rate_bps")]
    NoRate,
    /// There is another one.
    #[error("label {} of virtual network {} of port {} is taken", key.label, key.vn, key.port)]
    Taken {
        /// What is taken.
        key: Key,
    },
    /// There are as many as there may be.
    #[error(
        "there are {most} connections already; `connections` of the configuration allows no more"
    )]
    Full {
        /// How many there may be.
        most: u32,
    },
    /// Labels are scattered over too many blocks.
    #[error(
        "labels of {most} blocks of 1,024 are in use already; labels that lie closer together take fewer"
    )]
    Scattered {
        /// How many there may be.
        most: u32,
    },
}

impl ConnectError {
    /// What is in the way.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Taken { .. } => Kind::Taken,
            Self::Full { .. } | Self::Scattered { .. } => Kind::Full,
            _ => Kind::Invalid,
        }
    }
}

/// The connections of a switch.
#[derive(Debug)]
pub struct Table {
    labels: Labels,
    /// By place; the first is no connection's.
    entries: Vec<Entry>,
    /// What frames do not need.
    terms: Vec<Terms>,
    /// Places that are free again.
    free: Vec<u32>,
    most: u32,
    ports: Vec<PortConfig>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        let places = configuration.connections as usize + 1;
        let mut entries = Vec::with_capacity(places);
        let mut terms = Vec::with_capacity(places);
        entries.push(Entry::default());
        terms.push(Terms::default());
        Table {
            labels: Labels::new(configuration),
            entries,
            terms,
            free: Vec::with_capacity(places),
            most: configuration.connections,
            ports: configuration.ports.clone(),
        }
    }

    /// Octets of memory that one takes.
    #[must_use]
    pub fn octets(configuration: &Configuration) -> u64 {
        let each = size_of::<Entry>() + size_of::<Terms>() + size_of::<u32>();
        let ports = configuration.ports.len() * size_of::<PortConfig>();
        let places = u64::from(configuration.connections) + 1;
        places * each as u64 + Labels::octets(configuration) + ports as u64
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        // Fits: no more than `most`, and the one that is none.
        (self.entries.len() - 1 - self.free.len()) as u32
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there may be.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.most
    }

    /// Blocks of 1,024 labels in use, and how many there may be.
    #[must_use]
    pub fn blocks(&self) -> (u32, u32) {
        self.labels.blocks()
    }

    /// Where the labels of each network of a port begin.
    #[inline]
    pub(crate) fn networks(&self, port: usize) -> Networks<'_> {
        self.labels.networks(port)
    }

    /// The second step: the place; what the third needs is on its way then.
    #[inline(always)]
    pub(crate) fn find(&self, slot: Slot) -> u32 {
        let place = self.labels.place(slot);
        prefetch(&self.entries, place as usize);
        place
    }

    /// The third step: what a frame needs, and its place; none: there is no such connection.
    #[inline(always)]
    pub(crate) fn entry(&mut self, place: u32) -> Option<&mut Entry> {
        if place == 0 {
            return None;
        }
        self.entries.get_mut(place as usize)
    }

    /// The sequence numbers of frames of the connection at `place` say that `missing` are missing; none: that one came
    /// again or late.
    #[cold]
    pub(crate) fn disorder(&mut self, place: u32, missing: Option<u16>) {
        if let Some(terms) = self.terms.get_mut(place as usize) {
            match missing {
                Some(missing) => terms.gaps += u64::from(missing),
                None => terms.repeats += 1,
            }
        }
    }

    /// Sets a connection up; one that is there just so stays as it is.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`]; nothing was done then.
    pub fn connect(&mut self, connection: &Connection) -> Result<(), ConnectError> {
        self.check(connection)?;
        let key = connection.key();
        if let Some(held) = self.get(key) {
            return match held.connection == *connection {
                true => Ok(()),
                false => Err(ConnectError::Taken { key }),
            };
        }
        // One is free, or the next behind all others.
        let place = self.free.last().copied();
        let place = place.unwrap_or(self.entries.len() as u32);
        if place > self.most {
            return Err(ConnectError::Full { most: self.most });
        }
        if !self.labels.set(key, place) {
            let (_, most) = self.labels.blocks();
            return Err(ConnectError::Scattered { most });
        }
        let (entry, terms) = (Entry::of(connection), Terms::of(connection));
        let old = self.entries.get_mut(place as usize);
        match (old, self.terms.get_mut(place as usize)) {
            (Some(old_entry), Some(old_terms)) => {
                (*old_entry, *old_terms) = (entry, terms);
                self.free.pop();
            }
            _ => {
                self.entries.push(entry);
                self.terms.push(terms);
            }
        }
        Ok(())
    }

    /// Takes a connection down; what became of its frames. None: there was none.
    pub fn disconnect(&mut self, key: Key) -> Option<Counts> {
        let place = self.place(key)?;
        let counts = self.counts(place)?;
        self.labels.unset(key);
        self.free.push(place);
        Some(counts)
    }

    /// A connection.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<Held> {
        let place = self.place(key)?;
        let entry = self.entries.get(place as usize)?;
        let terms = self.terms.get(place as usize)?;
        Some(Held {
            connection: entry.connection(key, terms),
            counts: self.counts(place)?,
        })
    }

    /// The first key behind `after` that a connection has, and how many more labels may be looked at; none if there is
    /// none within `labels`.
    pub(crate) fn next(&self, after: Option<Key>, labels: &mut u32) -> Next {
        self.labels.next(after, labels)
    }

    fn place(&self, key: Key) -> Option<u32> {
        let networks = self.labels.networks(key.port.into());
        if key.label > LABEL_MOST || usize::from(key.vn) >= VNS {
            return None;
        }
        let slot = networks.slot(key.vn.into(), key.label)?;
        let place = self.labels.place(slot);
        (place != 0).then_some(place)
    }

    fn counts(&self, place: u32) -> Option<Counts> {
        let entry = self.entries.get(place as usize)?;
        let terms = self.terms.get(place as usize)?;
        Some(Counts {
            frames: entry.frames,
            octets: entry.octets,
            policed: entry.policed,
            gaps: terms.gaps,
            repeats: terms.repeats,
        })
    }

    /// Whether there can be such a one.
    fn check(&self, connection: &Connection) -> Result<(), ConnectError> {
        let Connection {
            port, vn, to_port, ..
        } = *connection;
        for (key, port) in [("port", port), ("to_port", to_port)] {
            let ports = self.ports.len();
            let Some(config) = self.ports.get(usize::from(port)) else {
                return Err(ConnectError::Port { key, port, ports });
            };
            if 1u32.checked_shl(vn.into()).unwrap_or(0) & config.vns == 0 {
                return Err(ConnectError::Vn { port, vn });
            }
        }
        let labels = [
            ("label", connection.label),
            ("to_label", connection.to_label),
        ];
        for (key, label) in labels {
            if !(LABEL_LEAST..=LABEL_MOST).contains(&label) {
                return Err(ConnectError::Label { key, label });
            }
        }
        match connection.rate_bps {
            None if connection.police => Err(ConnectError::NoRate),
            Some(rate) if !(RATE_LEAST..=RATE_MOST).contains(&rate) => {
                Err(ConnectError::Rate { rate })
            }
            _ => Ok(()),
        }
    }
}

/// Where a walk over all connections goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A connection has this key.
    Key(Key),
    /// None up to this key has one; there may be others behind it.
    Behind(Key),
    /// That was all.
    End,
}
