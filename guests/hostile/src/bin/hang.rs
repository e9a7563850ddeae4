//! Spins for ever with its 1,000th frame; ring 3 runs with interrupts off.

#![no_std]
#![no_main]

pinode_guest_runtime::image!(pinode_guest_hostile::Hostile::new(|| loop {
    core::hint::spin_loop();
}));
