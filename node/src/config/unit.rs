//! Quantities as people write them: `100us`, `1Gbps`, `32MiB`.
//!
//! A unit is always written out and a value is always exact: what does not come to a whole number
//! of the base unit is an error, never rounded.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A duration in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanoseconds(pub u64);

/// A rate in bits per second, not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(pub u64);

/// An amount of memory or data, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub u64);

/// A text that is no such quantity.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnitError {
    /// Not a number with a unit.
    #[error("{text:?} is not allowed; allowed: a number and {units}, such as \"{example}\"")]
    Form {
        /// What was written.
        text: String,
        /// The units there are.
        units: &'static str,
        /// One that is right.
        example: &'static str,
    },
    /// Finer than the base unit, or too large for it.
    #[error("{text:?} is not allowed; allowed: whole {base}, at most {max}", max = u64::MAX)]
    Inexact {
        /// What was written.
        text: String,
        /// The base unit.
        base: &'static str,
    },
    /// Nothing.
    #[error("{text:?} is not allowed; allowed: more than 0")]
    Zero {
        /// What was written.
        text: String,
    },
}

struct Scale {
    /// Longest suffix first where one ends in another.
    units: &'static [(&'static str, u64)],
    names: &'static str,
    base: &'static str,
    example: &'static str,
}

const TIME: Scale = Scale {
    units: &[
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
    ],
    names: "ns, us, ms or s",
    base: "nanoseconds",
    example: "100us",
};

const RATE: Scale = Scale {
    units: &[
        ("kbps", 1_000),
        ("Mbps", 1_000_000),
        ("Gbps", 1_000_000_000),
        ("bps", 1),
    ],
    names: "bps, kbps, Mbps or Gbps",
    base: "bits per second",
    example: "1Gbps",
};

const SIZE: Scale = Scale {
    units: &[
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("B", 1),
    ],
    names: "B, KiB, MiB or GiB",
    base: "octets",
    example: "32MiB",
};

impl Scale {
    fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let form = || UnitError::Form {
            text: text.to_owned(),
            units: self.names,
            example: self.example,
        };
        let (number, factor) = self
            .units
            .iter()
            .find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
            .ok_or_else(form)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(form());
        }
        exact(whole, fraction, factor).ok_or_else(|| UnitError::Inexact {
            text: text.to_owned(),
            base: self.base,
        })
    }

    /// In the largest unit that gives a whole number.
    fn show(&self, value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = self
            .units
            .iter()
            .filter(|&&(_, factor)| value != 0 && value.is_multiple_of(factor))
            .max_by_key(|&&(_, factor)| factor)
            .or_else(|| self.units.iter().min_by_key(|&&(_, factor)| factor))
            .copied()
            .unwrap_or(("", 1));
        write!(f, "{}{unit}", value / factor)
    }
}

/// `whole.fraction * factor`, if that is a whole number.
fn exact(whole: &str, fraction: &str, factor: u64) -> Option<u64> {
    let fraction = fraction.trim_end_matches('0');
    let parts = if fraction.is_empty() {
        0
    } else {
        let denominator = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let scaled = fraction
            .parse::<u128>()
            .ok()?
            .checked_mul(u128::from(factor))?;
        if !scaled.is_multiple_of(denominator) {
            return None;
        }
        scaled / denominator
    };
    let whole = whole
        .parse::<u128>()
        .ok()?
        .checked_mul(u128::from(factor))?;
    u64::try_from(whole.checked_add(parts)?).ok()
}

impl FromStr for Nanoseconds {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        TIME.parse(text).map(Self)
    }
}

impl FromStr for BitRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match RATE.parse(text)? {
            0 => Err(UnitError::Zero {
                text: text.to_owned(),
            }),
            rate => Ok(Self(rate)),
        }
    }
}

impl FromStr for Octets {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        SIZE.parse(text).map(Self)
    }
}

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TIME.show(self.0, f)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RATE.show(self.0, f)
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SIZE.show(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write() {
        assert_eq!("100us".parse(), Ok(Nanoseconds(100_000)));
        assert_eq!("0us".parse(), Ok(Nanoseconds(0)));
        assert_eq!("12.5us".parse(), Ok(Nanoseconds(12_500)));
        assert_eq!("1.50s".parse(), Ok(Nanoseconds(1_500_000_000)));
        assert_eq!("1Gbps".parse(), Ok(BitRate(1_000_000_000)));
        assert_eq!("400Mbps".parse(), Ok(BitRate(400_000_000)));
        assert_eq!("2.5Gbps".parse(), Ok(BitRate(2_500_000_000)));
        assert_eq!("9600bps".parse(), Ok(BitRate(9600)));
        assert_eq!("64KiB".parse(), Ok(Octets(65_536)));
        assert_eq!("32MiB".parse(), Ok(Octets(33_554_432)));
        assert_eq!("1518B".parse(), Ok(Octets(1518)));
    }

    #[test]
    fn what_is_no_quantity_says_what_is() {
        for bad in [
            "",
            "us",
            "100",
            "-1us",
            "+1us",
            "1 us",
            "1,5us",
            "1.us",
            ".5us",
            "1e3us",
            "100 parsecs",
        ] {
            let error = bad.parse::<Nanoseconds>().map_err(|e| e.to_string());
            assert_eq!(
                error,
                Err(format!(
                    "{bad:?} is not allowed; allowed: a number and ns, us, ms or s, such as \"100us\""
                ))
            );
        }
        let message = |e: UnitError| e.to_string();
        assert_eq!(
            "1.5ns".parse::<Nanoseconds>().map_err(message),
            Err("\"1.5ns\" is not allowed; allowed: whole nanoseconds, at most 18446744073709551615".into())
        );
        assert!("99999999999999999999s".parse::<Nanoseconds>().is_err());
        assert!(
            "1.00000000000000000000000000000000000000000000001s"
                .parse::<Nanoseconds>()
                .is_err()
        );
        assert_eq!(
            "0bps".parse::<BitRate>().map_err(message),
            Err("\"0bps\" is not allowed; allowed: more than 0".into())
        );
        assert_eq!(
            "1GB".parse::<Octets>().map_err(message),
            Err("\"1GB\" is not allowed; allowed: a number and B, KiB, MiB or GiB, such as \"32MiB\"".into())
        );
    }

    #[test]
    fn shown_in_the_largest_whole_unit() {
        assert_eq!(Nanoseconds(100_000).to_string(), "100us");
        assert_eq!(Nanoseconds(12_500).to_string(), "12500ns");
        assert_eq!(Nanoseconds(0).to_string(), "0ns");
        assert_eq!(BitRate(1_000_000_000).to_string(), "1Gbps");
        assert_eq!(Octets(65_536).to_string(), "64KiB");
        assert_eq!(Octets(0).to_string(), "0B");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(value in 1u64..) {
            prop_assert_eq!(Nanoseconds(value).to_string().parse(), Ok(Nanoseconds(value)));
            prop_assert_eq!(BitRate(value).to_string().parse(), Ok(BitRate(value)));
            prop_assert_eq!(Octets(value).to_string().parse(), Ok(Octets(value)));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Nanoseconds>();
            let _ = text.parse::<BitRate>();
            let _ = text.parse::<Octets>();
        }
    }
}
