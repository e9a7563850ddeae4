//! What a frame costs the workers as guests, workers and ports grow.
//!
//! Measured from outside: the ports' own wires tell turns that moved frames from turns that did not, by
//! the TSC, as they are asked once a turn. The wires' copies are in the cost, as those of a real port are.

mod shape;
mod wires;

use std::time::Duration;

use anyhow::ensure;
use pinode_node::running::RunningNode;
use pinode_ports::{InlinePort, Port, slot_octets_for};

pub use shape::Shape;
use wires::{Flow, Turns};

/// What was measured of one shape.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Time of turns that moved frames, for each frame that crossed, nanoseconds, of all workers together.
    pub busy_ns: f64,
    /// Frames per second that crossed.
    pub crossed_fps: f64,
    /// Share (0.0 to 1.0) of the frames offered that did not cross.
    pub lost: f64,
    /// Share of the time that each worker spent in turns that moved frames.
    pub busy: Vec<f64>,
}

/// Boots a node of `shape`, offers it `fps` frames per second in bursts of 64, and measures for `span`
/// after `warm_up`.
///
/// # Errors
/// Whatever keeps the node from running, and that nothing crossed.
pub fn cost(shape: &Shape, fps: f64, warm_up: Duration, span: Duration) -> anyhow::Result<Cost> {
    const READY: Duration = Duration::from_secs(120);
    let turns: Vec<_> = (0..shape.workers).map(|_| Turns::shared()).collect();
    let flows = shape.workers * shape.ports / 2;
    let ports = (0..shape.ports).map(|port| {
        let queue = |(worker, turns)| -> Box<dyn Port> {
            let at = port / 2 * shape.workers + worker;
            let flow = Flow::new(
                shape,
                port,
                turns,
                fps / flows as f64,
                at as f64 / flows as f64,
            );
            Box::new(InlinePort::new(flow, slot_octets_for(1500)))
        };
        turns.iter().enumerate().map(queue).collect()
    });
    let node = RunningNode::start(shape.config()?, ports.collect())?;
    let readings = node.wait_ready(READY, || false).map(|()| {
        std::thread::sleep(warm_up);
        let before: Vec<_> = turns.iter().map(|turns| turns.read()).collect();
        std::thread::sleep(span);
        let after: Vec<_> = turns.iter().map(|turns| turns.read()).collect();
        (before, after)
    });
    node.stop();
    let (before, after) = readings?;
    let spent: Vec<_> = after
        .iter()
        .zip(&before)
        .map(|(a, b)| a.since(*b))
        .collect();
    let hz = crate::unsafe_tsc::hz() as f64;
    let sum = |what: fn(&wires::Reading) -> u64| spent.iter().map(what).sum::<u64>() as f64;
    let (offered, crossed) = (sum(|r| r.offered), sum(|r| r.crossed));
    ensure!(crossed > 0.0, "no frame crossed");
    Ok(Cost {
        busy_ns: sum(|r| r.busy) * 1e9 / hz / crossed,
        crossed_fps: crossed / span.as_secs_f64(),
        lost: (1.0 - crossed / offered).max(0.0),
        busy: spent
            .iter()
            .map(|r| r.busy as f64 / hz / span.as_secs_f64())
            .collect(),
    })
}
