//! What of a configuration is refused, and what the message says.

use pinode_classifier::{Access, ConfigError, Drop, GuestForm, Table, Trunk, TxDrop};

use crate::{IPV6, MTU, NODE, code, pi, vn};

#[test]
fn two_pis_need_networks_and_slots_of_their_own() {
    let error = Table::new(&[
        pi(0, 1, &[0, 3, 9], GuestForm::Keep),
        pi(1, 1, &[1, 9, 3], GuestForm::Keep),
    ]);
    let error = error.unwrap_err();
    let vns = [vn(3), vn(9)].into_iter().collect();
    assert_eq!(error, ConfigError::VnsTwice { code: code(1), vns });
    assert_eq!(
        error.to_string(),
        "virtual networks 3, 9 of PI code 1 are given to two PIs: each needs a code or virtual networks of its own"
    );
    let error = Table::new(&[
        pi(2, 1, &[0], GuestForm::Keep),
        pi(2, 3, &[0], GuestForm::Keep),
    ]);
    let error = error.unwrap_err();
    assert_eq!(
        error,
        ConfigError::SlotTwice {
            slot: 2,
            first: code(1),
            second: code(3)
        }
    );
    assert_eq!(
        error.to_string(),
        "PIs of codes 1 and 3 share slot 2: each needs its own"
    );
}

#[test]
fn a_pi_needs_a_slot_in_range_and_a_network() {
    let error = Table::new(&[pi(32, 1, &[0], GuestForm::Keep)]).unwrap_err();
    assert_eq!(
        error,
        ConfigError::Slot {
            slot: 32,
            code: code(1)
        }
    );
    assert_eq!(
        error.to_string(),
        "PI of code 1 has slot 32: allowed are 0 to 31"
    );
    let error = Table::new(&[pi(0, 1, &[], GuestForm::Keep)]).unwrap_err();
    assert_eq!(error, ConfigError::NoVn { code: code(1) });
}

#[test]
fn a_guest_for_each_network_of_a_code() {
    let pis: Vec<_> = (0..32)
        .map(|n| pi(n, 1 + n % 2, &[n / 2], GuestForm::Keep))
        .collect();
    let table = Table::new(&pis).unwrap();
    for raw in 0..=255u8 {
        let expected = match (raw >> 5, raw & 0x1F) {
            (own @ 1..=2, network @ 0..16) => Ok(2 * network + own - 1),
            (1..=2, _) => Err(Drop::UnknownVn),
            _ => Err(Drop::UnknownPi),
        };
        assert_eq!(table.lookup(raw), expected, "{raw:#04x}");
    }
    let trunk = Trunk::new(NODE, MTU, &pis).unwrap();
    for (slot, network) in [(0, 0), (2, 1), (31, 15)] {
        for raw in 0..=255u8 {
            let mut head = [0u8; 15];
            head[12..14].copy_from_slice(&NODE.to_be_bytes());
            head[14] = raw;
            let sent = trunk.to_wire(slot, &head, 60).map(|_| ());
            let expected = match (raw >> 5 == 1 + slot % 2, raw & 0x1F == network) {
                (true, true) => Ok(()),
                // Another guest's network of the same code, or nobody's.
                (true, false) => Err(TxDrop::UnknownVn),
                (false, _) => Err(TxDrop::Spoofed),
            };
            assert_eq!(sent, expected, "slot {slot}, {raw:#04x}");
        }
    }
}

#[test]
fn a_stripped_guest_has_one_network() {
    let form = GuestForm::Strip { ethertype: IPV6 };
    let error = Trunk::new(NODE, MTU, &[pi(0, 1, &[3, 4], form)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PI of code 1 strips the PIH but carries virtual networks 3, 4: allowed is one"
    );
    assert!(Trunk::new(NODE, MTU, &[pi(0, 1, &[3], form)]).is_ok());
}

#[test]
fn an_access_port_is_in_a_network_of_its_pi() {
    let error =
        Access::new(NODE, IPV6, MTU, pi(0, 1, &[0, 2], GuestForm::Keep), vn(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "access port has virtual network 1: its PI of code 1 carries 0, 2"
    );
}

#[test]
fn a_length_is_no_ethertype() {
    let keep = pi(0, 1, &[0], GuestForm::Keep);
    let refused = ConfigError::EtherType { ethertype: 0x05FF };
    assert_eq!(
        refused.to_string(),
        "EtherType 0x05ff is a length: allowed are 0x0600 to 0xffff"
    );
    assert_eq!(Trunk::new(0x05FF, MTU, &[keep]).unwrap_err(), refused);
    assert_eq!(
        Access::new(0x05FF, IPV6, MTU, keep, vn(0)).unwrap_err(),
        refused
    );
    assert_eq!(
        Access::new(NODE, 0x05FF, MTU, keep, vn(0)).unwrap_err(),
        refused
    );
    let strip = pi(0, 1, &[0], GuestForm::Strip { ethertype: 0x05FF });
    assert_eq!(Trunk::new(NODE, MTU, &[strip]).unwrap_err(), refused);
    assert!(Trunk::new(0x0600, MTU, &[keep]).is_ok());
}
