//! A sleep in virtual time: nobody waits. What happens while a worker sleeps is the test's doing.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use pinode_node::dataplane::idle::Sleep;
use pinode_node::dataplane::sleeper::Sleeper;

type During = Box<dyn FnMut(Sleep) + Send>;

/// What all workers of a rig sleep with.
#[derive(Clone)]
pub struct FakeSleeper {
    slept: Arc<Mutex<Vec<Sleep>>>,
    during: Arc<Mutex<During>>,
}

impl FakeSleeper {
    pub fn new() -> Self {
        Self {
            slept: Arc::default(),
            during: Arc::new(Mutex::new(Box::new(|_| ()))),
        }
    }

    /// What happens during each sleep from now on.
    pub fn during(&self, during: impl FnMut(Sleep) + Send + 'static) {
        *self.during.lock().unwrap() = Box::new(during);
    }

    /// The sleeps since the last call.
    pub fn slept(&self) -> Vec<Sleep> {
        std::mem::take(&mut self.slept.lock().unwrap())
    }
}

impl Sleeper for FakeSleeper {
    fn watch(&mut self, _lane: usize, _fd: BorrowedFd<'_>) -> bool {
        true
    }

    fn sleep(&mut self, sleep: Sleep) {
        self.slept.lock().unwrap().push(sleep);
        (self.during.lock().unwrap())(sleep);
    }
}
