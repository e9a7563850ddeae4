//! The schedules of a port as its operator gave them, in the order in which they take effect.
//!
//! Must never tell of a schedule that it was replaced when the worker had begun it.

use std::collections::VecDeque;

use crate::config::{PhaseConfig, PiConfig, PortConfig, admitted, bounds_at};
use crate::dataplane::clock::Tai;

/// The schedules of one port as the operator gave them.
pub struct Schedules {
    pub(super) oper: Installed,
    /// In the order in which they take effect; the last is the admin schedule. There is one before it
    /// if frames were committed to that already when the last came.
    pub(super) coming: VecDeque<Installed>,
    /// By slot: tolerance in force of connections that were given none, nanoseconds.
    pub(super) tolerances_ns: Vec<u64>,
}

/// A schedule that the worker took.
pub(super) struct Installed {
    pub(super) phases: Vec<PhaseConfig>,
    pub(super) extension_ns: u64,
    /// When it takes effect, on the worker's clock.
    pub(super) from_ns: u64,
    /// The same instant of CLOCK_TAI, converted once.
    pub(super) from_tai_ns: u64,
}

impl Installed {
    pub(super) fn new(port: &PortConfig, from_ns: u64, tai: &Tai) -> Self {
        Self {
            phases: port.phases.clone(),
            extension_ns: port.extension_ns,
            from_ns,
            from_tai_ns: tai.at(from_ns),
        }
    }
}

impl Schedules {
    /// The schedule a port starts with.
    #[must_use]
    pub fn new(port: &PortConfig, pis: &[PiConfig], base_ns: u64, tai: &Tai) -> Self {
        let needs: Vec<_> = pis.iter().map(|pi| pi.needs).collect();
        let tolerance_ns = |(slot, pi): (u8, &PiConfig)| {
            let own = bounds_at(port, &needs, slot);
            own.map_or(0, |own| {
                admitted(pi, pi.level2.streams(&port.name), &own, None).1
            })
        };
        Self {
            oper: Installed::new(port, base_ns, tai),
            coming: VecDeque::new(),
            tolerances_ns: (0u8..).zip(pis).map(tolerance_ns).collect(),
        }
    }

    /// What has taken effect by `now_ns` is in force.
    pub(super) fn settle(&mut self, now_ns: u64) {
        while self
            .coming
            .front()
            .is_some_and(|next| next.from_ns <= now_ns)
        {
            if let Some(next) = self.coming.pop_front() {
                self.oper = next;
            }
        }
    }

    /// Puts `admin` behind what still takes effect. Gives what it is in place of: the worker, which
    /// alone knows, says when that would have taken effect.
    pub(super) fn follow(
        &mut self,
        admin: Installed,
        replaced_ns: Option<u64>,
    ) -> Option<Installed> {
        let last = self.coming.pop_back();
        let (replaced, stays) = match last {
            Some(last) if replaced_ns == Some(last.from_ns) => (Some(last), None),
            last => (None, last),
        };
        self.coming.extend(stays.into_iter().chain([admin]));
        replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(from_ns: u64) -> Installed {
        Installed {
            phases: Vec::new(),
            extension_ns: 0,
            from_ns,
            from_tai_ns: from_ns,
        }
    }

    fn coming(schedules: &Schedules) -> Vec<u64> {
        schedules.coming.iter().map(|next| next.from_ns).collect()
    }

    /// Only what the worker let go of is gone.
    #[test]
    fn a_schedule_that_cannot_be_replaced_any_more_takes_effect_before_the_one_that_follows() {
        let mut schedules = Schedules {
            oper: from(0),
            coming: VecDeque::new(),
            tolerances_ns: Vec::new(),
        };
        assert!(schedules.follow(from(100), None).is_none());
        let replaced = schedules.follow(from(200), Some(100));
        assert_eq!(replaced.map(|waited| waited.from_ns), Some(100));
        assert_eq!(coming(&schedules), [200]);
        assert!(schedules.follow(from(300), None).is_none());
        assert_eq!(coming(&schedules), [200, 300]);
        schedules.settle(250);
        assert_eq!(
            (schedules.oper.from_ns, coming(&schedules)),
            (200, vec![300])
        );
        schedules.settle(300);
        assert_eq!((schedules.oper.from_ns, coming(&schedules)), (300, vec![]));
    }
}
