//! The counters of all routers, for Prometheus.
//!
//! Must never let what a router says spoil what the node says of others: names are plain, no two are the same, and
//! there are not many.

use std::collections::BTreeMap;

use pinode_guest_ipv6qos::control::request::Kind;
use pinode_guest_ipv6qos::control::view::{Count, CounterView};

use crate::control::Control;
use crate::ipv6::{GUEST, Router};
use crate::status::{GuestState, GuestStatus};

/// Most counters of a router: 32 virtual networks with more than there are.
const MOST: usize = 4096;

/// Whose counter it is, of which virtual network (empty: of the router), and which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The guest.
    pub guest: String,
    /// The virtual network, or nothing.
    pub vn: String,
    /// Such as `forwarded`, `dropped.hop_limit`.
    pub counter: String,
}

/// Counters of routers.
pub type Counters = BTreeMap<Name, Count>;

/// The counters of the routers among these guests; none of one that does not answer.
pub fn read(node: &dyn Control, guests: &[GuestStatus]) -> Counters {
    let image = format!("builtin:{GUEST}");
    let routers = guests.iter();
    let routers =
        routers.filter(|guest| guest.image == image && guest.state == GuestState::Running);
    let mut all = Counters::new();
    for GuestStatus { pi, .. } in routers {
        let router = Router::of(node, pi);
        let list = router.and_then(|router| router.list(Kind::Counter, None, None));
        for counter in list.unwrap_or_default().into_iter().take(MOST) {
            add(&mut all, pi, counter);
        }
    }
    all
}

fn add(all: &mut Counters, guest: &str, CounterView { counter, count }: CounterView) {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if counter.is_empty() || counter.len() > 64 || !counter.bytes().all(plain) {
        return;
    }
    let of_network = counter
        .strip_prefix("vn")
        .and_then(|rest| rest.split_once('.'));
    let of_network = of_network.filter(|(vn, _)| vn.parse::<u8>().is_ok());
    let (vn, counter) = of_network.unwrap_or(("", &counter));
    let name = Name {
        guest: guest.to_owned(),
        vn: vn.to_owned(),
        counter: counter.to_owned(),
    };
    all.insert(name, count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_their_network_and_plain_names() {
        let mut all = Counters::new();
        let count = Count {
            packets: 3,
            octets: 300,
        };
        for name in [
            "vn5.dropped.hop_limit",
            "class.ef",
            "vnx.y",
            "a\"b",
            "",
            "vn5.dropped.hop_limit",
        ] {
            let counter = name.to_owned();
            add(&mut all, "ipv6qos", CounterView { counter, count });
        }
        let names: Vec<_> = all.keys().map(|name| (&*name.vn, &*name.counter)).collect();
        assert_eq!(
            names,
            [("", "class.ef"), ("", "vnx.y"), ("5", "dropped.hop_limit")]
        );
    }
}
