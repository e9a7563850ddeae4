//! `[pi.NAME.level2]`: in which order a PI's frames go within its phase.
//!
//! What is left out is filled in when the ports and the rings are known. Must never let a class be
//! given more than there is: bounds sum up to what the transmit rings hold, peak rates to what the
//! phases guarantee.

mod streams;

use std::num::NonZeroU8;

use pinode_classifier::{Vn, VnSet};

use super::connections::{Held, stream_problems};
use super::node::{NodeConfig, PiConfig, PihMode};
use super::reader::{Item, Section};
use super::unit::{BitRate, Octets};
use streams::read_streams;
pub use streams::{BUFFER, StreamConfig, StreamsConfig, signalling_buffer};

/// Most frames that a class may be given: all rings of 64 workers.
const FRAMES_MOST: u64 = 64 * 4096;
/// AS gets twice as much of what is left as BE, unless the configuration says otherwise.
const AS_WEIGHT: NonZeroU8 = NonZeroU8::MIN.saturating_add(1);

/// The discipline of a PI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Level2Config {
    /// As they come.
    #[default]
    Fifo,
    /// By DSCP.
    Diffserv(DiffservConfig),
    /// Requests before data.
    Content(ContentConfig),
    /// Connections, each shaped to its peak rate.
    Streams(StreamsConfig),
}

/// The classes of DiffServ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffservConfig {
    /// Network control.
    pub nc: PolicedConfig,
    /// Real time.
    pub rt: PolicedConfig,
    /// Assured forwarding.
    pub assured: WeightedConfig,
    /// Best effort.
    pub be: WeightedConfig,
}

/// A policed class; what is none follows from the port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicedConfig {
    /// Bits per second of frames with FCS.
    pub rate_bps: Option<u64>,
    /// Octets.
    pub burst: Option<u32>,
    /// Frames.
    pub limit: Option<u32>,
}

/// A class with a share; what is none follows from the rings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WeightedConfig {
    /// To that of the other class.
    pub weight: Option<NonZeroU8>,
    /// Frames.
    pub limit: Option<u32>,
}

/// Bounds in frames, for each virtual network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentConfig {
    /// Of requests.
    pub requests: Option<u32>,
    /// Of data.
    pub data: Option<u32>,
}

/// A class that is policed, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicedBounds {
    /// Bits per second of frames with FCS.
    pub rate_bps: u64,
    /// Octets.
    pub burst: u32,
    /// Frames.
    pub limit: u32,
}

impl PiConfig {
    /// Frames that all transmit rings of one of its vifs hold.
    #[must_use]
    pub fn ring_frames(&self, workers: u16) -> u32 {
        u32::from(self.queue) * u32::from(workers)
    }

    /// The virtual network of its frames where its guest sends them without a PIH.
    #[must_use]
    pub fn plain_vn(&self) -> Option<u8> {
        match self.pih {
            PihMode::Keep => None,
            PihMode::Strip { .. } => Some(self.vns.first().unwrap_or(Vn::DEFAULT).get()),
        }
    }
}

impl DiffservConfig {
    /// Frames of NC, RT, AS, BE out of `frames`: an eighth each for the strict ones, which are
    /// policed, and half of what is left for each of the others.
    #[must_use]
    pub fn limits(&self, frames: u32) -> [u32; 4] {
        let Self {
            nc,
            rt,
            assured,
            be,
        } = self;
        let strict = [nc, rt].map(|class| class.limit.unwrap_or(frames / 8));
        let left = strict
            .iter()
            .fold(frames, |left, taken| left.saturating_sub(*taken));
        let [assured, be] = match (assured.limit, be.limit) {
            (Some(assured), Some(be)) => [assured, be],
            (Some(assured), None) => [assured, left.saturating_sub(assured)],
            (None, Some(be)) => [left.saturating_sub(be), be],
            (None, None) => [left - left / 2, left / 2],
        };
        let [nc, rt] = strict;
        [nc, rt, assured, be]
    }

    /// Weights of AS and BE.
    #[must_use]
    pub fn weights(&self) -> [NonZeroU8; 2] {
        [
            self.assured.weight.unwrap_or(AS_WEIGHT),
            self.be.weight.unwrap_or(NonZeroU8::MIN),
        ]
    }
}

impl ContentConfig {
    /// Frames of requests and of data in each of `networks`, out of `frames`: a quarter for requests.
    #[must_use]
    pub fn limits(&self, frames: u32, networks: u32) -> [u32; 2] {
        let each = frames / networks.max(1);
        let requests = match (self.requests, self.data) {
            (Some(requests), _) => requests,
            (None, Some(data)) => each.saturating_sub(data),
            (None, None) => (each / 4).max(1),
        };
        [requests, self.data.unwrap_or(each.saturating_sub(requests))]
    }
}

impl Level2Config {
    /// As in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Diffserv(_) => "diffserv",
            Self::Content(_) => "content",
            Self::Streams(_) => "streams",
        }
    }

    /// What it asks of every schedule.
    #[must_use]
    pub(super) fn diffserv(&self) -> Option<DiffservConfig> {
        match self {
            Self::Diffserv(classes) => Some(*classes),
            Self::Fifo | Self::Content(_) | Self::Streams(_) => None,
        }
    }

    /// The connections that leave by `port`.
    pub fn streams<'a>(&'a self, port: &'a str) -> impl Iterator<Item = &'a StreamConfig> + Clone {
        let all = match self {
            Self::Streams(all) => all.connections.as_slice(),
            Self::Fifo | Self::Diffserv(_) | Self::Content(_) => &[],
        };
        all.iter().filter(move |stream| stream.port == port)
    }
}

/// What only the whole node shows: bounds within the rings, connections on ports that there are and
/// within what their phases guarantee, bursts of a largest frame.
pub(super) fn check(config: &NodeConfig, pis: &Item<'_, '_>) {
    for pi in &config.pis {
        let frames = pi.ring_frames(config.workers);
        let at = |key: &[&str], what: String| {
            let path = [&[pi.name.as_str(), "level2"], key].concat();
            pis.problem_below(&path, what);
        };
        let within = |key: &[&str], sum: u64, what: &str| {
            if let Some(more) = sum.checked_sub(u64::from(frames)).filter(|more| *more > 0) {
                at(
                    key,
                    format!(
                        "{what} sum up to {sum} frames, {more} more than the {frames} that its \
                         transmit rings hold (queue times workers)"
                    ),
                );
            }
        };
        let room = |limits: &[u64], names: &[&str]| {
            for (_, name) in limits.iter().zip(names).filter(|(limit, _)| **limit == 0) {
                at(
                    &[],
                    format!(
                        "leaves no room for {name}, of which nothing could ever go; needed: 1 frame of \
                         the {frames} that its transmit rings hold (queue times workers)"
                    ),
                );
            }
        };
        match &pi.level2 {
            Level2Config::Fifo => {}
            Level2Config::Diffserv(classes) => {
                let limits = classes.limits(frames).map(u64::from);
                within(&[], limits.iter().sum(), "the limits of nc, rt, as and be");
                room(&limits, &["nc", "rt", "as", "be"]);
                let largest = config.ports.iter().map(|p| p.largest_frame_of(pi.needs));
                let largest = largest.max().unwrap_or(0);
                for (key, class) in [("nc", classes.nc), ("rt", classes.rt)] {
                    if let Some(burst) = class.burst.filter(|burst| *burst < largest) {
                        let said = Octets(u64::from(burst));
                        at(
                            &[key, "burst"],
                            format!(
                                "{said} is not allowed: the largest frame of {largest} octets could \
                                 never pass; allowed: {largest}B or more"
                            ),
                        );
                    }
                }
            }
            Level2Config::Content(content) => {
                let [requests, data] = content.limits(frames, pi.vns.len()).map(u64::from);
                let sum = (requests + data) * u64::from(pi.vns.len());
                within(&[], sum, "requests and data of all virtual networks");
                room(&[requests, data], &["requests", "data"]);
            }
            Level2Config::Streams(streams) => {
                for port in &config.ports {
                    let own = pi.level2.streams(&port.name);
                    let count = own.map(|stream| u64::from(stream.buffer));
                    let sum: u64 = count.chain([u64::from(signalling_buffer(frames))]).sum();
                    let what = format!(
                        "the buffers of signalling and of connections on port {}",
                        port.name
                    );
                    within(&["connections"], sum, &what);
                    let most = streams.most_of(frames) as usize;
                    let count = pi.level2.streams(&port.name).count();
                    if count > most {
                        at(
                            &["connections"],
                            format!(
                                "{count} of them leave by port {}; allowed: {most}",
                                port.name
                            ),
                        );
                    }
                    let largest = port.largest_frame_of(pi.needs);
                    for stream in pi.level2.streams(&port.name) {
                        if let Some(max) = stream.max_frame.filter(|max| *max > largest) {
                            at(
                                &["connections"],
                                format!(
                                    "label {}: max_frame of {max} octets is more than the {largest} \
                                     that the PI may send on port {}",
                                    stream.label, port.name
                                ),
                            );
                        }
                    }
                }
                for stream in &streams.connections {
                    let known = config.ports.iter().any(|port| port.name == stream.port);
                    if !known {
                        let names: Vec<_> = config.ports.iter().map(|p| p.name.as_str()).collect();
                        at(
                            &["connections"],
                            format!(
                                "label {}: {:?} is no port; allowed: {}",
                                stream.label,
                                stream.port,
                                names.join(", ")
                            ),
                        );
                    }
                }
            }
        }
    }
    for port in &config.ports {
        for (index, what) in
            stream_problems(port, &config.pis, &Held::configured(port, &config.pis))
        {
            if let Some(pi) = config.pis.get(index) {
                let at_port = pi.level2.streams(&port.name).next();
                let key = at_port.map_or("signalling", |_| "connections");
                pis.problem_below(&[&pi.name, "level2", key], what);
            }
        }
    }
}

/// `[pi.NAME.level2]`; `vns`: those of the PI.
pub(super) fn read(mut section: Section<'_, '_>, vns: Option<VnSet>) -> Option<Level2Config> {
    let word = section.required(
        "discipline",
        "\"fifo\", \"diffserv\", \"content\" or \"streams\"",
    );
    let kinds = [
        ("fifo", Kind::Fifo),
        ("diffserv", Kind::Diffserv),
        ("content", Kind::Content),
        ("streams", Kind::Streams),
    ];
    let config = match word?.one_of(&kinds)? {
        Kind::Fifo => Some(Level2Config::Fifo),
        Kind::Diffserv => read_diffserv(&mut section).map(Level2Config::Diffserv),
        Kind::Content => read_content(&mut section).map(Level2Config::Content),
        Kind::Streams => read_streams(&mut section, vns).map(Level2Config::Streams),
    };
    section.finish();
    config
}

#[derive(Clone, Copy)]
enum Kind {
    Fifo,
    Diffserv,
    Content,
    Streams,
}

fn read_diffserv(section: &mut Section<'_, '_>) -> Option<DiffservConfig> {
    let nc = section.optional("nc");
    let rt = section.optional("rt");
    let assured = section.optional("as");
    let be = section.optional("be");
    let policed = |item: Option<Item<'_, '_>>| match item {
        Some(item) => item.section().and_then(read_policed),
        None => Some(PolicedConfig::default()),
    };
    let weighted = |item: Option<Item<'_, '_>>| match item {
        Some(item) => item.section().and_then(read_weighted),
        None => Some(WeightedConfig::default()),
    };
    let (nc, rt) = (policed(nc), policed(rt));
    let (assured, be) = (weighted(assured), weighted(be));
    Some(DiffservConfig {
        nc: nc?,
        rt: rt?,
        assured: assured?,
        be: be?,
    })
}

fn read_policed(mut section: Section<'_, '_>) -> Option<PolicedConfig> {
    let rate = match section.optional("rate") {
        Some(item) => item.parsed::<BitRate>().map(|rate| Some(rate.0)),
        None => Some(None),
    };
    let burst = match section.optional("burst") {
        Some(item) => read_burst(&item).map(Some),
        None => Some(None),
    };
    let limit = read_frames(&mut section, "limit");
    section.finish();
    Some(PolicedConfig {
        rate_bps: rate?,
        burst: burst?,
        limit: limit?,
    })
}

fn read_burst(item: &Item<'_, '_>) -> Option<u32> {
    const MOST: u64 = 1 << 30;
    let burst = item.parsed::<Octets>()?;
    if burst.0 > MOST {
        item.problem(format!(
            "{burst} is not allowed; allowed: up to {}",
            Octets(MOST)
        ));
    }
    u32::try_from(burst.0.min(MOST)).ok()
}

fn read_weighted(mut section: Section<'_, '_>) -> Option<WeightedConfig> {
    let weight = match section.optional("weight") {
        Some(item) => item
            .integer(1..=100)
            .and_then(|weight| NonZeroU8::new(u8::try_from(weight).ok()?))
            .map(Some),
        None => Some(None),
    };
    let limit = read_frames(&mut section, "limit");
    section.finish();
    Some(WeightedConfig {
        weight: weight?,
        limit: limit?,
    })
}

/// A bound in frames that may be left out.
fn read_frames(section: &mut Section<'_, '_>, key: &'static str) -> Option<Option<u32>> {
    match section.optional(key) {
        Some(item) => {
            let frames = item.integer(1..=FRAMES_MOST)?;
            u32::try_from(frames).ok().map(Some)
        }
        None => Some(None),
    }
}

fn read_content(section: &mut Section<'_, '_>) -> Option<ContentConfig> {
    let requests = read_frames(section, "requests");
    let data = read_frames(section, "data");
    Some(ContentConfig {
        requests: requests?,
        data: data?,
    })
}
