//! Many at once are as many one by one: two queues with the same memory, of which one is served in
//! bursts, leave the same memory behind, whatever the driver wrote.

mod unsafe_memory;

use pinode_virtqueue::{
    MAX_MALFORMED, NET_HEADER, QueueError, QueueLayout, Receiveq, Refused, Transmitq, TxFrame,
};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 3 } else { 250 };
const ROUNDS: usize = if cfg!(miri) { 3 } else { 12 };
const RAM: usize = 0x2_0000;
const BUFFERS: u64 = 0x4000;
const STRIDE: u64 = 2048;
const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// A descriptor as the driver writes it: address, length, flags, next.
type Claim = (u64, u32, u16, u16);

/// One queue, the driver's words of which are written by hand.
struct Side<Q> {
    memory: Memory,
    layout: QueueLayout,
    queue: Q,
    /// Next entry of the available ring to fill.
    avail: u16,
}

impl<Q> Side<Q> {
    fn new(layout: QueueLayout, queue: impl FnOnce(&Memory) -> Q) -> Self {
        let memory = Memory::new(RAM);
        let queue = queue(&memory);
        Side {
            memory,
            layout,
            queue,
            avail: 0,
        }
    }

    fn describe(&self, table: &[Claim]) {
        for (index, claim) in (0..).zip(table) {
            self.memory.set_descriptor(self.layout.desc, index, *claim);
        }
    }

    fn offer(&mut self, heads: &[u16]) {
        for head in heads {
            let entry = u64::from(self.avail % self.layout.size);
            self.memory
                .set_u16(self.layout.avail + 4 + 2 * entry, *head);
            self.avail = self.avail.wrapping_add(1);
        }
        self.memory.set_u16(self.layout.avail + 2, self.avail);
    }

    /// Entries that an honest driver may still offer.
    fn room(&self) -> usize {
        let used = self.memory.u16(self.layout.used + 2);
        usize::from(
            self.layout
                .size
                .saturating_sub(self.avail.wrapping_sub(used)),
        )
    }

    /// All octets but the device's wish for a kick, which depends on how often it looked.
    fn octets(&self) -> Vec<u8> {
        let mut octets = vec![0; RAM];
        self.memory.ram().read(0, &mut octets).unwrap();
        let wish = self.layout.used + 4 + 8 * u64::from(self.layout.size);
        octets[wish as usize..][..2].fill(0);
        octets
    }
}

fn assert_same<Q>(one: &Side<Q>, other: &Side<Q>) {
    let (a, b) = (one.octets(), other.octets());
    if a != b {
        let differs = a.iter().zip(&b).position(|(a, b)| a != b);
        panic!("octet {differs:?} of {:?}", one.layout);
    }
    one.memory.assert_canaries();
    other.memory.assert_canaries();
}

/// Entries before the test proper, so that it crosses the end of the 16-bit indices.
fn spin() -> impl Strategy<Value = u32> {
    if cfg!(miri) {
        (0..3u32).boxed()
    } else {
        prop_oneof![1 => 0..3u32, 3 => 65_500..65_536u32].boxed()
    }
}

/// Where a buffer lies. Some overlap, which is the driver's business.
fn place() -> impl Strategy<Value = u64> {
    (0..48u64).prop_map(|number| BUFFERS + number * STRIDE)
}

fn any_claim() -> impl Strategy<Value = Claim> {
    let addr = prop_oneof![place(), Just(RAM as u64 - 100), any::<u64>()];
    (addr, any::<u16>(), 0..8u16, any::<u16>())
        .prop_map(|(addr, len, flags, next)| (addr, len.into(), flags, next))
}

impl Side<Receiveq> {
    fn receive(layout: QueueLayout, mrg_rxbuf: bool) -> Self {
        Side::new(layout, |memory| {
            Receiveq::new(memory.ram(), &layout, mrg_rxbuf).unwrap()
        })
    }

    fn spin(&mut self, entries: u32) {
        self.describe(&[(BUFFERS, 2048, WRITE, 0)]);
        for _ in 0..entries {
            self.offer(&[0]);
            self.queue.deliver(&[], &[0; 14]).unwrap();
            self.queue.publish();
        }
    }
}

/// Every frame by itself.
fn one_by_one(queue: &mut Receiveq, bodies: &[Vec<u8>]) -> Vec<Result<(), Refused>> {
    bodies.iter().map(|body| queue.deliver(&[], body)).collect()
}

/// As a worker does it: all that find a buffer in one piece, one by itself, and so on.
fn in_bursts(queue: &mut Receiveq, bodies: &[Vec<u8>]) -> Vec<Result<(), Refused>> {
    let mut results = Vec::new();
    while let Some(rest) = bodies.get(results.len()..)
        && let [_, ..] = rest
    {
        let delivered = queue.deliver_all(rest.iter().map(Vec::as_slice));
        assert!(delivered <= rest.len());
        results.extend(std::iter::repeat_n(Ok(()), delivered));
        if let Some(body) = rest.get(delivered) {
            results.push(queue.deliver(&[], body));
        }
    }
    results
}

/// Receive buffers of at least `least` octets, in one piece, in pieces, and now and then not as they
/// should be.
fn buffers(size: u16, least: u32, nasty: u32) -> impl Strategy<Value = Vec<Claim>> {
    let whole = (place(), least..2000).prop_map(|(addr, len)| (addr, len, WRITE, 0));
    let piece =
        (place(), 0..900u32, 0..size).prop_map(|(addr, len, next)| (addr, len, WRITE | NEXT, next));
    vec(
        prop_oneof![400 => whole, 100 => piece, nasty => any_claim()],
        usize::from(size),
    )
}

/// What one round offers, each as a number that is cut to what there is room for, and the lengths of
/// the frames that come.
type Delivery = (Vec<u16>, Vec<usize>);

fn deliveries(size: u16) -> impl Strategy<Value = Vec<Delivery>> {
    let heads = vec(0..size, 0..=usize::from(size));
    let lengths = prop_oneof![3 => 14..100usize, 1 => 14..1700usize];
    vec((heads, vec(lengths, 0..90)), 1..ROUNDS)
}

type ReceiveCase = (u16, Vec<Claim>, Vec<Delivery>);

fn receive_cases() -> impl Strategy<Value = ReceiveCase> {
    let nasty = prop_oneof![3 => Just(0u32), 1 => Just(10u32)];
    let least = prop_oneof![12..100u32, Just(1700u32)];
    (0..8u32, least, nasty).prop_flat_map(|(shift, least, nasty)| {
        let size = 1 << shift;
        (Just(size), buffers(size, least, nasty), deliveries(size))
    })
}

/// A frame that no other is like.
fn body(number: usize, octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|at| ((at * 7) ^ (number * 31)) as u8)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_delivered_at_once(
        (size, table, deliveries) in receive_cases(),
        spun in spin(),
        event_idx: bool,
        mrg_rxbuf: bool,
        breaks: bool,
    ) {
        let layout = QueueLayout::contiguous(0, size, event_idx);
        let mut sides = [Side::receive(layout, mrg_rxbuf), Side::receive(layout, mrg_rxbuf)];
        for side in &mut sides {
            side.spin(spun);
            side.describe(&table);
        }
        let [bursts, singly] = &mut sides;
        let mut number = 0;
        for (heads, lengths) in deliveries {
            let heads = &heads[..heads.len().min(bursts.room())];
            bursts.offer(heads);
            singly.offer(heads);
            let bodies: Vec<_> = lengths
                .into_iter()
                .map(|octets| {
                    number += 1;
                    body(number, octets)
                })
                .collect();
            let expected = one_by_one(&mut singly.queue, &bodies);
            prop_assert_eq!(in_bursts(&mut bursts.queue, &bodies), expected);
            bursts.queue.publish();
            singly.queue.publish();
            assert_same(bursts, singly);
        }
        if breaks {
            // More than were offered, so that both sides have taken all and looked at the index since: a
            // burst may have looked before.
            let bodies = vec![vec![2; 60]; usize::from(size) + 1];
            let expected = one_by_one(&mut singly.queue, &bodies);
            prop_assert_eq!(in_bursts(&mut bursts.queue, &bodies), expected);
            bursts.queue.publish();
            singly.queue.publish();
            assert_same(bursts, singly);
            for side in [&mut *bursts, &mut *singly] {
                let idx = side.avail.wrapping_add(size + 1);
                side.memory.set_u16(layout.avail + 2, idx);
            }
            let bodies = vec![vec![1; 60]; usize::from(size) + 1];
            let expected = one_by_one(&mut singly.queue, &bodies);
            prop_assert!(matches!(expected.last(), Some(Err(Refused::Broken(_)))));
            prop_assert_eq!(in_bursts(&mut bursts.queue, &bodies), expected);
            assert_same(bursts, singly);
        }
    }
}

#[test]
fn a_ring_shorter_than_the_burst_takes_what_it_has_and_breaks_no_promise() {
    let layout = QueueLayout::contiguous(0, 8, true);
    let mut side = Side::receive(layout, false);
    side.describe(&[(BUFFERS, 1000, WRITE, 0); 8]);
    side.offer(&[0, 1, 2, 3, 4, 5, 6, 7]);
    let bodies = vec![vec![9; 60]; 64];
    let burst = || bodies.iter().map(Vec::as_slice);
    assert_eq!(side.queue.deliver_all(burst()), 8);
    assert_eq!(side.queue.deliver_all(burst()), 0);
    assert_eq!(side.queue.deliver(&[], &bodies[0]), Err(Refused::Full));
    side.queue.publish();
    assert_eq!(side.memory.u16(layout.used + 2), 8);
    // A burst shorter than the ring leaves the rest to the next.
    side.offer(&[0; 8]);
    assert_eq!(side.queue.deliver_all(burst().take(3)), 3);
    assert_eq!(side.queue.deliver_all(burst()), 5);
    side.memory.set_u16(layout.avail + 2, 100);
    assert_eq!(side.queue.deliver_all(burst()), 0, "the index is no such");
    assert!(matches!(
        side.queue.deliver(&[], &bodies[0]),
        Err(Refused::Broken(QueueError::AvailIndex { idx: 100, .. }))
    ));
}

impl Side<Transmitq> {
    fn transmit(layout: QueueLayout) -> Self {
        Side::new(layout, |memory| {
            Transmitq::new(memory.ram(), &layout).unwrap()
        })
    }

    fn spin(&mut self, entries: u32) {
        self.describe(&[(BUFFERS, 72, 0, 0)]);
        for _ in 0..entries {
            self.offer(&[0]);
            let mut frames = self.take(1, |_| ()).1;
            self.queue.complete(frames.remove(0));
            self.queue.publish();
        }
    }

    /// What a harvest says, and its frames.
    fn take(
        &mut self,
        max: usize,
        mut each: impl FnMut(&TxFrame),
    ) -> (Result<(u16, u16), QueueError>, Vec<TxFrame>) {
        let mut frames = Vec::new();
        let harvest = self.queue.harvest(max, |frame| {
            each(&frame);
            frames.push(frame);
        });
        (harvest.map(|h| (h.frames, h.malformed)), frames)
    }

    /// Harvests of up to `max` until one finds nothing: all frames, and how many chains were malformed;
    /// or how it ended, where no count is given.
    fn take_all(&mut self, max: usize) -> (Vec<TxFrame>, Result<u64, QueueError>) {
        let (mut frames, mut malformed) = (Vec::new(), 0);
        loop {
            let (harvest, more) = self.take(max, |_| ());
            assert!(more.len() <= max);
            match harvest {
                Ok((taken, none)) => {
                    assert_eq!(usize::from(taken), more.len());
                    assert!(usize::from(taken + none) <= max);
                    frames.extend(more);
                    malformed += u64::from(none);
                    if (taken, none) == (0, 0) {
                        return (frames, Ok(malformed));
                    }
                }
                Err(error) => {
                    frames.extend(more);
                    return (frames, Err(error));
                }
            }
        }
    }
}

/// Chains to send: whole, behind a header of their own, in pieces, without a frame, and now and then
/// not as they should be.
fn chains(size: u16, nasty: u32) -> impl Strategy<Value = Vec<Claim>> {
    let whole = (place(), 26..1600u32).prop_map(|(addr, len)| (addr, len, 0, 0));
    let header = (place(), 0..size).prop_map(|(addr, next)| (addr, NET_HEADER, NEXT, next));
    let piece = (place(), 0..200u32, 0..size).prop_map(|(addr, len, next)| (addr, len, NEXT, next));
    let short = (place(), 0..26u32).prop_map(|(addr, len)| (addr, len, 0, 0));
    vec(
        prop_oneof![400 => whole, 100 => header, 100 => piece, 60 => short, nasty => any_claim()],
        usize::from(size),
    )
}

type TransmitCase = (u16, Vec<Claim>, Vec<(Vec<u16>, usize)>);

fn transmit_cases() -> impl Strategy<Value = TransmitCase> {
    let nasty = prop_oneof![3 => Just(0u32), 1 => Just(10u32)];
    (0..8u32, nasty).prop_flat_map(|(shift, nasty)| {
        let size = 1u16 << shift;
        let heads = vec(0..size, 0..=usize::from(size));
        // A head out of the queue too, where anything goes.
        let heads = (heads, any::<u16>()).prop_map(move |(mut heads, odd)| {
            if nasty > 0
                && odd.is_multiple_of(16)
                && let Some(head) = heads.last_mut()
            {
                *head = odd;
            }
            heads
        });
        let max = prop_oneof![1..8usize, Just(64usize), Just(usize::MAX)];
        let rounds = vec((heads, max), 1..ROUNDS);
        (Just(size), chains(size, nasty), rounds)
    })
}

/// Frames are private, but for what they say of themselves.
fn said(frames: &[TxFrame]) -> Vec<String> {
    frames.iter().map(|frame| format!("{frame:?}")).collect()
}

/// `copy` where `read` does, with the same octets, or not at all.
fn assert_copies(queue: &Transmitq, frame: &TxFrame) {
    let octets = frame.len() as usize;
    let mut read = vec![0; octets];
    let readable = queue.read(frame, 0, &mut read);
    for other in [0, octets - 1, octets + 1] {
        let mut copy = vec![0x77; other];
        assert!(!queue.copy(frame, &mut copy), "{other} of {octets}");
        assert!(copy.iter().all(|octet| *octet == 0x77));
    }
    let mut copy = vec![0x77; octets];
    if queue.copy(frame, &mut copy) {
        assert_eq!(readable, Ok(()));
        assert!(copy == read);
    } else {
        assert!(copy.iter().all(|octet| *octet == 0x77));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn frames_harvested_and_completed_at_once(
        (size, table, rounds) in transmit_cases(),
        spun in spin(),
        event_idx: bool,
    ) {
        let layout = QueueLayout::contiguous(0, size, event_idx);
        let mut sides = [Side::transmit(layout), Side::transmit(layout)];
        for side in &mut sides {
            side.spin(spun);
            side.describe(&table);
            side.memory.write(BUFFERS, &body(1, RAM - BUFFERS as usize));
        }
        let [bursts, singly] = &mut sides;
        for (heads, max) in rounds {
            let heads = &heads[..heads.len().min(bursts.room())];
            bursts.offer(heads);
            singly.offer(heads);
            let (frames, malformed) = bursts.take_all(max);
            let expected = singly.take_all(1);
            prop_assert_eq!(said(&frames), said(&expected.0));
            prop_assert_eq!(malformed, expected.1);
            for frame in &frames {
                assert_copies(&bursts.queue, frame);
            }
            // More than there are, where the other gives back each one by itself.
            let twice = [&frames[..], &frames[..]].concat();
            let (some, rest) = twice.split_at(frames.len() / 3);
            bursts.queue.complete_all(some);
            bursts.queue.complete_all(rest);
            expected.0.iter().for_each(|frame| singly.queue.complete(*frame));
            for queue in [&bursts.queue, &singly.queue] {
                prop_assert_eq!(queue.outstanding(), 0);
            }
            bursts.queue.publish();
            singly.queue.publish();
            assert_same(bursts, singly);
        }
    }

    #[test]
    fn no_more_is_completed_than_is_outstanding(
        shift in 0..8u32, held in 0..128u16, parts in vec(0..100usize, 1..8), spun in spin(),
    ) {
        let size = 1u16 << shift;
        let layout = QueueLayout::contiguous(0, size, false);
        let mut side = Side::transmit(layout);
        side.spin(spun);
        let claim = |at| (BUFFERS + 64 * u64::from(at), 40, 0, 0);
        let table: Vec<_> = (0..size).map(claim).collect();
        side.describe(&table);
        let held = held % (size + 1);
        let heads: Vec<_> = (0..held).collect();
        side.offer(&heads);
        let (frames, ..) = side.take_all(64);
        prop_assert_eq!(frames.len(), heads.len());
        let before = side.memory.u16(layout.used + 2);
        // Frames that were given back before, where there are no others.
        let forever: Vec<_> = frames.iter().cycle().take(1000).copied().collect();
        let mut given = 0;
        for part in parts.into_iter().take(if held == 0 { 0 } else { 8 }) {
            side.queue.complete_all(&forever[given..][..part]);
            given = (given + part).min(frames.len());
            prop_assert_eq!(usize::from(side.queue.outstanding()), frames.len() - given);
        }
        side.queue.publish();
        let used = side.memory.u16(layout.used + 2);
        prop_assert_eq!(usize::from(used.wrapping_sub(before)), given);
        for (at, head) in heads.iter().take(given).enumerate() {
            let entry = u64::from(before.wrapping_add(at as u16) % size);
            prop_assert_eq!(side.memory.u16(layout.used + 4 + 8 * entry), *head);
        }
        side.memory.assert_canaries();
    }
}

/// What `copy` is for, and what it leaves to `read`.
#[test]
fn frames_in_one_piece_are_copied_and_others_are_read() {
    let layout = QueueLayout::contiguous(0, 8, false);
    let mut side = Side::transmit(layout);
    side.memory.write(BUFFERS, &body(5, 400));
    side.describe(&[
        (BUFFERS, 112, 0, 0),
        (BUFFERS, NET_HEADER, NEXT, 2),
        (BUFFERS + 50, 100, 0, 0),
        (BUFFERS, 20, NEXT, 2),
        (BUFFERS, NET_HEADER, NEXT, 3),
    ]);
    side.offer(&[0, 1, 3, 4]);
    let (frames, malformed) = side.take_all(64);
    assert_eq!((frames.len(), malformed), (4, Ok(0)));
    let copied = |side: &Side<Transmitq>, frame: &TxFrame| {
        let mut copy = vec![0; frame.len() as usize];
        side.queue.copy(frame, &mut copy).then_some(copy)
    };
    assert_eq!(copied(&side, &frames[0]), Some(body(5, 112)[12..].to_vec()));
    let behind = body(5, 150)[50..].to_vec();
    assert_eq!(copied(&side, &frames[1]), Some(behind));
    for frame in &frames[2..] {
        assert_eq!(copied(&side, frame), None);
        let mut read = vec![0; frame.len() as usize];
        assert_eq!(side.queue.read(frame, 0, &mut read), Ok(()));
    }
    for frame in &frames {
        assert_copies(&side.queue, frame);
    }
}

/// The price of chains without a frame is the same in bursts as one by one.
#[test]
fn malformed_chains_break_a_queue_at_the_same_one() {
    for max in [1, 3, 64] {
        let layout = QueueLayout::contiguous(0, 16, false);
        let mut side = Side::transmit(layout);
        side.describe(&[(BUFFERS, 72, 0, 0), (BUFFERS, 11, 0, 0)]);
        // One frame ends a row of malformed ones, and the next row is as long as may be.
        side.offer(&[1, 0]);
        let (frames, malformed) = side.take_all(max);
        assert_eq!((frames.len(), malformed), (1, Ok(1)));
        side.queue.complete_all(&frames);
        for _ in 0..MAX_MALFORMED / 16 {
            side.offer(&[1; 16]);
            let (_, malformed) = side.take_all(max);
            assert_eq!(malformed, Ok(16), "{max}");
        }
        side.offer(&[1]);
        let (_, end) = side.take_all(max);
        let limit = MAX_MALFORMED;
        assert_eq!(end, Err(QueueError::NoFrames { head: 1, limit }));
    }
}
