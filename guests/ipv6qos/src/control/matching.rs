//! What a rule wants of a packet. What is left out matches all.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::packet::fields::protocol;
use crate::prefix::Prefix;
use crate::vn::Vn;

/// What a rule wants; all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The virtual network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vn: Option<Vn>,
    /// The interface it came in on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Whether it is for the router itself (true), or forwarded (false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<bool>,
    /// Source addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Addresses>,
    /// Destination addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Addresses>,
    /// Upper-layer protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Source ports; TCP, UDP, UDP-Lite and SCTP only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sport: Option<Range>,
    /// Destination ports; TCP, UDP, UDP-Lite and SCTP only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dport: Option<Range>,
    /// ICMPv6 types, 0 to 255; ICMPv6 only.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<Range>,
    /// The DSCP that it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dscp: Option<Dscp>,
    /// Whether it is a fragment behind the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragment: Option<bool>,
}

/// Addresses: those of a prefix, or of a table as `table:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Addresses {
    /// All of a prefix.
    Prefix(Prefix),
    /// All that are in a prefix of a table.
    Table(String),
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("table:") {
            Some(name) => check_name("table", name).map(|()| Addresses::Table(name.to_string())),
            None => text
                .parse()
                .map(Addresses::Prefix)
                .map_err(|error| format!("{error}, or table:NAME")),
        }
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addresses::Prefix(prefix) => prefix.fmt(f),
            Addresses::Table(name) => write!(f, "table:{name}"),
        }
    }
}

/// Whether `name` can name a table or a policer.
///
/// # Errors
///
/// It cannot; what is allowed.
pub fn check_name(kind: &str, name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no name of a {kind}; allowed: 1 to 32 letters, digits, - and _"
    ))
}

/// A protocol by name or number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Protocol(pub u8);

/// Names of protocols, as `ip` and `nft` have them.
const PROTOCOLS: &[(&str, u8)] = &[
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("icmpv6", protocol::ICMPV6),
    ("udplite", protocol::UDP_LITE),
    ("sctp", protocol::SCTP),
    ("esp", protocol::ESP),
];

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = PROTOCOLS.iter().find(|(name, _)| *name == text);
        let number = || text.parse().ok().filter(|_| is_number(text));
        named.map(|(_, number)| *number).or_else(number).map(Protocol).ok_or_else(|| {
            format!("{text:?} is no protocol; allowed: tcp, udp, icmpv6, udplite, sctp, esp or 0 to 255")
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOLS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Numbers from `from` to `to`, both included: `80`, `1024-65535`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    /// The first.
    pub from: u16,
    /// The last, not below the first.
    pub to: u16,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.parse::<u16>().ok().filter(|_| is_number(text));
        match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => Ok(Range { from, to }),
            _ => Err(format!(
                "{text:?} is no number or range; allowed: N or FROM-TO, 0 to 65535"
            )),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            self.from.fmt(f)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}

/// A differentiated services code point (RFC 2474), by name or number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dscp(u8);

/// Names of code points (RFC 2474, 2597, 3246, 5865, 8622; IANA's registry).
const CODE_POINTS: &[(&str, u8)] = &[
    ("DF", 0),
    ("LE", 1),
    ("CS1", 8),
    ("CS2", 16),
    ("CS3", 24),
    ("CS4", 32),
    ("CS5", 40),
    ("CS6", 48),
    ("CS7", 56),
    ("AF11", 10),
    ("AF12", 12),
    ("AF13", 14),
    ("AF21", 18),
    ("AF22", 20),
    ("AF23", 22),
    ("AF31", 26),
    ("AF32", 28),
    ("AF33", 30),
    ("AF41", 34),
    ("AF42", 36),
    ("AF43", 38),
    ("VA", 44),
    ("EF", 46),
];

impl Dscp {
    /// The code point of this number; none of 64 and more.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 64 {
            Some(Dscp(number))
        } else {
            None
        }
    }

    /// Its number, 0 to 63.
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for Dscp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = CODE_POINTS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        let number = || {
            text.parse()
                .ok()
                .filter(|number| is_number(text) && *number < 64)
        };
        named.map(|(_, number)| *number).or_else(number).map(Dscp).ok_or_else(|| {
            format!("{text:?} is no DSCP; allowed: DF, LE, CS1 to CS7, AF11 to AF43, VA, EF or 0 to 63")
        })
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match CODE_POINTS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
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
    )*};
}

as_text!(Addresses, Protocol, Range, Dscp);

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: FromStr<Err = String> + fmt::Display>(texts: &[&str]) {
        for text in texts {
            let value: T = text.parse().map_err(|e: String| e).unwrap();
            assert_eq!(value.to_string(), *text);
        }
    }

    #[test]
    fn what_is_written_is_shown_again() {
        round::<Addresses>(&["2001:db8::/32", "table:bad-hosts"]);
        round::<Protocol>(&["tcp", "icmpv6", "89"]);
        round::<Range>(&["80", "1024-65535"]);
        round::<Dscp>(&["EF", "AF41", "7"]);
        assert_eq!("ef".parse(), Ok(Dscp(46)));
        assert_eq!("6".parse(), Ok(Protocol(6)));
    }

    #[test]
    fn what_is_wrong_says_what_is_allowed() {
        for error in [
            "table:".parse::<Addresses>().unwrap_err(),
            "1.2.3.4".parse::<Addresses>().unwrap_err(),
            "256".parse::<Protocol>().unwrap_err(),
            "+6".parse::<Protocol>().unwrap_err(),
            "9-8".parse::<Range>().unwrap_err(),
            "65536".parse::<Range>().unwrap_err(),
            "64".parse::<Dscp>().unwrap_err(),
        ] {
            assert!(error.contains("allowed:"), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = serde_json::from_str::<Match>(r#"{"form":"::/0"}"#).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `form`"),
            "{error}"
        );
        let rule: Match = serde_json::from_str(r#"{"from":"table:x","dport":"53"}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&rule).unwrap(),
            r#"{"from":"table:x","dport":"53"}"#
        );
    }
}
