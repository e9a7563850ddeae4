//! Whatever comes: no panic, and nothing is lost count of.

use proptest::prelude::*;

use crate::script::run;
use crate::seeded;

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn any_octets_are_a_script(octets in prop::collection::vec(any::<u8>(), 0..2000)) {
        run(&octets);
    }
}
