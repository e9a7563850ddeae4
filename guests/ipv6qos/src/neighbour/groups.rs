//! The groups an interface listens to, and their reports (MLDv2, RFC 3810): as a host does (6), for any source. While
//! there is a querier of version 1 on the link, all is said in its words, as it knows no others (RFC 3810 8.2.1).
//!
//! A report of another listener suppresses none of ours: switches that look into them want to hear of each port.

use arrayvec::ArrayVec;

use super::outbox::{Message, Outbox, Report};
use super::own::ADDRESSES;
use super::random::Random;
use crate::icmp::message::{Query, Version};
use crate::vn::InterfaceId;

/// All nodes on the link: never reported (RFC 3810 6).
pub(super) const ALL_NODES: u128 = 0xff02 << 112 | 1;
/// All routers on the link, and of the site (RFC 4291 2.7.1).
pub(super) const ALL_ROUTERS: [u128; 2] = [0xff02 << 112 | 2, 0xff05 << 112 | 2];
/// All nodes and all routers of the interface.
const INTERFACE_LOCAL: [u128; 2] = [0xff01 << 112 | 1, 0xff01 << 112 | 2];

/// Times a change is reported: the robustness variable (RFC 3810 9.1).
const ROBUSTNESS: u8 = 2;
/// Longest time between these, nanoseconds (RFC 3810 9.11).
const UNSOLICITED_NS: u64 = 1_000_000_000;
/// How long a querier of version 1 is taken to be there: the robustness variable times the query interval, and the
/// time to answer, with the values that queriers have if nobody sets them (RFC 3810 9.12).
const OLD_QUERIER_NS: u64 = (2 * 125 + 10) * 1_000_000_000;
/// Most groups: a solicited-node group for each address and its anycast address, those of routers, and as many as
/// there are addresses that were left.
pub(super) const GROUPS: usize = 3 * ADDRESSES + 2;

/// Whether every router listens to it, on each interface.
pub(super) fn is_always(group: u128) -> bool {
    group == ALL_NODES || ALL_ROUTERS.contains(&group) || INTERFACE_LOCAL.contains(&group)
}

#[derive(Debug, Clone, Copy)]
struct Group {
    address: u128,
    is_left: bool,
    /// Reports of its change that are still to be sent, and when the next one is.
    changes: u8,
    change_ns: u64,
    /// When a query for it is to be answered.
    answer_ns: u64,
}

/// The groups of an interface.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: ArrayVec<Group, GROUPS>,
    /// When a general query is to be answered.
    answer_ns: Option<u64>,
    /// Until when a querier of version 1 is taken to be there.
    old_until_ns: Option<u64>,
}

impl Groups {
    /// Listens to a group from now on.
    pub(super) fn join(&mut self, now_ns: u64, address: u128) {
        self.set(now_ns, address, false);
    }

    /// Listens to it no longer.
    pub(super) fn leave(&mut self, now_ns: u64, address: u128) {
        self.set(now_ns, address, true);
    }

    fn set(&mut self, now_ns: u64, address: u128, is_left: bool) {
        let group = Group {
            address,
            is_left,
            changes: ROBUSTNESS,
            change_ns: now_ns,
            answer_ns: u64::MAX,
        };
        let known = self
            .groups
            .iter_mut()
            .find(|known| known.address == address);
        if let Some(known) = known {
            if known.is_left != is_left {
                *known = group;
            }
        } else if !is_left {
            if self.groups.is_full() {
                // What was left is said less often, then.
                self.groups.retain(|group| !group.is_left);
            }
            // There are fewer addresses than places.
            let _ = self.groups.try_push(group);
        }
    }

    /// Those listened to and reported, in the order in which they were joined.
    pub(super) fn current(&self) -> impl Iterator<Item = u128> {
        let current = self.groups.iter().filter(|group| !group.is_left);
        current.map(|group| group.address)
    }

    /// Whether version 1 is spoken; what was to be said in another version is not said.
    fn is_old(&mut self, now_ns: u64) -> bool {
        if self.old_until_ns.is_some_and(|until_ns| until_ns <= now_ns) {
            self.old_until_ns = None;
            self.cancel();
        }
        self.old_until_ns.is_some()
    }

    fn cancel(&mut self) {
        self.answer_ns = None;
        for group in &mut self.groups {
            group.changes = 0;
            group.answer_ns = u64::MAX;
        }
    }

    /// A query, to be answered within so many milliseconds (RFC 3810 6.2, RFC 2710 4).
    pub(super) fn queried(&mut self, now_ns: u64, query: Query, random: &mut Random) {
        let Query {
            within_ms, group, ..
        } = query;
        let mut is_old = self.is_old(now_ns);
        if query.version == Version::One {
            if !is_old {
                self.cancel();
            }
            self.old_until_ns = Some(now_ns.saturating_add(OLD_QUERIER_NS));
            is_old = true;
        }
        let mut due_ns = || {
            let delay_ns = random.between(0, u64::from(within_ms).saturating_mul(1_000_000));
            now_ns.saturating_add(delay_ns)
        };
        if is_old {
            // A message tells of one group.
            let is_asked = |known: &&mut Group| group == 0 || known.address == group;
            for known in self.groups.iter_mut().filter(is_asked) {
                if !known.is_left {
                    known.answer_ns = known.answer_ns.min(due_ns());
                }
            }
            return;
        }
        let due_ns = due_ns();
        if self.answer_ns.is_some_and(|answer_ns| answer_ns <= due_ns) {
            return;
        }
        if group == 0 {
            self.answer_ns = Some(due_ns);
        } else {
            let is_it = |known: &&mut Group| known.address == group && !known.is_left;
            if let Some(known) = self.groups.iter_mut().find(is_it) {
                known.answer_ns = known.answer_ns.min(due_ns);
            }
        }
    }

    /// It is `now_ns`. Gives when they are to be looked at next.
    pub(super) fn tick<F>(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        random: &mut Random,
        out: &mut Outbox<F>,
    ) -> u64 {
        let mut due_ns = u64::MAX;
        let is_old = self.is_old(now_ns);
        if let Some(answer_ns) = self.answer_ns {
            if answer_ns > now_ns {
                due_ns = answer_ns;
            } else if out.has_room(interface) {
                self.answer_ns = None;
                for group in &mut self.groups {
                    group.answer_ns = u64::MAX;
                }
                out.send(interface, Message::Report(Report::Current));
            } else {
                return now_ns;
            }
        }
        for group in &mut self.groups {
            if !out.has_room(interface) {
                return now_ns;
            }
            if group.changes > 0 && group.change_ns <= now_ns {
                group.changes -= 1;
                group.change_ns = now_ns.saturating_add(random.between(1, UNSOLICITED_NS));
                let report = match (is_old, group.is_left) {
                    (false, false) => Report::Joined(group.address),
                    (false, true) => Report::Left(group.address),
                    (true, false) => Report::Old(group.address),
                    (true, true) => {
                        group.changes = 0;
                        Report::OldDone(group.address)
                    }
                };
                out.send(interface, Message::Report(report));
            }
            if group.answer_ns <= now_ns {
                group.answer_ns = u64::MAX;
                let report = if is_old {
                    Report::Old(group.address)
                } else {
                    Report::Group(group.address)
                };
                out.send(interface, Message::Report(report));
            }
            if group.changes > 0 {
                due_ns = due_ns.min(group.change_ns);
            }
            due_ns = due_ns.min(group.answer_ns);
        }
        self.groups
            .retain(|group| !group.is_left || group.changes > 0);
        due_ns
    }
}
