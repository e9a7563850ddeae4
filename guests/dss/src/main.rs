//! The bootable image of the DSS function; `pinode-images` builds and embeds it.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_dss::Switch::default());
