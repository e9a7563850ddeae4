//! A network interface: found by name, brought up, its MTU compared.

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};

use crate::error::{Blame, PortError};
use crate::spec::InterfaceName;
use crate::unsafe_ifreq;

/// An existing interface.
pub(crate) struct Interface {
    control: OwnedFd,
    pub(crate) name: InterfaceName,
    pub(crate) index: u32,
    blame: Blame,
}

impl Interface {
    /// Looks the interface up in the thread's network namespace.
    pub(crate) fn find(name: &InterfaceName, blame: &Blame) -> Result<Self, PortError> {
        let control = control_socket(blame)?;
        let index = netdevice::name_to_index(&control, name.as_str()).map_err(|_| {
            PortError::NoInterface {
                interface: name.to_string(),
            }
        })?;
        Ok(Self {
            control,
            name: name.clone(),
            index,
            blame: blame.clone(),
        })
    }

    /// Brings it up where it is down. True: it was down.
    pub(crate) fn bring_up(&self) -> Result<bool, PortError> {
        let flags = unsafe_ifreq::flags(self.control.as_fd(), self.name.as_str()).map_err(|e| {
            self.blame
                .refused("read the interface's flags", "cap_net_admin", e)
        })?;
        if flags & unsafe_ifreq::UP != 0 {
            return Ok(false);
        }
        unsafe_ifreq::set_flags(
            self.control.as_fd(),
            self.name.as_str(),
            flags | unsafe_ifreq::UP,
        )
        .map_err(|e| {
            self.blame
                .refused("bring the interface up", "cap_net_admin", e)
        })?;
        Ok(true)
    }

    /// True where the link has a partner: the cable is in, the other end of the veth is up.
    pub(crate) fn running(&self) -> bool {
        unsafe_ifreq::flags(self.control.as_fd(), self.name.as_str())
            .is_ok_and(|flags| flags & unsafe_ifreq::RUNNING != 0)
    }

    /// MTU of the interface, octets.
    pub(crate) fn mtu(&self) -> Result<u32, PortError> {
        unsafe_ifreq::mtu(self.control.as_fd(), self.name.as_str()).map_err(|e| {
            self.blame
                .refused("read the interface's MTU", "cap_net_admin", e)
        })
    }

    /// Sets the MTU of an interface that is the port's own.
    pub(crate) fn set_mtu(&self, mtu: u16) -> Result<(), PortError> {
        unsafe_ifreq::set_mtu(self.control.as_fd(), self.name.as_str(), mtu).map_err(|e| {
            self.blame
                .refused("set the interface's MTU", "cap_net_admin", e)
        })
    }

    /// An error where frames of the port's MTU would not pass.
    pub(crate) fn require_mtu(&self, wants: u16) -> Result<(), PortError> {
        let has = self.mtu()?;
        if has < u32::from(wants) {
            let interface = self.name.to_string();
            return Err(PortError::InterfaceMtu {
                interface,
                has,
                wants,
            });
        }
        Ok(())
    }

    /// Receive queues of the interface, at least 1.
    pub(crate) fn receive_queues(&self) -> u32 {
        unsafe_ifreq::receive_queues(self.control.as_fd(), self.name.as_str())
            .unwrap_or(1)
            .max(1)
    }

    /// What to add to a description while the link is down.
    pub(crate) fn link_note(&self) -> &'static str {
        if self.running() {
            ""
        } else {
            ", link down: no carrier, or the other end is not up"
        }
    }
}

/// True where an interface of this name exists.
pub(crate) fn exists(name: &InterfaceName, blame: &Blame) -> Result<bool, PortError> {
    let control = control_socket(blame)?;
    Ok(netdevice::name_to_index(&control, name.as_str()).is_ok())
}

/// Whether the interface `name` is there, and its link has a partner: the cable is in, the other end of the veth is up.
#[must_use]
pub fn has_carrier(name: &InterfaceName) -> bool {
    let blame = Blame("interface".to_owned());
    Interface::find(name, &blame).is_ok_and(|interface| interface.running())
}

fn control_socket(blame: &Blame) -> Result<OwnedFd, PortError> {
    socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .or_else(|_| {
        socket_with(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )
    })
    .map_err(|e| blame.refused("open a control socket", "cap_net_admin", e))
}
