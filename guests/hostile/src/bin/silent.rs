//! Boots and never says a word: no hello, no answer, no vif.

#![no_std]
#![no_main]

pinode_guest_runtime::image!({
    loop {
        core::hint::spin_loop();
    }
    #[allow(unreachable_code)]
    pinode_guest_hostile::Hostile::new(|| ())
});
