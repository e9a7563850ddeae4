//! Any interleaving of both machines, by random scripts.

use proptest::prelude::*;

use crate::script::play;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_crosses_the_rules_hold_and_all_ends_clean(
        script in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        play(&script);
    }
}
