//! The signalling daemon: sockets of applications on one side, links to neighbours on the other, a switch beneath.
//!
//! ```text
//! applications --isp--> sockets \
//!                                core -- path, release -- switch
//! neighbours -----PDUs--> network /
//!
//! configuration  what it is told when it starts
//! core           what it is: what it hears, and what it wants done
//! sockets        what applications say
//! network        what neighbours say
//! path           where a call goes, what is reserved for it, and that it is asked
//! release        how a call ends
//! call           a call: two legs, what is switched, how far it has come
//! share          who may have how many calls
//! screen         whether a call may come from where it says
//! link, labels   a link, and which of its labels are in use
//! switch         what is asked of the switch
//! code, blli     causes and B-LLI as sockets have them
//! view           what it shows of itself
//! ```
//!
//! All of it is pure. A daemon of a host has no switch: connections end there, and frames of applications carry the
//! labels of its links. A daemon of a node has one, and every connection is set in it before the next node is asked.

mod blli;
mod call;
mod code;
mod configuration;
mod core;
pub mod labels;
mod link;
mod network;
mod path;
mod release;
mod screen;
mod share;
mod sockets;
pub mod switch;
pub mod view;

pub use self::code::{cause, code};
pub use self::configuration::{
    CALLS, CDVT_NS, CLIENTS, Configuration, LabelRange, PortConfiguration, Problem,
    RouteConfiguration,
};
pub use self::core::{CLOSE_NS, Daemon, Output};

/// An application, by a number of its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);
