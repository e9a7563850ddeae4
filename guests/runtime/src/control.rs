//! The control protocol between host and guest: one JSON object a line, at most 64 KiB.
//!
//! The host sends [`ToGuest`], the guest [`FromGuest`]. Both ends use these types, so that they
//! cannot disagree. A line from the other end is a claim: parsing it must never panic.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Version of this protocol and of the image's boot interface.
pub const ABI: u32 = 1;
/// Most octets of a line, without its end.
pub const LINE_OCTETS: usize = 64 * 1024;
/// Most events that a guest says beyond those it knows were heard.
pub const EVENTS_UNHEARD: u64 = 32;
/// Name of the console port that carries the lines.
pub const PORT_NAME: &str = "pinode.control";

/// A line from the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToGuest {
    /// What to be; sent once, first.
    Config(Config),
    /// Answer with [`FromGuest::Pong`] of the same number and [`FromGuest::Usage`].
    Ping(u64),
    /// Something that the function is asked at run time; answered with [`FromGuest::Response`] of the same id.
    Request {
        /// Names the request in its answer.
        id: u64,
        /// What is asked; its form is the function's.
        body: serde_json::Value,
    },
    /// So many [events](FromGuest::Event) of this guest were heard since it started: it may say as many more.
    Heard(u64),
    /// Stop for good.
    Stop {},
}

/// A line from the guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromGuest {
    /// The guest is up and waits for its configuration.
    Hello {
        /// [`ABI`] of the guest.
        abi: u32,
    },
    /// All vifs are up and frames are forwarded.
    Ready {},
    /// Answer to a ping.
    Pong(u64),
    /// The configuration is refused, or a line was not understood; for a person to read.
    Error(String),
    /// What the guest did since it started.
    Usage(Usage),
    /// Answer to a request.
    Response {
        /// That of the request.
        id: u64,
        /// The function's answer, or what is wrong with the request, for a person to read.
        result: Result<serde_json::Value, String>,
    },
    /// Something that nobody asked for; its form is the function's. No more than [`EVENTS_UNHEARD`] wait to be
    /// [heard](ToGuest::Heard).
    Event(serde_json::Value),
}

/// What the function is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What the host calls the function; an image holds one, whatever its name.
    pub function: String,
    /// The vifs in order: vif i is port i of the node.
    pub vifs: Vec<VifConfig>,
    /// Virtual networks carried.
    #[serde(default)]
    pub vns: Vec<u8>,
    /// PI code of the PIH that stands behind the Ethernet header of its frames; none: there is no PIH.
    #[serde(default)]
    pub code: Option<u8>,
    /// EtherType of its frames: the PIH's, or where there is none the PI's own.
    #[serde(default = "experimental")]
    pub ethertype: u16,
    /// A number nobody else knows, for what must not be guessed.
    #[serde(default)]
    pub seed: u64,
    /// The function's own configuration (`pi.NAME.config` of the node's file).
    #[serde(default)]
    pub pi: serde_json::Value,
    /// What was changed of an earlier guest at run time is told again by requests before anything may be forwarded;
    /// how the function is told that this was all is its own affair.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub replay: bool,
    /// Rounds over all rings without work after which the guest idles. 1: at once, for guests that
    /// share a core. `u32::MAX`: never, for a guest with a core of its own.
    #[serde(default = "at_once")]
    pub idle_after_rounds: u32,
}

impl Config {
    /// Octets of the largest frame on any vif, without FCS: Ethernet header, PIH, PDU.
    pub fn largest_frame(&self) -> u32 {
        const HEADER: u32 = 14 + 1;
        HEADER
            + self
                .vifs
                .iter()
                .map(|vif| u32::from(vif.mtu))
                .max()
                .unwrap_or(0)
    }
}

fn at_once() -> u32 {
    1
}

/// IEEE local experimental EtherType 1, the default of the PIH.
fn experimental() -> u16 {
    0x88b5
}

/// One vif.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VifConfig {
    /// Name of the node's port.
    pub name: String,
    /// MAC address, six octets in hexadecimal with colons.
    pub mac: String,
    /// Largest PDU behind the PIH, octets: a frame has up to 14 + 1 + mtu octets, without FCS.
    pub mtu: u16,
    /// The one virtual network of an access port, whose other end is an ordinary host; none: a trunk.
    #[serde(default)]
    pub access: Option<u8>,
}

/// Totals since the guest became ready, at one instant between two rounds. What is left of `up_ns` it slept, or
/// talked to the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time passed, nanoseconds of the guest's clock: what the others are parts of.
    #[serde(default)]
    pub up_ns: u64,
    /// Time spent on frames, nanoseconds.
    pub busy_ns: u64,
    /// Time spent looking for frames in vain, nanoseconds.
    pub poll_ns: u64,
    /// Time in which it had either to do and something else had its CPU, nanoseconds: in neither.
    #[serde(default)]
    pub away_ns: u64,
    /// Frames taken from the host.
    pub frames: u64,
    /// Of these, frames the function did not send on.
    pub discarded: u64,
    /// Times the guest woke up from idling.
    pub wakeups: u64,
}

/// Reads one line.
///
/// # Errors
///
/// What is wrong with it, for a person to read.
pub fn parse(line: &str) -> Result<ToGuest, serde_json::Error> {
    serde_json::from_str(line)
}

/// Writes one line, without its end.
pub fn format(message: &FromGuest) -> String {
    // These types have string keys and no maps, so this cannot fail; an empty line is ignored.
    serde_json::to_string(message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn lines_are_as_documented() {
        let line = r#"{"config":{"function":"patch","vifs":[{"name":"west","mac":"02:00:00:00:00:01","mtu":1500}],"vns":[0],"pi":{}}}"#;
        let ToGuest::Config(config) = parse(line).unwrap() else {
            panic!("not a config")
        };
        assert_eq!(config.function, "patch");
        assert_eq!(config.vifs[0].mtu, 1500);
        assert_eq!(config.idle_after_rounds, 1);
        assert_eq!(parse(r#"{"ping":7}"#).unwrap(), ToGuest::Ping(7));
        assert_eq!(parse(r#"{"stop":{}}"#).unwrap(), ToGuest::Stop {});
        assert_eq!(parse(r#"{"heard":9}"#).unwrap(), ToGuest::Heard(9));
        assert_eq!(
            format(&FromGuest::Event(serde_json::json!({ "a": 1 }))),
            r#"{"event":{"a":1}}"#
        );
        assert_eq!(
            format(&FromGuest::Hello { abi: 1 }),
            r#"{"hello":{"abi":1}}"#
        );
        assert_eq!(format(&FromGuest::Ready {}), r#"{"ready":{}}"#);
        assert_eq!(format(&FromGuest::Pong(7)), r#"{"pong":7}"#);
        assert_eq!(
            format(&FromGuest::Error("no".to_string())),
            r#"{"error":"no"}"#
        );
    }

    #[test]
    fn nonsense_is_an_error() {
        for line in [
            "",
            "{",
            "[]",
            "{\"ping\":-1}",
            "{\"config\":{}}",
            "{\"reboot\":{}}",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in ".{0,200}") {
            let _ = parse(&line);
        }
    }
}
