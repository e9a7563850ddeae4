//! How a call ends: each leg and the switch let go of it, each once, and then its labels are free.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::ClientId;
use super::call::{Key, Leg, Phase, Switched};
use super::core::{CLOSE_NS, Daemon, Output};
use super::switch::What;
use crate::isp::{ErrorCode, Vcc, Words};
use crate::q2931::{Cause, Reason};

impl Daemon {
    /// An operator releases a call.
    ///
    /// # Errors
    ///
    /// There is no such call.
    pub fn release(&mut self, now_ns: u64, call: u64) -> Result<(), String> {
        self.at(now_ns);
        if !self.calls.contains_key(&Key(call)) {
            return Err(format!("there is no call {call}"));
        }
        self.end_call(Key(call), Cause::NormalUnspecified);
        self.hear_links();
        Ok(())
    }

    /// Ends a call; again it does nothing but look whether it is over.
    pub(super) fn end_call(&mut self, key: Key, reason: impl Into<Reason>) {
        let reason = reason.into();
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        if !matches!(call.phase, Phase::Ending(_)) {
            let was = call.phase;
            call.phase = Phase::Ending(reason.cause);
            for (leg, is_caller) in [(call.from, true), (call.to, false)] {
                self.end_leg(key, leg, is_caller, was, &reason);
            }
        }
        self.let_go(key);
    }

    fn end_leg(&mut self, key: Key, leg: Leg, is_caller: bool, was: Phase, reason: &Reason) {
        let cause = reason.cause;
        let left = match leg {
            Leg::None | Leg::Clearing { .. } | Leg::Closing { .. } => return,
            Leg::Link { port, call } => {
                let link = self.links.get_mut(&port);
                // One that has ended has an event under way that says so.
                let _ = link.map(|link| link.entity.release(self.now_ns, call, reason.clone()));
                Leg::Clearing { port, call }
            }
            Leg::Socket { client, vcc } => {
                let reply = super::code(cause);
                self.explain(client, vcc, reason);
                // What was asked and not answered fails; what was there is closed, and acknowledged.
                if was == Phase::Active {
                    let reply = reply.filter(|_| cause != Cause::NormalCallClearing);
                    self.tell(client, |demon| demon.close(vcc, reply));
                    let due_ns = self.now_ns.saturating_add(CLOSE_NS);
                    self.closing.insert((due_ns, client, vcc));
                    Leg::Closing {
                        client,
                        vcc,
                        due_ns,
                    }
                } else {
                    self.by_socket.remove(&(client, vcc));
                    let reply = reply.unwrap_or(ErrorCode::ABORTED);
                    self.tell(client, |demon| demon.error(vcc, reply));
                    Leg::None
                }
            }
            // It cannot be withdrawn: whoever answers it is told then.
            Leg::Indicated { client, token } => {
                self.by_token.remove(&(client, token));
                Leg::None
            }
        };
        if let Some(call) = self.calls.get_mut(&key) {
            *(if is_caller {
                &mut call.from
            } else {
                &mut call.to
            }) = left;
        }
    }

    /// Says why, in words, before it is said that something has ended.
    pub(super) fn explain(&mut self, client: ClientId, vcc: Vcc, reason: &Reason) {
        if let Some(words) = Words::new(vcc, reason.words()) {
            self.push(Output::Explain(client, words));
        }
    }

    /// Lets go of applications that have not acknowledged a close in time.
    pub(super) fn cut_off(&mut self) {
        let is_due = |(due_ns, ..): &&(u64, ClientId, Vcc)| *due_ns <= self.now_ns;
        let due: BTreeSet<ClientId> = self
            .closing
            .iter()
            .take_while(is_due)
            .map(|due| due.1)
            .collect();
        for client in due {
            self.forget_client(client);
            let s = CLOSE_NS / 1_000_000_000;
            let why = format!("it has not acknowledged for {s} s that a connection was closed");
            self.push(Output::Drop(client, why));
        }
    }

    /// Lets the switch forget a call that ends, and the call itself when nothing is left of it.
    pub(super) fn let_go(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        if call.switched == Switched::Set && matches!(call.phase, Phase::Ending(_)) {
            let op = self.switch(key, What::Unset);
            if let Some(call) = self.calls.get_mut(&key) {
                call.switched = Switched::Unsetting(op);
            }
            return;
        }
        if !call.is_over() {
            return;
        }
        let labels = [call.came_by, call.goes_by];
        self.share.give(call.origin);
        self.calls.remove(&key);
        for place in labels.into_iter().flatten() {
            self.free(place);
        }
    }
}
