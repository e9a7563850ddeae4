//! Random octets as a script of what a hostile neighbour sends, of own calls and of time.
//! Run: `cargo +nightly fuzz run link` in `signaling`.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/neighbours/ledger.rs"]
mod ledger;
#[allow(dead_code)]
#[path = "../../tests/neighbours/pair.rs"]
mod pair;
#[path = "../../tests/neighbours/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| script::run(octets));
