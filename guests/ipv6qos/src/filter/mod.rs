//! The packet filter: flows that were let pass, then rules in the order of their priorities, then pass.
//!
//! ```text
//! flows   what is remembered of packets that were let pass
//! rules   what rules do, and what they counted
//! recent  what rules said of packets with the same header
//! ```
//!
//! Open as long as it has no rules and is not held: then nothing need be asked.

pub mod flows;
mod recent;
mod rules;

use alloc::vec::Vec;

use arrayvec::ArrayVec;
use pinode_guest_runtime::BURST;

use crate::control::item::{FilterAction, FilterRule};
use crate::control::view::{Count, FilterView};
use crate::packet::{Alike, Fields};
use crate::rules::{MAX_RULES, Names, RuleError, RuleId, Tables};
use flows::Flows;
use recent::Recent;
use rules::FilterRules;

/// Why a packet is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A rule says so.
    Rule,
    /// A rule tracks its flow, and there is no room for another, or none for its source.
    FlowsFull,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// It is dropped without a word.
    Drop(Cause),
    /// It is dropped and its sender told: communication administratively prohibited (RFC 4443 3.1).
    Reject,
}

// A bit each.
const _: () = assert!(BURST <= u64::BITS as usize);

/// What becomes of packets of a rule with this action, as long as there is room for the flows that it tracks.
#[inline]
fn verdict_of(action: FilterAction) -> Verdict {
    match action {
        FilterAction::Accept | FilterAction::Track => Verdict::Pass,
        FilterAction::Drop => Verdict::Drop(Cause::Rule),
        FilterAction::Reject => Verdict::Reject,
    }
}

/// The packet filter.
#[derive(Debug)]
pub struct Filter {
    rules: FilterRules,
    recent: Recent,
    flows: Flows,
    held: bool,
}

/// Packets that were judged, and those that were not, as they are excused, a bit each.
#[derive(Debug, Default)]
pub struct Judged {
    /// In the order of the packets, without those that are excused.
    pub verdicts: ArrayVec<Verdict, BURST>,
    /// Those that are excused.
    pub excused: u64,
    /// Whether all others pass.
    pub all_pass: bool,
}

impl Filter {
    /// One without rules, with the table of the flows that rules will track.
    pub fn new(flows: Flows) -> Self {
        Self::with_room(flows, MAX_RULES as u32)
    }

    /// Likewise, with room for `most_rules`, [`MAX_RULES`] at most.
    pub fn with_room(flows: Flows, most_rules: u32) -> Self {
        let mut recent = Recent::default();
        if most_rules > 0 {
            // Without memory nothing is remembered.
            let _ = recent.prepare();
        }
        Filter {
            rules: FilterRules::with_room(most_rules),
            recent,
            flows,
            held: false,
        }
    }

    /// Octets of memory that so many rules take; flows are not in it.
    pub fn octets(most_rules: u32) -> u64 {
        match most_rules {
            0 => 0,
            _ => FilterRules::octets(most_rules) + Recent::OCTETS as u64,
        }
    }

    /// Whether there was no memory to bring rules into force that were changed: those before are, until the next
    /// change.
    pub fn is_starved(&self) -> bool {
        self.rules.is_starved()
    }

    /// The flows that are let pass, to be listed.
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// The same, to be flushed, and to be swept now and then ([`Flows::work`]).
    pub fn flows_mut(&mut self) -> &mut Flows {
        &mut self.flows
    }

    /// Whether all packets pass: nothing need be asked.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.rules.is_idle() & !self.held
    }

    /// Whether nothing may be forwarded, as rules are not told yet.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Says whether anything may be forwarded.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Adds a rule; gives it with its priority. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed.
    pub fn add(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        self.rules.add(tables, names, rule)
    }

    /// Puts a rule in the place of the one with its priority; adds it if there is none. Its counters begin at 0.
    /// In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed; the one before stays.
    pub fn replace(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        self.rules.replace(tables, names, rule)
    }

    /// Deletes the rule with the priority of `rule`. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn delete(&mut self, tables: &mut Tables, rule: &FilterRule) -> Result<(), RuleError> {
        self.rules.delete(tables, rule)
    }

    /// Works on bringing changes into force, `budget` of work at most ([`SLICE`](crate::rules::SLICE)).
    /// True: all that was changed is in force.
    pub fn work(&mut self, tables: &mut Tables, budget: u32) -> bool {
        self.rules.work(tables, budget)
    }

    /// Up to `most` rules behind the one with priority `after`, with what they counted.
    pub fn list(&self, after: Option<u32>, most: usize) -> Vec<FilterView> {
        self.rules.list(after, most)
    }

    /// Judges packets: those of a flow that was let pass, pass; what becomes of the others the first rule says that
    /// they match; those that match none, pass. Errors about a flow are asked for before: see
    /// [`is_related`](Self::is_related).
    pub fn judge_burst(
        &mut self,
        now_ns: u64,
        tables: &Tables,
        packets: &[Fields],
        verdicts: &mut [Verdict],
    ) {
        for (packets, verdicts) in packets.chunks(BURST).zip(verdicts.chunks_mut(BURST)) {
            if self.asks_flows() {
                self.judge_with_flows(now_ns, tables, packets, verdicts);
            } else {
                self.judge_by_rules(now_ns, tables, packets, verdicts);
            }
        }
    }

    /// Whether packets may be of flows that pass.
    #[inline]
    pub fn asks_flows(&self) -> bool {
        self.rules.may_track() && !self.flows.is_empty()
    }

    /// Judges packets of which nothing is known but how many they are: all alike; none if rules ask for more, or
    /// for flows.
    #[inline]
    pub fn judge_alike(&mut self, count: Count) -> Option<Verdict> {
        if self.rules.may_track() {
            return None;
        }
        let rule = self.rules.common()?;
        self.rules.count(Some(rule), count);
        Some(verdict_of(self.rules.action(Some(rule))))
    }

    /// Whether [`judge_alike`](Self::judge_alike) gives a verdict.
    #[inline]
    pub fn is_alike(&self) -> bool {
        !self.rules.may_track() && self.rules.common().is_some()
    }

    /// Packets of flows pass; rules judge the others.
    fn judge_with_flows(
        &mut self,
        now_ns: u64,
        tables: &Tables,
        packets: &[Fields],
        verdicts: &mut [Verdict],
    ) {
        let mut found = [false; BURST];
        self.flows.find_burst(now_ns, packets, &mut found);
        let others = packets.iter().zip(found).filter(|(_, found)| !found);
        let others: ArrayVec<Fields, BURST> = others.map(|(packet, _)| *packet).collect();
        let mut judged = [Verdict::Pass; BURST];
        self.judge_by_rules(now_ns, tables, &others, &mut judged);
        let mut judged = judged.into_iter();
        for (verdict, found) in verdicts.iter_mut().zip(found) {
            let by_rules = if found { None } else { judged.next() };
            *verdict = by_rules.unwrap_or(Verdict::Pass);
        }
    }

    /// Judges packets that are of no flow, a burst at most: by the first rule that they match.
    pub fn judge_by_rules(
        &mut self,
        now_ns: u64,
        tables: &Tables,
        packets: &[Fields],
        verdicts: &mut [Verdict],
    ) {
        let mut first = [None; BURST];
        self.rules.first_burst(tables, packets, &mut first);
        let mut tracked = 0u64;
        // Packets that match the same rule mostly come together: counted when another is matched.
        let (mut last, mut action, mut count) = (None, FilterAction::Accept, Count::default());
        for (at, ((packet, first), verdict)) in
            packets.iter().zip(first).zip(&mut *verdicts).enumerate()
        {
            if first != last {
                self.rules.count(last, count);
                (last, action, count) = (first, self.rules.action(first), Count::default());
            }
            count.add(packet.octets);
            *verdict = verdict_of(action);
            tracked |= u64::from(action == FilterAction::Track) << (at % BURST);
        }
        self.rules.count(last, count);
        if tracked != 0 {
            self.track(now_ns, packets, tracked, verdicts);
        }
    }

    /// Whether [`judge_again`](Self::judge_again) may be asked for a burst, and is worth it.
    #[inline]
    pub fn recalls(&mut self) -> bool {
        !self.rules.may_track() && self.recent.is_asked()
    }

    /// Judges the packets of a burst, their octets beside them, by what was found for packets like them where that is
    /// known; by the first rule that they match else. `fields` says what rules look at of a packet by its number, and
    /// none of one that is excused. No rule in force tracks flows ([`recalls`](Self::recalls)).
    #[inline]
    pub fn judge_again(
        &mut self,
        tables: &Tables,
        packets: &[(Alike, u16)],
        fields: impl FnMut(usize) -> Option<Fields>,
    ) -> Judged {
        let as_of = self.rules.swaps() + tables.changes() + 1;
        let mut places = [0; BURST];
        for ((packet, _), place) in packets.iter().zip(&mut places) {
            *place = self.recent.place(packet);
        }
        let mut first = [None; BURST];
        let mut unknown = 0u64;
        let found = packets.iter().zip(places).zip(&mut first);
        for (at, (((packet, _), place), first)) in found.enumerate() {
            match self.recent.get(place, packet, as_of) {
                Some(rule) => *first = rule,
                None => unknown |= 1 << (at % BURST),
            }
        }
        let mut judged = Judged {
            all_pass: true,
            ..Judged::default()
        };
        let others = match unknown {
            0 => 0,
            // Packets that are not plain are never known.
            _ => { packets.iter().take(BURST) }
                .filter(|(packet, _)| packet.is(&Alike::NONE))
                .count() as u32,
        };
        let all = packets.len().min(BURST) as u32;
        self.recent
            .learn(all - others, unknown.count_ones() - others);
        if unknown != 0 {
            judged.excused = self.find_unknown(
                (tables, as_of),
                packets,
                (&places, unknown),
                fields,
                &mut first,
            );
        }
        let (mut last, mut action, mut count) = (None, FilterAction::Accept, Count::default());
        for (at, ((_, octets), first)) in packets.iter().zip(first).enumerate() {
            if judged.excused >> (at % BURST) & 1 != 0 {
                continue;
            }
            if first != last {
                self.rules.count(last, count);
                (last, action, count) = (first, self.rules.action(first), Count::default());
            }
            count.add(*octets);
            let verdict = verdict_of(action);
            judged.all_pass &= verdict == Verdict::Pass;
            judged.verdicts.push(verdict);
        }
        self.rules.count(last, count);
        judged
    }

    /// The rules that the packets match of which that is not known, a bit each; from now on it is. Gives those that are
    /// excused.
    #[inline(never)]
    fn find_unknown(
        &mut self,
        (tables, as_of): (&Tables, u64),
        packets: &[(Alike, u16)],
        (places, unknown): (&[u16; BURST], u64),
        mut fields: impl FnMut(usize) -> Option<Fields>,
        first: &mut [Option<RuleId>; BURST],
    ) -> u64 {
        let is_unknown = |at: usize| unknown >> (at % BURST) & 1 != 0;
        let mut excused = 0;
        let mut asked = ArrayVec::<Fields, BURST>::new();
        for at in (0..BURST).filter(|at| is_unknown(*at)) {
            match fields(at) {
                // As many at most as a burst has.
                Some(fields) => asked.push(fields),
                None => excused |= 1 << (at % BURST),
            }
        }
        let mut found = [None; BURST];
        self.rules.first_burst(tables, &asked, &mut found);
        let each = packets.iter().zip(places).zip(first).enumerate();
        let each = each.filter(|(at, _)| is_unknown(*at) && excused >> (at % BURST) & 1 == 0);
        for ((_, (((packet, _), place), first)), found) in each.zip(found) {
            *first = found;
            if !packet.is(&Alike::NONE) {
                self.recent.put(*place, *packet, as_of, found);
            }
        }
        excused
    }

    /// Tracks the flows of packets, a bit each.
    fn track(&mut self, now_ns: u64, packets: &[Fields], tracked: u64, verdicts: &mut [Verdict]) {
        let is_tracked = |at: usize| tracked >> (at % BURST) & 1 != 0;
        for (at, packet) in packets.iter().enumerate() {
            if is_tracked(at) {
                self.flows.expect(packet);
            }
        }
        for (at, (packet, verdict)) in packets.iter().zip(verdicts).enumerate() {
            if is_tracked(at) && self.flows.track(now_ns, packet).is_err() {
                *verdict = Verdict::Drop(Cause::FlowsFull);
            }
        }
    }

    /// Whether an ICMPv6 error is about a flow that was let pass: `embedded` is the packet that it quotes. Such an
    /// error passes, and need not be judged.
    pub fn is_related(&self, now_ns: u64, embedded: &Fields) -> bool {
        self.rules.may_track() && self.flows.is_related(now_ns, embedded)
    }
}
