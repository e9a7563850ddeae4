//! Every frame size of every PI from one raw socket to another, compared octet for octet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::PacketSocket;
use crate::frame::{number_of, numbered};

/// Frames on the way at once: few enough for any port's rings.
const WINDOW: usize = 24;
/// How long a window may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends a numbered frame of each of `sizes` for each of `codes` (VN 0) on `from` and expects each, unchanged and once,
/// on `to`. Gives the number of frames.
///
/// # Errors
/// A frame is missing, altered, doubled, or one that nobody sent came.
pub fn sweep(
    from: &PacketSocket,
    to: &PacketSocket,
    codes: &[u8],
    sizes: impl Iterator<Item = usize>,
) -> Result<usize> {
    let frames: Vec<Vec<u8>> = sizes
        .flat_map(|size| {
            codes
                .iter()
                .map(move |&code| numbered(code, 0, size as u64, size))
        })
        .collect();
    let mut buffer = vec![0; 1 << 16];
    for window in frames.chunks(WINDOW) {
        let mut missing: HashMap<_, &[u8]> = window
            .iter()
            .map(|frame| (number_of(frame), frame.as_slice()))
            .collect();
        for frame in window {
            from.send(frame)?;
        }
        let end = Instant::now() + DEADLINE;
        while !missing.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            let Some(got) = to.receive(&mut buffer, left)? else {
                let mut sizes: Vec<_> = missing
                    .values()
                    .map(|f| format!("PIH {:#04x} of {}", f[14], f.len()))
                    .collect();
                sizes.sort();
                bail!(
                    "{} of {} frames did not come: {}",
                    sizes.len(),
                    window.len(),
                    sizes.join(", ")
                );
            };
            match missing.remove(&number_of(got)) {
                Some(sent) if sent == got => {}
                Some(sent) => bail!(
                    "a frame of {} octets came out changed, {} octets\nsent {sent:02x?}\ncame {got:02x?}",
                    sent.len(),
                    got.len()
                ),
                None => bail!("a frame came that is not expected (or came twice): {got:02x?}"),
            }
        }
    }
    Ok(frames.len())
}
