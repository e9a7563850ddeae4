//! What a machine is made of, checked before anything is created.

use std::path::PathBuf;
use std::sync::Arc;

use vmm_sys_util::eventfd::EventFd;

use crate::boot::BootProtocol;
use crate::boot::layout;
use crate::devices::net::{MOST_PAIRS, NetConfig};
use crate::irq::FIRST_VECTOR;

/// Where the kernel or guest image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// In this program.
    Embedded(&'static [u8]),
    /// A file: ELF or bzImage.
    File(PathBuf),
}

/// A machine to boot.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// Names threads and reports.
    pub name: String,
    /// RAM in octets: a multiple of 4096, from 4 MiB to 3 GiB.
    pub memory: u64,
    /// vCPUs, 1 to [`MOST_VCPUS`].
    pub vcpus: u8,
    /// Host CPUs the machine's threads may use, vCPU n the n-th of them (around the list); empty: all.
    pub cpus: Vec<usize>,
    /// What to run.
    pub kernel: Kernel,
    /// Initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// Appended to the command line.
    pub cmdline: String,
    /// How an ELF image is started.
    pub boot: BootProtocol,
    /// The vifs, in port order.
    pub nets: Vec<NetConfig>,
    /// By vif: what a kick on one of its transmit queues rings, for an owner that sleeps. A driver kicks only if
    /// the owner has asked for it (`Transmitq::ask_kick`). Several vifs may ring the same. None: nobody listens.
    pub kicks: Vec<Arc<EventFd>>,
}

/// Most vCPUs of a machine.
pub const MOST_VCPUS: u8 = 32;

/// Why a machine cannot be as configured.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The name is empty or has a NUL.
    #[error("machine name {name:?}: it must not be empty or contain NUL")]
    Name {
        /// The name.
        name: String,
    },
    /// Number of vCPUs.
    #[error("machine {name}: {vcpus} vCPUs; 1 to {MOST_VCPUS} are possible")]
    Vcpus {
        /// The machine.
        name: String,
        /// What was asked for.
        vcpus: u8,
    },
    /// A vif's queue size.
    #[error("machine {name}, vif {net}: queue size {size} is not a power of two from 2 to 32768")]
    QueueSize {
        /// The machine.
        name: String,
        /// The vif.
        net: usize,
        /// What was asked for.
        size: u16,
    },
    /// A vif's queue pairs.
    #[error("machine {name}, vif {net}: {pairs} queue pairs; 1 to {MOST_PAIRS} are possible")]
    QueuePairs {
        /// The machine.
        name: String,
        /// The vif.
        net: usize,
        /// What was asked for.
        pairs: u16,
    },
    /// A vif's MTU.
    #[error("machine {name}, vif {net}: MTU {mtu} is below 68, the least (VIRTIO 1.2, 5.1.4.1)")]
    Mtu {
        /// The machine.
        name: String,
        /// The vif.
        net: usize,
        /// What was asked for.
        mtu: u16,
    },
    /// A vif's MAC address.
    #[error("machine {name}, vif {net}: the MAC address is a group address")]
    Mac {
        /// The machine.
        name: String,
        /// The vif.
        net: usize,
    },
    /// More devices than interrupts.
    #[error(
        "machine {name}: {devices} virtio devices (the console and {nets} vifs); this image can have at most {most}",
        nets = devices.saturating_sub(1)
    )]
    TooManyDevices {
        /// The machine.
        name: String,
        /// Devices, the console among them.
        devices: usize,
        /// What is possible.
        most: usize,
    },
}

impl MachineConfig {
    /// virtio devices: the console and the vifs.
    pub(crate) fn devices(&self) -> usize {
        1 + self.nets.len()
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let name = || self.name.clone();
        if self.name.is_empty() || self.name.contains('\0') {
            return Err(ConfigError::Name { name: name() });
        }
        if self.vcpus == 0 || self.vcpus > MOST_VCPUS {
            return Err(ConfigError::Vcpus {
                name: name(),
                vcpus: self.vcpus,
            });
        }
        for (net, config) in self.nets.iter().enumerate() {
            let (size, pairs) = (config.queue_size, config.queue_pairs);
            if !size.is_power_of_two() || size < 2 {
                return Err(ConfigError::QueueSize {
                    name: name(),
                    net,
                    size,
                });
            }
            if pairs == 0 || pairs > MOST_PAIRS {
                return Err(ConfigError::QueuePairs {
                    name: name(),
                    net,
                    pairs,
                });
            }
            if config.mtu < 68 {
                return Err(ConfigError::Mtu {
                    name: name(),
                    net,
                    mtu: config.mtu,
                });
            }
            if config.mac[0] & 1 != 0 {
                return Err(ConfigError::Mac { name: name(), net });
            }
        }
        Ok(())
    }

    /// There is an interrupt for each device: an MSI vector, or a pin of the I/O APIC.
    pub(crate) fn check_interrupts(&self, msi: bool) -> Result<(), ConfigError> {
        let end = if msi {
            0x100 - FIRST_VECTOR
        } else {
            layout::IOAPIC_PINS
        };
        let most = (end - layout::FIRST_GSI) as usize;
        let devices = self.devices();
        if devices > most {
            return Err(ConfigError::TooManyDevices {
                name: self.name.clone(),
                devices,
                most,
            });
        }
        Ok(())
    }

    /// The kernel command line: the MMIO devices where `mmio` says so, then the configured part.
    pub(crate) fn command_line(&self, mmio: bool) -> String {
        let mut parts = Vec::new();
        if mmio {
            for slot in 0..self.devices() as u64 {
                let base = layout::MMIO_BASE + slot * layout::MMIO_STRIDE;
                let gsi = u64::from(layout::FIRST_GSI) + slot;
                let size = layout::MMIO_STRIDE;
                parts.push(format!("virtio_mmio.device={size:#x}@{base:#x}:{gsi}"));
            }
        }
        if !self.cmdline.is_empty() {
            parts.push(self.cmdline.clone());
        }
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> NetConfig {
        NetConfig {
            mac: [2, 0, 0, 0, 0, 1],
            mtu: 1500,
            queue_pairs: 1,
            queue_size: 256,
        }
    }

    fn config(nets: Vec<NetConfig>) -> MachineConfig {
        MachineConfig {
            name: "m".into(),
            memory: 32 << 20,
            vcpus: 1,
            cpus: vec![],
            kernel: Kernel::Embedded(b""),
            initrd: None,
            cmdline: "quiet".into(),
            boot: BootProtocol::Auto,
            nets,
            kicks: vec![],
        }
    }

    #[test]
    fn the_command_line_names_console_then_vifs() {
        assert_eq!(
            config(vec![net()]).command_line(true),
            "virtio_mmio.device=0x1000@0xd0000000:5 virtio_mmio.device=0x1000@0xd0001000:6 quiet"
        );
        assert_eq!(config(vec![]).command_line(false), "quiet");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let with = |change: fn(&mut NetConfig)| {
            let mut net = net();
            change(&mut net);
            config(vec![net]).check().unwrap_err().to_string()
        };
        assert!(with(|net| net.queue_size = 1000).contains("queue size 1000"));
        assert!(with(|net| net.queue_pairs = 0).contains("0 queue pairs"));
        assert!(with(|net| net.mtu = 60).contains("MTU 60"));
        assert!(with(|net| net.mac[0] = 1).contains("group"));
        let mut nameless = config(vec![]);
        nameless.name.clear();
        assert!(nameless.check().is_err());
        let mut idle = config(vec![]);
        idle.vcpus = 0;
        assert!(idle.check().unwrap_err().to_string().contains("1 to 32"));
    }

    #[test]
    fn devices_end_with_the_interrupts() {
        let error = config(vec![net(); 19])
            .check_interrupts(false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("at most 19") && error.contains("19 vifs"),
            "{error}"
        );
        assert!(config(vec![net(); 18]).check_interrupts(false).is_ok());
        assert!(config(vec![net(); 19]).check_interrupts(true).is_ok());
        assert!(config(vec![net(); 300]).check_interrupts(true).is_err());
    }
}
