//! The inline port: frames are lent in place, refused pushes are seen, the sink sees what was sent.

use super::*;

#[derive(Default)]
struct Recorder {
    to_inject: Vec<Vec<u8>>,
    refused: usize,
    absorbed: Vec<(u64, Vec<u8>, TxMeta)>,
}

impl Wire for Recorder {
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        for frame in self.to_inject.drain(..) {
            if !slots.push(frame.len(), |slot| slot.copy_from_slice(&frame)) {
                self.refused += 1;
            }
        }
    }

    fn absorb(&mut self, now_ns: u64, frame: &[u8], meta: &TxMeta) {
        self.absorbed.push((now_ns, frame.to_vec(), *meta));
    }
}

#[test]
fn injected_frames_arrive_and_the_burst_is_bounded() {
    let mut port = InlinePort::new(Recorder::default(), 128);
    port.wire_mut().to_inject = (0..70).map(|i| vec![i; 60]).collect();
    port.wire_mut().to_inject.insert(0, vec![0; 129]);
    let mut burst = RxBurst::new();
    port.rx_burst(5, &mut burst);
    assert_eq!(burst.len(), BURST);
    assert!(
        burst
            .iter()
            .enumerate()
            .all(|(i, frame)| *frame == [i as u8; 60])
    );
    drop(burst);
    assert_eq!(port.wire().refused, 7);
}

#[test]
fn a_started_burst_takes_only_what_it_has_room_for() {
    let mut port = InlinePort::new(Recorder::default(), 128);
    port.wire_mut().to_inject = vec![vec![1; 60], vec![2; 60]];
    let mut burst = RxBurst::new();
    for _ in 0..BURST - 1 {
        burst.push(&[]);
    }
    port.rx_burst(0, &mut burst);
    assert_eq!(burst.len(), BURST);
    assert_eq!(burst[BURST - 1], [1; 60]);
}

#[test]
fn sent_frames_reach_the_sink_with_their_start() {
    let mut port = InlinePort::new(Recorder::default(), 128);
    port.rx_burst(42, &mut RxBurst::new());
    let mut slots = TxSlots::new();
    port.tx_slots(2, &mut slots);
    slots[0][..60].fill(1);
    slots[1][..61].fill(2);
    drop(slots);
    let metas = [
        TxMeta {
            len: 60,
            start_ns: 100,
        },
        TxMeta {
            len: 61,
            start_ns: 200,
        },
    ];
    assert_eq!(port.tx_commit(&metas), 2);
    let wire = port.into_wire();
    assert_eq!(
        wire.absorbed,
        [(42, vec![1; 60], metas[0]), (42, vec![2; 61], metas[1])]
    );
}

#[test]
fn a_length_beyond_the_slot_is_not_taken() {
    let mut port = InlinePort::new(Recorder::default(), 128);
    let metas = [
        TxMeta {
            len: 60,
            start_ns: 0,
        },
        TxMeta {
            len: 129,
            start_ns: 0,
        },
    ];
    assert_eq!(port.tx_commit(&metas), 1);
}

/// Fills slots with frames of `octets`.
#[derive(Default)]
struct Filler {
    octets: usize,
    /// How many frames it has for each call.
    frames: Vec<usize>,
    /// What each call filled, and how much room it left.
    filled: Vec<(usize, usize)>,
    /// How often it was asked for a frame.
    asked: usize,
}

impl Wire for Filler {
    fn inject(&mut self, _now_ns: u64, slots: &mut InjectSlots<'_, '_>) {
        for frames in self.frames.drain(..) {
            let mut left = frames;
            let filled = slots.fill(|slot| {
                self.asked += 1;
                left = left.checked_sub(1)?;
                slot.fill(self.asked as u8);
                Some(self.octets)
            });
            self.filled.push((filled, slots.room()));
        }
    }

    fn absorb(&mut self, _now_ns: u64, _frame: &[u8], _meta: &TxMeta) {}
}

fn filler(octets: usize, frames: &[usize]) -> InlinePort<Filler> {
    let wire = Filler {
        octets,
        frames: frames.to_vec(),
        ..Filler::default()
    };
    InlinePort::new(wire, 2048)
}

/// Octets of each frame of a burst, and that each has its own.
fn lengths(port: &mut InlinePort<Filler>) -> Vec<usize> {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    for (number, frame) in (1u8..).zip(&burst) {
        assert!(frame.iter().all(|octet| *octet == number), "frame {number}");
    }
    burst.iter().map(|frame| frame.len()).collect()
}

#[test]
fn filling_ends_where_there_is_no_room() {
    let mut port = filler(60, &[usize::MAX, usize::MAX]);
    assert_eq!(lengths(&mut port), [60; BURST]);
    assert_eq!(port.wire().filled, [(BURST, 0), (0, 0)]);
    assert_eq!(port.wire().asked, BURST, "no slot, no frame");
}

#[test]
fn filling_ends_where_frames_would_no_longer_be_near() {
    // The frame that goes beyond is the last.
    let most = NEAR_OCTETS.div_ceil(1500);
    let mut port = filler(1500, &[usize::MAX, usize::MAX]);
    assert_eq!(lengths(&mut port), vec![1500; most]);
    let room = BURST - most;
    assert_eq!(port.wire().filled, [(most, room), (0, room)]);
    assert_eq!(port.wire().asked, most);
    // Each burst has the whole of it again.
    port.wire_mut().asked = 0;
    port.wire_mut().frames = vec![usize::MAX];
    assert_eq!(lengths(&mut port), vec![1500; most]);
}

#[test]
fn filling_ends_where_there_are_no_more_frames_and_goes_on_with_the_next_call() {
    let mut port = filler(60, &[3, 0, 2]);
    let wire = |port: &InlinePort<Filler>| port.wire().filled.clone();
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    assert_eq!(burst.len(), 5);
    drop(burst);
    assert_eq!(
        wire(&port),
        [(3, BURST - 3), (0, BURST - 3), (2, BURST - 5)]
    );
}

#[test]
fn a_started_burst_is_filled_to_its_end() {
    let mut port = filler(60, &[usize::MAX]);
    let mut burst = RxBurst::new();
    for _ in 0..BURST - 4 {
        burst.push(&[]);
    }
    port.rx_burst(0, &mut burst);
    assert_eq!(burst.len(), BURST);
    drop(burst);
    assert_eq!(port.wire().filled, [(4, 0)]);
}

#[test]
fn what_is_written_beyond_the_slot_is_cut() {
    let mut port = filler(usize::MAX, &[1]);
    assert_eq!(lengths(&mut port), [2048]);
}

/// Slots that are offered behind `frames` frames of `octets`.
fn offered_after(port: &mut InlinePort<Recorder>, frames: usize, octets: u16) -> usize {
    let meta = TxMeta {
        len: octets,
        start_ns: 0,
    };
    assert_eq!(port.tx_commit(&vec![meta; frames]), frames);
    let mut slots = TxSlots::new();
    port.tx_slots(BURST, &mut slots);
    slots.len()
}

#[test]
fn a_port_in_parts_offers_as_many_slots_as_stay_near() {
    let mut port = InlinePort::new(Recorder::default(), 10_000);
    assert!(port.in_parts());
    assert_eq!(offered_after(&mut port, 0, 0), BURST, "none is known yet");
    let near = NEAR_OCTETS / 1514;
    assert_eq!(offered_after(&mut port, 4, 1514), near);
    assert_eq!(offered_after(&mut port, 0, 0), near, "nothing new is known");
    assert_eq!(offered_after(&mut port, near, 60), BURST);
    assert_eq!(offered_after(&mut port, 2, 9000), 1, "never none");
    assert_eq!(offered_after(&mut port, 1, 256), NEAR_OCTETS / 256);
    assert_eq!(offered_after(&mut port, 1, 0), BURST);
}

#[test]
fn a_port_in_parts_offers_no_more_than_is_wanted() {
    let mut port = InlinePort::new(Recorder::default(), 2048);
    assert_eq!(offered_after(&mut port, 1, 1514), NEAR_OCTETS / 1514);
    let mut slots = TxSlots::new();
    port.tx_slots(2, &mut slots);
    assert_eq!(slots.len(), 2);
}
