//! Where frames come from, in the port's own bursts: strictly periodic ones of each connection, and the overload.
//!
//! Orders come in boxes through a channel, and go back by one when they are done. Must never allocate or lock per
//! frame, nor send a frame before it is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pinode_ports::{InjectSlots, TxMeta, Wire, copy_frame};

use super::Away;
use super::plan::{Connection, DSS, LOAD_SIZE, Plan};
use crate::gated::{Flood, PIS, template};

/// Octets of Ethernet header and PIH.
pub(super) const HEAD: usize = 15;
/// Octets of label stack entry and control word.
pub(super) const HEADER: usize = 8;
/// Octets of a [`Mark`].
pub(super) const MARK: usize = 24;
/// Octets of the FCS.
pub(super) const FCS: usize = 4;
const PS_PER_NS: u64 = 1_000;
/// Label stack entry without its label: TC 0, S 1, TTL 64 (RFC 3032 2.1).
const ENTRY: u32 = 1 << 8 | 64;
/// Orders under way at once.
const ORDERS: usize = 4;

/// What a frame carries first in its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Of which connection it is.
    pub(super) connection: u32,
    /// How many frames of it were before.
    pub(super) number: u32,
    /// When it was due, nanoseconds of the worker's clock.
    pub(super) due_ns: u64,
    /// When it was put in.
    pub(super) put_ns: u64,
}

impl Mark {
    fn write(self, octets: &mut [u8; MARK]) {
        let both = u64::from(self.connection) << 32 | u64::from(self.number);
        let words = [both, self.due_ns, self.put_ns];
        for (octets, word) in octets.chunks_exact_mut(8).zip(words) {
            octets.copy_from_slice(&word.to_be_bytes());
        }
    }

    /// That of a frame; none: it is too short for one.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let octets = frame.get(HEAD + HEADER + at..)?.first_chunk::<8>()?;
            Some(u64::from_be_bytes(*octets))
        };
        let both = word(0)?;
        Some(Self {
            connection: (both >> 32) as u32,
            number: both as u32,
            due_ns: word(8)?,
            put_ns: word(16)?,
        })
    }
}

/// A connection's source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    label: u32,
    octets: usize,
    interval_ps: u64,
    /// Frames that were put in.
    pub(super) sent: u32,
}

/// Sources of all connections, for one run.
pub(super) struct Flow {
    pub(super) senders: Vec<Sender>,
    /// When the next frame of each is due, picoseconds from the beginning on: the earliest first.
    due: BinaryHeap<Reverse<(u64, u32)>>,
    from_ns: u64,
    until_ps: u64,
    frame: Box<[u8]>,
    /// When the worker was not there.
    pub(super) away: Away,
    /// The latest that a frame was put in after it was due.
    pub(super) latest_ns: u64,
}

impl Flow {
    /// Frames of `connections` from `from_ns` on, the first of each at its instant of `begin`, until `until_ns`. Those
    /// of the one that `excess` names come that many times as fast.
    pub(super) fn new(
        connections: &[Connection],
        begin: &[u64],
        (from_ns, until_ns): (u64, u64),
        excess: Option<(usize, f64)>,
    ) -> Self {
        let faster =
            |at: usize| excess.map_or(1.0, |(who, times)| if who == at { times } else { 1.0 });
        let sender = |(at, one): (usize, &Connection)| Sender {
            label: one.label,
            octets: usize::from(one.size) - FCS,
            interval_ps: (one.interval_ps() as f64 / faster(at)).ceil().max(1.0) as u64,
            sent: 0,
        };
        let due = (0u32..).zip(begin).map(|(at, begin)| Reverse((*begin, at)));
        let longest = connections.iter().map(|one| usize::from(one.size)).max();
        let mut frame = vec![0; longest.unwrap_or(0).max(HEAD + HEADER + MARK)];
        // To a group: each switch takes it.
        frame[..6].fill(0xff);
        frame[6..12].copy_from_slice(&[2, 0, 0, 9, 1, 9]);
        frame[12..HEAD].copy_from_slice(&[0x88, 0xb5, ((DSS + 1) as u8) << 5]);
        Self {
            senders: connections.iter().enumerate().map(sender).collect(),
            due: due.collect(),
            from_ns,
            until_ps: until_ns.saturating_sub(from_ns).saturating_mul(PS_PER_NS),
            frame: frame.into(),
            away: Away::since(from_ns),
            latest_ns: 0,
        }
    }

    /// When the next frame is due; none: all were put in.
    fn next_ns(&self) -> Option<u64> {
        let Reverse((due_ps, _)) = self.due.peek()?;
        let due_ns = self.from_ns + due_ps.div_ceil(PS_PER_NS);
        (*due_ps < self.until_ps).then_some(due_ns)
    }

    #[inline]
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        if now_ns < self.from_ns {
            return;
        }
        self.away.look(now_ns);
        let now_ps = (now_ns - self.from_ns).saturating_mul(PS_PER_NS);
        while let Some(mut next) = self.due.peek_mut() {
            let Reverse((due_ps, connection)) = *next;
            if due_ps > now_ps || due_ps >= self.until_ps {
                return;
            }
            let Some(sender) = self.senders.get_mut(connection as usize) else {
                PeekMut::pop(next);
                continue;
            };
            let due_ns = self.from_ns + due_ps / PS_PER_NS;
            let mark = Mark {
                connection,
                number: sender.sent,
                due_ns,
                put_ns: now_ns,
            };
            let template = self.frame.get(..sender.octets).unwrap_or_default();
            let label = sender.label;
            let put = slots.push(template.len(), |frame| {
                copy_frame(frame, template);
                write(frame, label, mark);
            });
            if !put {
                return;
            }
            sender.sent += 1;
            self.latest_ns = self.latest_ns.max(now_ns - due_ns);
            *next = Reverse((due_ps.saturating_add(sender.interval_ps), connection));
        }
    }
}

/// Writes header and mark of a frame.
#[inline]
fn write(frame: &mut [u8], label: u32, mark: Mark) {
    // 0 is none, and after 65,535 comes 1 (RFC 4385 4).
    let sequence = mark.number % 65_535 + 1;
    let header = u64::from(label << 12 | ENTRY) << 32 | u64::from(sequence);
    let Some(behind) = frame.get_mut(HEAD..) else {
        return;
    };
    if let Some((octets, payload)) = behind.split_first_chunk_mut::<HEADER>() {
        *octets = header.to_be_bytes();
        if let Some(octets) = payload.first_chunk_mut::<MARK>() {
            mark.write(octets);
        }
    }
}

/// What a source is told.
pub(super) enum Order {
    /// Frames of the overload a second, of each PI; of the last one best effort.
    Load([f64; PIS]),
    /// Send these, and give them back when all were sent.
    Send(Box<Flow>),
}

/// The bench's hold on a source.
pub(super) struct Hand {
    orders: SyncSender<Order>,
    given: Arc<AtomicU32>,
    pub(super) sent: Receiver<Box<Flow>>,
    load: Arc<[AtomicU64; PIS]>,
}

impl Hand {
    /// Whether there is still somebody to take it.
    pub(super) fn order(&self, order: Order) -> bool {
        let given = self.orders.send(order).is_ok();
        self.given.fetch_add(1, Ordering::Release);
        given
    }

    /// Frames of the overload that were put in so far.
    pub(super) fn load(&self) -> [u64; PIS] {
        std::array::from_fn(|pi| self.load[pi].load(Ordering::Relaxed))
    }
}

/// The side that frames come from.
pub(super) struct Source {
    orders: Receiver<Order>,
    given: Arc<AtomicU32>,
    taken: u32,
    flow: Option<Box<Flow>>,
    back: SyncSender<Box<Flow>>,
    load: Flood,
}

impl Source {
    pub(super) fn new() -> (Self, Hand) {
        let (give, orders) = sync_channel(ORDERS);
        let (back, sent) = sync_channel(1);
        let given = Arc::new(AtomicU32::new(0));
        let load = Flood::new(std::array::from_fn(|pi| match pi {
            DSS => best_effort(),
            _ => template(pi, LOAD_SIZE),
        }));
        let hand = Hand {
            orders: give,
            given: Arc::clone(&given),
            sent,
            load: load.offered(),
        };
        let source = Self {
            orders,
            given,
            taken: 0,
            flow: None,
            back,
            load,
        };
        (source, hand)
    }

    #[cold]
    fn obey(&mut self, now_ns: u64) {
        while let Ok(order) = self.orders.try_recv() {
            self.taken = self.taken.wrapping_add(1);
            match order {
                Order::Load(fps) => self.load.pace(fps, now_ns),
                Order::Send(flow) => self.flow = Some(flow),
            }
        }
    }
}

/// A frame of best effort.
fn best_effort() -> Box<[u8]> {
    let mut frame = template(DSS, LOAD_SIZE);
    frame[..6].fill(0xff);
    let mark = Mark {
        connection: u32::MAX,
        number: 0,
        due_ns: 0,
        put_ns: 0,
    };
    write(&mut frame, Plan::best_effort_label(), mark);
    if let Some(sequence) = frame.get_mut(HEAD + 6..HEAD + HEADER) {
        sequence.fill(0);
    }
    frame
}

impl Wire for Source {
    #[inline]
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        if self.given.load(Ordering::Acquire) != self.taken {
            self.obey(now_ns);
        }
        if let Some(flow) = &mut self.flow {
            flow.inject(now_ns, slots);
        }
        if let Some(flow) = self.flow.take_if(|flow| flow.next_ns().is_none()) {
            // There is room for the one that was given.
            let _ = self.back.try_send(flow);
        }
        self.load.inject(now_ns, slots);
    }

    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        // Orders are given without ringing.
        const LOOK_NS: u64 = 1_000_000;
        if self.load.flows() {
            return Some(now_ns);
        }
        let due_ns = self.flow.as_ref().and_then(|flow| flow.next_ns());
        let look_ns = now_ns.saturating_add(LOOK_NS);
        Some(due_ns.map_or(look_ns, |due_ns| due_ns.min(look_ns)))
    }

    #[inline]
    fn absorb(&mut self, _now_ns: u64, _frame: &[u8], _meta: &TxMeta) {}
}

#[cfg(test)]
mod tests {
    use pinode_ports::{InlinePort, Port, RxBurst, slot_octets_for};

    use super::*;

    const CONNECTIONS: [Connection; 2] = [
        Connection {
            label: 16,
            size: 200,
            rate_bps: 1_760_000,
        },
        Connection {
            label: 17,
            size: 1400,
            rate_bps: 1_136_000,
        },
    ];

    /// Marks and labels of the frames that come until `until_ns`, asked for every `step_ns`.
    fn came(flow: Flow, until_ns: u64, step_ns: u64) -> (Vec<(u32, Mark)>, Box<Flow>) {
        let (source, hand) = Source::new();
        let mut port = InlinePort::new(source, slot_octets_for(1500));
        assert!(hand.order(Order::Send(Box::new(flow))));
        let mut all = Vec::new();
        for now_ns in (0..=until_ns).step_by(step_ns as usize) {
            let mut burst = RxBurst::new();
            port.rx_burst(now_ns, &mut burst);
            for frame in &burst {
                let entry = frame[HEAD..].first_chunk::<4>().unwrap();
                all.push((u32::from_be_bytes(*entry) >> 12, Mark::read(frame).unwrap()));
            }
        }
        (all, hand.sent.try_recv().unwrap())
    }

    #[test]
    fn frames_come_when_they_are_due_and_say_so() {
        // 1 ms and 10 ms apart.
        let flow = Flow::new(&CONNECTIONS, &[0, 500_000_000], (1_000, 20_001_000), None);
        let (all, flow) = came(flow, 21_000_000, 1_000);
        let of = |label| {
            all.iter()
                .filter(move |(own, _)| *own == label)
                .map(|(_, mark)| mark)
        };
        assert_eq!((of(16).count(), of(17).count()), (20, 2));
        for (number, mark) in (0u32..).zip(of(16)) {
            assert_eq!((mark.connection, mark.number), (0, number));
            assert_eq!(mark.due_ns, 1_000 + u64::from(number) * 1_000_000);
            assert_eq!(mark.put_ns, mark.due_ns);
        }
        assert_eq!(of(17).next().unwrap().due_ns, 501_000);
        assert_eq!(flow.senders[0].sent, 20);
        assert_eq!((flow.away.longest_ns, flow.latest_ns), (0, 0));
    }

    #[test]
    fn one_may_be_faster_than_it_may() {
        let excess = Some((0, 2.0));
        let flow = Flow::new(&CONNECTIONS, &[0, 0], (1_000, 20_001_000), excess);
        let (_, flow) = came(flow, 21_000_000, 1_000);
        assert_eq!((flow.senders[0].sent, flow.senders[1].sent), (40, 2));
    }

    #[test]
    fn what_is_late_is_put_in_and_told() {
        let flow = Flow::new(&CONNECTIONS, &[0, 0], (1_000, 20_001_000), None);
        let (all, flow) = came(flow, 22_000_000, 2_000_000);
        assert_eq!(all.len(), 22);
        assert_eq!(flow.latest_ns, 2_000_000 - 1_000);
        assert!(flow.away.longest_ns >= 1_999_000);
    }
}
