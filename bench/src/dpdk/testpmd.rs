//! One `testpmd` in interactive mode, forwarding on one core.

use std::path::Path;
use std::time::{Duration, Instant};

use super::process::{Launch, Process, ProcessError};
use super::stats::{Figure, figure};

/// The frames that a port has sent by an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// When the count was read.
    pub(super) at: Instant,
    /// Frames since the port was opened.
    pub(super) frames: u64,
    /// What `testpmd` itself reckons as the rate since the last look, frames per second.
    pub(super) own_fps: u64,
}

/// A running `testpmd`.
pub(super) struct Testpmd(Process);

impl Testpmd {
    /// Starts one whose forwarding thread runs on `cpu` (the command line's thread sleeps on it too)
    /// and waits until it takes commands.
    pub(super) fn start(
        name: &'static str,
        cpu: usize,
        vdevs: &[String],
        eal: &[&str],
        huge_dir: &Path,
    ) -> Result<Self, ProcessError> {
        let process = Process::start(&Launch {
            name,
            program: Path::new("dpdk-testpmd"),
            lcores: format!("0@{cpu},1@{cpu}"),
            vdevs,
            eal,
            own: &[
                "--interactive",
                "--disable-link-check",
                "--forward-mode=io",
                "--nb-cores=1",
                "--burst=64",
                "--txd=1024",
                "--rxd=1024",
            ],
            huge_dir,
            farewell: &["stop", "quit"],
        })?;
        let mut testpmd = Self(process);
        // Answered only when all ports are configured and the prompt is there.
        testpmd.sent(0)?;
        Ok(testpmd)
    }

    /// Forwards from here on.
    pub(super) fn forward(&mut self) -> Result<(), ProcessError> {
        self.0.tell("start")
    }

    /// Reads what port `port` has sent.
    pub(super) fn sent(&mut self, port: usize) -> Result<Sent, ProcessError> {
        let command = format!("show port stats {port}");
        self.0.tell(&command)?;
        let mut count = None;
        self.0.hear(&command, Duration::ZERO, |line| {
            match (figure(&line.text)?, count) {
                (Figure::TxPackets(frames), _) => {
                    count = Some((line.at, frames));
                    None
                }
                (Figure::TxRate(own_fps), Some((at, frames))) => Some(Sent {
                    at,
                    frames,
                    own_fps,
                }),
                (Figure::TxRate(_), None) => None,
            }
        })
    }
}
