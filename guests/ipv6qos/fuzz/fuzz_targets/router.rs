//! Random octets as a script of frames for the router.
//! Run: `cargo +nightly fuzz run router` in `guests/ipv6qos`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/router/bed.rs"]
mod bed;
#[path = "../../tests/router/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| script::run(octets));
