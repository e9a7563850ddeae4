//! A program that runs beside the test: a server, a long ping, a capture. What it prints goes into files of its own.
//!
//! Must never outlive its test: it is killed when dropped.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::poll::until;

/// Deadline for the end of a program that was asked to end.
const END: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub struct Background {
    name: String,
    child: Child,
    folder: TempDir,
}

impl Background {
    /// Starts a command; `name` stands for it in messages.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: impl Into<String>, mut command: Command) -> Result<Self> {
        let name = name.into();
        let folder = tempfile::Builder::new().prefix("pinode-test-").tempdir()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout"))?)
            .stderr(File::create(folder.path().join("stderr"))?)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self {
            name,
            child,
            folder,
        })
    }

    /// A folder of its own, gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn output(&self, name: &str) -> String {
        fs::read(self.folder.path().join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// What it wrote to its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.output("stdout")
    }

    /// What it wrote to its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.output("stderr")
    }

    /// Waits until `look` finds something; fails at once if the program ends first.
    ///
    /// # Errors
    /// It ended, or the deadline passed; the message has what it printed.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        deadline: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T> {
        let what = format!("{what} ({})", self.name);
        until(&what, deadline, || {
            let ended = self.child.try_wait().map_err(|e| e.to_string())?;
            let printed = || format!("stdout: {}\nstderr: {}", self.stdout(), self.stderr());
            match (look(self), ended) {
                (Some(found), _) => Ok(Ok(found)),
                (None, Some(status)) => Ok(Err(format!("{status}\n{}", printed()))),
                (None, None) => Err(printed()),
            }
        })?
        .map_err(|ended| anyhow::anyhow!("{} ended too early: {ended}", self.name))
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its successful end and gives its standard output.
    ///
    /// # Errors
    /// It failed, or has not ended by the deadline.
    pub fn finish(mut self, deadline: Duration) -> Result<String> {
        let status = self.wait_end(deadline)?;
        ensure!(
            status.success(),
            "{}: {status}\n{}{}",
            self.name,
            self.stdout(),
            self.stderr()
        );
        Ok(self.stdout())
    }

    /// Interrupts it (SIGINT), waits for its end, and gives its standard output.
    ///
    /// # Errors
    /// It does not end.
    pub fn interrupt(mut self) -> Result<String> {
        kill_process(Pid::from_child(&self.child), Signal::INT).context("SIGINT")?;
        self.wait_end(END)?;
        Ok(self.stdout())
    }

    /// Ends it by SIGTERM: its exit code, and what it said on stderr.
    ///
    /// # Errors
    ///
    /// It does not end, or has no exit code.
    pub fn terminate(mut self) -> Result<(i32, String)> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("SIGTERM")?;
        let status = self.wait_end(END)?;
        let code = status.code().context("ended by the signal itself")?;
        Ok((code, self.stderr()))
    }

    fn wait_end(&mut self, deadline: Duration) -> Result<ExitStatus> {
        until(
            &format!("the end of {}", self.name),
            deadline,
            || match self.child.try_wait() {
                Ok(Some(status)) => Ok(status),
                Ok(None) => Err(format!("still running: {}", self.stdout())),
                Err(e) => Err(e.to_string()),
            },
        )
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
