//! A worker: every host step of the frame path, to completion, in bursts, on one core.
//!
//! It allocates, locks and logs nothing per frame, and calls the kernel only to wake a guest that
//! sleeps (and where a port is a kernel interface). Between bursts it looks for commands.
//!
//! # Sleep
//!
//! A worker that finds nothing to do for a while ([`super::idle`]) sleeps. No wake-up is lost,
//! because for everything that could end the sleep there is a wish that is made known first and a
//! look that comes after it:
//!
//! - **A frame on a port**: [`Port::rest`](pinode_ports::Port::rest) asks for it and looks, and what
//!   arrives behind the look makes a descriptor readable, which epoll finds however early it was.
//! - **A frame from a guest**: `ask_kick` writes the wish into the ring, passes a full fence, and
//!   looks at the driver's index. The driver writes its index, passes a full fence, and looks at the
//!   wish (VIRTIO 1.2, 2.7.10). Of two that both write, then read, one sees the other: either the
//!   frame is found here, or the kick is sent there. A kick is a write to the worker's bell, by KVM
//!   itself or by the guest's thread, and the bell rings on until it is silenced. It is silenced
//!   when the worker is up and before it looks.
//! - **A guest that falls asleep** on frames published to it: it arms its interrupt, passes a full
//!   fence and looks at the used index, while this side published, passes a full fence (the one
//!   below) and looks at the interrupt that is armed. Either the guest sees the frames and stays
//!   awake, or its wish is seen here and it is woken before the worker sleeps. While a guest that is
//!   to be woken waits for the baton, the worker that has to wake it does not sleep (where it shares
//!   its core with guests, it sleeps for a tenth of a millisecond, to let them run).
//! - **A command** is in the channel, and the word that the worker looks at says so, before the bell is
//!   rung for it.
//! - **A gate that opens** for a frame that waits is known, and sets the time of the sleep.
//! - **A port that takes no frames** (its far end is away, or full) is tried again now and then. If its
//!   far end comes back, that ends the sleep as a frame does.

mod edges;

use std::sync::atomic::{Ordering, fence};

use pinode_ports::Wake;
use rustix::time::{ClockId, clock_gettime};

use super::baton::{Baton, Guests};
use super::clock::Clock;
use super::counters::{NodeSnapshot, WorkerSnapshot};
use super::edge::{WAKE_NS, WATCH_NS, Watch};
use super::idle::{Idle, REFUSED_NS, Sleep};
use super::lane::{Due, PortLane};
use super::mailbox::{Command, Event, Inbox, Installed, TapPlace};
use super::sleeper::Sleeper;
use super::slots::SlotSet;
use super::vif::{Broken, Mood, VifPart};
use super::{egress, ingress};
use crate::capture::Tap;
use edges::Ahead;

/// The queues of ports and the rings of guests that are one worker's.
pub struct Worker<C: Clock> {
    index: usize,
    clock: C,
    lanes: Vec<PortLane>,
    /// Guests that may want to be woken, or run: something was published to them since they were
    /// last seen idle.
    watched: SlotSet,
    baton: Baton,
    inbox: Inbox,
    events: Box<dyn Fn(Event) + Send>,
    open: bool,
    /// None: it goes on looking.
    rest: Option<Rest>,
    /// Guests that want to be woken and were not yet.
    waiting: SlotSet,
    time: WorkerSnapshot,
    /// How long turns take, without what follows.
    turns: Watch,
    /// How long it takes to wake a guest.
    wakes: Watch,
    /// The edge that a wake-up was put off for.
    deferred_ns: Option<u64>,
    /// Time of this turn in which it looked at nothing but the clock, or woke guests.
    apart_ns: u64,
    /// When the turn before this one began, and what it was for.
    last: (u64, Turn),
    /// The last reading of the clock.
    now_ns: u64,
}

/// What a worker that sleeps needs.
struct Rest {
    idle: Idle,
    sleeper: Box<dyn Sleeper>,
}

/// A port whose descriptor cannot end a sleep is looked at so often, nanoseconds.
const UNWATCHED_NS: u64 = 10_000_000;

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
        inbox: Inbox,
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
            rest: None,
            waiting: SlotSet::default(),
            time: WorkerSnapshot::default(),
            turns: Watch::upto(WATCH_NS),
            wakes: Watch::upto(WAKE_NS),
            deferred_ns: None,
            apart_ns: 0,
            last: (0, Turn::Nothing),
            now_ns: 0,
        }
    }

    /// Lets the worker sleep when `idle` says so.
    #[must_use]
    pub fn sleeping(mut self, idle: Idle, sleeper: Box<dyn Sleeper>) -> Self {
        self.rest = Some(Rest { idle, sleeper });
        self
    }

    /// Runs until told to stop. Until frames are let in it sleeps: a spinning core would hold up the
    /// very boot it waits for.
    pub fn run(mut self) {
        while !self.open {
            let told = self.inbox.wait().map(|command| self.obey(command));
            if !matches!(told, Ok(Turn::Worked)) {
                return;
            }
        }
        self.last.0 = self.clock.now_ns();
        while self.step() != Turn::Stopped {}
    }

    /// A turn, and a sleep where there was nothing to do in it nor for a while before.
    pub fn step(&mut self) -> Turn {
        let turn = self.turn();
        if turn == Turn::Nothing {
            // Where a core has two threads, what this one does not use is a guest's.
            std::hint::spin_loop();
        }
        if let Some(Rest { idle, .. }) = &mut self.rest {
            match turn {
                Turn::Worked => idle.worked(self.now_ns),
                Turn::Nothing if idle.is_due(self.now_ns) => self.sleep(),
                Turn::Nothing | Turn::Stopped => {}
            }
        }
        turn
    }

    /// One look at everything: a burst in and a burst out on each port, wake-ups, commands.
    pub fn turn(&mut self) -> Turn {
        let mut frames = 0;
        let mut touched = SlotSet::default();
        self.now_ns = self.clock.now_ns();
        self.account();
        // Frames moved since the clock was read.
        let mut since = self.be_at_the_edge(&mut touched);
        frames += since;
        for index in 0..self.lanes.len() {
            let lane = &mut self.lanes[index];
            let received = match self.open {
                true => ingress::burst(lane, self.now_ns, &mut touched),
                false => Burst::default(),
            };
            // Moving frames took its time, and a gate must not be judged by an instant that has
            // passed.
            if since + received.frames > 0 {
                self.now_ns = self.clock.now_ns();
            }
            let sent = egress::burst(lane, &self.clock, self.now_ns, &mut touched);
            since = sent.frames;
            let port = lane.index;
            frames += received.frames + sent.frames;
            for broken in [received.broken, sent.broken].into_iter().flatten() {
                self.take_off(broken, port);
            }
        }
        self.watched = self.watched.union(touched);
        let woken = self.wake_guests();
        let turn = match self.look_for_commands() {
            Turn::Nothing if frames > 0 || woken => Turn::Worked,
            turn => turn,
        };
        self.time.sleeps = false;
        self.last.1 = turn;
        turn
    }

    /// Books the time since the last turn began to what that turn was for.
    fn account(&mut self) {
        let (began_ns, turn) = self.last;
        let took_ns = self.now_ns.saturating_sub(began_ns);
        self.turns
            .took(took_ns.saturating_sub(std::mem::take(&mut self.apart_ns)));
        match turn {
            Turn::Worked => self.time.busy_ns += took_ns,
            Turn::Nothing | Turn::Stopped => self.time.idle_ns += took_ns,
        }
        self.last = (self.now_ns, Turn::Nothing);
    }

    /// Makes its wishes known, looks once more, and sleeps if there is still nothing. See the head of
    /// this file for why nothing is missed.
    fn sleep(&mut self) {
        let Some(mut rest) = self.rest.take() else {
            return;
        };
        let sleep = self.wishes(&mut rest);
        if sleep == Sleep::No {
            rest.idle.kept_awake(self.now_ns);
        } else {
            self.baton.look_away();
            self.now_ns = self.clock.now_ns();
            self.account();
            rest.sleeper.sleep(sleep);
            let slept_ns = self.now_ns;
            self.now_ns = self.clock.now_ns();
            self.last = (self.now_ns, Turn::Nothing);
            self.time.asleep_ns += self.now_ns.saturating_sub(slept_ns);
            self.time.slept += 1;
            self.time.sleeps = true;
            if self.try_again() {
                // One try: if the port still takes nothing, there is no more to look for.
                rest.idle.kept_awake(self.now_ns);
            } else {
                rest.idle.worked(self.now_ns);
            }
        }
        rest.sleeper.unwatch();
        for lane in &mut self.lanes {
            lane.port.resume();
            lane.ask_kicks(false);
        }
        self.rest = Some(rest);
    }

    /// Forgets which ports took no frames, so that each is tried in the next window in which one waits.
    /// Whether there were any.
    fn try_again(&mut self) -> bool {
        let (mut any, now_ns) = (false, self.now_ns);
        for out in self.lanes.iter_mut().filter_map(|l| l.outbound.as_mut()) {
            any |= out.due(now_ns) == Due::Refused;
            out.refused = false;
        }
        any
    }

    /// Asks everything that could bring work to wake this worker, and says how long it may sleep.
    fn wishes(&mut self, rest: &mut Rest) -> Sleep {
        let Rest { idle, sleeper } = rest;
        let held = !self.waiting.is_empty();
        if held && idle.has_own_core() {
            return Sleep::No;
        }
        let mut due_ns: Option<u64> = None;
        let mut no_later = |at_ns: u64| due_ns = Some(due_ns.map_or(at_ns, |due| due.min(at_ns)));
        for out in self.lanes.iter().filter_map(|lane| lane.outbound.as_ref()) {
            match out.due(self.now_ns) {
                Due::Now => return Sleep::No,
                Due::At(at_ns) => no_later(at_ns),
                Due::Refused => no_later(self.now_ns + REFUSED_NS),
                Due::Never => {}
            }
        }
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.ask_kicks(true) {
                return Sleep::No;
            }
            match lane.port.rest(self.now_ns) {
                Wake::Frames => return Sleep::No,
                Wake::At(at_ns) => no_later(at_ns),
                Wake::Readable(fd) => {
                    if !sleeper.watch(index, fd) {
                        no_later(self.now_ns + UNWATCHED_NS);
                    }
                }
                Wake::Nothing => {}
            }
        }
        // What was published is visible before it is looked at who sleeps on it.
        fence(Ordering::SeqCst);
        let lanes = &self.lanes;
        let mut watched = self.watched.into_iter();
        let waits = watched.any(|slot| lanes.iter().any(|lane| lane.mood(slot).wants_wake));
        match (waits, held) {
            (true, true) => idle.hold_back(idle.sleep(self.now_ns, due_ns)),
            (true, false) => Sleep::No,
            (false, _) => idle.sleep(self.now_ns, due_ns),
        }
    }

    /// Whether any guest was woken.
    fn wake_guests(&mut self) -> bool {
        self.waiting = SlotSet::default();
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
        let mut waiting = guests.waiting;
        if !waiting.is_empty() && self.defers_wakes() {
            self.waiting = waiting;
            return false;
        }
        let mut ahead = Ahead::default();
        let Self {
            lanes,
            clock,
            wakes,
            now_ns,
            ..
        } = self;
        self.baton.pass(*now_ns, guests, |slot| {
            ahead.hand_over(lanes, clock, *wakes);
            lanes.iter_mut().for_each(|lane| lane.wake(slot));
            waiting.set(slot, false);
        });
        self.watched = self.watched.union(ahead.touched);
        if let Some((broken, port)) = ahead.broken {
            self.take_off(broken, port);
        }
        self.waiting = waiting;
        let woken = waiting != guests.waiting;
        if woken {
            let took_ns = self.clock.now_ns().saturating_sub(self.now_ns);
            self.wakes.took(took_ns);
            self.apart_ns += took_ns;
        }
        woken
    }

    fn look_for_commands(&mut self) -> Turn {
        match self.inbox.look() {
            Ok(Some(command)) => self.obey(command),
            Ok(None) => Turn::Nothing,
            Err(_) => Turn::Stopped,
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
                    let waits_ns = out.gate.pending().map(|(_, from_ns)| from_ns);
                    let from_ns = out.gate.install(*cycle, base_ns, now_ns);
                    // It had its time, or goes before the new one all the same.
                    let settled_ns = out.gate.settled().map(|(_, from_ns)| from_ns);
                    let gone = |waits_ns: &u64| *waits_ns > now_ns && settled_ns != Some(*waits_ns);
                    let replaced_ns = waits_ns.filter(gone).filter(|_| from_ns.is_ok());
                    out.rescheduled();
                    let _ = reply.try_send(Installed {
                        from_ns,
                        replaced_ns,
                        retired,
                    });
                }
            }
            Command::Streams {
                slot,
                port,
                mut order,
                reply,
            } => {
                let out = self.lane(port).and_then(|lane| lane.outbound.as_mut());
                let pi = out.and_then(|out| out.pis.get_mut(slot));
                let given_back = pi.is_some_and(|pi| pi.obey(&mut order));
                self.watched.set_if(slot, given_back);
                let _ = reply.try_send(order);
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

    /// What it did with its time so far. To be asked on the worker's own thread.
    #[must_use]
    pub fn time(&self) -> WorkerSnapshot {
        let ran = clock_gettime(ClockId::ThreadCPUTime);
        WorkerSnapshot {
            cpu: rustix::thread::sched_getcpu(),
            cpu_ns: ran.tv_sec.unsigned_abs() * 1_000_000_000 + ran.tv_nsec.unsigned_abs(),
            ..self.time
        }
    }

    fn add_to(&mut self, sum: &mut NodeSnapshot) {
        for lane in &mut self.lanes {
            if let Some(sum) = sum.ports.get_mut(lane.index) {
                lane.add_to(sum);
            }
        }
        if let Some(own) = sum.workers.get_mut(self.index) {
            *own = self.time();
        }
    }
}
