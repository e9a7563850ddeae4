//! Which packets of a burst are of a flow: stage by stage, so that what each waits for comes for all at once.
//!
//! Nearly all packets change nothing of a flow but its count and its time. That is done here, without a call and
//! with one branch; all else is left to [`Flows::touch`].
//!
//! Must look at one flow a packet, and at nothing of sources.

use core::ops::Range;

use super::key::{Key, Probe};
use super::table::Place;
use super::{Flows, Touch, clock};
use crate::packet::Fields;
use crate::packet::fields::Upper;

/// Packets that are looked up together; more are taken in parts.
const BURST: usize = 64;
/// Of these, packets of one stage.
const TOGETHER: usize = 16;

/// What is known of the packets of a burst between stages. Kept, so that it need not be cleared for each burst.
pub(super) type Burst = [Probe; BURST];

/// Nothing.
pub(super) const NO_BURST: Burst = [Probe::NONE; BURST];

impl Flows {
    /// Says of each packet whether it is of a flow, and counts it there. Later fragments are, if the first one was
    /// before. What is left of the longer of the two slices is left alone.
    ///
    /// Costs about a cache line of memory a packet, and those of a burst of 64 together.
    pub fn find_burst(&mut self, now_ns: u64, packets: &[Fields], found: &mut [bool]) {
        let now = clock::steps(now_ns);
        for (packets, found) in packets.chunks(BURST).zip(found.chunks_mut(BURST)) {
            if self.is_empty() {
                found.fill(false);
                continue;
            }
            self.find_part(now, packets, found);
        }
    }

    /// Up to [`BURST`] packets, some at a time: while the flows of some are on their way from memory, and the groups
    /// of the next, the keys of others are made.
    fn find_part(&mut self, now: u32, packets: &[Fields], found: &mut [bool]) {
        let count = packets.len().min(found.len()).min(BURST);
        let (mut asked, mut met) = (0, 0);
        let mut made = 0;
        while met < count {
            let next = (made + TOGETHER).min(count);
            self.make_keys(packets, made..next);
            self.ask_flows(asked..made);
            self.meet_flows(now, packets, found, met..asked);
            (met, asked, made) = (asked, made, next);
        }
    }

    #[inline(always)]
    fn make_keys(&mut self, packets: &[Fields], range: Range<usize>) {
        let packets = packets.get(range.clone()).unwrap_or_default();
        let probes = self.burst.get_mut(range).unwrap_or_default();
        for (packet, probe) in packets.iter().zip(probes) {
            let (key, swapped) = Key::of(packet).unwrap_or((Key::NONE, false));
            (probe.key, probe.swapped) = (key, swapped);
            probe.hash = self.secret.hash(&key);
            self.table.prefetch_group(probe.hash);
        }
    }

    #[inline(always)]
    fn ask_flows(&mut self, range: Range<usize>) {
        for probe in self.burst.get_mut(range).unwrap_or_default() {
            probe.guess = self.table.guess(probe.hash);
        }
    }

    #[inline(always)]
    fn meet_flows(
        &mut self,
        now: u32,
        packets: &[Fields],
        found: &mut [bool],
        range: Range<usize>,
    ) {
        for at in range {
            if let (Some(packet), Some(found)) = (packets.get(at), found.get_mut(at)) {
                *found = self.meet_planned(now, packet, at);
            }
        }
    }

    /// Whether the packet of the burst that is looked up is of a flow; counts it there.
    #[inline(always)]
    fn meet_planned(&mut self, now: u32, packet: &Fields, at: usize) -> bool {
        let Some(probe) = self.burst.get(at) else {
            return false;
        };
        let Some(flow) = self.table.flow_mut(probe.guess) else {
            // Where no flow was, none can be but fragments noted since.
            return packet.upper == Upper::LaterFragment && self.meet_at(now, packet, at);
        };
        let vn = probe.key.vn().index();
        let generation = self.generations.get(vn).copied().unwrap_or(0);
        let answers = probe.swapped != flow.swapped;
        let usual = (probe.key.difference(&flow.key) | u64::from(generation ^ flow.generation)
            == 0)
            & clock::is_ahead(flow.expires, now)
            & flow.phase.stays(answers, packet.tcp_flags)
            & !packet.fragment;
        if !usual {
            return self.meet_at(now, packet, at);
        }
        if let Some(count) = flow.packets.get_mut(usize::from(answers)) {
            *count = count.wrapping_add(1);
        }
        flow.expires = now.wrapping_add(self.lasting.of(flow.phase));
        true
    }

    #[cold]
    #[inline(never)]
    fn meet_at(&mut self, now: u32, packet: &Fields, at: usize) -> bool {
        let Some(probe) = self.burst.get(at).copied() else {
            return false;
        };
        self.meet(now, packet, &probe, probe.guess)
    }

    /// Whether a packet is of a flow, which is at `guess` or elsewhere; counts it there.
    pub(super) fn meet(&mut self, now: u32, packet: &Fields, probe: &Probe, guess: Place) -> bool {
        let met = match self.touch(now, packet, probe, guess) {
            Touch::Counted => true,
            Touch::NotAlive => false,
            // The tag of another flow was taken for this packet's, or something was moved or noted in this burst.
            Touch::NotThere => self
                .table
                .find(probe)
                .is_some_and(|place| self.touch(now, packet, probe, place) == Touch::Counted),
        };
        if met && packet.fragment && packet.upper != Upper::LaterFragment {
            self.note_fragments(now, packet);
        }
        met
    }
}
