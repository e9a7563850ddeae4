//! Random octets as a script of frames and requests for the switch.
//! Run: `cargo +nightly fuzz run switch` in `guests/dss`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/switch/bed.rs"]
mod bed;
#[path = "../../tests/switch/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| script::run(octets));
