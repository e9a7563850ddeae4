//! The details of `KVM_EXIT_INTERNAL_ERROR`, which kvm-ioctls does not pass on.
//!
//! Unsafe lives here because `kvm_run` is a C union: which member holds is told by `exit_reason`.

use kvm_bindings::{KVM_EXIT_INTERNAL_ERROR, kvm_run};

/// Says in words what KVM gave up on; `None` when the last exit was no internal error.
pub fn internal_error(run: &kvm_run) -> Option<String> {
    if run.exit_reason != KVM_EXIT_INTERNAL_ERROR {
        return None;
    }
    // SAFETY: exit_reason says that the kernel filled the `internal` member; it is plain integers.
    let internal = unsafe { run.__bindgen_anon_1.internal };
    let cause = match internal.suberror {
        1 => "KVM cannot emulate the instruction",
        2 => "an exception while another was delivered",
        3 => "a fault while an event was delivered",
        4 => "an exit KVM did not expect",
        _ => "an internal error of KVM",
    };
    let count = usize::try_from(internal.ndata).unwrap_or(0);
    let data = internal.data.get(..count).unwrap_or(&internal.data);
    Some(format!(
        "{cause} (suberror {}, data {data:x?})",
        internal.suberror
    ))
}
