//! All interfaces there are, with what the path of a frame needs of each.

use alloc::vec::Vec;

use pinode_guest_runtime::{Config, VifIndex};

use super::Names;
use crate::config::InterfaceSettings;
use crate::control::item::Mac;
use crate::control::view::Count;
use crate::packet::{Form, Station};
use crate::vn::{InterfaceId, VNS};

/// An interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its number.
    pub id: InterfaceId,
    /// Its MAC address.
    pub mac: Mac,
    /// Octets of the largest IPv6 packet.
    pub mtu: u16,
    /// Its MAC address, as frames to it begin.
    pub station: Station,
    /// What frames that it sends begin with, but for the destination.
    pub template: u128,
    /// Packets that came in for it, whatever became of them.
    pub received: Count,
    /// Packets that it sent, forwarded and its own.
    pub sent: Count,
}

/// The interfaces, by number.
#[derive(Debug, Clone)]
pub struct Interfaces {
    /// Where [`InterfaceId::index`] says; none: that vif does not carry that virtual network.
    by_index: Vec<Option<Interface>>,
    vifs: usize,
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
        let vifs = config.vifs.len();
        let mut by_index = alloc::vec![None; vifs * VNS];
        for id in names.all() {
            let (Some(vif), Some(slot)) = (
                config.vifs.get(usize::from(id.vif().0)),
                by_index.get_mut(id.index()),
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
            *slot = Some(Interface {
                id,
                mac,
                mtu: set.and_then(|set| set.mtu).unwrap_or(vif.mtu),
                station: Station::of(mac),
                template: form.template(mac, id.vn()),
                received: Count::default(),
                sent: Count::default(),
            });
        }
        Ok(Interfaces { by_index, vifs })
    }

    /// The interface of this number.
    #[inline]
    pub fn get(&self, id: InterfaceId) -> Option<&Interface> {
        self.by_index.get(id.index())?.as_ref()
    }

    /// The interface of this number, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: InterfaceId) -> Option<&mut Interface> {
        self.by_index.get_mut(id.index())?.as_mut()
    }

    /// All of them, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.by_index.iter().flatten()
    }

    /// Whether there is such a vif.
    pub fn has(&self, vif: VifIndex) -> bool {
        usize::from(vif.0) < self.vifs
    }
}
