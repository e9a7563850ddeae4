//! What a daemon shows of itself: its links, applications and calls, and what they hold.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::call::{Call, Key, Leg, Phase, Target};
use super::core::Daemon;
use super::switch::Place;
use crate::address::Address;
use crate::qos::Qos;

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct View {
    /// Links.
    pub links: Vec<LinkView>,
    /// Applications.
    pub clients: usize,
    /// Labels in use at ports without a link, by calls of the switch's own sockets.
    #[serde(default)]
    pub edge_labels: usize,
    /// Addresses that are listened on; more than are listed, if there are many.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<String>))]
    pub listening: Vec<Address>,
    /// Calls, the oldest first: a page of them, the next one behind the last of these.
    pub calls: Vec<CallView>,
    /// Calls there are; more than are listed, if there are many.
    pub call_count: usize,
    /// Operations that the switch has not answered.
    pub switching: usize,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LinkView {
    /// The port's name.
    pub port: String,
    /// Whether the neighbour is heard.
    pub up: bool,
    /// Which labels are this side's: `odd` or `even`.
    pub side: Option<String>,
    /// Calls.
    pub calls: usize,
    /// Labels in use.
    pub labels: usize,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CallView {
    /// Names it in this daemon.
    pub id: u64,
    /// `reserving`, `asked`, `indicated`, `accepted`, `active` or `ending`.
    pub state: String,
    /// Who is called.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub called: Address,
    /// Who calls; the null address if that is not told.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub calling: Address,
    /// What is promised, as the caller sees it.
    pub qos: Qos,
    /// The connection that it came by; none: it began here.
    pub came_by: Option<Place>,
    /// The connection that it goes by; none: it ends here.
    pub goes_by: Option<Place>,
    /// Whether it began at a socket of the switch itself: what it came by is where that socket is.
    #[serde(default)]
    pub from_switch: bool,
    /// Whether it ends at a socket of the switch itself: what it goes by is where that socket is.
    #[serde(default)]
    pub to_switch: bool,
}

/// Calls, and addresses listened on, that a view lists at most: a packet has to hold them.
pub const LISTED_MOST: usize = 256;

impl Daemon {
    /// What there is now; of calls those behind this one.
    #[must_use]
    pub fn view(&self, after: u64) -> View {
        let link = |link: &super::link::Link| LinkView {
            port: link.port.name.clone(),
            up: link.entity.is_up(),
            side: link.entity.side().map(|side| side.to_string()),
            calls: link.entity.calls(),
            labels: link.labels.len(),
        };
        View {
            links: self.links.values().map(link).collect(),
            clients: self.clients.len(),
            edge_labels: self.edges.values().map(super::labels::Labels::len).sum(),
            listening: self.listeners.keys().take(LISTED_MOST).copied().collect(),
            calls: self
                .calls
                .range(Key(after.saturating_add(1))..)
                .take(LISTED_MOST)
                .map(|(key, call)| call.view(key.0))
                .collect(),
            call_count: self.calls.len(),
            switching: self.by_op.len(),
        }
    }
}

impl Call {
    fn view(&self, id: u64) -> CallView {
        let state = match self.phase {
            Phase::Reserving => "reserving",
            Phase::Asked if matches!(self.to, Leg::Indicated { .. }) => "indicated",
            Phase::Asked => "asked",
            Phase::Accepted => "accepted",
            Phase::Active => "active",
            Phase::Ending(_) => "ending",
        };
        CallView {
            id,
            state: state.into(),
            called: self.called,
            calling: self.calling,
            qos: self.qos,
            came_by: self.came_by,
            goes_by: self.goes_by,
            from_switch: self.origin.is_none() && self.came_by.is_some(),
            to_switch: matches!(self.target, Some(Target::Listener { place: Some(_), .. })),
        }
    }
}
