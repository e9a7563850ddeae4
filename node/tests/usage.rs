//! What guests say of their time, asked on demand: exact in frames, more with load, gone with the guest, and never
//! waited for longer than its bound.

use std::path::Path;
use std::time::{Duration, Instant};

use pinode_node::config;
use pinode_node::control::{Control as _, GuestAction};
use pinode_node::dataplane::clock::{Clock as _, Monotonic};
use pinode_node::running::RunningNode;
use pinode_node::status::{GuestState, GuestUsage, Status};
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};

const LIMIT: Duration = Duration::from_secs(20);

const NODE: &str = r#"
[node]
name = "t"
isolation = "ISOLATION"
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "10Gbps"
cycle = { phases = [{ pi = "a", for = "50us" }, { pi = "b", for = "50us" }] }
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "10Gbps"
cycle = { phases = [{ pi = "a", for = "50us" }, { pi = "b", for = "50us" }] }
[pi.a]
code = 1
guest = "builtin:patch"
[pi.b]
code = 2
guest = "GUEST"
"#;

fn start(isolation: &str, guest: &str) -> (RunningNode, [FarEnd; 2]) {
    let text = NODE.replace("ISOLATION", isolation).replace("GUEST", guest);
    let config = config::parse("t.toml", Path::new(""), &text, &["patch"]).unwrap();
    let (west, far_west) = memory::pair(4096, 2048);
    let (east, far_east) = memory::pair(4096, 2048);
    let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
    let node = RunningNode::start(config, ports).unwrap();
    node.wait_ready(LIMIT, || false).unwrap();
    (node, [far_west, far_east])
}

/// The isolations that this machine has.
fn isolations() -> Vec<&'static str> {
    match pinode_vmm::KvmHost::open() {
        Ok(_) => vec!["thread", "kvm"],
        Err(error) => {
            println!("skipped: usage of virtual machines: {error}");
            vec!["thread"]
        }
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::yield_now();
    }
}

fn frame(code: u8) -> Vec<u8> {
    let mut frame = vec![0x5a; 100];
    frame[12..15].copy_from_slice(&[0x88, 0xb5, code << 5]);
    frame
}

/// Sends `count` frames of `code` west to east and takes them all out again.
fn cross(far: &mut [FarEnd; 2], code: u8, count: u32) {
    let [west, east] = far;
    let (mut sent, mut arrived) = (0, 0);
    until("all frames at the far end", || {
        while sent < count && sent - arrived < 256 && west.send(&frame(code)) {
            sent += 1;
        }
        east.recv(|_, _| arrived += 1);
        (arrived == count).then_some(())
    });
}

fn usages(status: &Status) -> [Option<&GuestUsage>; 2] {
    [0, 1].map(|slot| status.guests[slot].usage.as_ref())
}

/// A reading in which both guests answered: on a machine that is busy elsewhere one may come too late for it.
fn read(node: &RunningNode) -> [GuestUsage; 2] {
    until("both guests answer", || {
        let asked_ns = Monotonic.now_ns();
        let status = node.operator().status().unwrap();
        let usages = usages(&status).map(Option::unwrap);
        let fresh = usages.iter().all(|usage| usage.at_ns >= asked_ns);
        fresh.then(|| usages.map(Clone::clone))
    })
}

#[test]
fn frames_are_exact_and_time_grows_with_them() {
    for isolation in isolations() {
        let (node, mut far) = start(isolation, "builtin:patch");
        let [mut before, quiet] = read(&node);
        assert_eq!((before.frames, quiet.frames), (0, 0));
        for count in [1_u32, 1000, 20_000] {
            cross(&mut far, 1, count);
            let [after, quiet] = read(&node);
            assert_eq!(
                after.frames - before.frames,
                u64::from(count),
                "{isolation}"
            );
            assert_eq!(after.discarded, 0);
            assert_eq!(
                (quiet.frames, quiet.busy_ns),
                (0, 0),
                "{isolation}: another's"
            );
            assert!(after.busy_ns > before.busy_ns, "{isolation}: {after:?}");
            assert!(after.cpu_ns[0] > before.cpu_ns[0], "{isolation}: {after:?}");
            assert!(after.at_ns > before.at_ns && after.up_ns > before.up_ns);
            let known = after.busy_ns + after.poll_ns + after.away_ns;
            assert!(known <= after.up_ns, "{isolation}: {after:?}");
            // Each round that was on frames was on the CPU.
            assert!(after.busy_ns <= after.cpu_ns[0], "{isolation}: {after:?}");
            before = after;
        }
        assert!(before.wakeups > 0 && before.cpu_ns.len() == 1);
        assert!(node.operator().status().unwrap().workers[0].cpu_ns > 0);
        node.stop();
    }
}

#[test]
fn a_guest_that_does_not_run_uses_nothing() {
    for isolation in isolations() {
        let (node, mut far) = start(isolation, "builtin:patch");
        cross(&mut far, 1, 100);
        node.operator()
            .guest_action("a", GuestAction::Stop)
            .unwrap();
        let status = node.operator().status().unwrap();
        let [stopped, other] = usages(&status);
        assert!(stopped.is_none() && other.is_some(), "{isolation}");
        node.operator()
            .guest_action("a", GuestAction::Start)
            .unwrap();
        until("it forwards again", || {
            let guests = node.operator().guests().unwrap();
            (guests[0].state == GuestState::Running).then_some(())
        });
        cross(&mut far, 1, 10);
        let [again, _] = read(&node);
        assert_eq!(again.frames, 10, "{isolation}: counts anew");
        node.stop();
    }
}

#[test]
fn many_readings_at_once_are_all_answered() {
    for isolation in isolations() {
        let (node, mut far) = start(isolation, "builtin:patch");
        cross(&mut far, 1, 300);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let [a, b] = read(&node);
                        assert_eq!((a.frames, b.frames), (300, 0));
                    }
                });
            }
        });
        // Nobody was taken for a flood.
        let guests = node.operator().guests().unwrap();
        assert!(
            guests
                .iter()
                .all(|g| g.restarts == 0 && g.last_fault.is_none()),
            "{guests:?}"
        );
        node.stop();
    }
}
