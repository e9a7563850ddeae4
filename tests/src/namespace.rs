//! Network namespaces and veth pairs of a test's own: made under names nobody else has, gone when dropped.
//!
//! Everything happens inside namespaces, so that neither the machine's interfaces nor its network services touch the
//! test's, and a test cannot disturb the machine.

use std::ffi::OsStr;
use std::fs::File;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::need::find_command;
use crate::program::system;
use crate::unsafe_packet_socket::PacketSocket;
use std::os::fd::AsFd;

const PREFIX: &str = "pinode-test-";
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace with its loopback up.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace under a new name.
    ///
    /// # Errors
    /// `ip netns add` failed.
    pub fn new() -> Result<Self> {
        sweep_left_over();
        let name = format!(
            "{PREFIX}{}-{}",
            process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        system("ip", &["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Name for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `ip` inside the namespace.
    ///
    /// # Errors
    /// The command failed.
    pub fn ip(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["-n", &self.name];
        all.extend_from_slice(arguments);
        system("ip", &all)
    }

    /// Runs a command inside to a successful end.
    ///
    /// # Errors
    /// The command failed.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["netns", "exec", &self.name];
        all.extend_from_slice(arguments);
        system("ip", &all)
    }

    /// A command that will run inside.
    ///
    /// # Errors
    /// There is no `ip`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let ip = find_command("ip").context("no command ip")?;
        let mut command = Command::new(ip);
        command.args(["netns", "exec", &self.name]).arg(program);
        Ok(command)
    }

    /// Makes a veth pair inside; both ends up, MTU `mtu`, and silent: the kernel sends nothing of its own on them.
    ///
    /// # Errors
    /// `ip` failed.
    pub fn veth(&self, near: &str, far: &str, mtu: u32) -> Result<()> {
        let mtu = mtu.to_string();
        self.ip(&[
            "link", "add", near, "mtu", &mtu, "type", "veth", "peer", "name", far, "mtu", &mtu,
        ])?;
        for end in [near, far] {
            self.run(&[
                "sh",
                "-c",
                &format!("echo 1 > /proc/sys/net/ipv6/conf/{end}/disable_ipv6"),
            ])?;
            self.ip(&["link", "set", end, "up"])?;
        }
        Ok(())
    }

    /// Makes a veth pair whose far end is an ordinary host's interface in `host`: named `eth0`, with this IPv6 address,
    /// offloads off (the node takes frames as they are on a wire: checksummed, one MTU each).
    ///
    /// # Errors
    /// `ip` or `ethtool` failed.
    pub fn veth_to_host(&self, near: &str, host: &Self, address: &str) -> Result<()> {
        self.ip(&[
            "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", &host.name,
        ])?;
        self.run(&[
            "sh",
            "-c",
            &format!("echo 1 > /proc/sys/net/ipv6/conf/{near}/disable_ipv6"),
        ])?;
        self.offloads_off(near)?;
        self.ip(&["link", "set", near, "up"])?;
        host.run(&[
            "sh",
            "-c",
            "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad",
        ])?;
        host.offloads_off("eth0")?;
        host.ip(&["address", "add", address, "dev", "eth0", "nodad"])?;
        host.ip(&["link", "set", "eth0", "up"])?;
        Ok(())
    }

    /// Sets `net.ipv6.conf.INTERFACE.KEY` inside.
    ///
    /// # Errors
    /// The kernel has no such key or refuses the value.
    pub fn set(&self, interface: &str, key: &str, value: &str) -> Result<()> {
        let script = format!("echo {value} > /proc/sys/net/ipv6/conf/{interface}/{key}");
        self.run(&["sh", "-c", &script]).map(drop)
    }

    /// Has an interface inside send and receive frames as they are on a wire: checksummed, one MTU each.
    ///
    /// # Errors
    /// `ethtool` failed.
    pub fn offloads_off(&self, interface: &str) -> Result<()> {
        let mut arguments = vec!["ethtool", "-K", interface];
        for offload in ["tx", "rx", "tso", "gso", "gro"] {
            arguments.extend([offload, "off"]);
        }
        self.run(&arguments).map(drop)
    }

    /// A raw socket on an interface inside.
    ///
    /// # Errors
    /// The namespace or the socket cannot be opened.
    pub fn packet_socket(&self, interface: &str) -> Result<PacketSocket> {
        let path = format!("/run/netns/{}", self.name);
        let namespace = File::open(&path).with_context(|| format!("open {path}"))?;
        // A thread of its own enters the namespace and ends; the socket stays in it.
        let interface = interface.to_owned();
        thread::spawn(move || -> Result<PacketSocket> {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .context("enter the namespace")?;
            PacketSocket::open(&interface)
        })
        .join()
        .map_err(|_| anyhow!("the thread that opens the socket panicked"))?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its interfaces go with it. A failure here cannot be reported better than by the next run's sweep.
        let _ = system("ip", &["netns", "delete", &self.name]);
    }
}

/// Deletes namespaces of test runs that were killed.
fn sweep_left_over() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next())
        else {
            continue;
        };
        if !fs::exists(format!("/proc/{pid}")).unwrap_or(true) {
            let _ = system("ip", &["netns", "delete", &name]);
        }
    }
}
