//! Alice, Bob and Carol: hosts with Linux's own stack, each on an access port of one router. All is recorded.

use anyhow::Result;
use pinode_tests::host::Host;
use pinode_tests::namespace::Namespace;
use pinode_tests::router::{Router, RouterPlan, RouterPort};

use super::evidence::{Evidence, unharmed};

/// Prefixes of the three links.
pub const PREFIXES: [&str; 3] = ["2001:db8:a::", "2001:db8:b::", "2001:db8:c::"];
/// Names of the ports, and the last octet of the hosts' MAC addresses.
pub const HOSTS: [(&str, u8); 3] = [("alice", 0xa), ("bob", 0xb), ("carol", 0xc)];
/// Octets of the largest packet on Carol's link, which is smaller than the others.
pub const CAROLS_MTU: u32 = 1400;

/// See the module. Fields are dropped in order: what runs goes before its interfaces.
pub struct Bed {
    pub router: Router,
    pub plan: RouterPlan,
    pub hosts: [Host; 3],
    pub evidence: Evidence,
    _lab: Namespace,
}

/// How a bed is to be.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Backend of the ports.
    pub driver: &'static str,
    /// Hosts and router ask whether others have their addresses before they use them.
    pub dad: bool,
}

/// Ports of the router for the three hosts.
fn ports() -> Vec<RouterPort> {
    HOSTS
        .into_iter()
        .zip(PREFIXES)
        .map(|((name, number), prefix)| {
            let address = format!("{prefix}1/64");
            let mut port = RouterPort::access(name, format!("p-{name}"), &address, [1, number, 1]);
            if name == "carol" {
                port.mtu = CAROLS_MTU;
            }
            port
        })
        .collect()
}

impl Bed {
    /// Lays the cables, starts the router, switches the hosts on and waits until all are configured.
    pub fn start(wanted: Wanted) -> Result<Self> {
        Self::start_with(wanted, |_| ())
    }

    /// Like [`Self::start`], with a router changed by `change`.
    pub fn start_with(wanted: Wanted, change: impl FnOnce(&mut RouterPlan)) -> Result<Self> {
        let mut plan = RouterPlan::new(wanted.driver, ports());
        plan.dad = wanted.dad;
        change(&mut plan);
        let lab = Namespace::new()?;
        let plug = |index: usize| Host::plug(&lab, &plan.ports[index].interface, HOSTS[index].1);
        let hosts = [plug(0)?, plug(1)?, plug(2)?];
        let mut evidence = Evidence::new()?;
        for (host, (name, _)) in hosts.iter().zip(HOSTS) {
            evidence.record(host, name)?;
        }
        let router = Router::start(&plan, &lab)?;
        if let Router::Node(node) = &router {
            for (name, _) in HOSTS {
                evidence.capture(node, name)?;
            }
        }
        for host in &hosts {
            host.switch_on(wanted.dad)?;
        }
        for (host, prefix) in hosts.iter().zip(PREFIXES) {
            host.wait_configured(prefix)?;
        }
        Ok(Self {
            router,
            plan,
            hosts,
            evidence,
            _lab: lab,
        })
    }

    pub fn alice(&self) -> &Host {
        &self.hosts[0]
    }

    pub fn bob(&self) -> &Host {
        &self.hosts[1]
    }

    pub fn carol(&self) -> &Host {
        &self.hosts[2]
    }

    /// The address that each host made for itself.
    pub fn addresses(&self) -> [String; 3] {
        std::array::from_fn(|index| self.hosts[index].address_in(PREFIXES[index]))
    }

    /// Judges what was recorded: nothing malformed, no guest restarted, nothing lost on the way to it.
    pub fn finish(self) -> Result<()> {
        if let Router::Node(node) = &self.router {
            unharmed(node)?;
        }
        self.evidence.judge()
    }
}
