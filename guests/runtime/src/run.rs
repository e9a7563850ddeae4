//! The main loop of a guest, wherever it runs: configuration, then frames until told to stop.
//!
//! Vifs are polled in bursts; the function is called; what it sent is published once a burst. When
//! there is nothing to do the guest asks for interrupts, looks once more, and idles: an interrupt
//! raised after the asking ends [`Platform::idle`], so none is lost.
//!
//! Must know nothing of where it runs: clock, control channel, rings and sleep are the platform's.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_virtqueue::QueueError;

use crate::control::{self, ABI, Config, FromGuest, LINE_OCTETS, ToGuest};
use crate::function::{Function, TICK_NS, WORK_NS};
use crate::usage::{Clock, Meter};
use crate::vif::{Direction, Net};
use crate::voice::Voice;

/// Where a guest runs.
pub trait Platform: Clock {
    /// The next line from the host, if there is one. Called every round: cheap when there is none.
    fn receive_line(&mut self) -> Option<String>;
    /// Whether a line that may wait can be sent without being lost, with room for answers left.
    fn has_room(&self) -> bool {
        true
    }
    /// Sends a line to the host, later if it cannot be now.
    fn send_line(&mut self, line: &str);
    /// Writes a line to the log, for a person to read.
    fn log(&mut self, text: &str);
    /// Asks to be woken for lines. True: there is one already.
    fn arm(&mut self) -> bool;
    /// Sleeps until an interrupt came since the last return. May return without one.
    fn idle(&mut self);
    /// Adds this many octets to what can be allocated.
    ///
    /// # Errors
    ///
    /// There is not as much, for a person to read.
    fn reserve(&mut self, octets: u64) -> Result<(), String>;
    /// Brings up the vifs of `config`.
    ///
    /// # Errors
    ///
    /// What is missing, for a person to read.
    fn open(&mut self, config: &Config) -> Result<Net, String>;
    /// Tells the device of a queue that there is something new on it.
    fn kick(&mut self, lane: usize, direction: Direction);
}

/// Why the main loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The host said so.
    Stopped,
    /// The configuration was refused; the host was told why.
    Refused(String),
    /// A device broke a ring.
    Broken(QueueError),
}

/// Runs `function` on `platform` until the host says stop.
pub fn run(platform: &mut impl Platform, function: &mut dyn Function) -> Exit {
    send(platform, &FromGuest::Hello { abi: ABI });
    let config = match configuration(platform) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let mut net = match open(platform, function, &config) {
        Ok(net) => net,
        Err(why) => {
            send(platform, &FromGuest::Error(why.clone()));
            return Exit::Refused(why);
        }
    };
    // Before the host hears of it: a frame it delivers at once finds a buffer.
    net.publish(|lane, direction| platform.kick(lane, direction));
    platform.log(&format!(
        "{}: forwarding on {} vifs",
        function.name(),
        config.vifs.len()
    ));
    send(platform, &FromGuest::Ready {});
    match forward(platform, function, net, config.idle_after_rounds) {
        Ok(()) => Exit::Stopped,
        Err(error) => {
            send(
                platform,
                &FromGuest::Error(format!("a device broke its ring: {error}")),
            );
            Exit::Broken(error)
        }
    }
}

fn open(
    platform: &mut impl Platform,
    function: &mut dyn Function,
    config: &Config,
) -> Result<Net, String> {
    platform.reserve(function.memory(config))?;
    function.configure(config)?;
    platform.open(config)
}

/// Waits for the configuration; answers pings meanwhile.
fn configuration(platform: &mut impl Platform) -> Result<Config, Exit> {
    let meter = Meter::new(platform);
    loop {
        match next(platform, &meter) {
            Some(ToGuest::Config(config)) => return Ok(config),
            Some(ToGuest::Stop {}) => return Err(Exit::Stopped),
            Some(ToGuest::Ping(_) | ToGuest::Heard(_)) => {}
            Some(ToGuest::Request { id, .. }) => {
                let result = Err("the guest is not configured yet".to_string());
                send(platform, &FromGuest::Response { id, result });
            }
            None => {
                if !platform.arm() {
                    platform.idle();
                }
            }
        }
    }
}

fn forward(
    platform: &mut impl Platform,
    function: &mut dyn Function,
    mut net: Net,
    idle_after: u32,
) -> Result<(), QueueError> {
    let mut meter = Meter::new(platform);
    let (mut empty, mut tick_due_ns) = (0u32, 0);
    let mut unfinished = Unfinished::default();
    let mut voice = Voice::default();
    loop {
        let now_ns = meter.now_ns(platform);
        if now_ns >= tick_due_ns {
            tick_due_ns = now_ns.saturating_add(TICK_NS);
            net.tick(function, now_ns, |lane, direction| {
                platform.kick(lane, direction);
            })?;
        }
        let moved = net.round(function, now_ns, |lane, direction| {
            platform.kick(lane, direction);
        })?;
        meter.round(platform, moved.any(), moved.frames, moved.discarded);
        let line = next(platform, &meter);
        if line.is_some() {
            meter.talked(platform);
        }
        if unfinished.is_any && (!moved.any() || now_ns >= unfinished.due_ns) {
            unfinished.work(platform, function, now_ns);
            meter.talked(platform);
        }
        let speaks = function.has_event() && voice.has_room();
        if speaks && voice.may_speak(now_ns) && platform.has_room() {
            tell(platform, function, &mut voice, now_ns);
            meter.talked(platform);
        }
        if !moved.any() {
            // Where a core has two threads, what this one does not use is the worker's.
            core::hint::spin_loop();
        }
        match line {
            Some(ToGuest::Stop {}) => return Ok(()),
            Some(ToGuest::Config(_)) => {
                let why = "the guest is configured already; restart it for another configuration";
                send(platform, &FromGuest::Error(why.to_string()));
            }
            Some(ToGuest::Ping(_)) => {}
            Some(ToGuest::Heard(events)) => voice.heard(events),
            Some(ToGuest::Request { id, body }) => {
                let now_ns = meter.now_ns(platform);
                let result = function.request(now_ns, &body);
                unfinished.answers.push((id, result));
                unfinished.work(platform, function, now_ns);
                meter.talked(platform);
                // What it left to be sent goes before the guest may sleep.
                tick_due_ns = 0;
            }
            // One that has to wait for its turn to speak waits a millisecond or two.
            None if moved.any() || unfinished.is_any || speaks => empty = 0,
            None => {
                empty = empty.saturating_add(1);
                if empty >= idle_after && idle_after != u32::MAX {
                    sleep(platform, &mut net, &mut meter);
                    empty = 0;
                }
            }
        }
    }
}

/// What requests began and is not done yet, with the answers that wait for it: one, as the host asks one thing at a
/// time, or a few if it does not wait for them.
#[derive(Debug, Default)]
struct Unfinished {
    is_any: bool,
    due_ns: u64,
    answers: Vec<(u64, Result<serde_json::Value, String>)>,
}

impl Unfinished {
    /// Goes on; when nothing is left, answers.
    #[cold]
    fn work(&mut self, platform: &mut impl Platform, function: &mut dyn Function, now_ns: u64) {
        self.due_ns = now_ns.saturating_add(WORK_NS);
        self.is_any = !function.work();
        if !self.is_any {
            for (id, result) in self.answers.drain(..) {
                respond(platform, id, result);
            }
        }
    }
}

/// Tells the host the next event.
#[cold]
fn tell(platform: &mut impl Platform, function: &mut dyn Function, voice: &mut Voice, now_ns: u64) {
    let Some(event) = function.event() else {
        return;
    };
    let line = control::format(&FromGuest::Event(event));
    if line.len() <= LINE_OCTETS {
        voice.spoke(now_ns);
        platform.send_line(&line);
    } else {
        platform.log(&format!(
            "an event has {} octets, and is lost; allowed: {LINE_OCTETS}",
            line.len()
        ));
    }
}

/// Asks for interrupts, looks again, sleeps.
fn sleep(platform: &mut impl Platform, net: &mut Net, meter: &mut Meter) {
    // Both are asked, whatever the first answers.
    let ready = net.arm() | platform.arm();
    // Behind the fence of the arming: no device sleeps unseen now.
    net.kick(|lane, direction| platform.kick(lane, direction));
    if !ready {
        meter.round(platform, false, 0, 0);
        platform.idle();
        meter.slept(platform);
    }
    net.disarm();
}

/// The next line, with pings answered and nonsense refused.
fn next(platform: &mut impl Platform, meter: &Meter) -> Option<ToGuest> {
    let line = platform.receive_line()?;
    match control::parse(&line) {
        Ok(ToGuest::Ping(number)) => {
            send(platform, &FromGuest::Pong(number));
            let usage = meter.usage(platform);
            send(platform, &FromGuest::Usage(usage));
            Some(ToGuest::Ping(number))
        }
        Ok(message) => Some(message),
        Err(error) => {
            send(
                platform,
                &FromGuest::Error(format!("line not understood: {error}")),
            );
            None
        }
    }
}

/// Sends an answer, or that it is too long for a line.
fn respond(platform: &mut impl Platform, id: u64, result: Result<serde_json::Value, String>) {
    let line = control::format(&FromGuest::Response { id, result });
    if line.len() <= LINE_OCTETS {
        return platform.send_line(&line);
    }
    let result = Err(format!(
        "the answer has {} octets; allowed: {LINE_OCTETS}",
        line.len()
    ));
    send(platform, &FromGuest::Response { id, result });
}

fn send(platform: &mut impl Platform, message: &FromGuest) {
    platform.send_line(&control::format(message));
}
