//! What hosts do with each other: ping, iperf3, names and pages.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::background::Background;
use pinode_tests::host::Host;
use pinode_tests::namespace::Namespace;
use pinode_tests::poll::until;
use serde_json::Value;
use tempfile::TempDir;

/// Deadline for servers to listen and for clients to end.
const DEADLINE: Duration = Duration::from_secs(30);
/// The interpreter of the system, which Debian's Scapy is for.
pub const PYTHON: &str = "/usr/bin/python3";

/// Pings with `size` octets of data; all are answered.
pub fn ping(from: &Host, to: &str, size: u32) -> Result<()> {
    let size = size.to_string();
    let printed = from.namespace.run(&[
        "ping", "-6", "-n", "-c", "5", "-i", "0.02", "-W", "5", "-s", &size, to,
    ])?;
    ensure!(printed.contains("5 received, 0% packet loss"), "{printed}");
    Ok(())
}

/// The hops that traceroute shows by one kind of probe: `-p33434` UDP, `-I` ICMPv6, `-T` TCP.
pub fn hops(from: &Host, probe: &str, to: &str) -> Result<Vec<String>> {
    // One probe after the other: a router queues few packets for a neighbour that it has yet to find. And no guess from
    // hops before how long an answer takes: it would not wait for that.
    let printed = from.namespace.run(&[
        "traceroute",
        "-6",
        "-n",
        "-q",
        "1",
        "-N",
        "1",
        "-w",
        "5,0,0",
        probe,
        to,
    ])?;
    // A line a hop: its number, its address, the time, and what it said if it is no part of the way.
    Ok(printed
        .lines()
        .skip(1)
        .map(|line| {
            line.split_whitespace()
                .skip(1)
                .filter(|word| *word != "ms" && word.parse::<f64>().is_err())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect())
}

/// The MTU of the path to `to` that a host has learned, if any.
pub fn learned_mtu(host: &Host, to: &str) -> Result<Option<u64>> {
    Ok(host.route_to(to)?["metrics"][0]["mtu"].as_u64())
}

/// Waits until somebody listens at a port in `namespace`: `socket` is `tcp6` or `udp6`.
fn listening(namespace: &Namespace, socket: &str, port: u16) -> Result<()> {
    let port = format!(":{port:04X} ");
    until("a server to listen", DEADLINE, || {
        let table = namespace
            .run(&["cat", &format!("/proc/net/{socket}")])
            .map_err(|e| format!("{e:#}"))?;
        // 0A: TCP LISTEN, 07: UDP, not connected.
        let there = table.lines().any(|line| {
            line.split_once(':').is_some_and(|(_, rest)| {
                rest.contains(&port) && (rest.contains(" 0A ") || rest.contains(" 07 "))
            })
        });
        if there { Ok(()) } else { Err(table) }
    })
}

/// An iperf3 server on a host.
pub struct Iperf {
    _server: Background,
    address: String,
}

impl Iperf {
    pub fn serve(host: &Host, address: &str) -> Result<Self> {
        let mut command = host.namespace.command("iperf3")?;
        command.args(["-s", "-B", address]);
        let server = Background::start("iperf3 -s", command)?;
        listening(&host.namespace, "tcp6", 5201)?;
        Ok(Self {
            _server: server,
            address: address.to_owned(),
        })
    }

    /// Starts a client with these arguments.
    pub fn start(&self, client: &Host, arguments: &[&str]) -> Result<Background> {
        let mut command = client.namespace.command("iperf3")?;
        command
            .args(["-6", "-J", "-c", &self.address])
            .args(arguments);
        Background::start("iperf3 -c", command)
    }

    /// TCP both ways: more than fits any queue on the way.
    pub fn tcp(&self, client: &Host) -> Result<()> {
        const OCTETS: u64 = 8 << 20;
        for way in [&[][..], &["-R"]] {
            let end = self.run(client, &[&["-n", &OCTETS.to_string()], way].concat())?;
            // The client ends when all is sent: the last of it is not read by a server that is not told so.
            let received = end["sum_received"]["bytes"].as_u64().unwrap_or(0);
            ensure!(received >= OCTETS / 8, "{way:?}: {end}");
        }
        Ok(())
    }

    /// UDP both ways far below what the way carries: nothing is lost.
    pub fn udp(&self, client: &Host) -> Result<()> {
        for way in [&[][..], &["-R"]] {
            let udp = ["-u", "-b", "4M", "-l", "1200", "-t", "1"];
            let end = self.run(client, &[&udp, way].concat())?;
            let (sent, lost) = (&end["sum"]["packets"], &end["sum"]["lost_packets"]);
            ensure!(
                sent.as_u64() > Some(300) && lost == 0,
                "{way:?}: lost {lost} of {sent}"
            );
        }
        Ok(())
    }

    /// Runs a client to its end and gives its `end`.
    pub fn run(&self, client: &Host, arguments: &[&str]) -> Result<Value> {
        result(&self.start(client, arguments)?.finish(DEADLINE)?)
    }
}

/// The `end` of what an iperf3 client printed.
pub fn result(printed: &str) -> Result<Value> {
    let result: Value = serde_json::from_str(printed).context("iperf3's JSON")?;
    ensure!(result["error"].is_null(), "iperf3: {}", result["error"]);
    Ok(result["end"].clone())
}

/// A name server for `.test`.
pub struct NameServer {
    _server: Background,
    files: PathBuf,
}

impl NameServer {
    /// Serves `names` on a host, and under `big.test` a text of more than a packet.
    pub fn serve(host: &Host, address: &str, names: &[(&str, &str)]) -> Result<Self> {
        let mut command = host.namespace.command("dnsmasq")?;
        command.args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--user=root",
            "--pid-file=",
            "--bind-interfaces",
            "--edns-packet-max=4096",
            "--local=/test/",
        ]);
        command.arg(format!("--listen-address={address}"));
        for (name, address) in names {
            command.arg(format!("--host-record={name}.test,{address}"));
        }
        let texts = vec!["x".repeat(250); BIG_TEXTS].join(",");
        command.arg(format!("--txt-record=big.test,{texts}"));
        let server = Background::start("dnsmasq", command)?;
        listening(&host.namespace, "udp6", 53)?;
        // What hosts ask is in files of their own, laid over the machine's for the command alone.
        let files = server.folder().to_owned();
        fs::write(files.join("resolv.conf"), format!("nameserver {address}\n"))?;
        fs::write(files.join("nsswitch.conf"), "hosts: dns\n")?;
        Ok(Self {
            _server: server,
            files,
        })
    }

    /// The hosts find each other by name, and big answers come in fragments by UDP and in segments by TCP.
    pub fn asked_by(&self, host: &Host, names: &[(&str, &str)]) -> Result<()> {
        for (name, address) in names {
            let found = self.run(host, &["getent", "ahostsv6", &format!("{name}.test")])?;
            ensure!(found.starts_with(&format!("{address} ")), "{name}: {found}");
        }
        for transport in ["+notcp", "+tcp"] {
            let dig = [
                "dig",
                "+short",
                "+ignore",
                "+bufsize=4096",
                transport,
                "big.test",
                "TXT",
            ];
            let texts = self.run(host, &dig)?;
            let came = texts.matches(&"x".repeat(250)).count();
            ensure!(came == BIG_TEXTS, "{transport}: {came} texts: {texts}");
        }
        let missing = self.run(host, &["getent", "ahostsv6", "nobody.test"]);
        ensure!(missing.is_err(), "{missing:?}");
        Ok(())
    }

    /// Runs a command on a host that asks this server for names.
    pub fn run<S: AsRef<str>>(&self, host: &Host, command: &[S]) -> Result<String> {
        let files = self.files.display();
        let script = format!(
            "mount --bind {files}/resolv.conf /etc/resolv.conf && mount --bind {files}/nsswitch.conf /etc/nsswitch.conf && \
             exec \"$@\""
        );
        let mut all = vec!["sh", "-c", &script, "sh"];
        all.extend(command.iter().map(AsRef::as_ref));
        host.namespace.run(&all)
    }
}

/// Texts of `big.test`, 250 octets each: in all more than fit a packet.
const BIG_TEXTS: usize = 10;

/// A web server on a host, with one file: `file`.
pub struct WebServer {
    _server: Background,
    folder: TempDir,
}

impl WebServer {
    pub fn serve(host: &Host, address: &str, octets: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
        let file: Vec<u8> = (0..octets)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 24) as u8
            })
            .collect();
        fs::write(folder.path().join("file"), file)?;
        let mut command = host.namespace.command(PYTHON)?;
        command.args(["-m", "http.server", "80", "--bind", address, "--directory"]);
        command.arg(folder.path());
        let server = Background::start("http.server", command)?;
        listening(&host.namespace, "tcp6", 80)?;
        Ok(Self {
            _server: server,
            folder,
        })
    }

    /// The command that fetches it by the name of its host.
    pub fn by_name(host: &str, copy: &str) -> Vec<String> {
        let url = format!("http://{host}.test/file");
        ["curl", "-sS", "-6", "--fail", "-o", copy, &url]
            .map(str::to_owned)
            .into()
    }

    /// Fetches the file by `fetch`, which is given a path for it, and compares it octet for octet.
    pub fn fetched(&self, fetch: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let copy = self.folder.path().join("copy");
        fetch(&copy.to_string_lossy())?;
        let (sent, came) = (
            fs::read(self.folder.path().join("file"))?,
            fs::read(&copy).context("what was fetched")?,
        );
        ensure!(
            sent == came,
            "of {} octets came {}, not the same",
            sent.len(),
            came.len()
        );
        Ok(())
    }
}
