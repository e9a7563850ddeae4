//! The slave's side of the handshake: HELLO, then one message at a time, each acknowledged, then CONNECTED.
//!
//! Pure but for the memory it makes: messages in, messages out. Must never believe the master beyond limits.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::event::{EventfdFlags, eventfd};

use super::bell::Bell;
use super::connection::{Connection, Ring};
use super::handshake::{Local, Reply, Step};
use super::layout::{COOKIE, ring_octets};
use super::message::{AddRing, Direction, Hello, Init, Message, VERSION};
use super::receiver::Receiver;
use super::refusal::Refusal;
use super::region::create;
use super::sender::OwnBuffers;
use super::unsafe_region::{Regions, RingMemory};

/// Between the octets that two buffers begin with: buffers whose distance is a power of two would fight for
/// the same lines of a cache.
const APART: usize = 64;
const PAGE: usize = 4096;

/// Where rings and buffers are in the one region.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    queues: [u16; 2],
    log2_size: u8,
    stride: usize,
    octets: usize,
}

impl Plan {
    /// Rings of `1 << log2_size` for frames of up to `slot_octets`, so many for each direction.
    pub(super) fn new(queues: [u16; 2], log2_size: u8, slot_octets: usize) -> Self {
        Self {
            queues,
            log2_size,
            stride: slot_octets.next_multiple_of(64) + APART,
            octets: slot_octets,
        }
    }

    fn size(&self) -> usize {
        1 << self.log2_size
    }

    fn ring_octets(&self) -> usize {
        ring_octets(u16::try_from(self.size()).unwrap_or(u16::MAX)).next_multiple_of(64)
    }

    fn rings(&self) -> usize {
        self.queues.into_iter().map(usize::from).sum()
    }

    fn buffers(&self) -> usize {
        (self.rings() * self.ring_octets()).next_multiple_of(PAGE)
    }

    /// Octets of the region.
    pub(super) fn region_octets(&self) -> usize {
        (self.buffers() + self.rings() * self.size() * self.stride).next_multiple_of(PAGE)
    }

    /// Ring number `place` of all: its offset, and its buffers. `None`: offsets have 32 bits.
    pub(super) fn ring(&self, place: usize) -> Option<(u32, OwnBuffers)> {
        let offset = u32::try_from(place * self.ring_octets()).ok()?;
        let first = self.buffers() + place * self.size() * self.stride;
        let own = OwnBuffers {
            first: u32::try_from(first).ok()?,
            stride: u32::try_from(self.stride).ok()?,
            octets: u32::try_from(self.octets).ok()?,
        };
        Some((offset, own))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Slave {
    to_send: VecDeque<(Message, Option<OwnedFd>)>,
    made: Option<[Vec<Ring>; 2]>,
}

impl Slave {
    /// Takes a message of the master.
    pub(super) fn receive(
        &mut self,
        message: Message,
        local: &Local,
        thread: &Arc<Bell>,
    ) -> Result<Step, Refusal> {
        match message {
            Message::Hello(hello) if self.made.is_none() => {
                self.offer(&hello, local)?;
                Ok(self.next())
            }
            Message::Ack if !self.to_send.is_empty() => Ok(self.next()),
            Message::Connected { .. } if self.to_send.is_empty() => {
                let Some([outgoing, incoming]) = self.made.take() else {
                    return Err(Refusal::OutOfTurn {
                        message: "CONNECTED",
                    });
                };
                for ring in &incoming {
                    Receiver::prepare(&ring.memory, ring.own);
                }
                Ok(Step {
                    reply: None,
                    connection: Some(Connection::new(incoming, outgoing, Arc::clone(thread))),
                })
            }
            Message::Disconnect { .. } => Err(Refusal::Rejected),
            Message::Hello(_) => Err(Refusal::OutOfTurn { message: "HELLO" }),
            Message::Ack => Err(Refusal::OutOfTurn { message: "ACK" }),
            _ => Err(Refusal::OutOfTurn {
                message: "a slave's message or an early CONNECTED",
            }),
        }
    }

    fn next(&mut self) -> Step {
        let reply = self.to_send.pop_front();
        Step {
            reply: reply.map(|(message, descriptor)| Reply {
                message,
                descriptor,
            }),
            connection: None,
        }
    }

    /// Makes memory and rings that the master takes, and the messages that say so.
    fn offer(&mut self, hello: &Hello, local: &Local) -> Result<(), Refusal> {
        if hello.lowest > VERSION || hello.highest < VERSION {
            return Err(Refusal::Version {
                version: hello.highest,
            });
        }
        let log2_size = local.log2_ring.min(hello.log2_size);
        if log2_size == 0 {
            return Err(Refusal::RingSize {
                index: 0,
                log2_size: 0,
                largest: hello.log2_size,
            });
        }
        let rings = |last: u16| local.queues.min(last.saturating_add(1));
        let queues = [rings(hello.last_s2m), rings(hello.last_m2s)];
        let plan = Plan::new(queues, log2_size, local.slot_octets);
        let octets = plan.region_octets();
        let (file, region) = create(octets)?;
        let regions = Arc::new(Regions(vec![region]));
        self.to_send.push_back((
            Message::Init(Init {
                version: VERSION,
                id: local.id,
                ethernet: true,
                secret: local.secret.0,
                name: local.name.clone(),
            }),
            None,
        ));
        self.to_send.push_back((
            Message::AddRegion {
                index: 0,
                octets: octets as u64,
            },
            Some(file),
        ));
        let mut ring = |direction, index: u16, place: usize| {
            let (offset, own) = plan.ring(place)?;
            let memory = RingMemory::new(&regions, 0, offset, log2_size)?;
            memory.cookie().store(COOKIE, Ordering::Release);
            // A blocking counter could hold up whoever rings it once too often.
            let interrupt = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
            let passed = interrupt.try_clone().ok()?;
            self.to_send.push_back((
                Message::AddRing(AddRing {
                    direction,
                    index,
                    region: 0,
                    offset,
                    log2_size,
                }),
                Some(passed),
            ));
            Some(Ring {
                memory,
                own: Some(own),
                interrupt,
            })
        };
        let [s2m, m2s] = queues;
        let outgoing = (0..s2m).map(|i| ring(Direction::SlaveToMaster, i, usize::from(i)));
        let outgoing: Option<Vec<_>> = outgoing.collect();
        let incoming = (0..m2s).map(|i| {
            ring(
                Direction::MasterToSlave,
                i,
                usize::from(s2m) + usize::from(i),
            )
        });
        let incoming: Option<Vec<_>> = incoming.collect();
        let (Some(outgoing), Some(incoming)) = (outgoing, incoming) else {
            return Err(Refusal::NoMemory);
        };
        self.to_send.push_back((
            Message::Connect {
                name: local.name.clone(),
            },
            None,
        ));
        self.made = Some([outgoing, incoming]);
        Ok(())
    }
}
