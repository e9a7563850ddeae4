//! The two interfaces that are measured between, as the kernel describes them.

use std::fs;
use std::path::Path;

use pinode_ports::InterfaceName;

use super::PlanError;
use crate::config::{BitRate, ETHERNET_HEADER, FCS};
use crate::measure::asked::Backend;

/// What the kernel knows of interfaces.
const SYSFS: &str = "/sys/class/net";

/// Two interfaces of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Links {
    /// `--tx` and `--rx`.
    pub names: [InterfaceName; 2],
    /// The socket that was asked for.
    pub backend: Option<Backend>,
    /// Rates, bits per second.
    pub capacity_bps: [u64; 2],
    /// MTU that both carry.
    pub mtu: u16,
}

impl Links {
    /// Looks both up.
    ///
    /// # Errors
    ///
    /// One is not there, both are the same, or its rate is known neither to the kernel nor to the user.
    pub fn look_up(
        names: [&InterfaceName; 2],
        backend: Option<Backend>,
        capacity_bps: Option<u64>,
    ) -> Result<Self, PlanError> {
        Self::look_up_in(Path::new(SYSFS), names, backend, capacity_bps)
    }

    /// One interface alone, as both ends.
    ///
    /// # Errors
    ///
    /// As of two.
    pub fn only(
        option: &'static str,
        name: &InterfaceName,
        backend: Option<Backend>,
        capacity_bps: Option<u64>,
    ) -> Result<Self, PlanError> {
        let (rate, mtu) = known_of(Path::new(SYSFS), option, name, capacity_bps)?;
        Ok(Self {
            names: [name, name].map(Clone::clone),
            backend,
            capacity_bps: [rate; 2],
            mtu,
        })
    }

    fn look_up_in(
        sysfs: &Path,
        names: [&InterfaceName; 2],
        backend: Option<Backend>,
        capacity_bps: Option<u64>,
    ) -> Result<Self, PlanError> {
        let [tx, rx] = names;
        let (tx_rate, tx_mtu) = known_of(sysfs, "--tx", tx, capacity_bps)?;
        let (rx_rate, rx_mtu) = known_of(sysfs, "--rx", rx, capacity_bps)?;
        if tx == rx {
            return Err(PlanError::SameInterface {
                name: tx.to_string(),
            });
        }
        Ok(Self {
            names: names.map(Clone::clone),
            backend,
            capacity_bps: [tx_rate, rx_rate],
            mtu: tx_mtu.min(rx_mtu),
        })
    }

    /// Largest frame, octets with FCS.
    #[must_use]
    pub fn largest(&self) -> u32 {
        u32::from(self.mtu) + ETHERNET_HEADER + FCS
    }

    /// Their rates for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let [tx, rx] = self.capacity_bps.map(BitRate);
        format!("{} ({tx}) to {} ({rx})", self.names[0], self.names[1])
    }
}

/// Rate, bits per second, and MTU of an interface.
fn known_of(
    sysfs: &Path,
    option: &'static str,
    name: &InterfaceName,
    capacity_bps: Option<u64>,
) -> Result<(u64, u16), PlanError> {
    /// The largest frame that a stream may have bounds it anyway.
    const MOST: u32 = 9000;
    let folder = sysfs.join(name.as_str());
    let word = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    if !folder.exists() {
        return Err(PlanError::NoInterface {
            option,
            name: name.to_string(),
            known: known(sysfs),
        });
    }
    let mtu: u32 = word("mtu").trim().parse().unwrap_or(1500);
    // Mb/s; -1 or an error where the driver does not know, or the link is down.
    let own: Option<u64> = word("speed").trim().parse().ok().filter(|mbps| *mbps > 0);
    let own = own.and_then(|mbps| mbps.checked_mul(1_000_000));
    let rate = capacity_bps.or(own).ok_or_else(|| PlanError::NoCapacity {
        option,
        name: name.to_string(),
    })?;
    // At most MOST.
    Ok((rate, mtu.min(MOST) as u16))
}

fn known(sysfs: &Path) -> Vec<String> {
    let entries = fs::read_dir(sysfs).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "lo" && name != "bonding_masters")
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysfs(interfaces: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, speed, mtu) in interfaces {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("speed"), speed).unwrap();
            fs::write(folder.join("mtu"), mtu).unwrap();
        }
        root
    }

    fn name(text: &str) -> InterfaceName {
        text.parse().unwrap()
    }

    #[test]
    fn rates_are_the_kernel_s_unless_the_user_knows_better() {
        let root = sysfs(&[
            ("a", "10000\n", "9000\n"),
            ("b", "1000\n", "1500\n"),
            ("c", "-1\n", "1500\n"),
        ]);
        let up = |tx: &str, rx: &str, asked| {
            Links::look_up_in(root.path(), [&name(tx), &name(rx)], None, asked)
        };
        let links = up("a", "b", None).unwrap();
        assert_eq!(links.capacity_bps, [10_000_000_000, 1_000_000_000]);
        assert_eq!((links.mtu, links.largest()), (1500, 1518));
        assert_eq!(links.describe(), "a (10Gbps) to b (1Gbps)");
        assert_eq!(up("a", "c", Some(5)).unwrap().capacity_bps, [5, 5]);
        let unknown = up("a", "c", None).unwrap_err().to_string();
        assert!(
            unknown.contains("--rx c") && unknown.contains("--capacity"),
            "{unknown}"
        );
    }

    #[test]
    fn a_missing_interface_is_named_with_those_there_are() {
        let root = sysfs(&[
            ("a", "10", "1500"),
            ("b", "10", "1500"),
            ("lo", "10", "1500"),
        ]);
        let missing =
            Links::look_up_in(root.path(), [&name("a"), &name("x")], None, None).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "--rx x: no such interface; there are: a, b"
        );
        let same =
            Links::look_up_in(root.path(), [&name("a"), &name("a")], None, None).unwrap_err();
        assert!(same.to_string().contains("differ"), "{same}");
    }
}
