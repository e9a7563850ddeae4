//! Loading without KVM: what lies in RAM afterwards, for a bzImage and for both protocols of an ELF file, and that
//! no bzImage header can do harm.

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress};

use super::*;

const MEMORY: u64 = 16 << 20;

/// A bzImage of two setup sectors and a kernel of 4 KiB of 0x90.
fn bzimage() -> Vec<u8> {
    let mut file = vec![0u8; 2 * 512];
    file[0x1f1] = 1; // setup_sects
    file[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    file[0x202..0x206].copy_from_slice(b"HdrS");
    file[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes()); // version
    file[0x211] = 1; // loadflags: loaded high
    file[0x214..0x218].copy_from_slice(&0x10_0000_u32.to_le_bytes()); // code32_start
    file[0x236..0x238].copy_from_slice(&1u16.to_le_bytes()); // xloadflags: 64-bit entry
    file[0x258..0x260].copy_from_slice(&0x20_0000_u64.to_le_bytes()); // pref_address
    file[0x260..0x264].copy_from_slice(&0x40_0000_u32.to_le_bytes()); // init_size
    file.extend([0x90; 4096]);
    file
}

fn handover<'a>(command_line: &'a str, initrd: Option<&'a [u8]>) -> Handover<'a> {
    Handover {
        protocol: BootProtocol::Auto,
        command_line,
        initrd,
        vcpus: 1,
        devices: 2,
    }
}

fn word(ram: &GuestRam, address: u64) -> u32 {
    ram.view().read_obj(GuestAddress(address)).unwrap()
}

#[test]
fn a_bzimage_with_initrd_and_command_line() {
    let ram = GuestRam::new(MEMORY).unwrap();
    let file = bzimage();
    let image = Image::parse(&file).unwrap();
    assert!(!image.wants_msi());
    let entry = load(&ram, &image, &handover("console=ttyS0", Some(&[7; 5000]))).unwrap();
    assert_eq!(entry, Entry::Linux64 { rip: 0x10_0200 });
    assert_eq!(word(&ram, 0x10_0000), 0x9090_9090);
    // The zero page, by the offsets of the Linux boot protocol.
    let page = layout::ZERO_PAGE;
    assert_eq!(word(&ram, page + 0x202).to_le_bytes(), *b"HdrS");
    assert_eq!(word(&ram, page + 0x228), layout::COMMAND_LINE as u32);
    let initrd = MEMORY - 8192;
    assert_eq!(
        (word(&ram, page + 0x218), word(&ram, page + 0x21c)),
        (initrd as u32, 5000)
    );
    assert_eq!(word(&ram, initrd), 0x0707_0707);
    assert_eq!(word(&ram, page + 0x1e8) & 0xff, 3);
    // The third range of the memory map: from 1 MiB to the end, usable.
    let range = page + 0x2d0 + 2 * 20;
    assert_eq!(word(&ram, range), 0x10_0000);
    assert_eq!(word(&ram, range + 8), (MEMORY - 0x10_0000) as u32);
    assert_eq!(word(&ram, range + 16), 1);
    assert_eq!(word(&ram, layout::COMMAND_LINE).to_le_bytes(), *b"cons");
}

#[test]
fn a_bzimage_says_what_is_wrong_with_it() {
    let refused = |change: fn(&mut Vec<u8>), memory: u64| {
        let ram = GuestRam::new(memory).unwrap();
        let mut file = bzimage();
        change(&mut file);
        let image = Image::parse(&file)?;
        load(&ram, &image, &handover("", None))
    };
    let text = |change, memory| refused(change, memory).unwrap_err().to_string();
    assert!(text(|file| file[0x236] = 0, MEMORY).contains("no 64-bit entry"));
    assert!(text(|file| file[0x211] = 0, MEMORY).contains("cannot load the bzImage"));
    assert!(text(|file| file.truncate(0x300), MEMORY).contains("cannot load the bzImage"));
    assert!(text(|_| (), 4 << 20).contains("up to 0x600000"));
    assert!(text(|file| file[0x202] = 0, MEMORY).contains("neither an ELF file nor a bzImage"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bzimage_header_does_harm(at in 0x1f1usize..0x270, value: [u8; 8], cut in 0x206usize..5200) {
        let ram = GuestRam::new(MEMORY).unwrap();
        let mut file = bzimage();
        for (octet, value) in file.iter_mut().skip(at).zip(value) {
            *octet = value;
        }
        file.truncate(cut);
        if let Ok(image) = Image::parse(&file) {
            let _ = load(&ram, &image, &handover("", Some(&[1; 100])));
        }
    }
}
