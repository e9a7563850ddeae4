//! Writes garbage over its rings and buffers with its 1,000th frame, and goes on.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_hostile::Hostile::new(
    pinode_guest_hostile::unsafe_misdeeds::scramble_rings
));
