//! A trace: every frame with a valid signature, at the instant at which it is due.
//!
//! Classic pcap in nanoseconds (magic 0xa1b23c4d); times begin at zero, the frames' send times are the same.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::{DataLink, Endianness};

use super::Plan;

pub(super) fn write(plan: &Plan<'_>, out: &mut impl Write) -> io::Result<()> {
    let header = PcapHeader {
        datalink: DataLink::ETHERNET,
        ts_resolution: PcapTsResolution::NanoSecond,
        // Most readers take either; some replay tools only what a PC writes.
        endianness: Endianness::Little,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(out, header).map_err(io::Error::other)?;
    plan.each_frame(|due_ns, _, frame| {
        let octets = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let packet = PcapPacket::new(Duration::from_nanos(due_ns), octets, Cow::Borrowed(frame))
            .map_err(io::Error::other)?;
        writer.write_packet(&packet).map_err(io::Error::other)?;
        io::Result::Ok(())
    })?;
    writer.flush().map_err(io::Error::other)
}
