//! The bootable image of the floor; `pinode-images` builds it for the benchmarks.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_floor::Floor::default());
