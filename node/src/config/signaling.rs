//! `[pi.NAME.signaling]`: the signalling daemon of a PI DSS: on which ports it speaks to neighbours, and where
//! addresses are reached.

use pinode_guest_dss::Switch;
use pinode_signaling::Prefix;
use pinode_signaling::daemon::{
    CALLS, Configuration, LabelRange, PortConfiguration, RouteConfiguration,
};

use super::level2::Level2Config;
use super::node::{GuestImage, NodeConfig, PortConfig, PortMode};
use super::permanent;
use super::reader::{Item, Section};
use super::unit::Nanoseconds;
use crate::dss::{self, Permanent, PermanentEnds};

/// Routes of a node: what one packet to the daemon holds.
const ROUTES: usize = 1024;
/// What a guest that shares a core may be away for, and a worker.
const JITTER_NS: u64 = 5_000_000;

/// What is configured of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalingConfig {
    /// Ports with a neighbour; none: all that the PI has gates at.
    pub ports: Option<Vec<String>>,
    /// Static routes.
    pub routes: Vec<RouteConfig>,
    /// Most calls at once.
    pub calls: usize,
    /// By how much frames may be held up before the node looks at them, nanoseconds: as much earlier than it should a
    /// frame behind them may come.
    pub jitter_ns: u64,
    /// Permanent ends of connections.
    pub permanents: Vec<Permanent>,
}

/// A static route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConfig {
    /// The addresses.
    pub prefix: Prefix,
    /// Where they are reached.
    pub port: String,
}

pub(super) fn read(mut section: Section<'_, '_>) -> Option<SignalingConfig> {
    let ports = match section.optional("ports") {
        Some(item) => names(&item).map(Some),
        None => Some(None),
    };
    let routes = match section.optional("route") {
        Some(item) => routes(&item),
        None => Some(Vec::new()),
    };
    let calls = match section.optional("calls") {
        Some(item) => item
            .integer(1..=1 << 20)
            .and_then(|n| usize::try_from(n).ok()),
        None => Some(CALLS),
    };
    let jitter = match section.optional("jitter") {
        Some(item) => item.parsed::<Nanoseconds>().map(|jitter| jitter.0),
        None => Some(JITTER_NS),
    };
    let permanents = match section.optional("permanent") {
        Some(item) => permanent::read(&item),
        None => Some(Vec::new()),
    };
    section.finish();
    Some(SignalingConfig {
        permanents: permanents?,
        ports: ports?,
        routes: routes?,
        calls: calls?,
        jitter_ns: jitter?,
    })
}

fn names(item: &Item<'_, '_>) -> Option<Vec<String>> {
    let elements = item.elements()?;
    let names = elements.iter().map(|element| element.str());
    names.map(|name| name.map(str::to_owned)).collect()
}

fn routes(item: &Item<'_, '_>) -> Option<Vec<RouteConfig>> {
    let read = |element: Item<'_, '_>| {
        let mut section = element.section()?;
        let prefix = section.required("prefix", "a prefix, such as \"47.0005.80/24\"");
        let prefix = prefix.and_then(|item| item.parsed());
        let port = section.required("port", "the name of a port");
        let port = port.and_then(|item| item.str().map(str::to_owned));
        section.finish();
        Some(RouteConfig {
            prefix: prefix?,
            port: port?,
        })
    };
    // All of them, so that each one's mistakes are told.
    let all: Vec<_> = item.elements()?.into_iter().map(read).collect();
    all.into_iter().collect()
}

/// Whether a connection of this PI could leave by the port.
pub(super) fn carries(config: &NodeConfig, slot: usize, port: &PortConfig) -> bool {
    let own = u8::try_from(slot).ok();
    let vns = config.pis.get(slot).map(|pi| pi.vns);
    port.phases
        .iter()
        .any(|phase| phase.owner.is_some() && phase.owner == own)
        && match port.mode {
            PortMode::Trunk => true,
            PortMode::Access { slot: of, vn, .. } => {
                usize::from(of) == slot && vns.is_some_and(|vns| vns.contains(vn))
            }
        }
}

/// Labels of connections of the file that leave by `port`, in as few ranges as may be: the daemon gives them to nobody.
fn labels(level2: &Level2Config, port: &str) -> Vec<LabelRange> {
    let mut all: Vec<(u8, u32)> = level2
        .streams(port)
        .map(|stream| (stream.vn.get(), stream.label))
        .collect();
    all.sort_unstable();
    let mut ranges: Vec<LabelRange> = Vec::new();
    for (vn, label) in all {
        match ranges.last_mut() {
            Some(range) if range.vn == vn && range.last + 1 == label => range.last = label,
            _ => ranges.push(LabelRange {
                vn,
                first: label,
                last: label,
            }),
        }
    }
    ranges
}

/// What the daemon of the PI in `slot` is told; none: it has none.
#[must_use]
pub fn of(config: &NodeConfig, slot: usize) -> Option<Configuration> {
    let pi = config.pis.get(slot)?;
    let signaling = pi.signaling.as_ref()?;
    let named = |port: &PortConfig| match &signaling.ports {
        Some(names) => names.contains(&port.name),
        None => carries(config, slot, port),
    };
    let number = |name: &str| config.ports.iter().position(|port| port.name == name);
    let ports = config.ports.iter().enumerate();
    Some(Configuration {
        ports: ports
            .filter(|(_, port)| named(port))
            .filter_map(|(index, port)| {
                Some(PortConfiguration {
                    number: u16::try_from(index).ok()?,
                    name: port.name.clone(),
                    edge: matches!(port.mode, PortMode::Access { .. }),
                    vn: match port.mode {
                        PortMode::Access { vn, .. } => Some(vn.get()),
                        PortMode::Trunk => None,
                    },
                    labels: labels(&pi.level2, &port.name),
                })
            })
            .collect(),
        vns: pi.vns.iter().map(|vn| vn.get()).collect(),
        routes: signaling
            .routes
            .iter()
            .filter_map(|route| {
                let port = u16::try_from(number(&route.port)?).ok()?;
                let prefix = route.prefix;
                Some(RouteConfiguration { prefix, port })
            })
            .collect(),
        host: None,
        switch: true,
        calls: signaling.calls,
        ..Configuration::default()
    })
}

/// What only the whole node shows: a switch that takes its configuration and can be told, ports that there are.
pub(super) fn check(config: &NodeConfig, pis: &Item<'_, '_>) {
    for (slot, pi) in config.pis.iter().enumerate() {
        let is_switch = matches!(&pi.guest, GuestImage::Builtin(name) if name == dss::GUEST);
        if is_switch && let Err(error) = Switch::check(&config.guest_config(pi, 0)) {
            pis.problem_below(&[&pi.name, "config"], error.to_string());
        }
        let Some(signaling) = &pi.signaling else {
            continue;
        };
        let problem = |key: &[&str], what: String| {
            let path = [&[pi.name.as_str(), "signaling"], key].concat();
            pis.problem_below(&path, what);
        };
        if !is_switch {
            let what = format!(
                "is for guest = \"builtin:{}\", which can be told where frames go; this one is {}",
                dss::GUEST,
                pi.guest
            );
            problem(&[], what);
        }
        if !matches!(pi.level2, Level2Config::Streams(_)) {
            let what = format!(
                "needs level2.discipline = \"streams\", which gives connections their rates; this one is {:?}",
                pi.level2.name()
            );
            problem(&[], what);
        }
        let carrying: Vec<&str> = config
            .ports
            .iter()
            .filter(|port| carries(config, slot, port))
            .map(|port| port.name.as_str())
            .collect();
        let allowed = carrying.join(", ");
        for name in signaling.ports.iter().flatten() {
            if !carrying.contains(&name.as_str()) {
                let what =
                    format!("no connection of this PI leaves by port {name:?}; allowed: {allowed}");
                problem(&["ports"], what);
            }
        }
        if signaling.routes.len() > ROUTES {
            let what = format!("{} routes; allowed: {ROUTES}", signaling.routes.len());
            problem(&["route"], what);
        }
        let known = signaling.ports.as_ref();
        let mut are_known = true;
        for route in &signaling.routes {
            let is_known = known.is_none_or(|ports| ports.contains(&route.port));
            if !is_known || !carrying.contains(&route.port.as_str()) {
                let what = format!(
                    "{}: no neighbour is spoken to on port {:?}; allowed: {}",
                    route.prefix,
                    route.port,
                    known.map_or_else(|| allowed.clone(), |ports| ports.join(", "))
                );
                problem(&["route"], what);
                are_known = false;
            }
        }
        check_permanents(config, slot, &problem);
        // The daemon's own look at it: routes that are there twice, or lead to too many ports.
        let told = of(config, slot).filter(|_| are_known);
        for found in told
            .and_then(|told| told.check().err())
            .into_iter()
            .flatten()
        {
            problem(&[], found.to_string());
        }
    }
}

/// Permanent ends are where they can be, and no two of them at one place.
fn check_permanents(config: &NodeConfig, slot: usize, problem: &dyn Fn(&[&str], String)) {
    let Some(pi) = config.pis.get(slot) else {
        return;
    };
    let mut ends = PermanentEnds::new(sockets_of(config, slot));
    for permanent in pi.signaling.iter().flat_map(|own| &own.permanents) {
        let wrong = |what: String| problem(&["permanent"], format!("{}: {what}", permanent.name));
        match permanent::place_of(config, slot, permanent) {
            Ok(at) => {
                if let Err(what) = ends.add(permanent.clone(), at, true) {
                    wrong(what);
                }
            }
            Err((key, what)) => wrong(format!("{key}: {what}")),
        }
    }
}

/// Sockets that the guest in `slot` may have.
#[must_use]
pub fn sockets_of(config: &NodeConfig, slot: usize) -> u32 {
    let pi = config.pis.get(slot);
    let read = pi.map(|pi| pinode_guest_dss::Configuration::read(&config.guest_config(pi, 0)));
    // One that cannot be read is told of elsewhere.
    read.and_then(Result::ok).map_or(0, |own| own.sockets)
}
