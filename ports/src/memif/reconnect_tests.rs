//! Every frame is received exactly once and in order, however often the connection breaks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::refusal::Refusal;
use super::*;

const LIMIT: Duration = Duration::from_secs(30);

/// An end that numbers what it sends and checks what it receives.
struct End {
    port: MemifPort,
    sent: u32,
    received: u32,
}

impl End {
    fn new(port: MemifPort) -> Self {
        Self {
            port,
            sent: 0,
            received: 0,
        }
    }

    /// Octets of frame `number`: some in one buffer, some in several.
    fn octets(number: u32) -> usize {
        60 + (number as usize * 97) % 1440
    }

    fn send(&mut self, count: usize) {
        let mut slots = TxSlots::new();
        self.port.tx_slots(count, &mut slots);
        let mut metas = Vec::new();
        for (slot, number) in slots.iter_mut().zip(self.sent..) {
            let len = Self::octets(number);
            slot[..4].copy_from_slice(&number.to_le_bytes());
            slot[4..len].fill(number as u8);
            metas.push(TxMeta {
                len: len as u16,
                start_ns: 0,
            });
        }
        drop(slots);
        assert_eq!(
            self.port.tx_commit(&metas),
            metas.len(),
            "a slot was refused"
        );
        self.sent += metas.len() as u32;
    }

    fn receive(&mut self, most: usize) {
        let mut burst = RxBurst::new();
        // A caller may leave less than a whole burst of room.
        let taken: &[u8] = &[];
        while burst.remaining_capacity() > most {
            burst.push(taken);
        }
        let before = burst.len();
        self.port.rx_burst(0, &mut burst);
        for frame in &burst[before..] {
            let number = u32::from_le_bytes(frame[..4].try_into().expect("4"));
            assert_eq!(number, self.received, "not in order");
            assert_eq!(frame.len(), Self::octets(number));
            assert!(frame[4..].iter().all(|octet| *octet == number as u8));
            self.received += 1;
        }
    }

    /// Breaks the connection, if there is one.
    fn disconnect(&mut self) {
        if let Some(link) = &self.port.link {
            link.connection.accuse(Refusal::Closed);
        }
    }
}

fn pair(options: [&str; 2], mtu: [u16; 2]) -> (tempfile::TempDir, [End; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |role: &str, options: &str, mtu| {
        let socket = folder.path().join("s");
        let spec = format!("{},role={role}{options}", socket.display());
        let spec = spec.parse().expect("parses");
        End::new(MemifPort::open(&spec, mtu, 1).expect("opens").remove(0))
    };
    let ends = [
        open("master", options[0], mtu[0]),
        open("slave", options[1], mtu[1]),
    ];
    (folder, ends)
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Send(usize, usize),
    Receive(usize, usize),
    Disconnect(usize),
    Connected,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_usize, 1..=BURST).prop_map(|(end, count)| Step::Send(end, count)),
        6 => (0..2_usize, 1..=BURST).prop_map(|(end, count)| Step::Receive(end, count)),
        1 => (0..2_usize).prop_map(Step::Disconnect),
        1 => Just(Step::Connected),
    ]
}

fn wait(ends: &mut [End; 2], done: impl Fn(&[End; 2]) -> bool) {
    let start = Instant::now();
    while !done(ends) {
        for end in ends.iter_mut() {
            end.receive(BURST);
        }
        assert!(start.elapsed() < LIMIT, "frames are missing");
        std::thread::yield_now();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn each_frame_once_in_order(
        steps in proptest::collection::vec(step(), 1..80),
        rings in prop_oneof![Just(["", ""]), Just([",ring=128", ""]), Just(["", ",ring=128"])],
        small_slave in any::<bool>(),
    ) {
        // A master with a large MTU fills several buffers of a slave with a small one for one frame.
        let mtu = if small_slave { [9000, 1500] } else { [1500, 1500] };
        let (_folder, mut ends) = pair(rings, mtu);
        for step in steps {
            match step {
                Step::Send(end, count) => ends[end].send(count),
                Step::Receive(end, most) => ends[end].receive(most),
                Step::Disconnect(end) => ends[end].disconnect(),
                Step::Connected => wait(&mut ends, |ends| ends.iter().all(|end| end.port.is_connected())),
            }
        }
        wait(&mut ends, |[a, b]| a.received == b.sent && b.received == a.sent);
        for end in &mut ends {
            end.receive(BURST);
            prop_assert_eq!(end.port.missed(), 0);
        }
        prop_assert_eq!(ends[0].received, ends[1].sent);
        prop_assert_eq!(ends[1].received, ends[0].sent);
    }
}

/// Both ends at full speed on threads of their own, broken by either at any instant.
#[test]
fn each_frame_once_while_both_ends_run() {
    let (_folder, ends) = pair(["", ""], [1500, 1500]);
    let over = AtomicBool::new(false);
    let run = |mut end: End, every: Duration| {
        let over = &over;
        move || {
            let mut broken = Instant::now();
            let mut breaks = 0;
            while !over.load(Ordering::Relaxed) {
                end.send(BURST);
                end.receive(BURST);
                if broken.elapsed() > every {
                    end.disconnect();
                    (broken, breaks) = (Instant::now(), breaks + 1);
                }
            }
            assert!(breaks > 3, "{breaks}");
            end
        }
    };
    let mut ends = std::thread::scope(|scope| {
        let mut periods = VecDeque::from([Duration::from_millis(130), Duration::from_millis(210)]);
        let threads = ends.map(|end| scope.spawn(run(end, periods.pop_front().expect("two"))));
        std::thread::sleep(Duration::from_secs(2));
        over.store(true, Ordering::Relaxed);
        threads.map(|thread| thread.join().expect("no frame out of order"))
    });
    wait(&mut ends, |[a, b]| {
        a.received == b.sent && b.received == a.sent
    });
    let [a, b] = &ends;
    assert!(a.sent > 1000 && b.sent > 1000, "{} {}", a.sent, b.sent);
    assert!(
        a.port.sent_again() + b.port.sent_again() > 0,
        "nothing was under way"
    );
}
