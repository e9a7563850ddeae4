//! NSAP-style addresses of 20 octets (ATM Forum UNI 3.1, 5.1.3: ATM end system addresses) and prefixes of them.
//!
//! As text an address is 40 hexadecimal digits; dots between octets are for readers and may stand anywhere
//! between two of them: `47.0005.80.ffe100.0000.f21a.0123.0020480a0b0c.00`.

use core::fmt;
use core::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Octets of an address.
pub const OCTETS: usize = 20;
/// Bits of an address.
pub const BITS: u8 = 160;

/// An address of an end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; OCTETS]);

impl Address {
    /// The null address: "choose one for me" where a local address is asked for.
    pub const NULL: Self = Self([0; OCTETS]);

    /// Whether this is the null address.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::NULL
    }
}

/// The first bits of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: Address,
    length: u8,
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Too few or too many digits.
    #[error(
        "{digits} hexadecimal digits are no address; allowed: 40, with dots between octets where you like"
    )]
    Digits {
        /// How many there are.
        digits: usize,
    },
    /// Something that is no digit.
    #[error("{found:?} is no hexadecimal digit; allowed: 0 to 9, a to f, and dots between octets")]
    Character {
        /// What stands there.
        found: char,
    },
    /// A dot within an octet.
    #[error("a dot stands within an octet; allowed: between octets of two digits each")]
    Dot,
    /// The length of a prefix is missing or too long, or its address has too many digits for it.
    #[error("a prefix is digits and a length, as in 47.0005.80/24; allowed lengths: 0 to 160")]
    Length,
    /// A prefix has bits behind its length.
    #[error("bits are set behind the length of the prefix")]
    Behind,
}

/// Octets of the digits of `text`; how many there are.
fn octets(text: &str) -> Result<([u8; OCTETS], usize), AddressError> {
    let mut all = [0u8; OCTETS];
    let mut digits = 0usize;
    for found in text.chars() {
        if found == '.' {
            if !digits.is_multiple_of(2) {
                return Err(AddressError::Dot);
            }
            continue;
        }
        let digit = found
            .to_digit(16)
            .ok_or(AddressError::Character { found })?;
        if let Some(octet) = all.get_mut(digits / 2) {
            // A digit has four bits.
            *octet |= (digit as u8) << if digits.is_multiple_of(2) { 4 } else { 0 };
        }
        digits += 1;
    }
    Ok((all, digits))
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match octets(text)? {
            (all, digits) if digits == 2 * OCTETS => Ok(Self(all)),
            (_, digits) => Err(AddressError::Digits { digits }),
        }
    }
}

impl fmt::Display for Address {
    /// In the groups of an ICD address: AFI, ICD, and then as in UNI 3.1, figure 5-3.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DOTS_BEFORE: [usize; 8] = [1, 3, 4, 7, 9, 11, 13, 19];
        for (index, octet) in self.0.iter().enumerate() {
            if DOTS_BEFORE.contains(&index) {
                f.write_str(".")?;
            }
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

/// As text, as people write it.
macro_rules! as_text {
    ($what:ty) => {
        impl Serialize for $what {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $what {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = alloc::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}
as_text!(Address);
as_text!(Prefix);

impl Prefix {
    /// The prefix of this length of an address; none if it has more bits than an address, or the address has bits
    /// behind it.
    #[must_use]
    pub fn new(address: Address, length: u8) -> Option<Self> {
        let prefix = Self { address, length };
        (length <= BITS && prefix.masked(&address) == address).then_some(prefix)
    }

    /// The first bits of an address; none if it has not as many.
    #[must_use]
    pub fn covering(address: &Address, length: u8) -> Option<Self> {
        let prefix = Self {
            address: *address,
            length,
        };
        (length <= BITS).then(|| Self {
            address: prefix.masked(address),
            length,
        })
    }

    /// Its length, bits.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Its bits, and zeros.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Whether the address begins with it.
    #[must_use]
    pub fn contains(&self, address: &Address) -> bool {
        self.masked(address) == self.address
    }

    fn masked(&self, address: &Address) -> Address {
        let mut masked = *address;
        for (octet, first_bit) in masked.0.iter_mut().zip((0u8..BITS).step_by(8)) {
            let kept = self.length.saturating_sub(first_bit).min(8);
            // All ones, shifted out by what is not kept.
            *octet &= 0xff_u16.wrapping_shl(u32::from(8 - kept)) as u8;
        }
        masked
    }
}

impl FromStr for Prefix {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (digits, length) = text.split_once('/').ok_or(AddressError::Length)?;
        let length: u8 = length.parse().map_err(|_| AddressError::Length)?;
        let (all, digits) = octets(digits)?;
        if length > BITS || digits > 2 * OCTETS {
            return Err(AddressError::Length);
        }
        Self::new(Address(all), length).ok_or(AddressError::Behind)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = usize::from(self.length.div_ceil(8));
        for octet in self.address.0.iter().take(octets) {
            write!(f, "{octet:02x}")?;
        }
        write!(f, "/{}", self.length)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    const TEXT: &str = "47.0005.80.ffe100.0000.f21a.0123.0020480a0b0c.00";

    #[test]
    fn addresses_as_text() {
        let address: Address = TEXT.parse().unwrap();
        assert_eq!(address.0[..4], [0x47, 0, 5, 0x80]);
        assert_eq!(address.0[18..], [0x0c, 0]);
        let plain: Address = "470005 80ffe1000000f21a01230020480a0b0c00"
            .replace(' ', "")
            .parse()
            .unwrap();
        assert_eq!(plain, address);
        assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn what_is_no_address_is_named() {
        assert_eq!(
            "47".parse::<Address>(),
            Err(AddressError::Digits { digits: 2 })
        );
        assert_eq!("4.7".parse::<Address>(), Err(AddressError::Dot));
        assert_eq!(
            "4g".parse::<Address>(),
            Err(AddressError::Character { found: 'g' })
        );
        assert_eq!("47/161".parse::<Prefix>(), Err(AddressError::Length));
        assert_eq!("47".parse::<Prefix>(), Err(AddressError::Length));
        assert_eq!("47/4".parse::<Prefix>(), Err(AddressError::Behind));
    }

    #[test]
    fn prefixes_contain_what_begins_with_them() {
        let address: Address = TEXT.parse().unwrap();
        for (text, contains) in [
            ("/0", true),
            ("47/8", true),
            ("47.0005.80/25", true),
            ("46/7", true),
            ("44/7", false),
            ("47.0004/24", false),
        ] {
            let prefix: Prefix = text.parse().unwrap();
            assert_eq!(prefix.contains(&address), contains, "{text}");
            assert_eq!(prefix.to_string().parse(), Ok(prefix));
        }
        assert!(Prefix::new(address, BITS).unwrap().contains(&address));
        assert!(!Prefix::new(address, BITS).unwrap().contains(&Address::NULL));
    }

    proptest::proptest! {
        #[test]
        fn text_and_back(octets: [u8; OCTETS]) {
            let address = Address(octets);
            proptest::prop_assert_eq!(address.to_string().parse(), Ok(address));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = text.parse::<Address>();
            let _ = text.parse::<Prefix>();
        }
    }
}
