//! The bootable image of the IPv6 QoS function; `pinode-images` builds and embeds it.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_ipv6qos::Router::default());
