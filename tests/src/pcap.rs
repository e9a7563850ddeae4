//! Classic pcap files, written and read octet by octet (no library: it is the reference for the product's).

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;

/// Writes frames, `gap_us` microseconds apart.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, frames: impl IntoIterator<Item = Vec<u8>>, gap_us: u32) -> Result<()> {
    let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    let mut file = BufWriter::new(file);
    file.write_all(&MAGIC_MICROSECONDS.to_le_bytes())?;
    file.write_all(&2u16.to_le_bytes())?;
    file.write_all(&4u16.to_le_bytes())?;
    file.write_all(&[0; 8])?;
    file.write_all(&65535u32.to_le_bytes())?;
    file.write_all(&LINKTYPE_ETHERNET.to_le_bytes())?;
    let mut at_us: u32 = 0;
    for frame in frames {
        file.write_all(&(at_us / 1_000_000).to_le_bytes())?;
        file.write_all(&(at_us % 1_000_000).to_le_bytes())?;
        let length = u32::try_from(frame.len())?.to_le_bytes();
        file.write_all(&length)?;
        file.write_all(&length)?;
        file.write_all(&frame)?;
        at_us += gap_us;
    }
    file.flush()
        .with_context(|| format!("write {}", path.display()))
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
