//! The one thread of a machine that serves its general devices: it sleeps in epoll until a guest kicks one of them
//! or the owner has something to say.
//!
//! It must never touch a data queue of a vif.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::devices::console::ConsoleDevice;
use crate::devices::net_control::NetControl;
use crate::mmio::slot::Slot;
use crate::vcpu::Shared;

/// A device the thread serves.
pub enum Served {
    /// The console.
    Console(Arc<ConsoleDevice>),
    /// A vif's control queue.
    NetControl(Arc<NetControl>),
}

impl Served {
    fn event(&self) -> &EventFd {
        match self {
            Served::Console(console) => console.event(),
            Served::NetControl(control) => control.event(),
        }
    }

    fn service(&self) -> Result<(), String> {
        match self {
            Served::Console(console) => console.service(),
            Served::NetControl(control) => control.service(),
        }
    }
}

/// What the thread needs, made before it starts so that errors reach `Machine::boot`.
pub struct DeviceThread {
    epoll: Epoll,
    served: Vec<(Served, Arc<Slot>, String)>,
    wake: EventFd,
    shared: Arc<Shared>,
}

impl DeviceThread {
    /// Watches the devices' events; the second value wakes the thread so that it looks whether to stop.
    pub fn new(
        served: Vec<(Served, Arc<Slot>, String)>,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, EventFd)> {
        let (epoll, wake) = (Epoll::new()?, EventFd::new(EFD_NONBLOCK)?);
        let events = served
            .iter()
            .map(|(served, ..)| served.event())
            .chain([&wake]);
        for (token, event) in (0u64..).zip(events) {
            epoll.ctl(
                ControlOperation::Add,
                event.as_raw_fd(),
                EpollEvent::new(EventSet::IN, token),
            )?;
        }
        let waker = wake.try_clone()?;
        Ok((
            Self {
                epoll,
                served,
                wake,
                shared,
            },
            waker,
        ))
    }

    /// Serves until the machine stops.
    pub fn run(self) {
        let mut events = vec![EpollEvent::default(); self.served.len() + 1];
        while !self.shared.is_stopping() {
            let ready = match self.epoll.wait(-1, &mut events) {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return self
                        .shared
                        .fault(format!("device thread: {error}"), None, None);
                }
            };
            for event in events.iter().take(ready) {
                self.serve(event.data());
            }
        }
    }

    fn serve(&self, token: u64) {
        let Some((served, slot, label)) = usize::try_from(token)
            .ok()
            .and_then(|token| self.served.get(token))
        else {
            let _ = self.wake.read();
            return;
        };
        let _ = served.event().read();
        if let Err(why) = served.service() {
            slot.broken();
            self.shared.fault(format!("{label}: {why}"), None, None);
        }
    }
}
