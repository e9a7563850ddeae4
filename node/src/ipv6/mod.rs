//! What the node does for routers of PI IPv6 QoS (`builtin:ipv6qos`) at run time: changes, lists, and the memory
//! of changes that outlives a router.
//!
//! ```text
//! key      what names an item
//! journal  what was changed at run time, and how a fresh router is told (pure)
//! router   operations: changes in pieces, lists page by page
//! ```
//!
//! Items, requests and answers are the guest library's own types. Must never be on the frame path, nor trust an
//! answer further than the request it answers.

pub mod journal;
pub mod key;
pub mod router;

pub use journal::RouterJournal;
pub use key::Key;
pub use router::{Router, Stopped};

use pinode_guest_ipv6qos::config::Configuration;

use crate::config::{GuestImage, NodeConfig, PiConfig};
use crate::supervisor::Journal;

/// The built-in guest that is such a router.
pub const GUEST: &str = "ipv6qos";

/// Whether the guest of this PI is such a router.
#[must_use]
pub fn is_router(pi: &PiConfig) -> bool {
    matches!(&pi.guest, GuestImage::Builtin(name) if name == GUEST)
}

/// What keeps the changes made to each guest at run time, by slot; routers have one.
#[must_use]
pub fn journals(config: &NodeConfig) -> Vec<Option<Box<dyn Journal>>> {
    let journal = |pi: &PiConfig| -> Option<Box<dyn Journal>> {
        // What cannot be read was refused with the node's configuration.
        let configuration = Configuration::read(&config.guest_config(pi, 0)).ok();
        let configuration = configuration.filter(|_| is_router(pi))?;
        Some(Box::new(RouterJournal::new(&configuration)))
    };
    config.pis.iter().map(journal).collect()
}
