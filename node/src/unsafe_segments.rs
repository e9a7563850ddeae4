//! Pages of program text that only the start needed are given back, by madvise(2).
//!
//! The kernel maps the pages around each one that is touched, so when a node is up nearly all of the program and its
//! libraries counts as resident: command line, configuration, checks, boot. What is dropped here stays in the page cache, and
//! what is needed after all is mapped again when it is touched, without reading a file: some microseconds, once.
//!
//! Unsafe lives here because segments are listed by dl_iterate_phdr(3) and given back by address. Must never touch a
//! segment that may have been written: what was relocated is in no file.

use std::ffi::{CStr, c_int, c_void};
use std::ops::Range;

use libc::{PF_W, PT_LOAD, dl_iterate_phdr, dl_phdr_info};
use rustix::mm::{Advice, madvise};

/// Octets of a page of x86-64, the only machine that guests run on.
const PAGE: usize = 4096;

/// Gives back the pages of all segments that are never written, of the program and its libraries. A debugger's
/// break points in them are lost.
pub fn release() {
    for segment in read_only() {
        let octets = segment.len();
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(segment.start);
        // SAFETY: the segment is private, of a file and never written (see `read_only`), so each page is read again as it
        // is in the file, by whoever uses it next.
        let given = unsafe { madvise(start, octets, Advice::LinuxDontNeed) };
        if let Err(error) = given {
            // Locked memory: it stays, as whoever locked it wanted.
            tracing::debug!(%error, octets, "pages of the program stay resident");
        }
    }
}

/// The whole pages of the segments that are loaded from a file and not writable. Such a segment was never written either:
/// linkers refuse relocations in one, unless told otherwise (DT_TEXTREL), and the dynamic linker makes read-only
/// again only parts of writable ones (PT_GNU_RELRO).
fn read_only() -> Vec<Range<usize>> {
    let mut segments = Vec::new();
    let data = (&raw mut segments).cast::<c_void>();
    // SAFETY: the callback is given what it expects, and nobody else uses the list meanwhile.
    unsafe { dl_iterate_phdr(Some(object), data) };
    segments
}

/// Adds the segments of one object to the list of ranges at `data`.
unsafe extern "C" fn object(info: *mut dl_phdr_info, _: usize, data: *mut c_void) -> c_int {
    // SAFETY: the dynamic linker gives a description that is alive over the call, and `read_only` its own list.
    let (info, segments) = unsafe { (&*info, &mut *data.cast::<Vec<Range<usize>>>()) };
    if is_of_no_file(info) {
        return 0;
    }
    // SAFETY: there are as many headers at that address, and they are alive while the object is loaded.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers {
        if header.p_type != PT_LOAD || header.p_flags & PF_W != 0 {
            continue;
        }
        // Addresses of a loaded object are those of this machine.
        let start = (info.dlpi_addr + header.p_vaddr) as usize;
        let end = start + header.p_filesz as usize;
        let whole = start.next_multiple_of(PAGE)..end / PAGE * PAGE;
        if !whole.is_empty() {
            segments.push(whole);
        }
    }
    0
}

/// Whether it is the kernel's own object (vDSO).
fn is_of_no_file(info: &dl_phdr_info) -> bool {
    if info.dlpi_name.is_null() {
        return false;
    }
    // SAFETY: a name ends with a 0 and is alive as the object is.
    let name = unsafe { CStr::from_ptr(info.dlpi_name) };
    name.to_bytes().starts_with(b"linux-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    static NUMBERS: [u64; 8192] = [0x0123_4567_89ab_cdef; 8192];
    static RELOCATED: [&str; 2048] = ["east"; 2048];
    static WRITTEN: [AtomicU64; 2048] = [const { AtomicU64::new(7) }; 2048];

    fn holds<T>(segments: &[Range<usize>], place: *const T) -> bool {
        segments.iter().any(|range| range.contains(&place.addr()))
    }

    #[test]
    fn only_what_is_as_in_the_file_is_given_back() {
        let segments = read_only();
        assert!(holds(&segments, &raw const NUMBERS[4096]));
        assert!(holds(&segments, release as *const ()));
        assert!(holds(&segments, libc::getpid as *const ()));
        assert!(!holds(&segments, &raw const RELOCATED[1024]));
        assert!(!holds(&segments, &raw const WRITTEN[1024]));
        assert!(!holds(&segments, &raw const segments));
    }

    #[test]
    fn all_of_it_is_there_when_it_is_used_again() {
        WRITTEN[1024].store(9, std::sync::atomic::Ordering::Relaxed);
        release();
        assert!(
            NUMBERS
                .iter()
                .all(|number| *number == 0x0123_4567_89ab_cdef)
        );
        assert!(RELOCATED.iter().all(|name| *name == "east"));
        assert_eq!(WRITTEN[1024].load(std::sync::atomic::Ordering::Relaxed), 9);
    }
}
