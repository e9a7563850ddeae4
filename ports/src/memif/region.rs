//! The files behind shared memory: made by a slave, judged by a master.
//!
//! A file that its other holder can shorten kills the process that touches the lost pages (SIGBUS). So a
//! master takes memfds alone (on ordinary pages: holes in huge ones cannot always be filled again), and only
//! sealed against shrinking; where the slave forgot the seal and left sealing open, it is put on here.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs, ftruncate,
    memfd_create,
};

use super::refusal::Refusal;
use super::unsafe_region::Region;

/// Octets of a region that a master maps: offsets have 32 bits.
pub(super) const REGION_LIMIT: u64 = 1 << 32;
/// `TMPFS_MAGIC` of linux/magic.h: what memfds on ordinary pages are made of.
const TMPFS: i64 = 0x0102_1994;

/// Maps a slave's region after its file has been judged.
pub(super) fn accept(file: BorrowedFd<'_>, index: u16, octets: u64) -> Result<Region, Refusal> {
    let wanted = usize::try_from(octets).ok();
    let Some(len) = wanted.filter(|_| (1..=REGION_LIMIT).contains(&octets)) else {
        return Err(Refusal::RegionSize {
            index,
            octets,
            limit: REGION_LIMIT,
        });
    };
    let unsealed = Refusal::RegionSeal { index };
    let ordinary = fstatfs(file).is_ok_and(|system| system.f_type == TMPFS);
    // Refused where it is sealed already, or may not be; the seals that are there decide.
    let _ = fcntl_add_seals(file, SealFlags::SHRINK);
    let sealed = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK));
    if !ordinary || !sealed {
        return Err(unsealed);
    }
    let real = fstat(file).map_err(|_| unsealed)?.st_size;
    if u64::try_from(real).unwrap_or(0) < octets {
        return Err(Refusal::RegionShort { index, octets });
    }
    Region::map(file, len).map_err(|_| Refusal::RegionMap { index })
}

/// Makes memory of this end's own to be shared; it can neither shrink nor grow.
pub(super) fn create(octets: usize) -> Result<(OwnedFd, Region), Refusal> {
    let made = || {
        let file = memfd_create("memif", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, octets as u64)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let region = Region::map(file.as_fd(), octets)?;
        std::io::Result::Ok((file, region))
    };
    made().map_err(|_| Refusal::NoMemory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memfd(flags: MemfdFlags, octets: u64) -> OwnedFd {
        let file = memfd_create("test", flags).expect("a memfd");
        ftruncate(&file, octets).expect("sized");
        file
    }

    #[test]
    fn a_file_that_could_shrink_is_refused_or_sealed_first() {
        let refused =
            accept(memfd(MemfdFlags::empty(), 8192).as_fd(), 0, 8192).expect_err("unsealed");
        assert_eq!(refused, Refusal::RegionSeal { index: 0 });
        let open = memfd(MemfdFlags::ALLOW_SEALING, 8192);
        accept(open.as_fd(), 0, 8192).expect("sealed here");
        assert!(ftruncate(&open, 0).is_err(), "it can still shrink");
        let file = tempfile::tempfile().expect("a file");
        file.set_len(8192).expect("sized");
        assert_eq!(
            accept(file.as_fd(), 1, 8192).expect_err("no memfd"),
            Refusal::RegionSeal { index: 1 }
        );
    }

    #[test]
    fn a_size_that_is_not_there_is_refused() {
        let file = memfd(MemfdFlags::ALLOW_SEALING, 4096);
        assert_eq!(
            accept(file.as_fd(), 2, 4097).expect_err("short"),
            Refusal::RegionShort {
                index: 2,
                octets: 4097
            }
        );
        for octets in [0, REGION_LIMIT + 1, u64::MAX] {
            assert!(matches!(
                accept(file.as_fd(), 0, octets),
                Err(Refusal::RegionSize { .. })
            ));
        }
        accept(file.as_fd(), 0, 4096).expect("all of it");
    }

    #[test]
    fn a_file_of_ones_own_keeps_its_size() {
        let (file, region) = create(8192).expect("made");
        assert!(ftruncate(&file, 0).is_err() && ftruncate(&file, 16384).is_err());
        drop(region);
    }
}
