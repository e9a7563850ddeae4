//! Asks the processor for memory that is looked at soon.
//!
//! Unsafe because the instruction is an intrinsic; it reads and writes nothing that can be seen. The benchmark beside
//! it is `cargo bench -p pinode-guest-ipv6qos --bench flows` (docs/adr/0019).

/// Brings the first cache line of `slice[index]` near; where there is no such element it does no harm.
#[inline(always)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no effect on the program, whatever the address, and SSE is part of x86-64.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(slice.as_ptr().wrapping_add(index).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, index);
}
