//! A test stand: a guest function over the same rings, without a thread of its own.
//!
//! Whoever holds it is host and guest in turns, and says what time it is: what a function does is the same in
//! each run, and what it costs is measured without a second core. It must never be what a node runs.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use pinode_virtqueue::{DriverQueue, Receiveq, Refused, Transmitq, TxFrame};

use super::HostedPair;
use super::thread::{layout, text};
use super::unsafe_memory::HostedMemory;
use crate::control::Config;
use crate::function::Function;
use crate::vif::{Moved, Net, Queues};

/// A configured function and the host's sides of its vifs, of one queue pair each.
#[derive(Debug)]
pub struct Stand {
    net: Net,
    vifs: Vec<StandVif>,
    /// Keeps the rings mapped; dropped last.
    memory: Arc<HostedMemory>,
}

/// The host's side of a vif.
#[derive(Debug)]
pub struct StandVif {
    /// Frames to the guest.
    pub receive: Receiveq,
    /// Frames from the guest.
    pub transmit: Transmitq,
    harvested: Vec<TxFrame>,
}

impl Stand {
    /// Configures `function` and brings its vifs up, with rings of `queue_size` descriptors (a power of two, 4 to
    /// 32768) and `memory` octets for rings and buffers.
    ///
    /// # Errors
    ///
    /// What the function says; or there is too little memory.
    pub fn start(
        function: &mut dyn Function,
        config: &Config,
        queue_size: u16,
        memory: u64,
    ) -> Result<Self, String> {
        function.configure(config)?;
        let memory = Arc::new(HostedMemory::new(memory).map_err(|error| error.to_string())?);
        let mut arena = memory.arena().ok_or("the memory is in use")?;
        let (mut queues, mut vifs) = (Vec::new(), Vec::new());
        for _ in &config.vifs {
            let ram = arena.ram();
            let receive = layout(&mut arena, queue_size)?;
            let transmit = layout(&mut arena, queue_size.saturating_mul(2))?;
            queues.push(Queues {
                receive: DriverQueue::new(ram, &receive).map_err(text)?,
                transmit: arena
                    .headed(&transmit)
                    .map_err(|error| error.to_string())?
                    .map_err(text)?,
            });
            vifs.push(StandVif {
                receive: Receiveq::new(ram, &receive, false).map_err(text)?,
                transmit: Transmitq::new(ram, &transmit).map_err(text)?,
                harvested: Vec::new(),
            });
        }
        let mut net = Net::with_buffers(&mut arena, queues, 1, config.largest_frame())
            .map_err(|error| error.to_string())?;
        net.publish(|_, _| {});
        Ok(Stand { net, vifs, memory })
    }

    /// How many vifs there are.
    pub fn vifs(&self) -> usize {
        self.vifs.len()
    }

    /// The host's side of vif `index`.
    ///
    /// # Panics
    ///
    /// There is no such vif.
    pub fn vif(&mut self, index: usize) -> &mut StandVif {
        &mut self.vifs[index]
    }

    /// Gives the host's sides of all vifs away, in order, to what serves them from now on: a node's worker. Nobody has
    /// to be woken, as whoever holds the stand decides when the guest runs.
    pub fn hand_over(&mut self) -> Vec<HostedPair> {
        let vifs = core::mem::take(&mut self.vifs).into_iter();
        vifs.map(|vif| HostedPair {
            receive: vif.receive,
            transmit: vif.transmit,
            wake: Arc::new(|| {}),
            memory: Arc::clone(&self.memory),
        })
        .collect()
    }

    /// One round of the guest over all its rings, at `now_ns`.
    ///
    /// # Errors
    ///
    /// A ring was broken.
    pub fn round(&mut self, function: &mut dyn Function, now_ns: u64) -> Result<Moved, String> {
        self.net.round(function, now_ns, |_, _| {}).map_err(text)
    }

    /// Tells the function that it is `now_ns`.
    ///
    /// # Errors
    ///
    /// A ring was broken.
    pub fn tick(&mut self, function: &mut dyn Function, now_ns: u64) -> Result<(), String> {
        self.net.tick(function, now_ns, |_, _| {}).map_err(text)
    }
}

impl StandVif {
    /// Gives the guest a frame; false if it has no buffer for it.
    ///
    /// # Panics
    ///
    /// The guest broke the ring.
    pub fn give(&mut self, frame: &[u8]) -> bool {
        let taken = match self.receive.deliver(&[], frame) {
            Ok(()) => true,
            Err(Refused::Full) => false,
            Err(Refused::Broken(error)) => panic!("{error}"),
        };
        self.receive.publish();
        taken
    }

    /// Takes what the guest sent, and gives the buffers back.
    ///
    /// # Panics
    ///
    /// The guest broke the ring.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        let StandVif {
            transmit,
            harvested,
            ..
        } = self;
        if let Err(error) = transmit.harvest(usize::MAX, |frame| harvested.push(frame)) {
            panic!("{error}");
        }
        let mut frames = Vec::with_capacity(harvested.len());
        for frame in harvested.drain(..) {
            let mut octets = alloc::vec![0; frame.len() as usize];
            if let Err(error) = transmit.read(&frame, 0, &mut octets) {
                panic!("{error}");
            }
            frames.push(octets);
            transmit.complete(frame);
        }
        transmit.publish();
        frames
    }
}
