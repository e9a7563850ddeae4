//! AF_PACKET: any interface of Linux, no driver support needed (packet(7), TPACKET_V2).
//!
//! Received frames are read in the ring shared with the kernel, one burst is sent by one sendmmsg(2) that
//! copies (a shared transmit ring would let a slow receiver on a veth hold its slots). It goes past the
//! interface's queueing discipline, or through it where that holds each frame until its start. What local stacks
//! leave to hardware is done here: 802.1Q tags put back, checksums finished, super-frames cut. Must never
//! make a system call per ordinary frame.

mod launch;
mod qdisc;
mod spread;
#[allow(unsafe_code)] // The ring is memory shared with the kernel.
mod unsafe_ring;
#[allow(unsafe_code)] // sendmmsg and recvmsg take C structures.
mod unsafe_sender;
#[allow(unsafe_code)] // Socket options take C structures.
mod unsafe_socket;

use arrayvec::ArrayVec;
use std::os::fd::AsFd;

use self::launch::LaunchTime;
use self::unsafe_ring::{Arrived, RingConfig, RxRing};
use self::unsafe_sender::Sender;
pub(crate) use self::unsafe_socket::{open as open_packet_socket, promiscuous};
use crate::checksum::set_be16;
use crate::error::{Blame, PortError};
use crate::interface::Interface;
use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake, slot_octets_for};
use crate::segment::{Cut, Offload};
use crate::send_queue::{RETRY_NS, SendQueue, Stop};
use crate::spec::InterfaceName;

/// Slots between the worker and sendmmsg.
const TX_SLOTS: usize = 2 * BURST;
/// Octets of the receive ring; frames that find it full are counted as missed.
const RX_RING_OCTETS: usize = 2 << 20;
/// Longest super-frame taken: 64 KiB of IP behind an Ethernet header with tag.
const SUPER_OCTETS: usize = 65_535 + 18;
/// Room of the socket for super-frames that wait to be cut, octets.
const SUPER_ROOM: u32 = 4 << 20;

const NEEDS: &str = "cap_net_raw,cap_net_admin";

/// A frame of the current burst.
enum Lent {
    InRing(Arrived),
    Cut { slot: usize, len: usize },
}

/// A super-frame being cut.
struct Cutting {
    cut: Cut,
    len: usize,
    next: usize,
}

/// A port on an interface by packet sockets.
pub struct AfPacketPort {
    ring: RxRing,
    sender: Sender,
    queue: SendQueue,
    lent: ArrayVec<Lent, BURST>,
    superframe: Box<[u8]>,
    cutting: Option<Cutting>,
    segments: Box<[u8]>,
    interface: Interface,
    note: &'static str,
    ports: usize,
    missed: u64,
}

impl AfPacketPort {
    /// Opens the interface, brings it up, and makes it promiscuous for as long as a port lives. With
    /// several `ports` the kernel spreads the frames over their sockets, those of one flow to one.
    ///
    /// # Errors
    /// No such interface, too small an MTU, or no cap_net_raw (cap_net_admin to bring it up).
    pub fn open(name: &InterfaceName, mtu: u16, ports: usize) -> Result<Vec<Self>, PortError> {
        let blame = Blame(format!("af_packet:{name}"));
        let ports = ports.max(1);
        let mut opened: Vec<Self> = Vec::new();
        let was_down = {
            let interface = Interface::find(name, &blame)?;
            interface.require_mtu(mtu)?;
            interface.bring_up()?
        };
        for _ in 0..ports {
            opened.push(Self::on(name, mtu, was_down, ports, &blame)?);
        }
        if ports > 1 {
            let sockets: Vec<_> = opened.iter().map(|port| port.ring.socket()).collect();
            unsafe_socket::fan_out(&sockets)
                .map_err(|e| blame.refused("spread frames over packet sockets", NEEDS, e))?;
        }
        Ok(opened)
    }

    fn on(
        name: &InterfaceName,
        mtu: u16,
        was_down: bool,
        ports: usize,
        blame: &Blame,
    ) -> Result<Self, PortError> {
        let interface = Interface::find(name, blame)?;
        let slot_octets = slot_octets_for(mtu);
        let receiver = unsafe_socket::open(blame)?;
        unsafe_socket::promiscuous(receiver.as_fd(), interface.index)
            .map_err(|e| blame.refused("make the interface promiscuous", NEEDS, e))?;
        unsafe_socket::prepare_receive(receiver.as_fd(), SUPER_ROOM, ports > 1)
            .map_err(|e| blame.refused("set up the packet socket", NEEDS, e))?;
        let ring = RxRing::new(receiver, RingConfig::new(RX_RING_OCTETS, slot_octets))
            .map_err(|e| blame.refused("set up the receive ring", NEEDS, e))?;
        unsafe_socket::bind(ring.socket(), interface.index, true)
            .map_err(|e| blame.refused("bind the packet socket", NEEDS, e))?;
        // Where the kernel does not say, frames go past the queueing discipline, as where it holds none.
        let holder = qdisc::holder(interface.index).unwrap_or(None);
        let socket = unsafe_socket::open(blame)?;
        let sender = Sender::new(socket, interface.index, holder.map(LaunchTime::new))
            .map_err(|e| blame.refused("set up the sending socket", NEEDS, e))?;
        let interface_frame = 18 + interface.mtu()? as usize;
        Ok(Self {
            ring,
            sender,
            queue: SendQueue::new(TX_SLOTS, slot_octets, interface_frame),
            lent: ArrayVec::new(),
            superframe: vec![0; Offload::OCTETS + SUPER_OCTETS].into_boxed_slice(),
            cutting: None,
            segments: vec![0; BURST * slot_octets].into_boxed_slice(),
            interface,
            note: if was_down { ", brought up" } else { "" },
            ports,
            missed: 0,
        })
    }

    /// Cuts what is left of a super-frame, if any, into the burst. True: the burst has room left.
    fn cut(&mut self, room: usize) -> bool {
        let Some(cutting) = &mut self.cutting else {
            return self.lent.len() < room;
        };
        let slot_octets = self.queue.slot_octets();
        let frame = self
            .superframe
            .get(Offload::OCTETS..Offload::OCTETS + cutting.len);
        while self.lent.len() < room && cutting.next < cutting.cut.segments() {
            let slot = self.lent.len();
            let out = self
                .segments
                .get_mut(slot * slot_octets..(slot + 1) * slot_octets);
            if let (Some(frame), Some(out)) = (frame, out)
                && let Some(len) = cutting.cut.write(frame, cutting.next, out)
            {
                self.lent.push(Lent::Cut { slot, len });
            } else {
                // A segment above the slot: its own stack sends above the port's MTU.
                self.missed += 1;
            }
            cutting.next += 1;
        }
        if cutting.next < cutting.cut.segments() {
            return false;
        }
        self.cutting = None;
        self.lent.len() < room
    }

    /// Takes the super-frame `arrived` over, whole and tagged, out of the ring or, where it exceeds its
    /// place there, from the socket. True: it will be cut.
    fn take_super(&mut self, arrived: &Arrived, offload: &Offload) -> bool {
        let len = if arrived.copied {
            match unsafe_socket::receive(self.ring.socket(), &mut self.superframe) {
                Ok(len) if len > Offload::OCTETS => {
                    len.min(self.superframe.len()) - Offload::OCTETS
                }
                _ => return false,
            }
        } else {
            let frame = self.ring.octets(arrived);
            let Some(to) = self
                .superframe
                .get_mut(Offload::OCTETS..Offload::OCTETS + frame.len())
            else {
                return false;
            };
            to.copy_from_slice(frame);
            frame.len()
        };
        let Some(frame) = self.superframe.get_mut(Offload::OCTETS..) else {
            return false;
        };
        let len = match arrived.tag {
            Some(tag) if len + TAG <= frame.len() && len >= ADDRESSES => {
                frame.copy_within(ADDRESSES..len, ADDRESSES + TAG);
                put_tag(frame, tag);
                len + TAG
            }
            _ => len,
        };
        let frame = frame.get(..len).unwrap_or(&[]);
        self.cutting = Cut::plan(frame, offload).map(|cut| Cutting { cut, len, next: 0 });
        self.cutting.is_some()
    }

    fn gather(&mut self, room: usize) {
        while self.cut(room) {
            let Some(mut arrived) = self.ring.next() else {
                break;
            };
            let offload = Offload::read(self.ring.in_front(&arrived)).unwrap_or_default();
            if (arrived.copied || offload.is_super()) && self.take_super(&arrived, &offload) {
                continue;
            }
            // What is above the MTU and no super-frame goes on as it is: the worker counts it.
            offload.complete(self.ring.octets_mut(&arrived));
            if let Some(tag) = arrived.tag
                && arrived.grow_front(TAG)
            {
                let frame = self.ring.octets_mut(&arrived);
                if frame.len() >= ADDRESSES + TAG {
                    frame.copy_within(TAG..TAG + ADDRESSES, 0);
                    put_tag(frame, tag);
                }
            }
            self.lent.push(Lent::InRing(arrived));
        }
    }
}

/// Sends frames by one system call. Returns how many the system took.
///
/// It says "no buffers" to a full interface and to one without carrier alike. A full one soon has room and
/// the frames wait; without carrier they would wait for a cable, so they are refused. Through a queueing
/// discipline it takes them without carrier, and they vanish, so it is not asked to.
fn send(sender: &mut Sender, interface: &Interface, queue: &SendQueue) -> Result<usize, Stop> {
    if sender.launch().is_some() && !interface.running() {
        return Err(Stop::Refused);
    }
    let answer = sender.send(queue.timed_frames());
    answer.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOBUFS) if !interface.running() => Stop::Refused,
        Some(libc::ENOBUFS) if sender.drops_late() => Stop::Late,
        _ => Stop::from(error),
    })
}

/// Octets of the two MAC addresses, and of an IEEE 802.1Q tag behind them.
const ADDRESSES: usize = 12;
const TAG: usize = 4;

/// Writes a tag (TPID, TCI) behind the addresses.
fn put_tag(frame: &mut [u8], [tpid, tci]: [u16; 2]) {
    set_be16(frame, ADDRESSES, tpid);
    set_be16(frame, ADDRESSES + 2, tci);
}

impl Port for AfPacketPort {
    fn rx_burst<'a>(&'a mut self, _now_ns: u64, burst: &mut RxBurst<'a>) {
        self.queue
            .retry(|queue| send(&mut self.sender, &self.interface, queue));
        self.ring.give_back();
        self.lent.clear();
        self.gather(burst.remaining_capacity());
        let slot_octets = self.queue.slot_octets();
        for lent in &self.lent {
            burst.push(match lent {
                Lent::InRing(arrived) => self.ring.octets(arrived),
                Lent::Cut { slot, len } => {
                    let start = slot * slot_octets;
                    self.segments.get(start..start + len).unwrap_or(&[])
                }
            });
        }
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.queue.lend(want, slots);
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        self.queue.commit(frames, |queue| {
            send(&mut self.sender, &self.interface, queue)
        })
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        self.sender.look_after();
        // The kernel calls the socket readable by the frame before the next one it will write, so the
        // frames of the last burst go back first.
        self.lent.clear();
        self.ring.give_back();
        if self.cutting.is_some() || self.ring.has_next() {
            return Wake::Frames;
        }
        if self.queue.is_waiting() {
            return Wake::At(now_ns.saturating_add(RETRY_NS));
        }
        Wake::Readable(self.ring.socket())
    }

    fn slot_octets(&self) -> usize {
        self.queue.slot_octets()
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        self.sender.launch().map(LaunchTime::lead_ns)
    }

    fn describe(&self) -> String {
        let (name, note, link) = (&self.interface.name, self.note, self.interface.link_note());
        let share = match self.ports {
            1 => String::new(),
            ports => format!(", one of {ports} queues"),
        };
        let through = self.sender.launch().map_or(String::new(), |launch| {
            format!(" through {}", launch.describe())
        });
        format!("af_packet {name}: receive ring, sendmmsg{through}{share}{note}{link}")
    }

    fn missed(&mut self) -> u64 {
        self.sender.look_after();
        self.missed += unsafe_socket::drops(self.ring.socket()).unwrap_or(0);
        self.missed
    }

    fn tx_lost(&self) -> u64 {
        self.queue.lost() + self.sender.late()
    }
}
