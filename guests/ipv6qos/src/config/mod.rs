//! The configuration: what `pi.NAME.config` of node.toml says, read into items and settings.
//!
//! ```text
//! problem     what is wrong, and where
//! limits      how much there may be of each thing
//! interface   settings of an interface
//! reading     JSON to what is above, each mistake with its place
//! ```
//!
//! Reading is pure and the same in the guest and on the host, where `pinode check` does it before a guest starts.
//! What only shows when items are applied one after the other, such as a route whose next router is on no link, is
//! found by applying them.

mod interface;
mod limits;
mod problem;
mod reading;

use alloc::vec::Vec;

use pinode_guest_runtime::Config;

use crate::control::Item;
use crate::filter::flows;
use crate::icmp::LimitConfig;
use crate::interface::Names;
use crate::vn::InterfaceId;

pub use interface::InterfaceSettings;
pub use limits::Limits;
pub use problem::{Place, Problem};

/// A configuration that could be read.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The interfaces there are.
    pub names: Names,
    /// How much there may be of each thing.
    pub limits: Limits,
    /// How many flows there may be, and for how long.
    pub flows: flows::Limits,
    /// How many ICMPv6 errors may be sent.
    pub icmp: LimitConfig,
    /// What is set of interfaces; those left out have defaults.
    pub interfaces: Vec<(InterfaceId, InterfaceSettings)>,
    /// What is added at start, in this order, and where it stands.
    pub items: Vec<(Place, Item)>,
}

impl Configuration {
    /// Reads `config`.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn read(config: &Config) -> Result<Self, Vec<Problem>> {
        reading::read(config)
    }
}
