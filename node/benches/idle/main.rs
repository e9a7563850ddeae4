//! What a node without traffic costs, and how long the first frame after a silence takes.
//!
//! Three guests with nothing to do: the process's CPU time over some seconds, as a share of one core.
//! Then lone frames, far enough apart that worker and guest sleep: from the frame on the port to its
//! start on the other port's wire. Must not keep a core busy itself, so it reads the start that the
//! worker computed instead of waiting for the frame.
//!
//! Before the nodes, the machine's own floor ([`floor`]): the same chain of wake-ups without a node.
//!
//! `PINODE_BENCH_ONLY="kvm sleep"` measures those alone.

mod floor;

use std::time::Duration;

use pinode_node::config::{self, NodeConfig};
use pinode_node::control::Control as _;
use pinode_node::dataplane::clock::{Clock as _, Monotonic};
use pinode_node::running::RunningNode;
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};
use rustix::time::{ClockId, clock_gettime};

/// Guest `a` has nearly all of the cycle: what is measured is not the wait for a phase.
const NODE: &str = r#"
[node]
name = "idle"
isolation = "ISOLATION"
idle = "IDLE"
cpus = CPUS
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "100Gbps"
cycle = { phases = [{ pi = "a", for = "100ms" }, { pi = "b", for = "10us" }, { pi = "c", for = "10us" }] }
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "100Gbps"
cycle = { phases = [{ pi = "a", for = "100ms" }, { pi = "b", for = "10us" }, { pi = "c", for = "10us" }] }
[pi.a]
code = 1
guest = "builtin:patch"
[pi.b]
code = 2
guest = "builtin:patch"
[pi.c]
code = 3
guest = "builtin:patch"
"#;

/// Before each frame; `PINODE_BENCH_SILENCE_US` sets another.
const SILENCE: Duration = Duration::from_millis(20);
const FRAMES: usize = 300;

fn main() -> anyhow::Result<()> {
    let has_kvm = pinode_vmm::KvmHost::open().is_ok();
    let isolations: &[&str] = if has_kvm {
        &["kvm", "thread"]
    } else {
        &["thread"]
    };
    let cores = std::thread::available_parallelism()?.get();
    let pinned = "{ workers = [0], guests = [1] }";
    println!("{cores} cores; three guests, one worker");
    let silence = std::env::var("PINODE_BENCH_SILENCE_US").ok();
    let silence = silence.and_then(|us| us.parse().ok().map(Duration::from_micros));
    let silence = silence.unwrap_or(SILENCE);
    for (pins, name) in [([None, None], "{}"), ([Some(0), Some(1)], pinned)] {
        if cores < 2 && pins[0].is_some() {
            continue;
        }
        let floor = floor::measure(pins, silence, FRAMES)?;
        for (what, waits) in [("one thread", floor.first), ("two in a row", floor.both)] {
            println!(
                "floor, cpus = {name}: waking {what} after {silence:?}: {}",
                spread(waits)
            );
        }
    }
    for isolation in isolations {
        for idle in ["sleep", "poll"] {
            for cpus in ["{}", pinned] {
                let told = std::env::var("PINODE_BENCH_ONLY");
                let left_out =
                    told.is_ok_and(|only| !format!("{isolation} {idle} {cpus}").contains(&only));
                if left_out || cpus == pinned && cores < 2 {
                    continue;
                }
                let text = NODE
                    .replace("ISOLATION", isolation)
                    .replace("IDLE", idle)
                    .replace("CPUS", cpus);
                let config = config::parse("idle.toml", "".as_ref(), &text, &["patch"])?;
                measure(
                    config,
                    silence,
                    &format!("{isolation}, idle = {idle:?}, cpus = {cpus}"),
                )?;
            }
        }
    }
    Ok(())
}

fn measure(config: NodeConfig, silence: Duration, name: &str) -> anyhow::Result<()> {
    let (west, mut west_far) = memory::pair(512, 2048);
    let (east, mut east_far) = memory::pair(512, 2048);
    let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
    let node = RunningNode::start(config, ports)?;
    node.wait_ready(Duration::from_secs(20), || false)?;
    std::thread::sleep(Duration::from_secs(1));

    let (cpu_ns, wall_ns) = (cpu_ns(), Monotonic.now_ns());
    std::thread::sleep(Duration::from_secs(3));
    let used_ns = self::cpu_ns() - cpu_ns;
    let share = used_ns as f64 / (Monotonic.now_ns() - wall_ns) as f64;

    // The first of all touches the cable's memory for the first time, which takes milliseconds.
    let _ = first_frame(silence, &mut west_far, &mut east_far);
    let waits: Vec<u64> = (0..FRAMES)
        .filter_map(|_| first_frame(silence, &mut west_far, &mut east_far))
        .collect();
    println!(
        "{name}: {:.2} % of a core; first frame after {silence:?}: {}",
        share * 100.0,
        spread(waits)
    );
    if std::env::var_os("PINODE_BENCH_STATUS").is_some()
        && let Ok(status) = node.operator().status()
    {
        eprintln!("{:?}", status.workers);
    }
    node.stop();
    Ok(())
}

/// Median and tail of times in nanoseconds.
fn spread(mut waits: Vec<u64>) -> String {
    waits.sort_unstable();
    let at = |share: f64| {
        let index = (waits.len() as f64 * share) as usize;
        let index = index.min(waits.len().saturating_sub(1));
        waits.get(index).copied().unwrap_or(0) as f64 / 1e3
    };
    format!(
        "p50 {:.0} us, p90 {:.0} us, p99 {:.0} us, most {:.0} us ({} of {FRAMES})",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        waits.len()
    )
}

/// From the frame on the cable to its start on the wire of the other, nanoseconds.
fn first_frame(silence: Duration, west: &mut FarEnd, east: &mut FarEnd) -> Option<u64> {
    std::thread::sleep(silence);
    let mut frame = [0; 75];
    frame[12..15].copy_from_slice(&[0x88, 0xB5, 1 << 5]);
    let sent_ns = Monotonic.now_ns();
    if !west.send(&frame) {
        return None;
    }
    let mut start_ns = None;
    // Nobody waits for a frame of before: one that takes this long is lost.
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(5));
        east.recv(|_, at_ns| start_ns = Some(at_ns));
        if start_ns.is_some() {
            break;
        }
    }
    start_ns.map(|at_ns| at_ns.saturating_sub(sent_ns))
}

/// CPU time of this process, all threads and vCPUs.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}
