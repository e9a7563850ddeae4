//! Two veth pairs in this network namespace, which should be one of its own (`unshare --net`).

use std::process::Command;

use anyhow::{Context, ensure};

/// The pairs `gen`-`west` and `sink`-`east`; removed with their owner.
pub struct Links(());

const PAIRS: [[&str; 2]; 2] = [["gen", "west"], ["sink", "east"]];

impl Links {
    /// Makes them, up, without IPv6 and so without neighbour discovery.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn make() -> anyhow::Result<Self> {
        let links = Self(());
        for [near, far] in PAIRS {
            ip(&["link", "add", near, "type", "veth", "peer", "name", far])?;
            for name in [near, far] {
                ip(&["link", "set", "dev", name, "addrgenmode", "none"])?;
                ip(&["link", "set", "dev", name, "up"])?;
            }
        }
        Ok(links)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for [near, _] in PAIRS {
            // What was not made cannot be removed.
            let _ = Command::new("ip").args(["link", "del", near]).output();
        }
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let said = || format!("ip {}", arguments.join(" "));
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .with_context(|| format!("{} (Debian package: iproute2)", said()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", said(), text.trim());
    Ok(())
}
