//! What tells a node from all others on its links: part of the MAC addresses of its guests' vifs.
//!
//! Two routers with one MAC address on a link have one link-local address too, and neither can be reached. So the
//! addresses hold something of the node. Must be the same at each start, and another for each node of a machine.

use std::fs;
use std::sync::OnceLock;

/// Where Linux keeps the number that a machine got when it was set up (machine-id(5)), and where it was before.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// What a machine without such a number is told from others by.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// 28 bits that stand for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u32);

impl Identity {
    /// Bits of an identity: of 100 nodes two are the same with a probability of 1 in 50,000.
    const BITS: u32 = 28;

    /// The one that `text` stands for. The same in every version: addresses outlive updates.
    #[must_use]
    pub fn of(text: &str) -> Self {
        // FNV-1a, 64 bits. What is left of it does not tell the text.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
        });
        // Its upper bits depend on all octets, the last ones' lower bits on few: mixed before it is cut.
        let mixed = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self((mixed >> (64 - Self::BITS)) as u32)
    }

    /// That of the node `name` on `machine`.
    #[must_use]
    pub fn of_node(machine: &str, name: &str) -> Self {
        Self::of(&format!("{machine}/{name}"))
    }

    /// The first four octets of its MAC addresses: administratively assigned (IEEE 802c-2017 8.4.2: the second digit
    /// is 2), one station's.
    #[must_use]
    pub fn octets(self) -> [u8; 4] {
        let [a, b, c, d] = self.0.to_be_bytes();
        [a << 4 | 0x2, b, c, d]
    }
}

/// What tells this machine from others. Read once.
pub fn machine() -> &'static str {
    static MACHINE: OnceLock<String> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let places = MACHINE_IDS.iter().chain([&HOST_NAME]);
        let texts = places.filter_map(|path| fs::read_to_string(path).ok());
        let mut known = texts.map(|text| text.trim().to_owned());
        let known = known.find(|text| !text.is_empty() && text != "uninitialized");
        known.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn it_is_the_same_in_every_version() {
        assert_eq!(Identity::of("n1").octets(), [0x42, 0x8e, 0xdb, 0xfc]);
        let of_node = Identity::of_node("0123456789abcdef0123456789abcdef", "n1");
        assert_eq!(of_node.octets(), [0x92, 0x79, 0x94, 0xee]);
    }

    #[test]
    fn nodes_of_a_machine_and_of_machines_differ() {
        let machines = ["a", "b", "3d1219c7c4c5404aaa1f6d2a48adfda4"];
        let all = machines.iter().flat_map(|machine| {
            (0..100).map(move |n| Identity::of_node(machine, &format!("n{n}")).octets())
        });
        let all: Vec<[u8; 4]> = all.collect();
        let different: HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        // Local, and no group's.
        assert!(all.iter().all(|octets| octets[0] & 0x0f == 0x02));
        // Each bit is of use.
        let (ones, zeros) = all.iter().fold((0, 0), |(ones, zeros), octets| {
            let word = u32::from_be_bytes(*octets);
            (ones | word, zeros | !word)
        });
        assert_eq!((ones & zeros).count_ones(), Identity::BITS);
    }
}
