//! The host's KVM: opening `/dev/kvm`, checking what the machines need, and telling its flavour.
//!
//! It must never start anything by itself: a `KvmHost` is only the right to make machines.

use std::path::Path;

use kvm_ioctls::{Cap, Kvm};

/// The KVM API version this crate speaks; it has been 12 since Linux 2.6.22.
const API_VERSION: i32 = 12;

/// Why KVM cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no `/dev/kvm`.
    #[error(
        "/dev/kvm does not exist: load the KVM module (modprobe kvm_intel or kvm_amd), enable virtualisation \
         in the firmware or nested virtualisation in the outer host, or run with isolation = \"thread\""
    )]
    Missing,
    /// `/dev/kvm` may not be opened.
    #[error(
        "no permission to open /dev/kvm: run as root or join its group (usermod -aG kvm USER, then log in again)"
    )]
    Denied,
    /// Another error of open.
    #[error("cannot open /dev/kvm: {0}")]
    Open(std::io::Error),
    /// The kernel speaks another API version.
    #[error("/dev/kvm speaks API version {found}; version {API_VERSION} is needed")]
    ApiVersion {
        /// What the kernel reports.
        found: i32,
    },
    /// A capability is missing.
    #[error("this KVM has no {capability}, which virtio devices need")]
    Lacks {
        /// The capability's name in the kernel's API.
        capability: &'static str,
    },
}

/// An open, checked KVM.
#[derive(Debug)]
pub struct KvmHost {
    kvm: Kvm,
    flavour: &'static str,
}

impl KvmHost {
    /// Opens `/dev/kvm` and checks what the machines rely on.
    pub fn open() -> Result<Self, KvmError> {
        let kvm = Kvm::new().map_err(|error| why_not(error.errno()))?;
        let found = kvm.get_api_version();
        if found != API_VERSION {
            return Err(KvmError::ApiVersion { found });
        }
        for (capability, name) in [
            (Cap::Irqchip, "KVM_CAP_IRQCHIP"),
            (Cap::Irqfd, "KVM_CAP_IRQFD"),
            (Cap::Ioeventfd, "KVM_CAP_IOEVENTFD"),
            (Cap::IrqRouting, "KVM_CAP_IRQ_ROUTING"),
            (Cap::UserMemory, "KVM_CAP_USER_MEMORY"),
        ] {
            if !kvm.check_extension(capability) {
                return Err(KvmError::Lacks { capability: name });
            }
        }
        let flavour = flavour_of(Path::new("/sys/module"));
        Ok(Self { kvm, flavour })
    }

    /// Which module drives this KVM: `kvm_pvm`, `kvm_intel`, `kvm_amd`, or `kvm` where it cannot be told.
    pub fn flavour(&self) -> &'static str {
        self.flavour
    }

    pub(crate) fn kvm(&self) -> &Kvm {
        &self.kvm
    }
}

/// What an error of opening `/dev/kvm` means.
fn why_not(errno: i32) -> KvmError {
    match errno {
        libc::ENOENT | libc::ENXIO | libc::ENODEV => KvmError::Missing,
        libc::EACCES | libc::EPERM => KvmError::Denied,
        errno => KvmError::Open(std::io::Error::from_raw_os_error(errno)),
    }
}

fn flavour_of(modules: &Path) -> &'static str {
    ["kvm_pvm", "kvm_intel", "kvm_amd"]
        .into_iter()
        .find(|module| modules.join(module).is_dir())
        .unwrap_or("kvm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavour_falls_back() {
        assert_eq!(flavour_of(Path::new("/nonexistent")), "kvm");
    }

    #[test]
    fn messages_say_what_to_do() {
        assert!(
            why_not(libc::ENOENT)
                .to_string()
                .contains("isolation = \"thread\"")
        );
        assert!(
            why_not(libc::EACCES)
                .to_string()
                .contains("usermod -aG kvm")
        );
        assert!(
            why_not(libc::EMFILE)
                .to_string()
                .contains("Too many open files")
        );
    }
}
