use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::address::OCTETS;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn address(first: &[u8]) -> Address {
    let mut octets = [0; OCTETS];
    octets[..first.len()].copy_from_slice(first);
    Address(octets)
}

#[test]
fn the_longest_prefix_leads() {
    let mut routes = Routes::new();
    assert_eq!(routes.lookup(&address(&[0x47])), &[] as &[u16]);
    routes.add(prefix("/0"), 1).unwrap();
    routes.add(prefix("47/8"), 2).unwrap();
    routes.add(prefix("470005/24"), 3).unwrap();
    routes.add(prefix("470005/24"), 4).unwrap();
    assert_eq!(routes.lookup(&address(&[0x39])), &[1]);
    assert_eq!(routes.lookup(&address(&[0x47, 1])), &[2]);
    assert_eq!(routes.lookup(&address(&[0x47, 0, 5])), &[3, 4]);
    let listed: Vec<(Prefix, &[u16])> = routes.list().map(|r| (r.prefix, r.ports)).collect();
    assert_eq!(
        listed,
        [
            (prefix("/0"), &[1][..]),
            (prefix("47/8"), &[2][..]),
            (prefix("470005/24"), &[3, 4][..])
        ]
    );
}

#[test]
fn what_cannot_be_changed_is_named() {
    let mut routes = Routes::new();
    let prefix = prefix("47/8");
    assert_eq!(
        routes.delete(prefix, 1),
        Err(RouteError::Unknown { prefix, port: 1 })
    );
    for port in 0..16 {
        routes.add(prefix, port).unwrap();
    }
    assert_eq!(
        routes.add(prefix, 3),
        Err(RouteError::Exists { prefix, port: 3 })
    );
    assert_eq!(routes.add(prefix, 16), Err(RouteError::Full { prefix }));
    assert_eq!(
        routes.delete(prefix, 16),
        Err(RouteError::Unknown { prefix, port: 16 })
    );
    for port in 0..16 {
        routes.delete(prefix, port).unwrap();
    }
    assert_eq!(routes, Routes::new());
}

proptest! {
    #[test]
    fn as_a_plain_list_has_it(
        routes in proptest::collection::vec((any::<[u8; 2]>(), 0u8..=16, any::<u16>()), 0..40),
        asked: [u8; 2],
    ) {
        let mut table = Routes::new();
        let mut list: Vec<(Prefix, u16)> = Vec::new();
        for (first, length, port) in routes {
            let prefix = Prefix::covering(&address(&first), length).unwrap();
            if table.add(prefix, port).is_ok() {
                list.push((prefix, port));
            }
        }
        let asked = address(&asked);
        let longest = list.iter().filter(|(p, _)| p.contains(&asked)).map(|(p, _)| p.length()).max();
        let expected: Vec<u16> = list
            .iter()
            .filter(|(p, _)| Some(p.length()) == longest && p.contains(&asked))
            .map(|&(_, port)| port)
            .collect();
        prop_assert_eq!(table.lookup(&asked), &expected[..]);
        for (prefix, port) in list {
            table.delete(prefix, port).unwrap();
        }
        prop_assert_eq!(table, Routes::new());
    }
}
