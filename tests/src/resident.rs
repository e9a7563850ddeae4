//! Resident memory of a node beyond the memory of its guests, from `/proc/PID/smaps`.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Guest memory may share its mapping with the alignment to huge pages.
const ALIGNMENT: u64 = 4 << 20;

/// Octets that process `pid` has resident outside the mappings that are as large as the memory of a guest in `status`.
///
/// # Errors
/// The process is gone, or has no such mapping.
pub fn beyond_guest_memory(pid: u32, status: &Value) -> Result<u64> {
    let guests: Vec<u64> = status["guests"]
        .as_array()
        .context("guests")?
        .iter()
        .map(|guest| guest["memory_bytes"].as_u64().context("memory_bytes"))
        .collect::<Result<_>>()?;
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let mut of_guest = false;
    let mut mappings = 0;
    let mut beyond = 0;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some(octets) = range(first) {
            of_guest = guests
                .iter()
                .any(|&size| (size..size + ALIGNMENT).contains(&octets));
            mappings += usize::from(of_guest);
        } else if first == "Rss:" && !of_guest {
            let kib: u64 = words.next().and_then(|n| n.parse().ok()).context("Rss")?;
            beyond += kib * 1024;
        }
    }
    ensure!(
        mappings > 0,
        "no mapping of a guest's size {guests:?} in\n{smaps}"
    );
    Ok(beyond)
}

/// Octets of a mapping from its `START-END` in hexadecimal.
fn range(text: &str) -> Option<u64> {
    let (start, end) = text.split_once('-')?;
    u64::from_str_radix(end, 16)
        .ok()?
        .checked_sub(u64::from_str_radix(start, 16).ok()?)
}
