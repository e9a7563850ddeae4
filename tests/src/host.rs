//! An ordinary IPv6 host: Linux's own stack in a namespace, its `eth0` on a cable to a router's port. It configures
//! itself from what the router advertises.

use std::net::Ipv6Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::namespace::Namespace;
use crate::poll::until;

/// Deadline for a host's configuration: duplicate address detection alone takes seconds (RFC 4862 5.4).
const CONFIGURED: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug)]
pub struct Host {
    /// Its namespace.
    pub namespace: Namespace,
    number: u8,
}

impl Host {
    /// Lays a cable from `near` in `lab` to a new host, which is silent until [`Self::switch_on`]. Its MAC address
    /// ends with `number`. Offloads are off: frames are as on a wire.
    ///
    /// # Errors
    /// `ip` or `ethtool` failed.
    pub fn plug(lab: &Namespace, near: &str, number: u8) -> Result<Self> {
        let namespace = Namespace::new()?;
        lab.ip(&[
            "link",
            "add",
            near,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "address",
            &format!("02:00:00:00:00:{number:02x}"),
            "netns",
            namespace.name(),
        ])?;
        let host = Self { namespace, number };
        lab.set(near, "disable_ipv6", "1")?;
        host.set("disable_ipv6", "1")?;
        lab.offloads_off(near)?;
        host.namespace.offloads_off("eth0")?;
        lab.ip(&["link", "set", near, "up"])?;
        host.namespace.ip(&["link", "set", "eth0", "up"])?;
        Ok(host)
    }

    /// Sets a key of `net.ipv6.conf.eth0`.
    ///
    /// # Errors
    /// The kernel has no such key or refuses the value.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        self.namespace.set("eth0", key, value)
    }

    /// Lets its stack begin: it solicits routers at once, and each second. Without `dad` it takes its addresses without
    /// asking whether somebody has them, which saves seconds.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn switch_on(&self, dad: bool) -> Result<()> {
        self.set("accept_dad", if dad { "1" } else { "0" })?;
        self.set("router_solicitation_delay", "0")?;
        self.set("router_solicitation_interval", "1")?;
        self.set("disable_ipv6", "0")
    }

    /// The address that it makes itself in `prefix`, which ends with `::` (RFC 4291 appendix A).
    #[must_use]
    pub fn address_in(&self, prefix: &str) -> String {
        let text = format!("{prefix}ff:fe00:{:x}", self.number);
        // As Linux writes it (RFC 5952): `::` may stand for a single group in `prefix`.
        text.parse::<Ipv6Addr>()
            .map_or(text, |address| address.to_string())
    }

    /// Waits until its address in `prefix` can be used and there is a default route.
    ///
    /// # Errors
    /// Not within 20 s.
    pub fn wait_configured(&self, prefix: &str) -> Result<()> {
        let wanted = self.address_in(prefix);
        until(
            &format!("a host with the address {wanted} and a default route"),
            CONFIGURED,
            || {
                let shown = self.shown().map_err(|e| format!("{e:#}"))?;
                let usable = shown.addresses.iter().any(|address| {
                    address["local"] == wanted.as_str() && address["tentative"].is_null()
                });
                if usable && shown.default_route.is_some() {
                    Ok(())
                } else {
                    Err(format!("{shown:?}"))
                }
            },
        )
    }

    /// What `ip` shows of it.
    ///
    /// # Errors
    /// `ip` failed or printed something else than its JSON.
    pub fn shown(&self) -> Result<Shown> {
        let links: Value = self.json(&["address", "show", "dev", "eth0"])?;
        let routes: Value = self.json(&["route", "show", "default"])?;
        Ok(Shown {
            addresses: links[0]["addr_info"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            default_route: routes.get(0).cloned(),
        })
    }

    /// The route to `target` as the host has it, with what it learned on the way (`ip route get`).
    ///
    /// # Errors
    /// There is none.
    pub fn route_to(&self, target: &str) -> Result<Value> {
        let routes = self.json(&["route", "get", target])?;
        routes.get(0).cloned().context("ip route get showed none")
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let all = [&["-6", "-j"], arguments].concat();
        let printed = self.namespace.ip(&all)?;
        serde_json::from_str(&printed).with_context(|| format!("ip {arguments:?}: {printed}"))
    }
}

/// See [`Host::shown`].
#[derive(Debug)]
pub struct Shown {
    /// Addresses of `eth0`.
    pub addresses: Vec<Value>,
    /// The default route.
    pub default_route: Option<Value>,
}
