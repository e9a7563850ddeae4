//! A node of the `pinode` binary with guests as threads, and the command line that talks to it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Two trunks, a router of two virtual networks and a patch.
pub const TOML: &str = r#"[node]
name = "n1"
isolation = "thread"
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "ipv6qos", for = "100us" }, { pi = "can", for = "100us" }]
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "ipv6qos", for = "100us" }, { pi = "can", for = "100us" }]
[pi.ipv6qos]
code = 1
vns = [0, 5]
[pi.ipv6qos.config.interface]
west = { mac = "02:00:00:01:01:01", address = ["2001:db8:1::1/64"] }
east = { mac = "02:00:00:01:02:01", address = ["2001:db8:2::1/64"] }
[[pi.ipv6qos.config.route]]
prefix = "2001:db8:9::/48"
via = "2001:db8:2::9"
[pi.can]
code = 2
guest = "builtin:patch"
"#;

fn pinode(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinode"));
    command
        .args(args)
        .current_dir(dir)
        .env("PINODE_SOCKET", "n1.sock")
        .env("PINODE_LOG", "error");
    command
}

/// Exit code and stderr of `check`.
pub fn check(config: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("node.toml"), config).unwrap();
    let output = pinode(dir.path(), &["check", "-c", "node.toml"])
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), err)
}

/// A running node; killed when it is dropped.
pub struct Node {
    dir: TempDir,
    child: Child,
}

impl Node {
    /// Starts it and waits until all its guests forward.
    pub fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("node.toml"), config).unwrap();
        let mut command = pinode(dir.path(), &["run", "-c", "node.toml"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut ready).unwrap();
        let node = Self { dir, child };
        assert_eq!(ready, "ready n1.sock\n");
        node
    }

    /// Exit code, stdout and stderr of a command.
    fn said(&self, command: &str) -> (i32, String, String) {
        let args: Vec<&str> = command.split(' ').collect();
        let output = pinode(self.dir.path(), &args).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// What a command prints that succeeds.
    pub fn text(&self, command: &str) -> String {
        let (code, out, err) = self.said(command);
        assert_eq!((code, err.as_str()), (0, ""), "{command}: {out}");
        out
    }

    /// A command that succeeds and prints nothing.
    pub fn done(&self, command: &str) {
        assert_eq!(self.text(command), "", "{command}");
    }

    /// The document that a command prints.
    pub fn json(&self, command: &str) -> Value {
        let text = self.text(&format!("{command} --json"));
        serde_json::from_str(&text).unwrap()
    }

    /// Exit code and message of a command that fails.
    pub fn refused(&self, command: &str) -> (i32, String) {
        let (code, out, err) = self.said(command);
        assert_eq!(out, "", "{command}");
        (code, err)
    }

    /// A file beside the configuration.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Waits until all guests are running.
    pub fn until_running(&self) {
        let began = Instant::now();
        let running = |guests: Value| {
            let mut guests = guests.as_array().unwrap().iter();
            guests.all(|guest| guest["state"] == "running")
        };
        while !running(self.json("guest list")) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "not running again"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
