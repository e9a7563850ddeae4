//! Schedules as others write them: Linux's taprio and the gate control list of IEEE 802.1Q.
//!
//! ```text
//! mod     what both have in common: a list of gate states, and how it becomes phases
//! taprio  `base-time 0 sched-entry S 01 100000 ...`, as tc(8) takes it
//! ieee    ieee802-dot1q-sched as JSON (RFC 7951)
//! part    `[port.cycle]` of node.toml
//! error   what is wrong with a text, and where
//! ```
//!
//! Texts only: nothing here installs a schedule or judges whether it holds. What the node cannot
//! do is refused with the entry that asks for it, never left out; docs/adr/0012-schedule-notations.md
//! says what that is.

mod error;
mod ieee;
mod part;
mod taprio;
#[cfg(test)]
mod tests;

use crate::config::{NOBODY, Nanoseconds};
use crate::status::{GateStatus, PhaseEntry, PortPhases, Schedule};

pub use error::NotationError;
pub use ieee::{read_ieee, write_ieee};
pub use part::write_part;
pub use taprio::{read_taprio, write_taprio};

/// Both notations count an entry in 32 bits of nanoseconds.
const LONGEST_ENTRY_NS: u64 = u32::MAX as u64;

/// A list of gate states with the times of its cycle (IEEE 802.1Q-2018 8.6.9.4): what both notations
/// say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateList {
    /// AdminBaseTime, nanoseconds of CLOCK_TAI.
    pub base_tai_ns: u64,
    /// AdminCycleTime, nanoseconds; the sum of the entries if none.
    pub cycle_ns: Option<u64>,
    /// AdminCycleTimeExtension, nanoseconds; not said if none.
    pub extension_ns: Option<u64>,
    /// In the order of the list.
    pub entries: Vec<Entry>,
    /// queueMaxSDU by traffic class, where it is given; 0 is no limit.
    pub max_sdu: Vec<(usize, u64)>,
    /// What was read and has no meaning here, for people.
    pub notes: Vec<String>,
}

/// Gates for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands, for messages.
    pub at: String,
    /// Bit i: the gate of traffic class i, which is the PI in slot i, is open.
    pub gates: u32,
    /// TimeInterval, nanoseconds.
    pub duration_ns: u64,
}

/// A schedule as the node takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// In the order of the cycle.
    pub phases: Vec<PhaseEntry>,
    /// Nanoseconds of CLOCK_TAI.
    pub base_tai_ns: u64,
    /// Nanoseconds; not said if none.
    pub extension_ns: Option<u64>,
    /// What was done to the list that its writer may not expect.
    pub notes: Vec<String>,
}

impl GateList {
    /// The list of `schedule`, whose PIs are `gates`.
    ///
    /// # Errors
    ///
    /// [`NotationError::UnknownPi`] if a phase is of none of them.
    pub fn of(schedule: &Schedule, gates: &[GateStatus]) -> Result<Self, NotationError> {
        let mut entries = Vec::new();
        for (index, phase) in schedule.phases.iter().enumerate() {
            let at = format!("phase {index}");
            let mask = match phase.pi.as_str() {
                NOBODY => 0,
                name => {
                    let bit = gates.iter().position(|gate| gate.pi == name);
                    let bit = bit.and_then(|bit| u32::try_from(bit).ok());
                    bit.and_then(|bit| 1u32.checked_shl(bit)).ok_or_else(|| {
                        NotationError::UnknownPi {
                            at: at.clone(),
                            name: name.to_owned(),
                        }
                    })?
                }
            };
            let mut left_ns = phase.duration_ns;
            while left_ns > 0 {
                let duration_ns = left_ns.min(LONGEST_ENTRY_NS);
                left_ns -= duration_ns;
                entries.push(Entry {
                    at: at.clone(),
                    gates: mask,
                    duration_ns,
                });
            }
        }
        let limited = (gates.iter().enumerate()).filter(|(_, gate)| gate.limited);
        Ok(Self {
            base_tai_ns: schedule.base_tai_ns,
            cycle_ns: Some(schedule.cycle_ns),
            extension_ns: Some(schedule.extension_ns),
            entries,
            max_sdu: limited
                .map(|(class, gate)| (class, u64::from(gate.max_sdu)))
                .collect(),
            notes: Vec::new(),
        })
    }

    /// The schedule for a port whose PIs are `gates`.
    ///
    /// A cycle shorter than the list cuts it off, a longer one extends its last entry
    /// (IEEE 802.1Q-2018 8.6.9.2). Entries with the same gates one behind the other are one phase:
    /// nothing closes between them.
    ///
    /// # Errors
    ///
    /// No entry, several gates open at once, a gate of no PI, a queueMaxSDU that is not the PI's.
    pub fn into_phases(self, gates: &[GateStatus]) -> Result<Imported, NotationError> {
        if self.entries.is_empty() {
            return Err(NotationError::NoEntry);
        }
        self.check_max_sdu(gates)?;
        let mut phases: Vec<PhaseEntry> = Vec::new();
        let mut notes = self.notes;
        let sum_ns = self
            .entries
            .iter()
            .fold(0u64, |sum, entry| sum.saturating_add(entry.duration_ns));
        let cycle_ns = self.cycle_ns.unwrap_or(sum_ns);
        let mut left_ns = cycle_ns;
        let mut lost = 0;
        for entry in &self.entries {
            let pi = owner(entry, gates)?;
            let duration_ns = entry.duration_ns.min(left_ns);
            left_ns -= duration_ns;
            match phases.last_mut() {
                _ if duration_ns == 0 => lost += 1,
                Some(last) if last.pi == pi => last.duration_ns += duration_ns,
                _ => phases.push(PhaseEntry {
                    pi: pi.to_owned(),
                    duration_ns,
                }),
            }
        }
        if let Some(last) = phases.last_mut() {
            last.duration_ns += left_ns;
        }
        if cycle_ns < sum_ns {
            notes.push(format!(
                "the cycle of {} cuts {} off a list of {}{}",
                Nanoseconds(cycle_ns),
                Nanoseconds(sum_ns - cycle_ns),
                Nanoseconds(sum_ns),
                match lost {
                    0 => String::new(),
                    lost => format!(", its last {lost} entries whole"),
                }
            ));
        } else if left_ns > 0 {
            notes.push(format!(
                "the cycle of {} extends the last entry by {}",
                Nanoseconds(cycle_ns),
                Nanoseconds(left_ns)
            ));
        }
        Ok(Imported {
            phases,
            base_tai_ns: self.base_tai_ns,
            extension_ns: self.extension_ns,
            notes,
        })
    }

    /// A schedule cannot change what a PI may send: it has to agree with the node.
    fn check_max_sdu(&self, gates: &[GateStatus]) -> Result<(), NotationError> {
        for &(class, said) in &self.max_sdu {
            // A class without a PI has no gate here, and its limit no meaning.
            let Some(gate) = gates.get(class) else {
                continue;
            };
            let same = match gate.limited {
                true => said == u64::from(gate.max_sdu),
                false => said == 0 || said >= u64::from(gate.max_sdu),
            };
            if !same {
                return Err(NotationError::MaxSdu {
                    class,
                    said,
                    pi: gate.pi.clone(),
                    is: gate.max_sdu,
                });
            }
        }
        Ok(())
    }
}

/// Whose gate is open.
fn owner<'g>(entry: &Entry, gates: &'g [GateStatus]) -> Result<&'g str, NotationError> {
    match entry.gates.count_ones() {
        0 => Ok(NOBODY),
        1 => {
            let bit = entry.gates.trailing_zeros();
            let gate = usize::try_from(bit).ok().and_then(|bit| gates.get(bit));
            let gate = gate.ok_or_else(|| NotationError::NoGate {
                at: entry.at.clone(),
                bit,
                gates: legend(gates),
            })?;
            Ok(&gate.pi)
        }
        _ => Err(NotationError::SeveralGates {
            at: entry.at.clone(),
            gates: entry.gates,
        }),
    }
}

/// Which bit is whose: `bit 0 (01) is ipv6qos, bit 1 (02) can`.
fn legend(gates: &[GateStatus]) -> String {
    let bits = (0u32..).zip(gates).map(|(bit, gate)| {
        let is = if bit == 0 { "is " } else { "" };
        let mask = 1u64.checked_shl(bit).unwrap_or(0);
        format!("bit {bit} ({mask:02x}) {is}{}", gate.pi)
    });
    bits.collect::<Vec<_>>().join(", ")
}

/// What is said where another schedule waits: neither notation has two.
#[must_use]
pub fn waiting(phases: &PortPhases) -> Option<String> {
    let admin = phases.admin.as_ref()?;
    Some(format!(
        "another schedule waits for TAI {} ns; this is the one in force",
        admin.base_tai_ns
    ))
}
