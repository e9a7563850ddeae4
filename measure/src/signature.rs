//! The tester's signature: 20 octets in a frame that say which one it is and when it left.
//!
//! Must never trust what it reads: a signature counts only if its check holds.
//!
//! | octets | field |
//! |---|---|
//! | 0..=1 | stream, big endian; 65535 is of no stream: see [`NO_STREAM`] |
//! | 2 | bits 7..4 version (1), bits 3..0 epoch: number of the trial modulo 16 |
//! | 3..=8 | sequence number in the stream, 48 bits, big endian, from 0 |
//! | 9..=15 | send time, 56 bits, big endian: nanoseconds of the tester's clock modulo 2^56 (2.28 years) |
//! | 16..=19 | CRC-32C (Castagnoli, RFC 3720 12.1) over octets 0..=15, big endian |
//!
//! The check finds every change of up to five bits and every burst of up to 32 bits. Octets of the
//! frame outside the signature are compared with the stream's template instead, which is cheaper
//! than a sum over them and finds everything.

use thiserror::Error;

/// Octets of a signature.
pub const SIGNATURE_OCTETS: usize = 20;

/// Version that this tester writes and reads.
pub const VERSION: u8 = 1;

/// Epochs are below this.
pub const EPOCHS: u8 = 16;

/// Stream number of frames that belong to no stream and are to be counted nowhere: learning frames, by which
/// switches come to know where a destination is (RFC 2544 23).
pub const NO_STREAM: u16 = 0xffff;

/// Sequence numbers are below this.
pub const SEQUENCE_END: u64 = 1 << 48;

const TIME_BITS: u32 = 56;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// What a signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The stream the frame belongs to.
    pub stream: u16,
    /// The trial it was sent in, modulo [`EPOCHS`]: frames of an earlier one are told from this one's.
    pub epoch: u8,
    /// Place of the frame in its stream, below [`SEQUENCE_END`].
    pub sequence: u64,
    /// Send time in nanoseconds modulo 2^56; see [`Signature::age_ns`].
    pub sent_ns: u64,
}

/// Why 20 octets are no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Another version, or no tester's frame at all.
    #[error("signature version {found}, this tester reads version {VERSION}")]
    Version {
        /// The version read.
        found: u8,
    },
    /// The check does not hold: octets were changed on the way.
    #[error("signature check is {found:#010x}, its octets give {computed:#010x}")]
    Check {
        /// The check read.
        found: u32,
        /// The check its octets give.
        computed: u32,
    },
}

impl Signature {
    /// The 20 octets. Epoch, sequence and time are taken modulo 16, 2^48 and 2^56.
    #[must_use]
    pub fn encode(self) -> [u8; SIGNATURE_OCTETS] {
        // Two big-endian words: stream, version, sequence's first 40 bits; its last 8, time.
        let sequence = self.sequence & (SEQUENCE_END - 1);
        let kind = u64::from((VERSION << 4) | (self.epoch % EPOCHS));
        let first = u64::from(self.stream) << 48 | kind << 40 | sequence >> 8;
        let second = sequence << TIME_BITS | (self.sent_ns & TIME_MASK);
        let mut out = [0; SIGNATURE_OCTETS];
        out[..8].copy_from_slice(&first.to_be_bytes());
        out[8..16].copy_from_slice(&second.to_be_bytes());
        let check = crc32c::crc32c(&out[..16]);
        out[16..].copy_from_slice(&check.to_be_bytes());
        out
    }

    /// Reads 20 octets and holds them against their check.
    pub fn decode(octets: &[u8; SIGNATURE_OCTETS]) -> Result<Self, SignatureError> {
        let found = u32::from_be_bytes([octets[16], octets[17], octets[18], octets[19]]);
        let computed = crc32c::crc32c(&octets[..16]);
        if found != computed {
            return Err(SignatureError::Check { found, computed });
        }
        let [first, second] = [0, 8].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&octets[at..at + 8]);
            u64::from_be_bytes(word)
        });
        let version = octets[2] >> 4;
        if version != VERSION {
            return Err(SignatureError::Version { found: version });
        }
        Ok(Self {
            stream: Self::claimed_stream(octets),
            epoch: octets[2] % EPOCHS,
            sequence: (first & 0xff_ffff_ffff) << 8 | second >> TIME_BITS,
            sent_ns: second & TIME_MASK,
        })
    }

    /// The stream that the octets name, whether their check holds or not: to say whose frame was hit.
    #[must_use]
    pub fn claimed_stream(octets: &[u8; SIGNATURE_OCTETS]) -> u16 {
        u16::from_be_bytes([octets[0], octets[1]])
    }

    /// Time from the sending to `now_ns`, right across the wrap of the 56 bits. `None`: sent after `now_ns`.
    #[must_use]
    pub fn age_ns(&self, now_ns: u64) -> Option<u64> {
        let age = now_ns.wrapping_sub(self.sent_ns) & TIME_MASK;
        (age >> (TIME_BITS - 1) == 0).then_some(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn octets_are_as_documented() {
        let s = Signature {
            stream: 0x0102,
            epoch: 0xa,
            sequence: 0x0304_0506_0708,
            sent_ns: 0x09_0a0b_0c0d_0e0f,
        };
        let octets = s.encode();
        let head = [1, 2, 0x1a, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        assert_eq!(octets[..16], head);
        assert_eq!(octets[16..], crc32c::crc32c(&head).to_be_bytes());
        // RFC 3720 B.4: 32 octets of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn zeroed_memory_is_no_signature() {
        assert!(Signature::decode(&[0; SIGNATURE_OCTETS]).is_err());
    }

    #[test]
    fn another_version_is_named() {
        let mut octets = Signature {
            stream: 1,
            epoch: 0,
            sequence: 2,
            sent_ns: 3,
        }
        .encode();
        octets[2] = 0x20;
        let check = crc32c::crc32c(&octets[..16]).to_be_bytes();
        octets[16..].copy_from_slice(&check);
        assert_eq!(
            Signature::decode(&octets),
            Err(SignatureError::Version { found: 2 })
        );
    }

    #[test]
    fn age_crosses_the_wrap() {
        let before_wrap = (1u64 << 56) - 10;
        let s = Signature {
            stream: 0,
            epoch: 0,
            sequence: 0,
            sent_ns: before_wrap,
        };
        let s = Signature::decode(&s.encode()).unwrap();
        assert_eq!(s.age_ns(before_wrap + 25), Some(25));
        assert_eq!(s.age_ns(before_wrap - 1), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            stream: u16,
            epoch in 0..EPOCHS,
            sequence in 0..SEQUENCE_END,
            sent_ns in 0..=TIME_MASK,
        ) {
            let s = Signature { stream, epoch, sequence, sent_ns };
            prop_assert_eq!(Signature::decode(&s.encode()), Ok(s));
        }

        #[test]
        fn up_to_five_changed_bits_are_found(
            stream: u16,
            epoch in 0..EPOCHS,
            sequence in 0..SEQUENCE_END,
            sent_ns in 0..=TIME_MASK,
            bits in proptest::collection::hash_set(0usize..160, 1..=5),
        ) {
            let mut octets = Signature { stream, epoch, sequence, sent_ns }.encode();
            for bit in bits {
                octets[bit / 8] ^= 1 << (bit % 8);
            }
            prop_assert!(Signature::decode(&octets).is_err());
        }
    }
}
