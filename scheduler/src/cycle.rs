//! The cycle of a port: its phases in order, checked once so that the gate need not.
//!
//! A cycle in which some frame could wait for ever must never come to be: it is refused here.

use thiserror::Error;

use crate::rate::LinkRate;

/// Most phases of a cycle.
pub const MAX_PHASES: usize = 1024;

/// Longest cycle, ns.
pub const MAX_CYCLE_NS: u64 = 10_000_000_000;

pub(crate) const PS_PER_NS: u64 = 1_000;

/// A part of the cycle that belongs to one PI, or to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// Slot of the PI whose gate is open; `None`: all gates are closed.
    pub owner: Option<u8>,
    /// Length of the phase, ns.
    pub duration_ns: u64,
}

/// Why a cycle was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CycleError {
    /// There is no phase.
    #[error("cycle has no phase: give at least one")]
    Empty,
    /// There are too many phases.
    #[error("cycle has {phases} phases: allowed are at most {MAX_PHASES}")]
    TooManyPhases {
        /// How many there are.
        phases: usize,
    },
    /// A phase lasts no time.
    #[error("phase {phase} lasts 0 ns: allowed is 1 ns and more")]
    EmptyPhase {
        /// Index of the phase, from 0.
        phase: usize,
    },
    /// The cycle is too long.
    #[error("phases up to {phase} make a cycle longer than {MAX_CYCLE_NS} ns, the most allowed")]
    TooLong {
        /// Index of the phase with which the limit is passed, from 0.
        phase: usize,
    },
    /// The largest frame of the PI does not fit in one of its phases.
    #[error(
        "phase {phase} (slot {slot}) lasts {duration_ns} ns, {short_ns} ns too short: \
         guard {guard_ns} ns and a frame of {frame_octets} octets need {needed_ns} ns"
    )]
    PhaseTooShort {
        /// Index of the phase, from 0.
        phase: usize,
        /// Slot of its PI.
        slot: u8,
        /// Its length.
        duration_ns: u64,
        /// The guard.
        guard_ns: u64,
        /// Largest frame of the PI, octets with FCS.
        frame_octets: u32,
        /// The least length allowed.
        needed_ns: u64,
        /// By how much the phase is too short.
        short_ns: u64,
    },
    /// The cycle-time extension is longer than the cycle.
    #[error(
        "cycle-time extension of {extension_ns} ns: allowed is at most the cycle's length, {length_ns} ns"
    )]
    ExtensionTooLong {
        /// The extension asked for.
        extension_ns: u64,
        /// T_c.
        length_ns: u64,
    },
}

/// A phase and where it lies in its cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub owner: Option<u8>,
    pub opens_ns: u64,
    pub closes_ns: u64,
}

impl Span {
    pub const fn duration_ns(self) -> u64 {
        self.closes_ns - self.opens_ns
    }
}

/// A checked cycle: phases in order, guard, link rate. It is not tied to an instant; the gate
/// gives it its base time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// In order, without gaps, from 0; never empty.
    spans: Box<[Span]>,
    length_ns: u64,
    guard_ns: u64,
    extension_ns: u64,
    link: LinkRate,
}

impl Cycle {
    /// A cycle of `phases` in order on `link`. Of each window the last `guard_ns` stay free, for
    /// the jitter of what sends the frames. `largest(slot)` is the PI's largest frame in octets
    /// with FCS (queueMaxSDU of IEEE Std 802.1Q-2018 8.6.8.4, with header and FCS).
    ///
    /// # Errors
    /// [`CycleError`] if a phase cannot hold its PI's largest frame, or the cycle has no phase, a
    /// phase without length, or is out of the limits.
    pub fn new(
        phases: &[Phase],
        guard_ns: u64,
        link: LinkRate,
        largest: impl Fn(u8) -> u32,
    ) -> Result<Self, CycleError> {
        if phases.is_empty() {
            return Err(CycleError::Empty);
        }
        if phases.len() > MAX_PHASES {
            return Err(CycleError::TooManyPhases {
                phases: phases.len(),
            });
        }
        let mut length_ns = 0u64;
        let mut spans = Vec::with_capacity(phases.len());
        for (index, phase) in phases.iter().enumerate() {
            if phase.duration_ns == 0 {
                return Err(CycleError::EmptyPhase { phase: index });
            }
            let opens_ns = length_ns;
            length_ns = length_ns
                .checked_add(phase.duration_ns)
                .filter(|length_ns| *length_ns <= MAX_CYCLE_NS)
                .ok_or(CycleError::TooLong { phase: index })?;
            if let Some(slot) = phase.owner {
                let frame_octets = largest(slot);
                let frame_ns = link.wire_time_ps(frame_octets).div_ceil(PS_PER_NS);
                let needed_ns = guard_ns.saturating_add(frame_ns);
                if phase.duration_ns < needed_ns {
                    return Err(CycleError::PhaseTooShort {
                        phase: index,
                        slot,
                        duration_ns: phase.duration_ns,
                        guard_ns,
                        frame_octets,
                        needed_ns,
                        short_ns: needed_ns - phase.duration_ns,
                    });
                }
            }
            spans.push(Span {
                owner: phase.owner,
                opens_ns,
                closes_ns: length_ns,
            });
        }
        Ok(Self {
            spans: spans.into(),
            length_ns,
            guard_ns,
            extension_ns: 0,
            link,
        })
    }

    /// The same cycle with a cycle-time extension (OperCycleTimeExtension of IEEE Std 802.1Q-2018
    /// 8.6.9.4): where a change of the schedule comes at most `extension_ns` after a boundary, no
    /// cycle is begun there that would be cut, and the last phase stays open until the change.
    ///
    /// # Errors
    /// [`CycleError::ExtensionTooLong`] if it is longer than the cycle.
    pub fn with_extension(mut self, extension_ns: u64) -> Result<Self, CycleError> {
        if extension_ns > self.length_ns {
            return Err(CycleError::ExtensionTooLong {
                extension_ns,
                length_ns: self.length_ns,
            });
        }
        self.extension_ns = extension_ns;
        Ok(self)
    }

    /// The phases in order.
    pub fn phases(&self) -> impl ExactSizeIterator<Item = Phase> + '_ {
        self.spans.iter().map(|span| Phase {
            owner: span.owner,
            duration_ns: span.duration_ns(),
        })
    }

    /// T_c, ns.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        self.length_ns
    }

    /// g, ns.
    #[must_use]
    pub fn guard_ns(&self) -> u64 {
        self.guard_ns
    }

    /// Cycle-time extension, ns; 0 if none.
    #[must_use]
    pub fn extension_ns(&self) -> u64 {
        self.extension_ns
    }

    /// C.
    #[must_use]
    pub fn link(&self) -> LinkRate {
        self.link
    }

    /// Phase time of a PI in a cycle, ns: T_p, or the sum over its phases.
    #[must_use]
    pub fn phase_ns(&self, slot: u8) -> u64 {
        self.spans_of(slot).map(Span::duration_ns).sum()
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    pub(crate) fn spans_of(&self, slot: u8) -> impl Iterator<Item = Span> + '_ {
        self.spans
            .iter()
            .copied()
            .filter(move |span| span.owner == Some(slot))
    }

    /// Index of the phase that is open `offset_ns` into the cycle.
    pub(crate) fn phase_at(&self, offset_ns: u64) -> usize {
        self.spans
            .partition_point(|span| span.closes_ns <= offset_ns)
    }

    pub(crate) fn span(&self, phase: usize) -> Span {
        let nobody = Span {
            owner: None,
            opens_ns: 0,
            closes_ns: self.length_ns,
        };
        self.spans.get(phase).copied().unwrap_or(nobody)
    }
}
