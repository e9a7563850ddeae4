//! A node with one guest between two memory ports, which frames are offered to at saturation while it is asked to.
//!
//! Several stand beside each other in one process and take turns, the others asleep, so that the machine's moods meet
//! all alike. Must never give one guest other frames than the other.

mod wires;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use pinode_node::config;
use pinode_node::control::Control as _;
use pinode_node::running::RunningNode;
use pinode_ports::{InlinePort, Port, Wire, slot_octets_for};
use serde_json::Value;

use crate::compare::order;
use wires::Sink;
pub(crate) use wires::{FCS, LOOK_NS, Tally};

const READY: Duration = Duration::from_secs(60);
/// Octets of a largest frame's PDU.
const LARGEST: u16 = 1501;
/// After frames are offered again it takes a while until worker and guest are awake and rings are full.
const LEAD: Duration = Duration::from_nanos(LOOK_NS + 5_000_000);
/// After the last frame is offered, until rings are empty and worker and guest sleep.
const DRAIN: Duration = Duration::from_millis(5);

/// A node with one guest, and what its frames come from: idle until [`run`](Self::run).
pub struct Stand {
    node: RunningNode,
    tally: Arc<Tally>,
}

impl Stand {
    /// Starts a node of the configuration `toml`, with what `source` makes on its first port, and on its second what
    /// counts frames of `size` octets with FCS.
    pub(crate) fn start<W: Wire + Send + 'static>(
        toml: &str,
        size: u16,
        source: impl FnOnce(Arc<Tally>) -> W,
    ) -> anyhow::Result<Self> {
        let builtins = pinode_images::BUILTIN_NAMES;
        let config = config::parse("bench.toml", Path::new(""), toml, builtins)?;
        let tally = Arc::new(Tally::default());
        let source = source(Arc::clone(&tally));
        let sink = Sink::new(size, Arc::clone(&tally));
        let octets = slot_octets_for(LARGEST);
        let ports: Vec<Vec<Box<dyn Port>>> = vec![
            vec![Box::new(InlinePort::new(source, octets))],
            vec![Box::new(InlinePort::new(sink, octets))],
        ];
        let node = RunningNode::start(config, ports)?;
        let stand = Stand { node, tally };
        let ready = stand.node.wait_ready(READY, || false);
        ready.context("the node is not ready")?;
        Ok(stand)
    }

    /// Asks the guest of PI `pi`.
    pub(crate) fn ask(&self, pi: &str, request: Value) -> anyhow::Result<Value> {
        Ok(self.node.operator().guest_request(pi, request)?)
    }

    /// Offers frames at saturation for `span`; how many came out in it, a second.
    ///
    /// # Errors
    ///
    /// None came out.
    pub fn run(&self, span: Duration) -> anyhow::Result<f64> {
        self.tally.offer(true);
        std::thread::sleep(LEAD);
        let (began, before) = (Instant::now(), self.tally.crossed());
        std::thread::sleep(span);
        let crossed = self.tally.crossed() - before;
        let took = began.elapsed();
        self.tally.offer(false);
        std::thread::sleep(DRAIN);
        ensure!(
            crossed > 0,
            "nothing crossed of {} frames",
            self.tally.offered()
        );
        Ok(crossed as f64 / took.as_secs_f64())
    }

    /// Time that the guest has spent on frames, nanoseconds, and frames that it has taken, as it said last.
    ///
    /// # Errors
    ///
    /// The node does not answer, or the guest has said nothing yet.
    pub fn usage(&self) -> anyhow::Result<(u64, u64)> {
        let status = self.node.operator().status()?;
        let usage = status.guests.first().and_then(|guest| guest.usage.as_ref());
        let usage = usage.context("the guest has not said what it does")?;
        Ok((usage.busy_ns, usage.frames))
    }

    /// Ends the node; with `PINODE_BENCH_STATUS` set, prints its status before.
    pub fn stop(self) {
        if std::env::var_os("PINODE_BENCH_STATUS").is_some()
            && let Ok(status) = self.node.operator().status()
        {
            eprintln!("{status:#?}");
        }
        self.node.stop();
    }
}

/// Frames per second of each of `stands`, which take turns of `slice` after `warm_up` seconds each, and nanoseconds that
/// their guests spend on a frame.
///
/// # Errors
///
/// Nothing crosses one of them, or its guest says nothing of what it does.
pub fn by_turns(
    stands: &[Stand],
    warm_up: f64,
    slices: usize,
    slice: Duration,
) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    for stand in stands {
        stand.run(Duration::from_secs_f64(warm_up))?;
    }
    let mut fps = vec![0.0; stands.len()];
    let usage = || {
        stands
            .iter()
            .map(Stand::usage)
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let before = usage()?;
    for turn in 0..slices {
        for side in order(stands.len(), turn) {
            fps[side] += stands[side].run(slice)? / slices as f64;
        }
    }
    let spent = usage()?.into_iter().zip(before);
    let spent = spent.map(|((busy_ns, frames), (busy_before, frames_before))| {
        ensure!(
            frames > frames_before,
            "a guest has said nothing meanwhile: --seconds is too short"
        );
        Ok((busy_ns - busy_before) as f64 / (frames - frames_before) as f64)
    });
    Ok((fps, spent.collect::<anyhow::Result<_>>()?))
}
