//! Physical-virtual-physical: `net_null` to vhost-user to a `virtio-user` process and back.
//!
//! The host's `testpmd` has a port that makes frames by copying one (`copy=1`) and discards what it
//! sends by copying it out, and the vhost-user port; the guest's has the virtio port alone and sends
//! back what it receives. What the first port sends has crossed the guest.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::process::ProcessError;
use super::testpmd::Testpmd;
use super::variant::Variant;

/// Octets of the frame check sequence: sizes count it, DPDK's do not.
pub(super) const FCS: u16 = 4;

/// Where a pair runs.
#[derive(Debug, Clone)]
pub struct Place {
    /// Core of the host's forwarding thread.
    pub host_cpu: usize,
    /// Core of the guest's.
    pub guest_cpu: usize,
    /// A mounted hugetlbfs of 2 MiB pages.
    pub huge_dir: PathBuf,
    /// Folder for the socket.
    pub run_dir: PathBuf,
}

/// A running pair.
pub struct Pvp {
    // In this order: the guest lets go of the socket first.
    guest: Testpmd,
    host: Testpmd,
    _socket: Socket,
}

/// The vhost-user socket, removed with its owner.
pub(super) struct Socket(PathBuf);

impl Socket {
    pub(super) fn at(run_dir: &Path) -> Self {
        let socket = Self(run_dir.join("vhost.sock"));
        socket.remove();
        socket
    }

    fn remove(&self) {
        // Not being there is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Starts the guest's process on a socket that somebody listens on; it forwards at once.
pub(super) fn guest(
    place: &Place,
    socket: &Socket,
    variant: Variant,
) -> Result<Testpmd, ProcessError> {
    let device = format!(
        "net_virtio_user0,path={},queues=1,queue_size=1024,{}",
        socket.path().display(),
        variant.device()
    );
    let mut guest = Testpmd::start(
        "guest",
        place.guest_cpu,
        &[device],
        variant.eal(),
        &place.huge_dir,
    )?;
    guest.forward()?;
    Ok(guest)
}

impl Pvp {
    /// Starts both processes; frames of `size` octets (with FCS) flow when this returns.
    ///
    /// # Errors
    /// One of them cannot be run or ended.
    pub fn start(place: &Place, variant: Variant, size: u16) -> Result<Self, ProcessError> {
        let socket = Socket::at(&place.run_dir);
        let null = format!("net_null0,size={},copy=1", size.saturating_sub(FCS));
        let vhost = format!("net_vhost0,iface={},queues=1", socket.path().display());
        let mut host = Testpmd::start(
            "host",
            place.host_cpu,
            &[null, vhost],
            variant.eal(),
            &place.huge_dir,
        )?;
        let guest = guest(place, &socket, variant)?;
        host.forward()?;
        Ok(Self {
            guest,
            host,
            _socket: socket,
        })
    }

    /// Frames per second that crossed the guest in `span`, after `warm_up`.
    ///
    /// # Errors
    /// One of the processes ended or does not answer.
    pub fn measure(&mut self, warm_up: Duration, span: Duration) -> Result<f64, ProcessError> {
        sleep(warm_up);
        let before = self.host.sent(0)?;
        sleep(span);
        let after = self.host.sent(0)?;
        // A guest that has ended is said, not counted as slow.
        self.guest.sent(0)?;
        let seconds = after.at.duration_since(before.at).as_secs_f64();
        let fps = after.frames.saturating_sub(before.frames) as f64 / seconds;
        let own = after.own_fps as f64;
        if (fps / own - 1.0).abs() > 0.05 {
            eprintln!(
                "note: testpmd reckons {own:.0} frames/s where {fps:.0} were counted over {seconds:.3} s"
            );
        }
        Ok(fps)
    }
}
