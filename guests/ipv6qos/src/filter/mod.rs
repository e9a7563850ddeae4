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
use crate::rules::{MAX_RULES, Names, RuleError, Tables};
use flows::Flows;
use recent::{Found, Recent};
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

/// Packets that are judged by what was found for packets like them ([`Filter::judge_again`]), by their numbers.
pub trait Burst {
    /// How many, 64 at most.
    fn packets(&self) -> usize;

    /// Octets of a packet.
    fn octets(&self, at: usize) -> u16;

    /// All that rules look at in a plain packet; [`Alike::NONE`] of another.
    fn alike(&mut self, at: usize) -> Alike;

    /// What rules look at of a packet; none of one that is excused.
    fn fields(&mut self, at: usize) -> Option<Fields>;
}

/// What was judged, a bit each of packets.
#[derive(Debug)]
pub struct Judged {
    /// By the number of the packet.
    pub verdicts: [Verdict; BURST],
    /// Those that are excused: no rule was asked about them, and they pass.
    pub excused: u64,
    /// Whether all pass.
    pub all_pass: bool,
}

impl Judged {
    /// A packet does not pass, or its flow is tracked.
    #[inline(never)]
    fn note(&mut self, at: usize, action: FilterAction) {
        if let Some(verdict) = self.verdicts.get_mut(at) {
            *verdict = verdict_of(action);
            self.all_pass &= *verdict == Verdict::Pass;
        }
    }
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

    /// Judges the packets of a burst by what was found for packets like them where that is known; by the first rule
    /// that they match else. No rule in force tracks flows ([`recalls`](Self::recalls)).
    #[inline]
    pub fn judge_again(&mut self, tables: &Tables, burst: &mut impl Burst) -> Judged {
        let as_of = self.rules.swaps() + tables.changes() + 1;
        let mut judged = Judged {
            verdicts: [Verdict::Pass; BURST],
            excused: 0,
            all_pass: true,
        };
        let packets = burst.packets().min(BURST);
        let mut unknown = 0u64;
        for at in 0..packets {
            match self.recent.get(&burst.alike(at), as_of) {
                Some(found) => self.found(burst.octets(at), found, at, &mut judged),
                None => unknown |= 1 << (at % BURST),
            }
        }
        if unknown != 0 {
            unknown = self.judge_beside(as_of, burst, unknown, &mut judged);
        }
        if unknown == 0 {
            self.recent.learn(packets, 0);
        } else {
            self.judge_unknown((tables, as_of), burst, unknown, &mut judged);
        }
        judged
    }

    /// The same for packets, a bit each, that are not where they are first looked for. Returns those that are unknown.
    #[inline(never)]
    fn judge_beside(
        &mut self,
        as_of: u64,
        burst: &mut impl Burst,
        elsewhere: u64,
        judged: &mut Judged,
    ) -> u64 {
        let (mut left, mut unknown) = (elsewhere, 0);
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            match self.recent.get_beside(&burst.alike(at), as_of) {
                Some(found) => self.found(burst.octets(at), found, at, judged),
                None => unknown |= 1 << at,
            }
            left &= left - 1;
        }
        unknown
    }

    /// Counts a packet, and notes what becomes of it.
    #[inline(always)]
    fn found(&mut self, octets: u16, found: Found, at: usize, judged: &mut Judged) {
        self.rules.count_one(found.rule, octets);
        if found.action != FilterAction::Accept {
            judged.note(at, found.action);
        }
    }

    /// The same for packets of which nothing is known, a bit each; from now on it is.
    #[inline(never)]
    fn judge_unknown(
        &mut self,
        (tables, as_of): (&Tables, u64),
        burst: &mut impl Burst,
        unknown: u64,
        judged: &mut Judged,
    ) {
        let packets = burst.packets().min(BURST);
        let mut asked = ArrayVec::<Fields, BURST>::new();
        // Packets that are not plain are never known.
        let (mut plain, mut missed) = (packets, 0);
        for at in (0..packets).filter(|at| unknown >> at & 1 != 0) {
            match burst.alike(at).is(&Alike::NONE) {
                true => plain -= 1,
                false => missed += 1,
            }
            match burst.fields(at) {
                Some(fields) => asked.push(fields),
                None => judged.excused |= 1 << at,
            }
        }
        self.recent.learn(plain, missed);
        let mut found = [None; BURST];
        self.rules.first_burst(tables, &asked, &mut found);
        let mut found = found.into_iter();
        for at in (0..packets).filter(|at| unknown >> at & 1 != 0) {
            if judged.excused >> at & 1 != 0 {
                continue;
            }
            let rule = found.next().flatten();
            let action = self.rules.action(rule);
            let packet = burst.alike(at);
            self.found(burst.octets(at), Found { rule, action }, at, judged);
            if !packet.is(&Alike::NONE) {
                self.recent.put(packet, as_of, Found { rule, action });
            }
        }
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
