//! Interfaces, addresses and neighbours.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Page, Wanted};
use crate::control::view::{AddressView, InterfaceView, NeighbourView, View};
use crate::interface::Interface;
use crate::neighbour::{ADDRESSES, Filter};
use crate::router::Running;
use crate::vn::InterfaceId;

impl Running {
    fn interface_view(&self, interface: &Interface) -> InterfaceView {
        let id = interface.id;
        let port = self.interfaces.port(id);
        InterfaceView {
            interface: self.names.name(id),
            vn: id.vn(),
            mac: interface.mac,
            mtu: port.mtu,
            addresses: self.discovery.addresses(id).map(|(own, _)| own).collect(),
            advertises: self.discovery.advertises(id),
            received: port.received,
            sent: port.sent,
        }
    }

    /// Interfaces, by number.
    pub(super) fn interface_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let after: Option<usize> = wanted.after()?;
        let of = self.of(wanted.of)?;
        let is_wanted = |id: InterfaceId| {
            wanted.vn.is_none_or(|vn| vn == id.vn()) && of.is_none_or(|of| of == id)
        };
        let interfaces = self
            .interfaces
            .iter()
            .filter(|interface| after.is_none_or(|after| interface.id.index() > after))
            .filter(|interface| is_wanted(interface.id))
            .map(|interface| {
                let view = View::Interface(self.interface_view(interface));
                (interface.id.index(), Some(view))
            });
        Ok(Page::take(interfaces, wanted.most))
    }

    /// Addresses, by the number of their interface and their place there.
    pub(super) fn address_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let after: Option<usize> = wanted.after()?;
        let of = self.of(wanted.of)?;
        let addresses = self
            .interfaces
            .iter()
            .map(|interface| interface.id)
            .filter(|id| wanted.vn.is_none_or(|vn| vn == id.vn()) && of.is_none_or(|of| of == *id))
            .flat_map(|id| {
                let number = move |place| id.index() * ADDRESSES + place;
                let addresses = self.discovery.addresses(id).enumerate();
                addresses.map(move |(place, address)| (number(place), id, address))
            })
            .filter(|(number, ..)| after.is_none_or(|after| *number > after))
            .map(|(number, id, (address, state))| {
                let view = AddressView {
                    address,
                    dev: self.names.name(id),
                    vn: id.vn(),
                    state,
                };
                (number, Some(View::Address(view)))
            });
        Ok(Page::take(addresses, wanted.most))
    }

    /// Neighbours, by their places in the cache.
    pub(super) fn neighbour_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let from: Option<u32> = wanted.after()?;
        let filter = Filter {
            vn: wanted.vn,
            interface: self.of(wanted.of)?,
        };
        let mut entries = Vec::new();
        let next = self.discovery.list(filter, from.unwrap_or(0), |listed| {
            if entries.len() == wanted.most {
                return false;
            }
            entries.push(View::Neighbour(NeighbourView {
                address: listed.address.into(),
                dev: self.names.name(listed.interface),
                vn: listed.interface.vn(),
                lladdr: listed.mac,
                state: listed.state,
                router: listed.router,
                age_ns: self.now_ns.saturating_sub(listed.since_ns),
            }));
            true
        });
        let next = next.map(|place| alloc::format!("{place}"));
        Ok(Page { entries, next })
    }
}
