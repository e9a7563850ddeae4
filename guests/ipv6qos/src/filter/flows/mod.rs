//! Flows: what is remembered of packets that a rule let pass, so that theirs of both directions pass too.
//!
//! ```text
//! limits    how many flows there may be, how long they last: the configuration
//! key       what names a flow, and its keyed hash
//! state     the states of a flow, and how long each lasts
//! clock     the time of flows, in 32 bits
//! group     what is known of eight places without looking at their flows
//! table     where a flow lies, where a new one goes
//! lookup    which packets of a burst are of a flow
//! room      a place for a new flow, and which gives way
//! sources   how many flows without an answer each source has
//! shares    how many flows each virtual network has, and may have
//! sweep     what is done besides frames: forgetting, listing
//! ```
//!
//! [`Flows::find`] says which packets are of a flow; of the others those that a rule with `track` matches are
//! given to [`Flows::track`]. Everything is allocated by [`Flows::new`]. When the table is full, or a virtual network
//! has all that it may have (see `shares`), a new flow displaces one that has run out, or the oldest of those that
//! are not established (see `state`) and may give way to it in one of its two groups of eight places; an established
//! flow is never displaced.
//!
//! A flow that was made by the first fragment of a packet, or has one, is followed by a note of that packet's
//! identification, by which its later fragments are found (RFC 8200 4.5). Notes are flows of their own: they count,
//! run out and may be displaced, but displace none.
//!
//! Must never allocate, and never look at more than two groups, once it was made.

mod clock;
mod group;
mod key;
mod limits;
mod lookup;
mod room;
mod shares;
mod sources;
mod state;
mod sweep;
mod table;

use alloc::format;
use alloc::string::String;
use core::fmt;

pub use limits::{Limits, MOST_FLOWS, Timeouts};
pub use lookup::Burst;
pub use sweep::Page;

use key::{Key, Probe, Secret, Traits};
use shares::Shares;
use sources::Sources;
use state::{Lasting, Phase};
use table::{Flow, Place, Table};

use crate::packet::{Ends, Fields};
use crate::vn::{VNS, Vn};

/// Why no flow was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The table is full, or the share of the virtual network, and no flow may give way: those in question are
    /// established, or within the share of another virtual network.
    Table,
    /// The source has as many flows without an answer as one may have.
    Source,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Full::Table => "the flow table, or the virtual network's share of it, is full",
            Full::Source => "the source has too many flows without an answer",
        })
    }
}

impl core::error::Error for Full {}

/// What became of flows, since the table was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Flows made, and notes of fragments.
    pub made: u64,
    /// Of these, those that ran out, or were forgotten on request or for a new connection of the same key.
    pub ended: u64,
    /// Of these, those that gave way to a new one.
    pub displaced: u64,
    /// Flows that were not made: [`Full::Table`].
    pub refused_table: u64,
    /// Flows that were not made: [`Full::Source`].
    pub refused_source: u64,
}

/// What became of a packet at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It is of the flow there, and was counted.
    Counted,
    /// The flow there is forgotten or has run out, or the packet asks for another connection of the same key.
    NotAlive,
    /// It is of no flow there.
    NotThere,
}

/// The flows of all virtual networks.
#[derive(Debug)]
pub struct Flows {
    table: Table,
    secret: Secret,
    lasting: Lasting,
    sources: Sources,
    /// Flows of each virtual network's present generation.
    shares: Shares,
    /// By virtual network: flows of another generation are forgotten, and wait for the sweep.
    generations: [u16; VNS],
    sweep: sweep::Sweep,
    tally: Tally,
    probes: lookup::Probes,
    /// Those of the packet of the burst that was read last.
    last: Ends,
}

impl Flows {
    /// Octets that [`new`](Self::new) allocates: about 80 a flow, with a limit by source 2 to 4 more, or 64 to 128 by
    /// that limit if it is below 32.
    pub fn memory(limits: &Limits) -> u64 {
        Table::memory(limits.flows) + Sources::memory(limits.flows, limits.per_source)
    }

    /// A table without flows, which so many virtual networks share: each is sure of an equal part of half of it, as
    /// one would be of all. Nobody who sends packets may know `seed`.
    ///
    /// # Errors
    ///
    /// Which limit is wrong, and what is allowed; or that there is no memory, and how much it takes.
    pub fn new(limits: &Limits, vns: usize, seed: u64) -> Result<Self, String> {
        limits.check()?;
        let scarce = |_| {
            let octets = Self::memory(limits);
            format!(
                "limit is {}: a table for so many flows takes {octets} octets, and there is no such memory",
                limits.flows
            )
        };
        Ok(Flows {
            table: Table::new(limits.flows).map_err(scarce)?,
            secret: Secret::new(seed),
            lasting: Lasting::new(&limits.timeout),
            sources: Sources::new(limits.flows, limits.per_source).map_err(scarce)?,
            shares: Shares::new(limits.flows, vns),
            generations: [0; VNS],
            sweep: sweep::Sweep::default(),
            tally: Tally::default(),
            probes: lookup::NO_PROBES,
            last: Ends::NONE,
        })
    }

    /// Flows there are, with those that have run out and were not come by yet.
    pub fn len(&self) -> u32 {
        self.shares.len()
    }

    /// Whether there is no flow.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of flows.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether the flow at `place` is neither forgotten nor run out.
    fn is_alive(&self, now: u32, place: Place) -> bool {
        self.table.flow(place).is_some_and(|flow| {
            flow.generation == self.generation(flow.key.vn()) && clock::is_ahead(flow.expires, now)
        })
    }

    /// Counts a packet in the flow at `place`, if it is of that flow, and moves the flow's state and time.
    #[inline]
    fn touch(&mut self, now: u32, probe: &Probe, place: Place) -> Touch {
        let generation = self.generation(probe.key.vn());
        let Some(flow) = self
            .table
            .flow_mut(place)
            .filter(|flow| flow.key == probe.key)
        else {
            return Touch::NotThere;
        };
        if (flow.generation != generation) | !clock::is_ahead(flow.expires, now) {
            return Touch::NotAlive;
        }
        let answers = probe.traits.swapped() != flow.swapped;
        let before = flow.phase;
        let Some(after) = before.after(answers, probe.traits.tcp_flags()) else {
            return Touch::NotAlive;
        };
        if let Some(count) = flow.packets.get_mut(usize::from(answers)) {
            *count = count.wrapping_add(1);
        }
        // Fragments have their time from the first on.
        if !probe.key.is_fragments() {
            flow.expires = now.wrapping_add(self.lasting.of(after));
            if after != before {
                flow.phase = after;
                self.moved(now, before, place);
            }
        }
        Touch::Counted
    }

    /// The flow at `place` has another state than `before`.
    #[cold]
    fn moved(&mut self, now: u32, before: Phase, place: Place) {
        let Some(flow) = self.table.flow(place).copied() else {
            return;
        };
        if before.is_unanswered() {
            self.uncount(&flow);
        }
        if let Some(group) = self.table.group_mut(place.group()) {
            match flow.phase.state() {
                state::State::Established => group.set_displaceable(place.in_group(), false),
                state::State::Reset => group.set_displaceable(place.in_group(), true),
                _ => {}
            }
            group.sooner(clock::due(flow.expires, now));
        }
    }

    /// A flow of a source is answered, or gone.
    fn uncount(&mut self, flow: &Flow) {
        if self.sources.is_limited() {
            let (address, _) = flow.key.end(flow.swapped);
            let hash = self.secret.hash_source(flow.key.vn(), address);
            self.sources.over(hash);
        }
    }

    /// Brings near what [`track`](Self::track) of this packet looks at: may be asked for all packets of a burst that
    /// are tracked before the first of them is. What that gives and costs: docs/adr/0019.
    #[inline]
    pub fn expect(&self, packet: &Fields) {
        if let Some((key, _)) = Key::of(packet) {
            self.table.prefetch_room(self.secret.hash(&key));
        }
    }

    /// Makes a flow of `packet`, or counts it in the one there is. A packet that no flow can begin with passes alone:
    /// of TCP all but SYN and, of connections that were there before, plain ACK; of ICMPv6 all but echo requests;
    /// later fragments, and what could not be read.
    ///
    /// # Errors
    ///
    /// There is no room, or none for this source; nothing is changed.
    pub fn track(&mut self, now_ns: u64, packet: &Fields) -> Result<(), Full> {
        let now = clock::steps(now_ns);
        let Some((key, traits)) = Key::of(packet) else {
            return Ok(());
        };
        let probe = self.secret.probe(key, traits);
        let known = self.table.find(&probe);
        if let Some(place) = known
            && self.meet(now, &probe, place)
        {
            self.note_first(now, packet);
            return Ok(());
        }
        if !state::may_begin(packet) {
            return Ok(());
        }
        let vn = packet.interface.vn();
        let limited = self.sources.is_limited();
        let source = if limited {
            self.secret.hash_source(vn, packet.source)
        } else {
            0
        };
        // A flow that has run out does not stand against its source.
        if let Some(place) = known {
            self.forget(place);
            self.tally.ended += 1;
        }
        if !self.sources.may_begin(source) {
            self.tally.refused_source += 1;
            return Err(Full::Source);
        }
        let place = self.place(now, vn, probe.hash);
        let place = place.or_else(|| self.displace(vn, probe.hash));
        self.make(now, &probe, Phase::new(packet.protocol), place)?;
        if limited {
            self.sources.begun(source);
        }
        if packet.fragment {
            self.note_fragments(now, packet);
        }
        Ok(())
    }

    /// Notes the identification of a first fragment. If there is no room, later ones are left to the rules: one flow
    /// can have as many notes as it likes, and the limit by source does not count them, so nothing gives way to them.
    #[cold]
    fn note_fragments(&mut self, now: u32, packet: &Fields) {
        let probe = self
            .secret
            .probe(Key::of_fragments(packet), Traits::default());
        match self.table.find(&probe) {
            Some(place) if self.is_alive(now, place) => return,
            Some(place) => {
                self.forget(place);
                self.tally.ended += 1;
            }
            None => {}
        }
        let place = self.place(now, packet.interface.vn(), probe.hash);
        // Refusals are counted.
        let _ = self.make(now, &probe, Phase::fragments(), place);
    }

    #[inline]
    fn generation(&self, vn: Vn) -> u16 {
        self.generations.get(vn.index()).copied().unwrap_or(0)
    }

    /// Whether `packet`, which an ICMPv6 error quotes (RFC 4443 2.4), is of a flow, whatever its direction. The flow
    /// is not counted, nor does it last longer.
    pub fn is_related(&self, now_ns: u64, packet: &Fields) -> bool {
        let Some((key, traits)) = Key::of(packet) else {
            return false;
        };
        let probe = self.secret.probe(key, traits);
        let place = self.table.find(&probe);
        place.is_some_and(|place| self.is_alive(clock::steps(now_ns), place))
    }
}
