//! The image's memcpy and its kin (`bare/memory.s`) against the ones of this program's libc.
//!
//! Unsafe because that is what they are. All lengths around the steps of the code, with guard octets.

use alloc::vec;
use alloc::vec::Vec;
use core::arch::global_asm;

global_asm!(include_str!("bare/memory.s"));

unsafe extern "C" {
    fn pinode_memcpy(to: *mut u8, from: *const u8, octets: usize) -> *mut u8;
    fn pinode_memmove(to: *mut u8, from: *const u8, octets: usize) -> *mut u8;
    fn pinode_memset(to: *mut u8, value: i32, octets: usize) -> *mut u8;
    fn pinode_memcmp(a: *const u8, b: *const u8, octets: usize) -> i32;
    fn pinode_bcmp(a: *const u8, b: *const u8, octets: usize) -> i32;
}

const GUARD: usize = 80;

fn lengths() -> impl Iterator<Item = usize> {
    (0..300).chain([511, 512, 513, 1023, 1024, 1514, 1515, 4096, 4097])
}

fn pattern(octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|at| (at * 37 + at / 251 + 11) as u8)
        .collect()
}

#[test]
fn copies_all_and_only_what_it_should() {
    for octets in lengths() {
        let from = pattern(octets);
        let mut to = vec![0xa5; octets + 2 * GUARD];
        // SAFETY: both sides have `octets` octets and are apart.
        let result = unsafe { pinode_memcpy(to[GUARD..].as_mut_ptr(), from.as_ptr(), octets) };
        assert_eq!(result.cast_const(), to[GUARD..].as_ptr());
        assert_eq!(to[GUARD..GUARD + octets], from);
        assert!(
            to[..GUARD]
                .iter()
                .chain(&to[GUARD + octets..])
                .all(|octet| *octet == 0xa5)
        );
    }
}

#[test]
fn moves_between_places_that_overlap() {
    for octets in lengths() {
        for (from, to) in (0..=70)
            .map(|by| (GUARD, GUARD + by))
            .chain((0..=70).map(|by| (GUARD, GUARD - by)))
        {
            let mut memory = pattern(octets + 2 * GUARD);
            let mut expected = memory.clone();
            expected.copy_within(from..from + octets, to);
            let base = memory.as_mut_ptr();
            // SAFETY: both ranges lie within the memory; moving allows them to overlap.
            unsafe { pinode_memmove(base.add(to), base.add(from), octets) };
            assert!(memory == expected, "{octets} octets from {from} to {to}");
        }
    }
}

#[test]
fn fills_all_and_only_what_it_should() {
    for octets in lengths() {
        for value in [0, 1, 0x80, 0xff, 0x1234] {
            let mut memory = vec![0xa5; octets + 2 * GUARD];
            // SAFETY: `octets` octets lie behind the guard.
            unsafe { pinode_memset(memory[GUARD..].as_mut_ptr(), value, octets) };
            assert!(
                memory[GUARD..GUARD + octets]
                    .iter()
                    .all(|octet| *octet == value as u8)
            );
            let guards = memory[..GUARD].iter().chain(&memory[GUARD + octets..]);
            assert!(guards.into_iter().all(|octet| *octet == 0xa5), "{octets}");
        }
    }
}

#[test]
fn compares_as_unsigned_octets() {
    for octets in lengths().filter(|octets| *octets > 0) {
        let a = pattern(octets);
        for at in [0, octets / 2, octets - 1] {
            let mut b = a.clone();
            b[at] = b[at].wrapping_add(1);
            let expected = a.cmp(&b) as i32;
            // SAFETY: all have `octets` octets.
            let (ab, ba, aa, equal) = unsafe {
                (
                    pinode_memcmp(a.as_ptr(), b.as_ptr(), octets),
                    pinode_memcmp(b.as_ptr(), a.as_ptr(), octets),
                    pinode_memcmp(a.as_ptr(), a.as_ptr(), octets),
                    pinode_bcmp(a.as_ptr(), b.as_ptr(), octets) == 0,
                )
            };
            assert_eq!(
                (ab.signum(), ba.signum(), aa, equal),
                (expected, -expected, 0, false)
            );
        }
    }
    // SAFETY: nothing is read.
    assert_eq!(unsafe { pinode_memcmp([1].as_ptr(), [2].as_ptr(), 0) }, 0);
}
