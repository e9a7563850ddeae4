//! The worker: every host step of the frame path, to completion, in bursts, on one core.
//!
//! It allocates, locks and logs nothing per frame, and calls the kernel only to wake a guest that
//! sleeps (and where a port is a kernel interface). Between bursts it looks for commands.

use std::sync::mpsc::{Receiver, TryRecvError};

use super::baton::{Baton, Mood};
use super::clock::Clock;
use super::counters::PortSnapshot;
use super::lane::PortLane;
use super::mailbox::{Command, Event, Installed, TapPoint};
use super::vif::{Broken, Vif};
use super::{egress, ingress};

/// All ports of a node and the rings of its guests, on one core.
pub struct Worker<C: Clock> {
    clock: C,
    ports: Vec<PortLane>,
    moods: Vec<Mood>,
    baton: Baton,
    inbox: Receiver<Command>,
    events: Box<dyn Fn(Event) + Send>,
    slots: usize,
    open: bool,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Call again.
    More,
    /// The worker was told to stop, or nobody is left to tell it anything.
    Stopped,
}

impl<C: Clock> Worker<C> {
    /// `slots`: how many PIs there are; every lane holds as many. `events` is called when a guest
    /// is taken off, which is rare, and must not wait.
    #[must_use]
    pub fn new(
        clock: C,
        ports: Vec<PortLane>,
        slots: usize,
        baton: Baton,
        inbox: Receiver<Command>,
        events: Box<dyn Fn(Event) + Send>,
    ) -> Self {
        Self {
            clock,
            ports,
            moods: vec![Mood::default(); slots],
            baton,
            inbox,
            events,
            slots,
            open: false,
        }
    }

    /// Runs until told to stop. Until frames are let in it sleeps: a spinning core would hold up the
    /// very boot it waits for.
    pub fn run(mut self) {
        while !self.open {
            let told = self.inbox.recv().map(|command| self.obey(command));
            if told != Ok(Turn::More) {
                return;
            }
        }
        while self.turn() == Turn::More {}
    }

    /// One look at everything: a burst in and a burst out on each port, wake-ups, commands.
    pub fn turn(&mut self) -> Turn {
        for index in 0..self.ports.len() {
            let now_ns = self.clock.now_ns();
            let lane = &mut self.ports[index];
            let received = self.open.then(|| ingress::burst(lane, now_ns)).flatten();
            // Receiving took its time, and a gate must not be judged by an instant that has passed.
            let sent = egress::burst(lane, self.clock.now_ns());
            for broken in [received, sent].into_iter().flatten() {
                self.take_off(broken, index);
            }
        }
        self.wake_guests();
        self.look_for_commands()
    }

    fn wake_guests(&mut self) {
        for (slot, mood) in self.moods.iter_mut().enumerate() {
            let vifs = self
                .ports
                .iter()
                .filter_map(|lane| lane.pis[slot].vif.as_ref());
            *mood = vifs.fold(
                Mood {
                    idle: true,
                    wants_wake: false,
                },
                |all, vif| {
                    let one = vif.mood();
                    Mood {
                        idle: all.idle && one.idle,
                        wants_wake: all.wants_wake || one.wants_wake,
                    }
                },
            );
        }
        let ports = &mut self.ports;
        self.baton.pass(self.clock.now_ns(), &self.moods, |slot| {
            for vif in ports
                .iter_mut()
                .filter_map(|lane| lane.pis[slot].vif.as_mut())
            {
                vif.wake();
            }
        });
    }

    fn look_for_commands(&mut self) -> Turn {
        match self.inbox.try_recv() {
            Ok(command) => self.obey(command),
            Err(TryRecvError::Empty) => Turn::More,
            Err(TryRecvError::Disconnected) => Turn::Stopped,
        }
    }

    // An asker that has given up waiting has no use for the answer, so failed replies are let go.
    fn obey(&mut self, command: Command) -> Turn {
        match command {
            Command::Open => self.open = true,
            Command::Attach {
                slot,
                port,
                vif,
                reply,
            } => {
                let _ = reply.try_send(self.attach(slot, port, *vif));
            }
            Command::Detach { slot, port, reply } => {
                let _ = reply.try_send(self.detach(slot, port));
            }
            Command::Install {
                port,
                cycle,
                base_ns,
                reply,
            } => {
                let now_ns = self.clock.now_ns();
                if let Some(lane) = self.ports.get_mut(port) {
                    let retired = std::iter::from_fn(|| lane.gate.retired()).collect();
                    let from_ns = lane.gate.install(*cycle, base_ns, now_ns);
                    let _ = reply.try_send(Installed { from_ns, retired });
                }
            }
            Command::Snapshot { mut into, reply } => {
                self.snapshot(&mut into);
                let _ = reply.try_send((into, self.clock.now_ns()));
            }
            Command::Tap { at, tap, reply } => {
                if let Some(place) = self.tap(at) {
                    let _ = reply.try_send(place.replace(tap));
                }
            }
            Command::Untap { at, reply } => {
                if let Some(place) = self.tap(at) {
                    let _ = reply.try_send(place.take_if(|tap| tap.is_abandoned()));
                }
            }
            Command::Stop => return Turn::Stopped,
        }
        Turn::More
    }

    fn attach(&mut self, slot: usize, port: usize, vif: Vif) -> Option<Vif> {
        let Some(pi) = self
            .ports
            .get_mut(port)
            .and_then(|lane| lane.pis.get_mut(slot))
        else {
            return Some(vif);
        };
        let old = pi.detach();
        pi.vif = Some(vif);
        old
    }

    fn detach(&mut self, slot: usize, port: Option<usize>) -> Vec<Vif> {
        let lanes = self.ports.iter_mut().enumerate();
        lanes
            .filter(|(index, _)| port.is_none_or(|p| p == *index))
            .filter_map(|(_, lane)| lane.pis.get_mut(slot)?.detach())
            .collect()
    }

    fn take_off(&mut self, broken: Broken, port: usize) {
        let Broken { slot, error } = broken;
        let vifs = self.detach(slot, None);
        // Two rings may break in one turn; the guest is taken off once.
        if let Some(generation) = vifs.first().map(|vif| vif.generation) {
            (self.events)(Event::RingBroken {
                slot,
                generation,
                port,
                error,
                vifs,
            });
        }
    }

    fn tap(&mut self, at: TapPoint) -> Option<&mut Option<Box<crate::capture::Tap>>> {
        match at {
            TapPoint::Port(port) => self.ports.get_mut(port).map(|lane| &mut lane.tap),
            TapPoint::Vif { slot, port } => {
                let lane = self.ports.get_mut(port)?;
                lane.pis.get_mut(slot).map(|pi| &mut pi.tap)
            }
        }
    }

    fn snapshot(&mut self, into: &mut [PortSnapshot]) {
        debug_assert_eq!(into.len(), self.ports.len());
        for (lane, copy) in self.ports.iter_mut().zip(into.iter_mut()) {
            debug_assert_eq!(copy.pis.len(), self.slots);
            lane.snapshot(copy);
        }
    }
}
