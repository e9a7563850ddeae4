//! A neighbour that sends anything.

use proptest::prelude::*;

use crate::script;

#[test]
fn a_script_gets_to_calls() {
    // A SETUP, its refusal, a call of its own, and time.
    script::run(&[5, 1, 0, 10, 1, 9, 1, 4, 0x81, 5, 0, 11, 0x80]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_it_sends(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        script::run(&octets);
    }
}
