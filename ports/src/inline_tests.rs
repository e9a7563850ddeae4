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
