//! A process of DPDK: started, told, heard, and gone when its owner is.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

/// Longest that an answer may take beyond what was asked for; the process may share its core with its
/// own polling thread.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest that an orderly end may take.
const GRACE: Duration = Duration::from_secs(3);
/// Lines of output that an error shows.
const SHOWN: usize = 25;

/// Why a process is of no use.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// It cannot be run at all.
    #[error("{program} cannot be run: {source} (Debian packages: dpdk-dev, util-linux, coreutils)")]
    NotRun {
        /// What was run.
        program: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended by itself.
    #[error("the {name} process ended ({status}); its last words:\n{output}")]
    Ended {
        /// Which one.
        name: &'static str,
        /// How.
        status: ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// It does not answer.
    #[error("the {name} process has not answered `{command}` in time; its last words:\n{output}")]
    Silent {
        /// Which one.
        name: &'static str,
        /// What it was told.
        command: String,
        /// The end of its output.
        output: String,
    },
    /// It says what nobody understands.
    #[error("the {name} process answered `{command}` with `{answer}`")]
    Garbled {
        /// Which one.
        name: &'static str,
        /// What it was told.
        command: String,
        /// What it said.
        answer: String,
    },
    /// The system does not let us read or write to it.
    #[error("the {name} process: {source}")]
    Pipe {
        /// Which one.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A line of output.
pub(super) struct Line {
    /// When it was read.
    pub(super) at: Instant,
    /// Without its end.
    pub(super) text: String,
}

/// A running process that takes commands by line.
pub(super) struct Process {
    name: &'static str,
    farewell: &'static [&'static str],
    child: Child,
    /// `None` once it was closed.
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
    last: VecDeque<String>,
}

/// How one is started.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// For messages and for the prefix of its files.
    pub(super) name: &'static str,
    /// What is run.
    pub(super) program: &'a Path,
    /// Cores of its threads, as `--lcores` takes them.
    pub(super) lcores: String,
    /// Devices, as `--vdev` takes them.
    pub(super) vdevs: &'a [String],
    /// More arguments for the environment (EAL).
    pub(super) eal: &'a [&'a str],
    /// Arguments for the program itself.
    pub(super) own: &'a [&'a str],
    /// A mounted hugetlbfs of 2 MiB pages.
    pub(super) huge_dir: &'a Path,
    /// What is said to it before its input is closed, so that it ends in order.
    pub(super) farewell: &'static [&'static str],
}

impl Process {
    /// Starts one. Call it on a thread that lives as long as the process shall: the kernel ends the
    /// process with the thread.
    pub(super) fn start(launch: &Launch<'_>) -> Result<Self, ProcessError> {
        const PROGRAM: &str = "setpriv";
        let name = launch.name;
        let mut child = Command::new(PROGRAM)
            .args(arguments(launch))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| ProcessError::NotRun {
                program: PROGRAM,
                source,
            })?;
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            listen(stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            listen(stderr, sender);
        }
        Ok(Self {
            name,
            farewell: launch.farewell,
            stdin: child.stdin.take(),
            child,
            lines,
            last: VecDeque::new(),
        })
    }

    /// Gives a command.
    pub(super) fn tell(&mut self, command: &str) -> Result<(), ProcessError> {
        let written = match &mut self.stdin {
            Some(stdin) => writeln!(stdin, "{command}").and_then(|()| stdin.flush()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|source| {
            self.drain();
            self.ended(source)
        })
    }

    /// Reads lines up to one in which `find` finds something, at most `expected` longer than patience has it.
    pub(super) fn hear<T>(
        &mut self,
        command: &str,
        expected: Duration,
        mut find: impl FnMut(&Line) -> Option<T>,
    ) -> Result<T, ProcessError> {
        let deadline = Instant::now() + PATIENCE + expected;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.remember(&line.text);
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ProcessError::Silent {
                        name: self.name,
                        command: command.to_owned(),
                        output: self.words(),
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.ended(std::io::ErrorKind::BrokenPipe.into()));
                }
            }
        }
    }

    /// An answer that cannot be read.
    pub(super) fn garbled(&self, command: &str, answer: &str) -> ProcessError {
        ProcessError::Garbled {
            name: self.name,
            command: command.to_owned(),
            answer: answer.to_owned(),
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

    fn ended(&mut self, source: std::io::Error) -> ProcessError {
        let name = self.name;
        match wait(&mut self.child, GRACE) {
            Some(status) => ProcessError::Ended {
                name,
                status,
                output: self.words(),
            },
            None => ProcessError::Pipe { name, source },
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An orderly end gives its huge pages back; a process that does not listen is ended all the same.
        for word in self.farewell {
            if self.tell(word).is_err() {
                break;
            }
        }
        self.stdin = None;
        if wait(&mut self.child, GRACE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn arguments(launch: &Launch<'_>) -> Vec<OsString> {
    // Ended by the kernel when the starting thread ends; lines instead of blocks of output.
    let mut all: Vec<OsString> = ["--pdeathsig", "KILL", "stdbuf", "-oL"]
        .map(OsString::from)
        .into();
    all.push(launch.program.into());
    all.extend(["--lcores".into(), (&launch.lcores).into()]);
    all.extend(["--no-pci", "--no-telemetry", "--single-file-segments"].map(OsString::from));
    let prefix = format!("pinode-bench-{}-{}", launch.name, std::process::id());
    all.extend(["--file-prefix".into(), prefix.into()]);
    all.extend(["--huge-dir".into(), launch.huge_dir.into()]);
    for vdev in launch.vdevs {
        all.extend(["--vdev".into(), vdev.into()]);
    }
    all.extend(launch.eal.iter().map(OsString::from));
    all.push("--".into());
    all.extend(launch.own.iter().map(OsString::from));
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
