//! AF_XDP: frames straight from the driver, past the host's stack (Documentation/networking/af_xdp.rst).
//!
//! Native XDP where the driver has it, generic XDP else; zero-copy where the driver offers it, copy mode
//! else; the port's description says which. Every receive queue of the interface has its socket; the ports
//! of an interface share the program, and each sends on the first of its queues. The program is attached by a bpf link, which goes away with the process however it ends.
//! Must never make a system call per frame: one per burst, and only where the kernel asks for it.
//!
//! The kernel drops what the driver has taken out of a frame before XDP: an interface that strips 802.1Q
//! tags (`ethtool -K IF rxvlan off`, on a veth `txvlan off` on its peer) delivers frames without them.

mod program;
#[allow(unsafe_code)] // bpf(2) takes a union of C structures.
mod unsafe_bpf;
#[allow(unsafe_code)] // Rings and frames are memory shared with the kernel.
mod unsafe_queue;
#[allow(unsafe_code)] // Index words and entries of a ring, shared with the kernel.
mod unsafe_ring;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::epoll;

use self::unsafe_bpf::{Link, Mode, SocketMap};
use self::unsafe_queue::{Queue, QueueConfig};
use crate::af_packet::{open_packet_socket, promiscuous};
use crate::error::{Blame, PortError};
use crate::interface::Interface;
use crate::port::{Port, RxBurst, TxMeta, TxSlots, Wake};
use crate::send_queue::RETRY_NS;
use crate::spec::InterfaceName;

/// Octets of frame memory for receiving on a queue.
const RX_OCTETS: usize = 2 << 20;
/// Octets of frame memory for sending: the kernel takes a burst at once, so far fewer wait. With both, 3 MiB a port of
/// one queue.
const TX_OCTETS: usize = 1 << 20;
/// What the kernel keeps free in front of a received frame (XDP_PACKET_HEADROOM).
const HEADROOM: usize = 256;
/// Ethernet header, 802.1Q tag, PIH.
const HEADERS: usize = 19;
/// Frame memory is cut into chunks of at most a page.
const CHUNKS: [usize; 2] = [2048, 4096];

const NEEDS: &str = "cap_net_admin,cap_net_raw,cap_bpf";

/// The chunk that holds a received frame of this MTU.
fn chunk_octets(mtu: u16) -> Option<usize> {
    CHUNKS
        .into_iter()
        .find(|chunk| chunk - HEADROOM - HEADERS >= usize::from(mtu))
}

/// Largest MTU that AF_XDP without multi-buffer carries.
fn largest_mtu() -> u16 {
    u16::try_from(CHUNKS[1] - HEADROOM - HEADERS).unwrap_or(u16::MAX)
}

/// What the ports of an interface share; it is let go with the last of them.
struct Attachment {
    // In the order of dropping: first no frame comes in, then promiscuity goes.
    link: Link,
    _map: SocketMap,
    _promiscuous: OwnedFd,
    interface: Interface,
    note: &'static str,
    queues: u32,
}

/// A port on an interface by AF_XDP sockets: on all its receive queues, or on a share of them.
pub struct AfXdpPort {
    /// Drops before the attachment: the kernel takes a socket out of the map with its last descriptor, and
    /// its frames go on to the host's stack for as long as other ports keep the program.
    queues: Box<[Queue]>,
    attachment: Arc<Attachment>,
    /// Readable when any of several queues is.
    any: Option<OwnedFd>,
    turn: usize,
}

impl AfXdpPort {
    /// Opens the interface, brings it up, attaches the program and binds a socket to each receive queue.
    /// Port number i of `ports` (at least 1) has the queues i, i + ports, i + 2 ports and so on.
    ///
    /// # Errors
    /// No such interface, an MTU it or AF_XDP does not carry, fewer receive queues than ports, a missing
    /// capability, another XDP program or socket on the interface, a limit of locked memory, or a kernel
    /// before 5.9.
    pub fn open(name: &InterfaceName, mtu: u16, ports: usize) -> Result<Vec<Self>, PortError> {
        let blame = Blame(format!("af_xdp:{name}"));
        let Some(chunk_octets) = chunk_octets(mtu) else {
            let (backend, limit) = (blame.0, largest_mtu());
            let instead = "; use af_packet for larger frames";
            return Err(PortError::MtuTooLarge {
                backend,
                limit,
                wants: mtu,
                instead,
            });
        };
        let interface = Interface::find(name, &blame)?;
        interface.require_mtu(mtu)?;
        let (has, ports) = (interface.receive_queues(), ports.max(1));
        if (has as usize) < ports {
            let interface = name.to_string();
            return Err(PortError::TooFewQueues {
                interface,
                has,
                wants: ports,
            });
        }
        let was_down = interface.bring_up()?;
        let packet = open_packet_socket(&blame)?;
        promiscuous(packet.as_fd(), interface.index)
            .map_err(|e| blame.refused("make the interface promiscuous", NEEDS, e))?;

        let map = SocketMap::new(has).map_err(|e| refused_bpf(&blame, "make an XSKMAP", e))?;
        let link = attach(&map, &interface, &blame)?;
        let mut queues: Vec<Vec<Queue>> = (0..ports).map(|_| Vec::new()).collect();
        for (id, port) in (0..has).zip((0..ports).cycle()) {
            let Some(queues) = queues.get_mut(port) else {
                continue;
            };
            let sends = queues.is_empty();
            let config = QueueConfig {
                chunk_octets,
                rx_chunks: RX_OCTETS / chunk_octets,
                tx_chunks: if sends { TX_OCTETS / chunk_octets } else { 0 },
            };
            let mut queue = Queue::new(config).map_err(|e| refused_socket(&blame, &config, e))?;
            bind(&mut queue, interface.index, id, link.mode())
                .map_err(|e| blame.refused("bind an AF_XDP socket to the interface", NEEDS, e))?;
            map.insert(id, queue.socket())
                .map_err(|e| refused_bpf(&blame, "enter a socket into the XSKMAP", e))?;
            queues.push(queue);
        }
        let attachment = Arc::new(Attachment {
            link,
            _map: map,
            _promiscuous: packet,
            interface,
            note: if was_down { ", brought up" } else { "" },
            queues: has,
        });
        let port = |queues: Vec<Queue>| {
            let any =
                any_of(&queues).map_err(|e| blame.refused("watch the receive queues", NEEDS, e))?;
            Ok(Self {
                queues: queues.into(),
                attachment: attachment.clone(),
                any,
                turn: 0,
            })
        };
        queues.into_iter().map(port).collect()
    }
}

/// A descriptor that is readable when one of several queues is; one queue needs none.
fn any_of(queues: &[Queue]) -> io::Result<Option<OwnedFd>> {
    if queues.len() < 2 {
        return Ok(None);
    }
    let any = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for queue in queues {
        let nothing = epoll::EventData::new_u64(0);
        epoll::add(&any, queue.socket(), nothing, epoll::EventFlags::IN)?;
    }
    Ok(Some(any))
}

/// Binds a socket to a queue. The kernel lets go of a queue some time after the last socket on it was
/// closed (by deferred work), so "busy" is asked again for a while.
fn bind(queue: &mut Queue, interface: u32, id: u32, mode: Mode) -> io::Result<()> {
    const TRIES: u32 = 100;
    const BETWEEN: Duration = Duration::from_millis(5);
    for _ in 1..TRIES {
        match queue.bind(interface, id, mode == Mode::Native) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => std::thread::sleep(BETWEEN),
            answer => return answer,
        }
    }
    queue.bind(interface, id, mode == Mode::Native)
}

/// Attaches the program in the driver, or in front of the host's stack where the driver cannot.
fn attach(map: &SocketMap, interface: &Interface, blame: &Blame) -> Result<Link, PortError> {
    let program = map
        .program()
        .map_err(|e| refused_bpf(blame, "load the XDP program", e))?;
    let link = match program.attach(interface.index, Mode::Native) {
        Err(error) if !is_held(&error) => program.attach(interface.index, Mode::Generic),
        answer => answer,
    };
    link.map_err(|e| {
        if is_held(&e) && e.raw_os_error() != Some(libc::EPERM) {
            return PortError::ProgramAttached {
                interface: interface.name.to_string(),
            };
        }
        refused_bpf(blame, "attach the XDP program", e)
    })
}

/// True where another program, or the lack of a permission, stands against attaching in any mode.
fn is_held(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM)
    )
}

fn refused_bpf(blame: &Blame, action: &'static str, error: io::Error) -> PortError {
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EINVAL | libc::EOPNOTSUPP) => PortError::Unsupported {
            backend: blame.0.clone(),
            what: "XDP with sockets and bpf links (Linux 5.9)",
            instead: "use af_packet",
        },
        _ => blame.refused(action, NEEDS, error),
    }
}

fn refused_socket(blame: &Blame, config: &QueueConfig, error: io::Error) -> PortError {
    match error.raw_os_error() {
        Some(libc::ENOBUFS) => {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
            PortError::LockedMemory {
                backend: blame.0.clone(),
                needs_kib: (config.octets() >> 10) as u64,
                limit_kib: limit.map_or(u64::MAX, |octets| octets >> 10),
            }
        }
        Some(libc::EAFNOSUPPORT) => PortError::Unsupported {
            backend: blame.0.clone(),
            what: "AF_XDP sockets (CONFIG_XDP_SOCKETS)",
            instead: "use af_packet",
        },
        _ => blame.refused("open an AF_XDP socket", NEEDS, error),
    }
}

impl Port for AfXdpPort {
    fn rx_burst<'a>(&'a mut self, _now_ns: u64, burst: &mut RxBurst<'a>) {
        let count = self.queues.len();
        let mut room = burst.remaining_capacity();
        for i in 0..count {
            if let Some(queue) = self.queues.get_mut((self.turn + i) % count) {
                room -= queue.receive(room);
            }
        }
        self.turn = (self.turn + 1) % count;
        burst.extend(self.queues.iter().flat_map(Queue::received));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        if let Some(first) = self.queues.first_mut() {
            first.lend(want, slots);
        }
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.queues
            .first_mut()
            .map_or(0, |first| first.commit(frames))
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        // Without a chunk nothing is received: those of the last burst go back first.
        self.queues.iter_mut().for_each(Queue::give_back);
        if self.queues.iter().any(Queue::has_received) {
            return Wake::Frames;
        }
        if self.queues.iter().any(Queue::has_unsent) {
            return Wake::At(now_ns.saturating_add(RETRY_NS));
        }
        match (&self.any, self.queues.first()) {
            (Some(any), _) => Wake::Readable(any.as_fd()),
            (None, Some(queue)) => Wake::Readable(queue.socket()),
            (None, None) => Wake::Nothing,
        }
    }

    fn slot_octets(&self) -> usize {
        self.queues.first().map_or(0, Queue::chunk_octets)
    }

    fn describe(&self) -> String {
        let zero_copy = self.queues.iter().all(Queue::is_zero_copy);
        let copy = if zero_copy { "zero-copy" } else { "copy mode" };
        let Attachment {
            interface, note, ..
        } = &*self.attachment;
        let mode = match self.attachment.link.mode() {
            Mode::Native => "native XDP",
            Mode::Generic => "generic XDP (the driver has no native one)",
        };
        let queues = match (self.queues.len(), self.attachment.queues) {
            (_, 1) => String::new(),
            (1, all) => format!(", one of {all} receive queues"),
            (own, all) if own == all as usize => format!(", {all} receive queues"),
            (own, all) => format!(", {own} of {all} receive queues"),
        };
        let (name, link) = (&interface.name, interface.link_note());
        format!("af_xdp {name}: {mode}, {copy}{queues}{note}{link}")
    }

    fn missed(&mut self) -> u64 {
        self.queues.iter().map(Queue::missed).sum()
    }

    fn tx_lost(&self) -> u64 {
        self.queues.iter().map(Queue::tx_lost).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_the_frames_of_their_mtu() {
        assert_eq!(chunk_octets(1500), Some(2048));
        assert_eq!(chunk_octets(1773), Some(2048));
        assert_eq!(chunk_octets(1774), Some(4096));
        assert_eq!(chunk_octets(largest_mtu()), Some(4096));
        assert_eq!(chunk_octets(largest_mtu() + 1), None);
    }
}
