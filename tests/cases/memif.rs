//! `memif:` ports: DPDK's testpmd as source and sink of a node, in both roles, counted on both sides.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pinode_tests::config::NodeToml;
use pinode_tests::need::{Need, find_command};
use pinode_tests::node::Node;
use pinode_tests::poll::until;

use crate::Case;
use crate::frames::port_of;

/// Far above any figure: testpmd alone takes a second to start.
const LIMIT: Duration = Duration::from_secs(40);

pub fn cases() -> Vec<Case> {
    let testpmd = Need::Command("dpdk-testpmd", "dpdk-dev");
    vec![
        Case::new(
            "memif::testpmd_as_slave_loses_nothing_over_restarts",
            &[testpmd, Need::Kvm],
            || source_and_sink("kvm", "slave", "master"),
        ),
        Case::new(
            "memif::testpmd_as_master_loses_nothing_over_restarts",
            &[testpmd],
            || source_and_sink("thread", "master", "slave"),
        ),
        Case::new(
            "memif::frames_circle_between_testpmd_and_a_node",
            &[testpmd, Need::Kvm],
            circle,
        ),
    ]
}

/// What testpmd counted for a port from `start` to `stop`.
#[derive(Debug, Clone, Copy, Default)]
struct Forwarded {
    received: u64,
    sent: u64,
    dropped: u64,
}

/// A testpmd under command.
struct Testpmd {
    child: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Testpmd {
    /// Starts one with a memif port for each socket and waits for its prompt.
    fn start(role: &str, forward: &str, sockets: &[&Path]) -> Result<Self> {
        let program = find_command("dpdk-testpmd").context("no dpdk-testpmd")?;
        // Into a pipe it would keep what it says to itself.
        let mut command = Command::new("stdbuf");
        command.arg("-oL").arg(program).args([
            "--no-huge",
            "-m",
            "128",
            "--no-pci",
            "--no-shconf",
            "-l",
            "0,1",
        ]);
        for (index, socket) in sockets.iter().enumerate() {
            command.arg(format!(
                "--vdev=net_memif{index},role={role},id=0,socket={},socket-abstract=no",
                socket.display()
            ));
        }
        // Without --no-flush-rx it throws frames away before it counts.
        command.args(["--", "-i", "--no-flush-rx", "--total-num-mbufs=8192"]);
        command.arg(format!("--forward-mode={forward}"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start dpdk-testpmd")?;
        let commands = child.stdin.take().context("no stdin")?;
        let output = child.stdout.take().context("no stdout")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut testpmd = Self {
            child,
            commands,
            lines,
            said: Vec::new(),
        };
        testpmd.tell("show port summary 0")?;
        testpmd.hear("Number of available ports")?;
        Ok(testpmd)
    }

    fn tell(&mut self, command: &str) -> Result<()> {
        writeln!(self.commands, "{command}").context("testpmd takes no command")
    }

    /// Waits for a line with `word`.
    fn hear(&mut self, word: &str) -> Result<()> {
        loop {
            let Ok(line) = self.lines.recv_timeout(LIMIT) else {
                bail!(
                    "testpmd did not say {word:?} but:\n{}",
                    self.said.join("\n")
                );
            };
            let found = line.contains(word);
            self.said.push(line);
            if found {
                return Ok(());
            }
        }
    }

    /// Ends it in order; what each port forwarded since `start`.
    fn stop(mut self) -> Result<Vec<Forwarded>> {
        let from = self.said.len();
        self.tell("stop")?;
        self.hear("Accumulated forward statistics")?;
        let mut ports: Vec<Forwarded> = Vec::new();
        for line in &self.said[from..] {
            let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
            if line.contains("Forward statistics for port") {
                ports.push(Forwarded::default());
            } else if let Some(port) = ports.last_mut() {
                if line.contains("RX-packets:") {
                    port.received = numbers.next().unwrap_or(0);
                } else if line.contains("TX-packets:") {
                    port.sent = numbers.next().unwrap_or(0);
                    port.dropped = numbers.next().unwrap_or(0);
                }
            }
        }
        self.tell("quit")?;
        let ended = until("testpmd's end", LIMIT, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}")),
        })?;
        ensure!(
            ended.success(),
            "testpmd: {ended}\n{}",
            self.said.join("\n")
        );
        Ok(ports)
    }

    /// Ends it at once.
    fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Testpmd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sockets of the two ports, in a folder that goes with them.
struct Sockets(tempfile::TempDir);

impl Sockets {
    fn path(&self, port: &str) -> PathBuf {
        self.0.path().join(port)
    }

    /// A node with `builtin:patch` that carries IPv4, which testpmd sends, from west to east and back.
    fn node(&self, isolation: &'static str, role: &str) -> Result<Node> {
        let backend = |port| format!("memif:{},role={role}", self.path(port).display());
        let mut config = NodeToml::patch(isolation, backend("west"), backend("east"));
        config.pis.truncate(1);
        for port in &mut config.ports {
            port.access = Some(config.pis[0].name);
        }
        config.pis[0].more = "ethertype = 0x0800".into();
        Node::start(&config.text(), None)
    }
}

/// A counter of a port.
fn counted(node: &Node, port: &str, counter: &str) -> Result<u64> {
    let status = node.status()?;
    let count = port_of(&status, port)?[counter].as_u64();
    count.with_context(|| format!("no {counter} of {port}"))
}

/// Waits until a counter passes `least`.
fn passes(node: &Node, port: &str, counter: &str, least: u64) -> Result<u64> {
    until(
        &format!("{counter} of {port} above {least}"),
        LIMIT,
        || match counted(node, port, counter) {
            Ok(count) if count > least => Ok(count),
            other => Err(format!("{other:?}")),
        },
    )
}

/// Waits until nothing moves: all received frames have been sent or counted as dropped; what the port sent.
fn settled(node: &Node) -> Result<u64> {
    let mut last = (u64::MAX, u64::MAX);
    until("the node's rest", LIMIT, || {
        let look = || -> Result<(u64, u64)> {
            Ok((
                counted(node, "west", "rx_frames")?,
                counted(node, "east", "tx_frames")?,
            ))
        };
        let now = look().map_err(|e| format!("{e:#}"))?;
        if std::mem::replace(&mut last, now) == now {
            Ok(now.1)
        } else {
            Err(format!("{now:?}"))
        }
    })
}

/// testpmd sends into west, another one takes from east; each is ended and started again while frames pass.
fn source_and_sink(isolation: &'static str, testpmd: &str, node: &str) -> Result<()> {
    let sockets = Sockets(tempfile::tempdir()?);
    let node = sockets.node(isolation, node)?;
    let [west, east] = ["west", "east"].map(|port| sockets.path(port));
    let start = |forward, socket: &Path| -> Result<Testpmd> {
        let mut process = Testpmd::start(testpmd, forward, &[socket])?;
        process.tell("start")?;
        Ok(process)
    };
    let sink = start("rxonly", &east)?;
    let source = start("txonly", &west)?;
    passes(&node, "east", "tx_frames", 10_000)?;

    // The sink goes in order, and says how much it read.
    let first = sink.stop()?[0].received;
    ensure!(first > 0, "the sink read nothing");
    let held = counted(&node, "east", "tx_frames")?;
    let sink = start("rxonly", &east)?;
    passes(&node, "east", "tx_frames", held + 10_000)?;

    // The source goes in order: what it sent, the node received.
    let sent = source.stop()?[0].sent;
    settled(&node)?;
    let received = counted(&node, "west", "rx_frames")?;
    ensure!(
        received == sent,
        "testpmd sent {sent} frames, west received {received}"
    );

    // The next source is killed, and the one behind it is served.
    let source = start("txonly", &west)?;
    passes(&node, "west", "rx_frames", received + 10_000)?;
    source.kill()?;
    if testpmd == "master" {
        // A master that is killed leaves its socket's file, and the next one does not take it away.
        std::fs::remove_file(&west)?;
    }
    settled(&node)?;
    let before = counted(&node, "west", "rx_frames")?;
    let source = start("txonly", &west)?;
    passes(&node, "west", "rx_frames", before + 10_000)?;
    let sent = source.stop()?[0].sent;
    settled(&node)?;
    let received = counted(&node, "west", "rx_frames")?;
    ensure!(
        received - before == sent,
        "testpmd sent {sent} frames, west received {}",
        received - before
    );

    // All that left the node is in one of the two sinks.
    let sent = settled(&node)?;
    let second = sink.stop()?[0].received;
    ensure!(
        first + second == sent,
        "east sent {sent} frames, the sinks read {first} and {second}"
    );
    Ok(())
}

/// 64 frames go round: testpmd's two ports, the node's two ports; none gets lost on any of the four rings.
fn circle() -> Result<()> {
    let sockets = Sockets(tempfile::tempdir()?);
    let node = sockets.node("kvm", "master")?;
    let [west, east] = ["west", "east"].map(|port| sockets.path(port));
    let mut testpmd = Testpmd::start("slave", "io", &[&west, &east])?;
    // Rings are offered when a connection stands; before, testpmd would drop its first frames.
    for port in 0..2 {
        until("the link", LIMIT, || {
            let up = testpmd
                .tell(&format!("show port info {port}"))
                .and_then(|()| testpmd.hear("Link status"))
                .map(|()| testpmd.said.last().is_some_and(|line| line.contains("up")));
            match up {
                Ok(true) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
    }
    testpmd.tell("start tx_first")?;
    passes(&node, "west", "tx_frames", 10_000)?;
    let ports = testpmd.stop()?;
    settled(&node)?;
    let status = node.status()?;
    for (name, counts) in ["west", "east"].into_iter().zip(&ports) {
        let port = port_of(&status, name)?;
        ensure!(
            port["rx_frames"] == counts.sent,
            "{name}: testpmd sent {counts:?}, the node counts {port}"
        );
        ensure!(counts.dropped == 0, "{name}: {counts:?}");
        let sent = port["tx_frames"].as_u64().unwrap_or(0);
        ensure!(
            (counts.received..=counts.received + 64).contains(&sent),
            "{name}: testpmd received {counts:?}, the node counts {port}"
        );
    }
    let sums = ports.iter().fold((0, 0), |(sent, received), port| {
        (sent + port.sent, received + port.received)
    });
    ensure!(sums.0 - sums.1 == 64, "64 frames go round: {ports:?}");
    Ok(())
}
