//! A router between real interfaces: a node whose PI `ipv6qos` routes, described as a user would in node.toml.
//!
//! With `PINODE_TEST_ROUTER=linux` Linux routes in its place (and radvd advertises): what then fails is wrong with the
//! test or the machine, not with the node.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::background::Background;
use crate::namespace::Namespace;
use crate::node::Node;
use crate::poll::until;

/// Deadline for Linux as a router.
const READY: Duration = Duration::from_secs(10);

/// Whether Linux routes instead of a node.
#[must_use]
pub fn is_linux() -> bool {
    env::var("PINODE_TEST_ROUTER").is_ok_and(|router| router == "linux")
}

/// A port of the router.
#[derive(Clone, Debug)]
pub struct RouterPort {
    /// Its name.
    pub name: &'static str,
    /// The interface it has in the router's namespace.
    pub interface: String,
    /// The network of an access port; none: a trunk.
    pub access: Option<u8>,
    /// Octets of the largest IPv6 packet.
    pub mtu: u32,
    /// Interfaces of the router on it: virtual network, address with prefix length. None: the PI has none there.
    pub addresses: Vec<(u8, String)>,
    /// Last three octets of its MAC address 02:00:00:...
    pub mac: [u8; 3],
}

impl RouterPort {
    /// An access port with one address, for packets of 1500 octets.
    #[must_use]
    pub fn access(
        name: &'static str,
        interface: impl Into<String>,
        address: &str,
        mac: [u8; 3],
    ) -> Self {
        Self {
            name,
            interface: interface.into(),
            access: Some(0),
            mtu: 1500,
            addresses: vec![(0, address.into())],
            mac,
        }
    }

    /// MAC address of the router on it.
    #[must_use]
    pub fn mac(&self) -> String {
        let [a, b, c] = self.mac;
        format!("02:00:00:{a:02x}:{b:02x}:{c:02x}")
    }

    /// Link-local address of the router on it (RFC 4291 appendix A).
    #[must_use]
    pub fn link_local(&self) -> String {
        let [a, b, c] = self.mac;
        let tail = u16::from_be_bytes([b, c]);
        let address =
            std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x00ff, 0xfe00 | u16::from(a), tail);
        address.to_string()
    }
}

/// A route of the router.
#[derive(Clone, Debug)]
pub struct StaticRoute {
    /// Where to.
    pub prefix: &'static str,
    /// The next router.
    pub via: String,
    /// The port, where `via` is link-local.
    pub dev: Option<&'static str>,
}

/// What the router is to be.
#[derive(Clone, Debug)]
pub struct RouterPlan {
    /// Name of the node.
    pub name: &'static str,
    /// Backend of its ports: `af_packet`, `af_xdp`.
    pub driver: &'static str,
    /// Its ports.
    pub ports: Vec<RouterPort>,
    /// Its routes.
    pub routes: Vec<StaticRoute>,
    /// It asks whether others have its addresses before it uses them, which takes seconds (RFC 4862 5.4).
    pub dad: bool,
    /// PIs can and dss with `builtin:patch` beside it, on trunks.
    pub others: bool,
    /// Rate of all ports.
    pub capacity: &'static str,
    /// Further lines of `[node]`.
    pub node: &'static str,
    /// Further lines of `[pi.ipv6qos]`.
    pub pi: String,
    /// Further lines of `[pi.ipv6qos.config]`.
    pub config: String,
    /// Tables behind these.
    pub tables: String,
}

impl RouterPlan {
    /// A router of these ports and nothing else.
    #[must_use]
    pub fn new(driver: &'static str, ports: Vec<RouterPort>) -> Self {
        Self {
            name: "n1",
            driver,
            ports,
            routes: Vec::new(),
            dad: false,
            others: false,
            capacity: "1Gbps",
            node: "",
            pi: String::new(),
            config: String::new(),
            tables: String::new(),
        }
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "[node]\nname = \"{}\"\nisolation = \"kvm\"\n{}\n",
            self.name, self.node
        );
        for port in &self.ports {
            // On a trunk the PIH is one octet of the MTU.
            let (mode, mtu, others) = match port.access {
                Some(vn) => (
                    format!("mode = \"access\"\npi = \"ipv6qos\"\nvn = {vn}"),
                    port.mtu,
                    false,
                ),
                None => ("mode = \"trunk\"".to_owned(), port.mtu + 1, self.others),
            };
            let mut phases = "{ pi = \"ipv6qos\", for = \"250us\" }".to_owned();
            if others {
                phases += ", { pi = \"can\", for = \"250us\" }, { pi = \"dss\", for = \"250us\" }";
            }
            let _ = write!(
                text,
                "\n[[port]]\nname = \"{}\"\nbackend = \"{}:{}\"\n{mode}\nmtu = {mtu}\ncapacity = \"{}\"\n\
                 [port.cycle]\nphases = [ {phases} ]\n",
                port.name, self.driver, port.interface, self.capacity
            );
        }
        let _ = write!(
            text,
            "\n[pi.ipv6qos]\ncode = 1\nguest = \"builtin:ipv6qos\"\n{}\n[pi.ipv6qos.config]\n{}\n",
            self.pi, self.config
        );
        for port in &self.ports {
            for (vn, address) in &port.addresses {
                // A port's interface in the lowest network it carries has the port's name.
                let interface = match (port.access, vn) {
                    (None, 1..) => format!("{}.{vn}", port.name),
                    _ => port.name.to_owned(),
                };
                let _ = write!(
                    text,
                    "[pi.ipv6qos.config.interface.\"{interface}\"]\nmac = \"{}\"\naddress = [\"{address}\"]\ndad = {}\n",
                    port.mac(),
                    self.dad
                );
            }
        }
        for route in &self.routes {
            let _ = write!(
                text,
                "[[pi.ipv6qos.config.route]]\nprefix = \"{}\"\nvia = \"{}\"\n",
                route.prefix, route.via
            );
            if let Some(dev) = route.dev {
                let _ = writeln!(text, "dev = \"{dev}\"");
            }
        }
        text += &self.tables;
        if self.others {
            for (name, code) in [("can", 2), ("dss", 3)] {
                let _ = write!(
                    text,
                    "\n[pi.{name}]\ncode = {code}\nguest = \"builtin:patch\"\n"
                );
            }
        }
        text
    }
}

/// The router, at work.
#[derive(Debug)]
pub enum Router {
    /// A node.
    Node(Node),
    /// Linux, and radvd, which advertises it.
    Linux(Background),
}

impl Router {
    /// Starts it in `namespace`, which has the interfaces.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn start(plan: &RouterPlan, namespace: &Namespace) -> Result<Self> {
        if is_linux() {
            linux(plan, namespace).map(Self::Linux)
        } else {
            Node::start(&plan.text(), Some(namespace)).map(Self::Node)
        }
    }

    /// The node.
    ///
    /// # Errors
    /// Linux routes.
    pub fn node(&self) -> Result<&Node> {
        match self {
            Self::Node(node) => Ok(node),
            Self::Linux(_) => bail!("Linux routes here, no node (PINODE_TEST_ROUTER)"),
        }
    }
}

/// Lets Linux route in `namespace`: virtual network 0 alone, trunks without PIH.
fn linux(plan: &RouterPlan, namespace: &Namespace) -> Result<Background> {
    let mut advertised = String::new();
    for port in &plan.ports {
        let interface = port.interface.as_str();
        let mtu = port.mtu.to_string();
        namespace.ip(&["link", "set", interface, "down"])?;
        namespace.ip(&[
            "link",
            "set",
            interface,
            "address",
            &port.mac(),
            "mtu",
            &mtu,
        ])?;
        namespace.ip(&["link", "set", interface, "up"])?;
        namespace.set(interface, "accept_dad", "0")?;
        namespace.set(interface, "disable_ipv6", "0")?;
        for (_, address) in &port.addresses {
            namespace.ip(&["address", "add", address, "dev", interface, "nodad"])?;
        }
        if port.access.is_some() {
            let _ = writeln!(
                advertised,
                "interface {interface} {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; \
                 AdvLinkMTU {mtu}; prefix ::/64 {{ }}; }};"
            );
        }
    }
    namespace.set("all", "forwarding", "1")?;
    // radvd does not come back to interfaces that were not ready when it began.
    for port in &plan.ports {
        until("a link-local address", READY, || {
            let show = ["-6", "address", "show", "dev", &port.interface];
            match namespace.ip(&show) {
                Ok(shown) if shown.contains(&port.link_local()) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
    }
    for route in &plan.routes {
        let mut arguments = vec!["route", "add", route.prefix, "via", &route.via];
        let port = plan.ports.iter().find(|port| Some(port.name) == route.dev);
        if let Some(port) = port {
            arguments.extend(["dev", &port.interface]);
        }
        namespace.ip(&arguments)?;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("radvd.conf");
    fs::write(&file, advertised)?;
    let mut command = namespace.command("radvd")?;
    command
        .args(["-n", "-d", "1", "-m", "stderr", "-C"])
        .arg(&file);
    command.arg("-p").arg(folder.path().join("radvd.pid"));
    let mut radvd = Background::start("radvd", command)?;
    // It has read its file when its process id is written.
    radvd.wait_for("radvd", READY, |_| {
        folder.path().join("radvd.pid").exists().then_some(())
    })?;
    Ok(radvd)
}
