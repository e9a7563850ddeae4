//! Where frames enter and leave the node: memory, AF_XDP, AF_PACKET, TAP, pcap, memif.
//!
//! One trait, [`Port`], stands between the data-plane worker and whatever carries the frames. It works in
//! bursts, lends buffers instead of handing over copies, never blocks, and is told the time instead of
//! asking for it. The crate knows nothing of Parallel Internets, queues or guests: a frame is octets
//! without FCS, and leaves as it was given.
//!
//! ```
//! use pinode_ports::{Port, RxBurst, TxMeta, TxSlots, memory};
//!
//! let (mut port, mut far) = memory::pair(256, 2048);
//! assert!(far.send(&[0xaa; 60]));
//!
//! let mut burst = RxBurst::new();
//! port.rx_burst(0, &mut burst);
//! assert_eq!(burst[0], [0xaa; 60]);
//! drop(burst);
//!
//! let mut slots = TxSlots::new();
//! port.tx_slots(1, &mut slots);
//! slots[0][..60].fill(0xbb);
//! drop(slots); // ends the loan
//! assert_eq!(port.tx_commit(&[TxMeta { len: 60, start_ns: 7 }]), 1);
//! assert_eq!(far.recv(|frame, start_ns| assert_eq!((frame, start_ns), (&[0xbb; 60][..], 7))), 1);
//! ```

mod af_packet;
mod af_xdp;
mod checksum;
mod copy;
mod error;
mod fake;
mod fault;
mod inline;
mod interface;
mod memif;
pub mod memory;
mod open;
mod pcap;
mod port;
mod rss;
mod segment;
mod send_queue;
mod shaped;
mod spec;
mod tap;
#[allow(unsafe_code)] // Slots lie in a mapping of their own.
mod unsafe_area;
#[allow(unsafe_code)] // ioctl(2) takes C structures.
mod unsafe_ifreq;
#[allow(unsafe_code)] // setsockopt(2) takes C values.
mod unsafe_option;

pub use af_packet::AfPacketPort;
pub use af_xdp::AfXdpPort;
pub use copy::copy_frame;
pub use error::{PortError, SpecError};
pub use fake::{FakePort, FakeScript};
pub use fault::{FaultCounts, FaultPort, FaultWatch, Faults};
pub use inline::{InjectSlots, InlinePort, Wire};
pub use interface::has_carrier;
pub use memif::{MemifError, MemifPort, MemifRole, MemifSpec};
pub use open::{Cables, open};
pub use pcap::PcapPort;
pub use port::{BURST, DEFAULT_SLOT_OCTETS, Port, RxBurst, TxMeta, TxSlots, Wake, slot_octets_for};
pub use rss::{INDIRECTION, Rss, toeplitz};
pub use shaped::{ShapedCounts, ShapedPort, ShapedWatch};
pub use spec::{BackendSpec, InterfaceName, PortSpec};
pub use tap::TapPort;
