//! Both sides of a gated run, in the ports' own bursts: a flood that is as fast as it is told, a tester's signed
//! frames, and the watch over what leaves.
//!
//! Orders come in boxes through a channel, and the watch goes back by one when it is over. Must never allocate
//! or lock per frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pinode_measure::wire::TesterWire;
use pinode_node::dataplane::clock::{Clock, Monotonic};
use pinode_ports::{
    InjectSlots, InlinePort, Port, RxBurst, TxMeta, TxSlots, Wake, Wire, slot_octets_for,
};

use super::flood::{self, Flood};
use super::link::{Link, Ports};
use super::{Departure, FCS, PIS, SMALLEST_ON_WIRE, Watch};

/// Preamble, start delimiter, inter-packet gap.
const WIRE_OVERHEAD: usize = 20;
/// Orders under way at once.
const ORDERS: usize = 8;

/// What a side is told.
pub(super) enum Order {
    /// Frames per second of each PI, from now on.
    Flood([f64; PIS]),
    /// Watch what leaves, and give the watch back when it is over.
    Watch(Box<Watch>),
}

/// The bench's hold on a side.
pub(super) struct Hand {
    orders: SyncSender<Order>,
    given: Arc<AtomicU32>,
    watched: Receiver<Box<Watch>>,
    offered: Arc<[AtomicU64; PIS]>,
}

impl Hand {
    /// Whether there is still somebody to take it.
    pub(super) fn order(&self, order: Order) -> bool {
        let given = self.orders.send(order).is_ok();
        self.given.fetch_add(1, Ordering::Release);
        given
    }

    pub(super) fn watched(&self) -> &Receiver<Box<Watch>> {
        &self.watched
    }

    /// Frames of the flood that were put in so far.
    pub(super) fn offered(&self) -> [u64; PIS] {
        std::array::from_fn(|pi| self.offered[pi].load(Ordering::Relaxed))
    }
}

/// One port's far side.
pub(super) struct Side {
    orders: Receiver<Order>,
    given: Arc<AtomicU32>,
    taken: u32,
    watch: Option<Box<Watch>>,
    watched: SyncSender<Box<Watch>>,
    picoseconds_per_octet: u64,
    link: Link,
    /// When the frames that come were handed over.
    handed_ns: u64,
    flood: Flood,
    /// With the PIs whose frames are its own, a bit each.
    tester: Option<(TesterWire, u8)>,
}

impl Side {
    /// Frames of `size` octets with FCS on a link of `capacity_bps`.
    pub(super) fn new(
        size: u16,
        capacity_bps: u64,
        ports: Ports,
        tester: Option<(TesterWire, u8)>,
    ) -> (Self, Hand) {
        const BITS_TIMES_PICOSECONDS: u64 = 8_000_000_000_000;
        let (give, orders) = sync_channel(ORDERS);
        let (back, watched) = sync_channel(1);
        let given = Arc::new(AtomicU32::new(0));
        let flood = Flood::new(std::array::from_fn(|pi| flood::template(pi, size)));
        let hand = Hand {
            orders: give,
            given: Arc::clone(&given),
            watched,
            offered: flood.offered(),
        };
        let side = Self {
            orders,
            given,
            taken: 0,
            watch: None,
            watched: back,
            picoseconds_per_octet: BITS_TIMES_PICOSECONDS / capacity_bps.max(1),
            link: Link::new(ports, Monotonic.now_ns()),
            handed_ns: 0,
            flood,
            tester,
        };
        (side, hand)
    }

    #[cold]
    fn obey(&mut self, now_ns: u64) {
        while let Ok(order) = self.orders.try_recv() {
            self.taken = self.taken.wrapping_add(1);
            match order {
                Order::Flood(fps) => self.flood.pace(fps, now_ns),
                Order::Watch(mut watch) => {
                    watch.begin(now_ns);
                    self.watch = Some(watch);
                }
            }
        }
    }
}

impl Wire for Side {
    #[inline]
    fn inject(&mut self, now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        if self.given.load(Ordering::Acquire) != self.taken {
            self.obey(now_ns);
        }
        if let Some(watch) = &mut self.watch {
            watch.look(now_ns);
        }
        if let Some(watch) = self.watch.take_if(|watch| watch.is_over(now_ns)) {
            // There is room for the one that was given.
            let _ = self.watched.try_send(watch);
        }
        if let Some((tester, _)) = &mut self.tester {
            tester.inject(now_ns, slots);
        }
        self.flood.inject(now_ns, slots);
    }

    fn next_ns(&self, now_ns: u64) -> Option<u64> {
        // Orders are given without ringing.
        const LOOK_NS: u64 = 1_000_000;
        let tester = self.tester.as_ref().and_then(|(t, _)| t.next_ns(now_ns));
        let look_ns = now_ns.saturating_add(LOOK_NS);
        let next_ns = tester.map_or(look_ns, |at_ns| at_ns.min(look_ns));
        Some(if self.flood.flows() { now_ns } else { next_ns })
    }

    #[inline]
    fn absorb(&mut self, now_ns: u64, frame: &[u8], meta: &TxMeta) {
        let code = frame.get(14).map_or(0, |pih| pih >> 5);
        // Code 0 is of no PI.
        let pi = usize::from(code).wrapping_sub(1);
        let octets = frame.len().max(SMALLEST_ON_WIRE) + FCS + WIRE_OVERHEAD;
        let wire_ps = octets as u64 * self.picoseconds_per_octet;
        let TxMeta { len, start_ns } = *meta;
        let handed_ns = self.handed_ns;
        let left_ns = self.link.leave(pi, handed_ns, start_ns, wire_ps);
        if let Some((tester, own)) = &mut self.tester
            && *own >> code & 1 != 0
        {
            let start_ns = left_ns;
            tester.absorb(now_ns, frame, &TxMeta { len, start_ns });
        }
        if let Some(watch) = &mut self.watch {
            let departure = Departure {
                handed_ns,
                start_ns,
                left_ns,
                wire_ps,
            };
            watch.frame(pi, departure);
        }
    }
}

/// A memory port with a [`Side`] behind it that knows when it gets frames, with launch time or without.
pub(super) struct SidePort {
    port: InlinePort<Side>,
    ports: Ports,
}

impl SidePort {
    pub(super) fn new(side: Side, ports: Ports) -> Self {
        Self {
            port: InlinePort::new(side, slot_octets_for(1500)),
            ports,
        }
    }
}

impl Port for SidePort {
    #[inline]
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        self.port.rx_burst(now_ns, burst);
    }

    #[inline]
    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.port.tx_slots(want, slots);
    }

    #[inline]
    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.port.wire_mut().handed_ns = Monotonic.now_ns();
        self.port.tx_commit(frames)
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        self.port.rest(now_ns)
    }

    fn slot_octets(&self) -> usize {
        self.port.slot_octets()
    }

    fn in_parts(&self) -> bool {
        self.port.in_parts()
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        match self.ports {
            Ports::Launch => Some(0),
            Ports::Immediate => None,
        }
    }

    fn describe(&self) -> String {
        self.port.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of each PI that a flood gives a port from 1 ms on, turn by turn up to `until_ns`.
    fn given(fps: [f64; PIS], until_ns: &[u64]) -> [u64; PIS] {
        let (side, hand) = Side::new(79, 1_000_000_000, Ports::Launch, None);
        let mut port = SidePort::new(side, Ports::Launch);
        assert!(hand.order(Order::Flood(fps)));
        let mut frames = [0; PIS];
        for now_ns in [&[1_000_000], until_ns].concat() {
            loop {
                let mut burst = RxBurst::new();
                port.rx_burst(now_ns, &mut burst);
                if burst.is_empty() {
                    break;
                }
                for frame in &burst {
                    frames[usize::from(frame[14] >> 5) - 1] += 1;
                }
            }
        }
        assert_eq!(hand.offered(), frames);
        frames
    }

    #[test]
    fn a_flood_keeps_the_pace_of_each_pi() {
        let fps = [1e6, 0.0, 5e5];
        assert_eq!(given(fps, &[1_010_500]), [10, 0, 5]);
        assert_eq!(given(fps, &[1_010_500, 1_200_500]), [200, 0, 100]);
    }

    #[test]
    fn a_flood_does_not_make_up_for_a_long_stall() {
        assert_eq!(given([1e6, 0.0, 0.0], &[100_000_000]), [1_024, 0, 0]);
    }

    #[test]
    fn a_watch_comes_back_when_it_is_over() {
        let (side, hand) = Side::new(79, 1_000_000_000, Ports::Immediate, None);
        let mut port = SidePort::new(side, Ports::Immediate);
        let span = crate::gated::Span {
            opens_ns: 0,
            usable_ns: 100_000,
        };
        let windows = crate::gated::Windows {
            base_ns: 0,
            cycle_ns: 300_000,
            spans: [span; PIS],
        };
        let watch = Watch::new(windows, 600_000, 900_000);
        assert!(hand.order(Order::Watch(Box::new(watch))));
        for now_ns in [500_000, 900_000] {
            port.rx_burst(now_ns, &mut RxBurst::new());
            assert!(hand.watched().try_recv().is_err());
        }
        port.rx_burst(2_000_000, &mut RxBurst::new());
        assert!(!hand.watched().try_recv().unwrap().is_late);
    }
}
