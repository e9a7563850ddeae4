//! A program for Scapy: the streams as data, and `scapy_program.py`, which makes layers, frames, traces and traffic of
//! them.

use std::io::{self, Write};

use super::Plan;
use super::python::{number, text};
use super::table::one_of_many;
use crate::stream::{Encapsulation, Pattern, Sizes, Stream, Transport};

const PROGRAM: &str = include_str!("scapy_program.py");
/// The line of the program that the streams stand for.
const PLACE: &str = "STREAMS = []\n";

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let (before, after) = (PROGRAM.split_once(PLACE))
        .ok_or_else(|| io::Error::other("the program has no place for streams"))?;
    out.write_all(before.as_bytes())?;
    writeln!(out, "FRAMES = {}", plan.frames)?;
    writeln!(out, "STREAMS = [")?;
    for (name, stream) in plan.named() {
        write_stream(name, stream, out)?;
    }
    writeln!(out, "]")?;
    out.write_all(after.as_bytes())
}

fn write_stream(name: &str, stream: &Stream, out: &mut impl Write) -> io::Result<()> {
    let spec = stream.spec();
    let pih = match spec.encapsulation {
        Encapsulation::Pih => format!("dict(pi={}, vn={})", spec.pi_code, spec.vn),
        Encapsulation::Plain => "None".into(),
    };
    let udp = match spec.transport {
        Transport::Udp { from, to } => format!("dict(sport={from}, dport={to})"),
        Transport::None => "None".into(),
    };
    let sizes = match &spec.sizes {
        Sizes::Fixed(size) => format!("[{size}]"),
        Sizes::Sequence(sizes) => format!("{sizes:?}"),
        Sizes::Uniform { from, to, seed } => format!("uniform({from}, {to}, {seed})"),
    };
    let burst = match spec.pattern {
        Pattern::Even | Pattern::Opening(_) => 1,
        Pattern::Bursts(frames) => frames,
    };
    // The rest from the frame itself.
    let frame = stream.template();
    let mac = |at: usize| {
        let octets: Vec<String> = frame[at..at + 6]
            .iter()
            .map(|o| format!("{o:02x}"))
            .collect();
        text(&octets.join(":"))
    };
    let ip = stream.layout().ipv6_at;
    let others = one_of_many(spec);
    if !others.is_empty() {
        writeln!(out, "    # stream {}{others}", spec.id)?;
    }
    writeln!(
        out,
        "    dict(stream={id}, name={name}, pps={pps}, burst={burst}, sizes={sizes},\n\
         \x20        ethertype={ethertype:#06x}, pih={pih}, udp={udp}, mac=({mac_to}, {mac_from}),\n\
         \x20        ipv6=dict(dst={to}, src={from}, tc={class}, fl={flow}, nh={next}, hlim={hops})),",
        id = spec.id,
        name = text(name),
        pps = number(spec.rate_fps),
        ethertype = u16::from_be_bytes([frame[12], frame[13]]),
        mac_to = mac(0),
        mac_from = mac(6),
        to = text(&spec.address.0.to_string()),
        from = text(&spec.address.1.to_string()),
        class = spec.traffic_class,
        flow = u32::from_be_bytes([0, frame[ip + 1] & 0x0f, frame[ip + 2], frame[ip + 3]]),
        next = frame[ip + 6],
        hops = frame[ip + 7],
    )
}
