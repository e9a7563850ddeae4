//! Rates, sizes and durations as they are written: a whole number and a unit, as in node.toml.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:literal, [$(($unit:literal, $factor:expr)),* $(,)?]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub u64);

        impl $name {
            /// Units, the largest first.
            const UNITS: &'static [(&'static str, u64)] = &[$(($unit, $factor)),*];
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                let (number, unit) = text.split_at(digits);
                let unit = unit.strip_prefix(' ').unwrap_or(unit);
                let factor = Self::UNITS.iter().find(|(known, _)| *known == unit);
                factor
                    .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor))
                    .map($name)
                    .ok_or_else(|| format!(concat!("{:?} is no ", $what, "; allowed: ", $allowed), text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let whole = |(_, factor): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*factor);
                let smallest = Self::UNITS.last();
                match Self::UNITS.iter().find(whole).or(smallest) {
                    Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
                    None => self.0.fmt(f),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}

unit!(
    /// Bits per second.
    BitRate,
    "rate",
    "a whole number of Gbps, Mbps, kbps or bps, such as 10Mbps",
    [("Gbps", 1_000_000_000), ("Mbps", 1_000_000), ("kbps", 1000), ("bps", 1)]
);
unit!(
    /// Octets.
    Octets,
    "size",
    "a whole number of GiB, MiB, KiB or B, such as 64KiB",
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)]
);
unit!(
    /// Nanoseconds.
    Duration,
    "duration",
    "a whole number of s, ms, us or ns, such as 30s",
    [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1)]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_shown() {
        assert_eq!("10Mbps".parse(), Ok(BitRate(10_000_000)));
        assert_eq!("64 KiB".parse(), Ok(Octets(65536)));
        assert_eq!("1500ms".parse(), Ok(Duration(1_500_000_000)));
        assert_eq!(Duration(1_500_000_000).to_string(), "1500ms");
        assert_eq!(BitRate(0).to_string(), "0bps");
        for text in [
            "",
            "10",
            "Mbps",
            "-1Mbps",
            "1.5Mbps",
            "10mbps",
            "99999999999Gbps",
        ] {
            let error = text.parse::<BitRate>().unwrap_err();
            assert!(error.contains("allowed: a whole number of Gbps"), "{error}");
        }
    }
}
