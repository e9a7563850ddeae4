//! Where a packet would go, and what is to be forgotten.

use alloc::format;
use alloc::string::String;
use core::net::Ipv6Addr;

use crate::control::request::{Answer, Kind};
use crate::control::view::Hop;
use crate::icmp::{is_link_local, is_multicast};
use crate::neighbour::Filter;
use crate::router::Running;
use crate::routing::Way;
use crate::vn::Vn;

impl Running {
    /// The route that a packet to `to` takes.
    pub(super) fn route_get(&self, to: Ipv6Addr, vn: Option<Vn>) -> Result<Answer, String> {
        let vn = self.vn(vn)?;
        let address = u128::from(to);
        if is_multicast(address) || is_link_local(address) {
            return Err(format!(
                "to: {to} is not routed; allowed: addresses outside of ff00::/8 and fe80::/10"
            ));
        }
        let Some((prefix, target)) = self.routing.find(vn, address) else {
            return Ok(Answer::Route(None));
        };
        let hop = self.routing.lookup(vn, address);
        let route = self.route_view(vn, prefix, target, hop);
        let next = match hop.way {
            Way::Gateway => Some(hop.gateway),
            Way::Link => Some(address),
            _ => None,
        };
        let neighbour = next.and_then(|next| self.discovery.find(hop.interface, next));
        let known = neighbour.and_then(|id| self.discovery.listed(id));
        Ok(Answer::Route(Some(Hop {
            route,
            next_hop: next.map(Ipv6Addr::from),
            lladdr: known.and_then(|known| known.mac),
            mtu: next.map(|_| self.interfaces.port(hop.interface).mtu),
        })))
    }

    /// Forgets neighbours or flows that were learned.
    pub(super) fn flush(
        &mut self,
        what: Kind,
        vn: Option<Vn>,
        of: Option<&str>,
    ) -> Result<Answer, String> {
        let interface = self.of(of)?;
        match what {
            Kind::Neighbour => {
                let filter = Filter { vn, interface };
                Ok(Answer::Flushed(
                    self.discovery.flush(filter, &mut self.outbox),
                ))
            }
            Kind::Flow if of.is_some() => {
                Err(String::from("of: a flow is of no interface; allowed: vn"))
            }
            Kind::Flow => Ok(Answer::Flushed(self.filter.flows_mut().flush(vn))),
            _ => Err(String::from(
                "what: only what was learned is flushed; allowed: neighbour, flow",
            )),
        }
    }
}
