//! Address prefixes (RFC 4291 2.3), and how they are written (RFC 5952).

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A prefix: no bit is set behind its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    bits: u128,
    length: u8,
}

impl Prefix {
    /// All addresses: `::/0`.
    pub const DEFAULT: Self = Prefix { bits: 0, length: 0 };

    /// The prefix of `length` bits, 128 at most, that `address` is in.
    #[inline]
    pub const fn of(address: u128, length: u8) -> Self {
        let length = if length > 128 { 128 } else { length };
        Prefix {
            bits: address & mask(length),
            length,
        }
    }

    /// The one address.
    #[inline]
    pub const fn host(address: u128) -> Self {
        Prefix {
            bits: address,
            length: 128,
        }
    }

    /// Its lowest address.
    #[inline]
    pub const fn bits(self) -> u128 {
        self.bits
    }

    /// Bits that its addresses have in common, 0 to 128.
    #[inline]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether `address` is in it.
    #[inline]
    pub const fn contains(self, address: u128) -> bool {
        address & mask(self.length) == self.bits
    }
}

/// The `length` highest bits, 128 at most.
#[inline]
pub const fn mask(length: u8) -> u128 {
    match length {
        0 => 0,
        1..=127 => u128::MAX << (128 - length),
        _ => u128::MAX,
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.bits), self.length)
    }
}

impl FromStr for Prefix {
    type Err = String;

    /// `ADDRESS/LENGTH`; without a length 128; `default` is `::/0`. Bits behind the length must not be set.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::DEFAULT);
        }
        let (address, length) = split(text)?;
        let prefix = Prefix::of(address, length);
        if prefix.bits != address {
            return Err(format!(
                "{text:?} has bits set behind its length; allowed: {prefix}"
            ));
        }
        Ok(prefix)
    }
}

/// Address and length of `ADDRESS/LENGTH`, or of `ADDRESS`, whose length is 128.
fn split(text: &str) -> Result<(u128, u8), String> {
    let wrong = || {
        format!(
            "{text:?} is no IPv6 prefix; allowed: ADDRESS/LENGTH such as 2001:db8::/32, length 0 to 128"
        )
    };
    let (address, length) = text.split_once('/').unwrap_or((text, "128"));
    let address: Ipv6Addr = address.parse().map_err(|_| wrong())?;
    let digits = !length.is_empty() && length.bytes().all(|octet| octet.is_ascii_digit());
    let length = length
        .parse()
        .ok()
        .filter(|length: &u8| digits && *length <= 128);
    Ok((address.into(), length.ok_or_else(wrong)?))
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> String {
        prefix.to_string()
    }
}

/// An address of an interface and the length of the prefix that is on its link: `2001:db8:1::1/64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceAddress {
    /// The address.
    pub address: u128,
    /// Length of the prefix, 0 to 128.
    pub length: u8,
}

impl InterfaceAddress {
    /// The prefix on the link.
    pub const fn prefix(self) -> Prefix {
        Prefix::of(self.address, self.length)
    }

    /// The subnet-router anycast address of its subnet (RFC 4291 2.6.1), which is the router's too: none of a prefix
    /// of 127 and more (RFC 6164), nor where it would be this address or the unspecified one. That of link-local
    /// addresses is left alone: a router is known there by its own.
    pub const fn subnet_router(self) -> Option<u128> {
        let link = self.prefix();
        let anycast = link.bits();
        let is_link_local = self.address >> 118 == 0xfe80 >> 6;
        if link.length() < 127 && anycast != self.address && anycast != 0 && !is_link_local {
            Some(anycast)
        } else {
            None
        }
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.address), self.length)
    }
}

impl FromStr for InterfaceAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = split(text)?;
        let unicast = address != 0 && address >> 120 != 0xff && address != 1;
        if !unicast {
            return Err(format!(
                "{text:?} is no address for an interface; allowed: a unicast address and its length"
            ));
        }
        Ok(InterfaceAddress { address, length })
    }
}

impl TryFrom<String> for InterfaceAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<InterfaceAddress> for String {
    fn from(address: InterfaceAddress) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_are_read_as_written() {
        for (text, shown) in [
            ("2001:db8::/32", "2001:db8::/32"),
            ("default", "::/0"),
            ("::/0", "::/0"),
            ("2001:DB8:0::1", "2001:db8::1/128"),
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "/",
            "2001:db8::/",
            "2001:db8::/129",
            "::/+8",
            "10.0.0.0/8",
            "::/8/8",
            "2001:db8::1/32",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        for text in ["::/0", "ff02::1/64", "::1/128"] {
            assert!(text.parse::<InterfaceAddress>().is_err(), "{text}");
        }
        let address: InterfaceAddress = "2001:db8:1::1/64".parse().unwrap();
        assert_eq!(address.prefix().to_string(), "2001:db8:1::/64");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_again(address: u128, length in 0u8..=128) {
            let prefix = Prefix::of(address, length);
            prop_assert_eq!(prefix.to_string().parse::<Prefix>(), Ok(prefix));
            prop_assert!(prefix.contains(address));
            if length > 0 {
                prop_assert!(!prefix.contains(address ^ 1 << (128 - length)));
            }
        }
    }
}
