//! What is run: the node's configuration, and connections that sum up to a share of what it guarantees them.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use pinode_node::config::{self, NodeConfig};
use pinode_scheduler::{Cycle, LinkRate, Phase, bounds};
use serde::Serialize;

use crate::chance::Chance;
use crate::gated::PIS;

/// PIs, a phase each, in their order; the last has the connections.
pub(super) const NAMES: [&str; PIS] = ["ipv6qos", "can", "dss"];
/// The place of the PI with connections.
pub(super) const DSS: usize = 2;
/// Where frames come in and go out.
pub(super) const PORTS: [&str; 2] = ["west", "east"];
/// Octets of preamble, start delimiter and gap.
pub(super) const GAP: u32 = 20;
/// Octets of a frame of the overload, with FCS.
pub(super) const LOAD_SIZE: u16 = 512;
/// Octets behind the Ethernet header, at most.
const MTU: u32 = 1500;
/// Octets of a largest frame, with FCS.
const LARGEST: u32 = MTU + 18;
/// The label that the first connection comes in with.
const FIRST: u32 = 16;
/// How much higher the labels are with which they leave.
const RAISED: u32 = 500_000;

/// Sizes of frames, octets with FCS; connections have them by turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sizes(Vec<u16>);

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let of = |part: &str| part.trim().parse().ok().filter(|n| (79..=1518).contains(n));
        let sizes: Option<Vec<u16>> = text.split(',').map(of).collect();
        let sizes = sizes.filter(|sizes| !sizes.is_empty());
        sizes.map(Self).ok_or_else(|| {
            format!("`{text}`: allowed are sizes of 79 to 1518 octets, such as 200,512,1400")
        })
    }
}

/// What is run.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// C, megabits per second.
    pub capacity_mbps: u32,
    /// Phase of each of the three PIs, microseconds.
    pub phase_us: u32,
    /// How many connections there are.
    pub connections: u32,
    /// Their frames.
    pub sizes: Sizes,
    /// What their rates sum up to, by what is guaranteed.
    pub share: f64,
    /// By how much the times between frames differ, at most, to either side: so that all phases of connections to each
    /// other come up in time.
    pub spread: f64,
    /// All begin at the same instant, each time: the worst that can come together. Otherwise anywhere.
    pub together: bool,
    /// What the others are offered, by their ceiling.
    pub others: f64,
    /// Best effort beside the connections in their PI, by its ceiling.
    pub best_effort: f64,
    /// By how much frames may be held up by what is no schedule, nanoseconds: `jitter` of `[pi.NAME.signaling]`.
    pub jitter_ns: u64,
    /// Descriptors of each ring.
    pub queue: u16,
    /// Host threads instead of virtual machines.
    pub threads: bool,
    /// CPU of the worker, CPU of the guests; none: wherever.
    pub cpus: Option<(usize, usize)>,
    /// What instants are drawn by.
    pub seed: u64,
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Connection {
    /// The label that its frames come in with.
    pub label: u32,
    /// Octets of its frames, with FCS.
    pub size: u16,
    /// Peak rate on the wire, bits per second.
    pub rate_bps: u64,
}

impl Connection {
    /// The label that its frames leave with.
    #[must_use]
    pub const fn to_label(&self) -> u32 {
        self.label + RAISED
    }

    /// Picoseconds from one frame to the next at its peak rate, rounded up.
    #[must_use]
    pub fn interval_ps(&self) -> u64 {
        let interval = u128::from(self.wire_bits()) * 1_000_000_000_000;
        let interval = interval.div_ceil(u128::from(self.rate_bps.max(1)));
        u64::try_from(interval).unwrap_or(u64::MAX)
    }

    /// Bits of a frame on the wire.
    #[must_use]
    pub const fn wire_bits(&self) -> u64 {
        8 * (self.size as u64 + GAP as u64)
    }
}

impl Plan {
    /// C, bits per second.
    #[must_use]
    pub fn capacity_bps(&self) -> u64 {
        u64::from(self.capacity_mbps) * 1_000_000
    }

    /// The schedule of each port.
    fn cycle(&self) -> anyhow::Result<Cycle> {
        let phases = [0, 1, 2].map(|slot| Phase {
            owner: Some(slot),
            duration_ns: u64::from(self.phase_us) * 1_000,
        });
        let link = LinkRate::new(self.capacity_bps())?;
        Ok(Cycle::new(&phases, 0, link, |_slot| LARGEST)?)
    }

    /// Frames of the overload a second that a PI's phases hold.
    ///
    /// # Errors
    ///
    /// A schedule that cannot hold.
    pub fn ceiling_fps(&self) -> anyhow::Result<f64> {
        let of_size = bounds::of_size(&self.cycle()?, 0, LOAD_SIZE.into());
        Ok(of_size.map_or(0.0, |bounds| bounds.ceiling_fps))
    }

    /// The longest `jitter` with which rings have buffers for all connections, nanoseconds: of the frames that each may
    /// have waiting, one is there and one comes in a turn of all; the others come in a cycle and twice in `jitter`, as it
    /// is what frames come early by and what they wait longer.
    ///
    /// # Errors
    ///
    /// A schedule that cannot hold.
    pub fn most_jitter_ns(&self) -> anyhow::Result<u64> {
        /// Frames that signalling has of the rings.
        const SIGNALLING: u32 = 64;
        let own = bounds::of_pi(&self.cycle()?, DSS as u8, LARGEST);
        let guaranteed_bps = own.map_or(0, |own| own.guaranteed_bps as u64);
        let apart = self.connect(guaranteed_bps);
        let apart_ns = apart.iter().map(|one| one.interval_ps() / 1_000).min();
        let frames = (u32::from(self.queue) - SIGNALLING) / self.connections.max(1);
        let others_ns = u64::from(frames.saturating_sub(2)) * apart_ns.unwrap_or(0);
        Ok(others_ns.saturating_sub(self.cycle()?.length_ns()) / 2)
    }

    /// Connections whose rates sum up to the share of `guaranteed_bps`. Their frames come nearly equally far apart,
    /// whatever their size.
    #[must_use]
    pub fn connect(&self, guaranteed_bps: u64) -> Vec<Connection> {
        let mut chance = Chance(self.seed);
        let mut all: Vec<(Connection, f64)> = (0..self.connections)
            .zip(self.sizes.0.iter().cycle())
            .map(|(number, &size)| {
                let connection = Connection {
                    label: FIRST + number,
                    size,
                    rate_bps: 0,
                };
                let apart = 1.0 + self.spread * (2.0 * chance.part() - 1.0);
                (connection, connection.wire_bits() as f64 / apart)
            })
            .collect();
        let weights: f64 = all.iter().map(|(_, weight)| weight).sum();
        let share_bps = guaranteed_bps as f64 * self.share;
        for (connection, weight) in &mut all {
            connection.rate_bps = (share_bps * *weight / weights) as u64;
        }
        all.into_iter().map(|(connection, _)| connection).collect()
    }

    /// When the first frame of each is due, picoseconds from the beginning of run `run` on.
    #[must_use]
    pub fn begin(&self, connections: &[Connection], run: u64) -> Vec<u64> {
        let mut chance = Chance(self.seed ^ run.wrapping_add(1).rotate_left(32));
        let begin = |connection: &Connection| match self.together {
            true => 0,
            false => (chance.part() * connection.interval_ps() as f64) as u64,
        };
        connections.iter().map(begin).collect()
    }

    /// The label of best effort, which comes in by it and leaves by it.
    #[must_use]
    pub const fn best_effort_label() -> u32 {
        FIRST + RAISED - 1
    }

    /// The node's configuration.
    ///
    /// # Errors
    ///
    /// What the node says against it.
    pub fn config(&self) -> anyhow::Result<NodeConfig> {
        let builtins = pinode_images::BUILTIN_NAMES;
        let text = self.toml();
        Ok(config::parse(
            "streams.toml",
            Path::new(""),
            &text,
            builtins,
        )?)
    }

    fn toml(&self) -> String {
        let isolation = if self.threads { "thread" } else { "kvm" };
        let mut toml = format!("[node]\nname = \"streams\"\nisolation = \"{isolation}\"\n");
        if let Some((worker, guests)) = self.cpus {
            let _ = writeln!(
                toml,
                "cpus = {{ workers = [{worker}], guests = [{guests}] }}"
            );
        }
        let phase = |pi| format!("{{ pi = \"{pi}\", for = \"{}us\" }}", self.phase_us);
        let phases = NAMES.map(phase).join(", ");
        for port in PORTS {
            let _ = write!(
                toml,
                "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\n\
                 capacity = \"{}Mbps\"\nmtu = {MTU}\ncycle = {{ phases = [{phases}] }}\n",
                self.capacity_mbps
            );
        }
        for (pi, name) in NAMES.iter().enumerate() {
            let guest = if pi == DSS { "dss" } else { "patch" };
            let _ = write!(
                toml,
                "[pi.{name}]\ncode = {}\nguest = \"builtin:{guest}\"\nqueue = {}\n",
                pi + 1,
                self.queue
            );
        }
        toml.push_str("[pi.dss.level2]\ndiscipline = \"streams\"\n");
        toml
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn plan() -> Plan {
        Plan {
            capacity_mbps: 1_000,
            phase_us: 100,
            connections: 1_000,
            sizes: "200,512,1400".parse().unwrap(),
            share: 0.95,
            spread: 0.01,
            together: false,
            others: 3.0,
            best_effort: 1.0,
            jitter_ns: 5_000_000,
            queue: 4096,
            threads: true,
            cpus: None,
            seed: 1,
        }
    }

    #[test]
    fn rates_sum_up_to_the_share_and_frames_come_nearly_equally_far_apart() {
        let all = plan().connect(292_320_000);
        let sum: u64 = all.iter().map(|one| one.rate_bps).sum();
        let wanted = 292_320_000.0 * 0.95;
        assert!((sum as f64 - wanted).abs() < 1_000.0, "{sum}");
        let apart = || all.iter().map(Connection::interval_ps);
        let (least, most) = (apart().min().unwrap(), apart().max().unwrap());
        let ratio = most as f64 / least as f64;
        assert!((1.015..1.021).contains(&ratio), "{ratio}");
        // 1,000 frames of 200, 512 and 1,400 octets by turns: 5.79 Mbit of wire.
        assert!((20_500_000_000..21_200_000_000).contains(&least), "{least}");
    }

    #[test]
    fn rings_hold_twenty_milliseconds_of_a_thousand() {
        let most_ns = plan().most_jitter_ns().unwrap();
        assert!((20_000_000..20_500_000).contains(&most_ns), "{most_ns}");
    }

    #[test]
    fn no_source_is_faster_than_its_peak_rate() {
        for one in plan().connect(292_320_000) {
            let bits = u128::from(one.wire_bits()) * 1_000_000_000_000;
            assert!(bits <= u128::from(one.interval_ps()) * u128::from(one.rate_bps));
        }
    }

    #[test]
    fn instants_follow_from_seed_and_run() {
        let (plan, together) = (
            plan(),
            Plan {
                together: true,
                ..plan()
            },
        );
        let all = plan.connect(292_320_000);
        assert_eq!(plan.begin(&all, 0), plan.begin(&all, 0));
        assert_ne!(plan.begin(&all, 0), plan.begin(&all, 1));
        let within = |(at, one): (u64, &Connection)| at < one.interval_ps();
        assert!(plan.begin(&all, 0).into_iter().zip(&all).all(within));
        assert!(together.begin(&all, 0).iter().all(|at| *at == 0));
    }

    #[test]
    fn the_configuration_is_one() {
        let config = plan().config().unwrap();
        assert_eq!((config.ports.len(), config.pis.len()), (2, PIS));
        assert!("78".parse::<Sizes>().is_err());
        assert!("".parse::<Sizes>().is_err());
    }
}
