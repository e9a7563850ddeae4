//! What is offered, and the node that it is offered to.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use pinode_measure::stream::{Compare, Pattern, Sizes, StreamSpec, Transport};
use pinode_measure::trial::{Load, LoadStream, Side};
use pinode_node::config::{self, NodeConfig};
use serde::Serialize;

/// Weights of AS and BE.
pub const WEIGHTS: [u8; 2] = [2, 1];
/// The router's MAC address on the west side.
const ROUTER: [u8; 6] = [2, 0, 0, 0, 1, 1];
/// Ports of UDP: of voice, of what customers send, of the rest.
const VOICE: u16 = 5060;
const WEB: u16 = 443;
const BULK: u16 = 80;
/// Source port, of those for private use (RFC 6335 6).
const FROM_PORT: u16 = 49_184;
const EF: u8 = 46;
const AF: [u8; 3] = [10, 12, 14];
/// Octets of frames with FCS.
const VOICE_SIZE: u16 = 200;
const WEB_SIZE: u16 = 1000;
const BULK_SIZE: u16 = 700;
/// Frames of voice at once.
const VOICE_BURST: u32 = 20;
/// Three times what BE gets.
const BULK_FPS: f64 = 45_000.0;

/// What is offered beside EF and BE. AS gets about 20,000 frames a second of the sizes used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// AF11 and AF12 fit, AF13 does not.
    Af13,
    /// AF11 fits, AF12 and AF13 do not.
    Af12,
    /// AF11 alone is too much.
    Af11,
    /// Nothing is marked: the router tells voice by its port and two customers by their addresses, colours one by
    /// srTCM and the other by trTCM; each sends more than AS gets in all.
    Marked,
}

impl Case {
    /// What it shows, in a line.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Case::Af13 => "marked by hosts: AF11 and AF12 fit",
            Case::Af12 => "marked by hosts: AF11 fits",
            Case::Af11 => "marked by hosts: AF11 alone is too much",
            Case::Marked => "marked and policed by the router",
        }
    }

    /// Names of the streams, in the order of the load.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Case::Af13 | Case::Af12 | Case::Af11 => &["EF", "BE", "AF11", "AF12", "AF13"],
            Case::Marked => &["EF", "BE", "gold", "silver"],
        }
    }

    /// The load.
    #[must_use]
    pub fn load(self, duration: Duration) -> Load {
        // A little off round rates, so that frames come at other instants of each cycle.
        let mut voice = stream(1, EF, VOICE, VOICE_SIZE, 37_501.3);
        voice.pattern = Pattern::Bursts(VOICE_BURST);
        let bulk = stream(2, 0, BULK, BULK_SIZE, BULK_FPS);
        let by_host = |fps: [f64; 3]| {
            let web = (3..).zip(AF).zip(fps);
            web.map(|((id, dscp), fps)| stream(id, dscp, WEB, WEB_SIZE, fps))
                .collect::<Vec<_>>()
        };
        let others = match self {
            Case::Af13 => by_host([6_000.0, 6_000.0, 14_000.0]),
            Case::Af12 => by_host([12_000.0, 14_000.0, 10_000.0]),
            Case::Af11 => by_host([27_000.0, 6_000.0, 6_000.0]),
            Case::Marked => {
                voice.traffic_class = 0;
                let customer = |id| stream(id, 0, WEB, WEB_SIZE, 21_000.0);
                vec![customer(3), customer(4)]
            }
        };
        let specs = [voice, bulk].into_iter().chain(others);
        Load {
            streams: specs
                .map(|spec| LoadStream {
                    from: Side::West,
                    spec,
                })
                .collect(),
            duration,
            step: None,
            drain: Duration::from_millis(500),
        }
    }

    /// The router's policers and class rules.
    fn rules(self) -> &'static str {
        match self {
            Case::Af13 | Case::Af12 | Case::Af11 => "",
            Case::Marked => {
                r#"
[[pi.ipv6qos.config.policer]]
name = "gold"
meter = "srtcm"
cir = "60Mbps"
cbs = "64KiB"
ebs = "32KiB"
red = "precedence"
[[pi.ipv6qos.config.policer]]
name = "silver"
meter = "trtcm"
cir = "30Mbps"
cbs = "32KiB"
pir = "50Mbps"
pbs = "32KiB"
red = "precedence"
[[pi.ipv6qos.config.class]]
match = { protocol = "udp", dport = "5060" }
dscp = "EF"
[[pi.ipv6qos.config.class]]
match = { from = "2001:2:0:3::/64" }
dscp = "AF11"
policer = "gold"
[[pi.ipv6qos.config.class]]
match = { from = "2001:2:0:4::/64", protocol = "udp", dport = "443" }
dscp = "AF21"
policer = "silver"
"#
            }
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// Even frames on the stream's own addresses (2001:2:0:ID::), to the router.
fn stream(id: u16, dscp: u8, port: u16, size: u16, fps: f64) -> StreamSpec {
    let mut spec = StreamSpec::new(id, 1, size, fps);
    spec.traffic_class = dscp << 2;
    spec.transport = Transport::Udp {
        from: FROM_PORT,
        to: port,
    };
    spec.sizes = Sizes::Fixed(size);
    spec.compare = Compare::Payload;
    spec.mac.0 = ROUTER;
    spec
}

/// What it runs on.
#[derive(Debug, Clone, Copy)]
pub struct Machinery {
    /// Host threads instead of virtual machines.
    pub threads: bool,
    /// CPU of the worker, CPU of the guests.
    pub cpus: (usize, usize),
}

impl Machinery {
    /// The node's configuration for `case`: three phases of 100 us at 1 Gb/s.
    ///
    /// # Errors
    ///
    /// What the node says against it.
    pub fn config(self, case: Case) -> anyhow::Result<NodeConfig> {
        let text = self.toml(case);
        let builtins = pinode_images::BUILTIN_NAMES;
        Ok(config::parse(
            "classes.toml",
            Path::new(""),
            &text,
            builtins,
        )?)
    }

    fn toml(self, case: Case) -> String {
        let isolation = if self.threads { "thread" } else { "kvm" };
        let (worker, guests) = self.cpus;
        let [assured, be] = WEIGHTS;
        let rules = case.rules();
        format!(
            r#"
[node]
name = "classes"
isolation = "{isolation}"
cpus = {{ workers = [{worker}], guests = [{guests}] }}
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "1Gbps"
cycle = {{ phases = [{{ pi = "ipv6qos", for = "100us" }}, {{ pi = "can", for = "100us" }}, {{ pi = "dss", for = "100us" }}] }}
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "1Gbps"
cycle = {{ phases = [{{ pi = "ipv6qos", for = "100us" }}, {{ pi = "can", for = "100us" }}, {{ pi = "dss", for = "100us" }}] }}
[pi.ipv6qos]
code = 1
guest = "builtin:ipv6qos"
memory = "64MiB"
queue = 4096
[pi.ipv6qos.level2]
discipline = "diffserv"
nc = {{ rate = "5Mbps", burst = "4KiB", limit = 64 }}
rt = {{ rate = "80Mbps", burst = "32KiB", limit = 512 }}
as = {{ weight = {assured}, limit = 1760 }}
be = {{ weight = {be}, limit = 1760 }}
[pi.ipv6qos.config.interface]
west = {{ mac = "02:00:00:00:01:01", address = ["2001:db8:1::1/64"] }}
east = {{ mac = "02:00:00:00:02:01", address = ["2001:db8:2::1/64"] }}
[[pi.ipv6qos.config.neighbour]]
address = "2001:db8:2::9"
lladdr = "02:00:00:00:02:09"
dev = "east"
[[pi.ipv6qos.config.route]]
prefix = "2001:2::/48"
via = "2001:db8:2::9"
{rules}
[pi.can]
code = 2
guest = "builtin:patch"
[pi.dss]
code = 3
guest = "builtin:patch"
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_can_be_run() {
        let on = Machinery {
            threads: true,
            cpus: (0, 1),
        };
        for case in Case::value_variants() {
            let config = on.config(*case).unwrap();
            assert_eq!(config.ports.len(), 2);
            let load = case.load(Duration::from_secs(1));
            assert_eq!(load.streams.len(), case.names().len());
            // Far more than a third of 1 Gb/s.
            let bits = load.streams.iter().map(|stream| {
                let spec = &stream.spec;
                8.0 * (spec.sizes.mean() + 20.0) * spec.rate_fps
            });
            assert!(bits.sum::<f64>() > 4.5e8);
        }
    }
}
