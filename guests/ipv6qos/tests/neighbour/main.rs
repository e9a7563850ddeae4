//! The control side of the links, as RFC 4861, 4862 and 3810 describe it.

mod advertise;
mod anycast;
mod bounds;
mod groups;
mod lab;
mod machine;
mod own;
mod protection;
mod redirect;
mod sharing;
mod wire;
