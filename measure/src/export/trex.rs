//! A stateless profile of TRex: for each stream and size a packet and its rate.
//!
//! TRex repeats a packet; it can change fields of it but compute no CRC-32C. So the place of the signature is zero, and
//! what arrives is counted by TRex, not by our sink. Sizes in turn become a stream each, with their share of the
//! rate; sizes spread evenly are drawn by TRex's field engine, or, where a UDP checksum depends on them, become
//! [`STEPS`] sizes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Plan;
use super::python::{number, text};
use super::table::{describe, hex, one_of_many};
use crate::signature::SIGNATURE_OCTETS;
use crate::stream::{FCS, Pattern, Sizes, Stream, Transport};

const PROGRAM: &str = include_str!("trex_profile.py");
/// Sizes that stand for a range of them.
const STEPS: u16 = 32;
/// The line of the profile that the streams stand for.
const PLACE: &str = "STREAMS = []\n";

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let (before, after) = (PROGRAM.split_once(PLACE))
        .ok_or_else(|| io::Error::other("the profile has no place for streams"))?;
    out.write_all(before.as_bytes())?;
    writeln!(out, "STREAMS = [")?;
    let count = plan.streams.len() as f64;
    for (place, (name, stream)) in plan.named().enumerate() {
        // Streams begin in turn within the first gap, as ours do.
        let isg_us = place as f64 / count * 1e6 / stream.spec().rate_fps;
        write_stream(name, stream, isg_us, out)?;
    }
    writeln!(out, "]")?;
    out.write_all(after.as_bytes())
}

fn write_stream(name: &str, stream: &Stream, isg_us: f64, out: &mut impl Write) -> io::Result<()> {
    let spec = stream.spec();
    writeln!(
        out,
        "    # stream {}: {} octets with FCS, {} frames/s{}{}",
        spec.id,
        describe(&spec.sizes),
        spec.rate_fps,
        one_of_many(spec),
        match spec.pattern {
            Pattern::Even => String::new(),
            Pattern::Bursts(frames) => format!(", asked for in bursts of {frames}, here evenly"),
            Pattern::Opening(frames) =>
                format!(", asked for after a burst of {frames}, here without"),
        }
    )?;
    let mut entry = |suffix: &str, share: f64, random: &str, size: u16| {
        let mut octets = vec![0; usize::from(size) - FCS];
        stream.write(&mut octets, &[0; SIGNATURE_OCTETS]);
        writeln!(
            out,
            "    dict(name={}, pg_id={}, pps={}, isg_us={}, random_size={random},\n         octets={}),",
            text(&format!("{name}{suffix}")),
            spec.id,
            number(spec.rate_fps * share),
            number(isg_us),
            text(&hex(&octets)),
        )
    };
    // How often each size is sent, of how many.
    let mut shares: BTreeMap<u16, f64> = BTreeMap::new();
    match &spec.sizes {
        Sizes::Fixed(size) => return entry("", 1.0, "None", *size),
        Sizes::Uniform { from, to, .. } if spec.transport == Transport::None => {
            let layout = stream.layout();
            let random = format!(
                "dict(smallest={}, largest={}, length_at={}, not_counted={})",
                usize::from(*from) - FCS,
                usize::from(*to) - FCS,
                layout.length_at(),
                layout.ipv6_end(),
            );
            return entry("", 1.0, &random, *to);
        }
        Sizes::Uniform { from, to, .. } => {
            let last = STEPS.min(to - from + 1) - 1;
            for step in 0..=last {
                let above = u32::from(to - from) * u32::from(step) / u32::from(last.max(1));
                // At most to - from: fits 16 bits.
                shares.insert(from + above as u16, 1.0);
            }
        }
        Sizes::Sequence(sizes) => {
            for size in sizes {
                *shares.entry(*size).or_default() += 1.0;
            }
        }
    }
    let all: f64 = shares.values().sum();
    for (size, times) in shares {
        entry(&format!(" {size}"), times / all, "None", size)?;
    }
    Ok(())
}
