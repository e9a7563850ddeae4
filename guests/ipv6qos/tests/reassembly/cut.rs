//! Packets of the router in fragments.

use etherparse::{Ipv6FragmentHeaderSlice, Ipv6HeaderSlice};
use pinode_guest_ipv6qos::reassembly::cut::Cut;
use pinode_guest_ipv6qos::reassembly::{Reassembly, Taken};
use proptest::prelude::*;

use crate::fragments::*;
use crate::seeded;

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn fragments_are_as_another_reads_them_and_make_the_packet_again(octets in 8usize..9000, most in 1280usize..1600) {
        let packet = whole(SOURCE, &content(octets));
        let mut pool = Reassembly::new(1);
        let mut end = 0;
        let mut number = None;
        for slice in Cut::new(&packet, most, 0xfeed_beef).unwrap() {
            prop_assert_eq!(number, None);
            prop_assert!(slice.len() <= most);
            let mut fragment = vec![0; slice.len()];
            prop_assert!(slice.write(&mut fragment));
            prop_assert!(!slice.write(&mut vec![0; slice.len() - 1]));
            let header = Ipv6HeaderSlice::from_slice(&fragment).unwrap();
            prop_assert_eq!(usize::from(header.payload_length()) + 40, fragment.len());
            prop_assert_eq!(header.next_header().0, 44);
            prop_assert_eq!(&fragment[8..40], &packet[8..40]);
            let own = Ipv6FragmentHeaderSlice::from_slice(&fragment[40..]).unwrap();
            prop_assert_eq!((own.next_header().0, own.identification()), (ICMP, 0xfeed_beef));
            prop_assert_eq!(usize::from(own.fragment_offset().byte_offset()), end);
            end += fragment.len() - FRONT;
            prop_assert_eq!(own.more_fragments(), end < octets);
            // Each but the last is as long as it can be.
            prop_assert!(!own.more_fragments() || fragment.len() + 8 > most);
            number = match pool.take(0, on(0, 0), &fragment) {
                Taken::Whole(number) => Some(number),
                // A packet in one fragment, too, is put together.
                Taken::Kept => None,
                taken => return Err(TestCaseError::fail(format!("{taken:?}"))),
            };
        }
        prop_assert_eq!(take_out(&mut pool, number.unwrap()), packet);
    }
}

#[test]
fn what_can_bring_nothing_is_not_cut() {
    let packet = whole(SOURCE, &content(100));
    assert!(Cut::new(&packet, 55, 1).is_none());
    assert!(Cut::new(&packet, 56, 1).is_some());
    assert!(Cut::new(&packet[..39], 1280, 1).is_none());
}
