//! `discipline = "streams"`: connections, and what there is for those of run time.
//!
//! Must never take a label or a network that no connection may have.

use pinode_classifier::{Vn, VnSet};
use pinode_scheduler::level2::streams::{LABEL_LEAST, LABEL_MOST};

use super::super::pi::read_vn;
use super::super::reader::Section;
use super::super::unit::{BitRate, Nanoseconds, Octets};
use super::read_frames;

/// Frames that a connection may have waiting, unless it says otherwise.
pub const BUFFER: u32 = 16;
/// Octets of the shortest frame, with FCS.
const FRAME_LEAST: u64 = 64;
/// Most connections of a PI at a port.
const CONNECTIONS_MOST: u64 = 1 << 20;

/// Connections, and what there is for those that are set up at run time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamsConfig {
    /// Connections at a port, at most; if none, as many as frames of the transmit rings.
    pub most: Option<u32>,
    /// Rate of frames with label 1, bits per second on the wire; if none, a hundredth of what the
    /// phases guarantee.
    pub signalling_bps: Option<u64>,
    /// Those that are there from the beginning.
    pub connections: Vec<StreamConfig>,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// The port it leaves by.
    pub port: String,
    /// Its virtual network; one that the PI carries.
    pub vn: Vn,
    /// Its label, 16 to 2^20 - 1.
    pub label: u32,
    /// Peak rate on the wire, bits per second.
    pub rate_bps: u64,
    /// tau; if none, as much as gets it its rate in the schedule that the port starts with.
    pub tolerance_ns: Option<u64>,
    /// Frames.
    pub buffer: u32,
    /// Octets of its largest frame, with FCS; if none, that of the PI at the port.
    pub max_frame: Option<u32>,
}

impl StreamsConfig {
    /// Connections at a port, at most; `frames`: what the transmit rings hold.
    #[must_use]
    pub fn most_of(&self, frames: u32) -> u32 {
        self.most.unwrap_or(frames)
    }
}

/// Frames of signalling that may wait, of `frames` that the transmit rings hold.
#[must_use]
pub fn signalling_buffer(frames: u32) -> u32 {
    (frames / 16).clamp(1, 64)
}

pub(super) fn read_streams(
    section: &mut Section<'_, '_>,
    vns: Option<VnSet>,
) -> Option<StreamsConfig> {
    let most = match section.optional("most") {
        Some(item) => {
            let most = item.integer(1..=CONNECTIONS_MOST)?;
            u32::try_from(most).ok().map(Some)
        }
        None => Some(None),
    };
    let signalling = match section.optional("signalling") {
        Some(item) => item.parsed::<BitRate>().map(|rate| Some(rate.0)),
        None => Some(None),
    };
    let connections = read_connections(section, vns);
    Some(StreamsConfig {
        most: most?,
        signalling_bps: signalling?,
        connections: connections?,
    })
}

fn read_connections(
    section: &mut Section<'_, '_>,
    vns: Option<VnSet>,
) -> Option<Vec<StreamConfig>> {
    let Some(item) = section.optional("connections") else {
        // Without any, nothing of the PI is sent until they are set up.
        return Some(Vec::new());
    };
    let mut streams: Option<Vec<StreamConfig>> = Some(Vec::new());
    for element in item.elements()? {
        let stream = element
            .section()
            .and_then(|section| read_stream(section, vns));
        if let (Some(stream), Some(before)) = (&stream, &streams) {
            let same = |other: &&StreamConfig| {
                (&other.port, other.vn, other.label) == (&stream.port, stream.vn, stream.label)
            };
            if before.iter().find(same).is_some() {
                element.problem(format!(
                    "port {} has a connection with virtual network {} and label {} already",
                    stream.port, stream.vn, stream.label
                ));
            }
        }
        streams = streams.zip(stream).map(|(mut streams, stream)| {
            streams.push(stream);
            streams
        });
    }
    streams
}

fn read_stream(mut section: Section<'_, '_>, vns: Option<VnSet>) -> Option<StreamConfig> {
    let port = section.required("port", "the name of the port it leaves by");
    let port = port.and_then(|item| item.name());
    let vn_item = section.optional("vn");
    let vn = match &vn_item {
        Some(item) => read_vn(item),
        None => Some(Vn::DEFAULT),
    };
    if let (Some(vn), Some(vns)) = (vn, vns)
        && !vns.contains(vn)
    {
        let what = format!("virtual network {vn} is not one that the PI carries");
        match &vn_item {
            Some(item) => item.problem(what),
            None => section.problem(format!("{what}; needed: the key vn")),
        }
    }
    let labels = u64::from(LABEL_LEAST)..=u64::from(LABEL_MOST);
    let label = section.required("label", "16 to 1048575");
    let label = label.and_then(|item| u32::try_from(item.integer(labels)?).ok());
    let rate = section.required("rate", "a rate, such as \"2Mbps\"");
    let rate = rate.and_then(|item| item.parsed::<BitRate>());
    let tolerance = match section.optional("tolerance") {
        Some(item) => item.parsed::<Nanoseconds>().map(|time| Some(time.0)),
        None => Some(None),
    };
    let buffer = read_frames(&mut section, "buffer");
    let max_frame = match section.optional("max_frame") {
        Some(item) => item.parsed::<Octets>().and_then(|octets| {
            if octets.0 < FRAME_LEAST {
                item.problem(format!("{octets} is not allowed; allowed: 64B and more"));
            }
            u32::try_from(octets.0).ok().map(Some)
        }),
        None => Some(None),
    };
    section.finish();
    Some(StreamConfig {
        port: port?,
        vn: vn?,
        label: label?,
        rate_bps: rate?.0,
        tolerance_ns: tolerance?,
        buffer: buffer?.unwrap_or(BUFFER),
        max_frame: max_frame?,
    })
}
