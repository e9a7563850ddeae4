//! All interfaces there are.

use alloc::vec::Vec;

use pinode_guest_runtime::Config;

use super::Names;
use super::port::Port;
use crate::config::InterfaceSettings;
use crate::control::item::Mac;
use crate::control::view::Count;
use crate::packet::{Form, Station};
use crate::vn::{InterfaceId, VNS};

/// An interface.
#[derive(Debug, Clone, Copy)]
pub struct Interface {
    /// Its number.
    pub id: InterfaceId,
    /// Its MAC address.
    pub mac: Mac,
}

/// The interfaces.
#[derive(Debug, Clone)]
pub struct Interfaces {
    /// By [`InterfaceId::index`].
    ports: Vec<Port>,
    /// In order of their numbers.
    all: Vec<Interface>,
}

impl Interfaces {
    /// The interfaces that `names` names, with `settings` where there are some.
    ///
    /// # Errors
    ///
    /// A port's MAC address cannot be read.
    pub fn new(
        config: &Config,
        form: &Form,
        names: &Names,
        settings: &[(InterfaceId, InterfaceSettings)],
    ) -> Result<Self, alloc::string::String> {
        let mut ports = alloc::vec![Port::ABSENT; config.vifs.len() * VNS];
        let mut all = Vec::new();
        for id in names.all() {
            let (Some(vif), Some(port)) = (
                config.vifs.get(usize::from(id.vif().0)),
                ports.get_mut(id.index()),
            ) else {
                continue;
            };
            let set = settings
                .iter()
                .find(|(of, _)| *of == id)
                .map(|(_, set)| set);
            let mac = match set.and_then(|set| set.mac) {
                Some(mac) => mac,
                None => vif.mac.parse()?,
            };
            *port = Port {
                template: form.template(mac, id.vn()),
                station: Station::of(mac),
                mtu: set.and_then(|set| set.mtu).unwrap_or(vif.mtu),
                ..Port::ABSENT
            };
            all.push(Interface { id, mac });
        }
        Ok(Interfaces { ports, all })
    }

    /// What frames need of an interface; where there is none, one that takes and sends nothing.
    #[inline]
    pub fn port(&self, id: InterfaceId) -> &Port {
        self.ports.get(id.index()).unwrap_or(&Port::ABSENT)
    }

    /// Whether there is such an interface.
    pub fn has(&self, id: InterfaceId) -> bool {
        self.all.iter().any(|interface| interface.id == id)
    }

    /// Counts packets that came in.
    #[inline]
    pub fn received(&mut self, id: InterfaceId, count: Count) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.received.merge(count);
        }
    }

    /// Counts packets that went out.
    #[inline]
    pub fn sent(&mut self, id: InterfaceId, count: Count) {
        if let Some(port) = self.ports.get_mut(id.index()) {
            port.sent.merge(count);
        }
    }

    /// All of them, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.all.iter()
    }
}
