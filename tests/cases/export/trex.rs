//! The TRex profile, run under Python with a stand-in for `trex_stl_lib` that records what it is given. TRex itself is
//! not packaged; the stand-in has the constructors that the profile uses, with the argument names that TRex documents.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use pinode_measure::export::Format;
use pinode_measure::stream::{Sizes, Stream, StreamSpec};
use serde_json::Value;

use super::{exported, run, streams};

const STAND_IN: &str = include_str!("trex_stl_lib.py");
const DRIVER: &str = include_str!("trex_driver.py");

pub(super) fn profile() -> Result<()> {
    let (folder, paths) = exported(Format::Trex)?;
    let library = folder.path().join("trex_stl_lib");
    fs::create_dir(&library)?;
    fs::write(library.join("__init__.py"), "")?;
    fs::write(library.join("api.py"), STAND_IN)?;
    let driver = folder.path().join("driver.py");
    fs::write(&driver, DRIVER)?;
    let printed = run("python3", &[&driver, &paths[0]])?;
    let loaded: Value = serde_json::from_str(&printed).context("the driver's output")?;

    let mut rates: BTreeMap<u16, f64> = BTreeMap::new();
    for each in loaded["plain"].as_array().context("no streams")? {
        let pps = each["pps"].as_f64().context("no rate")?;
        let frames = each["frames"].as_array().context("no frames")?;
        for frame in frames {
            let octets = octets(frame)?;
            let id = same_as_ours(&octets).with_context(|| each["name"].to_string())?;
            // Frames of both ends of a random size are of one stream.
            *rates.entry(id).or_default() += pps / frames.len() as f64;
        }
    }
    for named in streams() {
        let rate = rates.get(&named.spec.id).copied().unwrap_or(0.0);
        ensure!(
            (rate / named.spec.rate_fps - 1.0).abs() < 1e-12,
            "{}: {rate} frames/s, asked for are {}",
            named.name,
            named.spec.rate_fps
        );
    }
    // Sizes in turn keep their shares: 79 is half of them.
    let shares = loaded["plain"].as_array().context("no streams")?.iter();
    let half = shares
        .filter(|each| each["name"] == "can 79")
        .map(|each| each["pps"].clone());
    ensure!(half.collect::<Vec<_>>() == [1500.0], "{printed}");

    for way in ["latency_by_tunable", "latency_by_argument"] {
        let latency: Vec<&Value> = loaded[way]
            .as_array()
            .context("no streams")?
            .iter()
            .filter(|each| !each["latency_of"].is_null())
            .collect();
        let ids: Vec<Option<u64>> = latency
            .iter()
            .map(|each| each["latency_of"].as_u64())
            .collect();
        ensure!(ids == [1, 2, 3, 4, 5].map(Some), "{way}: {ids:?}");
        for each in latency {
            same_as_ours(&octets(&each["frames"][0])?)?;
        }
    }
    Ok(())
}

fn octets(frame: &Value) -> Result<Vec<u8>> {
    let digits = frame.as_str().context("a frame that is no text")?;
    (0..digits.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&digits[at..at + 2], 16)?))
        .collect()
}

/// The stream whose frame this is, but for the signature, which is zero.
fn same_as_ours(frame: &[u8]) -> Result<u16> {
    let ip = if frame[12..14] == [0x88, 0xb5] {
        15
    } else {
        14
    };
    let id = u16::from_be_bytes([frame[ip + 2], frame[ip + 3]]);
    let named = streams().into_iter().find(|named| named.spec.id == id);
    let spec = named.with_context(|| format!("no stream {id}"))?.spec;
    let size = u16::try_from(frame.len() + 4)?;
    let ours = Stream::new(StreamSpec {
        sizes: Sizes::Fixed(size),
        ..spec
    })?;
    let mut ours = ours.template().to_vec();
    let udp = ip + 40;
    if frame[ip + 6] == 17 {
        ensure!(
            udp_sum(&frame[ip..]) == 0xffff,
            "stream {id}: the UDP checksum is wrong"
        );
        ours[udp + 6..udp + 8].copy_from_slice(&frame[udp + 6..udp + 8]);
    }
    ensure!(frame == ours, "stream {id}: {frame:02x?}\nnot {ours:02x?}");
    Ok(id)
}

/// Sum of pseudo-header and datagram of an IPv6 packet (RFC 8200 8.1): all ones where the checksum is right.
fn udp_sum(packet: &[u8]) -> u16 {
    let mut octets = packet[8..].to_vec();
    let length = packet.len() - 40;
    octets.extend([(length >> 8) as u8, length as u8, 0, 17]);
    // An odd datagram ends before the length and protocol: they go in front, where words are even.
    octets.rotate_right(4);
    octets.resize(octets.len().next_multiple_of(2), 0);
    let sum: u32 = octets
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    ((folded & 0xffff) + (folded >> 16)) as u16
}
