//! Classic pcap files, written and read octet by octet (no library: it is the reference for the product's).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;

/// Writes frames, `gap_us` microseconds apart.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, frames: &[Vec<u8>], gap_us: u64) -> Result<()> {
    let mut file = Vec::new();
    file.extend_from_slice(&MAGIC_MICROSECONDS.to_le_bytes());
    file.extend_from_slice(&2u16.to_le_bytes());
    file.extend_from_slice(&4u16.to_le_bytes());
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&65535u32.to_le_bytes());
    file.extend_from_slice(&LINKTYPE_ETHERNET.to_le_bytes());
    for (index, frame) in frames.iter().enumerate() {
        let at = index as u64 * gap_us;
        file.extend_from_slice(&u32::try_from(at / 1_000_000)?.to_le_bytes());
        file.extend_from_slice(&u32::try_from(at % 1_000_000)?.to_le_bytes());
        let length = u32::try_from(frame.len())?.to_le_bytes();
        file.extend_from_slice(&length);
        file.extend_from_slice(&length);
        file.extend_from_slice(frame);
    }
    fs::write(path, file).with_context(|| format!("write {}", path.display()))
}

/// Reads the frames of a little-endian file.
///
/// # Errors
/// The file is not there, not classic pcap of Ethernet, or ends inside a record.
pub fn read(path: &Path) -> Result<Vec<Vec<u8>>> {
    let file = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let word = |at: usize| -> Result<u32> {
        let bytes = file.get(at..at + 4).context("the file ends early")?;
        Ok(u32::from_le_bytes(bytes.try_into()?))
    };
    let magic = word(0)?;
    if magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS {
        bail!("{} begins with {magic:#x}: no classic pcap", path.display());
    }
    ensure!(word(20)? == LINKTYPE_ETHERNET, "link type {}", word(20)?);
    let mut frames = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let length = word(at + 8)? as usize;
        ensure!(word(at + 12)? as usize == length, "a frame was cut short");
        at += 16;
        frames.push(
            file.get(at..at + length)
                .context("the file ends inside a frame")?
                .to_vec(),
        );
        at += length;
    }
    Ok(frames)
}
