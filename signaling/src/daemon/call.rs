//! A call as the daemon knows it: two legs, what is set in the switch for it, and how far it has come.

use alloc::vec::Vec;

use super::ClientId;
use super::share::Origin;
use super::switch::{OpId, Place, Way};
use crate::address::Address;
use crate::entity::CallId;
use crate::isp::Vcc;
use crate::q2931::Cause;
use crate::qos::Qos;

/// Names a call in this daemon; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub u64);

/// One end of a call, as far as this daemon has to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    /// There is none yet, or none any more.
    None,
    /// A neighbour's: a call on a link.
    Link { port: u16, call: CallId },
    /// The same, which was released here and is not yet cleared there.
    Clearing { port: u16, call: CallId },
    /// A socket's.
    Socket { client: ClientId, vcc: Vcc },
    /// The same, which was closed from here and has not acknowledged that.
    Closing {
        client: ClientId,
        vcc: Vcc,
        /// When it must have.
        due_ns: u64,
    },
    /// An indication to a listening socket that was not answered yet.
    Indicated { client: ClientId, token: u64 },
}

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A neighbour, on this connection of its link.
    Link(Place),
    /// A socket that listens; on this connection at a port, if it is one of the switch itself.
    Listener {
        client: ClientId,
        vcc: Vcc,
        place: Option<Place>,
    },
}

/// What the switch has of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switched {
    /// Nothing.
    Nothing,
    /// It is being set.
    Setting(OpId),
    /// All of it.
    Set,
    /// It is being unset.
    Unsetting(OpId),
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The switch reserves what it needs.
    Reserving,
    /// Whom it is for has been asked.
    Asked,
    /// A socket here has accepted it; its neighbour has not acknowledged that yet.
    Accepted,
    /// It is there.
    Active,
    /// It ends.
    Ending(Cause),
}

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub called: Address,
    pub calling: Address,
    /// Carried as they are.
    pub blli: Vec<Vec<u8>>,
    /// Nodes crossed before this one.
    pub hops: u8,
    /// As its caller sees it.
    pub qos: Qos,
    /// Whom it is counted for.
    pub origin: Origin,
    pub from: Leg,
    pub to: Leg,
    pub target: Option<Target>,
    /// Its labels, held until all of it is gone: the link it came by, and the link it goes by; or the places that
    /// sockets of the switch stand for.
    pub came_by: Option<Place>,
    pub goes_by: Option<Place>,
    pub ways: Vec<Way>,
    pub switched: Switched,
    pub phase: Phase,
}

impl Call {
    /// Whether nothing is left of it.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ending(_))
            && self.from == Leg::None
            && self.to == Leg::None
            && self.switched == Switched::Nothing
    }
}
