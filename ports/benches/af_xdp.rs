//! Frames a second that one thread forwards between two AF_XDP ports over veth pairs, while another one
//! sends and receives at their far ends as fast as it can: `unshare --net cargo bench -p pinode-ports --bench af_xdp`.
//! What limits it is the kernel's copy mode: see the system time.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pinode_ports::{AfXdpPort, BURST, Port, RxBurst, TxMeta, TxSlots};

const SECONDS: f64 = 3.0;
const OCTETS: usize = 75;

fn run(line: &str) {
    let mut words = line.split_whitespace();
    let status = Command::new(words.next().expect("a command"))
        .args(words)
        .status();
    assert!(status.is_ok_and(|s| s.success()), "{line}");
}

fn open(name: &str) -> AfXdpPort {
    let mut ports = AfXdpPort::open(&name.parse().expect("a name"), 1500, 1).expect("opens");
    ports.remove(0)
}

/// One round of a worker without guests. Returns how many frames arrived, and how many left.
fn forward(from: &mut dyn Port, to: &mut dyn Port) -> (usize, usize) {
    let mut burst = RxBurst::new();
    from.rx_burst(0, &mut burst);
    if burst.is_empty() {
        return (0, 0);
    }
    let mut slots = TxSlots::new();
    to.tx_slots(burst.len(), &mut slots);
    let mut metas = arrayvec::ArrayVec::<TxMeta, BURST>::new();
    for (frame, slot) in burst.iter().zip(&mut slots) {
        slot[..frame.len()].copy_from_slice(frame);
        let len = frame.len() as u16;
        metas.push(TxMeta { len, start_ns: 0 });
    }
    drop(slots);
    (burst.len(), to.tx_commit(&metas))
}

/// Sends a burst and takes what arrived. Returns how many it sent, and how many arrived.
fn generate(out: &mut dyn Port, back: &mut dyn Port) -> (usize, usize) {
    let mut slots = TxSlots::new();
    out.tx_slots(BURST, &mut slots);
    let metas = [TxMeta {
        len: OCTETS as u16,
        start_ns: 0,
    }; BURST];
    for slot in &mut slots {
        slot[..OCTETS].fill(0x22);
        slot[12..14].copy_from_slice(&[0x88, 0xb5]);
    }
    let count = slots.len();
    drop(slots);
    let sent = out.tx_commit(&metas[..count]);
    let mut burst = RxBurst::new();
    back.rx_burst(0, &mut burst);
    (sent, burst.len())
}

fn main() {
    if Command::new("ip")
        .args(["link", "show", "dev", "eth0"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        eprintln!("skipped: af_xdp: runs in a network namespace of its own: unshare --net");
        return;
    }
    for pair in ["w0 type veth peer name w1", "e0 type veth peer name e1"] {
        run(&format!("ip link add {pair}"));
    }
    for name in ["w0", "w1", "e0", "e1"] {
        run(&format!("ip link set dev {name} addrgenmode none"));
        run(&format!("ip link set dev {name} up"));
    }
    let (mut out, mut west, mut east, mut back) = (open("w0"), open("w1"), open("e0"), open("e1"));
    let (stop, forwarded) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (_, left) = forward(&mut west, &mut east);
                forwarded.fetch_add(left as u64, Ordering::Relaxed);
            }
        });
        let begin = Instant::now();
        let (mut sent, mut arrived) = (0, 0);
        while begin.elapsed() < Duration::from_secs_f64(SECONDS) {
            let (s, a) = generate(&mut out, &mut back);
            (sent, arrived) = (sent + s, arrived + a);
        }
        stop.store(true, Ordering::Relaxed);
        let rate = |count| count as f64 / SECONDS / 1e6;
        let forwarded = forwarded.load(Ordering::Relaxed) as usize;
        println!(
            "af_xdp over veth, {OCTETS} octets: {:.3} M/s sent, {:.3} M/s forwarded, {:.3} M/s arrived",
            rate(sent),
            rate(forwarded),
            rate(arrived)
        );
    });
}
