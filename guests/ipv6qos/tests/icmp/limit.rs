//! How many errors may be sent (RFC 4443 2.4 f).

use pinode_guest_ipv6qos::icmp::{Limit, LimitConfig};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;
use proptest::prelude::*;

use super::packets::seeded;

const SECOND: u64 = 1_000_000_000;

fn interface(vif: u8) -> InterfaceId {
    InterfaceId::new(VifIndex(vif), Vn::default())
}

#[test]
fn a_burst_and_then_the_rate() {
    let config = LimitConfig { rate: 10, burst: 5 };
    let mut limit = Limit::new(config, 64);
    let mut count = |now_ns, vif| {
        (0..100)
            .filter(|_| limit.take(now_ns, interface(vif)))
            .count()
    };
    assert_eq!(count(0, 0), 5);
    assert_eq!(count(SECOND / 10 - 1, 0), 0);
    assert_eq!(count(SECOND / 10, 0), 1);
    assert_eq!(count(SECOND / 10, 1), 5, "an interface has its own");
    assert_eq!(count(100 * SECOND, 0), 5, "no more is saved up");
    assert_eq!(count(0, 2), 0, "none is beyond the bound");
}

#[test]
fn wrong_bounds_are_named() {
    let read = |text| serde_json::from_str::<LimitConfig>(text);
    assert_eq!(read("{}").expect("defaults"), LimitConfig::default());
    assert_eq!(LimitConfig::default().check(), Ok(()));
    for (text, named) in [
        (r#"{"rate":0}"#, "rate: 0; allowed: 1 to 1000000"),
        (r#"{"rate":1000001}"#, "rate: 1000001"),
        (r#"{"burst":0}"#, "burst: 0; allowed: 1 to 65535"),
        (r#"{"burst":65536}"#, "burst: 65536"),
    ] {
        let error = read(text).expect("readable").check().expect_err(text);
        assert!(error.contains(named), "{error}");
    }
    let error = read(r#"{"rat":1}"#).expect_err("unknown").to_string();
    assert!(error.contains("unknown field `rat`"), "{error}");
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn never_more_than_burst_and_rate(
        rate in 1u32..2000,
        burst in 1u32..50,
        waits in proptest::collection::vec(0u64..50_000_000, 1..500),
    ) {
        let mut limit = Limit::new(LimitConfig { rate, burst }, 1);
        let (mut now_ns, mut taken) = (0, 0);
        for wait_ns in waits {
            now_ns += wait_ns;
            taken += u64::from(limit.take(now_ns, interface(0)));
            // The time of a token is rounded down to nanoseconds.
            let token_ns = SECOND / u64::from(rate);
            prop_assert!(taken <= u64::from(burst) + now_ns / token_ns);
        }
    }
}
