//! Reads a trace, pcap or pcapng, and says which frame is due.
//!
//! Must never stop the node: a trace that breaks off ends there, and the port's description says why.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::error::PortError;

/// Octets read at once; no frame of a trace may be longer.
const READ_OCTETS: usize = 1 << 20;
/// A pcapng file begins with a section header block.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

enum Reader {
    Pcap(Box<PcapReader<File>>),
    PcapNg(Box<PcapNgReader<File>>),
}

/// The next frame of the trace, read ahead.
struct Ahead {
    recorded_ns: u64,
    len: usize,
}

/// A trace on its way onto the wire.
pub(super) struct Replay {
    reader: Reader,
    buffer: Box<[u8]>,
    ahead: Option<Ahead>,
    /// Recorded time of the first frame, and the caller's time at which it was due.
    origin: Option<(u64, u64)>,
    last_ns: u64,
    number: u64,
    fault: Option<String>,
}

impl Replay {
    pub(super) fn open(path: &Path, slot_octets: usize) -> Result<Self, PortError> {
        let failed = |action, source| PortError::File {
            path: path.to_owned(),
            action,
            source,
        };
        let wrong = |what: String| PortError::Trace {
            path: path.to_owned(),
            what,
        };
        let mut file = File::open(path).map_err(|e| failed("open", e))?;
        let mut magic = [0; 4];
        file.read_exact(&mut magic).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => wrong("is shorter than any trace".into()),
            _ => failed("read", e),
        })?;
        file.rewind().map_err(|e| failed("read", e))?;
        let not_a_trace = |e: &dyn std::fmt::Display| wrong(format!("is no trace: {e}"));
        let reader = if magic == PCAPNG_MAGIC {
            let reader =
                PcapNgReader::with_capacity(file, READ_OCTETS).map_err(|e| not_a_trace(&e))?;
            Reader::PcapNg(Box::new(reader))
        } else {
            let reader =
                PcapReader::with_capacity(file, READ_OCTETS).map_err(|e| not_a_trace(&e))?;
            let link = reader.header().datalink;
            if link != DataLink::ETHERNET {
                return Err(wrong(format!(
                    "has frames of link type {}",
                    u32::from(link)
                )));
            }
            Reader::Pcap(Box::new(reader))
        };
        let mut replay = Self {
            reader,
            buffer: vec![0; slot_octets].into_boxed_slice(),
            ahead: None,
            origin: None,
            last_ns: 0,
            number: 0,
            fault: None,
        };
        replay.read_ahead();
        if let Some(fault) = &replay.fault {
            return Err(wrong(fault.clone()));
        }
        Ok(replay)
    }

    /// When the next frame is due, `None` behind the last.
    pub(super) fn due_ns(&self, now_ns: u64) -> Option<u64> {
        let ahead = self.ahead.as_ref()?;
        let (first_ns, begin_ns) = self.origin.unwrap_or((ahead.recorded_ns, now_ns));
        Some(begin_ns.saturating_add(ahead.recorded_ns.saturating_sub(first_ns)))
    }

    /// Copies the next frame into `slot` where it is due; its octets, cut to the slot.
    pub(super) fn next_due(&mut self, now_ns: u64, slot: &mut [u8]) -> Option<usize> {
        let ahead = self.ahead.as_ref()?;
        let (first_ns, begin_ns) = *self.origin.get_or_insert((ahead.recorded_ns, now_ns));
        // A time before the first frame's counts as the first frame's: order is kept.
        if now_ns.saturating_sub(begin_ns) < ahead.recorded_ns.saturating_sub(first_ns) {
            return None;
        }
        let len = ahead.len;
        let frame = self.buffer.get(..len)?;
        slot.get_mut(..len)?.copy_from_slice(frame);
        self.read_ahead();
        Some(len)
    }

    pub(super) fn is_over(&self) -> bool {
        self.ahead.is_none()
    }

    /// Why the replay ended before the trace did.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn read_ahead(&mut self) {
        self.ahead = None;
        match self.read() {
            Ok(ahead) => {
                self.number += u64::from(ahead.is_some());
                self.ahead = ahead;
            }
            Err(fault) => {
                self.fault = Some(format!("breaks off behind frame {}: {fault}", self.number))
            }
        }
    }

    fn read(&mut self) -> Result<Option<Ahead>, String> {
        loop {
            let (recorded_ns, frame) = match &mut self.reader {
                Reader::Pcap(reader) => match reader.next_packet() {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(error.to_string()),
                    Some(Ok(packet)) => (nanoseconds(packet.timestamp()), packet.into_data()),
                },
                Reader::PcapNg(reader) => match reader.next_block() {
                    None => return Ok(None),
                    Some(Err(error)) => return Err(error.to_string()),
                    Some(Ok((Block::EnhancedPacket(packet), _))) => {
                        (nanoseconds(packet.timestamp), packet.data)
                    }
                    // Has no time of its own: follows the frame before at once.
                    Some(Ok((Block::SimplePacket(packet), _))) => (self.last_ns, packet.data),
                    Some(Ok((Block::InterfaceDescription(interface), _)))
                        if interface.linktype != DataLink::ETHERNET =>
                    {
                        let link = u32::from(interface.linktype);
                        return Err(format!("has frames of link type {link}"));
                    }
                    Some(Ok(_)) => continue,
                },
            };
            let len = frame.len().min(self.buffer.len());
            if let (Some(to), Some(from)) = (self.buffer.get_mut(..len), frame.get(..len)) {
                to.copy_from_slice(from);
            }
            self.last_ns = recorded_ns;
            return Ok(Some(Ahead { recorded_ns, len }));
        }
    }
}

fn nanoseconds(since_1970: std::time::Duration) -> u64 {
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}
