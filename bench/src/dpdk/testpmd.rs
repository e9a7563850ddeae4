//! One `testpmd` process: started, told, asked, and gone when its owner is.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::stats::{Figure, figure};

/// Longest that an answer may take; the process shares its core with its own polling thread.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest that an orderly end may take.
const GRACE: Duration = Duration::from_secs(3);
/// Lines of output that an error shows.
const SHOWN: usize = 25;

/// Why a `testpmd` is of no use.
#[derive(Debug, Error)]
pub enum TestpmdError {
    /// It cannot be run at all.
    #[error("{program} cannot be run: {source} (Debian packages: dpdk-dev, util-linux, coreutils)")]
    NotRun {
        /// What was run.
        program: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended by itself.
    #[error("testpmd {name} ended ({status}); its last words:\n{output}")]
    Ended {
        /// Which one.
        name: &'static str,
        /// How.
        status: ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// It does not answer.
    #[error(
        "testpmd {name} has not answered `{command}` for {PATIENCE:?}; its last words:\n{output}"
    )]
    Silent {
        /// Which one.
        name: &'static str,
        /// What it was told.
        command: String,
        /// The end of its output.
        output: String,
    },
    /// The system does not let us read or write to it.
    #[error("testpmd {name}: {source}")]
    Pipe {
        /// Which one.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

struct Line {
    at: Instant,
    text: String,
}

/// The frames that a port has sent by an instant.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// When the count was read.
    pub at: Instant,
    /// Frames since the port was opened.
    pub frames: u64,
    /// What `testpmd` itself reckons as the rate since the last look, frames per second.
    pub own_fps: u64,
}

/// A running `testpmd` in interactive mode.
pub struct Testpmd {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Line>,
    last: VecDeque<String>,
}

/// How one is started.
#[derive(Debug)]
pub struct Launch<'a> {
    /// For messages and for the prefix of its files.
    pub name: &'static str,
    /// The core of its forwarding thread; the command line's thread sleeps on it too.
    pub cpu: usize,
    /// Devices, as `--vdev` takes them.
    pub vdevs: &'a [String],
    /// More arguments for the environment (EAL).
    pub eal: &'a [&'a str],
    /// More arguments for `testpmd` itself.
    pub more: &'a [&'a str],
    /// A mounted hugetlbfs of 2 MiB pages.
    pub huge_dir: &'a Path,
}

impl Testpmd {
    /// Starts one and waits until it takes commands. Call it on a thread that lives as long as the
    /// process shall: the kernel ends the process with the thread.
    ///
    /// # Errors
    /// It cannot be run, or it ends: with its last words.
    pub fn start(launch: &Launch<'_>) -> Result<Self, TestpmdError> {
        const PROGRAM: &str = "setpriv";
        let name = launch.name;
        let mut child = Command::new(PROGRAM)
            .args(arguments(launch))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| TestpmdError::NotRun {
                program: PROGRAM,
                source,
            })?;
        let gone = || TestpmdError::Pipe {
            name,
            source: std::io::ErrorKind::BrokenPipe.into(),
        };
        let (sender, lines) = channel();
        listen(child.stdout.take().ok_or_else(gone)?, sender.clone());
        listen(child.stderr.take().ok_or_else(gone)?, sender);
        let stdin = child.stdin.take().ok_or_else(gone)?;
        let mut testpmd = Self {
            name,
            child,
            stdin,
            lines,
            last: VecDeque::new(),
        };
        // Answered only when all ports are configured and the prompt is there.
        testpmd.sent(0)?;
        Ok(testpmd)
    }

    /// Gives a command.
    ///
    /// # Errors
    /// The process is gone.
    pub fn tell(&mut self, command: &str) -> Result<(), TestpmdError> {
        let written = writeln!(self.stdin, "{command}").and_then(|()| self.stdin.flush());
        match written {
            Ok(()) => Ok(()),
            Err(source) => {
                self.drain();
                Err(self.ended().unwrap_or(TestpmdError::Pipe {
                    name: self.name,
                    source,
                }))
            }
        }
    }

    /// Reads what port `port` has sent.
    ///
    /// # Errors
    /// The process is gone, or does not answer.
    pub fn sent(&mut self, port: usize) -> Result<Sent, TestpmdError> {
        let command = format!("show port stats {port}");
        self.tell(&command)?;
        let deadline = Instant::now() + PATIENCE;
        let mut count = None;
        loop {
            let line = self.line(deadline, &command)?;
            match (figure(&line.text), count) {
                (Some(Figure::TxPackets(frames)), _) => count = Some((line.at, frames)),
                (Some(Figure::TxRate(own_fps)), Some((at, frames))) => {
                    return Ok(Sent {
                        at,
                        frames,
                        own_fps,
                    });
                }
                _ => {}
            }
        }
    }

    fn line(&mut self, deadline: Instant, command: &str) -> Result<Line, TestpmdError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.remember(&line.text);
                Ok(line)
            }
            Err(RecvTimeoutError::Timeout) => Err(TestpmdError::Silent {
                name: self.name,
                command: command.to_owned(),
                output: self.words(),
            }),
            Err(RecvTimeoutError::Disconnected) => {
                let pipe = TestpmdError::Pipe {
                    name: self.name,
                    source: std::io::ErrorKind::BrokenPipe.into(),
                };
                Err(self.ended().unwrap_or(pipe))
            }
        }
    }

    fn remember(&mut self, text: &str) {
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(text.to_owned());
    }

    fn drain(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(100)) {
            self.remember(&line.text);
        }
    }

    fn words(&self) -> String {
        let lines: Vec<&str> = self.last.iter().map(String::as_str).collect();
        lines.join("\n")
    }

    fn ended(&mut self) -> Option<TestpmdError> {
        let status = wait(&mut self.child, GRACE)?;
        Some(TestpmdError::Ended {
            name: self.name,
            status,
            output: self.words(),
        })
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        // An orderly end gives its huge pages back; a process that does not listen is ended all the same.
        let _ = self.tell("stop").and_then(|()| self.tell("quit"));
        if wait(&mut self.child, GRACE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn arguments(launch: &Launch<'_>) -> Vec<OsString> {
    let cpu = launch.cpu;
    // Ended by the kernel when the starting thread ends; lines instead of blocks of output.
    let mut all: Vec<OsString> = ["--pdeathsig", "KILL", "stdbuf", "-oL", "dpdk-testpmd"]
        .map(OsString::from)
        .into();
    all.extend(["--lcores".into(), format!("0@{cpu},1@{cpu}").into()]);
    all.extend(["--no-pci", "--no-telemetry", "--single-file-segments"].map(OsString::from));
    let prefix = format!("pinode-bench-{}-{}", launch.name, std::process::id());
    all.extend(["--file-prefix".into(), prefix.into()]);
    all.extend(["--huge-dir".into(), launch.huge_dir.into()]);
    for vdev in launch.vdevs {
        all.extend(["--vdev".into(), vdev.into()]);
    }
    all.extend(launch.eal.iter().map(OsString::from));
    let own = [
        "--",
        "--interactive",
        "--disable-link-check",
        "--forward-mode=io",
        "--nb-cores=1",
        "--burst=64",
        "--txd=1024",
        "--rxd=1024",
    ];
    all.extend(own.map(OsString::from));
    all.extend(launch.more.iter().map(OsString::from));
    all
}

fn listen(from: impl Read + Send + 'static, to: Sender<Line>) {
    // Ends with the pipe, that is with the process.
    thread::spawn(move || {
        for text in BufReader::new(from).lines().map_while(Result::ok) {
            let at = Instant::now();
            if to.send(Line { at, text }).is_err() {
                return;
            }
        }
    });
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}
