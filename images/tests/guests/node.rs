//! The node's part, played by a test: a machine with its vifs up, frames by hand, lines by hand.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pinode_vmm::{
    BootProtocol, FaultReport, Kernel, KvmHost, Machine, MachineConfig, MachineEvent, NetConfig,
    QueuePair,
};

/// No answer takes longer on a machine that works, however loaded.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// KVM, or `None` after saying what is missing. Fails where everything is required.
pub fn kvm(test: &str) -> Option<KvmHost> {
    match KvmHost::open() {
        Ok(host) => Some(host),
        Err(error) => {
            let required = std::env::var("CI").is_ok_and(|value| value == "true")
                || std::env::var("PINODE_REQUIRE").is_ok_and(|value| value == "all");
            assert!(!required, "{test} needs KVM: {error}");
            eprintln!("skipped: {test}: {error}; run as root or as a user of group kvm");
            None
        }
    }
}

/// A machine and what it said.
pub struct Node {
    pub machine: Machine,
    pub pairs: Vec<Vec<QueuePair>>,
    events: Receiver<MachineEvent>,
    pub booted: Instant,
}

pub fn config(image: &'static [u8], boot: BootProtocol, queue_pairs: u16) -> MachineConfig {
    let net = |last| NetConfig {
        mac: [2, 0, 0, 0, 0, last],
        mtu: 1500,
        queue_pairs,
        queue_size: 256,
    };
    MachineConfig {
        name: "test".into(),
        memory: 32 << 20,
        vcpus: 1,
        cpus: Vec::new(),
        kernel: Kernel::Embedded(image),
        initrd: None,
        cmdline: String::new(),
        boot,
        nets: vec![net(1), net(2)],
        kicks: Vec::new(),
    }
}

/// The configuration of the patch function.
pub const PATCH: &str = concat!(
    r#"{"config":{"function":"patch","vifs":["#,
    r#"{"name":"west","mac":"02:00:00:00:00:01","mtu":1500},"#,
    r#"{"name":"east","mac":"02:00:00:00:00:02","mtu":1500}],"vns":[0],"pi":{}}}"#
);

impl Node {
    /// Boots, without waiting for anything.
    pub fn boot(host: &KvmHost, config: MachineConfig) -> Self {
        let (sender, events): (Sender<MachineEvent>, _) = channel();
        let sender = Mutex::new(sender);
        let sink = Arc::new(move |event| {
            // The receiver may be gone already when a test ends.
            let _ = sender.lock().unwrap().send(event);
        });
        let vifs = config.nets.len();
        let booted = Instant::now();
        let machine = Machine::boot(host, config, sink).unwrap();
        Node {
            machine,
            pairs: (0..vifs).map(|_| Vec::new()).collect(),
            events,
            booted,
        }
    }

    /// Boots `image` as a patch, until it forwards.
    pub fn ready(host: &KvmHost, image: &'static [u8], boot: BootProtocol) -> Self {
        let mut node = Self::boot(host, config(image, boot, 1));
        node.machine.control().send_line(PATCH).unwrap();
        node.line(r#"{"hello":{"abi":1}}"#);
        node.line(r#"{"ready":{}}"#);
        node
    }

    /// The next event other than a vif coming up.
    pub fn event(&mut self) -> MachineEvent {
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(MachineEvent::NetUp { net, pairs }) => self.pairs[net] = pairs,
                Ok(event) => return event,
                Err(_) => {
                    let console = self.machine.console().tail();
                    panic!(
                        "nothing heard; console: {}",
                        String::from_utf8_lossy(&console)
                    );
                }
            }
        }
    }

    /// Whether nothing is heard for so long.
    pub fn quiet(&mut self, time: Duration) -> bool {
        self.events.recv_timeout(time).is_err()
    }

    /// Waits for exactly this line.
    pub fn line(&mut self, expected: &str) {
        match self.event() {
            MachineEvent::Control(line) => assert_eq!(line, expected),
            event => panic!("{event:?} instead of {expected}"),
        }
    }

    /// Waits for any line.
    pub fn any_line(&mut self) -> String {
        match self.event() {
            MachineEvent::Control(line) => line,
            event => panic!("{event:?} instead of a line"),
        }
    }

    /// Waits for a fault.
    pub fn fault(&mut self) -> FaultReport {
        match self.event() {
            MachineEvent::Fault(report) => *report,
            event => panic!("{event:?} instead of a fault"),
        }
    }

    /// Gives the guest a frame on `vif`. False: the ring is full. It is woken by the next call of
    /// [`wake`](Self::wake), which every wait makes.
    pub fn give(&mut self, vif: usize, pair: usize, frame: &[u8]) -> bool {
        let pair = &mut self.pairs[vif][pair];
        let taken = pair.receive.deliver(&[], frame).is_ok();
        pair.receive.publish();
        self.wake();
        taken
    }

    /// Wakes the guest if it asked for that. As a worker does, this looks again every round: what is
    /// published has no fence behind it, so one look could miss a guest that is falling asleep.
    pub fn wake(&mut self) {
        for pair in self.pairs.iter_mut().flatten() {
            if pair.receive.wants_interrupt() || pair.transmit.wants_interrupt() {
                pair.receive.signalled();
                pair.transmit.signalled();
                pair.interrupt.raise();
            }
        }
    }

    /// Takes what the guest sent on `vif`.
    pub fn take(&mut self, vif: usize, pair: usize) -> Vec<Vec<u8>> {
        let pair = &mut self.pairs[vif][pair];
        let mut found = Vec::new();
        pair.transmit
            .harvest(64, |frame| found.push(frame))
            .unwrap();
        let frames = found.iter().map(|frame| {
            let mut octets = vec![0; frame.len() as usize];
            pair.transmit.read(frame, 0, &mut octets).unwrap();
            octets
        });
        let frames = frames.collect();
        found
            .into_iter()
            .for_each(|frame| pair.transmit.complete(frame));
        pair.transmit.publish();
        self.wake();
        frames
    }

    /// Waits until `vif` has sent something.
    pub fn await_frames(&mut self, vif: usize, pair: usize) -> Vec<Vec<u8>> {
        let since = Instant::now();
        loop {
            let frames = self.take(vif, pair);
            if !frames.is_empty() {
                return frames;
            }
            assert!(since.elapsed() < PATIENCE, "no frame from vif {vif}");
            std::hint::spin_loop();
        }
    }
}
