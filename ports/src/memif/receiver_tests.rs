use std::sync::Arc;

use proptest::prelude::*;

use super::super::layout::COOKIE;
use super::super::region::create;
use super::super::slave::Plan;
use super::super::unsafe_region::Regions;
use super::*;

/// A ring of 128 in fresh memory, with the buffers that a slave would have there.
fn ring() -> (RingMemory, OwnBuffers) {
    let plan = Plan::new([1, 0], 7, 2048);
    let (_file, region) = create(plan.region_octets()).expect("memory");
    let regions = Arc::new(Regions(vec![region]));
    let ring = RingMemory::new(&regions, 0, 0, 7).expect("a ring");
    ring.cookie().store(COOKIE, Ordering::Relaxed);
    let (_, own) = plan.ring(0).expect("offsets");
    (ring, own)
}

fn take(receiver: &mut Receiver, want: usize) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut arrivals = Arrivals::new(2048);
    receiver.take(want, &mut arrivals)?;
    let mut burst = RxBurst::new();
    arrivals.lend(&mut burst);
    Ok(burst.iter().map(|frame| frame.to_vec()).collect())
}

/// The master's side of a slave's ring, with descriptors written by the test.
fn master(descriptors: &[Descriptor]) -> (RingMemory, Receiver) {
    let (ring, _) = ring();
    Receiver::prepare(&ring, None);
    for (index, descriptor) in (0..).zip(descriptors) {
        ring.store(index, descriptor.to_halves());
    }
    let head = u16::try_from(descriptors.len()).expect("few");
    ring.head().store(head, Ordering::Release);
    (ring.clone(), Receiver::new(ring, None))
}

#[test]
fn parts_are_joined_and_a_frame_waits_for_its_end() {
    let (ring, own) = ring();
    let part = |index, length, next| Descriptor {
        next,
        length,
        ..own.at(&ring, index)
    };
    let (ring, mut receiver) = master(&[part(0, 100, true), part(1, 28, false), part(2, 60, true)]);
    for (index, octet) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        let at = own.at(&ring, index);
        ring.regions()
            .write(0, at.offset, &[octet; 100])
            .expect("inside");
    }
    let whole = [[1; 100].as_slice(), &[2; 28]].concat();
    assert_eq!(take(&mut receiver, 64), Ok(vec![whole]));
    assert_eq!(ring.tail().load(Ordering::Relaxed), 2);
    assert_eq!(take(&mut receiver, 64), Ok(vec![]));
    ring.store(3, part(3, 4, false).to_halves());
    ring.head().store(4, Ordering::Release);
    let whole = [[3; 60].as_slice(), &[4; 4]].concat();
    assert_eq!(take(&mut receiver, 64), Ok(vec![whole]));
}

#[test]
fn what_the_peer_writes_is_refused_where_it_cannot_be() {
    let inside = Descriptor {
        length: 60,
        ..Descriptor::default()
    };
    let refused = |descriptor| take(&mut master(&[descriptor]).1, 64);
    for wrong in [
        Descriptor {
            region: 1,
            ..inside
        },
        Descriptor {
            offset: u32::MAX,
            ..inside
        },
        Descriptor {
            length: u32::MAX,
            ..inside
        },
    ] {
        assert_eq!(refused(wrong), Err(Refusal::DescriptorPlace));
    }
    let (ring, mut receiver) = master(&[]);
    ring.head().store(129, Ordering::Release);
    assert_eq!(take(&mut receiver, 64), Err(Refusal::RingOverrun));
    let endless = Descriptor {
        next: true,
        ..inside
    };
    let chain = Err(Refusal::ChainLength { limit: 128 });
    assert_eq!(take(&mut master(&[endless; 128]).1, 64), chain);
    let (ring, mut receiver) = master(&[inside]);
    ring.tail().store(7, Ordering::Release);
    assert_eq!(take(&mut receiver, 64), Err(Refusal::RingOverrun));
}

#[test]
fn what_the_sender_took_back_is_not_received() {
    let inside = Descriptor {
        length: 60,
        ..Descriptor::default()
    };
    let (ring, mut receiver) = master(&[inside; 3]);
    assert_eq!(take(&mut receiver, 1).map(|frames| frames.len()), Ok(1));
    ring.tail_and_pad()
        .fetch_or(pair(0, TAKEN_BACK), Ordering::AcqRel);
    assert_eq!(take(&mut receiver, 1), Ok(vec![]));
    assert!(receiver.is_done());
}

proptest! {
    /// No content of ring and descriptors makes a slave or a master do more than refuse.
    #[test]
    fn any_ring_is_survived(
        index in any::<u16>(),
        halves in proptest::collection::vec(any::<[u64; 2]>(), 128),
        small in any::<bool>(),
        is_slave in any::<bool>(),
    ) {
        let (ring, own) = ring();
        let mut receiver = if is_slave {
            Receiver::prepare(&ring, Some(own));
            ring.tail().store(index % 200, Ordering::Release);
            Receiver::new(ring.clone(), Some(own))
        } else {
            Receiver::prepare(&ring, None);
            ring.head().store(index % 200, Ordering::Release);
            Receiver::new(ring.clone(), None)
        };
        for (index, [low, high]) in (0..).zip(halves) {
            // Small: flags and lengths that may be, so that chains are walked.
            let low = if small { low & 0x7ff_0000_0001 } else { low };
            ring.store(index, [low, if small { high & 0xffff } else { high }]);
        }
        for _ in 0..4 {
            match take(&mut receiver, 64) {
                Ok(frames) => prop_assert!(frames.iter().all(|frame| frame.len() <= 2048)),
                Err(_) => break,
            }
        }
    }
}
