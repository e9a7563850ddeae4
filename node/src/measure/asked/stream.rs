//! A stream as it is asked for: `pi=can,size=512,rate=100Mbps,from=east`.

use std::net::Ipv6Addr;
use std::str::FromStr;

use pinode_measure::stream::Encapsulation;
use pinode_measure::trial::Side;

use super::{FrameSize, Rate};

/// A stream of the user's own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamAsked {
    /// PI, by name or code.
    pub pi: Option<String>,
    /// Virtual network.
    pub vn: Option<u8>,
    /// Its frames; none: the size of the trial.
    pub size: Option<FrameSize>,
    /// Its rate; none: what the test has.
    pub rate: Option<Rate>,
    /// Where it enters; none: west.
    pub from: Option<Side>,
    /// Destination MAC.
    pub dst: Option<[u8; 6]>,
    /// Source MAC.
    pub src: Option<[u8; 6]>,
    /// Destination address.
    pub dst_ip: Option<Ipv6Addr>,
    /// Source address.
    pub src_ip: Option<Ipv6Addr>,
    /// What is behind the Ethernet header.
    pub encapsulation: Option<Encapsulation>,
    /// UDP behind IPv6.
    pub udp: bool,
    /// DiffServ code point.
    pub dscp: Option<u8>,
}

const KEYS: &str = "pi=NAME|CODE, vn=0..31, size=, rate=, from=west|east, dst=MAC, src=MAC, dst_ip=IPV6, \
                    src_ip=IPV6, encap=pih|plain, udp, dscp=0..63";

impl FromStr for StreamAsked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut stream = Self::default();
        let mut seen = Vec::new();
        for part in text.split(',') {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            if seen.contains(&key) {
                return Err(format!("{key} is there twice"));
            }
            seen.push(key);
            stream.set(key, value)?;
        }
        Ok(stream)
    }
}

impl StreamAsked {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |allowed: &str| format!("{key}={value}: allowed: {allowed}");
        match key {
            "pi" if !value.is_empty() => self.pi = Some(value.to_owned()),
            "vn" => self.vn = Some(below(value, 32).ok_or_else(|| wrong("0 to 31"))?),
            "size" => self.size = Some(value.parse()?),
            "rate" => self.rate = Some(value.parse()?),
            "from" => {
                self.from = Some(match value {
                    "west" => Side::West,
                    "east" => Side::East,
                    _ => return Err(wrong("west (--tx) or east (--rx)")),
                });
            }
            "dst" | "src" => {
                let mac =
                    mac(value).ok_or_else(|| wrong("a MAC address, such as 02:00:00:00:00:01"))?;
                *(if key == "dst" {
                    &mut self.dst
                } else {
                    &mut self.src
                }) = Some(mac);
            }
            "dst_ip" | "src_ip" => {
                let address = value
                    .parse()
                    .map_err(|_| wrong("an IPv6 address, such as 2001:2::1"))?;
                *(if key == "dst_ip" {
                    &mut self.dst_ip
                } else {
                    &mut self.src_ip
                }) = Some(address);
            }
            "encap" => {
                self.encapsulation = Some(match value {
                    "pih" => Encapsulation::Pih,
                    "plain" => Encapsulation::Plain,
                    _ => return Err(wrong("pih or plain")),
                });
            }
            "udp" if value.is_empty() => self.udp = true,
            "dscp" => self.dscp = Some(below(value, 64).ok_or_else(|| wrong("0 to 63"))?),
            _ => return Err(format!("{key:?} is nothing of a stream; allowed: {KEYS}")),
        }
        Ok(())
    }
}

fn below(text: &str, limit: u8) -> Option<u8> {
    text.parse().ok().filter(|value| *value < limit)
}

/// Six octets in hexadecimal with colons.
fn mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        let part = parts.next()?;
        let hexadecimal = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        *octet = u8::from_str_radix(part, 16).ok().filter(|_| hexadecimal)?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_key_by_key() {
        let text = "pi=can,vn=3,size=512,rate=100Mbps,from=east,dst=02:00:00:00:00:0a,dst_ip=2001:2::7,encap=pih,dscp=46";
        let stream: StreamAsked = text.parse().unwrap();
        assert_eq!((stream.pi.as_deref(), stream.vn), (Some("can"), Some(3)));
        assert_eq!(stream.size, Some("512".parse().unwrap()));
        assert_eq!(stream.rate, Some(Rate::Bits(1e8)));
        assert_eq!(stream.from, Some(Side::East));
        assert_eq!(stream.dst, Some([2, 0, 0, 0, 0, 10]));
        assert_eq!(stream.dst_ip, "2001:2::7".parse().ok());
        assert_eq!(stream.encapsulation, Some(Encapsulation::Pih));
        assert_eq!(stream.dscp, Some(46));
        assert!(!stream.udp);
        let plain: StreamAsked = "encap=plain,udp".parse().unwrap();
        assert!(plain.udp && plain.encapsulation == Some(Encapsulation::Plain));
    }

    #[test]
    fn a_mistake_is_named_with_what_is_allowed() {
        for (text, says) in [
            ("pi=", "allowed: pi=NAME"),
            ("", "allowed: pi=NAME"),
            ("color=red", "\"color\" is nothing of a stream"),
            ("vn=32", "allowed: 0 to 31"),
            ("from=north", "allowed: west"),
            ("dst=1:2:3:4:5:6", "MAC address"),
            ("dst=02:00:00:00:00:00:00", "MAC address"),
            ("size=10", "79"),
            ("rate=fast", "allowed: frames per second"),
            ("dscp=64", "allowed: 0 to 63"),
            ("vn=1,vn=2", "vn is there twice"),
            ("udp=1", "nothing of a stream"),
        ] {
            let error = text.parse::<StreamAsked>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
