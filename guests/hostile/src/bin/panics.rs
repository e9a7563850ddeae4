//! Panics with its 1,000th frame.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_hostile::Hostile::new(|| panic!(
    "enough frames"
)));
