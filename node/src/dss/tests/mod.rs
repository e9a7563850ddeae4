//! What is set for connections, and what is taken away again, in a node that fails as it is told.
//!
//! ```text
//! node     the node: a guest's table, level 2 of two ports
//! table    what the guest is to have, whatever it answers
//! reserve  what level 2 has
//! sockets  permanent ends, of a guest that is heard while it is asked
//! whole    operations of a daemon: all of them or nothing, and nothing of a daemon that is gone
//! ```

mod node;
mod reserve;
mod sockets;
mod table;
mod whole;
