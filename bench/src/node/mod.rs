//! The node as one arm of a benchmark: real guests, in this process, between two memory ports.
//!
//! The ports do for each frame what DPDK's `net_null` with `copy=1` does: the frame is written on
//! the way in and read on the way out. Must never know how the node works inside.

mod flood;
mod setup;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use pinode_node::running::RunningNode;
use pinode_ports::{InlinePort, Port, slot_octets_for};

use flood::{Flood, Tally};
pub use setup::Setup;

const READY: Duration = Duration::from_secs(60);

/// What crossed the guests.
#[derive(Debug, Clone)]
pub struct Crossed {
    /// Frames a second of each PI.
    pub fps: Vec<f64>,
    /// Frames a second offered to the node, of all PIs.
    pub offered_fps: f64,
}

impl Crossed {
    /// Frames a second of all PIs.
    #[must_use]
    pub fn total_fps(&self) -> f64 {
        self.fps.iter().sum()
    }
}

/// Boots a node of `setup`, offers it as many frames as it takes on its first port, and counts what
/// comes out of the second for `span`, after `warm_up`.
///
/// # Errors
///
/// Whatever keeps the node from running.
pub fn saturate(setup: &Setup, warm_up: Duration, span: Duration) -> anyhow::Result<Crossed> {
    let config = setup.config()?;
    let tally = Arc::new(Tally::default());
    let wires = [
        Flood::source(setup, Arc::clone(&tally)),
        Flood::sink(setup, Arc::clone(&tally)),
    ];
    let ports = wires.map(|wire| -> Vec<Box<dyn Port>> {
        vec![Box::new(InlinePort::new(wire, slot_octets_for(1500)))]
    });
    let node = RunningNode::start(config, ports.into())?;
    let measured = node.wait_ready(READY, || false).map(|()| {
        std::thread::sleep(warm_up);
        let began = Instant::now();
        let before = tally.read();
        std::thread::sleep(span);
        let after = tally.read();
        let seconds = began.elapsed().as_secs_f64();
        let rate = |from: u64, to: u64| (to - from) as f64 / seconds;
        let fps = before.crossed.iter().zip(after.crossed);
        Crossed {
            fps: fps
                .map(|(from, to)| rate(*from, to))
                .take(setup.guests)
                .collect(),
            offered_fps: rate(before.offered, after.offered),
        }
    });
    let status = node.operator().clone();
    if std::env::var_os("PINODE_BENCH_STATUS").is_some()
        && let Ok(status) = pinode_node::control::Control::status(status.as_ref())
    {
        eprintln!("{status:#?}");
    }
    node.stop();
    measured.context("the node is not ready")
}
