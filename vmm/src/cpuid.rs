//! What a vCPU says about itself: what this KVM supports, with the vCPU's own APIC id.

use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::{Cap, Kvm};

const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;

/// The supported leaves, read once a machine.
pub fn supported(kvm: &Kvm) -> Result<CpuId, kvm_ioctls::Error> {
    let mut leaves = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?;
    let deadline = kvm.check_extension(Cap::TscDeadlineTimer);
    for leaf in leaves.as_mut_slice() {
        if leaf.function == 1 {
            leaf.ecx |= HYPERVISOR;
            if deadline {
                leaf.ecx |= TSC_DEADLINE;
            }
        }
    }
    Ok(leaves)
}

/// Puts vCPU `id` of `count` into the leaves that name it (Intel SDM vol. 2, CPUID leaves 1 and 0BH).
pub fn identify(leaves: &mut CpuId, id: u8, count: u8) {
    for leaf in leaves.as_mut_slice() {
        match leaf.function {
            1 => {
                leaf.ebx = leaf.ebx & 0xffff | u32::from(id) << 24 | u32::from(count) << 16;
            }
            0xb | 0x1f => leaf.edx = u32::from(id),
            _ => {}
        }
    }
}
