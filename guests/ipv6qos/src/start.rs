//! From a configuration to a router: all memory is allocated here, and every item applied as it is at run time.

use alloc::string::ToString;
use alloc::vec::Vec;

use pinode_guest_runtime::{BURST, Config, HELD};

use crate::config::{Configuration, Place, Problem};
use crate::control::request::Op;
use crate::counters::Counters;
use crate::diffserv::Diffserv;
use crate::filter::Filter;
use crate::filter::flows::Flows;
use crate::icmp::Limit;
use crate::interface::Interfaces;
use crate::neighbour::{Advertise, Discovery, Limits, LinkConfig, Outbox};
use crate::packet::Form;
use crate::path::Held;
use crate::reassembly::Reassembly;
use crate::router::Running;
use crate::routing::Routing;
use crate::rules::Tables;
use crate::vn::VNS;

/// Octets of a next hop with what finds it.
const HOP_OCTETS: u64 = 256;
/// Octets for what a request and its answer take for a while: a line each, read and taken apart.
const REQUEST_OCTETS: u64 = 2 << 20;

impl Running {
    /// A router of this configuration.
    ///
    /// # Errors
    ///
    /// All that is wrong with it and shows only now.
    pub(crate) fn new(
        config: &Config,
        configuration: &Configuration,
    ) -> Result<Self, Vec<Problem>> {
        let whole = |what: &dyn ToString| alloc::vec![Place::default().problem(what.to_string())];
        let names = configuration.names.clone();
        let form = Form::of(config, names.default_vn());
        let interfaces = Interfaces::new(config, &form, &names, &configuration.interfaces);
        let interfaces = interfaces.map_err(|what| whole(&what))?;
        let numbers = config.vifs.len() * VNS;
        let limits = configuration.limits;
        let vns = names.all().fold(0u32, |vns, id| vns | 1 << id.vn().get());
        let vns = vns.count_ones() as usize;
        let flows = Flows::new(&configuration.flows, vns, config.seed);
        let flows = flows.map_err(|what| {
            let place = Place::key("filter.flows");
            alloc::vec![place.problem_in(&what)]
        })?;
        let routing = Routing::new(limits.routes, limits.next_hops);
        let routing = routing.map_err(|_| {
            let place = Place::key("limits.routes");
            let what = alloc::format!(
                "no memory for {} routes; give the guest more",
                limits.routes
            );
            alloc::vec![place.problem_in(&what)]
        })?;
        let tables = Tables::with_room(limits.table_prefixes as usize);
        let tables = tables.map_err(|_| {
            let place = Place::key("limits.table_prefixes");
            let what = "no memory for as many; give the guest more";
            alloc::vec![place.problem_in(what)]
        })?;
        let mut running = Running {
            form,
            limits,
            names,
            interfaces,
            routing,
            discovery: Discovery::new(neighbours(configuration), numbers, config.seed),
            outbox: Outbox::default(),
            settled: Vec::with_capacity(HELD + BURST),
            limit: Limit::new(configuration.icmp, numbers),
            reassembly: Reassembly::new(config.seed),
            tables,
            filter: Filter::with_room(flows, limits.filter_rules),
            diffserv: Diffserv::with_room(limits.policers, limits.class_rules),
            counters: Counters::default(),
            now_ns: 0,
        };
        let mut problems = running.links(config, configuration);
        for (place, item) in &configuration.items {
            if let Err(refusal) = running.change(Op::Add, item) {
                problems.push(place.problem_in(&refusal.what));
            }
        }
        while !running.work(u32::MAX) {}
        running.filter.hold(config.replay);
        if problems.is_empty() {
            Ok(running)
        } else {
            Err(problems)
        }
    }

    /// Octets of memory that a router of this configuration takes.
    pub(crate) fn memory(config: &Config, configuration: &Configuration) -> u64 {
        let limits = configuration.limits;
        let numbers = config.vifs.len() * VNS;
        let discovery = Discovery::<Held>::memory(neighbours(configuration), numbers) as u64;
        REQUEST_OCTETS
            + discovery
            + Reassembly::memory() as u64
            + Flows::memory(&configuration.flows)
            + Routing::memory(limits.routes)
            + u64::from(limits.next_hops) * HOP_OCTETS
            + Tables::memory(limits.table_prefixes as usize) as u64
            + Filter::octets(limits.filter_rules)
            + Diffserv::octets(limits.policers, limits.class_rules)
    }

    /// Brings what was changed into force; true: all of it.
    pub(crate) fn work(&mut self, budget: u32) -> bool {
        let filter = self.filter.work(&mut self.tables, budget);
        let diffserv = self.diffserv.work(&mut self.tables, budget);
        filter && diffserv
    }

    /// Takes all interfaces into use.
    fn links(&mut self, config: &Config, configuration: &Configuration) -> Vec<Problem> {
        let mut problems = Vec::new();
        for interface in self.interfaces.iter() {
            let id = interface.id;
            let set = configuration.interfaces.iter().find(|(of, _)| *of == id);
            let set = set.map(|(_, settings)| settings);
            // Hosts on an access port configure themselves once it has an address to advertise, now or later.
            let is_access = config
                .vifs
                .get(usize::from(id.vif().0))
                .is_some_and(|vif| vif.access.is_some());
            let said = set.and_then(|set| set.ra.as_ref());
            let link = LinkConfig {
                mac: interface.mac,
                mtu: self.interfaces.port(id).mtu,
                advertise: Advertise::parameters(said, is_access),
                if_addressed: said.is_none(),
                verify: set.is_none_or(|set| set.dad),
            };
            if let Err(what) = self.discovery.add_link(0, id, link) {
                let place = Place::key("interface").in_key(&self.names.name(id));
                problems.push(place.problem_in(&what.to_string()));
            }
        }
        problems
    }
}

fn neighbours(configuration: &Configuration) -> Limits {
    Limits {
        neighbours: configuration.limits.neighbours,
        ..Limits::default()
    }
}
