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
    /// A virtual network that there cannot be, or a name that means two interfaces.
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
        let names = Names {
            ports: ports.collect::<Result<_, String>>()?,
            default,
        };
        match names.ambiguous() {
            None => Ok(names),
            Some(name) => Err(format!(
                "{name:?} is the name of a port, and of a virtual network of another or of another port; allowed: \
                 another name for one of the ports"
            )),
        }
    }

    /// A port whose name finds an interface that is not its own, or finds its own as that of another port too.
    fn ambiguous(&self) -> Option<&str> {
        let names = self.ports.iter().map(|port| &*port.name);
        names.enumerate().find_map(|(vif, name)| {
            let twice = self
                .ports
                .iter()
                .skip(vif + 1)
                .any(|port| port.name == name);
            (twice || self.numbered(name).is_some()).then_some(name)
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
        let own = self.port(name);
        own.map(|(vif, port)| InterfaceId::new(vif, port.own))
            .or_else(|| self.numbered(name))
            .ok_or_else(|| {
                let listed = self.all().take(MOST_LISTED).map(|id| self.name(id));
                let mut listed = listed.collect::<Vec<_>>().join(", ");
                if self.all().count() > MOST_LISTED {
                    listed += ", ...";
                }
                format!("{name:?} is no interface; allowed: {listed}")
            })
    }

    fn port(&self, name: &str) -> Option<(VifIndex, &Port)> {
        let mut ports = (0..=u8::MAX).map(VifIndex).zip(&self.ports);
        ports.find(|(_, port)| port.name == name)
    }

    /// The interface that `name` stands for as a port and a virtual network.
    fn numbered(&self, name: &str) -> Option<InterfaceId> {
        let (port, number) = name.rsplit_once('.')?;
        let (vif, port) = self.port(port)?;
        let vn = number.parse().ok().and_then(Vn::new)?;
        let carries = port.carried & 1 << vn.get() != 0;
        carries.then_some(InterfaceId::new(vif, vn))
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
    fn a_port_called_like_a_network_of_another_is_refused() {
        let read = |ports: [&str; 2], vns: &[u8]| {
            let [one, other] = ports.map(
                |name| serde_json::json!({ "name": name, "mac": "02:00:00:00:00:01", "mtu": 1500 }),
            );
            let config = serde_json::json!({
                "function": "ipv6qos", "vns": vns, "code": 1, "vifs": [one, other],
            });
            Names::of(&serde_json::from_value(config).unwrap())
        };
        for (ports, vns) in [
            (["west", "west.5"], [0, 5]),
            (["west.5", "west"], [5, 6]),
            (["west", "west"], [0, 5]),
        ] {
            let error = read(ports, &vns).unwrap_err();
            assert!(error.starts_with(&format!("{:?} is the name", ports.iter().max().unwrap())));
            assert!(error.contains("allowed: another name"), "{error}");
        }
        // The network is not carried, or the port is none.
        assert!(read(["west", "west.7"], &[0, 5]).is_ok());
        assert!(read(["east", "west.5"], &[0, 5]).is_ok());
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
