//! `interface.NAME.ra` of node.toml: whether and what the router advertises (RFC 4861 6.2.1).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv6Addr;

use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::icmp::{MINIMUM_MTU, is_multicast};
use crate::units::Duration;

const SECOND: u64 = 1_000_000_000;
/// Most recursive DNS servers advertised.
pub const SERVERS: usize = 8;

/// `ra = false`, `ra = true` or `ra = { interval = "600s", ... }`; left out, access ports advertise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advertise {
    /// With what is usual, or not at all.
    Switch(bool),
    /// As it says.
    With(Parameters),
}

/// What is advertised; what is left out has the default of RFC 4861.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Longest time between advertisements, 4 s to 1800 s: `MaxRtrAdvInterval`. The shortest is a third of it.
    pub interval: Duration,
    /// How long the router is a default router: 0, or `interval` to 9000 s; three times `interval` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Duration>,
    /// How long hosts keep addresses of the prefixes: `AdvValidLifetime`.
    pub valid: Duration,
    /// How long hosts prefer them, `valid` at most: `AdvPreferredLifetime`.
    pub preferred: Duration,
    /// The MTU that hosts are told, 1280 to the interface's; the interface's if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// The hop limit that hosts begin with; 0: theirs.
    pub hop_limit: u8,
    /// Hosts get addresses by DHCPv6.
    pub managed: bool,
    /// Hosts get other things by DHCPv6.
    pub other: bool,
    /// Recursive DNS servers (RFC 8106), 8 at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rdnss: Vec<Ipv6Addr>,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            interval: Duration(600 * SECOND),
            lifetime: None,
            valid: Duration(30 * 86_400 * SECOND),
            preferred: Duration(7 * 86_400 * SECOND),
            mtu: None,
            hop_limit: 64,
            managed: false,
            other: false,
            rdnss: Vec::new(),
        }
    }
}

impl Parameters {
    /// Looks at the bounds, for an interface of this MTU.
    ///
    /// # Errors
    ///
    /// Which value is wrong, and what is allowed.
    pub fn check(&self, mtu: u16) -> Result<(), String> {
        let seconds = |name: &str, value: Duration, low: u64, high: u64| {
            let whole = value.0 / SECOND;
            if value.0.is_multiple_of(SECOND) && (low..=high).contains(&whole) {
                return Ok(());
            }
            Err(format!(
                "{name}: {value}; allowed: {low}s to {high}s, whole seconds"
            ))
        };
        seconds("interval", self.interval, 4, 1800)?;
        if let Some(lifetime) = self.lifetime.filter(|lifetime| lifetime.0 != 0) {
            seconds("lifetime", lifetime, self.interval.0 / SECOND, 9000)
                .map_err(|error| format!("{error}, or 0s: no default router"))?;
        }
        let forever = u64::from(u32::MAX);
        seconds("valid", self.valid, 1, forever)?;
        seconds("preferred", self.preferred, 0, self.valid.0 / SECOND)?;
        if let Some(advertised) = self.mtu
            && !(MINIMUM_MTU..=usize::from(mtu)).contains(&usize::from(advertised))
        {
            return Err(format!(
                "mtu: {advertised}; allowed: {MINIMUM_MTU} to the interface's {mtu}"
            ));
        }
        if self.rdnss.len() > SERVERS {
            let servers = self.rdnss.len();
            return Err(format!(
                "rdnss: {servers} servers; allowed: {SERVERS} at most"
            ));
        }
        let is_wrong = |server: &&Ipv6Addr| {
            let address = u128::from(**server);
            address <= 1 || is_multicast(address)
        };
        if let Some(server) = self.rdnss.iter().find(is_wrong) {
            return Err(format!("rdnss: {server}; allowed: unicast addresses"));
        }
        Ok(())
    }

    /// Seconds for which the router is a default router.
    pub(in crate::neighbour) fn lifetime_s(&self) -> u16 {
        let lifetime = self
            .lifetime
            .map_or(self.interval.0 * 3, |lifetime| lifetime.0);
        // At most 9000.
        (lifetime / SECOND).min(9000) as u16
    }
}

impl Advertise {
    /// What an interface advertises; `None`: nothing.
    pub fn parameters(this: Option<&Self>, is_access: bool) -> Option<Parameters> {
        match this {
            None => is_access.then(Parameters::default),
            Some(Advertise::Switch(on)) => on.then(Parameters::default),
            Some(Advertise::With(parameters)) => Some(parameters.clone()),
        }
    }
}

impl Serialize for Advertise {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Advertise::Switch(on) => to.serialize_bool(*on),
            Advertise::With(parameters) => parameters.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Advertise {
    /// By what is there, so that an error is about the key that is wrong.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Advertise;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("false, true or a table of what is advertised")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Advertise, E> {
                Ok(Advertise::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Advertise, A::Error> {
                Parameters::deserialize(MapAccessDeserializer::new(map)).map(Advertise::With)
            }
        }
        from.deserialize_any(Either)
    }
}
