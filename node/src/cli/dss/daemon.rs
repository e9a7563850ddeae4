//! `pinode dss daemon`: the daemon of a node, or of this host.

use std::os::fd::AsFd as _;

use pinode_signaling::packet::Interface;
use pinode_signaling::process::host::{Host, Options};
use pinode_signaling::process::node;

use super::super::failure::Failure;
use super::super::print;
use super::args::Daemon;
use crate::run::end_on_signals;

pub(super) fn run(args: Daemon) -> Result<(), Failure> {
    let failed = |error: anyhow::Error| Failure::Failed(error);
    let (Some(interface), Some(address)) = (args.interface, args.address) else {
        let socket = std::io::stdin().as_fd().try_clone_to_owned();
        let socket = socket.map_err(|error| failed(error.into()))?;
        return node::serve(socket).map_err(|error| {
            failed(anyhow::Error::new(error).context("the signalling daemon of a node"))
        });
    };
    let ended = end_on_signals().map_err(failed)?;
    let path = args.at.path.display().to_string();
    let mut host = Host::open(Options {
        socket: args.at.path,
        interface: Interface::Name(interface.clone()),
        address,
    })
    .map_err(|error| failed(error.into()))?;
    print(&format!("ready {path}\n"))?;
    let said = |up| {
        let state = if up { "is heard" } else { "is not heard" };
        tracing::warn!(%interface, "the neighbour {state}");
    };
    host.run(&ended, said).map_err(|error| failed(error.into()))
}
