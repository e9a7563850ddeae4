//! Rates and shares: `100Mbps`, `20kfps`, `80%`.

use std::fmt;
use std::str::FromStr;

use crate::config::BitRate;

/// Rate of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Frames per second.
    Frames(f64),
    /// Octets of frames with FCS, bits per second.
    Bits(f64),
    /// Share of the most that can leave: the ceiling of the stream's PI, or the line rate. May be above 1.
    OfCeiling(f64),
}

impl Rate {
    /// Frames per second of frames of `size` octets in the mean, whose ceiling is `ceiling_fps`.
    #[must_use]
    pub fn fps(self, size: f64, ceiling_fps: f64) -> f64 {
        match self {
            Self::Frames(fps) => fps,
            Self::Bits(bps) => bps / (8.0 * size),
            Self::OfCeiling(share) => share * ceiling_fps,
        }
    }
}

const RATE_ALLOWED: &str = "allowed: frames per second (20000fps, 20kfps, 1.5Mfps), bits per second of \
                            frames with FCS (100Mbps), or a share of the ceiling (80%)";

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no rate; {RATE_ALLOWED}");
        let rate = if let Some(number) = text.strip_suffix("fps") {
            let (number, factor) = match number.as_bytes().last() {
                Some(b'k') => (&number[..number.len() - 1], 1e3),
                Some(b'M') => (&number[..number.len() - 1], 1e6),
                _ => (number, 1.0),
            };
            Self::Frames(positive(number).ok_or_else(refused)? * factor)
        } else if let Some(percent) = text.strip_suffix('%') {
            Self::OfCeiling(positive(percent).ok_or_else(refused)? / 100.0)
        } else {
            let BitRate(bps) = text.parse().map_err(|_| refused())?;
            Self::Bits(bps as f64)
        };
        Ok(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(fps) => write!(f, "{fps}fps"),
            Self::Bits(bps) => write!(f, "{bps}bps"),
            Self::OfCeiling(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

/// A part of a whole, 0.0 up to and without 1.0: `0.001` or `0.1%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value: Option<f64> = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(|percent: f64| percent / 100.0),
            None => text.parse().ok(),
        };
        value
            .filter(|share| (0.0..1.0).contains(share))
            .map(Self)
            .ok_or_else(|| {
                format!("{text:?} is no share; allowed: 0 to below 1, such as 0.001 or 0.1%")
            })
    }
}

/// A number above 0.
fn positive(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value: f64 = text.parse().ok()?;
    (digits && value.is_finite() && value > 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_in_three_ways() {
        let parsed = |text: &str| text.parse::<Rate>();
        assert_eq!(parsed("20000fps"), Ok(Rate::Frames(20_000.0)));
        assert_eq!(parsed("1.5Mfps"), Ok(Rate::Frames(1_500_000.0)));
        assert_eq!(parsed("20kfps"), Ok(Rate::Frames(20_000.0)));
        assert_eq!(parsed("100Mbps"), Ok(Rate::Bits(1e8)));
        assert_eq!(parsed("80%"), Ok(Rate::OfCeiling(0.8)));
        for wrong in [
            "", "fps", "0fps", "-1fps", "nanfps", "100", "1e9fps", "0%", "1Gfps", "0bps", "%",
        ] {
            let refused = parsed(wrong).unwrap_err();
            assert!(
                refused.contains("allowed: frames per second"),
                "{wrong}: {refused}"
            );
        }
        for text in ["20000fps", "100000000bps", "80%"] {
            assert_eq!(parsed(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn rates_become_frames() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * b;
        assert!(close(Rate::Bits(632e6).fps(79.0, 1.0), 1e6));
        assert!(close(Rate::OfCeiling(0.5).fps(79.0, 420e3), 210e3));
        assert!(close(Rate::Frames(7.0).fps(79.0, 420e3), 7.0));
    }

    #[test]
    fn shares_are_below_one() {
        assert_eq!("0.1%".parse(), Ok(Share(0.001)));
        assert_eq!("0.001".parse(), Ok(Share(0.001)));
        assert_eq!("0".parse(), Ok(Share(0.0)));
        for wrong in ["1", "100%", "-0.1", "x", "", "nan"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
