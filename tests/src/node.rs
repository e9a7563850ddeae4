//! A running node: `pinode run` with a folder and a socket of its own, stopped when dropped.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::conservation;
use crate::namespace::Namespace;
use crate::poll::until;
use crate::program::pinode;

/// Deadline for `ready`, far above any figure: a test machine may be busy.
const READY: Duration = Duration::from_secs(30);
/// Deadline for a clean stop.
const STOP: Duration = Duration::from_secs(10);

thread_local! {
    /// What the nodes of this thread's test printed, for the report of a failure.
    static TRANSCRIPT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What nodes dropped on this thread printed since the last call.
#[must_use]
pub fn take_transcript() -> String {
    TRANSCRIPT.with(RefCell::take)
}

/// See the module.
#[derive(Debug)]
pub struct Node {
    child: Child,
    folder: TempDir,
    ready_after: Duration,
}

impl Node {
    /// Starts a node of this configuration, in `namespace` if given, and waits for `ready`.
    ///
    /// # Errors
    /// It ended or did not get ready in time; the message has what it printed.
    pub fn start(config: &str, namespace: Option<&Namespace>) -> Result<Self> {
        let mut node = Self::spawn(config, namespace)?;
        let start = Instant::now();
        until("the node's `ready`", READY, || {
            if let Some(status) = node.child.try_wait().map_err(|e| e.to_string())? {
                return Ok(Err(status));
            }
            match node
                .output("stdout")
                .lines()
                .any(|line| line.starts_with("ready"))
            {
                true => Ok(Ok(())),
                false => Err(node.printed()),
            }
        })?
        .map_or_else(
            |status| {
                bail!(
                    "the node ended with {status} before it was ready\n{}",
                    node.printed()
                )
            },
            |()| Ok(()),
        )?;
        node.ready_after = start.elapsed();
        Ok(node)
    }

    /// Starts a node and does not wait for anything.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn spawn(config: &str, namespace: Option<&Namespace>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pinode-test-").tempdir()?;
        let file = folder.path().join("node.toml");
        fs::write(&file, config)?;
        let mut command = match namespace {
            Some(namespace) => namespace.command(pinode()?)?,
            None => Command::new(pinode()?),
        };
        let child = command
            .args(["run", "-c"])
            .arg(&file)
            .env("PINODE_SOCKET", folder.path().join("node.sock"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout"))?)
            .stderr(File::create(folder.path().join("stderr"))?)
            .spawn()
            .context("start pinode run")?;
        Ok(Self {
            child,
            folder,
            ready_after: Duration::ZERO,
        })
    }

    /// Time from just after the start of the process to `ready`, to the poll's 10 ms.
    #[must_use]
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("node.sock")
    }

    /// The node's folder, its current directory; gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn output(&self, name: &str) -> String {
        fs::read(self.folder.path().join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Everything the node printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        format!(
            "--- node stdout:\n{}--- node stderr:\n{}",
            self.output("stdout"),
            self.output("stderr")
        )
    }

    /// Runs another `pinode` command against this node.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn command(&self, arguments: &[&str]) -> Result<Output> {
        Command::new(pinode()?)
            .args(arguments)
            .env("PINODE_SOCKET", self.socket())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .context("start pinode")
    }

    /// Like [`Self::command`], and it must succeed; gives its standard output.
    ///
    /// # Errors
    /// It failed; the message has what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "pinode {}: {}\n{stdout}{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(stdout)
    }

    /// Like [`Self::succeed`], and what it prints must be one JSON document.
    ///
    /// # Errors
    /// It failed, or printed something else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.succeed(arguments)?;
        serde_json::from_str(&text)
            .with_context(|| format!("pinode {} printed no JSON: {text}", arguments.join(" ")))
    }

    /// `status --json`; every one is checked for the sums that must always hold.
    ///
    /// # Errors
    /// The command failed or a sum does not hold.
    pub fn status(&self) -> Result<Value> {
        let status = self.json(&["status", "--json"])?;
        conservation::check(&status).map_err(|e| anyhow::anyhow!("conservation: {e}"))?;
        Ok(status)
    }

    /// The guest of a PI in `status`.
    ///
    /// # Errors
    /// The command failed or names no such guest.
    pub fn guest(&self, pi: &str) -> Result<Value> {
        let status = self.status()?;
        status["guests"]
            .as_array()
            .and_then(|guests| guests.iter().find(|g| g["pi"] == pi))
            .cloned()
            .with_context(|| format!("status names no guest {pi}: {}", status["guests"]))
    }

    /// Waits until the guest of a PI is in `state`, with at least `restarts` restarts.
    ///
    /// # Errors
    /// Not within 20 s.
    pub fn wait_guest(&self, pi: &str, state: &str, restarts: u64) -> Result<Value> {
        until(
            &format!("guest {pi} {state} after {restarts} restarts"),
            Duration::from_secs(20),
            || {
                let guest = self.guest(pi).map_err(|e| format!("{e:#}"))?;
                let there = guest["state"] == state && guest["restarts"].as_u64() >= Some(restarts);
                if there {
                    Ok(guest)
                } else {
                    Err(guest.to_string())
                }
            },
        )
    }

    /// Asks the node to stop (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn stop(mut self) -> Result<(ExitStatus, String)> {
        let status = self.terminate()?;
        Ok((status, self.printed()))
    }

    fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("SIGTERM")?;
        self.wait_end(STOP)
    }

    /// Waits for the node to end by itself.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn wait_end(&mut self, deadline: Duration) -> Result<ExitStatus> {
        until("the node's end", deadline, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("still running".into()),
            Err(e) => Err(e.to_string()),
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.terminate().is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let printed = self.printed();
        TRANSCRIPT.with(|t| t.borrow_mut().push_str(&printed));
    }
}
