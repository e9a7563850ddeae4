//! Changing the schedule of a running gate: admin and oper (IEEE Std 802.1Q-2018 8.6.9.3).
//!
//! The admin schedule becomes the oper schedule at an instant of its own; up to then the old one
//! holds, and its last window is cut there. No instant belongs to both, and a frame that was
//! started is never overtaken by the change: nothing must ever go in a window of the wrong
//! schedule. A cycle that has had its time is handed back and never freed on the frame path.

use thiserror::Error;

use crate::cycle::Cycle;
use crate::extension::Extension;
use crate::gate::Gate;

/// How many cycles a gate keeps until they are taken back.
pub const RETIRED_CYCLES: usize = 4;

/// A schedule that waits for its base time.
#[derive(Debug)]
pub(crate) struct Admin {
    pub cycle: Cycle,
    pub base_ns: u64,
    /// Of the cycle before it.
    pub extension: Option<Extension>,
}

/// Cycles that have had their time.
#[derive(Debug, Default)]
pub(crate) struct Retired([Option<Cycle>; RETIRED_CYCLES]);

impl Retired {
    /// Keeps `cycle`. [`Gate::install`] sees to it that there is room.
    pub fn put(&mut self, cycle: Cycle) {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(cycle);
        }
    }

    fn room(&self) -> usize {
        self.0.iter().filter(|place| place.is_none()).count()
    }

    fn take(&mut self) -> Option<Cycle> {
        self.0.iter_mut().find_map(Option::take)
    }
}

/// Why a schedule was not installed. The refused cycle comes back with it, and the gate goes on as
/// before.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InstallError {
    /// The cycles of earlier changes have not been taken back.
    #[error("{RETIRED_CYCLES} retired cycles wait to be taken back: take them, then install again")]
    RetiredFull {
        /// The refused cycle.
        admin: Cycle,
    },
    /// The change would take effect beyond the end of the clock.
    #[error("no instant is left for a schedule change at or after {earliest_ns} ns")]
    NoInstant {
        /// The refused cycle.
        admin: Cycle,
        /// From when on it could have taken effect.
        earliest_ns: u64,
    },
}

impl Gate {
    /// Installs `admin` as the next schedule and gives the instant at which it takes effect, which
    /// is its base time:
    ///
    /// - without `base_ns`: the next boundary of the oper cycle;
    /// - with a `base_ns` from now on: that instant, even inside a window, which is cut there;
    /// - with a `base_ns` in the past: the next `base_ns + n * T_c` of the new cycle, as IEEE Std
    ///   802.1Q-2018 8.6.9.3.1 (SetConfigChangeTime) has it.
    ///
    /// "Next" means from `now_ns` on, or after the frames already started and their guard, if that
    /// is later. A schedule that still waits is replaced and retired, as a new ConfigChange does in
    /// 8.6.9.3; a window that it had cut gets its own close back. One in whose first window frames
    /// were [committed ahead](Gate::open_ahead) takes effect nevertheless, and `admin` follows it.
    ///
    /// If it takes effect at most the oper cycle's [extension](Cycle::extension_ns) after a
    /// boundary that is still to come, the last phase before that stays open until then, in place
    /// of a cycle cut short. An extension that has begun, or that a frame was started in, stays as
    /// it is if its change is replaced, unless the new one cuts it; after it the cycle goes on with
    /// whatever window is open there, and until then no other is planned.
    ///
    /// # Errors
    /// [`InstallError`]; the gate then goes on as before.
    pub fn install(
        &mut self,
        admin: Cycle,
        base_ns: Option<u64>,
        now_ns: u64,
    ) -> Result<u64, InstallError> {
        self.advance(now_ns);
        let waiting = [&self.settled, &self.admin].into_iter().flatten().count();
        if self.retired.room() < waiting + 1 {
            return Err(InstallError::RetiredFull { admin });
        }
        let earliest_ns = self.uncommitted_ns();
        let settles = self.settled.is_none() && self.committed_to_change();
        let before = match &self.settled {
            None if settles => self.admin.as_ref(),
            settled => settled.as_ref(),
        };
        let before = before.map_or((&self.oper, self.base_ns), |before| {
            (&before.cycle, before.base_ns)
        });
        let effect = match base_ns {
            Some(base_ns) => boundary(base_ns, admin.length_ns(), earliest_ns),
            None => boundary(before.1, before.0.length_ns(), earliest_ns),
        };
        let Some(base_ns) = effect else {
            return Err(InstallError::NoInstant { admin, earliest_ns });
        };
        // What it has given a window can be undone as long as nothing has happened there.
        let begun = |e: &Extension| e.from_ns <= self.now_ns || e.from_ns < earliest_ns;
        let waits = self.admin.as_ref().filter(|_| !settles);
        let extended = waits.and_then(|waits| waits.extension).filter(begun);
        self.held = extended.or(self.held);
        let cut = self.held.take_if(|_| settles);
        let extension = self.extension(before, base_ns);
        let mut waited = self.admin.replace(Admin {
            cycle: admin,
            base_ns,
            extension,
        });
        if settles {
            if let Some(settled) = &mut waited {
                let until_ns = settled.base_ns;
                let cut = cut.map(|cut| Extension { until_ns, ..cut });
                settled.extension = settled.extension.or(cut);
            }
            self.settled = waited;
        } else if let Some(replaced) = waited {
            self.retired.put(replaced.cycle);
        }
        self.forget_uncommitted();
        self.set_close();
        self.advance(self.now_ns);
        Ok(base_ns)
    }

    /// The schedule that waits, and the instant at which it takes effect.
    #[must_use]
    pub fn pending(&self) -> Option<(&Cycle, u64)> {
        self.admin
            .as_ref()
            .map(|admin| (&admin.cycle, admin.base_ns))
    }

    /// The schedule that takes effect before the one that waits, which could not replace it as frames
    /// were [committed ahead](Gate::open_ahead) into it, and that instant.
    #[must_use]
    pub fn settled(&self) -> Option<(&Cycle, u64)> {
        self.settled
            .as_ref()
            .map(|settled| (&settled.cycle, settled.base_ns))
    }

    /// Takes back a cycle that has had its time or was replaced before it came, to be freed
    /// elsewhere than on the frame path.
    pub fn retired(&mut self) -> Option<Cycle> {
        self.retired.take()
    }
}

/// The first `base_ns + n * length_ns` that is not before `earliest_ns`.
fn boundary(base_ns: u64, length_ns: u64, earliest_ns: u64) -> Option<u64> {
    let cycles = earliest_ns.saturating_sub(base_ns).div_ceil(length_ns);
    cycles.checked_mul(length_ns)?.checked_add(base_ns)
}
