//! Addresses of stations.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All stations (IEEE 802).
    pub const ALL: Self = Mac([0xff; 6]);

    /// Whether it is a group's (IEEE 802: the lowest bit of the first octet).
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mac = [0; 6];
        let mut parts = text.split(':');
        let is_octet = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let read = mac.iter_mut().all(|octet| {
            let part = parts.next().filter(is_octet);
            let read = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            read.map(|read| *octet = read).is_some()
        });
        if read && parts.next().is_none() {
            return Ok(Mac(mac));
        }
        Err(alloc::format!(
            "{text:?} is no MAC address; allowed: six octets such as 02:00:00:01:01:01"
        ))
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        alloc::format!("{mac}")
    }
}
