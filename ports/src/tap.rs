//! TAP: the far end is this host's own network stack, or a program that holds the interface (tun(4)).
//!
//! A frame costs a system call here, each way: the interface of the tun driver. For reaching the node
//! from its own host and for tests; a busy link is AF_XDP's. Must never block.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use arrayvec::ArrayVec;

use crate::error::{Blame, PortError};
use crate::interface::{self, Interface};
use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake, slot_octets_for};
use crate::send_queue::{RETRY_NS, SendQueue, Stop};
use crate::spec::InterfaceName;
use crate::unsafe_ifreq;

const DEVICE: &str = "/dev/net/tun";
const TX_SLOTS: usize = BURST;

/// A port on a TAP interface.
pub struct TapPort {
    tun: File,
    rx: Box<[u8]>,
    lengths: ArrayVec<usize, BURST>,
    queue: SendQueue,
    interface: Interface,
    created: bool,
}

impl TapPort {
    /// Opens the TAP interface, or creates it for as long as a port lives, and brings it up. One that
    /// it creates gets the ports' MTU. With several `ports` each is a queue of it: the kernel chooses
    /// the queue by the flow, as its own stack sees flows.
    ///
    /// # Errors
    /// No /dev/net/tun, no cap_net_admin, an interface in use, of another kind or without several queues,
    /// or too small an MTU.
    pub fn open(name: &InterfaceName, mtu: u16, ports: usize) -> Result<Vec<Self>, PortError> {
        let blame = Blame(format!("tap:{name}"));
        let created = !interface::exists(name, &blame)?;
        let several = ports > 1;
        let tuns: Result<Vec<_>, _> = (0..ports.max(1))
            .map(|_| open_tun(name, several, &blame))
            .collect();
        let port = |tun| Self::on(tun, name, mtu, created, &blame);
        tuns?.into_iter().map(port).collect()
    }

    fn on(
        tun: File,
        name: &InterfaceName,
        mtu: u16,
        created: bool,
        blame: &Blame,
    ) -> Result<Self, PortError> {
        let interface = Interface::find(name, blame)?;
        if created {
            interface.set_mtu(mtu)?;
        }
        interface.require_mtu(mtu)?;
        interface.bring_up()?;
        let slot_octets = slot_octets_for(mtu);
        let interface_frame = 18 + interface.mtu()? as usize;
        Ok(Self {
            tun,
            rx: vec![0; BURST * slot_octets].into_boxed_slice(),
            lengths: ArrayVec::new(),
            queue: SendQueue::new(TX_SLOTS, slot_octets, interface_frame),
            interface,
            created,
        })
    }
}

/// A queue of the interface, which comes to be with its first.
fn open_tun(name: &InterfaceName, several: bool, blame: &Blame) -> Result<File, PortError> {
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(DEVICE);
    let tun = tun.map_err(|e| match e.kind() {
        ErrorKind::NotFound => PortError::Unsupported {
            backend: blame.0.clone(),
            what: "/dev/net/tun",
            instead: "`modprobe tun` loads its driver",
        },
        _ => blame.refused("open /dev/net/tun", "cap_net_admin", e),
    })?;
    let invalid = |e: &std::io::Error| e.raw_os_error() == Some(libc::EINVAL);
    let name = name.as_str();
    let answer = match unsafe_ifreq::become_tap(&tun, name, several) {
        // One that was made for several queues may be used by one alone.
        Err(error) if invalid(&error) && !several => unsafe_ifreq::become_tap(&tun, name, true),
        answer => answer,
    };
    answer.map_err(|e| match several {
        _ if !invalid(&e) => {
            blame.refused("open or create the TAP interface", "cap_net_admin", e)
        }
        false => PortError::Unsupported {
            backend: blame.0.clone(),
            what: "a TAP interface of this name (another kind of interface has it)",
            instead: "choose another name, or use af_packet for it",
        },
        true => PortError::Unsupported {
            backend: blame.0.clone(),
            what: "a TAP interface of this name with several queues (the one that has it has one, or is of another kind)",
            instead: "choose another name, make it by `ip tuntap add mode tap multi_queue dev NAME`, or let one worker do",
        },
    })?;
    Ok(tun)
}

/// Writes frames until the driver refuses one. Returns how many it took.
fn send(mut tun: &File, queue: &SendQueue) -> Result<usize, Stop> {
    let mut sent = 0;
    for frame in queue.frames() {
        match tun.write(frame) {
            Ok(_) => sent += 1,
            Err(_) if sent > 0 => break,
            Err(error) => return Err(Stop::from(error)),
        }
    }
    Ok(sent)
}

impl Port for TapPort {
    fn rx_burst<'a>(&'a mut self, _now_ns: u64, burst: &mut RxBurst<'a>) {
        self.queue.retry(|queue| send(&self.tun, queue));
        self.lengths.clear();
        let slot_octets = self.queue.slot_octets();
        // A frame above the slot is cut to it, still above the MTU: the worker counts it.
        for slot in self
            .rx
            .chunks_exact_mut(slot_octets)
            .take(burst.remaining_capacity())
        {
            match (&self.tun).read(slot) {
                Ok(len) if len > 0 => self.lengths.push(len),
                _ => break,
            }
        }
        let frames = self.rx.chunks_exact(slot_octets).zip(&self.lengths);
        burst.extend(frames.map(|(slot, len)| slot.get(..*len).unwrap_or(slot)));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.queue.lend(want, slots);
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.queue.commit(frames, |queue| send(&self.tun, queue))
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        if self.queue.is_waiting() {
            return Wake::At(now_ns.saturating_add(RETRY_NS));
        }
        Wake::Readable(self.tun.as_fd())
    }

    fn slot_octets(&self) -> usize {
        self.queue.slot_octets()
    }

    fn describe(&self) -> String {
        let origin = if self.created { "created" } else { "opened" };
        format!("tap {}: {origin}, brought up", self.interface.name)
    }

    fn tx_lost(&self) -> u64 {
        self.queue.lost()
    }
}
