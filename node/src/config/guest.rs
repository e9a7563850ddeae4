//! What a guest is configured with: the node's file as the guest is told it.
//!
//! The same for the check of a configuration and for the guest, so that what one takes the other does not refuse.

use pinode_classifier::Vn;
use pinode_guest_runtime::control::{Config, VifConfig};

use super::node::{NodeConfig, PiConfig, PihMode, PortMode};

/// Rounds without work after which a guest with a core of its own idles: about a millisecond of
/// looking, so that a frame within it finds the guest awake.
const ROUNDS_ON_OWN_CORE: u32 = 20_000;
/// A guest that shares its core lets go of it at once (docs/adr/0003-baton-read-from-the-rings.md).
const ROUNDS_ON_SHARED_CORE: u32 = 1;

impl NodeConfig {
    /// What the guest of `pi` is to be. `seed`: a number that nobody else knows.
    #[must_use]
    pub fn guest_config(&self, pi: &PiConfig, seed: u64) -> Config {
        let vifs = self.ports.iter().enumerate();
        let vifs = vifs.map(|(index, port)| VifConfig {
            name: port.name.clone(),
            mac: mac_text(self.vif_mac(pi, index)),
            mtu: port.largest_pdu(),
            access: match port.mode {
                PortMode::Trunk => None,
                PortMode::Access { vn, .. } => Some(vn.get()),
            },
        });
        let (code, ethertype) = match pi.pih {
            PihMode::Keep => (Some(pi.code.get()), self.ethertype),
            PihMode::Strip { ethertype } => (None, ethertype),
        };
        Config {
            function: pi.function().to_owned(),
            vifs: vifs.collect(),
            vns: pi.vns.iter().map(Vn::get).collect(),
            code,
            ethertype,
            seed,
            pi: pi.config.clone(),
            replay: false,
            idle_after_rounds: if self.guests_share_cores() {
                ROUNDS_ON_SHARED_CORE
            } else {
                ROUNDS_ON_OWN_CORE
            },
        }
    }

    /// The MAC address of a guest's vif: locally administered, the same at each start, and no other's: of this node
    /// ([`Identity`](super::Identity)), of the PI, of the port. Of two PIs with one code each has virtual networks of
    /// its own.
    #[must_use]
    pub fn vif_mac(&self, pi: &PiConfig, port: usize) -> [u8; 6] {
        let [a, b, c, d] = self.identity.octets();
        let vn = pi.vns.first().map_or(0, Vn::get);
        // There are 32 ports at most.
        let port = u8::try_from(port).unwrap_or(u8::MAX);
        [a, b, c, d, vn << 3 | pi.code.get(), port]
    }
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}
