//! The same streams for other testers: a trace to replay, configurations and programs of packet generators.
//!
//! Frames come from [`Source`] and [`Stream::template`], never from a second builder, so that what another tester
//! sends is what this one would send. Nothing half-written is left: each file is written beside and renamed.
//! Must never know an interface or a clock: send times begin at zero. See `docs/testers.md`.

mod beside;
mod pcap;
mod python;
mod scapy;
mod table;
mod trafgen;
mod trex;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use crate::source::Source;
use crate::stream::{Stream, StreamError, StreamSpec};

/// Frames of the slowest stream, where nobody says how many.
pub const FRAMES: u32 = 1000;
/// Frames of all streams that one file holds at most: a trace of a few gigabytes.
pub const MOST_FRAMES: u64 = 2_000_000;
/// Frames of all streams in a trafgen configuration: it is text, and trafgen parses all of it before the first frame.
pub const MOST_TRAFGEN_FRAMES: u64 = 20_000;

/// Whom the streams are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A trace in nanoseconds, for tcpreplay and testers that replay, and a table for those that are set up by hand.
    Pcap,
    /// A packet configuration of trafgen (netsniff-ng).
    Trafgen,
    /// A program for Scapy.
    Scapy,
    /// A stateless profile of TRex.
    Trex,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcap, Self::Trafgen, Self::Scapy, Self::Trex];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Trafgen => "trafgen",
            Self::Scapy => "scapy",
            Self::Trex => "trex",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = ExportError;

    fn from_str(name: &str) -> Result<Self, ExportError> {
        let named = Self::ALL.into_iter().find(|format| format.name() == name);
        named.ok_or_else(|| ExportError::Format { found: name.into() })
    }
}

/// A stream with its name: the PI's, where there is one stream of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// For people; any text.
    pub name: String,
    /// The stream, with its rate.
    pub spec: StreamSpec,
}

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// No such format.
    #[error("no format {found:?}; there are pcap, trafgen, scapy and trex")]
    Format {
        /// What was asked for.
        found: String,
    },
    /// Nothing to write.
    #[error("no stream to export")]
    NoStream,
    /// A stream that cannot be.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// More frames than the format is good for.
    #[error(
        "{asked:.0} frames for {format}: {frames} of the slowest stream and of the others what is due meanwhile; \
         allowed are 1 to {most} in all"
    )]
    Frames {
        /// The format.
        format: Format,
        /// Of the slowest stream.
        frames: u32,
        /// All streams.
        asked: f64,
        /// Allowed.
        most: u64,
    },
    /// A file or folder that cannot be made.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Writes `streams` for another tester into the folder `dir`, which is made where it is not there, and says which
/// files there are now. Files of the same names are replaced.
///
/// Of the slowest stream the first `frames` frames are written (see [`FRAMES`]), of the others what is due in the same
/// time, so that the rates keep their ratios to the end. TRex repeats one frame of each size instead.
///
/// # Errors
/// No stream or one that cannot be, too many frames, or a file that cannot be written; then no file is there that
/// was not there before.
pub fn write(
    dir: &Path,
    format: Format,
    streams: &[Named],
    frames: u32,
) -> Result<Vec<PathBuf>, ExportError> {
    if streams.is_empty() {
        return Err(ExportError::NoStream);
    }
    let names = streams.iter().map(|named| named.name.as_str()).collect();
    let streams = Stream::all(streams.iter().map(|named| named.spec.clone()))?;
    let plan = Plan {
        names,
        streams,
        frames,
    };
    if format != Format::Trex {
        plan.check(format)?;
    }
    match format {
        Format::Pcap => beside::write(
            dir,
            &[
                ("streams.pcap", &|out| pcap::write(&plan, out)),
                ("streams.csv", &|out| table::write(&plan, out)),
            ],
        ),
        Format::Trafgen => {
            beside::write(dir, &[("streams.cfg", &|out| trafgen::write(&plan, out))])
        }
        Format::Scapy => {
            beside::write(dir, &[("pinode_scapy.py", &|out| scapy::write(&plan, out))])
        }
        Format::Trex => beside::write(dir, &[("pinode_trex.py", &|out| trex::write(&plan, out))]),
    }
}

/// What is written, checked.
struct Plan<'a> {
    names: Vec<&'a str>,
    streams: Vec<Stream>,
    /// Of the slowest stream.
    frames: u32,
}

impl Plan<'_> {
    /// Streams with their names.
    fn named(&self) -> impl Iterator<Item = (&str, &Stream)> {
        self.names.iter().copied().zip(&self.streams)
    }

    /// Frames per second of all streams.
    fn fps(&self) -> f64 {
        self.streams.iter().map(|s| s.spec().rate_fps).sum()
    }

    fn slowest_fps(&self) -> f64 {
        let rates = self.streams.iter().map(|s| s.spec().rate_fps);
        rates.fold(f64::INFINITY, f64::min)
    }

    /// Time in which the frames are due, nanoseconds.
    fn duration_ns(&self) -> u64 {
        (f64::from(self.frames) * 1e9 / self.slowest_fps()).floor() as u64
    }

    fn check(&self, format: Format) -> Result<(), ExportError> {
        let asked = f64::from(self.frames) * self.fps() / self.slowest_fps();
        let most = match format {
            Format::Trafgen => MOST_TRAFGEN_FRAMES,
            _ => MOST_FRAMES,
        };
        if self.frames == 0 || asked > most as f64 {
            return Err(ExportError::Frames {
                format,
                frames: self.frames,
                asked,
                most,
            });
        }
        Ok(())
    }

    /// Every frame in the order in which they are due, from zero on, with its stream's name.
    fn each_frame<E>(
        &self,
        mut take: impl FnMut(u64, &str, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut source = Source::new(&self.streams, u32::MAX);
        source.start(0);
        source.stop(self.duration_ns().max(1));
        let longest = self.streams.iter().map(|s| s.template().len()).max();
        let mut slot = vec![0; longest.unwrap_or(0)];
        // No frame is due at the end of time, and none is left then.
        while let Some(pending) = source.next(u64::MAX - 1) {
            let (due_ns, octets, stream) = (pending.due_ns(), pending.octets(), pending.stream());
            pending.write(&mut slot);
            take(due_ns, self.names[stream], &slot[..octets])?;
        }
        Ok(())
    }
}

/// Octets in front of the signature.
fn headers(stream: &Stream) -> &[u8] {
    &stream.template()[..stream.layout().signature_at]
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
