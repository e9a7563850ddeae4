//! What a frame belongs to: the Parallel Internet Header, the 256-entry classification table,
//! trunk and access ports, policers.
//!
//! The way of a frame through this crate, in the order of the files:
//!
//! | step | file |
//! |---|---|
//! | the PIH is read at octet 14, behind EtherType 0x88B5 | [`pih`] |
//! | one table look-up gives the PI's slot or the cause of the drop | [`table`] |
//! | a trunk port reads the header from the frame, an access port gives its own | [`trunk`], [`access`] |
//! | the PI's policer on this port: GCRA over octets, time injected | [`policer`] |
//! | the frame's head is exchanged while it is copied, never in a pass of its own | [`splice`] |
//! | every refusal has a cause, and each cause a counter | [`mod@drop`] |
//!
//! Nothing here allocates, locks, reads a clock or panics on a frame's octets, whatever they are.
//! Nothing here knows a socket, a ring or a virtual machine.
//!
//! ```
//! use pinode_classifier::{GuestForm, Pi, PiCode, PortClassifier, Trunk, Vn, VnSet};
//!
//! let ipv6qos = Pi {
//!     slot: 0,
//!     code: PiCode::new(1)?,
//!     vns: VnSet::from_iter([Vn::DEFAULT]),
//!     form: GuestForm::Keep,
//! };
//! let west = PortClassifier::from(Trunk::new(0x88B5, 1500, &[ipv6qos])?);
//! let mut frame = [0u8; 60];
//! frame[12..15].copy_from_slice(&[0x88, 0xB5, 0x20]);
//! let verdict = west.classify(&frame)?;
//! assert_eq!(verdict.slot, 0);
//! assert!(west.to_guest(verdict, &frame).prefix().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod access;
pub mod drop;
pub mod pi;
pub mod pih;
pub mod policer;
pub mod port;
pub mod splice;
pub mod table;
pub mod trunk;

pub use access::Access;
pub use drop::{Drop, TxDrop};
pub use pi::{ConfigError, GuestForm, MAX_PIS, Pi};
pub use pih::{ETHERTYPE_DEFAULT, PiCode, Pih, PihError, Vn, VnSet, default_access_ethertype};
pub use policer::{Policer, PolicerError};
pub use port::{PortClassifier, Verdict};
pub use splice::{MIN_FRAME_OCTETS, Splice};
pub use table::Table;
pub use trunk::Trunk;
