//! Guests in virtual machines that want the CPU for good, each held to its share of it.

use std::path::Path;
use std::time::{Duration, Instant};

use pinode_node::config::{self, NodeConfig};
use pinode_node::control::Control;
use rustix::thread::Pid;

use crate::threads::{Cgroup, missing, named, privileged, until_used, usable};
use crate::{LIMIT, alone, start};

/// A kernel of one instruction, which jumps to itself, as ELF64.
fn spinning_image() -> Vec<u8> {
    const ENTRY: u64 = 0x10_0000;
    const CODE: [u8; 2] = [0xeb, 0xfe];
    let mut file = vec![0u8; 64];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[18..20].copy_from_slice(&62u16.to_le_bytes());
    file[24..32].copy_from_slice(&ENTRY.to_le_bytes());
    file[32..40].copy_from_slice(&64u64.to_le_bytes());
    file[54..56].copy_from_slice(&56u16.to_le_bytes());
    file[56..58].copy_from_slice(&1u16.to_le_bytes());
    // PT_LOAD, readable and executable: two octets behind the headers.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for field in [64 + 56, ENTRY, ENTRY, 2, 2, 4] {
        file.extend(field.to_le_bytes());
    }
    file.extend(CODE);
    file
}

/// Guests a and b, which spin, with these lines in their tables; `head` goes to `[node]`.
fn spinning(image: &Path, head: &str, shares: [&str; 2]) -> NodeConfig {
    let mut text = format!("[node]\nname = \"t\"\n{head}\n");
    for port in ["west", "east"] {
        text += &format!(
            "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\ncapacity = \"10Gbps\"\n\
             cycle = {{ phases = [ {{ pi = \"a\", for = \"50us\" }}, {{ pi = \"b\", for = \"50us\" }} ] }}\n"
        );
    }
    for (code, (name, share)) in (1..).zip(["a", "b"].into_iter().zip(shares)) {
        text += &format!(
            "[pi.{name}]\ncode = {code}\nguest = \"{}\"\n{share}\n",
            image.display()
        );
    }
    config::parse("t.toml", Path::new(""), &text, &[]).unwrap()
}

/// Runs the two until they have used `wanted` together: what each used, and the time it took. None without VMs.
fn run(test: &str, head: &str, shares: [&str; 2], wanted: Duration) -> Option<([f64; 2], f64)> {
    if let Err(error) = pinode_vmm::KvmHost::open() {
        missing(test, &format!("no VMs: {error}"));
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("spins");
    std::fs::write(&image, spinning_image()).unwrap();
    let node = start(spinning(&image, head, shares)).unwrap();
    let began = Instant::now();
    // They never get ready; they have their shares before anybody waits for that.
    loop {
        let guests = node.operator().guests().unwrap();
        if guests.iter().all(|guest| guest.cpu.is_some()) {
            break;
        }
        let faults: Vec<_> = guests.iter().map(|guest| &guest.last_fault).collect();
        assert!(began.elapsed() < LIMIT, "{faults:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    let ids = ["a", "b"].map(only);
    let (used, took) = until_used(&ids, wanted);
    let guests = node.operator().guests().unwrap();
    let restarts: u64 = guests.iter().map(|guest| guest.restarts).sum();
    assert_eq!(restarts, 0, "the same threads all along");
    node.stop();
    Some((
        [used[0], used[1]].map(|used| used.as_secs_f64()),
        took.as_secs_f64(),
    ))
}

fn only(name: &str) -> Pid {
    let ids = named(&format!("vcpu-{name}-0"));
    assert_eq!(ids.len(), 1);
    ids[0]
}

#[test]
fn weights_divide_a_core_between_machines() {
    const TEST: &str = "weights_divide_a_core_between_machines";
    let _core = alone();
    if !privileged(TEST) {
        return;
    }
    let head = format!("cpus = {{ guests = [{}] }}", usable().last().unwrap());
    let shares = ["cpu = { weight = 100 }", "cpu = { weight = 400 }"];
    if let Some((used, _)) = run(TEST, &head, shares, Duration::from_millis(1500)) {
        let ratio = used[1] / used[0];
        println!("machines of weights 100 and 400: CPU times 1 to {ratio:.2}");
        assert!((2.8..5.0).contains(&ratio), "1 to {ratio}: {used:?}");
    }
}

#[test]
fn a_quota_and_a_deadline_hold_machines_that_spin() {
    const TEST: &str = "a_quota_and_a_deadline_hold_machines_that_spin";
    let _core = alone();
    if !privileged(TEST) {
        return;
    }
    let cgroup = match Cgroup::with_quota("machine") {
        Ok(cgroup) => cgroup,
        Err(why) => {
            missing(TEST, &why);
            return;
        }
    };
    let quota = format!("cpu = {{ cgroup = \"{}\" }}", cgroup.path.display());
    let deadline = "cpu = { deadline = { runtime = \"20ms\", period = \"100ms\" } }";
    let wanted = Duration::from_millis(600);
    if let Some((used, took)) = run(TEST, "", [&quota, deadline], wanted) {
        let [quota, deadline] = used.map(|used| used / took);
        println!(
            "machines held to 20 %: quota {:.1} %, deadline {:.1} %",
            100.0 * quota,
            100.0 * deadline
        );
        assert!(quota < 0.28, "{used:?} in {took:?}");
        assert!((0.12..0.28).contains(&deadline), "{used:?} in {took:?}");
    }
}
