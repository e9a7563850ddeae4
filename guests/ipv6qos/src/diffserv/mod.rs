//! Differentiated services (RFC 2475): a packet is classified by the first rule that matches, marked, policed, counted.
//!
//! ```text
//! phb           what level 2 of the host does with a code point
//! meter         srTCM and trTCM
//! policer       a meter and what becomes of each colour
//! policers      all of them, by name and number
//! class_counts  packets by per-hop behaviour
//! error         why something cannot be
//! ```
//!
//! A rule gives the packets that it is the first to match a code point, if it has one, and then passes them to its
//! policer, if it has one: that gives them a colour, and the colour decides what becomes of them. Packets that no rule
//! matches are forwarded as they came.
//!
//! Must never touch the ECN bits (RFC 3168 5): a traffic class that is written keeps the two that came.

pub mod class_counts;
pub mod error;
pub mod meter;
pub mod phb;
pub mod policer;
pub mod policers;

use alloc::string::{String, ToString};

pub use class_counts::BurstCounts;
pub use error::{ClassError, PolicerError};
pub use phb::Phb;

use class_counts::ClassCounts;
use policers::{PolicerId, Policers};

use crate::control::item::{self, ClassRule};
use crate::control::matching::Dscp;
use crate::control::view::{ClassView, Count, CounterView, PolicerView};
use crate::packet::Fields;
use crate::rules::{MAX_RULES, Names, RuleError, RuleId, Rules, Tables};

/// Most packets that are marked at once.
const BURST: usize = 64;
/// Most rules that are told where too many name a policer.
const TOLD: usize = 8;
const ECN: u8 = 0b11;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It goes on with this traffic class, which is mostly the one that it came with.
    Pass(u8),
    /// A policer dropped it.
    Drop,
}

/// What a rule does.
#[derive(Debug)]
struct Class {
    dscp: Option<Dscp>,
    policer: Option<PolicerId>,
    count: Count,
}

/// Rules, policers and counters.
#[derive(Debug)]
pub struct Diffserv {
    rules: Rules<Class>,
    policers: Policers,
    counts: ClassCounts,
}

impl Diffserv {
    /// No rules and no policers; room for `most_policers`, 65536 at most.
    pub fn new(most_policers: u32) -> Self {
        Self::with_room(most_policers, MAX_RULES as u32)
    }

    /// Likewise, with room for `most_rules`, [`MAX_RULES`] at most.
    pub fn with_room(most_policers: u32, most_rules: u32) -> Self {
        Diffserv {
            rules: Rules::with_room(most_rules as usize),
            policers: Policers::with_room(most_policers),
            counts: ClassCounts::default(),
        }
    }

    /// Octets of memory that room for `most_policers` and so many rules takes.
    pub fn octets(most_policers: u32, most_rules: u32) -> u64 {
        Policers::octets(most_policers) + Rules::<Class>::octets(most_rules as usize) as u64
    }

    /// Whether there was no memory to bring rules into force that were changed: those before are, until the next
    /// change.
    pub fn is_starved(&self) -> bool {
        self.rules.is_starved()
    }

    /// Whether no packet is changed or dropped: they need only be [counted](Self::count).
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.rules.is_empty()
    }

    /// Counts the packets of a burst that go on as they came, where it [is plain](Self::is_plain).
    #[inline]
    pub fn count(&mut self, passed: &BurstCounts) {
        self.counts.add(passed);
    }

    /// The same of packets with one traffic class.
    #[inline]
    pub fn count_run(&mut self, traffic_class: u8, packets: Count) {
        self.counts.pass(traffic_class, packets);
    }

    /// What becomes of `packets`, which come at `now_ns`; all of them are counted here. `marks` is as long.
    pub fn mark_burst(
        &mut self,
        now_ns: u64,
        tables: &Tables,
        packets: &[Fields],
        marks: &mut [Mark],
    ) {
        for (packets, marks) in packets.chunks(BURST).zip(marks.chunks_mut(BURST)) {
            let mut passed = BurstCounts::default();
            let mut first = [None; BURST];
            self.rules.first_burst(tables, packets, &mut first);
            for ((packet, rule), mark) in packets.iter().zip(first).zip(marks) {
                *mark = match rule {
                    None => Mark::Pass(packet.traffic_class),
                    Some(rule) => self.apply(now_ns, rule, packet),
                };
                if let Mark::Pass(traffic_class) = *mark {
                    passed.add(traffic_class, packet.octets);
                }
            }
            self.counts.add(&passed);
        }
    }

    /// What `rule` makes of `packet`.
    #[inline]
    fn apply(&mut self, now_ns: u64, rule: RuleId, packet: &Fields) -> Mark {
        let &Fields {
            traffic_class,
            octets,
            ..
        } = packet;
        let with = |dscp: u8| dscp << 2 | traffic_class & ECN;
        let Some(class) = self.rules.payload_mut(rule) else {
            return Mark::Pass(traffic_class);
        };
        class.count.add(octets);
        let dscp = class.dscp.map_or(packet.dscp(), Dscp::get);
        let policer = class.policer.and_then(|id| self.policers.get_mut(id));
        let policed = match policer {
            None => Some(dscp),
            Some(policer) => policer.police(now_ns, octets, traffic_class, dscp),
        };
        match policed {
            Some(dscp) => Mark::Pass(with(dscp)),
            None => {
                self.counts.police(Phb::of(with(dscp)), octets);
                Mark::Drop
            }
        }
    }

    /// Adds a policer.
    ///
    /// # Errors
    ///
    /// It is wrong, it is there already, or there is no room for it.
    pub fn add_policer(&mut self, policer: &item::Policer) -> Result<(), PolicerError> {
        self.policers.add(policer)
    }

    /// Adds a policer, or puts it in the place of the one with its name: counters and rules stay, buckets are full.
    ///
    /// # Errors
    ///
    /// It is wrong, or there is no room for it. The one before stays.
    pub fn replace_policer(&mut self, policer: &item::Policer) -> Result<(), PolicerError> {
        self.policers.replace(policer)
    }

    /// Removes a policer; gives it as it was.
    ///
    /// # Errors
    ///
    /// It is not there, or rules name it.
    pub fn delete_policer(&mut self, name: &str) -> Result<item::Policer, PolicerError> {
        let rules = &self.rules;
        self.policers.delete(name, |id| named_by(rules, id))
    }

    /// Adds a rule; gives it with its priority. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// The priority is taken, a name is unknown, no packet could match, or there is no room.
    pub fn add_class(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &ClassRule,
    ) -> Result<ClassRule, ClassError> {
        let class = self.class(rule, Count::default())?;
        let policer = class.policer;
        let priority =
            { &mut self.rules }.insert(tables, names, rule.priority, &rule.matches, class)?;
        self.hold(policer);
        Ok(with_priority(rule, priority))
    }

    /// Puts a rule in the place of the one with its priority, whose counter it keeps, or adds it; gives it with its
    /// priority. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// A name is unknown, no packet could match, or there is no room. The one before stays.
    pub fn replace_class(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &ClassRule,
    ) -> Result<ClassRule, ClassError> {
        let old = rule.priority.and_then(|priority| self.at(priority));
        let (count, held) = old.map_or((Count::default(), None), |(_, old)| {
            (old.count, old.policer)
        });
        let class = self.class(rule, count)?;
        let policer = class.policer;
        let priority =
            { &mut self.rules }.replace(tables, names, rule.priority, &rule.matches, class)?;
        self.hold(policer);
        self.release(held);
        Ok(with_priority(rule, priority))
    }

    /// Removes the rule with the priority of `rule`; gives it as it was. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// There is none, or no priority was given.
    pub fn delete_class(
        &mut self,
        tables: &mut Tables,
        rule: &ClassRule,
    ) -> Result<ClassRule, ClassError> {
        let priority = rule.priority.ok_or(RuleError::Unnamed)?;
        let old = self.at(priority).ok_or(RuleError::Missing(priority))?;
        let (deleted, policer) = (old.0.rule, old.1.policer);
        self.rules.remove(tables, priority)?;
        self.release(policer);
        Ok(deleted)
    }

    /// Works on bringing rules into force, `budget` of work at most ([`SLICE`](crate::rules::SLICE)). True: all are.
    pub fn work(&mut self, tables: &mut Tables, budget: u32) -> bool {
        self.rules.work(tables, budget)
    }

    /// The policers behind the one named `after`, in the order of their names.
    pub fn policers(&self, after: Option<&str>) -> impl Iterator<Item = PolicerView> {
        self.policers.list(after).map(policer::Policer::view)
    }

    /// The rules behind the one with priority `after`, in their order.
    pub fn classes(&self, after: Option<u32>) -> impl Iterator<Item = ClassView> {
        self.rules.list(after).map(|(priority, matches, class)| {
            let name = |id| {
                self.policers
                    .get(id)
                    .map(|policer| policer.name().to_string())
            };
            ClassView {
                rule: ClassRule {
                    priority: Some(priority),
                    matches: matches.clone(),
                    dscp: class.dscp,
                    policer: class.policer.and_then(name),
                },
                count: class.count,
            }
        })
    }

    /// The counters of all per-hop behaviours, such as `class.as.2` of what passed with drop precedence 2, and
    /// `class.as.2.policed` of what policers dropped of it.
    pub fn counters(&self) -> impl Iterator<Item = CounterView> {
        self.counts.views()
    }

    /// The rule with this priority, as it is listed and as it is.
    fn at(&self, priority: u32) -> Option<(ClassView, &Class)> {
        let before = priority.checked_sub(1);
        let (_, _, class) =
            { self.rules.list(before).next() }.filter(|(at, ..)| *at == priority)?;
        Some((self.classes(before).next()?, class))
    }

    /// What `rule` does.
    fn class(&self, rule: &ClassRule, count: Count) -> Result<Class, ClassError> {
        let find = |name: &String| {
            let found = self.policers.find(name);
            found.ok_or_else(|| ClassError::Policer(name.clone()))
        };
        Ok(Class {
            dscp: rule.dscp,
            policer: rule.policer.as_ref().map(find).transpose()?,
            count,
        })
    }

    fn hold(&mut self, policer: Option<PolicerId>) {
        policer.into_iter().for_each(|id| self.policers.hold(id));
    }

    fn release(&mut self, policer: Option<PolicerId>) {
        policer.into_iter().for_each(|id| self.policers.release(id));
    }
}

fn with_priority(rule: &ClassRule, priority: u32) -> ClassRule {
    ClassRule {
        priority: Some(priority),
        ..rule.clone()
    }
}

/// The priorities of the first rules that name a policer.
fn named_by(rules: &Rules<Class>, id: PolicerId) -> String {
    let mut told = String::new();
    let naming = rules
        .list(None)
        .filter(|(_, _, class)| class.policer == Some(id));
    for (nth, (priority, ..)) in naming.enumerate() {
        if nth == TOLD {
            told.push_str(", ...");
            break;
        }
        if nth > 0 {
            told.push_str(", ");
        }
        told.push_str(&priority.to_string());
    }
    told
}
