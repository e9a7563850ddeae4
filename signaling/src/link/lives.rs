//! Instance numbers: each life of a side has its own.

/// Lives of the neighbour that are remembered to be over.
const REMEMBERED: usize = 8;

/// The neighbour's lives that are over: what is still heard of them came late.
#[derive(Debug, Default)]
pub(super) struct Former {
    instances: [u64; REMEMBERED],
    next: usize,
}

impl Former {
    pub(super) fn contains(&self, instance: u64) -> bool {
        self.instances.contains(&instance)
    }

    pub(super) fn push(&mut self, instance: u64) {
        if let Some(place) = self.instances.get_mut(self.next) {
            *place = instance;
        }
        self.next = (self.next + 1) % REMEMBERED;
    }
}

/// Another instance number: as random as the last one, and as the time (the finaliser of SplitMix64; Steele,
/// Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub(super) fn another(instance: u64, now_ns: u64) -> u64 {
    let mut z = instance
        .rotate_left(32)
        .wrapping_add(now_ns)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_eight_are_remembered() {
        let mut former = Former::default();
        for instance in 1..=9 {
            former.push(instance);
        }
        assert!(!former.contains(1));
        assert!((2..=9).all(|instance| former.contains(instance)));
    }

    #[test]
    fn another_life_at_another_time_is_another_number() {
        assert_ne!(another(7, 1), another(7, 2));
        assert_ne!(another(7, 1), another(8, 1));
        assert_ne!(another(7, 0), 7);
    }
}
