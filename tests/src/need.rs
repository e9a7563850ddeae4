//! What a test needs of the machine, and what to say when it is not there.
//!
//! A need that is missing is never silent: the run names the test, the reason and the way to get it, and with
//! `CI=true` or `PINODE_REQUIRE=all` it is a failure.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::stock_kernel::StockKernel;

/// How to get every Debian package that the tests use.
const INSTALL: &str = "run tests/install-packages";

/// One prerequisite.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// `/dev/kvm` can be opened.
    Kvm,
    /// Interfaces and namespaces can be made (root, or CAP_NET_ADMIN and CAP_SYS_ADMIN).
    Root,
    /// The kernel has AF_XDP sockets.
    AfXdp,
    /// A command of this name, and the Debian package it comes in.
    Command(&'static str, &'static str),
    /// A stock Debian kernel with its modules (`tests/install-packages` unpacks one).
    StockKernel,
}

impl Need {
    /// Why this need is not met and how to meet it; `None` if it is met.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Kvm => OpenOptions::new().read(true).write(true).open("/dev/kvm").err().map(|e| {
                format!(
                    "/dev/kvm cannot be opened ({e}); load kvm_intel or kvm_amd, and run as root or join group kvm"
                )
            }),
            Self::Root => {
                let effective = effective_capabilities();
                // CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_SYS_ADMIN 21 (capabilities(7)).
                let wanted = (1 << 12) | (1 << 13) | (1 << 21);
                (effective & wanted != wanted)
                    .then(|| "making interfaces and namespaces needs root; run the tests with sudo".to_owned())
            }
            Self::AfXdp => rustix::net::socket(
                rustix::net::AddressFamily::from_raw(44),
                rustix::net::SocketType::RAW,
                None,
            )
            .err()
            .map(|e| {
                format!("AF_XDP sockets cannot be opened ({e}); they need root and a kernel with CONFIG_XDP_SOCKETS")
            }),
            Self::Command(name, package) => find_command(name)
                .is_none()
                .then(|| format!("command {name} (Debian package {package}) is not installed; {INSTALL}")),
            Self::StockKernel => StockKernel::find()
                .err()
                .map(|e| format!("no stock Debian kernel to boot ({e:#}); {INSTALL}")),
        }
    }
}

/// Where a command is, by PATH and the administrator's folders.
#[must_use]
pub fn find_command(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// True if a missing prerequisite is a failure in this run.
#[must_use]
pub fn all_required() -> bool {
    env::var("CI").is_ok_and(|v| v == "true")
        || env::var("PINODE_REQUIRE").is_ok_and(|v| v == "all")
}

fn effective_capabilities() -> u64 {
    fs::read_to_string(Path::new("/proc/self/status"))
        .ok()
        .and_then(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("CapEff:"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        })
        .unwrap_or(0)
}
