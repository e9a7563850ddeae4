//! Random octets as a script of a hostile device against the driver side.
//! Run: `cargo +nightly fuzz run driver` in `virtqueue`.
#![no_main]

#[path = "../../tests/script/mod.rs"]
mod script;
#[path = "../../tests/unsafe_memory/mod.rs"]
mod unsafe_memory;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| script::run_driver(octets));
