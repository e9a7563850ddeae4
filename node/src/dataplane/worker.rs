//! A worker: every host step of the frame path, to completion, in bursts, on one core.
//!
//! It allocates, locks and logs nothing per frame, and calls the kernel only to wake a guest that
//! sleeps (and where a port is a kernel interface). Between bursts it looks for commands.

use std::sync::mpsc::{Receiver, TryRecvError};

use super::baton::{Baton, Guests};
use super::clock::Clock;
use super::counters::{NodeSnapshot, WorkerSnapshot};
use super::lane::PortLane;
use super::mailbox::{Command, Event, Installed, TapPlace};
use super::slots::SlotSet;
use super::vif::{Broken, Mood, VifPart};
use super::{egress, ingress};
use crate::capture::Tap;

/// The queues of ports and the rings of guests that are one worker's.
pub struct Worker<C: Clock> {
    index: usize,
    clock: C,
    lanes: Vec<PortLane>,
    /// Guests that may want to be woken, or run: something was published to them since they were
    /// last seen idle.
    watched: SlotSet,
    baton: Baton,
    inbox: Receiver<Command>,
    events: Box<dyn Fn(Event) + Send>,
    open: bool,
    time: WorkerSnapshot,
}

/// What a turn was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Something was done: frames, wake-ups, commands.
    Worked,
    /// There was nothing to do.
    Nothing,
    /// The worker was told to stop, or nobody is left to tell it anything.
    Stopped,
}

/// What came of one burst.
#[derive(Default)]
pub(super) struct Burst {
    /// Frames that were moved or dropped.
    pub(super) frames: usize,
    /// A guest whose ring turned out broken.
    pub(super) broken: Option<Broken>,
}

impl<C: Clock> Worker<C> {
    /// Worker `index`, with its lanes in the order of the ports. `events` is called when a guest is
    /// taken off, which is rare, and must not wait.
    #[must_use]
    pub fn new(
        index: usize,
        clock: C,
        lanes: Vec<PortLane>,
        baton: Baton,
        inbox: Receiver<Command>,
        events: Box<dyn Fn(Event) + Send>,
    ) -> Self {
        Self {
            index,
            clock,
            lanes,
            watched: SlotSet::default(),
            baton,
            inbox,
            events,
            open: false,
            time: WorkerSnapshot::default(),
        }
    }

    /// Runs until told to stop. Until frames are let in it sleeps: a spinning core would hold up the
    /// very boot it waits for.
    pub fn run(mut self) {
        while !self.open {
            let told = self.inbox.recv().map(|command| self.obey(command));
            if !matches!(told, Ok(Turn::Worked)) {
                return;
            }
        }
        while self.turn() != Turn::Stopped {}
    }

    /// One look at everything: a burst in and a burst out on each port, wake-ups, commands.
    pub fn turn(&mut self) -> Turn {
        let mut frames = 0;
        let mut touched = SlotSet::default();
        for index in 0..self.lanes.len() {
            let lane = &mut self.lanes[index];
            let received = match self.open {
                true => ingress::burst(lane, self.clock.now_ns(), &mut touched),
                false => Burst::default(),
            };
            // Receiving took its time, and a gate must not be judged by an instant that has passed.
            let sent = egress::burst(lane, self.clock.now_ns(), &mut touched);
            let port = lane.index;
            frames += received.frames + sent.frames;
            for broken in [received.broken, sent.broken].into_iter().flatten() {
                self.take_off(broken, port);
            }
        }
        self.watched = self.watched.union(touched);
        let woken = self.wake_guests();
        match self.look_for_commands() {
            Turn::Nothing if frames > 0 || woken => Turn::Worked,
            turn => turn,
        }
    }

    /// Whether any guest was woken.
    fn wake_guests(&mut self) -> bool {
        if self.watched.is_empty() {
            return false;
        }
        let mut guests = Guests::default();
        for slot in self.watched {
            let mut mood = Mood::ABSENT;
            for lane in &self.lanes {
                mood.add(lane.mood(slot));
            }
            guests.running.set(slot, !mood.idle);
            guests.waiting.set(slot, mood.wants_wake);
            // Asleep with nothing to be woken for: until something is published to it, that stays.
            self.watched.set(slot, !mood.idle || mood.wants_wake);
        }
        let lanes = &mut self.lanes;
        let mut woken = false;
        self.baton.pass(self.clock.now_ns(), guests, |slot| {
            lanes.iter_mut().for_each(|lane| lane.wake(slot));
            woken = true;
        });
        woken
    }

    fn look_for_commands(&mut self) -> Turn {
        match self.inbox.try_recv() {
            Ok(command) => self.obey(command),
            Err(TryRecvError::Empty) => Turn::Nothing,
            Err(TryRecvError::Disconnected) => Turn::Stopped,
        }
    }

    fn lane(&mut self, port: usize) -> Option<&mut PortLane> {
        self.lanes.iter_mut().find(|lane| lane.index == port)
    }

    // An asker that has given up waiting has no use for the answer, so failed replies are let go.
    fn obey(&mut self, command: Command) -> Turn {
        match command {
            Command::Open => self.open = true,
            Command::Attach {
                slot,
                port,
                part,
                reply,
            } => {
                let _ = reply.try_send(self.attach(slot, port, *part));
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
                if let Some(out) = self.lane(port).and_then(|lane| lane.outbound.as_mut()) {
                    let retired = std::iter::from_fn(|| out.gate.retired()).collect();
                    let from_ns = out.gate.install(*cycle, base_ns, now_ns);
                    let _ = reply.try_send(Installed { from_ns, retired });
                }
            }
            Command::Snapshot { mut into, reply } => {
                self.add_to(&mut into);
                let _ = reply.try_send(into);
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
        Turn::Worked
    }

    fn attach(&mut self, slot: usize, port: usize, part: VifPart) -> VifPart {
        self.watched.set(slot, true);
        match self.lane(port) {
            Some(lane) => lane.attach(slot, part),
            None => part,
        }
    }

    fn detach(&mut self, slot: usize, port: Option<usize>) -> Vec<VifPart> {
        let lanes = self.lanes.iter_mut();
        lanes
            .filter(|lane| port.is_none_or(|p| p == lane.index))
            .map(|lane| lane.detach(slot))
            .filter(|part| !part.is_empty())
            .collect()
    }

    fn take_off(&mut self, broken: Broken, port: usize) {
        let Broken { slot, error } = broken;
        let parts = self.detach(slot, None);
        // Two rings may break in one turn; the guest is taken off once.
        if let Some(generation) = parts.first().and_then(VifPart::generation) {
            (self.events)(Event::RingBroken {
                slot,
                generation,
                port,
                error,
                parts,
            });
        }
    }

    fn tap(&mut self, at: TapPlace) -> Option<&mut Option<Box<Tap>>> {
        match at {
            TapPlace::Port(port) => self.lane(port).map(|lane| &mut lane.tap),
            TapPlace::ToGuest { slot, port } => {
                let pi = self.lane(port)?.inbound.get_mut(slot);
                pi.map(|pi| &mut pi.tap)
            }
            TapPlace::FromGuest { slot, port } => {
                let pi = self.lane(port)?.outbound.as_mut()?.pis.get_mut(slot);
                pi.map(|pi| &mut pi.tap)
            }
        }
    }

    fn add_to(&mut self, sum: &mut NodeSnapshot) {
        for lane in &mut self.lanes {
            if let Some(sum) = sum.ports.get_mut(lane.index) {
                lane.add_to(sum);
            }
        }
        if let Some(own) = sum.workers.get_mut(self.index) {
            *own = self.time;
        }
    }
}
