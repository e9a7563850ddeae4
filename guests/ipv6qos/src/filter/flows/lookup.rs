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

/// What is known of the packets of a burst between stages. Kept, so that it need not be cleared for each burst.
pub(super) type Probes = [Probe; BURST];

/// Nothing.
pub(super) const NO_PROBES: Probes = [Probe::NONE; BURST];

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
    let count = to.wrapping_sub(from).clamp(1, BURST);
    (u64::MAX >> (BURST - count)) << (from % BURST)
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
        let mut found = 0;
        let mut last = Ends::NONE;
        // Packets that were read; probes that were made of them, whose flows were asked for, and were met.
        let (mut read, mut made, mut asked, mut met) = (0, 0, 0, 0);
        // Some at a time: while the flows of some are on their way from memory, and the groups of the next, the keys
        // of others are made.
        while met < made || read < count {
            let before = made;
            let next = (read + TOGETHER).min(count);
            for at in read..next {
                let ends = burst.ends(at);
                if let Some(ends) = ends {
                    if ends.difference(&last) != 0 {
                        self.plan(&ends, at, made);
                        made += 1;
                        last = ends;
                    }
                } else {
                    self.plan_other(burst, at, made);
                    made += 1;
                    last = Ends::NONE;
                }
            }
            read = next;
            self.ask_flows(asked, before);
            // More packets of the last may come.
            let until = if read < count {
                made.saturating_sub(1)
            } else {
                made
            };
            while met < asked.min(until) {
                found |= self.meet_planned(now, burst, met, made, read);
                met += 1;
            }
            asked = before;
        }
        found
    }

    /// Makes the probe of a plain packet.
    #[inline(always)]
    fn plan(&mut self, ends: &Ends, at: usize, place: usize) {
        let (key, swapped) = Key::of_ends(ends);
        if let Some(probe) = self.probes.get_mut(place) {
            probe.key = key;
            probe.hash = self.secret.hash(&key);
            probe.traits = Traits {
                swapped,
                tcp_flags: ends.tcp_flags(),
                fragment: false,
                later: false,
            };
            probe.first = at as u32;
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
            probe.first = at as u32;
            self.table.prefetch_group(probe.hash);
        }
    }

    #[inline(always)]
    fn ask_flows(&mut self, from: usize, to: usize) {
        for probe in self.probes.get_mut(from..to).unwrap_or_default() {
            probe.guess = self.table.guess(probe.hash);
        }
    }

    /// Which packets of a probe, of so many that were made of `read` packets, are of a flow; counts them there.
    #[inline(always)]
    fn meet_planned(
        &mut self,
        now: u32,
        burst: &mut impl Burst,
        at: usize,
        made: usize,
        read: usize,
    ) -> u64 {
        let end = match self.probes.get(at + 1) {
            Some(next) if at + 1 < made => next.first as usize,
            _ => read,
        };
        let Some(probe) = self.probes.get(at) else {
            return 0;
        };
        let first = probe.first as usize;
        let Some(flow) = self.table.flow_mut(probe.guess) else {
            // Where no flow was, none can be but fragments noted since.
            return match probe.traits.later {
                true => self.meet_each(now, burst, at, end),
                false => 0,
            };
        };
        let generation = self.generations.get(probe.key.vn().index());
        let generation = generation.copied().unwrap_or(0);
        let answers = probe.traits.swapped != flow.swapped;
        let usual = (probe.key.difference(&flow.key)
            | u64::from(generation ^ flow.generation)
            | u64::from(probe.traits.fragment)
            == 0)
            & clock::is_ahead(flow.expires, now)
            & flow.phase.stays(answers, probe.traits.tcp_flags);
        if !usual {
            return self.meet_each(now, burst, at, end);
        }
        if let Some(count) = flow.packets.get_mut(usize::from(answers)) {
            *count = count.wrapping_add(end.wrapping_sub(first) as u64);
        }
        flow.expires = now.wrapping_add(self.lasting.of(flow.phase));
        bits(first, end)
    }

    /// The same, one packet behind the other.
    #[cold]
    #[inline(never)]
    fn meet_each(&mut self, now: u32, burst: &mut impl Burst, at: usize, end: usize) -> u64 {
        let Some(probe) = self.probes.get(at).copied() else {
            return 0;
        };
        let mut found = 0;
        for packet in probe.first as usize..end {
            if self.meet(now, &probe, probe.guess) {
                found |= bits(packet, packet + 1);
                if probe.traits.fragment
                    && let Some(fields) = burst.fields(packet, self)
                {
                    self.note_first(now, &fields);
                }
            }
        }
        found
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
