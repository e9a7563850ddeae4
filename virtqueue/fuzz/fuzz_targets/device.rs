//! Random octets as a script of a hostile driver against the device side.
//! Run: `cargo +nightly fuzz run device` in `virtqueue`.
#![no_main]

#[path = "../../tests/script/mod.rs"]
mod script;
#[path = "../../tests/unsafe_memory/mod.rs"]
mod unsafe_memory;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| script::run_device(octets));
