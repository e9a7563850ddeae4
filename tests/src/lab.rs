//! The standing test bed: one namespace, two veth pairs, a node between them, raw sockets on the far ends.

use anyhow::Result;

use crate::PacketSocket;
use crate::config::NodeToml;
use crate::namespace::Namespace;
use crate::node::Node;

/// MTU of the cables: more than a port's, so that frames too long for the port can be sent.
const CABLE_MTU: u32 = 1700;
/// The node's ends and the far ends.
const CABLES: [(&str, &str); 2] = [("near-w", "far-w"), ("near-e", "far-e")];

/// See the module. Fields are dropped in order: the node goes before its interfaces.
#[derive(Debug)]
pub struct Lab {
    /// The node, ready.
    pub node: Node,
    /// Where everything is.
    pub namespace: Namespace,
}

impl Lab {
    /// Builds the bed and starts a node with `builtin:patch` for three PIs; `driver` is the backend's name: `af_xdp` or
    /// `af_packet`.
    ///
    /// # Errors
    /// The interfaces cannot be made or the node does not get ready.
    pub fn start(isolation: &'static str, driver: &str) -> Result<Self> {
        Self::start_with(isolation, driver, |_| ())
    }

    /// Like [`Self::start`], with a configuration changed by `change`.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(
        isolation: &'static str,
        driver: &str,
        change: impl FnOnce(&mut NodeToml),
    ) -> Result<Self> {
        let namespace = Namespace::new()?;
        for (near, far) in CABLES {
            namespace.veth(near, far, CABLE_MTU)?;
        }
        let [west, east] = CABLES.map(|(near, _)| format!("{driver}:{near}"));
        let mut config = NodeToml::patch(isolation, west, east);
        change(&mut config);
        let node = Node::start(&config.text(), Some(&namespace))?;
        Ok(Self { node, namespace })
    }

    /// A raw socket on the far end of `west`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn west(&self) -> Result<PacketSocket> {
        self.namespace.packet_socket(CABLES[0].1)
    }

    /// A raw socket on the far end of `east`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn east(&self) -> Result<PacketSocket> {
        self.namespace.packet_socket(CABLES[1].1)
    }
}
