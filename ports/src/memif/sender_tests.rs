use std::sync::Arc;

use proptest::prelude::*;

use super::super::region::create;
use super::super::slave::Plan;
use super::super::unsafe_region::Regions;
use super::*;

/// A ring of 128 in fresh memory, with the buffers that a slave would have there.
fn ring() -> (RingMemory, OwnBuffers) {
    let plan = Plan::new([0, 1], 7, 2048);
    let (_file, region) = create(plan.region_octets()).expect("memory");
    let regions = Arc::new(Regions(vec![region]));
    let ring = RingMemory::new(&regions, 0, 0, 7).expect("a ring");
    (ring, plan.ring(0).expect("offsets").1)
}

fn offer(ring: &RingMemory, head: u16) {
    ring.flags_and_head()
        .store(pair(MASK_INT, head), Ordering::Release);
}

fn taken_back(sender: &mut Sender) -> Vec<Vec<u8>> {
    let mut resend = Resend::default();
    sender.take_back(&mut resend);
    let mut frames = Vec::new();
    resend.pass(usize::MAX >> 1, |frame| {
        frames.push(frame.to_vec());
        true
    });
    frames
}

#[test]
fn a_slave_takes_back_what_is_behind_the_masters_tail() {
    let (ring, own) = ring();
    let mut sender = Sender::new(ring.clone(), Some(own));
    assert_eq!(sender.room(64, 2048), Ok(64));
    for octet in 0..5 {
        assert!(sender.put(&[octet; 60]));
    }
    assert!(sender.publish(), "no mask: an interrupt is wanted");
    ring.flags().store(MASK_INT, Ordering::Relaxed);
    assert!(!sender.publish());
    ring.tail().store(3, Ordering::Release);
    assert_eq!(taken_back(&mut sender), [[3; 60], [4; 60]]);
}

#[test]
fn a_master_takes_back_what_was_not_offered_again() {
    for window in [128, 10] {
        let (ring, own) = ring();
        for index in 0..128 {
            ring.store(index, own.at(&ring, index).to_halves());
        }
        offer(&ring, window);
        let mut sender = Sender::new(ring.clone(), None);
        assert_eq!(sender.room(5, 2048), Ok(5));
        for octet in 0..5 {
            assert!(sender.put(&[octet; 60]));
        }
        sender.publish();
        offer(&ring, window + 3);
        assert_eq!(taken_back(&mut sender), [[3; 60], [4; 60]]);
    }
}

#[test]
fn a_frame_in_several_buffers_is_taken_back_whole_or_not_at_all() {
    let (ring, own) = ring();
    for index in 0..128 {
        let small = Descriptor {
            length: 600,
            ..own.at(&ring, index)
        };
        ring.store(index, small.to_halves());
    }
    offer(&ring, 128);
    let mut sender = Sender::new(ring.clone(), None);
    assert_eq!(sender.room(3, 2048), Ok(3));
    for octet in 0..3 {
        assert!(sender.put(&[octet; 1500]));
    }
    sender.publish();
    let first = Descriptor::from_halves(ring.load(0));
    assert_eq!((first.next, first.length), (true, 600));
    offer(&ring, 128 + 4);
    assert_eq!(taken_back(&mut sender), [vec![2; 1500]]);
}

#[test]
fn buffers_that_cannot_be_are_refused() {
    let (ring, own) = ring();
    let refused = |wrong: Descriptor, head| {
        ring.store(0, wrong.to_halves());
        offer(&ring, head);
        Sender::new(ring.clone(), None).room(1, 2048)
    };
    let right = own.at(&ring, 0);
    assert_eq!(refused(right, 1), Ok(1));
    assert_eq!(refused(right, 129), Err(Refusal::RingOverrun));
    let small = Descriptor {
        length: 511,
        ..right
    };
    assert!(matches!(refused(small, 1), Err(Refusal::BufferSize { .. })));
    for wrong in [
        Descriptor { region: 9, ..right },
        Descriptor {
            offset: u32::MAX - 100,
            ..right
        },
    ] {
        assert_eq!(refused(wrong, 1), Err(Refusal::DescriptorPlace));
    }
}

proptest! {
    /// No content of ring and descriptors makes a sender do more than refuse.
    #[test]
    fn any_ring_is_survived(
        index in any::<u16>(),
        later in any::<u16>(),
        halves in proptest::collection::vec(any::<[u64; 2]>(), 128),
        small in any::<bool>(),
        is_slave in any::<bool>(),
    ) {
        let (ring, own) = ring();
        for (index, [low, high]) in (0..).zip(halves) {
            let low = if small { low & 0x7ff_0000_0001 | 0x200_0000_0000 } else { low };
            ring.store(index, [low, if small { high & 0xffff } else { high }]);
        }
        let claim = |index| match is_slave {
            true => ring.tail_and_pad().store(index, Ordering::Release),
            false => ring.flags_and_head().store(index, Ordering::Release),
        };
        claim(u32::from(index) << if is_slave { 0 } else { 16 });
        let mut sender = Sender::new(ring.clone(), is_slave.then_some(own));
        if let Ok(room) = sender.room(64, 2048) {
            for number in 0..room {
                prop_assert!(sender.put(&[7; 2048][..60 + number * 31]));
            }
            sender.publish();
        }
        claim(u32::from(later) << if is_slave { 0 } else { 16 });
        prop_assert!(taken_back(&mut sender).len() <= 128);
    }
}
