//! Writes to address 0 with its 1,000th frame: a page fault.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_hostile::Hostile::new(
    pinode_guest_hostile::unsafe_misdeeds::write_null
));
