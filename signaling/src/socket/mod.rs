//! Sockets of applications: streams of a given rate to an address, asked for of this host's daemon.
//!
//! ```text
//! Stream, Listener -- wait here, or asynchronous -- on tokio
//!    |         \
//!    |          held, asked   a socket of the internal protocol, a request to the daemon
//!    |             |
//!   flow        signaling     the connection to the daemon that all of them share, and its thread
//!    |             |
//!   packet      isp::Kernel, seqpacket
//! ```
//!
//! One thread listens to the daemon, whatever the number of streams. Frames come and go past it, in the threads that
//! send and receive.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use pinode_signaling::socket::{Call, Error, Signaling, Stream};
//! use pinode_signaling::{Peak, Qos, Traffic};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let signaling = Signaling::open(Path::new("/run/pinode/h1.dss"))?;
//! let traffic = Traffic::cbr(Peak::Bits(10_000_000), 1000);
//! let call = Call {
//!     called: "47.0005.80.ffe100.0000.f21a.0123.0020480a0b0c.00".parse()?,
//!     local: None,
//!     qos: Qos::both(traffic),
//! };
//! let stream = Stream::connect(&signaling, &call, None)?;
//! stream.send(b"at 10 Mbit/s at most", None)?;
//! let mut payload = [0; 1000];
//! loop {
//!     match stream.receive(&mut payload, None) {
//!         Ok(received) => println!("{} octets, {} frames lost before", received.octets, received.lost),
//!         Err(Error::Closed { .. }) => break,
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Must never send on a connection after the daemon was told that it is closed: its label is another's then.

mod asked;
#[cfg(feature = "async")]
pub mod asynchronous;
mod error;
mod flow;
mod inner;
mod listener;
pub mod pace;
mod signal;
mod signaling;
mod stream;

pub use error::Error;
pub use flow::Received;
pub use listener::Listener;
pub use signaling::Signaling;
pub use stream::{Call, Stream};
