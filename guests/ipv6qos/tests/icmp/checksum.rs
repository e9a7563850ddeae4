//! RFC 1071.

use pinode_guest_ipv6qos::icmp::checksum;
use proptest::prelude::*;

use super::packets::seeded;

/// Sixteen bits at a time, as it is defined.
fn plain(octets: &[u8]) -> u16 {
    let mut total = 0u32;
    for pair in octets.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

#[test]
fn the_standards_example() {
    // RFC 1071 3.
    let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum::sum(&octets), 0xddf2);
    assert_eq!(checksum::sum(&[]), 0);
    assert_eq!(checksum::sum(&[0xff; 1500]), 0xffff);
    assert_eq!(checksum::sum(&[0x12]), 0x1200);
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn it_is_the_plain_sum(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(checksum::sum(&octets), plain(&octets));
    }

    #[test]
    fn what_is_sealed_is_right(
        source: u128,
        destination: u128,
        message in proptest::collection::vec(any::<u8>(), 4..100),
        flipped in 0usize..800,
    ) {
        let mut message = message;
        checksum::seal(source, destination, &mut message);
        prop_assert_eq!(checksum::icmpv6(source, destination, &message), 0);
        let at = flipped / 8 % message.len();
        message[at] ^= 1 << (flipped % 8);
        prop_assert_ne!(checksum::icmpv6(source, destination, &message), 0);
    }
}
