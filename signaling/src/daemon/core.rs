//! The daemon itself: what it hears from applications, neighbours and the switch, and what it wants done.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::ClientId;
use super::call::{Call, Key};
use super::configuration::{Configuration, PortConfiguration, Problem, RouteConfiguration};
use super::labels::Labels;
use super::link::Link;
use super::share::Share;
use super::switch::{Op, OpId, Place, Span};
use crate::address::Address;
use crate::entity::{CallId, Limits};
use crate::isp::{Demon, ToKernel, Vcc, Words};
use crate::qos::Qos;
use crate::route::Routes;

/// How long an application may take to acknowledge that a connection of its was closed, nanoseconds: until then its
/// label is not used again. One that takes longer is let go of, and all of its connections with it.
pub const CLOSE_NS: u64 = 30_000_000_000;

/// What a daemon wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A message for an application.
    Say(ClientId, ToKernel),
    /// Words for an application: why what is said next to it is so.
    Explain(ClientId, Words),
    /// This application has broken the protocol, or is one too many: it is to be let go of, for this reason. Nothing
    /// is heard of it any more.
    Drop(ClientId, String),
    /// To be sent on this port, behind the header of a frame with label 1.
    Pdu(u16, Vec<u8>),
    /// To be done by the switch, and answered with [`Daemon::switched`]. In order.
    Switch(Op),
}

/// A socket that listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listener {
    pub client: ClientId,
    pub vcc: Vcc,
    /// The most that it takes, as it sees it.
    pub qos: Qos,
    /// What it stands for, if it is a socket of the switch.
    pub at: Option<Span>,
}

/// A signalling daemon: pure, told what happens and when. After each call that tells it something,
/// [`output`](Self::output) is asked until there is nothing more.
#[derive(Debug)]
pub struct Daemon {
    pub(super) configuration: Configuration,
    pub(super) routes: Routes,
    pub(super) links: BTreeMap<u16, Link>,
    /// Labels that calls of the switch's own sockets have at ports without a link.
    pub(super) edges: BTreeMap<u16, Labels>,
    pub(super) clients: BTreeMap<ClientId, Demon>,
    pub(super) listeners: BTreeMap<Address, Listener>,
    pub(super) calls: BTreeMap<Key, Call>,
    pub(super) share: Share,
    /// Sockets that have not acknowledged a close, by when they must have.
    pub(super) closing: BTreeSet<(u64, ClientId, Vcc)>,
    pub(super) by_link: BTreeMap<(u16, CallId), Key>,
    pub(super) by_socket: BTreeMap<(ClientId, Vcc), Key>,
    pub(super) by_token: BTreeMap<(ClientId, u64), Key>,
    pub(super) by_op: BTreeMap<OpId, Key>,
    pub(super) last_key: u64,
    pub(super) last_token: u64,
    pub(super) last_op: u64,
    pub(super) outputs: VecDeque<Output>,
    pub(super) now_ns: u64,
}

impl Daemon {
    /// A daemon without calls. `limits`: times, and of calls no more than the configuration has room for; `random`: a
    /// random number for each link.
    ///
    /// # Errors
    /// All that is wrong with the configuration.
    pub fn new(
        configuration: Configuration,
        limits: Limits,
        mut random: impl FnMut() -> u64,
    ) -> Result<Self, Vec<Problem>> {
        let routes = configuration.check()?;
        // All but the parts of others may go over one link.
        let limits = Limits {
            most_calls: configuration.calls,
            ..limits
        };
        let link =
            |port: &PortConfiguration| (port.number, Link::new(port.clone(), limits, random()));
        let links = configuration.ports.iter().map(link).collect();
        Ok(Self {
            share: Share::new(configuration.calls, configuration.ports.len()),
            closing: BTreeSet::new(),
            routes,
            links,
            configuration,
            edges: BTreeMap::new(),
            clients: BTreeMap::new(),
            listeners: BTreeMap::new(),
            calls: BTreeMap::new(),
            by_link: BTreeMap::new(),
            by_socket: BTreeMap::new(),
            by_token: BTreeMap::new(),
            by_op: BTreeMap::new(),
            last_key: 0,
            last_token: 0,
            last_op: 0,
            outputs: VecDeque::new(),
            now_ns: 0,
        })
    }

    /// What it wants done next.
    pub fn output(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let now_ns = self.now_ns;
        self.links.iter_mut().find_map(|(port, link)| {
            let pdu = link.entity.next_pdu(now_ns)?;
            Some(Output::Pdu(*port, pdu))
        })
    }

    /// When [`tick`](Self::tick) is to be called, if at all.
    #[must_use]
    pub fn due_ns(&self) -> Option<u64> {
        let closing = self.closing.first().map(|(due_ns, ..)| *due_ns);
        self.links
            .values()
            .filter_map(|link| link.entity.due_ns())
            .chain(closing)
            .min()
    }

    /// Adds a route, or takes it away. Calls that went by it stay.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub fn change_route(&mut self, delete: bool, route: &RouteConfiguration) -> Result<(), String> {
        let Some(link) = self.links.get(&route.port) else {
            let known = self.links.values().map(|link| &*link.port.name);
            let known = known.collect::<Vec<_>>().join(", ");
            return Err(format!(
                "no neighbour is spoken to on that port; allowed: {known}"
            ));
        };
        let changed = if delete {
            self.routes.delete(route.prefix, route.port)
        } else {
            self.routes.add(route.prefix, route.port)
        };
        changed.map_err(|error| error.naming(&link.port.name))
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ns: u64) {
        self.at(now_ns);
        for link in self.links.values_mut() {
            link.entity.tick(now_ns);
        }
        self.cut_off();
        self.hear_links();
    }

    /// Ends this life: neighbours are told, and release all calls. Nothing is heard any more.
    pub fn end(&mut self) {
        for link in self.links.values_mut() {
            link.entity.end();
        }
    }

    /// A frame with label 1 came in on this port: what stands behind its header.
    pub fn pdu(&mut self, now_ns: u64, port: u16, pdu: &[u8]) {
        self.at(now_ns);
        if let Some(link) = self.links.get_mut(&port) {
            link.entity.hears(now_ns, pdu);
        }
        self.hear_links();
    }

    pub(super) fn at(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    pub(super) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Takes a label for a call of a socket of the switch; false: it is in use, or nobody may signal it.
    pub(super) fn hold(&mut self, place: Place) -> bool {
        let Place { port, vn, label } = place;
        let labels = match self.links.get_mut(&port) {
            Some(link) => &mut link.labels,
            None => self
                .edges
                .entry(port)
                .or_insert_with(|| Labels::beginning_at(0)),
        };
        labels.hold(vn, label)
    }

    /// Whether no socket of the switch can have this label: a call has it, or nobody may signal it.
    pub(super) fn is_held(&self, place: Place) -> bool {
        let Place { port, vn, label } = place;
        let link = self.links.get(&port).map(|link| &link.labels);
        let labels = link.or_else(|| self.edges.get(&port));
        labels.is_some_and(|labels| !labels.is_free(vn, label))
    }

    /// Lets go of a label.
    pub(super) fn free(&mut self, place: Place) {
        let Place { port, vn, label } = place;
        if let Some(link) = self.links.get_mut(&port) {
            link.labels.free(vn, label);
        } else if let Some(labels) = self.edges.get_mut(&port) {
            labels.free(vn, label);
            if labels.is_empty() {
                self.edges.remove(&port);
            }
        }
    }
}
