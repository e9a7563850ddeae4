//! Guests that misbehave, for the tests of what the node does about it.
//!
//! Each is the patch function until its 1,000th frame, and then does its misdeed (`src/bin/`). They must
//! never be offered to users.

#![no_std]

extern crate alloc;

#[cfg(feature = "image")]
#[allow(unsafe_code)]
pub mod unsafe_misdeeds;

use alloc::string::String;

use pinode_guest_runtime::{Config, Frames, Function, Output, VifIndex};

/// Frames forwarded before the misdeed.
pub const GOOD_FRAMES: u64 = 1_000;

/// Patches two ports, and calls `misdeed` with the 1,000th frame in hand.
#[derive(Debug)]
pub struct Hostile {
    misdeed: fn(),
    frames: u64,
}

impl Hostile {
    /// A guest with this misdeed.
    pub fn new(misdeed: fn()) -> Self {
        Hostile { misdeed, frames: 0 }
    }
}

impl Function for Hostile {
    fn name(&self) -> &'static str {
        "hostile"
    }

    fn configure(&mut self, _: &Config) -> Result<(), String> {
        Ok(())
    }

    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        let to = VifIndex(1 - from.0.min(1));
        while let Some(frame) = frames.next() {
            self.frames += 1;
            if self.frames == GOOD_FRAMES {
                (self.misdeed)();
            }
            out.send(to, frame);
        }
    }
}
