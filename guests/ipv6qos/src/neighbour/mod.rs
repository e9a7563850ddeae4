//! The control side of the links: neighbour discovery (RFC 4861), address uniqueness (RFC 4862 5.4), group
//! membership (RFC 3810). Pure: what was received and the time go in, what is to be sent comes out.
//!
//! ```text
//! outbox      what is to be done: messages, frames that waited, news
//! neighbours  what the caller asks of the cache
//! cache/      neighbours: look-up, resolution, reachability
//! discovery   all links: what the caller deals with
//! link        an interface as all of this sees it
//! own         its addresses: verified, answered for, defended
//! groups      the groups it listens to, and their reports
//! advertise/  router advertisements: what and when
//! redirect    telling a host of a better next hop
//! receive     what a message does to all of them
//! wire/       octets of each message
//! random      delays
//! ```
//!
//! The caller looks for the next hop of a packet with [`Discovery::find`] and [`Discovery::hop`]; where none is usable
//! it gives the frame to [`Discovery::resolve`] and finds it in the [`Outbox`] again, later or at once. It gives
//! what [`icmp::parse`](crate::icmp::parse) made of a message to [`Discovery::receive`], the time to
//! [`Discovery::tick`] each millisecond, and after each of these does what the outbox says.

pub mod advertise;
pub mod cache;
mod discovery;
mod groups;
mod link;
mod neighbours;
pub mod outbox;
mod own;
mod random;
mod receive;
mod redirect;
mod wire;

pub use advertise::config::{Advertise, Parameters};
pub use cache::{Asker, Counts, Filter, Hop, Listed, NeighbourId};
pub use discovery::{Discovery, Limits};
pub use link::{LinkConfig, LinkError, link_local};
pub use neighbours::NeighbourError;
pub use outbox::{Event, Fate, Message, Outbox, Outgoing, vif_bit};
pub use own::ADDRESSES;
pub use receive::Ignored;
pub use redirect::Redirect;
pub use wire::Written;
