//! The supervisor's thread: events of guests, wishes of operators and the passing of time, one
//! after the other, so that a guest is never in two states at once.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use pinode_vmm::KvmHost;
use tracing::{debug, warn};

use super::agent;
use super::asking::Journal;
use super::engine::Engine;
use super::handle::{Action, Inbox, LastConsole, Message, SupervisorHandle, channel_for};
use super::lifecycle::{Act, Lifecycle, State};
use super::listening::Listeners;
use super::pairs::Pairs;
use super::progress::Progress;
use super::reading::Readings;
use super::requests::Requests;
use crate::config::NodeConfig;
use crate::dataplane::clock::{Clock, Monotonic};
use crate::dataplane::counters::NodeSnapshot;
use crate::dataplane::mailbox::Event as WorkerEvent;
use crate::dataplane::workers::Workers;
use crate::status::{GuestCpu, GuestUsage};

/// How often time is looked at while a guest boots or is in quarantine, whose end is late by this much
/// at most.
const TICK: Duration = Duration::from_millis(5);
/// How often otherwise: a ping is late by this much at most. A node without traffic should cost nothing.
const CALM_TICK: Duration = Duration::from_millis(25);
/// How often while somebody waits for what guests do with their time.
const READING_TICK: Duration = Duration::from_millis(1);
/// Failures that are kept.
const FAILURES_KEPT: usize = 8;
/// Messages that are heard before time is looked at again.
const HEARD_AT_ONCE: usize = 256;
/// How often it is looked at what guests do with their frames, nanoseconds.
const LOOK_EVERY_NS: u64 = 500_000_000;

pub(super) struct Guest {
    pub(super) life: Lifecycle,
    pub(super) engine: Option<Engine>,
    pub(super) said_hello: bool,
    pub(super) vifs_up: usize,
    pub(super) failures: VecDeque<String>,
    pub(super) last_console: LastConsole,
    pub(super) cannot_launch: bool,
    /// What is in force on its threads.
    pub(super) cpu: Option<Box<GuestCpu>>,
    /// What it did with its time, as it said last.
    pub(super) usage: Option<Box<GuestUsage>>,
    /// The number of its last pong.
    pub(super) ponged: u64,
    /// A launch is under way, of this generation.
    pub(super) launching: Option<u64>,
    /// Lines heard since the last look.
    pub(super) lines: u32,
    pub(super) progress: Progress,
    pub(super) pairs: Pairs,
    /// What its function is asked.
    pub(super) requests: Requests,
    /// Changes made at run time that it did not take again after its last launch.
    pub(super) not_restored: u64,
    /// What was changed of it at run time, if that is kept.
    pub(super) journal: Option<Box<dyn Journal>>,
    /// Who hears what it says unasked.
    pub(super) listeners: Listeners,
    pub(super) events: Events,
}

/// Events of a guest since it was launched.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Heard.
    pub(super) heard: u64,
    /// Of these, the guest was told of so many.
    pub(super) told: u64,
    /// And of so many when it was pinged last.
    pub(super) told_before: u64,
}

/// The guests of a node.
pub struct Supervisor {
    handle: SupervisorHandle,
    thread: JoinHandle<()>,
}

impl Supervisor {
    /// A supervisor's handle and its inbox, to be started once the workers exist.
    #[must_use]
    pub fn prepare(slots: usize) -> (SupervisorHandle, Inbox) {
        channel_for(slots)
    }

    /// Launches all guests and watches over them. `journals`: by slot, what keeps the changes made to a guest.
    ///
    /// # Errors
    ///
    /// If the thread cannot be made.
    pub fn start(
        handle: SupervisorHandle,
        inbox: Inbox,
        config: Arc<NodeConfig>,
        kvm: Option<Arc<KvmHost>>,
        workers: Workers,
        journals: Vec<Option<Box<dyn Journal>>>,
    ) -> std::io::Result<Self> {
        let journals = journals.into_iter().chain(std::iter::repeat_with(|| None));
        let guests = config.pis.iter().zip(journals).map(|(_, journal)| Guest {
            life: Lifecycle::default(),
            engine: None,
            said_hello: false,
            vifs_up: 0,
            failures: VecDeque::new(),
            last_console: LastConsole::default(),
            cannot_launch: false,
            cpu: None,
            usage: None,
            ponged: 0,
            launching: None,
            lines: 0,
            progress: Progress::default(),
            pairs: Pairs::default(),
            requests: Requests::default(),
            not_restored: 0,
            journal,
            listeners: Listeners::default(),
            events: Events::default(),
        });
        let counters = empty_counters(&config);
        let run = Run {
            guests: guests.collect(),
            handle: handle.clone(),
            config,
            kvm,
            workers,
            clock: Monotonic,
            endings: Vec::new(),
            counters,
            looked_ns: 0,
            readings: Readings::default(),
        };
        let thread = std::thread::Builder::new()
            .name("supervisor".into())
            .stack_size(256 * 1024)
            .spawn(move || run.run(&inbox.0))?;
        Ok(Self { handle, thread })
    }

    /// How others reach it.
    #[must_use]
    pub fn handle(&self) -> &SupervisorHandle {
        &self.handle
    }

    /// Ends all guests, then the supervisor.
    pub fn stop(self) {
        let _ = self.handle.messages.send(Message::End);
        if self.thread.join().is_err() {
            warn!("the supervisor ended by a panic");
        }
    }
}

pub(super) struct Run {
    pub(super) guests: Vec<Guest>,
    pub(super) handle: SupervisorHandle,
    pub(super) config: Arc<NodeConfig>,
    pub(super) kvm: Option<Arc<KvmHost>>,
    pub(super) workers: Workers,
    pub(super) clock: Monotonic,
    /// Machines that are ending.
    pub(super) endings: Vec<JoinHandle<()>>,
    /// The workers' counters as they were at the last look.
    pub(super) counters: Box<NodeSnapshot>,
    pub(super) looked_ns: u64,
    pub(super) readings: Readings,
}

impl Run {
    fn run(mut self, inbox: &Receiver<Message>) {
        for slot in 0..self.guests.len() {
            let act = self.guests[slot].life.start(self.clock.now_ns());
            self.carry_out(slot, act);
        }
        while self.round(inbox) {}
        for slot in 0..self.guests.len() {
            self.guests[slot].life.stop();
            self.take_down(slot, None);
        }
        for ending in self.endings.drain(..) {
            if ending.join().is_err() {
                warn!("a guest's end panicked");
            }
        }
        self.show();
    }

    /// Hears what is waiting, then looks at the time. False: the end.
    fn round(&mut self, inbox: &Receiver<Message>) -> bool {
        let calm = |guest: &Guest| matches!(guest.life.state(), State::Running | State::Stopped);
        let tick = if self.readings.is_wanted() {
            READING_TICK
        } else if self.guests.iter().all(calm) {
            CALM_TICK
        } else {
            TICK
        };
        let mut next = match inbox.recv_timeout(tick) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        let mut left = HEARD_AT_ONCE;
        while let Some(message) = next.take() {
            if matches!(message, Message::End) {
                return false;
            }
            self.hear(message);
            left -= 1;
            next = if left > 0 {
                inbox.try_recv().ok()
            } else {
                None
            };
        }
        let now_ns = self.clock.now_ns();
        self.look(now_ns);
        if left > 0 {
            self.give_up_requests(now_ns);
        }
        for slot in 0..self.guests.len() {
            match self.guests[slot].life.tick(now_ns) {
                // The answer may be among what still waits; nobody is given up before it is heard.
                Act::GiveUp(_) if left == 0 => {}
                act => self.carry_out(slot, act),
            }
        }
        self.show();
        self.read(now_ns);
        true
    }

    /// Ends the reading whose answers are shown, and begins the next.
    fn read(&mut self, now_ns: u64) {
        let Self {
            readings, guests, ..
        } = self;
        let answers = |slot: usize| {
            guests
                .get(slot)
                .is_some_and(|guest: &Guest| guest.life.answers())
        };
        readings.end(now_ns, answers);
        if let Some(number) = readings.begin(now_ns) {
            let line = agent::ping_line(number);
            let ask = |guest: &Guest| match &guest.engine {
                Some(engine) if guest.life.answers() => {
                    engine.send_line(&line);
                    true
                }
                _ => false,
            };
            let asked = guests.iter().map(ask).collect();
            readings.asked(asked);
        }
    }

    /// A guest that floods its control channel, or takes no frames off a full ring, is given up.
    fn look(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.looked_ns) < LOOK_EVERY_NS {
            return;
        }
        self.looked_ns = now_ns;
        self.guests.iter_mut().for_each(|guest| guest.lines = 0);
        // What was lent is lost with a worker that does not answer.
        let into = std::mem::replace(&mut self.counters, Box::new(NodeSnapshot::empty(0, 0, 0)));
        match self.workers.snapshot(into) {
            Ok(counters) => self.counters = counters,
            Err(_) => {
                self.counters = empty_counters(&self.config);
                return;
            }
        }
        for slot in 0..self.guests.len() {
            let guest = &mut self.guests[slot];
            if guest.life.is_silent() && guest.progress.is_stuck(slot, &self.counters.ports) {
                self.fail(
                    slot,
                    "makes no progress: a receive ring stays full".to_owned(),
                );
                continue;
            }
            let runs = guest.life.state() == State::Running;
            if let Some(why) = guest.pairs.look(runs, usize::from(self.config.workers)) {
                self.fail(slot, why);
            }
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Guest {
                slot,
                generation,
                event,
                heard,
            } => {
                drop(heard);
                if self
                    .guests
                    .get(slot)
                    .is_some_and(|g| g.life.is_up(generation))
                {
                    self.hear_guest(slot, event);
                }
            }
            Message::Bounded {
                slot,
                generation,
                cpu,
            } => {
                let guest = self.guests.get_mut(slot);
                if let Some(guest) = guest.filter(|g| g.life.is_up(generation)) {
                    guest.cpu = cpu;
                }
            }
            Message::Launched {
                slot,
                generation,
                engine,
            } => {
                self.launched(slot, generation, engine);
            }
            Message::Worker(WorkerEvent::RingBroken {
                slot,
                generation,
                port,
                error,
                parts,
            }) => {
                drop(parts);
                // A machine that was replaced meanwhile takes nothing of its successor along.
                if self
                    .guests
                    .get(slot)
                    .is_some_and(|g| g.life.is_up(generation))
                {
                    let port = self.config.ports.get(port).map_or("?", |p| p.name.as_str());
                    self.fail(slot, format!("broke the rings of its vif {port}: {error}"));
                }
            }
            Message::Wish { slot, action, done } => {
                self.wish(slot, action, done);
                self.show();
            }
            Message::Console {
                slot,
                offset,
                reply,
            } => {
                let _ = reply.send(self.console_since(slot, offset));
            }
            Message::Request { slot, body, reply } => self.ask(slot, body, reply),
            Message::Listen { slot, speaker } => {
                if let Some(guest) = self.guests.get_mut(slot) {
                    guest.listeners.add(speaker);
                }
            }
            Message::ReadUsage { done } => self.readings.wish(done),
            Message::End => {}
        }
    }

    fn wish(&mut self, slot: usize, action: Action, done: SyncSender<()>) {
        let now_ns = self.clock.now_ns();
        let Some(guest) = self.guests.get_mut(slot) else {
            return;
        };
        let act = match action {
            Action::Start => guest.life.start(now_ns),
            Action::Stop => guest.life.stop(),
            Action::Restart => guest.life.restart(now_ns),
        };
        // Before anybody hears that it is under way, and looks.
        self.show();
        match act {
            Act::TakeDown => self.take_down(slot, Some(done)),
            act => {
                self.carry_out(slot, act);
                say_done(Some(done));
            }
        }
    }

    pub(super) fn fail(&mut self, slot: usize, why: String) {
        let why = legible(&why);
        let name = &self.config.pis[slot].name;
        let guest = &mut self.guests[slot];
        if guest.cannot_launch && guest.life.boot_us() == 0 {
            // Whoever starts the node says it.
            debug!(guest = %name, "{why}");
        } else {
            warn!(guest = %name, "{why}");
        }
        guest.failures.push_back(why);
        if guest.failures.len() > FAILURES_KEPT {
            guest.failures.pop_front();
        }
        let act = guest.life.failed(self.clock.now_ns());
        self.carry_out(slot, act);
    }

    pub(super) fn carry_out(&mut self, slot: usize, act: Act) {
        match act {
            Act::Nothing => {}
            Act::Launch(generation) => self.launch(slot, generation),
            Act::TakeDown => self.take_down(slot, None),
            Act::Relaunch(generation) => {
                self.take_down(slot, None);
                self.launch(slot, generation);
            }
            Act::Ping(number) => {
                let guest = &mut self.guests[slot];
                if let Some(engine) = &guest.engine {
                    engine.send_line(&agent::ping_line(number));
                    guest.events.tell_again(engine);
                }
            }
            Act::GiveUp(why) => self.fail(slot, why.to_owned()),
        }
    }

    fn console_since(&self, slot: usize, offset: u64) -> LastConsole {
        let Some(guest) = self.guests.get(slot) else {
            return LastConsole::default();
        };
        match &guest.engine {
            Some(engine) => engine.console_since(offset),
            None => {
                let (kept, end) = &guest.last_console;
                let begin = end.saturating_sub(kept.len() as u64);
                let skip = usize::try_from(offset.saturating_sub(begin)).unwrap_or(0);
                (kept.get(skip..).unwrap_or(kept).to_vec(), *end)
            }
        }
    }

    fn show(&self) {
        let mut views = self
            .handle
            .views
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (view, guest) in views.iter_mut().zip(&self.guests) {
            view.state = guest.life.state();
            view.restarts = guest.life.restarts();
            view.boot_us = guest.life.boot_us();
            view.cannot_launch = guest.cannot_launch;
            view.not_restored = guest.not_restored;
            if view.cpu != guest.cpu {
                view.cpu.clone_from(&guest.cpu);
            }
            if view.usage != guest.usage {
                view.usage.clone_from(&guest.usage);
            }
            if view.failures.len() != guest.failures.len()
                || view.failures.back() != guest.failures.back()
            {
                view.failures.clone_from(&guest.failures);
            }
        }
    }
}

fn empty_counters(config: &NodeConfig) -> Box<NodeSnapshot> {
    let (ports, slots) = (config.ports.len(), config.pis.len());
    Box::new(NodeSnapshot::empty(
        ports,
        slots,
        usize::from(config.workers),
    ))
}

pub(super) fn say_done(done: Option<SyncSender<()>>) {
    if let Some(done) = done {
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

/// A guest's words go to terminals and logs: what would move a cursor does not.
pub(super) fn legible(words: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    words.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_words_cannot_drive_a_terminal() {
        assert_eq!(legible("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
