//! What a user would pick instead: DPDK's vhost-user path, driven through its own `testpmd`.
//!
//! Must never touch the frames: DPDK makes, forwards and counts them.

mod pacer;
mod process;
mod pvp;
mod stats;
mod testpmd;
mod variant;

pub use pacer::Pacer;
pub use process::ProcessError;
pub use pvp::{Place, Pvp};
pub use variant::{Ring, Variant};

/// The installed DPDK's version, as pkg-config says it.
#[must_use]
pub fn version() -> String {
    let asked = std::process::Command::new("pkg-config")
        .args(["--modversion", "libdpdk"])
        .output();
    match asked {
        Ok(answer) if answer.status.success() => {
            String::from_utf8_lossy(&answer.stdout).trim().to_owned()
        }
        _ => "of unknown version".to_owned(),
    }
}
