//! The patch function as a host thread: every frame comes out of the other vif byte for byte, whatever the
//! host does meanwhile. Waits are bounded; pauses come from a seeded generator.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pinode_guest_patch::Patch;
use pinode_guest_runtime::hosted::{Hosted, HostedConfig, HostedEvent, HostedPair, HostedVif};
use pinode_virtqueue::Refused;

const PATIENCE: Duration = Duration::from_secs(30);
const CONFIG: &str = concat!(
    r#"{"config":{"function":"patch","vifs":[{"name":"west","mac":"02:00:00:00:00:01","mtu":1500},"#,
    r#"{"name":"east","mac":"02:00:00:00:00:02","mtu":1500}],"vns":[0],"pi":null}}"#
);

struct Guest {
    hosted: Hosted,
    events: Receiver<HostedEvent>,
    vifs: Vec<Vec<HostedPair>>,
}

impl Guest {
    fn start(queue_size: u16, queue_pairs: u16) -> Self {
        let (sender, events) = channel();
        let sender = Mutex::new(sender);
        let config = HostedConfig {
            name: "patch".into(),
            memory: 8 << 20,
            vifs: vec![
                HostedVif {
                    queue_size,
                    queue_pairs
                };
                2
            ],
            cpus: Vec::new(),
        };
        let sink = Arc::new(move |event| {
            // The receiver is gone when the test has ended.
            let _ = sender.lock().unwrap().send(event);
        });
        let hosted = Hosted::start(config, Box::new(Patch), sink).unwrap();
        Guest {
            hosted,
            events,
            vifs: vec![Vec::new(), Vec::new()],
        }
    }

    fn ready(queue_size: u16, queue_pairs: u16) -> Self {
        let mut guest = Self::start(queue_size, queue_pairs);
        guest.hosted.send_line(CONFIG);
        guest.line(r#"{"hello":{"abi":1}}"#);
        guest.line(r#"{"ready":{}}"#);
        guest
    }

    fn event(&mut self) -> HostedEvent {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("an event") {
                HostedEvent::NetUp { net, pairs } => self.vifs[net] = pairs,
                event => return event,
            }
        }
    }

    fn line(&mut self, expected: &str) {
        match self.event() {
            HostedEvent::Control(line) => assert_eq!(line, expected),
            event => panic!("{event:?} instead of {expected}"),
        }
    }

    fn give(&mut self, vif: usize, pair: usize, frame: &[u8]) -> bool {
        let HostedPair { receive, .. } = &mut self.vifs[vif][pair];
        let taken = match receive.deliver(&[], frame) {
            Ok(()) => true,
            Err(Refused::Full) => false,
            Err(Refused::Broken(error)) => panic!("{error}"),
        };
        receive.publish();
        self.wake();
        taken
    }

    /// Wakes the guest if it asked for that. As a worker does, this looks again every round: what is
    /// published has no fence behind it, so one look could miss a guest that is falling asleep.
    fn wake(&mut self) {
        for HostedPair {
            receive,
            transmit,
            wake,
            ..
        } in self.vifs.iter_mut().flatten()
        {
            if receive.wants_interrupt() || transmit.wants_interrupt() {
                receive.signalled();
                transmit.signalled();
                wake();
            }
        }
    }

    /// Takes what was sent on a vif, at most `max` frames.
    fn take(&mut self, vif: usize, pair: usize, max: usize, mut each: impl FnMut(&[u8])) -> usize {
        let HostedPair { transmit, .. } = &mut self.vifs[vif][pair];
        let mut found = Vec::new();
        transmit.harvest(max, |frame| found.push(frame)).unwrap();
        let mut octets = [0; 1600];
        for frame in &found {
            let octets = &mut octets[..frame.len() as usize];
            transmit.read(frame, 0, octets).unwrap();
            each(octets);
        }
        let count = found.len();
        found.into_iter().for_each(|frame| transmit.complete(frame));
        transmit.publish();
        self.wake();
        count
    }

    fn await_frame(&mut self, vif: usize, pair: usize) -> Vec<u8> {
        let since = Instant::now();
        let mut frame = None;
        while frame.is_none() {
            self.take(vif, pair, 1, |octets| frame = Some(octets.to_vec()));
            assert!(since.elapsed() < PATIENCE, "no frame");
            std::thread::yield_now();
        }
        frame.unwrap()
    }
}

/// Small and fast (xorshift64), seeded.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Frame `number`: 60 to 1514 octets, contents of its own.
fn frame(number: u64) -> Vec<u8> {
    let octets = 60 + (number * 7919) as usize % 1455;
    let mut frame: Vec<u8> = (0..octets)
        .map(|at| (at as u64 * 131 + number) as u8)
        .collect();
    frame[..8].copy_from_slice(&number.to_le_bytes());
    frame
}

#[test]
fn every_size_crosses_byte_for_byte_both_ways_on_each_pair() {
    let mut guest = Guest::ready(64, 2);
    for octets in 60..=1514usize {
        let frame: Vec<u8> = (0..octets).map(|at| (at * 7 + octets) as u8).collect();
        let (vif, pair) = (octets % 2, octets / 2 % 2);
        assert!(guest.give(vif, pair, &frame));
        assert_eq!(guest.await_frame(1 - vif, pair), frame);
    }
    guest.hosted.stop();
}

#[test]
fn a_million_frames_under_random_pauses() {
    const FRAMES: u64 = 1_000_000;
    let mut guest = Guest::ready(256, 1);
    let mut chance = Chance(0x1234_5678_9abc_def1);
    let (mut sent, mut received) = (0u64, 0u64);
    // A few contents by turns: making each anew would cost more than moving it.
    let samples: Vec<Vec<u8>> = (0..97).map(frame).collect();
    let sample = |number: u64| &samples[(number % 97) as usize];
    let mut progress = Instant::now();
    while received < FRAMES {
        for _ in 0..chance.below(128) {
            if sent == FRAMES || !guest.give(0, 0, sample(sent)) {
                break;
            }
            sent += 1;
        }
        let max = chance.below(200) as usize;
        let count = guest.take(1, 0, max, |octets| {
            assert!(octets == sample(received), "frame {received}");
            received += 1;
        });
        if count > 0 {
            progress = Instant::now();
        }
        assert!(
            progress.elapsed() < PATIENCE,
            "stuck: {sent} sent, {received} received"
        );
        match chance.below(1000) {
            // Long enough for the guest to fall asleep, and to be just falling asleep.
            0 => std::thread::sleep(Duration::from_micros(chance.below(300))),
            1..=40 => (0..chance.below(3000)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
        if sent > received {
            std::thread::yield_now();
        }
    }
    assert_eq!((sent, received), (FRAMES, FRAMES));
    guest.hosted.send_line(r#"{"ping":3}"#);
    guest.line(r#"{"pong":3}"#);
    let HostedEvent::Control(usage) = guest.event() else {
        panic!("no usage")
    };
    assert!(usage.contains(&format!(r#""frames":{FRAMES}"#)), "{usage}");
    assert!(usage.contains(r#""discarded":0"#), "{usage}");
}

#[test]
fn a_lone_frame_wakes_a_sleeping_guest_ten_thousand_times() {
    let mut guest = Guest::ready(64, 1);
    let mut chance = Chance(42);
    for number in 0..10_000u64 {
        let (vif, frame) = ((number % 2) as usize, frame(number));
        assert!(guest.give(vif, 0, &frame));
        assert_eq!(guest.await_frame(1 - vif, 0), frame);
        (0..chance.below(2000)).for_each(|_| std::hint::spin_loop());
    }
}

#[test]
fn what_is_not_taken_holds_the_frames_back() {
    let mut guest = Guest::ready(64, 1);
    let mut waiting = VecDeque::new();
    let mut refused = Instant::now();
    let mut number = 0;
    // Refused for a while on end: all is full, the guest sleeps.
    while refused.elapsed() < Duration::from_millis(50) {
        if guest.give(0, 0, &frame(number)) {
            waiting.push_back(frame(number));
            number += 1;
            refused = Instant::now();
        }
    }
    assert!(
        (2 * 62..=4 * 64).contains(&waiting.len()),
        "{} frames held",
        waiting.len()
    );
    // The other way is not held back.
    assert!(guest.give(1, 0, &frame(7)));
    assert_eq!(guest.await_frame(0, 0), frame(7));
    while let Some(expected) = waiting.pop_front() {
        assert_eq!(guest.await_frame(1, 0), expected);
    }
}

#[test]
fn says_what_is_wrong_and_stops() {
    let mut guest = Guest::start(64, 1);
    guest
        .hosted
        .send_line(&CONFIG.replace(r#""pi":null"#, r#""pi":{"speed":9}"#));
    guest.line(r#"{"hello":{"abi":1}}"#);
    guest.line(r#"{"error":"patch has nothing to configure; unknown key 'speed'"}"#);
    assert!(matches!(guest.event(), HostedEvent::Stopped));
    let mut guest = Guest::ready(64, 1);
    let (console, _) = guest.hosted.console_since(0);
    assert_eq!(console, b"patch: forwarding on 2 vifs\n");
    let since = Instant::now();
    guest.hosted.send_line(r#"{"stop":{}}"#);
    assert!(matches!(guest.event(), HostedEvent::Stopped));
    guest.hosted.stop();
    assert!(since.elapsed() < PATIENCE);
}
