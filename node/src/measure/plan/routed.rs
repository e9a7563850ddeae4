//! Streams through an IPv6 router (`builtin:ipv6qos`): whom their frames are addressed to, so that they come out of
//! the other port, and which neighbours the router has to be told of for that.
//!
//! The guest library is configured here as the guest will be, and asked: what it answers is what it will do. Must
//! never guess a route or a MAC address by rules of its own.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::control::Request;
use pinode_guest_ipv6qos::control::item::{Mac, Neighbour, RouteKind};
use pinode_guest_ipv6qos::control::request::{Answer, Kind};
use pinode_guest_ipv6qos::control::view::{Hop, InterfaceView, Origin, RouteView};
use pinode_guest_ipv6qos::{Prefix, Router, Vn};
use pinode_guest_runtime::Function as _;
use pinode_measure::trial::Side;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::node::other;
use super::{NodePlan, PlanError};
use crate::config::PiConfig;
use crate::ipv6::router::all_pages;

/// Destination networks (RFC 2544 12), and hosts of a link.
const MOST: usize = 256;
/// The block of addresses for benchmarks of IPv6 (RFC 5180 8).
const BENCHMARK: Prefix = Prefix::of(0x2001_0002 << 96, 48);
/// Where networks are taken from a prefix that holds nearly everything (RFC 3849).
const DOCUMENTATION: Prefix = Prefix::of(0x2001_0db8 << 96, 32);
/// Octets of an address that number hosts, as on nearly every link.
const HOST_BITS: u32 = 64;
/// Hosts that the tester may be, in this order: 0 is the subnet-router anycast address (RFC 4291 2.6.1) and 1 often the
/// router, so these come last.
const HOSTS: [u128; 6] = [2, 3, 4, 5, 1, 0];

/// What frames from one side need to come out of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The router's MAC address where they enter.
    pub mac: [u8; 6],
    /// An address of the link where they enter, if it has a prefix.
    pub source: Option<Ipv6Addr>,
    /// Where they go: one at least, [`MOST`] at most.
    pub destinations: Vec<Ipv6Addr>,
}

/// The router of a PI, as it will be when it has started.
pub struct Consulted<'n> {
    node: &'n NodePlan,
    pi: &'n PiConfig,
    router: Router,
}

impl<'n> Consulted<'n> {
    /// The router of `pi`.
    ///
    /// # Errors
    ///
    /// It refuses its configuration.
    pub fn of(node: &'n NodePlan, pi: &'n PiConfig) -> Result<Self, PlanError> {
        let mut router = Router::default();
        let configured = router.configure(&node.config.guest_config(pi, 0));
        configured.map_err(|what| refused(pi, what))?;
        Ok(Self { node, pi, router })
    }

    /// The way of frames of virtual network `vn` that enter at `from`: to `to`, or to what the configuration sends to
    /// the other side.
    ///
    /// # Errors
    ///
    /// It sends nothing there, or not `to`.
    pub fn way(&mut self, vn: Vn, from: Side, to: Option<Ipv6Addr>) -> Result<Way, PlanError> {
        let interfaces: Vec<InterfaceView> = self.list(Kind::Interface, vn)?;
        let enters = self.interface(&interfaces, from)?;
        let leaves = &*self.interface(&interfaces, other(from))?.interface;
        let addresses = interfaces.iter().flat_map(|view| &view.addresses);
        let own: BTreeSet<u128> = addresses.map(|own| own.address).collect();
        let destinations = match to {
            Some(to) => {
                self.leads(to, vn, leaves)?;
                vec![to]
            }
            None => self.destinations(vn, leaves, &own)?,
        };
        if destinations.is_empty() {
            return Err(PlanError::Unrouted {
                pi: self.pi.name.clone(),
                vn: vn.get(),
                enters: enters.interface.clone(),
                leaves: leaves.to_owned(),
            });
        }
        let prefixes = enters.addresses.iter().map(|address| address.prefix());
        let hosts = prefixes.filter_map(|prefix| host(prefix, &own));
        Ok(Way {
            mac: enters.mac.0,
            source: hosts.map(Ipv6Addr::from).next(),
            destinations,
        })
    }

    /// The neighbours that packets to these addresses are sent to, and that the router would have to ask for: the
    /// tester, which answers nobody, has `mac` in their place.
    ///
    /// # Errors
    ///
    /// The router does not say.
    pub fn unknown(
        &mut self,
        vn: Vn,
        destinations: impl IntoIterator<Item = Ipv6Addr>,
        mac: [u8; 6],
    ) -> Result<Vec<Neighbour>, PlanError> {
        let mut unknown: Vec<Neighbour> = Vec::new();
        for to in destinations {
            let Some(hop) = self.hop(to, vn)? else {
                continue;
            };
            if let (Some(address), Some(dev), None) =
                (hop.next_hop, hop.route.route.dev, hop.lladdr)
            {
                let lladdr = Mac(mac);
                unknown.push(Neighbour {
                    address,
                    lladdr,
                    dev,
                });
            }
        }
        unknown.sort_by(|a, b| (a.address, &a.dev).cmp(&(b.address, &b.dev)));
        unknown.dedup();
        Ok(unknown)
    }

    /// Addresses whose packets leave at `leaves`. Behind a next router, if there is one: networks of the benchmarking
    /// block where it is routed there, otherwise of the prefixes that are; else hosts of the link.
    fn destinations(
        &mut self,
        vn: Vn,
        leaves: &str,
        own: &BTreeSet<u128>,
    ) -> Result<Vec<Ipv6Addr>, PlanError> {
        let routes: Vec<RouteView> = self.list(Kind::Route, vn)?;
        let out = routes.into_iter().filter(|view| is_out(view, leaves));
        let (behind, on_link): (Vec<_>, Vec<_>) = out.partition(|view| view.route.via.is_some());
        // Each route in turn, so that every one is used before any is used twice.
        let in_turn = (0..MOST).flat_map(|nth| {
            let behind = behind.iter();
            behind.filter_map(move |view| network(view.route.prefix, nth))
        });
        let benchmark = (0..MOST).filter_map(|nth| network(BENCHMARK, nth));
        let hosts = on_link
            .iter()
            .filter_map(|view| host(view.route.prefix, own));
        let mut found = self.those_that_leave(benchmark, true, vn, leaves, own)?;
        if found.is_empty() {
            found = self.those_that_leave(in_turn, true, vn, leaves, own)?;
        }
        if found.is_empty() {
            found = self.those_that_leave(hosts, false, vn, leaves, own)?;
        }
        Ok(found)
    }

    /// The first [`MOST`] of `candidates` whose packets leave at `leaves`, to a next router or not.
    fn those_that_leave(
        &mut self,
        candidates: impl Iterator<Item = u128>,
        is_behind: bool,
        vn: Vn,
        leaves: &str,
        own: &BTreeSet<u128>,
    ) -> Result<Vec<Ipv6Addr>, PlanError> {
        let mut found = Vec::new();
        for to in candidates {
            if own.contains(&to) || !is_of_hosts(to) {
                continue;
            }
            let to = Ipv6Addr::from(to);
            let hop = self.hop(to, vn)?.map(|hop| hop.route);
            let hop = hop.filter(|view| is_out(view, leaves));
            if hop.is_some_and(|view| view.route.via.is_some() == is_behind) {
                found.push(to);
                if found.len() == MOST {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether packets to an address of the user's leave at `leaves`.
    fn leads(&mut self, to: Ipv6Addr, vn: Vn, leaves: &str) -> Result<(), PlanError> {
        let hop = self.hop(to, vn)?;
        if hop.as_ref().is_some_and(|hop| is_out(&hop.route, leaves)) {
            return Ok(());
        }
        let goes = hop.map_or_else(
            || "no route".to_owned(),
            |Hop { route: view, .. }| match (view.route.kind, view.route.dev) {
                _ if view.origin == Origin::Local => "an address of its own".to_owned(),
                (RouteKind::Unicast, Some(dev)) => format!("a route out of {dev}"),
                (kind, _) => format!("a route of type {kind:?}").to_lowercase(),
            },
        );
        Err(PlanError::Elsewhere {
            pi: self.pi.name.clone(),
            to,
            leaves: leaves.to_owned(),
            goes,
        })
    }

    /// The interface of the port at `side`.
    fn interface<'v>(
        &self,
        views: &'v [InterfaceView],
        side: Side,
    ) -> Result<&'v InterfaceView, PlanError> {
        let port = &*self.node.port(side).name;
        let rest = |view: &'v InterfaceView| view.interface.strip_prefix(port);
        let is_it = |rest: &str| rest.is_empty() || rest.starts_with('.');
        let found = views.iter().find(|view| rest(view).is_some_and(is_it));
        found.ok_or_else(|| refused(self.pi, format!("it has no interface on port {port}")))
    }

    fn ask(&mut self, request: &Request) -> Result<Value, PlanError> {
        let pi = self.pi;
        let request = serde_json::to_value(request);
        let request = request.map_err(|error| refused(pi, error.to_string()))?;
        let answer = self.router.request(0, &request);
        answer.map_err(|what| refused(pi, what))
    }

    fn list<E: DeserializeOwned>(&mut self, what: Kind, vn: Vn) -> Result<Vec<E>, PlanError> {
        let pi = self.pi;
        let nonsense = |what| refused(pi, what);
        all_pages(what, Some(vn), None, |request| self.ask(request), nonsense)
    }

    /// Where a packet to `to` goes.
    fn hop(&mut self, to: Ipv6Addr, vn: Vn) -> Result<Option<Hop>, PlanError> {
        let vn = Some(vn);
        match serde_json::from_value(self.ask(&Request::RouteGet { to, vn })?) {
            Ok(Answer::Route(hop)) => Ok(hop),
            Ok(_) => Err(refused(self.pi, "its answer is no route".to_owned())),
            Err(error) => Err(refused(self.pi, error.to_string())),
        }
    }
}

fn refused(pi: &PiConfig, what: String) -> PlanError {
    PlanError::Router {
        pi: pi.name.clone(),
        what,
    }
}

/// Whether packets that take it leave at `leaves`.
fn is_out(view: &RouteView, leaves: &str) -> bool {
    view.route.kind == RouteKind::Unicast
        && view.origin != Origin::Local
        && view.route.dev.as_deref() == Some(leaves)
}

/// Whether routers forward packets to it (RFC 4291 2.4): nothing link-local, no group, not nobody.
fn is_of_hosts(address: u128) -> bool {
    let address = Ipv6Addr::from(address);
    !address.is_unicast_link_local()
        && !address.is_multicast()
        && !address.is_loopback()
        && !address.is_unspecified()
}

/// A host of the `nth` network in `prefix`.
fn network(prefix: Prefix, nth: usize) -> Option<u128> {
    let prefix = match prefix.contains(DOCUMENTATION.bits()) {
        true if prefix.length() < DOCUMENTATION.length() => DOCUMENTATION,
        _ => prefix,
    };
    let nth = (nth as u128) << HOST_BITS;
    let of_it = prefix.bits() | nth;
    match prefix.contains(of_it) {
        // Longer than a network: the one.
        true if nth == 0 => host(prefix, &BTreeSet::new()),
        true => Some(of_it | HOSTS[0]),
        false => None,
    }
}

/// A host in `prefix` that is not the router.
fn host(prefix: Prefix, own: &BTreeSet<u128>) -> Option<u128> {
    let hosts = HOSTS.iter().map(|host| prefix.bits() | host);
    hosts
        .filter(|host| prefix.contains(*host) && is_of_hosts(*host))
        .find(|host| !own.contains(host))
}

#[cfg(test)]
#[path = "routed_tests.rs"]
mod tests;
