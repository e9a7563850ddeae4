//! The supervisor's thread: events of guests, wishes of operators and the passing of time, one
//! after the other, so that a guest is never in two states at once.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use pinode_guest_runtime::control::FromGuest;
use pinode_vmm::KvmHost;
use tracing::{info, warn};

use super::agent;
use super::engine::{Engine, Events, GuestEvent, LaunchError};
use super::lifecycle::{Act, Lifecycle, State};
use crate::config::NodeConfig;
use crate::dataplane::clock::{Clock, Monotonic};
use crate::dataplane::mailbox::{Command, Event as WorkerEvent, Mailbox};

/// How often time is looked at; a quarantine or a ping is late by this much at most.
const TICK: Duration = Duration::from_millis(5);
/// Failures that are kept.
const FAILURES_KEPT: usize = 8;
/// Stack of the threads that launch and end guests, octets.
const STACK: usize = 512 * 1024;
/// A guest that failed so often while the node came up will not come up.
const HOPELESS: usize = 3;
/// A console that has ended: its last output and where that ends.
type LastConsole = (Vec<u8>, u64);

/// What an operator may want of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run.
    Start,
    /// Do not run.
    Stop,
    /// Run anew.
    Restart,
}

/// What the supervisor shows of a guest.
#[derive(Debug, Clone)]
pub struct GuestView {
    /// Where it is in its life.
    pub state: State,
    /// How often a new machine replaced an old one.
    pub restarts: u64,
    /// From launch to forwarding, microseconds.
    pub boot_us: u64,
    /// The last failures, oldest first, each as a readable report.
    pub failures: VecDeque<String>,
    /// The last launch failed for a reason that no repetition mends.
    pub cannot_launch: bool,
}

impl GuestView {
    /// Why this guest will not come up, when that is clear.
    #[must_use]
    pub fn hopeless(&self) -> Option<&str> {
        let failed = self.failures.back()?;
        (self.cannot_launch || self.failures.len() >= HOPELESS).then_some(failed)
    }
}

enum Message {
    Guest {
        slot: usize,
        generation: u64,
        event: GuestEvent,
    },
    Launched {
        slot: usize,
        generation: u64,
        engine: Result<Engine, LaunchError>,
    },
    Worker(WorkerEvent),
    Wish {
        slot: usize,
        action: Action,
        done: SyncSender<()>,
    },
    Console {
        slot: usize,
        offset: u64,
        reply: SyncSender<LastConsole>,
    },
    End,
}

/// How others reach the supervisor.
#[derive(Clone)]
pub struct SupervisorHandle {
    messages: Sender<Message>,
    views: Arc<Mutex<Vec<GuestView>>>,
}

impl SupervisorHandle {
    /// What the guests are doing, by slot.
    #[must_use]
    pub fn views(&self) -> Vec<GuestView> {
        self.views
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks for `action` and waits until it is under way: a stopped guest is off the node and
    /// ended, a started one is being launched.
    pub fn act(&self, slot: usize, action: Action) {
        let (done, wait) = sync_channel(1);
        if self
            .messages
            .send(Message::Wish { slot, action, done })
            .is_ok()
        {
            // The supervisor drops the sender if it ends; either way there is nothing to wait for.
            let _ = wait.recv();
        }
    }

    /// What the guest wrote on its console from octet `offset` on, as far as it is still kept, and
    /// the offset to ask with next. An offset of another machine gives all that is kept.
    #[must_use]
    pub fn console_since(&self, slot: usize, offset: u64) -> (Vec<u8>, u64) {
        let (reply, answer) = sync_channel(1);
        match self.messages.send(Message::Console {
            slot,
            offset,
            reply,
        }) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => (Vec::new(), offset),
        }
    }

    /// For the worker: reports a guest that it has taken off.
    #[must_use]
    pub fn worker_events(&self) -> Box<dyn Fn(WorkerEvent) + Send> {
        let messages = self.messages.clone();
        Box::new(move |event| drop(messages.send(Message::Worker(event))))
    }
}

struct Guest {
    life: Lifecycle,
    engine: Option<Engine>,
    said_hello: bool,
    vifs_up: usize,
    failures: VecDeque<String>,
    last_console: LastConsole,
    cannot_launch: bool,
}

/// The guests of a node.
pub struct Supervisor {
    handle: SupervisorHandle,
    thread: JoinHandle<()>,
}

impl Supervisor {
    /// A supervisor's handle and its inbox, to be started once the worker exists.
    #[must_use]
    pub fn prepare(slots: usize) -> (SupervisorHandle, Inbox) {
        let (messages, inbox) = channel();
        let view = GuestView {
            state: State::Stopped,
            restarts: 0,
            boot_us: 0,
            failures: VecDeque::new(),
            cannot_launch: false,
        };
        let views = Arc::new(Mutex::new(vec![view; slots]));
        (SupervisorHandle { messages, views }, Inbox(inbox))
    }

    /// Launches all guests and watches over them.
    ///
    /// # Errors
    ///
    /// If the thread cannot be made.
    pub fn start(
        handle: SupervisorHandle,
        inbox: Inbox,
        config: Arc<NodeConfig>,
        kvm: Option<Arc<KvmHost>>,
        worker: Mailbox,
    ) -> std::io::Result<Self> {
        let guests = config.pis.iter().map(|_| Guest {
            life: Lifecycle::default(),
            engine: None,
            said_hello: false,
            vifs_up: 0,
            failures: VecDeque::new(),
            last_console: LastConsole::default(),
            cannot_launch: false,
        });
        let run = Run {
            guests: guests.collect(),
            handle: handle.clone(),
            config,
            kvm,
            worker,
            clock: Monotonic,
            endings: Vec::new(),
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

/// The receiving end of a supervisor that is not started yet.
pub struct Inbox(Receiver<Message>);

struct Run {
    guests: Vec<Guest>,
    handle: SupervisorHandle,
    config: Arc<NodeConfig>,
    kvm: Option<Arc<KvmHost>>,
    worker: Mailbox,
    clock: Monotonic,
    /// Machines that are ending.
    endings: Vec<JoinHandle<()>>,
}

impl Run {
    fn run(mut self, inbox: &Receiver<Message>) {
        for slot in 0..self.guests.len() {
            let act = self.guests[slot].life.start(self.clock.now_ns());
            self.carry_out(slot, act);
        }
        loop {
            match inbox.recv_timeout(TICK) {
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => {
                    self.hear(message);
                    // Answers that wait are heard before anybody is given up for silence.
                    let mut ended = false;
                    while let Ok(message) = inbox.try_recv() {
                        if matches!(message, Message::End) {
                            ended = true;
                            break;
                        }
                        self.hear(message);
                    }
                    if ended {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now_ns = self.clock.now_ns();
            for slot in 0..self.guests.len() {
                let act = self.guests[slot].life.tick(now_ns);
                self.carry_out(slot, act);
            }
            self.show();
        }
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

    fn hear(&mut self, message: Message) {
        match message {
            Message::Guest {
                slot,
                generation,
                event,
            } => {
                if self
                    .guests
                    .get(slot)
                    .is_some_and(|g| g.life.is_up(generation))
                {
                    self.hear_guest(slot, event);
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
                port,
                error,
                vifs,
            }) => {
                drop(vifs);
                let port = self.config.ports.get(port).map_or("?", |p| p.name.as_str());
                self.fail(slot, format!("broke the rings of its vif {port}: {error}"));
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
        match act {
            Act::TakeDown => self.take_down(slot, Some(done)),
            act => {
                self.carry_out(slot, act);
                say_done(Some(done));
            }
        }
    }

    fn hear_guest(&mut self, slot: usize, event: GuestEvent) {
        match event {
            GuestEvent::VifUp { port, vif } => self.vif_up(slot, port, vif),
            GuestEvent::VifDown { port, released } => {
                let ask = |reply| Command::Detach {
                    slot,
                    port: Some(port),
                    reply,
                };
                // A worker that is gone holds no rings either.
                drop(self.worker.ask(ask));
                self.guests[slot].vifs_up = self.guests[slot].vifs_up.saturating_sub(1);
                drop(released);
            }
            GuestEvent::Line(line) => self.hear_line(slot, &line),
            GuestEvent::Fault(report) => self.fail(slot, report),
            GuestEvent::Ended(why) => self.fail(slot, format!("ended by itself: {why}")),
        }
    }

    fn vif_up(&mut self, slot: usize, port: usize, vif: Box<crate::dataplane::vif::Vif>) {
        if !matches!(
            self.guests[slot].life.state(),
            State::Booting | State::Running
        ) {
            return;
        }
        drop(self.worker.ask(|reply| Command::Attach {
            slot,
            port,
            vif,
            reply,
        }));
        let guest = &mut self.guests[slot];
        guest.vifs_up += 1;
        // A guest without our agent (a stock Linux, say) forwards once its interfaces are up.
        if guest.vifs_up == self.config.ports.len() && !guest.said_hello {
            guest.life.ready(self.clock.now_ns(), false);
        }
    }

    fn hear_line(&mut self, slot: usize, line: &str) {
        let name = &self.config.pis[slot].name;
        match agent::read(line) {
            Ok(FromGuest::Hello { .. }) => self.guests[slot].said_hello = true,
            Ok(FromGuest::Ready {}) => {
                let guest = &mut self.guests[slot];
                guest.life.ready(self.clock.now_ns(), true);
                info!(guest = %name, boot_us = guest.life.boot_us(), "forwards");
            }
            Ok(FromGuest::Pong(number)) => self.guests[slot].life.pong(number),
            Ok(FromGuest::Usage(_)) => {}
            Ok(FromGuest::Error(text)) => {
                let text: String = text.chars().take(1024).collect();
                self.fail(slot, format!("reports: {text}"));
            }
            Err(error) => self.fail(
                slot,
                format!("speaks nonsense on its control channel: {error}"),
            ),
        }
    }

    fn launched(&mut self, slot: usize, generation: u64, engine: Result<Engine, LaunchError>) {
        let guest = &mut self.guests[slot];
        if guest.life.generation() != generation || guest.life.state() == State::Stopped {
            if let Ok(engine) = engine {
                engine.stop();
            }
            return;
        }
        match engine {
            // It may have faulted before its launcher returned.
            Ok(engine) if guest.life.state() == State::Quarantined => engine.stop(),
            Ok(engine) => guest.engine = Some(engine),
            Err(error) => {
                guest.cannot_launch = true;
                self.fail(slot, format!("cannot be launched: {error}"));
            }
        }
    }

    fn fail(&mut self, slot: usize, why: String) {
        let why = legible(&why);
        let name = &self.config.pis[slot].name;
        warn!(guest = %name, "{why}");
        let guest = &mut self.guests[slot];
        guest.failures.push_back(why);
        if guest.failures.len() > FAILURES_KEPT {
            guest.failures.pop_front();
        }
        let act = guest.life.failed(self.clock.now_ns());
        self.carry_out(slot, act);
    }

    fn carry_out(&mut self, slot: usize, act: Act) {
        match act {
            Act::Nothing => {}
            Act::Launch(generation) => self.launch(slot, generation),
            Act::TakeDown => self.take_down(slot, None),
            Act::Relaunch(generation) => {
                self.take_down(slot, None);
                self.launch(slot, generation);
            }
            Act::Ping(number) => {
                if let Some(engine) = &self.guests[slot].engine {
                    engine.send_line(&agent::ping_line(number));
                }
            }
            Act::GiveUp(why) => self.fail(slot, why.to_owned()),
        }
    }

    /// Launching takes milliseconds and guests boot side by side, so each has a thread for it.
    fn launch(&mut self, slot: usize, generation: u64) {
        let guest = &mut self.guests[slot];
        guest.said_hello = false;
        guest.cannot_launch = false;
        guest.vifs_up = 0;
        let messages = self.handle.messages.clone();
        let (config, kvm) = (Arc::clone(&self.config), self.kvm.clone());
        let events: Events = {
            let messages = messages.clone();
            Arc::new(move |event| {
                drop(messages.send(Message::Guest {
                    slot,
                    generation,
                    event,
                }))
            })
        };
        let launch = move || {
            let pi = &config.pis[slot];
            let engine = Engine::launch(kvm.as_deref(), &config, pi, events);
            if let Ok(engine) = &engine {
                engine.send_line(&agent::config_line(&config, pi));
            }
            drop(messages.send(Message::Launched {
                slot,
                generation,
                engine,
            }));
        };
        let name = format!("launch-{}", self.config.pis[slot].name);
        let spawned = std::thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(launch);
        if let Err(error) = spawned {
            self.fail(slot, format!("no thread to launch it: {error}"));
        }
    }

    /// The worker lets go first, so that nothing is delivered into a machine that ends. Ending takes
    /// milliseconds, in which others want watching: a thread of its own does it, and says when it is
    /// `done`.
    fn take_down(&mut self, slot: usize, done: Option<SyncSender<()>>) {
        let vifs = self.worker.ask(|reply| Command::Detach {
            slot,
            port: None,
            reply,
        });
        let guest = &mut self.guests[slot];
        let Some(engine) = guest.engine.take() else {
            say_done(done);
            return;
        };
        guest.last_console = engine.console_since(0);
        self.endings.retain(|ending| !ending.is_finished());
        let end = move || {
            engine.stop();
            drop(vifs);
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
            if view.failures.len() != guest.failures.len()
                || view.failures.back() != guest.failures.back()
            {
                view.failures.clone_from(&guest.failures);
            }
        }
    }
}

fn say_done(done: Option<SyncSender<()>>) {
    if let Some(done) = done {
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

/// A guest's words go to terminals and logs: what would move a cursor does not.
fn legible(words: &str) -> String {
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
