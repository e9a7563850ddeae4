//! Ports on real interfaces: veth pairs and TAPs in network namespaces of the tests' own.

mod af_packet;
mod af_xdp;
mod bench;
mod permissions;
mod queues;
mod rest;
mod stacks;
mod tap;
#[allow(unsafe_code)] // unshare(2).
mod unsafe_namespace;
