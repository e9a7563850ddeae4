//! Random octets as a hostile other side of the internal signalling protocol.
//! Run: `cargo +nightly fuzz run isp` in `signaling`.
#![no_main]

#[path = "../../tests/isp/hostile.rs"]
mod hostile;
#[allow(dead_code)]
#[path = "../../tests/isp/sample.rs"]
mod sample;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| hostile::play(octets));
