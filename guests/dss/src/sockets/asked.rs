//! What the host asks of sockets.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_signaling::Qos;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::isp::kernel::NotNow;
use pinode_signaling::isp::{Aal, Sap, Vcc};

use super::{Socket, Sockets};
use crate::control::{Answer, MOST_SOCKETS, SocketRequest, SocketState, SocketView};

impl Sockets {
    pub(crate) fn asked(&mut self, request: SocketRequest) -> Result<Answer, String> {
        let begins = matches!(
            request,
            SocketRequest::Open { .. } | SocketRequest::Listen { .. }
        );
        if begins && !self.has_room() {
            return Ok(Answer::Later {});
        }
        match request {
            SocketRequest::Start { life: 0 } => Err("life: 0 is none; allowed: 1 and above".into()),
            SocketRequest::Start { life } => {
                self.start(life);
                Ok(Answer::Started {})
            }
            SocketRequest::Open {
                socket,
                at,
                local,
                called,
                qos,
            } => {
                if at.labels != 1 {
                    return Err(format!("at.labels: {}; allowed: 1 for a call", at.labels));
                }
                let vcc = self.make(socket, at)?;
                let said = self
                    .kernel
                    .connect(vcc, Aal::FIVE, local, qos, Sap::from(called));
                let said = said.map_err(|error| error.to_string())?;
                self.say(Some(at), &said);
                self.keep(socket, vcc, at, SocketState::Connecting)
            }
            SocketRequest::Listen {
                socket,
                at,
                address,
                qos,
            } => {
                let vcc = self.make(socket, at)?;
                let said = self.kernel.listen(vcc, Aal::FIVE, qos, Sap::from(address));
                let said = said.map_err(|error| error.to_string())?;
                self.say(Some(at), &said);
                self.keep(socket, vcc, at, SocketState::Registering)
            }
            SocketRequest::Close { socket } => self.close(socket),
            SocketRequest::List { after } => Ok(Answer::Sockets(self.list(after))),
        }
    }

    /// A new socket of the machine, if there may be one.
    fn make(&mut self, socket: u32, at: Span) -> Result<Vcc, String> {
        if self.life == 0 {
            return Err("sockets have not been started".into());
        }
        if self.all.contains_key(&socket) {
            return Err(format!("socket: {socket} is there already"));
        }
        if at.places().is_none() {
            let Span { label, labels, .. } = at;
            return Err(format!(
                "at: {labels} labels from {label} on; allowed: 1 to {}, of 16 to 1048575",
                Span::MOST
            ));
        }
        self.kernel.socket().map_err(|error| error.to_string())
    }

    fn keep(
        &mut self,
        number: u32,
        vcc: Vcc,
        at: Span,
        state: SocketState,
    ) -> Result<Answer, String> {
        let qos: Option<Qos> = None;
        let socket = Socket {
            vcc,
            at,
            state,
            is_unwanted: false,
            qos,
            calls: 0,
        };
        self.owners.insert(vcc, number);
        self.all.insert(number, socket);
        Ok(Answer::Socket(socket.view(number, state)))
    }

    /// Also while many messages wait: there is one close for each socket of the machine, and none begins meanwhile.
    fn close(&mut self, number: u32) -> Result<Answer, String> {
        let calls = self.calls_of(number);
        for call in calls {
            // One that is closing already goes on to.
            if let Ok(closing) = self.kernel.close(call)
                && let Some(said) = closing.send
            {
                self.say(None, &said);
            }
        }
        self.give_up(number);
        let view = self.view(number);
        view.map(Answer::Socket)
            .ok_or_else(|| format!("socket: there is no {number}"))
    }

    /// Calls that a socket has accepted, or is accepting.
    fn calls_of(&self, number: u32) -> Vec<Vcc> {
        let Some(own) = self.all.get(&number).map(|socket| socket.vcc) else {
            return Vec::new();
        };
        let owned = self.owners.iter().filter(|(_, owner)| **owner == number);
        let owned = owned.map(|(vcc, _)| *vcc);
        owned.filter(|vcc| *vcc != own).collect()
    }

    /// Closes a socket now, or once its demon has answered.
    pub(super) fn give_up(&mut self, number: u32) {
        let Some(socket) = self.all.get_mut(&number) else {
            return;
        };
        match self.kernel.close(socket.vcc) {
            Ok(closing) => {
                // None is free at once: what is new, or has ended, is not kept.
                socket.state = SocketState::Closing;
                if let Some(said) = closing.send {
                    self.say(None, &said);
                }
            }
            Err(NotNow::State { .. }) => socket.is_unwanted = true,
            Err(_) => {}
        }
    }

    fn list(&self, after: Option<u32>) -> Vec<SocketView> {
        let first = after.map_or(Some(0), |after| after.checked_add(1));
        let behind = first.into_iter().flat_map(|first| self.all.range(first..));
        behind
            .take(MOST_SOCKETS as usize)
            .map(|(number, socket)| socket.view(*number, socket.state))
            .collect()
    }
}
