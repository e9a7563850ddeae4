//! What became of packets, counted by virtual network.
//!
//! Of packets that came in: received = forwarded + delivered + waiting for a neighbour + dropped, by cause, exactly.
//! Of packets that the router made: originated = sent + waiting + lost, exactly. A packet that an error is sent about
//! is dropped, the error is originated; a request that is answered is delivered, the answer is originated.

use alloc::vec::Vec;

use crate::control::view::Count;
use crate::vn::{VNS, Vn};

macro_rules! causes {
    ($($(#[$doc:meta])* $cause:ident = $name:literal,)*) => {
        /// Why a packet that came in was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Cause {
            $($(#[$doc])* $cause,)*
        }

        impl Cause {
            /// All of them, in order.
            pub const ALL: &'static [Cause] = &[$(Cause::$cause,)*];

            /// What its counter is called.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Cause::$cause => $name,)*
                }
            }
        }
    };
}

causes! {
    /// Too short for an IPv6 header, or than its header says.
    Truncated = "truncated",
    /// Another EtherType or PI.
    Foreign = "foreign",
    /// No IPv6.
    Version = "version",
    /// Its vif does not carry that virtual network.
    UnknownVn = "unknown_vn",
    /// For another station.
    OtherStation = "other_station",
    /// From a source that no packet has: a group, the loopback address, or none where one is needed.
    Source = "source",
    /// To the loopback address or the unspecified one.
    Destination = "destination",
    /// Link-local, and not for this router (RFC 4291 2.5.6).
    Scope = "scope",
    /// To a group the router is not in.
    Group = "group",
    /// No route.
    NoRoute = "no_route",
    /// A route of type blackhole.
    Blackhole = "blackhole",
    /// A route of type unreachable.
    Unreachable = "unreachable",
    /// A route of type prohibit.
    Prohibit = "prohibit",
    /// What was changed of an earlier guest at run time, such as rules of the filter, is not all told again yet.
    Replay = "replay",
    /// A rule of the filter.
    Filter = "filter",
    /// A rule of the filter tracks its flow, and there is no room for another.
    FlowsFull = "flows_full",
    /// Hop limit.
    HopLimit = "hop_limit",
    /// Larger than the link it was to leave by carries.
    TooBig = "too_big",
    /// A policer.
    Policer = "policer",
    /// Its neighbour did not answer.
    NeighbourFailed = "neighbour_failed",
    /// Too many packets wait for its neighbour.
    NeighbourQueue = "neighbour_queue",
    /// Too many neighbours are asked for, or its neighbour was forgotten.
    NeighbourRefused = "neighbour_refused",
    /// For an address of the router that is not verified yet, or is another's.
    NotAssigned = "not_assigned",
    /// For the router, which has no such protocol or port.
    Port = "port",
    /// For the router: a header or option that it does not know, or a broken chain of them.
    Headers = "headers",
    /// For the router: a fragment that fits no packet, or is of one that was given up; or a message that must not come
    /// in fragments.
    Fragment = "fragment",
    /// For the router: an ICMPv6 message that its protocol does not allow.
    Malformed = "malformed",
}

/// Causes there are.
pub const CAUSES: usize = Cause::ALL.len();

/// What became of packets of one virtual network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fates {
    /// Came in.
    pub received: Count,
    /// Went on.
    pub forwarded: Count,
    /// Were for the router, and looked at.
    pub delivered: Count,
    /// Wait for a neighbour.
    pub held: u64,
    /// Were dropped, by cause.
    pub dropped: [Count; CAUSES],
    /// Were made by the router.
    pub originated: u64,
    /// Of those, sent.
    pub sent: u64,
    /// Of those, wait for a neighbour.
    pub own_held: u64,
    /// Of those, lost: no route, no neighbour, too big.
    pub lost: u64,
    /// Redirects that it had no buffer for.
    pub unsaid: u64,
    /// Errors that were not sent: there were too many.
    pub limited: u64,
    /// Packets for the router that were put together from fragments.
    pub reassembled: u64,
    /// Those of which not all fragments came in time.
    pub expired: u64,
}

/// The counters of all virtual networks.
#[derive(Debug)]
pub struct Counters(Vec<Fates>);

impl Default for Counters {
    fn default() -> Self {
        Counters(alloc::vec![Fates::default(); VNS])
    }
}

impl Counters {
    /// Those of a virtual network.
    #[inline]
    pub fn of(&mut self, vn: Vn) -> &mut Fates {
        // There are 32, as many as there are of `Vn`.
        &mut self.0[vn.index()]
    }

    /// Those of a virtual network, to be read.
    pub fn get(&self, vn: Vn) -> &Fates {
        &self.0[vn.index()]
    }

    /// A packet was dropped.
    #[inline]
    pub fn drop(&mut self, vn: Vn, cause: Cause, octets: u16) {
        if let Some(count) = self.of(vn).dropped.get_mut(cause as usize) {
            count.add(octets);
        }
    }
}
