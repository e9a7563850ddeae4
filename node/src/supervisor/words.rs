//! What guests say and do, and what the supervisor makes of it: vifs that come and go, lines of the
//! control channel, faults.
//!
//! Must never trust a word of it: what does not fit is the guest's failure, and nobody else's.

use pinode_guest_runtime::control::{ABI, FromGuest, Usage};
use tracing::info;

use super::agent;
use super::engine::{Engine, GuestEvent};
use super::lifecycle::State;
use super::watch::{Events, Run};
use crate::dataplane::clock::Clock;
use crate::dataplane::vif::Vif;
use crate::status::GuestUsage;

/// A guest says a few lines a second; so many between two looks are a flood.
const LINES_AT_MOST: u32 = 1000;
/// Events after which a guest is told that they were heard: often enough that it never waits for that.
const TOLD_EVERY: u64 = 8;

impl Events {
    /// One more was heard.
    fn hear(&mut self, engine: Option<&Engine>) {
        self.heard += 1;
        if let Some(engine) = engine.filter(|_| self.heard - self.told >= TOLD_EVERY) {
            self.told = self.heard;
            engine.send_line(&agent::heard_line(self.heard));
        }
    }

    /// Tells what it was not told, and once more what it was told since the last time: a line may get lost.
    pub(super) fn tell_again(&mut self, engine: &Engine) {
        if self.heard != self.told_before {
            engine.send_line(&agent::heard_line(self.heard));
        }
        (self.told_before, self.told) = (self.told, self.heard);
    }
}

impl Run {
    pub(super) fn hear_guest(&mut self, slot: usize, event: GuestEvent) {
        match event {
            GuestEvent::VifUp { port, pairs } => self.vif_up(slot, port, pairs),
            GuestEvent::VifDown { port, released } => {
                match self.workers.detach(slot, Some(port)) {
                    Ok(parts) => drop(parts),
                    Err(gone) => self.fail(slot, format!("cannot reset a vif: {gone}")),
                }
                let guest = &mut self.guests[slot];
                guest.vifs_up = guest.vifs_up.saturating_sub(1);
                guest.pairs.vif_down(port);
                drop(released);
            }
            GuestEvent::Line(line) => self.hear_line(slot, &line),
            GuestEvent::Fault(report) => self.fail(slot, report),
            GuestEvent::Ended(why) => self.fail(slot, format!("ended by itself: {why}")),
        }
    }

    fn vif_up(&mut self, slot: usize, port: usize, mut pairs: Vec<Vif>) {
        let workers = usize::from(self.config.workers);
        let generation = self.guests[slot].life.generation();
        if let Err(why) = self.guests[slot].pairs.vif_up(port, &mut pairs, workers) {
            let name = self.config.ports.get(port).map_or("?", |p| p.name.as_str());
            self.fail(slot, format!("its vif {name} has {why}"));
            return;
        }
        for pair in &mut pairs {
            pair.generation = generation;
        }
        drop(self.workers.attach(slot, port, pairs));
        let guest = &mut self.guests[slot];
        guest.vifs_up += 1;
        // A guest without our agent (a stock Linux, say) forwards once its interfaces are up.
        if guest.vifs_up == self.config.ports.len()
            && !guest.said_hello
            && guest.life.ready(self.clock.now_ns(), false)
        {
            guest.listeners.runs();
        }
    }

    /// The guest forwards, and can be asked.
    pub(super) fn runs(&mut self, slot: usize) {
        let guest = &mut self.guests[slot];
        if guest.life.ready(self.clock.now_ns(), true) {
            guest.listeners.runs();
            let boot_us = guest.life.boot_us();
            info!(guest = %self.config.pis[slot].name, boot_us, "forwards");
        }
    }

    /// The second half of an answer to a ping.
    fn used(&mut self, slot: usize, usage: &Usage) {
        let at_ns = self.clock.now_ns();
        let guest = &mut self.guests[slot];
        if guest.life.state() != State::Running {
            return;
        }
        let Usage {
            up_ns,
            busy_ns,
            poll_ns,
            away_ns,
            frames,
            discarded,
            wakeups,
        } = *usage;
        guest.usage = Some(Box::new(GuestUsage {
            at_ns,
            up_ns,
            busy_ns,
            poll_ns,
            away_ns,
            frames,
            discarded,
            wakeups,
            cpu_ns: guest.engine.as_ref().map_or_else(Vec::new, Engine::cpu_ns),
        }));
        self.readings.answered(slot, guest.ponged);
    }

    fn hear_line(&mut self, slot: usize, line: &str) {
        let guest = &mut self.guests[slot];
        guest.lines += 1;
        if guest.lines > LINES_AT_MOST {
            self.fail(slot, "floods its control channel".to_owned());
            return;
        }
        match agent::read(line) {
            Ok(FromGuest::Hello { abi: ABI }) => guest.said_hello = true,
            Ok(FromGuest::Hello { abi }) => {
                self.fail(
                    slot,
                    format!("speaks ABI {abi} of the control channel; allowed: {ABI}"),
                );
            }
            Ok(FromGuest::Ready {}) => self.ready(slot),
            Ok(FromGuest::Pong(number)) => {
                guest.life.pong(number);
                guest.ponged = number;
            }
            Ok(FromGuest::Usage(usage)) => self.used(slot, &usage),
            Ok(FromGuest::Response { id, result }) => self.hear_answer(slot, id, result),
            Ok(FromGuest::Event(event)) => {
                guest.events.hear(guest.engine.as_ref());
                guest.listeners.event(event);
            }
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
}
