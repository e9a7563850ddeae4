//! Generator and receiver at the far ends, one thread: it sends as much as the kernel takes and counts
//! what comes back.

use std::time::{Duration, Instant};

use pinode_ports::{BURST, Port, RxBurst, TxMeta, TxSlots};

use super::port;

/// Octets of the frame check sequence, which sizes count.
const FCS: usize = 4;

/// What flowed in a span.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Frames per second that the kernel took from the generator.
    pub sent_fps: f64,
    /// Frames per second that came back.
    pub received_fps: f64,
}

/// Both far ends.
pub struct Tester {
    generator: Box<dyn Port>,
    receiver: Box<dyn Port>,
    /// A frame of each PI.
    templates: Vec<Vec<u8>>,
    next: usize,
    sent: u64,
    received: u64,
}

impl Tester {
    /// Opens both; frames have `size` octets, with FCS, and are of the PI codes 1 to `pis` in turn.
    ///
    /// # Errors
    /// What stands against the ports.
    pub fn open(size: u16, pis: usize) -> anyhow::Result<Self> {
        let template = |pi: usize| {
            let mut frame = vec![0; usize::from(size).saturating_sub(FCS).max(60)];
            let pih = ((pi + 1) as u8) << 5;
            let head = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, pih];
            frame[..head.len()].copy_from_slice(&head);
            frame
        };
        Ok(Self {
            generator: port("gen")?,
            receiver: port("sink")?,
            templates: (0..pis.clamp(1, 7)).map(template).collect(),
            next: 0,
            sent: 0,
            received: 0,
        })
    }

    /// Sends and counts on the calling thread.
    pub fn run(&mut self, warm_up: Duration, span: Duration) -> Flow {
        self.turn_until(Instant::now() + warm_up);
        let (began, sent, received) = (Instant::now(), self.sent, self.received);
        self.turn_until(began + span);
        let seconds = began.elapsed().as_secs_f64();
        Flow {
            sent_fps: (self.sent - sent) as f64 / seconds,
            received_fps: (self.received - received) as f64 / seconds,
        }
    }

    fn turn_until(&mut self, end: Instant) {
        while Instant::now() < end {
            self.send();
            self.receive();
        }
    }

    fn send(&mut self) {
        let mut slots = TxSlots::new();
        self.generator.tx_slots(BURST, &mut slots);
        let mut metas = arrayvec::ArrayVec::<TxMeta, BURST>::new();
        for slot in &mut slots {
            let template = &self.templates[self.next];
            let Some(room) = slot.get_mut(..template.len()) else {
                break;
            };
            room.copy_from_slice(template);
            self.next = (self.next + 1) % self.templates.len();
            metas.push(TxMeta {
                len: template.len() as u16,
                start_ns: 0,
            });
        }
        drop(slots);
        self.sent += self.generator.tx_commit(&metas) as u64;
        // An AF_XDP port reaps what the kernel has sent when it is received from.
        self.generator.rx_burst(0, &mut RxBurst::new());
    }

    fn receive(&mut self) {
        loop {
            let mut frames = RxBurst::new();
            self.receiver.rx_burst(0, &mut frames);
            let ours = |frame: &&&[u8]| frame.get(12..14) == Some(&[0x88, 0xb5][..]);
            self.received += frames.iter().filter(ours).count() as u64;
            if frames.len() < BURST {
                return;
            }
        }
    }
}
