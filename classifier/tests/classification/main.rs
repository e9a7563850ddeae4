//! Classification from outside: every PIH, every port mode, any octets, and the policer.

mod access;
mod any_octets;
mod configuration;
mod copies;
mod every_pih;
mod header;
mod policing;
mod slots;
mod trunk;

use pinode_classifier::{GuestForm, Pi, PiCode, PortClassifier, Splice, Vn, VnSet};
use proptest::test_runner::{Config, RngSeed};

pub(crate) const NODE: u16 = 0x88B5;
pub(crate) const IPV6: u16 = 0x86DD;
pub(crate) const NDN: u16 = 0x8624;
pub(crate) const MTU: u16 = 1500;

/// Property tests that find the same cases on every run.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(2697),
        failure_persistence: None,
        ..Config::default()
    }
}

pub(crate) fn code(code: u8) -> PiCode {
    PiCode::new(code).expect("1 to 7")
}

pub(crate) fn vn(vn: u8) -> Vn {
    Vn::new(vn).expect("0 to 31")
}

pub(crate) fn pi(slot: u8, number: u8, vns: &[u8], form: GuestForm) -> Pi {
    Pi {
        slot,
        code: code(number),
        vns: vns.iter().copied().map(vn).collect::<VnSet>(),
        form,
    }
}

/// A frame of `octets` whose payload octets differ from each other; without PIH.
pub(crate) fn plain(ethertype: u16, octets: usize) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..octets).map(|at| (at % 251) as u8).collect();
    frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
    frame
}

/// A frame of `octets` with a PIH.
pub(crate) fn tagged(ethertype: u16, pih: u8, octets: usize) -> Vec<u8> {
    let mut frame = plain(ethertype, octets);
    frame[14] = pih;
    frame
}

/// The new frame that a splice makes of an old one.
pub(crate) fn spliced(splice: Splice, frame: &[u8]) -> Vec<u8> {
    let new = [splice.prefix(), splice.body(frame)].concat();
    assert_eq!(new.len(), splice.octets(frame.len()));
    assert_eq!(splice.body(frame), &frame[splice.skip()..]);
    new
}

/// What a guest gets of a frame from the wire.
pub(crate) fn to_guest(port: &PortClassifier, frame: &[u8]) -> Vec<u8> {
    spliced(
        port.to_guest(port.classify(frame).expect("of a PI"), frame),
        frame,
    )
}

/// What goes on the wire of a guest's frame, with its padding.
pub(crate) fn to_wire(port: &PortClassifier, slot: u8, frame: &[u8]) -> Vec<u8> {
    let splice = port
        .to_wire(slot, frame, frame.len())
        .expect("the guest's to send");
    let mut wire = spliced(splice, frame);
    wire.resize(splice.padded_octets(frame.len()), 0);
    wire
}
