//! The streams as a table, for testers whose stream blocks are set up by hand: a line for each stream, with the
//! octets of its headers in hexadecimal.

use std::io::{self, Write};

use super::{Plan, headers};
use crate::stream::{Encapsulation, Sizes, StreamSpec};

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([
        "stream",
        "name",
        "pih",
        "frame_sizes_with_fcs",
        "rate_fps",
        "mean_l2_mbps",
        "header_hex",
    ])?;
    for (name, stream) in plan.named() {
        let spec = stream.spec();
        let pih = match spec.encapsulation {
            Encapsulation::Pih => format!("{:#04x}", stream.pih()),
            Encapsulation::Plain => String::new(),
        };
        writer.write_record([
            spec.id.to_string(),
            name.to_owned(),
            pih,
            describe(&spec.sizes),
            spec.rate_fps.to_string(),
            format!("{:.3}", spec.rate_fps * spec.sizes.mean() * 8.0 / 1e6),
            hex(headers(stream)),
        ])?;
    }
    writer.flush()
}

/// Sizes in words: `79`, `79 128 1518 in turn`, `79..1518 uniform`.
pub(super) fn describe(sizes: &Sizes) -> String {
    match sizes {
        Sizes::Fixed(size) => size.to_string(),
        Sizes::Sequence(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(u16::to_string).collect();
            format!("{} in turn", sizes.join(" "))
        }
        Sizes::Uniform { from, to, .. } => format!("{from}..{to} uniform"),
    }
}

/// That a stream has more destinations than the one that is written, if it has.
pub(super) fn one_of_many(spec: &StreamSpec) -> String {
    match spec.other_destinations.len() {
        0 => String::new(),
        others => format!(", asked for to {} destinations, here to one", others + 1),
    }
}

/// Octets as text, two digits each.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
