//! Any interleaving of both machines, and any other side, by random scripts.

use proptest::prelude::*;

use crate::{hostile, script};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_crosses_the_rules_hold_and_all_ends_clean(
        octets in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        script::play(&octets);
    }

    #[test]
    fn whatever_the_other_side_says_both_sides_stand(
        octets in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        hostile::play(&octets);
    }
}
