//! Switched, signalled streams between real hosts over two nodes: real VMs, real interfaces, `pinode dss` at the ends.
//!
//! ```text
//! bed      two nodes joined by a trunk, a host with a daemon at each
//! streams  connections are set up, carry what they are given, and are refused and released
//! crashes  whatever dies: nothing of a call is left
//! permanent connections of devices that do not signal: they come by themselves, and come back
//! ```

mod bed;
mod crashes;
mod permanent;
mod streams;

use pinode_tests::need::Need;

use crate::Case;

fn needs() -> Vec<Need> {
    vec![
        Need::Root,
        Need::Kvm,
        Need::Command("ip", "iproute2"),
        Need::Command("ethtool", "ethtool"),
        Need::Command("curl", "curl"),
    ]
}

pub fn cases() -> Vec<Case> {
    [streams::cases(), crashes::cases(), permanent::cases()]
        .into_iter()
        .flatten()
        .collect()
}
