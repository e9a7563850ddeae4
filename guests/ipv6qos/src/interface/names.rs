//! What interfaces are called: `west` in the port's own virtual network, `west.5` in virtual network 5 of a trunk.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_guest_runtime::{Config, VifIndex};

use crate::vn::{InterfaceId, VNS, Vn};

/// Most vifs: what [`InterfaceId`] numbers.
const MOST_VIFS: usize = 256;
/// Most names that a message lists.
const MOST_LISTED: usize = 12;

/// The interfaces there are, and their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    ports: Vec<Port>,
    default: Vn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Port {
    name: String,
    /// The network that its bare name stands for.
    own: Vn,
    /// Bit n: it carries virtual network n.
    carried: u32,
}

impl Names {
    /// The interfaces of a guest with `config`.
    ///
    /// # Errors
    ///
    /// A virtual network that there cannot be.
    pub fn of(config: &Config) -> Result<Self, String> {
        let number = |vn: &u8| {
            Vn::new(*vn).ok_or_else(|| format!("{vn} is no virtual network; allowed: 0 to 31"))
        };
        let mut vns = config
            .vns
            .iter()
            .map(number)
            .collect::<Result<Vec<_>, _>>()?;
        vns.sort_unstable();
        if config.code.is_none() && vns.len() > 1 {
            return Err(format!(
                "{} virtual networks without a PIH; allowed: 1",
                vns.len()
            ));
        }
        let default = vns.first().copied().unwrap_or_default();
        let carried = vns
            .iter()
            .fold(1 << default.get(), |set, vn| set | 1 << vn.get());
        let port = |vif: &pinode_guest_runtime::VifConfig| {
            let own = vif.access.as_ref().map(number).transpose()?;
            Ok(Port {
                name: vif.name.clone(),
                own: own.unwrap_or(default),
                carried: own.map_or(carried, |own| 1 << own.get()),
            })
        };
        let ports = config.vifs.iter().take(MOST_VIFS).map(port);
        Ok(Names {
            ports: ports.collect::<Result<_, String>>()?,
            default,
        })
    }

    /// The virtual network that is meant where none is named: the lowest carried.
    pub fn default_vn(&self) -> Vn {
        self.default
    }

    /// All interfaces: vif by vif, and of each by virtual network.
    pub fn all(&self) -> impl Iterator<Item = InterfaceId> {
        (0..=u8::MAX).zip(&self.ports).flat_map(|(vif, port)| {
            let carried = port.carried;
            (0..VNS as u8)
                .filter(move |vn| carried & 1 << vn != 0)
                .filter_map(Vn::new)
                .map(move |vn| InterfaceId::new(VifIndex(vif), vn))
        })
    }

    /// The interface called `name`.
    ///
    /// # Errors
    ///
    /// There is none; the names that there are.
    pub fn find(&self, name: &str) -> Result<InterfaceId, String> {
        let by_port = |port: &str| {
            (0..=u8::MAX)
                .zip(&self.ports)
                .find(|(_, known)| known.name == port)
        };
        let found = by_port(name)
            .map(|(vif, port)| (vif, port.own))
            .or_else(|| {
                let (port, number) = name.rsplit_once('.')?;
                let (vif, port) = by_port(port)?;
                let vn = number.parse().ok().and_then(Vn::new)?;
                let carries = port.carried & 1 << vn.get() != 0;
                carries.then_some((vif, vn))
            });
        found
            .map(|(vif, vn)| InterfaceId::new(VifIndex(vif), vn))
            .ok_or_else(|| {
                let listed = self.all().take(MOST_LISTED).map(|id| self.name(id));
                let mut listed = listed.collect::<Vec<_>>().join(", ");
                if self.all().count() > MOST_LISTED {
                    listed += ", ...";
                }
                format!("{name:?} is no interface; allowed: {listed}")
            })
    }

    /// What an interface is called.
    pub fn name(&self, id: InterfaceId) -> String {
        match self.ports.get(usize::from(id.vif().0)) {
            Some(port) if port.own == id.vn() => port.name.clone(),
            Some(port) => format!("{}.{}", port.name, id.vn()),
            None => id.index().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn names(vns: &[u8], access: Option<u8>) -> Names {
        let config = serde_json::json!({
            "function": "ipv6qos", "vns": vns, "code": 1,
            "vifs": [
                { "name": "west", "mac": "02:00:00:00:00:01", "mtu": 1500, "access": access },
                { "name": "a.b", "mac": "02:00:00:00:00:02", "mtu": 1500 },
            ],
        });
        Names::of(&serde_json::from_value(config).unwrap()).unwrap()
    }

    #[test]
    fn each_interface_has_a_name_that_finds_it() {
        let names = names(&[9, 3, 5], Some(5));
        let all: Vec<_> = names.all().map(|id| names.name(id)).collect();
        assert_eq!(all, ["west", "a.b", "a.b.5", "a.b.9"]);
        for id in names.all() {
            assert_eq!(names.find(&names.name(id)), Ok(id));
        }
        assert_eq!(names.find("a.b.3"), names.find("a.b"));
        assert_eq!(names.find("west.5"), names.find("west"));
        assert_eq!(names.default_vn().get(), 3);
    }

    #[test]
    fn another_name_is_answered_with_those_there_are() {
        let names = names(&[], None);
        for name in ["west.5", "north", "west.", "west.32", ""] {
            let error = names.find(name).unwrap_err();
            assert_eq!(
                error,
                format!("{name:?} is no interface; allowed: west, a.b")
            );
        }
        assert_eq!(names.default_vn().to_string(), "0");
    }
}
