//! How items and lists look in JSON, for the OpenAPI document alone: the types themselves are the guest library's,
//! which knows no such document. A test holds each against the type that it stands for.

#![expect(dead_code, reason = "shapes for the document, never made")]

use utoipa::ToSchema;

/// An address of an interface; its prefix is a route to the link.
#[derive(ToSchema)]
pub struct Address {
    /// Address and length of the prefix.
    #[schema(example = "2001:db8:1::1/64")]
    address: String,
    /// The interface: `west`, or `west.5` for virtual network 5 of a trunk.
    #[schema(example = "west")]
    dev: String,
}

/// What names an address.
#[derive(ToSchema)]
pub struct AddressName {
    /// The address; its length is not looked at.
    #[schema(example = "2001:db8:1::1/64")]
    address: String,
    /// The interface.
    #[schema(example = "west")]
    dev: String,
}

/// An address as it is listed.
#[derive(ToSchema)]
pub struct AddressEntry {
    /// Address and length of the prefix.
    address: String,
    /// The interface.
    dev: String,
    /// Its virtual network.
    #[schema(maximum = 31)]
    vn: u8,
    /// Where it is in its life (RFC 4862): `tentative`, `preferred` or `duplicated`.
    state: String,
}

/// A route.
#[derive(ToSchema)]
pub struct Route {
    /// Where to; `default` is `::/0`.
    #[schema(example = "2001:db8:9::/48")]
    prefix: String,
    /// The routing instance; if left out that of `dev`, or the lowest virtual network carried.
    #[schema(maximum = 31)]
    vn: Option<u8>,
    /// The next router; if left out, destinations are on the link of `dev`.
    #[schema(example = "2001:db8:2::9")]
    via: Option<String>,
    /// The interface; must be there where `via` is link-local or left out.
    #[schema(example = "east")]
    dev: Option<String>,
    /// `unicast` (if left out), `blackhole`, `unreachable` or `prohibit`.
    r#type: Option<String>,
}

/// What names a route.
#[derive(ToSchema)]
pub struct RouteName {
    /// Where to.
    #[schema(example = "2001:db8:9::/48")]
    prefix: String,
    /// The routing instance; the lowest virtual network carried, if left out.
    #[schema(maximum = 31)]
    vn: Option<u8>,
}

/// A route as it is listed.
#[derive(ToSchema)]
pub struct RouteEntry {
    /// Where to.
    prefix: String,
    /// The routing instance.
    #[schema(maximum = 31)]
    vn: u8,
    /// The next router.
    via: Option<String>,
    /// The interface.
    dev: Option<String>,
    /// Missing for `unicast`.
    r#type: Option<String>,
    /// Whom it comes from: `local` (an address of the router), `connected` (the prefix of one), `static`.
    origin: String,
}

/// Where a packet goes.
#[derive(ToSchema)]
pub struct Hop {
    /// The prefix of the route that it takes.
    prefix: String,
    /// The routing instance.
    #[schema(maximum = 31)]
    vn: u8,
    /// The next router.
    via: Option<String>,
    /// The interface.
    dev: Option<String>,
    /// Missing for `unicast`.
    r#type: Option<String>,
    /// Whom the route comes from.
    origin: String,
    /// The neighbour it is sent to, if it is sent.
    next_hop: Option<String>,
    /// That neighbour's MAC address, where it is known.
    lladdr: Option<String>,
    /// Octets of the largest packet that can go there.
    mtu: Option<u16>,
}

/// A neighbour whose MAC address is given, never asked for and never forgotten.
#[derive(ToSchema)]
pub struct Neighbour {
    /// Its address, unicast.
    #[schema(example = "2001:db8:2::9")]
    address: String,
    /// Its MAC address.
    #[schema(example = "02:00:00:00:00:09")]
    lladdr: String,
    /// The interface.
    #[schema(example = "east")]
    dev: String,
}

/// What names a neighbour.
#[derive(ToSchema)]
pub struct NeighbourName {
    /// Its address.
    #[schema(example = "2001:db8:2::9")]
    address: String,
    /// The interface.
    #[schema(example = "east")]
    dev: String,
}

/// A neighbour as it is listed.
#[derive(ToSchema)]
pub struct NeighbourEntry {
    /// Its address.
    address: String,
    /// The interface.
    dev: String,
    /// Its virtual network.
    #[schema(maximum = 31)]
    vn: u8,
    /// Its MAC address, where it is known.
    lladdr: Option<String>,
    /// What is known of its reachability (RFC 4861 7.3.2): `incomplete`, `reachable`, `stale`, `delay`, `probe`;
    /// `failed`: it did not answer; `permanent`: it was given.
    state: String,
    /// Whether it says that it is a router.
    router: bool,
    /// How long it has been in that state, nanoseconds.
    #[schema(example = 12_345_678_901u64)]
    age_ns: u64,
}

/// A prefix of a table that rules name.
#[derive(ToSchema)]
pub struct TablePrefix {
    /// Name of the table; it exists as long as it has prefixes or rules name it.
    #[schema(example = "bad-hosts")]
    table: String,
    /// The prefix.
    #[schema(example = "2001:db8:bad::/48")]
    prefix: String,
}

/// A table as it is listed.
#[derive(ToSchema)]
pub struct Table {
    /// Its name.
    table: String,
    /// Prefixes in it.
    prefixes: u64,
}

/// A policer. Rates and bursts count octets of IPv6 packets.
#[derive(ToSchema)]
pub struct Policer {
    /// Its name.
    #[schema(example = "gold")]
    name: String,
    /// `srtcm` (RFC 2697: cir, cbs, ebs) or `trtcm` (RFC 2698: cir, cbs, pir, pbs).
    #[schema(example = "srtcm")]
    meter: String,
    /// Committed information rate.
    #[schema(example = "10Mbps")]
    cir: String,
    /// Committed burst size.
    #[schema(example = "64KiB")]
    cbs: String,
    /// Excess burst size; srTCM only.
    #[schema(example = "64KiB")]
    ebs: Option<String>,
    /// Peak information rate; trTCM only.
    pir: Option<String>,
    /// Peak burst size; trTCM only.
    pbs: Option<String>,
    /// A packet's drop precedence is the colour it comes with.
    aware: Option<bool>,
    /// What becomes of green packets: `"pass"` (if left out), `"precedence"`, `"drop"` or `{"dscp": "AF11"}`.
    #[schema(value_type = Option<Object>)]
    green: Option<()>,
    /// Of yellow ones; `"precedence"` if left out.
    #[schema(value_type = Option<Object>)]
    yellow: Option<()>,
    /// Of red ones; `"drop"` if left out.
    #[schema(value_type = Option<Object>)]
    red: Option<()>,
}

/// What names a policer.
#[derive(ToSchema)]
pub struct PolicerName {
    /// Its name.
    #[schema(example = "gold")]
    name: String,
}

/// A policer as it is listed: itself, and its counters.
#[derive(ToSchema)]
pub struct PolicerEntry {
    /// The policer.
    #[schema(inline)]
    #[serde(flatten)]
    policer: Policer,
    /// Packets that were green.
    green_count: Count,
    /// Packets that were yellow.
    yellow_count: Count,
    /// Packets that were red.
    red_count: Count,
}

/// Packets and their octets (IPv6 header and payload).
#[derive(ToSchema)]
pub struct Count {
    /// Packets.
    packets: u64,
    /// Octets.
    octets: u64,
}

/// What a rule wants of a packet: all of it; what is left out matches all.
#[derive(ToSchema)]
pub struct Match {
    /// The virtual network.
    #[schema(maximum = 31)]
    vn: Option<u8>,
    /// The interface it came in on.
    dev: Option<String>,
    /// Whether it is for the router itself, or forwarded.
    local: Option<bool>,
    /// Source addresses: a prefix, or `table:NAME`.
    #[schema(example = "table:bad-hosts")]
    from: Option<String>,
    /// Destination addresses.
    to: Option<String>,
    /// Upper-layer protocol, by name or number.
    #[schema(example = "tcp")]
    protocol: Option<String>,
    /// Source ports: `80`, `1024-65535`.
    sport: Option<String>,
    /// Destination ports.
    #[schema(example = "80")]
    dport: Option<String>,
    /// ICMPv6 types, 0 to 255.
    r#type: Option<String>,
    /// The DSCP that it came with, by name or number.
    dscp: Option<String>,
    /// Whether it is a fragment behind the first.
    fragment: Option<bool>,
}

/// A rule of the classifier: the first that matches is taken.
#[derive(ToSchema)]
pub struct Class {
    /// Its place among the rules and its name; behind all others, if left out.
    priority: Option<u32>,
    /// What it matches.
    r#match: Option<Match>,
    /// The DSCP that packets get; theirs, if left out.
    #[schema(example = "EF")]
    dscp: Option<String>,
    /// The policer they pass, after that.
    policer: Option<String>,
}

/// A rule of the classifier as it is listed.
#[derive(ToSchema)]
pub struct ClassEntry {
    /// The rule.
    #[schema(inline)]
    #[serde(flatten)]
    rule: Class,
    /// Packets it was the first to match.
    count: Count,
}

/// A filter rule: the first that matches decides; a packet that none matches passes.
#[derive(ToSchema)]
pub struct Filter {
    /// Its place among the rules and its name; behind all others, if left out.
    priority: Option<u32>,
    /// What it matches.
    r#match: Option<Match>,
    /// `accept`, `drop`, `reject` or `track`.
    #[schema(example = "drop")]
    action: String,
}

/// A filter rule as it is listed.
#[derive(ToSchema)]
pub struct FilterEntry {
    /// The rule.
    #[schema(inline)]
    #[serde(flatten)]
    rule: Filter,
    /// Packets it was the first to match.
    count: Count,
}

/// What names a rule.
#[derive(ToSchema)]
pub struct RuleName {
    /// Its place among the rules.
    priority: u32,
}

/// An interface as it is listed.
#[derive(ToSchema)]
pub struct Interface {
    /// `west`, `west.5`.
    interface: String,
    /// Its virtual network.
    #[schema(maximum = 31)]
    vn: u8,
    /// Its MAC address.
    mac: String,
    /// Octets of the largest IPv6 packet.
    mtu: u16,
    /// Its addresses, the link-local one first.
    addresses: Vec<String>,
    /// Whether it advertises itself as a router.
    advertises: bool,
    /// Received.
    received: Count,
    /// Sent.
    sent: Count,
}

/// A flow that is let pass.
#[derive(ToSchema)]
pub struct Flow {
    /// Its virtual network.
    #[schema(maximum = 31)]
    vn: u8,
    /// Who sent its first packet.
    from: String,
    /// To whom.
    to: String,
    /// Upper-layer protocol.
    protocol: String,
    /// Source port of the first packet, or ICMPv6 identifier.
    sport: u16,
    /// Its destination port.
    dport: u16,
    /// New, established, closing.
    state: String,
    /// Packets of the direction of the first, and of the other.
    packets: [u64; 2],
    /// It is forgotten after this time without packets.
    #[schema(example = "30s")]
    expires: String,
}

/// A counter.
#[derive(ToSchema)]
pub struct Counter {
    /// Its name, such as `forwarded`, `dropped.hop_limit`, `class.ef`.
    counter: String,
    /// Packets.
    packets: u64,
    /// Octets.
    octets: u64,
}
