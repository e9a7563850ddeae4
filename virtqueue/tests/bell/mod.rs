//! What wakes a thread of a test, and fails the test if nothing does.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// Longer than any stall of a busy test machine; a lost wake-up would last for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// An interrupt line or a doorbell: rung once, it wakes the next or present sleeper.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }

    pub fn sleep(&self, who: &str) {
        let rung = self.rung.lock().unwrap();
        let (mut rung, timeout) = self
            .heard
            .wait_timeout_while(rung, PATIENCE, |rung| !*rung)
            .unwrap();
        assert!(
            !timeout.timed_out(),
            "the {who} was never woken: a lost wake-up"
        );
        *rung = false;
    }
}
