//! The PIH's layout: bits 7 to 5 the PI code, bits 4 to 0 the VN.

use pinode_classifier::{
    ETHERTYPE_DEFAULT, PiCode, Pih, PihError, Vn, VnSet, default_access_ethertype,
};

use crate::{code, vn};

#[test]
fn the_layout_is_that_of_the_wire_format() {
    assert_eq!(ETHERTYPE_DEFAULT, 0x88B5);
    assert_eq!(Pih::new(PiCode::IPV6QOS, Vn::DEFAULT).raw(), 0b001_00000);
    assert_eq!(Pih::new(PiCode::CAN, vn(3)).raw(), 0b010_00011);
    assert_eq!(Pih::new(PiCode::DSS, vn(31)).raw(), 0b011_11111);
    assert_eq!(Pih::new(PiCode::MANAGEMENT, vn(1)).raw(), 0b111_00001);
}

#[test]
fn every_octet_is_a_header_or_has_code_0() {
    for raw in 0..=255u8 {
        match Pih::from_raw(raw) {
            Ok(pih) => {
                assert_eq!((pih.code().get(), pih.vn().get()), (raw >> 5, raw & 31));
                assert_eq!(Pih::new(pih.code(), pih.vn()), pih);
                assert_eq!(pih.raw(), raw);
            }
            Err(error) => {
                assert!(raw < 32);
                assert_eq!(error, PihError::Code { code: 0 });
            }
        }
    }
}

#[test]
fn codes_and_networks_out_of_range_are_refused_with_the_range() {
    assert!((1..=7).all(|code| PiCode::new(code).is_ok()));
    assert!((8..=255).chain([0]).all(|code| PiCode::new(code).is_err()));
    assert!((0..=31).all(|vn| Vn::new(vn).is_ok()));
    assert!((32..=255).all(|vn| Vn::new(vn).is_err()));
    let error = PiCode::new(8).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PI code 8 is out of range: allowed are 1 to 7"
    );
    let error = Vn::new(32).unwrap_err();
    assert_eq!(
        error.to_string(),
        "virtual network 32 is out of range: allowed are 0 to 31"
    );
}

#[test]
fn a_set_holds_what_was_put_in() {
    let set: VnSet = [31, 0, 7, 7].map(vn).into_iter().collect();
    assert_eq!(set.iter().map(Vn::get).collect::<Vec<_>>(), [0, 7, 31]);
    assert_eq!(
        (set.len(), set.is_empty(), set.first()),
        (3, false, Some(vn(0)))
    );
    assert_eq!(set.to_string(), "0, 7, 31");
    assert_eq!(
        (VnSet::default().is_empty(), VnSet::default().first()),
        (true, None)
    );
}

#[test]
fn access_ethertypes_are_those_of_the_pis_own_protocols() {
    let defaults: Vec<_> = (1..=7)
        .map(|number| default_access_ethertype(code(number)))
        .collect();
    assert_eq!(defaults[..3], [Some(0x86DD), Some(0x8624), Some(0x8847)]);
    assert_eq!(defaults[3..], [None; 4]);
}
