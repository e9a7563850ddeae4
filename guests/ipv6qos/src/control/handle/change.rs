//! Items added, replaced, deleted. Each is done or not at all.

use alloc::format;
use alloc::string::{String, ToString};

use crate::control::Item;
use crate::control::item::{Address, Neighbour, Policer, Route, TableEntry};
use crate::control::refusal::Refusal;
use crate::control::request::Op;
use crate::control::view::{Origin, Reachability};
use crate::icmp::is_link_local;
use crate::prefix::InterfaceAddress;
use crate::router::Running;
use crate::routing::Target;
use crate::rules::TableError;
use crate::vn::{InterfaceId, Vn};

impl Running {
    /// Does `op` with an item; gives it with what was left out filled in.
    ///
    /// # Errors
    ///
    /// Why not, and what is allowed; nothing is done.
    pub(crate) fn change(&mut self, op: Op, item: &Item) -> Result<Item, Refusal> {
        match item {
            Item::Address(address) => self.change_address(op, address).map(Item::Address),
            Item::Route(route) => self.change_route(op, route).map(Item::Route),
            Item::Neighbour(neighbour) => self.change_neighbour(op, neighbour).map(Item::Neighbour),
            Item::Table(entry) => self.change_table(op, entry).map(Item::Table),
            Item::Policer(policer) => self.change_policer(op, policer).map(Item::Policer),
            Item::Class(rule) => {
                let Running {
                    diffserv,
                    tables,
                    names,
                    ..
                } = self;
                let names = &|name: &str| names.find(name);
                let rule = match op {
                    Op::Add => diffserv.add_class(tables, names, rule),
                    Op::Replace => diffserv.replace_class(tables, names, rule),
                    Op::Delete => diffserv.delete_class(tables, rule),
                };
                rule.map(Item::Class).map_err(Refusal::from)
            }
            Item::Filter(rule) => {
                let Running {
                    filter,
                    tables,
                    names,
                    ..
                } = self;
                let names = &|name: &str| names.find(name);
                let rule = match op {
                    Op::Add => filter.add(tables, names, rule),
                    Op::Replace => filter.replace(tables, names, rule),
                    Op::Delete => filter.delete(tables, rule).map(|()| rule.clone()),
                };
                rule.map(Item::Filter).map_err(Refusal::from)
            }
        }
    }

    fn dev(&self, name: &str) -> Result<InterfaceId, String> {
        self.names
            .find(name)
            .map_err(|error| format!("dev: {error}"))
    }

    fn change_address(&mut self, op: Op, item: &Address) -> Result<Address, Refusal> {
        let dev = self.dev(&item.dev)?;
        let address = item.address;
        let there = self
            .discovery
            .addresses(dev)
            .map(|(own, _)| own)
            .find(|own| own.address == address.address);
        match (op, there) {
            (Op::Add, None) | (Op::Replace, None) => self.add_address(dev, address)?,
            (Op::Add, Some(there)) => {
                let what = format!("address: {} has {there} already", item.dev);
                return Err(Refusal::conflict(what));
            }
            (Op::Replace, Some(there)) if there == address => {}
            (Op::Replace, Some(there)) => {
                self.remove_address(dev, there)?;
                if let Err(error) = self.add_address(dev, address) {
                    // It was there: it can be there again.
                    let _ = self.add_address(dev, there);
                    return Err(error);
                }
            }
            (Op::Delete, Some(there)) if there == address => self.remove_address(dev, there)?,
            (Op::Delete, Some(there)) => {
                let what = format!("address: {} has {there}; allowed: its own length", item.dev);
                return Err(what.into());
            }
            (Op::Delete, None) => {
                let what = format!("address: {} does not have {address}", item.dev);
                return Err(Refusal::conflict(what));
            }
        }
        Ok(Address {
            address,
            dev: self.names.name(dev),
        })
    }

    fn add_address(&mut self, dev: InterfaceId, address: InterfaceAddress) -> Result<(), Refusal> {
        let is_routed = !is_link_local(address.address);
        if is_routed {
            self.routing
                .attach(dev, address)
                .map_err(|error| Refusal::from(error).of_key("address"))?;
        }
        let added = self.discovery.add_address(self.now_ns, dev, address);
        added.map_err(|error| {
            if is_routed {
                self.detach(dev, address);
            }
            Refusal::from(error).of_key("address")
        })
    }

    fn remove_address(
        &mut self,
        dev: InterfaceId,
        address: InterfaceAddress,
    ) -> Result<(), Refusal> {
        self.discovery
            .remove_address(self.now_ns, dev, address.address)
            .map_err(|error| Refusal::from(error).of_key("address"))?;
        if !is_link_local(address.address) {
            self.detach(dev, address);
        }
        Ok(())
    }

    fn detach(&mut self, dev: InterfaceId, address: InterfaceAddress) {
        let others: arrayvec::ArrayVec<InterfaceAddress, { crate::neighbour::ADDRESSES }> = self
            .discovery
            .addresses(dev)
            .map(|(own, _)| own)
            .filter(|own| !is_link_local(own.address))
            .collect();
        self.routing.detach(dev, address, &others);
    }

    fn change_route(&mut self, op: Op, item: &Route) -> Result<Route, Refusal> {
        let dev = item.dev.as_deref().map(|name| self.dev(name)).transpose()?;
        let vn = self.vn(item.vn.or(dev.map(InterfaceId::vn)))?;
        let target = Target {
            origin: Origin::Static,
            kind: item.kind,
            via: item.via.map(u128::from),
            dev,
        };
        let target = match op {
            Op::Add => self.routing.add(vn, item.prefix, target).map(|()| target),
            Op::Replace => self
                .routing
                .replace(vn, item.prefix, target)
                .map(|()| target),
            Op::Delete => self.routing.delete(vn, item.prefix),
        };
        let target = target?;
        Ok(self.route_item(vn, item.prefix, &target))
    }

    /// A route as it is shown.
    pub(super) fn route_item(&self, vn: Vn, prefix: crate::Prefix, target: &Target) -> Route {
        Route {
            prefix,
            vn: Some(vn),
            via: target.via.map(Into::into),
            dev: target.dev.map(|dev| self.names.name(dev)),
            kind: target.kind,
        }
    }

    /// A virtual network that is carried.
    pub(super) fn vn(&self, vn: Option<Vn>) -> Result<Vn, String> {
        let vn = vn.unwrap_or(self.names.default_vn());
        if self
            .interfaces
            .iter()
            .any(|interface| interface.id.vn() == vn)
        {
            return Ok(vn);
        }
        let mut carried: alloc::vec::Vec<Vn> = self
            .interfaces
            .iter()
            .map(|interface| interface.id.vn())
            .collect();
        carried.sort_unstable();
        carried.dedup();
        let carried: alloc::vec::Vec<String> = carried.iter().map(Vn::to_string).collect();
        Err(format!(
            "vn: {vn} is not carried; allowed: {}",
            carried.join(", ")
        ))
    }

    fn change_neighbour(&mut self, op: Op, item: &Neighbour) -> Result<Neighbour, Refusal> {
        let dev = self.dev(&item.dev)?;
        let address = item.address.into();
        let there = self
            .discovery
            .find(dev, address)
            .map(|id| self.discovery.hop(id).state());
        match (op, there) {
            (Op::Add, Some(Reachability::Permanent)) => {
                let what = format!("{} on {} is there already", item.address, item.dev);
                return Err(Refusal::conflict(what));
            }
            (Op::Add | Op::Replace, _) => self.discovery.set_neighbour(
                self.now_ns,
                dev,
                address,
                item.lladdr,
                &mut self.outbox,
            )?,
            (Op::Delete, _) => {
                if !self
                    .discovery
                    .remove_neighbour(dev, address, &mut self.outbox)
                {
                    let what = format!("there is no neighbour {} on {}", item.address, item.dev);
                    return Err(Refusal::conflict(what));
                }
            }
        }
        Ok(Neighbour {
            dev: self.names.name(dev),
            ..item.clone()
        })
    }

    fn change_table(&mut self, op: Op, item: &TableEntry) -> Result<TableEntry, Refusal> {
        let done = match op {
            Op::Add => self.tables.add(item),
            Op::Replace => match self.tables.add(item) {
                Err(TableError::Exists { .. }) => Ok(()),
                other => other,
            },
            Op::Delete => self.tables.remove(item),
        };
        done.map(|()| item.clone()).map_err(Refusal::from)
    }

    fn change_policer(&mut self, op: Op, item: &Policer) -> Result<Policer, Refusal> {
        let done = match op {
            Op::Add => self.diffserv.add_policer(item).map(|()| item.clone()),
            Op::Replace => self.diffserv.replace_policer(item).map(|()| item.clone()),
            Op::Delete => self.diffserv.delete_policer(&item.name),
        };
        done.map_err(Refusal::from)
    }
}
