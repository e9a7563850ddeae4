//! Which packets of a burst are of a flow: stage by stage, so that what each waits for comes for all at once.
//!
//! Nearly all packets change nothing of a flow but its count and its time. That is done here, without a call and
//! with one branch; all else is left to [`Flows::touch`]. Packets of the same ends, one behind the other, are looked
//! up once and counted together.
//!
//! Must look at one flow a packet, and at nothing of sources.

use super::key::{Key, Probe, Traits};
use super::table::Place;
use super::{Flows, Touch, clock};
use crate::packet::fields::Upper;
use crate::packet::{Ends, Fields};

/// Packets that are looked up together; more are taken in parts.
const BURST: usize = 64;
/// Of these, packets of one stage.
const TOGETHER: usize = 16;

/// What is known of the packets of a burst between stages, and how many packets there are as the last one's first.
/// Kept, so that it need not be cleared for each burst.
pub(super) type Probes = [Probe; BURST + 1];

/// Nothing.
pub(super) const NO_PROBES: Probes = [Probe::NONE; BURST + 1];

/// Packets that are looked up together.
pub trait Burst {
    /// How many, 64 at most.
    fn packets(&self) -> usize;

    /// The ends of a packet that is a plain one.
    fn ends(&mut self, at: usize) -> Option<Ends>;

    /// What there is to know of another; none if it is not asked for.
    fn fields(&mut self, at: usize, flows: &Flows) -> Option<Fields>;
}

/// Packets that were read.
struct Read<'a>(&'a [Fields]);

impl Burst for Read<'_> {
    #[inline(always)]
    fn packets(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn ends(&mut self, at: usize) -> Option<Ends> {
        self.0.get(at).and_then(Ends::of)
    }

    fn fields(&mut self, at: usize, _flows: &Flows) -> Option<Fields> {
        self.0.get(at).copied()
    }
}

/// Bits `from..to` of 64.
#[inline(always)]
fn bits(from: usize, to: usize) -> u64 {
    let below = |bit: usize| 1u64.checked_shl(bit as u32).map_or(u64::MAX, |bit| bit - 1);
    below(to) & !below(from)
}

/// How far a burst is read.
#[derive(Debug, Clone, Copy, Default)]
struct Begun {
    /// Packets that were read, and probes that were made of them.
    read: usize,
    made: usize,
    /// What is known at once of the last packet.
    word: u64,
}

impl Flows {
    /// Says of each packet whether it is of a flow, and counts it there, as [`find`](Self::find) does. What is left
    /// of the longer of the two slices is left alone.
    pub fn find_burst(&mut self, now_ns: u64, packets: &[Fields], found: &mut [bool]) {
        for (packets, found) in packets.chunks(BURST).zip(found.chunks_mut(BURST)) {
            let count = packets.len().min(found.len());
            let packets = packets.get(..count).unwrap_or_default();
            let of_flows = self.find(now_ns, &mut Read(packets));
            for (at, found) in found.iter_mut().take(count).enumerate() {
                *found = of_flows >> at & 1 != 0;
            }
        }
    }

    /// Says of each packet whether it is of a flow, a bit each, and counts it there. Later fragments are, if the first
    /// one was before.
    ///
    /// Costs about a cache line of memory a packet, and those of a burst of 64 together.
    #[inline]
    pub fn find(&mut self, now_ns: u64, burst: &mut impl Burst) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let now = clock::steps(now_ns);
        let count = burst.packets().min(BURST);
        self.last = Ends::NONE;
        let mut missed = 0;
        let mut begun = Begun::default();
        // Probes whose flows were asked for, and were met.
        let (mut asked, mut met) = (0, 0);
        // Some at a time: while the flows of some are on their way from memory, and the groups of the next, the keys
        // of others are made.
        while met < begun.made || begun.read < count {
            let made = begun.made;
            begun = self.plan_some(burst, begun, count);
            self.ask_flows(asked, made);
            // More packets of the last may come.
            let is_last = usize::from(begun.read < count);
            let until = asked.min(begun.made.saturating_sub(is_last));
            if met < until {
                missed |= self.meet_flows(now, burst, met, until);
                met = until;
            }
            asked = made;
        }
        bits(0, count) & !missed
    }

    /// Makes the probes of the next packets.
    #[inline(never)]
    fn plan_some(&mut self, burst: &mut impl Burst, begun: Begun, count: usize) -> Begun {
        let Begun {
            read,
            mut made,
            mut word,
        } = begun;
        let next = (read + TOGETHER).min(count);
        for at in read..next {
            let Some(ends) = burst.ends(at) else {
                self.plan_other(burst, at, made);
                self.last = Ends::NONE;
                (made, word) = (made + 1, 0);
                continue;
            };
            // What differs of nearly all that differ, looked at first.
            let of_last = core::mem::replace(&mut word, ends.digest());
            if of_last == word && ends.is(&self.last) {
                continue;
            }
            self.last = ends;
            self.plan(&ends, at, made);
            made += 1;
        }
        if let Some(end) = self.probes.get_mut(made) {
            end.first = next as u8;
        }
        Begun {
            read: next,
            made,
            word,
        }
    }

    /// Makes the probe of a plain packet.
    #[inline(always)]
    fn plan(&mut self, ends: &Ends, at: usize, place: usize) {
        let (key, swapped) = Key::of_ends(ends);
        if let Some(probe) = self.probes.get_mut(place) {
            probe.key = key;
            probe.hash = self.secret.hash(&key);
            probe.traits = Traits::new(swapped, ends.tcp_flags());
            probe.first = at as u8;
            self.table.prefetch_group(probe.hash);
        }
    }

    /// Makes the probe of another packet.
    #[cold]
    #[inline(never)]
    fn plan_other(&mut self, burst: &mut impl Burst, at: usize, place: usize) {
        let fields = burst.fields(at, self);
        let known = fields.as_ref().and_then(Key::of);
        let (key, traits) = known.unwrap_or((Key::NONE, Traits::default()));
        if let Some(probe) = self.probes.get_mut(place) {
            *probe = self.secret.probe(key, traits);
            probe.first = at as u8;
            self.table.prefetch_group(probe.hash);
        }
    }

    #[inline(never)]
    fn ask_flows(&mut self, from: usize, to: usize) {
        for probe in self.probes.get_mut(from..to).unwrap_or_default() {
            probe.guess = self.table.guess(probe.hash);
        }
    }

    /// Which packets of some probes are of no flow, a bit each; counts the others where they belong.
    #[inline(never)]
    fn meet_flows(&mut self, now: u32, burst: &mut impl Burst, from: usize, to: usize) -> u64 {
        let mut missed = 0;
        for at in from..to {
            let (Some(probe), Some(next)) = (self.probes.get(at), self.probes.get(at + 1)) else {
                break;
            };
            let (first, end) = (probe.first, next.first);
            let Some(flow) = self.table.flow_mut(probe.guess) else {
                // Where no flow was, none can be but fragments noted since.
                missed |= match probe.traits.is_later() {
                    true => self.meet_each(now, burst, at),
                    false => bits(usize::from(first), usize::from(end)),
                };
                continue;
            };
            let generation = self.generations.get(probe.key.vn().index());
            let generation = generation.copied().unwrap_or(0);
            let towards = probe.traits.towards(flow.swapped);
            let usual = (probe.key.difference(&flow.key)
                | u64::from(generation ^ flow.generation)
                | u64::from(probe.traits.fragment())
                == 0)
                & clock::is_ahead(flow.expires, now)
                & flow.phase.stays(towards);
            if !usual {
                missed |= self.meet_each(now, burst, at);
                continue;
            }
            if let Some(count) = flow.packets.get_mut(usize::from(towards & 1)) {
                *count = count.wrapping_add(u64::from(end.wrapping_sub(first)));
            }
            flow.expires = now.wrapping_add(self.lasting.of(flow.phase));
        }
        missed
    }

    /// The same of one probe, one packet behind the other.
    #[cold]
    #[inline(never)]
    fn meet_each(&mut self, now: u32, burst: &mut impl Burst, at: usize) -> u64 {
        let (Some(probe), Some(next)) = (self.probes.get(at), self.probes.get(at + 1)) else {
            return 0;
        };
        let (probe, end) = (*probe, usize::from(next.first));
        let mut missed = 0;
        for packet in usize::from(probe.first)..end {
            if !self.meet(now, &probe, probe.guess) {
                missed |= bits(packet, packet + 1);
            } else if probe.traits.fragment() != 0
                && let Some(fields) = burst.fields(packet, self)
            {
                self.note_first(now, &fields);
            }
        }
        missed
    }

    /// Whether a packet is of a flow, which is at `guess` or elsewhere; counts it there.
    pub(super) fn meet(&mut self, now: u32, probe: &Probe, guess: Place) -> bool {
        match self.touch(now, probe, guess) {
            Touch::Counted => true,
            Touch::NotAlive => false,
            // The tag of another flow was taken for this packet's, or something was moved or noted in this burst.
            Touch::NotThere => self
                .table
                .find(probe)
                .is_some_and(|place| self.touch(now, probe, place) == Touch::Counted),
        }
    }

    /// A packet is of a flow: if it is a first fragment, later ones are to be found.
    pub(super) fn note_first(&mut self, now: u32, packet: &Fields) {
        if packet.fragment && packet.upper != Upper::LaterFragment {
            self.note_fragments(now, packet);
        }
    }
}
