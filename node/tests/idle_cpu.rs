//! No traffic, no CPU: a node with three idle guests. Alone in its process, whose time is counted.

use std::time::{Duration, Instant};

use pinode_node::config;
use pinode_node::control::Control as _;
use pinode_node::running::RunningNode;
use pinode_ports::Port;
use pinode_ports::memory;
use rustix::time::{ClockId, clock_gettime};

const LIMIT: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_secs(2);
/// Of one core.
const SHARE: f64 = 0.02;

const NODE: &str = r#"
[node]
name = "t"
isolation = "ISOLATION"
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "1Gbps"
cycle = { phases = [{ pi = "a", for = "100us" }, { pi = "b", for = "100us" }, { pi = "c", for = "100us" }] }
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "1Gbps"
cycle = { phases = [{ pi = "a", for = "100us" }, { pi = "b", for = "100us" }, { pi = "c", for = "100us" }] }
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

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn three_idle_guests_cost_less_than_two_percent_of_a_core() {
    // What KVM adds is measured where there is one; tests/ says where there has to be.
    let isolation = match pinode_vmm::KvmHost::open() {
        Ok(_) => "kvm",
        Err(_) => "thread",
    };
    let text = NODE.replace("ISOLATION", isolation);
    let config = config::parse("t.toml", "".as_ref(), &text, &["patch"]).unwrap();
    let (west, _far_west) = memory::pair(512, 2048);
    let (east, _far_east) = memory::pair(512, 2048);
    let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
    let node = RunningNode::start(config, ports).unwrap();
    node.wait_ready(LIMIT, || false).unwrap();
    let began = Instant::now();
    loop {
        let (from, at) = (cpu(), Instant::now());
        std::thread::sleep(WINDOW);
        let share = (cpu() - from).as_secs_f64() / at.elapsed().as_secs_f64();
        if share < SHARE {
            break;
        }
        let status = node.operator().status().unwrap();
        assert!(
            began.elapsed() < LIMIT,
            "{isolation}: {:.1} % of a core; {:?}",
            share * 100.0,
            status.workers
        );
    }
    node.stop();
}
