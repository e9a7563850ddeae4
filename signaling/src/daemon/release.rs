//! How a call ends: each leg and the switch let go of it, each once, and then its labels are free.

use alloc::format;
use alloc::string::String;

use super::call::{Key, Leg, Phase, Switched};
use super::core::Daemon;
use super::switch::What;
use crate::isp::ErrorCode;
use crate::q2931::Cause;

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
    pub(super) fn end_call(&mut self, key: Key, cause: Cause) {
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        if !matches!(call.phase, Phase::Ending(_)) {
            let was = call.phase;
            call.phase = Phase::Ending(cause);
            for (leg, is_caller) in [(call.from, true), (call.to, false)] {
                self.end_leg(key, leg, is_caller, was, cause);
            }
        }
        self.let_go(key);
    }

    fn end_leg(&mut self, key: Key, leg: Leg, is_caller: bool, was: Phase, cause: Cause) {
        let left = match leg {
            Leg::None | Leg::Clearing { .. } | Leg::Closing { .. } => return,
            Leg::Link { port, call } => {
                let link = self.links.get_mut(&port);
                // One that has ended has an event under way that says so.
                let _ = link.map(|link| link.entity.release(self.now_ns, call, cause));
                Leg::Clearing { port, call }
            }
            Leg::Socket { client, vcc } => {
                let reply = super::code(cause);
                // What was asked and not answered fails; what was there is closed, and acknowledged.
                if was == Phase::Active {
                    let reply = reply.filter(|_| cause != Cause::NormalCallClearing);
                    self.tell(client, |demon| demon.close(vcc, reply));
                    Leg::Closing { client, vcc }
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
        self.calls.remove(&key);
        for place in labels.into_iter().flatten() {
            self.free(place);
        }
    }
}
