//! The master's side of the handshake: INIT, regions, rings, CONNECT, each checked and acknowledged.
//!
//! Pure but for the memory it maps: messages in, messages out. Everything that the slave says is a claim. Must
//! never map what could vanish (`region.rs`), nor touch memory before CONNECT.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::event::epoll;

use super::bell::Bell;
use super::connection::{Connection, Ring};
use super::handshake::{Local, Reply, Step};
use super::layout::COOKIE;
use super::message::{AddRing, Direction, Hello, Init, Message, VERSION};
use super::receiver::Receiver;
use super::refusal::Refusal;
use super::region::accept;
use super::unsafe_region::{Regions, RingMemory};

/// Regions taken of one slave.
const REGIONS: usize = 16;

/// What a slave announced so far.
#[derive(Debug, Default)]
pub(super) struct Master {
    greeted: bool,
    regions: Vec<(OwnedFd, u64)>,
    rings: [Vec<(AddRing, OwnedFd)>; 2],
}

impl Master {
    /// What the slave is told first.
    pub(super) fn hello(local: &Local) -> Message {
        let last = local.queues.saturating_sub(1);
        Message::Hello(Hello {
            name: local.name.clone(),
            lowest: VERSION,
            highest: VERSION,
            last_region: REGIONS as u16 - 1,
            last_m2s: last,
            last_s2m: last,
            log2_size: local.log2_ring,
        })
    }

    /// Whether INIT was taken: the interface is this slave's.
    pub(super) fn is_greeted(&self) -> bool {
        self.greeted
    }

    /// Takes a message of the slave; `taken`: the interface is another slave's already.
    pub(super) fn receive(
        &mut self,
        message: Message,
        descriptor: Option<OwnedFd>,
        local: &Local,
        taken: bool,
        thread: &Arc<Bell>,
    ) -> Result<Step, Refusal> {
        match (message, descriptor) {
            (Message::Init(init), _) if !self.greeted => {
                Self::admit(&init, local)?;
                if taken {
                    return Err(Refusal::Connected);
                }
                self.greeted = true;
                Ok(Step::reply(Message::Ack))
            }
            (Message::Disconnect { .. }, _) => Err(Refusal::Rejected),
            _ if !self.greeted => Err(Refusal::OutOfTurn {
                message: "a message before INIT",
            }),
            (Message::AddRegion { index, octets }, Some(file)) => {
                let expected = self.regions.len();
                if usize::from(index) != expected || expected >= REGIONS {
                    return Err(Refusal::RegionIndex { index, expected });
                }
                self.regions.push((file, octets));
                Ok(Step::reply(Message::Ack))
            }
            (Message::AddRing(ring), Some(interrupt)) => {
                self.add_ring(ring, interrupt, local)?;
                Ok(Step::reply(Message::Ack))
            }
            (Message::AddRegion { .. } | Message::AddRing(_), None) => Err(Refusal::NoDescriptor),
            (Message::Connect { .. }, _) => Ok(Step {
                connection: Some(self.connect(thread)?),
                reply: Some(Reply {
                    message: Message::Connected {
                        name: local.name.clone(),
                    },
                    descriptor: None,
                }),
            }),
            _ => Err(Refusal::OutOfTurn {
                message: "a master's message or a second INIT",
            }),
        }
    }

    fn admit(init: &Init, local: &Local) -> Result<(), Refusal> {
        if init.version != VERSION {
            return Err(Refusal::Version {
                version: init.version,
            });
        }
        if init.id != local.id {
            return Err(Refusal::Id {
                id: init.id,
                here: local.id,
            });
        }
        if !init.ethernet {
            return Err(Refusal::Mode);
        }
        if !local.secret.is_none() && !local.secret.is(&init.secret) {
            return Err(Refusal::Secret);
        }
        Ok(())
    }

    fn add_ring(
        &mut self,
        ring: AddRing,
        interrupt: OwnedFd,
        local: &Local,
    ) -> Result<(), Refusal> {
        let [s2m, m2s] = &mut self.rings;
        let rings = match ring.direction {
            Direction::SlaveToMaster => s2m,
            Direction::MasterToSlave => m2s,
        };
        let index = ring.index;
        if usize::from(index) != rings.len() || index >= local.queues {
            return Err(Refusal::RingIndex {
                index,
                last: local.queues.saturating_sub(1),
            });
        }
        if !(1..=local.log2_ring).contains(&ring.log2_size) {
            return Err(Refusal::RingSize {
                index,
                log2_size: ring.log2_size,
                largest: local.log2_ring,
            });
        }
        rings.push((ring, interrupt));
        Ok(())
    }

    /// Maps and checks everything announced.
    fn connect(&mut self, thread: &Arc<Bell>) -> Result<Connection, Refusal> {
        let [s2m, m2s] = std::mem::take(&mut self.rings);
        if s2m.is_empty() || m2s.is_empty() {
            return Err(Refusal::NoRings);
        }
        let mapped = self.regions.drain(..).zip(0..);
        let mapped = mapped.map(|((file, octets), index)| accept(file.as_fd(), index, octets));
        let regions = Arc::new(Regions(mapped.collect::<Result<_, _>>()?));
        let ring = |(announced, interrupt): (AddRing, OwnedFd)| {
            let AddRing {
                index,
                region,
                offset,
                log2_size,
                ..
            } = announced;
            let memory = RingMemory::new(&regions, region, offset, log2_size)
                .ok_or(Refusal::RingPlace { index, region })?;
            if memory.cookie().load(Ordering::Acquire) != COOKIE {
                return Err(Refusal::Cookie { index });
            }
            can_wait_for(&interrupt).map_err(|_| Refusal::Interrupt { index })?;
            Ok(Ring {
                memory,
                own: None,
                interrupt,
            })
        };
        let incoming: Vec<Ring> = s2m.into_iter().map(ring).collect::<Result<_, _>>()?;
        let outgoing: Vec<Ring> = m2s.into_iter().map(ring).collect::<Result<_, _>>()?;
        for ring in &incoming {
            Receiver::prepare(&ring.memory, None);
        }
        for ring in &outgoing {
            ring.memory.tail().store(0, Ordering::Release);
        }
        Ok(Connection::new(incoming, outgoing, Arc::clone(thread)))
    }
}

/// Whether a worker could sleep on this.
fn can_wait_for(interrupt: &OwnedFd) -> rustix::io::Result<()> {
    let probe = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &probe,
        interrupt,
        epoll::EventData::new_u64(0),
        epoll::EventFlags::IN | epoll::EventFlags::ET,
    )
}
