//! Trace files as a port: one is replayed with its recorded times, the other written.
//!
//! The clock is the caller's: the first frame is due at the first receive burst, the others as long after
//! it as they were recorded. Sent frames are written with the instant they start on the wire, so a capture
//! is exact to the nanosecond. Must never make a system call per frame: files are read and written in
//! large pieces.

mod replay;

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use arrayvec::ArrayVec;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::{DataLink, Endianness};

use self::replay::Replay;
use crate::error::PortError;
use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake, slot_octets_for};

/// Octets written at once.
const WRITE_OCTETS: usize = 256 << 10;
/// Longest that a written frame stays out of the file, nanoseconds.
const FLUSH_NS: u64 = 200_000_000;

/// A port whose wire is a pair of trace files.
pub struct PcapPort {
    replay: Option<Replay>,
    rx: Box<[u8]>,
    lengths: ArrayVec<usize, BURST>,
    tx: Box<[u8]>,
    writer: Option<PcapWriter<BufWriter<File>>>,
    slot_octets: usize,
    wall_at_zero_ns: u64,
    flushed_ns: u64,
    unflushed: bool,
    about: String,
}

impl PcapPort {
    /// Opens `input` (pcap or pcapng; `None` receives nothing) and creates `output` (pcap, nanoseconds;
    /// `None` lets sent frames vanish). `wall_at_zero_ns` is the UTC time, in nanoseconds since 1970, at
    /// which the caller's clock was zero.
    ///
    /// # Errors
    /// A file that cannot be opened or created, or an input that is no trace of Ethernet frames.
    pub fn open(
        input: Option<&Path>,
        output: Option<&Path>,
        mtu: u16,
        wall_at_zero_ns: u64,
    ) -> Result<Self, PortError> {
        let slot_octets = slot_octets_for(mtu);
        let buffer = || vec![0; BURST * slot_octets].into_boxed_slice();
        let side = |path: Option<&Path>| path.map_or("-".into(), |p| p.display().to_string());
        Ok(Self {
            replay: input
                .map(|path| Replay::open(path, slot_octets))
                .transpose()?,
            rx: buffer(),
            lengths: ArrayVec::new(),
            tx: buffer(),
            writer: output.map(create).transpose()?,
            slot_octets,
            wall_at_zero_ns,
            flushed_ns: 0,
            unflushed: false,
            about: format!(
                "pcap: replays {}, writes {}, launch time",
                side(input),
                side(output)
            ),
        })
    }

    /// True once every frame of the input has been received.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.replay.as_ref().is_none_or(Replay::is_over)
    }

    fn flush(&mut self) {
        if let Some(writer) = &mut self.writer
            && self.unflushed
        {
            // A full disk shows at the next frame, which is then not taken.
            let _ = writer.flush();
            self.unflushed = false;
        }
    }
}

fn create(path: &Path) -> Result<PcapWriter<BufWriter<File>>, PortError> {
    let failed = |source| PortError::File {
        path: path.to_owned(),
        action: "create",
        source,
    };
    let file = File::create(path).map_err(failed)?;
    let header = PcapHeader {
        datalink: DataLink::ETHERNET,
        ts_resolution: PcapTsResolution::NanoSecond,
        endianness: Endianness::native(),
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(BufWriter::with_capacity(WRITE_OCTETS, file), header)
        .map_err(|e| failed(std::io::Error::other(e)))?;
    // The header is there before the first frame: a reader may already look.
    writer
        .flush()
        .map_err(|e| failed(std::io::Error::other(e)))?;
    Ok(writer)
}

impl Port for PcapPort {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        if self.unflushed && now_ns.saturating_sub(self.flushed_ns) >= FLUSH_NS {
            self.flush();
            self.flushed_ns = now_ns;
        }
        self.lengths.clear();
        if let Some(replay) = &mut self.replay {
            let slots = self.rx.chunks_exact_mut(self.slot_octets);
            for slot in slots.take(burst.remaining_capacity()) {
                let Some(len) = replay.next_due(now_ns, slot) else {
                    break;
                };
                self.lengths.push(len);
            }
        }
        let frames = self.rx.chunks_exact(self.slot_octets).zip(&self.lengths);
        burst.extend(frames.map(|(slot, len)| slot.get(..*len).unwrap_or(slot)));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let want = want.min(slots.remaining_capacity());
        slots.extend(self.tx.chunks_exact_mut(self.slot_octets).take(want));
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let mut taken = 0;
        for (slot, meta) in self.tx.chunks_exact(self.slot_octets).zip(frames) {
            let Some(frame) = slot.get(..usize::from(meta.len)) else {
                break;
            };
            if let Some(writer) = &mut self.writer {
                let at = Duration::from_nanos(self.wall_at_zero_ns.saturating_add(meta.start_ns));
                let packet = PcapPacket::new(at, u32::from(meta.len), Cow::Borrowed(frame));
                if !packet.is_ok_and(|packet| writer.write_packet(&packet).is_ok()) {
                    break;
                }
                self.unflushed = true;
            }
            taken += 1;
        }
        taken
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        // What is written is in the file while nothing happens.
        self.flush();
        match self
            .replay
            .as_ref()
            .and_then(|replay| replay.due_ns(now_ns))
        {
            Some(due_ns) if due_ns <= now_ns => Wake::Frames,
            Some(due_ns) => Wake::At(due_ns),
            None => Wake::Nothing,
        }
    }

    fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    /// A frame is recorded at its start, whenever it was handed over.
    fn launch_lead_ns(&self) -> Option<u64> {
        Some(0)
    }

    fn describe(&self) -> String {
        match self.replay.as_ref().and_then(Replay::fault) {
            Some(fault) => format!("{}; replay ended: {fault}", self.about),
            None => self.about.clone(),
        }
    }
}

impl Drop for PcapPort {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
#[path = "pcap_tests.rs"]
mod tests;
