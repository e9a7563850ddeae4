//! A thread of the host as the main loop sees it.
//!
//! Interrupts are `unpark`s: one that comes before the sleep ends it at once.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::thread::{current, park};
use std::time::Instant;

use pinode_virtqueue::{DriverQueue, QueueLayout, Ram, Receiveq, RingOctets, Transmitq};
use rustix::time::{ClockId, clock_gettime};

use super::mailbox::{Log, Mailbox};
use super::unsafe_memory::HostedMemory;
use super::{HostedConfig, HostedEvent, HostedPair, HostedSink, HostedVif, Kick, Wake};
use crate::control::Config;
use crate::run::Platform;
use crate::unsafe_arena::{Arena, OutOfMemory};
use crate::usage::Clock;
use crate::vif::{Direction, Net, Queues};

/// By how much CPU time may get ahead of the time that passed: an hour, which takes centuries.
const CLOCKS_APART_NS: u64 = 3_600_000_000_000;

/// The guest's thread.
pub struct Thread {
    config: HostedConfig,
    kicks: Vec<Kick>,
    memory: Arc<HostedMemory>,
    mailbox: Arc<Mailbox>,
    log: Arc<Log>,
    events: HostedSink,
    started: Instant,
}

impl Thread {
    pub fn new(
        config: HostedConfig,
        kicks: Vec<Kick>,
        memory: Arc<HostedMemory>,
        mailbox: Arc<Mailbox>,
        log: Arc<Log>,
        events: HostedSink,
    ) -> Self {
        Thread {
            config,
            kicks,
            memory,
            mailbox,
            log,
            events,
            started: Instant::now(),
        }
    }

    /// Binds the thread to its CPUs. A CPU that does not exist is passed over, as the node has checked them.
    pub fn pin(&self) {
        if self.config.cpus.is_empty() {
            return;
        }
        let mut set = rustix::thread::CpuSet::new();
        let most = rustix::thread::CpuSet::MAX_CPU;
        self.config
            .cpus
            .iter()
            .filter(|cpu| **cpu < most)
            .for_each(|cpu| set.set(*cpu));
        if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
            self.log.append(&format!(
                "cannot use CPUs {:?}: {error}\n",
                self.config.cpus
            ));
        }
    }

    /// Makes the rings of one vif; the host gets its halves.
    fn vif(
        &self,
        arena: &mut Arena,
        vif: HostedVif,
        queues: &mut Vec<Queues>,
    ) -> Result<Vec<HostedPair>, String> {
        let size = vif.queue_size;
        let guest = current();
        let wake: Wake = Arc::new(move || guest.unpark());
        let mut pairs = Vec::new();
        for _ in 0..vif.queue_pairs {
            let ram = arena.ram();
            // As with a VM's devices: as many frames fit as without a header of their own.
            let (receive, transmit) = (layout(arena, size)?, layout(arena, 2 * size)?);
            queues.push(Queues {
                receive: DriverQueue::new(ram, &receive).map_err(text)?,
                transmit: arena
                    .headed(&transmit)
                    .map_err(|error| error.to_string())?
                    .map_err(text)?,
            });
            pairs.push(self.host(ram, &receive, &transmit, &wake)?);
        }
        Ok(pairs)
    }

    fn host(
        &self,
        ram: Ram,
        receive: &QueueLayout,
        transmit: &QueueLayout,
        wake: &Wake,
    ) -> Result<HostedPair, String> {
        Ok(HostedPair {
            receive: Receiveq::new(ram, receive, false).map_err(text)?,
            transmit: Transmitq::new(ram, transmit).map_err(text)?,
            wake: wake.clone(),
            memory: self.memory.clone(),
        })
    }
}

pub(super) fn layout(arena: &mut Arena, size: u16) -> Result<QueueLayout, String> {
    let needs = RingOctets::of(size);
    let octets = needs.desc.octets + needs.avail.octets + needs.used.octets + 128;
    let base = arena
        .allocate(octets, 4096)
        .map_err(|error: OutOfMemory| error.to_string())?;
    Ok(QueueLayout::contiguous(base, size, true))
}

pub(super) fn text(error: pinode_virtqueue::QueueError) -> String {
    error.to_string()
}

impl Clock for Thread {
    #[inline]
    fn ticks(&self) -> u64 {
        // Fits: 584 years of nanoseconds.
        self.started.elapsed().as_nanos() as u64
    }

    fn nanoseconds(&self, ticks: u64) -> u64 {
        ticks
    }

    /// Time in which the kernel did not run this thread, asleep or not. One system call.
    fn away_ns(&self) -> u64 {
        let ran = clock_gettime(ClockId::ThreadCPUTime);
        let ran_ns = ran.tv_sec.unsigned_abs() * 1_000_000_000 + ran.tv_nsec.unsigned_abs();
        // The two clocks do not run alike to the last digit, and a thread may always run.
        (self.ticks() + CLOCKS_APART_NS).saturating_sub(ran_ns)
    }
}

impl Platform for Thread {
    #[inline]
    fn receive_line(&mut self) -> Option<String> {
        self.mailbox.take()
    }

    fn send_line(&mut self, line: &str) {
        (self.events)(HostedEvent::Control(line.to_string()));
    }

    fn log(&mut self, text: &str) {
        self.log.append(&format!("{text}\n"));
    }

    fn arm(&mut self) -> bool {
        self.mailbox.has_line()
    }

    fn idle(&mut self) {
        park();
    }

    /// The host's allocator has what there is.
    fn reserve(&mut self, _octets: u64) -> Result<(), String> {
        Ok(())
    }

    fn open(&mut self, config: &Config) -> Result<Net, String> {
        let (wanted, present) = (config.vifs.len(), self.config.vifs.len());
        if wanted != present {
            return Err(format!(
                "{wanted} vifs configured, but the guest has {present}"
            ));
        }
        let mut arena = self
            .memory
            .arena()
            .ok_or("the guest is configured already".to_string())?;
        let (mut queues, mut hosts) = (Vec::new(), Vec::new());
        let lanes = self.config.vifs.first().map_or(1, |vif| vif.queue_pairs);
        for vif in &self.config.vifs {
            if vif.queue_pairs != lanes || vif.queue_size < 4 {
                return Err(format!(
                    "{vif:?}: {lanes} queue pairs and rings of 4 or more wanted"
                ));
            }
            hosts.push(self.vif(&mut arena, *vif, &mut queues)?);
        }
        let net = Net::with_buffers(
            &mut arena,
            queues,
            usize::from(lanes),
            config.largest_frame(),
        )
        .map_err(|error| error.to_string())?;
        for (net, pairs) in hosts.into_iter().enumerate() {
            (self.events)(HostedEvent::NetUp { net, pairs });
        }
        Ok(net)
    }

    #[inline]
    fn kick(&mut self, lane: usize, direction: Direction) {
        let pairs = self.config.vifs.first().map_or(1, |vif| vif.queue_pairs);
        // The host asks for kicks on what it takes frames from, and on nothing else.
        if let Some(kick) = self.kicks.get(lane / usize::from(pairs.max(1)))
            && direction == Direction::Transmit
        {
            kick();
        }
    }
}
