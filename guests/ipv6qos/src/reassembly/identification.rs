//! What names packets that are sent in fragments: nobody can tell the next from those that were seen (RFC 7739 5), as
//! each is SipHash-2-4 (Aumasson, Bernstein 2012) of a number and the destination under a key of the guest's seed.

/// A stream of identifications.
#[derive(Debug, Clone)]
pub struct Identifications {
    key: [u64; 2],
    count: u64,
}

impl Identifications {
    /// Of this seed.
    pub const fn new(seed: u64) -> Self {
        // Two keys out of one seed, which others get their keys of as well.
        let key = [
            sip([seed, !seed], &[0x6964_656e_7469_6669]),
            sip([seed, !seed], &[0x6361_7469_6f6e_7331]),
        ];
        Identifications { key, count: 0 }
    }

    /// The next one, for a packet to `destination`.
    pub const fn next(&mut self, destination: u128) -> u32 {
        self.count = self.count.wrapping_add(1);
        let words = [self.count, (destination >> 64) as u64, destination as u64];
        // The lower half of it: as good as the other.
        sip(self.key, &words) as u32
    }
}

/// SipHash-2-4 of whole words.
const fn sip(key: [u64; 2], words: &[u64]) -> u64 {
    let mut state = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    let mut at = 0;
    while at < words.len() {
        state = absorb(state, words[at]);
        at += 1;
    }
    state = absorb(state, (words.len() as u64 * 8) << 56);
    state[2] ^= 0xff;
    let mut rounds = 0;
    while rounds < 4 {
        state = round(state);
        rounds += 1;
    }
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

const fn absorb(mut state: [u64; 4], word: u64) -> [u64; 4] {
    state[3] ^= word;
    state = round(round(state));
    state[0] ^= word;
    state
}

const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The published vectors for inputs of 0 and 8 octets, key 00 01 .. 0f.
    #[test]
    fn it_is_siphash() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(sip(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(sip(key, &[0x0706_0504_0302_0100]), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn they_differ_by_number_destination_and_seed() {
        let mut of = [(1, 9), (1, 10), (2, 9)].map(|(seed, to)| {
            let mut stream = Identifications::new(seed);
            move || stream.next(to)
        });
        let all: BTreeSet<u32> = (0..300).map(|number: usize| of[number % 3]()).collect();
        assert!(all.len() >= 299, "{}", all.len());
    }
}
