//! Frame sizes: `79`, `imix`, `imix:7x79+4x594+1x1518`, `random:79-1518`.

use std::str::FromStr;

use pinode_measure::imix::{Imix, ImixError};
use pinode_measure::results::SizeLabel;
use pinode_measure::stream::{LARGEST, SMALLEST, Sizes};

/// Seed of random sizes: the same in every run, so that runs can be compared.
const SEED: u64 = 2012;
/// Smallest frame of all layouts, IPv6 without a PIH: what a stream can have is looked at with the stream.
const LEAST: u16 = SMALLEST - 1;
/// The customary mix.
const IMIX: &str = "imix";

/// Frame sizes of a trial, and how they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSize {
    /// In results.
    pub label: SizeLabel,
    /// In streams.
    pub sizes: Sizes,
}

impl FrameSize {
    /// Frames all alike, octets with FCS.
    #[must_use]
    pub fn octets(size: u16) -> Self {
        Self {
            label: SizeLabel::Octets(size),
            sizes: Sizes::Fixed(size),
        }
    }

    /// A mix as RFC 6985 has it. `smallest`: of the frames that it is for.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn mix(text: &str, smallest: u16) -> Result<Self, ImixError> {
        let mix = Imix::parse(text, smallest, LARGEST)?;
        Ok(Self {
            label: mix.label(),
            sizes: mix.sizes(),
        })
    }

    /// The same for frames of another layout: the customary mix begins with the smallest there is.
    #[must_use]
    pub fn from_smallest(&self, smallest: u16) -> Self {
        match &self.label {
            SizeLabel::Mix(name) if name == IMIX => {
                Self::mix(IMIX, smallest).unwrap_or_else(|_| self.clone())
            }
            _ => self.clone(),
        }
    }

    /// Each size from `from` to `to` equally likely.
    #[must_use]
    pub fn random(from: u16, to: u16) -> Self {
        Self {
            label: SizeLabel::Mix(format!("random {from}..{to}")),
            sizes: Sizes::Uniform {
                from,
                to,
                seed: SEED,
            },
        }
    }
}

impl FromStr for FrameSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = format!(
            "allowed: {SMALLEST} to {LARGEST} octets with FCS ({LEAST} without a PIH), imix, imix:MIX, or random:FROM-TO"
        );
        let mix = |text: &str, as_written: &str| {
            Self::mix(text, SMALLEST).map_err(|error| {
                format!(
                    "{as_written:?} is no mix: {error}; allowed: imix, shares as imix:7x79+4x594+1x1518, or a genome \
                     of RFC 6985 as imix:bbdg"
                )
            })
        };
        if text == IMIX {
            return mix(text, text);
        }
        if let Some(shares) = text.strip_prefix("imix:") {
            // A comma divides sizes on the command line.
            return mix(&shares.replace('+', ","), text);
        }
        let one = |text: &str| -> Result<u16, String> {
            let size: Option<u16> = text.parse().ok();
            size.filter(|size| (LEAST..=LARGEST).contains(size))
                .ok_or_else(|| format!("frame size {text:?} cannot be sent; {allowed}"))
        };
        if let Some(range) = text.strip_prefix("random:") {
            let (from, to) = range
                .split_once('-')
                .ok_or_else(|| format!("{text:?} is no range; allowed: random:79-1518"))?;
            let (from, to) = (one(from)?, one(to)?);
            if from > to {
                return Err(format!(
                    "{text:?} ends before it begins; allowed: random:79-1518"
                ));
            }
            return Ok(Self::random(from, to));
        }
        one(text).map(Self::octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_ranges_or_names() {
        let parsed = |text: &str| text.parse::<FrameSize>();
        assert_eq!(parsed("79"), Ok(FrameSize::octets(79)));
        let random = parsed("random:79-1518").unwrap();
        assert_eq!(random.label, SizeLabel::Mix("random 79..1518".into()));
        assert_eq!(random.sizes.largest(), Some(1518));
        let mix = parsed("imix").unwrap();
        assert_eq!(
            (mix.label.to_string().as_str(), mix.sizes.smallest()),
            ("imix", Some(79))
        );
        assert_eq!(
            mix.from_smallest(87).sizes.smallest(),
            Some(87),
            "with PIH and UDP"
        );
        assert_eq!(
            parsed("imix:2x79+1x1518").unwrap().sizes.largest(),
            Some(1518)
        );
        assert!(parsed("imix:").unwrap_err().contains("allowed"));
        for wrong in [
            "77",
            "9019",
            "0",
            "-1",
            "",
            "big",
            "random:79",
            "random:77-100",
            "random:100-79",
        ] {
            let error = parsed(wrong).unwrap_err();
            assert!(error.contains("allowed"), "{wrong}: {error}");
        }
        assert!(parsed("77").unwrap_err().contains("79 to 9018"));
    }
}
