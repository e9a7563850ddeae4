//! Lists as people read them, in the habits of iproute2.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::control::item::{ColourAction, Policer, Route, RouteKind};
use pinode_guest_ipv6qos::control::item::{FilterAction, Meter, TableEntry};
use pinode_guest_ipv6qos::control::matching::Match;
use pinode_guest_ipv6qos::control::view::{
    AddressState, AddressView, ClassView, Count, CounterView, FilterView, FlowView, Hop,
    InterfaceView, NeighbourView, Origin, PolicerView, Reachability, RouteView, TableView,
};

/// A list as text: a line or a few for each entry.
pub(super) trait Shown {
    /// Writes it. `before`: the entry before it.
    fn show(&self, before: Option<&Self>, out: &mut String);
}

/// All entries.
pub(super) fn text<E: Shown>(entries: &[E]) -> String {
    let mut out = String::new();
    let mut before = None;
    for entry in entries {
        entry.show(before, &mut out);
        before = Some(entry);
    }
    out
}

/// Writes a line; writing to a string does not fail.
macro_rules! line {
    ($out:expr, $($part:tt)*) => {{
        let _ = writeln!($out, $($part)*);
    }};
}

fn scope(address: u128) -> &'static str {
    if Ipv6Addr::from(address).is_unicast_link_local() {
        "link"
    } else {
        "global"
    }
}

impl Shown for AddressView {
    fn show(&self, before: Option<&Self>, out: &mut String) {
        if before.is_none_or(|before| before.dev != self.dev) {
            line!(out, "{}: vn {}", self.dev, self.vn);
        }
        let state = match self.state {
            AddressState::Preferred => "",
            AddressState::Tentative => " tentative",
            AddressState::Duplicated => " dadfailed",
        };
        let scope = scope(self.address.address);
        line!(out, "    inet6 {} scope {scope}{state}", self.address);
    }
}

impl Shown for InterfaceView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        let advertises = if self.advertises { " advertising" } else { "" };
        line!(
            out,
            "{}: vn {} mtu {}{advertises}",
            self.interface,
            self.vn,
            self.mtu
        );
        line!(out, "    link/ether {}", self.mac);
        for (name, Count { packets, octets }) in [("RX", self.received), ("TX", self.sent)] {
            line!(out, "    {name}: {packets} packets {octets} octets");
        }
    }
}

/// A route without where it comes from.
fn route(route: &Route) -> String {
    let mut text = match route.kind {
        RouteKind::Unicast => String::new(),
        RouteKind::Blackhole => "blackhole ".to_owned(),
        RouteKind::Unreachable => "unreachable ".to_owned(),
        RouteKind::Prohibit => "prohibit ".to_owned(),
    };
    match route.prefix.to_string().as_str() {
        "::/0" => text.push_str("default"),
        host if host.ends_with("/128") => text.push_str(host.trim_end_matches("/128")),
        prefix => text.push_str(prefix),
    }
    let _ = route.via.map_or(Ok(()), |via| write!(text, " via {via}"));
    let dev = route.dev.as_deref();
    let _ = dev.map_or(Ok(()), |dev| write!(text, " dev {dev}"));
    let _ = route.vn.map_or(Ok(()), |vn| write!(text, " vn {vn}"));
    text
}

fn proto(origin: Origin) -> &'static str {
    match origin {
        Origin::Local => "local",
        Origin::Connected => "connected",
        Origin::Static => "static",
    }
}

impl Shown for RouteView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        line!(out, "{} proto {}", route(&self.route), proto(self.origin));
    }
}

impl Shown for Hop {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        let mut text = format!(
            "{} proto {}",
            route(&self.route.route),
            proto(self.route.origin)
        );
        let hop = self.next_hop;
        let _ = hop.map_or(Ok(()), |hop| write!(text, " nexthop {hop}"));
        let _ = self
            .lladdr
            .map_or(Ok(()), |mac| write!(text, " lladdr {mac}"));
        let _ = self.mtu.map_or(Ok(()), |mtu| write!(text, " mtu {mtu}"));
        line!(out, "{text}");
    }
}

impl Shown for NeighbourView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        let lladdr = self
            .lladdr
            .map_or_else(String::new, |mac| format!(" lladdr {mac}"));
        let router = if self.router { " router" } else { "" };
        let state = match self.state {
            Reachability::Incomplete => "INCOMPLETE",
            Reachability::Reachable => "REACHABLE",
            Reachability::Stale => "STALE",
            Reachability::Delay => "DELAY",
            Reachability::Probe => "PROBE",
            Reachability::Failed => "FAILED",
            Reachability::Permanent => "PERMANENT",
        };
        let Self {
            address,
            dev,
            age_ns,
            ..
        } = self;
        let (seconds, ms) = (age_ns / 1_000_000_000, age_ns / 1_000_000 % 1000);
        line!(
            out,
            "{address} dev {dev}{lladdr}{router} {state} {seconds}.{ms:03}s"
        );
    }
}

impl Shown for TableView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        line!(out, "{} {} prefixes", self.table, self.prefixes);
    }
}

impl Shown for TableEntry {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        line!(out, "{} {}", self.table, self.prefix);
    }
}

fn colour(action: ColourAction) -> String {
    match action {
        ColourAction::Pass => "pass".to_owned(),
        ColourAction::Precedence => "precedence".to_owned(),
        ColourAction::Drop => "drop".to_owned(),
        ColourAction::Dscp(dscp) => dscp.to_string(),
    }
}

/// As it is written on the command line.
pub(super) fn policer(policer: &Policer) -> String {
    let meter = match policer.meter {
        Meter::Srtcm => "srtcm",
        Meter::Trtcm => "trtcm",
    };
    let mut text = format!(
        "{} {meter} cir {} cbs {}",
        policer.name, policer.cir, policer.cbs
    );
    let _ = policer.ebs.map_or(Ok(()), |ebs| write!(text, " ebs {ebs}"));
    let _ = policer.pir.map_or(Ok(()), |pir| write!(text, " pir {pir}"));
    let _ = policer.pbs.map_or(Ok(()), |pbs| write!(text, " pbs {pbs}"));
    text.push_str(if policer.aware { " aware" } else { "" });
    let _ = write!(
        text,
        " green {} yellow {} red {}",
        colour(policer.green),
        colour(policer.yellow),
        colour(policer.red)
    );
    text
}

impl Shown for PolicerView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        line!(out, "{}", policer(&self.policer));
        for (name, count) in [
            ("green", self.green_count),
            ("yellow", self.yellow_count),
            ("red", self.red_count),
        ] {
            line!(
                out,
                "    {name}: {} packets {} octets",
                count.packets,
                count.octets
            );
        }
    }
}

/// What a rule matches, as it is written on the command line.
pub(super) fn matches(of: &Match) -> String {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let words = [
        ("vn", of.vn.map(|vn| vn.to_string())),
        ("dev", of.dev.clone()),
        ("local", of.local.map(yes)),
        ("from", of.from.as_ref().map(ToString::to_string)),
        ("to", of.to.as_ref().map(ToString::to_string)),
        ("proto", of.protocol.map(|protocol| protocol.to_string())),
        ("sport", of.sport.map(|range| range.to_string())),
        ("dport", of.dport.map(|range| range.to_string())),
        ("type", of.icmp_type.map(|range| range.to_string())),
        ("dscp", of.dscp.map(|dscp| dscp.to_string())),
        ("fragment", of.fragment.map(yes)),
    ];
    let words = words
        .into_iter()
        .filter_map(|(word, value)| Some(format!(" {word} {}", value?)));
    words.collect()
}

fn prio(priority: Option<u32>) -> String {
    priority.map_or_else(
        || "prio -".to_owned(),
        |priority| format!("prio {priority}"),
    )
}

impl Shown for ClassView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        let rule = &self.rule;
        let mark = rule
            .dscp
            .map_or_else(String::new, |dscp| format!(" mark {dscp}"));
        let policer = rule
            .policer
            .as_ref()
            .map_or_else(String::new, |name| format!(" policer {name}"));
        line!(
            out,
            "{}{}{mark}{policer}",
            prio(rule.priority),
            matches(&rule.matches)
        );
        line!(
            out,
            "    {} packets {} octets",
            self.count.packets,
            self.count.octets
        );
    }
}

/// The word of an action.
pub(super) fn action(action: FilterAction) -> &'static str {
    match action {
        FilterAction::Accept => "accept",
        FilterAction::Drop => "drop",
        FilterAction::Reject => "reject",
        FilterAction::Track => "track",
    }
}

impl Shown for FilterView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        let rule = &self.rule;
        line!(
            out,
            "{}{} {}",
            prio(rule.priority),
            matches(&rule.matches),
            action(rule.action)
        );
        line!(
            out,
            "    {} packets {} octets",
            self.count.packets,
            self.count.octets
        );
    }
}

impl Shown for FlowView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        let Self {
            vn,
            from,
            to,
            protocol,
            sport,
            dport,
            state,
            packets: [there, back],
            expires,
        } = self;
        line!(
            out,
            "{protocol} [{from}]:{sport} > [{to}]:{dport} vn {vn} {state} packets {there}/{back} expires {expires}"
        );
    }
}

impl Shown for CounterView {
    fn show(&self, _: Option<&Self>, out: &mut String) {
        line!(
            out,
            "{:<40} {:>15} {:>18}",
            self.counter,
            self.count.packets,
            self.count.octets
        );
    }
}
