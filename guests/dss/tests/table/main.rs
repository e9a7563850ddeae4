//! The table of connections against a map, and its memory.

use std::collections::BTreeMap;

use pinode_guest_dss::Configuration;
use pinode_guest_dss::control::{Connection, Key};
use pinode_guest_dss::table::{ConnectError, Table};
use proptest::prelude::*;

const CONNECTIONS: u32 = 40;

fn configuration(connections: u32, ports: usize, vns: &[u8]) -> Configuration {
    let vif =
        |n| serde_json::json!({ "name": format!("p{n}"), "mac": "02:00:00:00:00:01", "mtu": 1500 });
    let config = serde_json::json!({
        "function": "dss",
        "vifs": (0..ports).map(vif).collect::<Vec<_>>(),
        "vns": vns, "code": 3,
        "pi": { "connections": connections },
    });
    Configuration::read(&serde_json::from_value(config).unwrap()).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Connect(Connection),
    Disconnect(Key),
}

/// Few labels in a few blocks, and some that are no keys at all.
fn key() -> impl Strategy<Value = Key> {
    let label = prop_oneof![
        16u32..40,
        1015u32..1035,
        Just(1_048_575),
        Just(500_000),
        Just(3),
        Just(1 << 20),
        Just(u32::MAX)
    ];
    (
        0u8..4,
        prop::sample::select(vec![0u8, 7, 31, 9, 200]),
        label,
    )
        .prop_map(|(port, vn, label)| Key { port, vn, label })
}

fn step() -> impl Strategy<Value = Step> {
    let connect = (key(), 0u8..3, 16u32..18).prop_map(|(key, to_port, to_label)| {
        Step::Connect(Connection {
            port: key.port,
            vn: key.vn,
            label: key.label,
            to_port,
            to_label,
            rate_bps: None,
            tolerance_ns: 0,
            police: false,
        })
    });
    prop_oneof![3 => connect, 2 => key().prop_map(Step::Disconnect)]
}

fn can_be(key: Key) -> bool {
    key.port < 3 && [0, 7, 31].contains(&key.vn) && (16..1 << 20).contains(&key.label)
}

proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 300,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x6473_7332),
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn it_is_a_map_with_a_bound(steps in prop::collection::vec(step(), 0..300)) {
        let configuration = configuration(CONNECTIONS, 3, &[0, 7, 31]);
        let mut table = Table::new(&configuration);
        let mut map = BTreeMap::new();
        for step in steps {
            match step {
                Step::Connect(connection) => {
                    let key = connection.key();
                    let done = table.connect(&connection);
                    match map.get(&key) {
                        _ if !can_be(key) => prop_assert!(done.is_err()),
                        Some(held) if *held == connection => prop_assert_eq!(done, Ok(())),
                        Some(_) => prop_assert_eq!(done, Err(ConnectError::Taken { key })),
                        None if map.len() == CONNECTIONS as usize => {
                            prop_assert_eq!(done, Err(ConnectError::Full { most: CONNECTIONS }));
                        }
                        None => {
                            prop_assert_eq!(done, Ok(()));
                            map.insert(key, connection);
                        }
                    }
                }
                Step::Disconnect(key) => {
                    prop_assert_eq!(table.disconnect(key).is_some(), map.remove(&key).is_some());
                }
            }
            prop_assert_eq!(table.len() as usize, map.len());
        }
        for (key, connection) in &map {
            prop_assert_eq!(table.get(*key).map(|held| held.connection), Some(*connection));
        }
        for key in map.keys() {
            table.disconnect(*key);
            prop_assert!(table.get(*key).is_none());
        }
        prop_assert!(table.is_empty());
        prop_assert_eq!(table.blocks().0, 0);
    }
}

/// All labels of a port: each is found, none is another's, and what is set aside is enough.
#[test]
fn a_million_labels_have_room() {
    let configuration = configuration(Configuration::MOST_CONNECTIONS, 2, &[0]);
    let mut table = Table::new(&configuration);
    let connection = |n: u32| Connection {
        port: 0,
        vn: 0,
        label: n,
        to_port: 1,
        to_label: 16 + n.wrapping_mul(2_654_435_761) % 1_000_000,
        rate_bps: None,
        tolerance_ns: 0,
        police: false,
    };
    for label in 16..1 << 20 {
        table.connect(&connection(label)).unwrap();
    }
    assert_eq!(table.len(), (1 << 20) - 16);
    assert_eq!(table.blocks(), (1024, 2048));
    for label in 16..1 << 20 {
        let held = table.get(connection(label).key()).unwrap();
        assert_eq!(held.connection, connection(label));
    }
    // 64 octets for a frame, 32 besides, 4 to be found and 4 to be free; and blocks of the other port.
    assert!(Table::octets(&configuration) < 114 << 20);
}
