//! The signalling daemon: sockets of applications on one side, links to neighbours on the other, a switch beneath.
//!
//! ```text
//! labels   which labels of a link are in use
//! switch   what is asked of the switch
//! ```

pub mod labels;
pub mod switch;
