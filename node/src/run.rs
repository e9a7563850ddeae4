//! `pinode run`: boots a node from its configuration, serves its control socket, ends on SIGTERM or
//! SIGINT.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use pinode_ports::{Cables, Port, PortSpec};

use crate::api::{Server, Socket};
use crate::config::{NodeConfig, PortConfig};
use crate::running::RunningNode;
use crate::unsafe_segments;

/// A node whose guests are not ready by then does not come up.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How often signals are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Runs the node until it is told to end. Prints `ready` and the control socket on stdout when all
/// guests forward.
///
/// # Errors
///
/// Whatever keeps the node from coming up, in one line that says what to do.
pub fn run(config: NodeConfig, socket: &Path) -> anyhow::Result<()> {
    let ended = end_on_signals()?;
    let socket = Socket::bind(socket)?;
    let ports = open_ports(&config)?;
    for (port, backend) in config.ports.iter().zip(&ports) {
        let queues = backend.len();
        for queue in backend.iter().take(1) {
            tracing::info!(port = %port.name, queues, "{}", queue.describe());
        }
    }
    let node = RunningNode::start(config, ports)?;
    let outcome = serve(&node, socket, &ended);
    node.stop();
    outcome
}

fn serve(node: &RunningNode, socket: Socket, ended: &AtomicBool) -> anyhow::Result<()> {
    let server = Server::on(socket, Arc::clone(node.operator()) as Arc<_>)
        .context("cannot serve the control API")?;
    node.wait_ready(READY_LIMIT, || ended.load(Ordering::Relaxed))?;
    if !ended.load(Ordering::Relaxed) {
        unsafe_segments::release();
        announce(server.path())?;
    }
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_EVERY);
    }
    drop(server);
    Ok(())
}

/// All ports, in the order of the configuration.
fn open_ports(config: &NodeConfig) -> anyhow::Result<Vec<Vec<Box<dyn Port>>>> {
    let mut cables = Cables::default();
    let open = |port: &PortConfig| {
        let spec = PortSpec {
            backend: port.backend.clone(),
            mtu: port.mtu,
            queues: usize::from(config.workers),
        };
        pinode_ports::open(&spec, &mut cables).with_context(|| format!("port {}", port.name))
    };
    config.ports.iter().map(open).collect()
}

fn announce(socket: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready {}", socket.display())
        .and_then(|()| out.flush())
        .context("cannot write to stdout")
}

/// The number of the signal that is to end it: 0 until then.
///
/// # Errors
///
/// Signals cannot be listened for.
pub(crate) fn signal_that_ends() -> anyhow::Result<Arc<AtomicUsize>> {
    let signalled = Arc::new(AtomicUsize::new(0));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let number = usize::try_from(signal).unwrap_or_default();
        signal_hook::flag::register_usize(signal, Arc::clone(&signalled), number)
            .context("cannot listen for signals")?;
    }
    Ok(signalled)
}

/// A flag that SIGTERM and SIGINT set.
pub(crate) fn end_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&ended))
            .context("cannot listen for signals")?;
    }
    Ok(ended)
}
