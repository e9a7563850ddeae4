//! Machines come and go: launching and ending take milliseconds, so each has a thread for it.
//!
//! Must never launch two machines of one guest at a time, or end one that workers still deliver into.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::agent;
use super::engine::{Engine, Events, GuestEvent, LaunchError};
use super::handle::Message;
use super::lifecycle::State;
use super::lines::{Admission, Lines};
use super::pairs::Pairs;
use super::progress::Progress;
use super::share;
use super::watch::{Run, say_done};

/// Stack of the threads that launch and end guests, octets.
const STACK: usize = 512 * 1024;

impl Run {
    /// Launching takes milliseconds and guests boot side by side, so each has a thread for it.
    pub(super) fn launch(&mut self, slot: usize, generation: u64) {
        let guest = &mut self.guests[slot];
        if guest.launching.is_some() {
            // One at a time; `launched` goes on with the newest.
            return;
        }
        guest.launching = Some(generation);
        guest.said_hello = false;
        guest.cannot_launch = false;
        guest.cpu = None;
        guest.usage = None;
        guest.vifs_up = 0;
        guest.progress = Progress::default();
        guest.pairs = Pairs::default();
        guest.lines = 0;
        guest.events = Default::default();
        guest.not_restored = 0;
        // Nothing changes it before the guest runs.
        let replay = { guest.journal.as_ref() }.is_some_and(|journal| journal.has_changes());
        let messages = self.handle.messages.clone();
        let (config, kvm) = (Arc::clone(&self.config), self.kvm.clone());
        let events: Events = {
            let messages = messages.clone();
            let lines = Arc::new(Lines::default());
            Arc::new(move |event| {
                let (event, heard) = match (&event, lines.admit_if(is_line(&event))) {
                    (_, Admission::Heard(heard)) => (event, Some(heard)),
                    (_, Admission::Free) => (event, None),
                    (_, Admission::Flood) => {
                        (GuestEvent::Fault("floods its control channel".into()), None)
                    }
                    (_, Admission::Ignored) => return,
                };
                drop(messages.send(Message::Guest {
                    slot,
                    generation,
                    event,
                    heard,
                }));
            })
        };
        let kicks = self.workers.bells();
        let launch = move || {
            let pi = &config.pis[slot];
            // One that the kernel refused its share: it ends when that was told, as its end is an event too.
            let mut refused = None;
            // Whoever waits for this launch hears of its end, whatever the end is.
            let launch = AssertUnwindSafe(|| {
                let engine = Engine::launch(kvm.as_deref(), &config, slot, kicks, events)?;
                let threads = engine.threads();
                if let Err(source) = share::apply(&pi.cpu, &config.guest_cpus(slot), &threads) {
                    refused = Some(engine);
                    let pi = pi.name.clone();
                    return Err(LaunchError::Share { pi, source });
                }
                let cpu = share::in_force(&pi.cpu, &threads).map(Box::new);
                drop(messages.send(Message::Bounded {
                    slot,
                    generation,
                    cpu,
                }));
                // From here on it may forward.
                engine.send_line(&agent::config_line(&config, pi, replay));
                Ok(engine)
            });
            let engine = catch_unwind(launch).unwrap_or(Err(LaunchError::Panicked));
            drop(messages.send(Message::Launched {
                slot,
                generation,
                engine,
            }));
            drop(refused);
        };
        let name = format!("launch-{}", self.config.pis[slot].name);
        let spawned = std::thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(launch);
        if let Err(error) = spawned {
            self.guests[slot].launching = None;
            self.fail(slot, format!("no thread to launch it: {error}"));
        }
    }

    /// The workers let go first, so that nothing is delivered into a machine that ends. Ending takes
    /// milliseconds, in which others want watching: a thread of its own does it, and says when it is
    /// `done`.
    pub(super) fn take_down(&mut self, slot: usize, done: Option<SyncSender<()>>) {
        self.drop_requests(slot);
        let parts = self.workers.detach(slot, None);
        let guest = &mut self.guests[slot];
        guest.listeners.down();
        guest.cpu = None;
        guest.usage = None;
        let Some(engine) = guest.engine.take() else {
            say_done(done);
            return;
        };
        guest.last_console = engine.console_since(0);
        self.endings.retain(|ending| !ending.is_finished());
        let end = move || {
            engine.stop();
            drop(parts);
            say_done(done);
        };
        let name = format!("end-{}", self.config.pis[slot].name);
        // Without a thread the closure is dropped, and a machine that is dropped ends here and now.
        let thread = std::thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(end);
        self.endings.extend(thread);
    }

    pub(super) fn launched(
        &mut self,
        slot: usize,
        generation: u64,
        engine: Result<Engine, LaunchError>,
    ) {
        let guest = &mut self.guests[slot];
        guest.launching = None;
        let is_up = guest.life.is_up(generation);
        match engine {
            Ok(engine) => {
                guest.engine = Some(engine);
                if !is_up {
                    // It failed, or was told to stop, before its launcher returned.
                    self.take_down(slot, None);
                } else {
                    self.send_request(slot);
                }
            }
            Err(error) if is_up => {
                guest.cannot_launch = true;
                self.fail(slot, format!("cannot be launched: {error}"));
            }
            Err(_) => {}
        }
        // Whoever wanted a newer one in the meantime gets it now.
        let life = &self.guests[slot].life;
        if life.generation() != generation && life.state() == State::Booting {
            self.launch(slot, life.generation());
        }
    }
}

fn is_line(event: &GuestEvent) -> bool {
    matches!(event, GuestEvent::Line(_))
}
