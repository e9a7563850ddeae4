//! How many flows there may be and how long they last: `filter.flows` of the configuration.
//!
//! Must refuse what cannot hold before anything is allocated.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// Most flows a table can be configured for.
pub const MOST_FLOWS: u32 = 1 << 24;
/// Shortest and longest timeout. The clock of flows has 32 bits of about a millisecond and must tell past from
/// future.
const TIMEOUT: [Duration; 2] = [Duration(1_000_000_000), Duration(864_000 * 1_000_000_000)];

/// Limits of the flow table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Most flows at a time, 1 to [`MOST_FLOWS`]; [`Flows::memory`](super::Flows::memory) says what they cost.
    #[serde(rename = "limit")]
    pub flows: u32,
    /// Most flows without an answer that the addresses of one /64 of a virtual network may have begun; 0: no limit.
    pub per_source: u32,
    /// How long flows last without packets.
    pub timeout: Timeouts,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            flows: 16_384,
            per_source: 0,
            timeout: Timeouts::default(),
        }
    }
}

/// How long flows last without packets, 1 s to 10 days each. The defaults are those of Linux' nf_conntrack, but for
/// `tcp_established`: there five days, here what RFC 5382 (REQ-5) asks for at least, 2 hours and 4 minutes, so that
/// connections with keep-alives live and the others do not fill a table that is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// TCP until the handshake is complete.
    pub tcp_new: Duration,
    /// TCP from then on.
    pub tcp_established: Duration,
    /// TCP after a FIN.
    pub tcp_closing: Duration,
    /// TCP after a RST.
    pub tcp_reset: Duration,
    /// UDP until the first sender has spoken again after an answer.
    pub udp: Duration,
    /// UDP from then on.
    pub udp_established: Duration,
    /// ICMPv6 echo.
    pub icmp_echo: Duration,
    /// All other protocols.
    pub other: Duration,
    /// From a packet's first fragment to its last (RFC 8200 4.5).
    pub fragment: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |seconds: u64| Duration(seconds * 1_000_000_000);
        Timeouts {
            tcp_new: seconds(120),
            tcp_established: seconds(7440),
            tcp_closing: seconds(120),
            tcp_reset: seconds(10),
            udp: seconds(30),
            udp_established: seconds(120),
            icmp_echo: seconds(30),
            other: seconds(600),
            fragment: seconds(60),
        }
    }
}

impl Limits {
    /// # Errors
    ///
    /// Which key is wrong, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if self.flows == 0 || self.flows > MOST_FLOWS {
            return Err(format!(
                "limit is {}; allowed: 1 to {MOST_FLOWS} flows",
                self.flows
            ));
        }
        let timeout = &self.timeout;
        let named = [
            ("tcp_new", timeout.tcp_new),
            ("tcp_established", timeout.tcp_established),
            ("tcp_closing", timeout.tcp_closing),
            ("tcp_reset", timeout.tcp_reset),
            ("udp", timeout.udp),
            ("udp_established", timeout.udp_established),
            ("icmp_echo", timeout.icmp_echo),
            ("other", timeout.other),
            ("fragment", timeout.fragment),
        ];
        let [shortest, longest] = TIMEOUT;
        match named
            .iter()
            .find(|(_, time)| *time < shortest || *time > longest)
        {
            Some((name, time)) => Err(format!(
                "timeout.{name} is {time}; allowed: {shortest} to {longest}"
            )),
            None => Ok(()),
        }
    }
}
