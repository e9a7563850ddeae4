//! AF_XDP over veth: a tester at both far ends, and whatever forwards in between.
//!
//! ```text
//! tester ── gen ≈ west ── forwarder or node ── east ≈ sink ── tester      (≈ a veth pair)
//! ```
//!
//! All of it in one process and one network namespace. The kernel's veth bounds it: figures are only good
//! beside each other.

mod forward;
mod tester;
mod veth;

use std::time::Duration;

use anyhow::Context;
use pinode_node::running::RunningNode;
use pinode_ports::{BackendSpec, Cables, Port, PortSpec};

pub use forward::Forwarder;
pub use tester::{Flow, Tester};
pub use veth::Links;

use crate::node::Setup;

const MTU: u16 = 1500;

/// An AF_XDP port on an interface of this namespace.
///
/// # Errors
/// What stands against it.
pub fn port(interface: &str) -> anyhow::Result<Box<dyn Port>> {
    let backend: BackendSpec = format!("af_xdp:{interface}").parse()?;
    let spec = PortSpec {
        backend,
        mtu: MTU,
        queues: 1,
    };
    let mut ports = pinode_ports::open(&spec, &mut Cables::default())?;
    ports.pop().with_context(|| format!("{interface}: no port"))
}

/// Pins the calling thread.
///
/// # Errors
/// The machine has no such core.
pub fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).with_context(|| format!("core {cpu}"))
}

/// Boots a node of `setup` between `west` and `east` and runs `with` while it forwards.
///
/// # Errors
/// Whatever keeps the node from running, and what `with` says.
pub fn with_node<T>(setup: &Setup, with: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    const READY: Duration = Duration::from_secs(60);
    let ports = vec![vec![port("west")?], vec![port("east")?]];
    let node = RunningNode::start(setup.config()?, ports)?;
    let result = node.wait_ready(READY, || false).and_then(|()| with());
    node.stop();
    result
}
