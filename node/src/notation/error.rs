//! What is wrong with a schedule in a notation of others: which entry, and what is allowed.

use thiserror::Error;

/// Why a text is no schedule of this node.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotationError {
    /// A word or a key that has no meaning.
    #[error("{at}: {word:?} is not known; allowed: {allowed}")]
    Unknown {
        /// Where.
        at: String,
        /// What was found.
        word: String,
        /// What there is.
        allowed: &'static str,
    },
    /// Something is not there.
    #[error("{at}: {what} is missing; needed: {needed}")]
    Missing {
        /// Where.
        at: String,
        /// The key.
        what: &'static str,
        /// What belongs there.
        needed: &'static str,
    },
    /// A value that cannot be.
    #[error("{at}: {what} {found} is not allowed; allowed: {allowed}")]
    Value {
        /// Where.
        at: String,
        /// The key.
        what: &'static str,
        /// What was found.
        found: String,
        /// What may be.
        allowed: &'static str,
    },
    /// The same thing was said twice.
    #[error("{at}: {what} is given twice; allowed: once")]
    Twice {
        /// Where the second is.
        at: String,
        /// The key.
        what: String,
    },
    /// An operation of frame preemption.
    #[error(
        "{at}: operation {found} is not allowed: it holds or releases preemptable frames \
         (IEEE 802.1Q-2018 6.7.2), and no frame is preempted here; allowed: {allowed}"
    )]
    Preemption {
        /// Where.
        at: String,
        /// What was found.
        found: String,
        /// As this notation calls it.
        allowed: &'static str,
    },
    /// Scheduling is off.
    #[error(
        "gate-enabled false is not allowed: a port here always follows its gates; allowed: true"
    )]
    GatesOff,
    /// The list is empty.
    #[error("the gate control list has no entry; needed: one at least")]
    NoEntry,
    /// Several gates open at once.
    #[error(
        "{at}: gate states {gates:02x} open {} gates at once; allowed: one or none, each phase \
         belongs to one PI alone",
        gates.count_ones()
    )]
    SeveralGates {
        /// The entry.
        at: String,
        /// Its gates.
        gates: u32,
    },
    /// The gate of a PI that is not there.
    #[error("{at}: bit {bit} is of no PI; allowed: 00 for nobody, {gates}")]
    NoGate {
        /// The entry.
        at: String,
        /// Its bit.
        bit: u32,
        /// Whose bits there are.
        gates: String,
    },
    /// A limit that a schedule cannot change.
    #[error(
        "queueMaxSDU {said} of traffic class {class} is not that of PI {pi:?}, which may send {is} \
         octets; allowed: {is}, or another pi.{pi}.max_sdu in node.toml"
    )]
    MaxSdu {
        /// The class.
        class: usize,
        /// What was read.
        said: u64,
        /// Its PI.
        pi: String,
        /// What the PI may send.
        is: u16,
    },
    /// A phase of a PI that is no gate of the port.
    #[error("{at}: PI {name:?} has no gate")]
    UnknownPi {
        /// The phase.
        at: String,
        /// Its name.
        name: String,
    },
    /// The notation has eight gates.
    #[error(
        "PI {pi:?} is gate {bit}; a gate control list of IEEE 802.1Q has traffic classes 0 to 7: \
         use --format taprio, or put the PI among the first eight of node.toml"
    )]
    NoClass {
        /// The PI.
        pi: String,
        /// Its gate.
        bit: usize,
    },
    /// A number that the notation cannot hold.
    #[error("{what} of {found} ns cannot be written; this notation holds {allowed}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The value.
        found: u64,
        /// What fits.
        allowed: &'static str,
    },
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, and not of this form.
    #[error("{at}: is no {needed}")]
    Form {
        /// Where.
        at: String,
        /// What belongs there.
        needed: &'static str,
    },
    /// No table of this port.
    #[error(
        "there is no gate-parameter-table of port {port:?}; needed: one of an interface of that name, or \
         at the top"
    )]
    NoTable {
        /// The port.
        port: String,
    },
    /// The lists are those of other interfaces.
    #[error(
        "there is no interface {port:?}, and what is meant for another is not taken; found: {found}; \
         needed: an interface of that name, or the gate-parameter-table alone, which names none"
    )]
    NoInterface {
        /// The port.
        port: String,
        /// The interfaces that there are.
        found: String,
    },
}
