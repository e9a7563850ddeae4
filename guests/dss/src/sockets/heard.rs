//! What the daemon says to sockets.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_signaling::isp::kernel::Event;
use pinode_signaling::isp::{ErrorCode, Vcc};

use super::Sockets;
use crate::control::{Answer, IspRequest, MOST_MESSAGES, SocketState, SocketView};

/// Sockets that are not as before, each as it is now.
type Changed = BTreeMap<u32, Option<SocketView>>;

impl Sockets {
    /// Takes messages of the daemon; the sockets that are not as before.
    ///
    /// # Errors
    ///
    /// The first that is none, or that the protocol does not allow: this life is best ended.
    pub(crate) fn heard(&mut self, request: &IspRequest) -> Result<Answer, String> {
        if request.messages.len() > MOST_MESSAGES {
            let messages = request.messages.len();
            return Err(format!(
                "{messages} messages; allowed: {MOST_MESSAGES} at most"
            ));
        }
        if request.life != self.life {
            return Ok(Answer::Sockets(Vec::new()));
        }
        if !self.has_room() {
            return Ok(Answer::Later {});
        }
        let mut changed = Changed::new();
        for (at, message) in request.messages.iter().enumerate() {
            let wrong = |what: String| format!("messages[{at}]: {what}");
            let message = self.kernel.decode(&message.0);
            let message = message.map_err(|error| wrong(error.to_string()))?;
            let event = self.kernel.hears(message);
            let event = event.map_err(|error| wrong(error.to_string()))?;
            self.happens(event, &mut changed);
        }
        let views = changed.into_iter();
        let views = views.filter_map(|(number, ended)| ended.or_else(|| self.view(number)));
        Ok(Answer::Sockets(views.collect()))
    }

    fn happens(&mut self, event: Event, changed: &mut Changed) {
        match event {
            Event::Connected { vcc, qos, .. } => self.becomes(vcc, changed, |socket| {
                socket.state = SocketState::Connected;
                socket.qos = Some(qos);
            }),
            Event::Listening { vcc } => {
                self.becomes(vcc, changed, |socket| socket.state = SocketState::Listening);
                let number = self.owners.get(&vcc).copied();
                if let Some(number) = number
                    && self.all.get(&number).is_some_and(|own| own.is_unwanted)
                {
                    self.give_up(number);
                }
            }
            Event::Incoming { listen_vcc } => self.comes(listen_vcc),
            Event::Accepted { vcc, .. } => self.becomes(vcc, changed, |socket| socket.calls += 1),
            // As new: nobody else knows of it.
            Event::Failed { vcc, reply, .. } => {
                let _ = self.kernel.close(vcc);
                self.is_gone(vcc, Some(reply), false, changed);
            }
            Event::Closed { vcc, reply } => {
                if let Ok(closing) = self.kernel.close(vcc)
                    && let Some(said) = closing.send
                {
                    self.say(None, &said);
                }
                self.is_gone(vcc, reply, true, changed);
            }
            Event::Gone { vcc, reply, send } => {
                for said in &send {
                    self.say(None, said);
                }
                self.is_gone(vcc, reply, true, changed);
            }
            Event::Bound { .. } | Event::Crossed { .. } => {}
        }
    }

    /// Changes the socket whose own or whose call's this one is.
    fn becomes(
        &mut self,
        vcc: Vcc,
        changed: &mut Changed,
        change: impl FnOnce(&mut super::Socket),
    ) {
        if let Some(number) = self.owners.get(&vcc)
            && let Some(socket) = self.all.get_mut(number)
        {
            change(socket);
            changed.insert(*number, None);
        }
    }

    /// Accepts the call that waits.
    fn comes(&mut self, listen_vcc: Vcc) {
        let said = match (self.kernel.accept(listen_vcc), self.owners.get(&listen_vcc)) {
            (Ok(accepting), Some(number)) => {
                self.owners.insert(accepting.vcc, *number);
                accepting.send
            }
            // One that closes answers its calls when it is gone (3.8); the others have no room.
            _ => match self.kernel.reject(listen_vcc, ErrorCode::TOO_MANY) {
                Ok((_, said)) => said,
                Err(_) => return,
            },
        };
        self.say(None, &said);
    }

    /// A socket of the machine is no more; `counted`: if it was a call, it was counted once it was accepted.
    fn is_gone(
        &mut self,
        vcc: Vcc,
        reply: Option<ErrorCode>,
        counted: bool,
        changed: &mut Changed,
    ) {
        let Some(number) = self.owners.remove(&vcc) else {
            return;
        };
        let Some(socket) = self.all.get_mut(&number) else {
            return;
        };
        let ended = if socket.vcc == vcc {
            self.end(number, reply)
        } else {
            socket.calls = socket.calls.saturating_sub(u32::from(counted));
            None
        };
        changed.insert(number, ended);
    }
}
