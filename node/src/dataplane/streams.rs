//! Connections of a PI at a port, changed and looked at by the worker that has them, between two bursts.
//!
//! An order carries everything that the change needs, and all that is left over travels back in it:
//! nothing is allocated or freed here, and its time is bounded by its items. Frames that wait in a
//! connection that is taken down go back to the ring that they lie in.

use pinode_scheduler::level2::ClassCounters;
use pinode_scheduler::level2::streams::{
    Block, ConnectError, Connection, Released, Reserved, Terms,
};

use super::lane::PiOut;
use super::level2::Level2;

/// Items of an order, at most: a worker between two bursts has other things to do.
pub const ORDER_MOST: usize = 32;

/// What is to be done, and with the answer what was.
#[derive(Debug, Default)]
pub struct StreamOrder {
    /// Before all else.
    pub terms: Option<Terms>,
    /// To be taken down: network, label, and what became of it. None there, when the order is back:
    /// there is no such connection.
    pub disconnect: Vec<(u8, u32, Option<Released>)>,
    /// To be set up, and what became of it.
    pub connect: Vec<(Connection, Option<Result<(), ConnectError>>)>,
    /// Memory for labels, one for each block of them that connections are set up in; and room for as
    /// many as may become free.
    pub blocks: Vec<Block>,
    /// Where the list begins.
    pub from: usize,
    /// Filled up to its capacity with the connections that there are then.
    pub list: Vec<(Connection, ClassCounters)>,
    /// All together, when all is done; none if the PI has no connections at the port.
    pub sum: Option<StreamSum>,
}

/// All connections of a PI at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSum {
    /// How many there are.
    pub count: u32,
    /// How many there may be.
    pub most: u32,
    /// What they were promised.
    pub reserved: Reserved,
    /// What is left: bits per second, and frames of buffer.
    pub spare: (u64, u32),
    /// What signalling has of the rate, bits per second.
    pub signalling_bps: u64,
    /// What signalling has counted.
    pub signalling: ClassCounters,
}

impl PiOut {
    /// Does what is ordered. Whether buffers were given back to the guest.
    pub(super) fn obey(&mut self, order: &mut StreamOrder) -> bool {
        let Self {
            rings,
            queue: Level2::Streams(queue),
            counters,
            ..
        } = self
        else {
            return false;
        };
        let mut given_back = false;
        if let Some(terms) = order.terms {
            queue.set_terms(terms);
        }
        for (vn, label, answer) in &mut order.disconnect {
            let waiting = |frame: pinode_virtqueue::TxFrame| {
                counters.tx_cleared += 1;
                if let Some(vif) = rings.get_mut(usize::from(frame.tag())) {
                    vif.transmit.complete(frame);
                    given_back = true;
                }
            };
            *answer = queue.disconnect_within((*vn, *label), waiting, &mut order.blocks);
        }
        for (contract, answer) in &mut order.connect {
            *answer = Some(queue.connect_within(*contract, &mut order.blocks));
        }
        let list = &mut order.list;
        let room = list.capacity();
        queue.list(order.from, |contract, counters| {
            if list.len() < room {
                list.push((*contract, counters));
            }
            list.len() < room
        });
        // Not more than there is memory for, which is 32 bits.
        let count = queue.connections() as u32;
        order.sum = Some(StreamSum {
            count,
            most: queue.most(),
            reserved: queue.reserved(),
            spare: queue.spare(),
            signalling_bps: queue.signalling_bps(),
            signalling: queue.signalling(),
        });
        if given_back {
            for vif in rings {
                vif.transmit.publish();
            }
        }
        given_back
    }
}
