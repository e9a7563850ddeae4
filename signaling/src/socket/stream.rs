//! A connection, as an application has it: frames go in at its rate, and come out in order.

use std::hint;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::asked::{Asked, Patience};
use super::error::Error;
use super::flow::{Flow, Got, Received, Sent};
use super::inner::{Answer, Established};
use super::signaling::{Held, Signaling};
use crate::isp::{Aal, Pvc, Sap};
use crate::ready::For;
use crate::{Address, Qos};

/// The end of a wait that is not slept through: a sleeping thread wakes up so much too late.
const AWAKE: Duration = Duration::from_micros(100);

/// A connection to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Address of the other end.
    pub called: Address,
    /// Address of this end; none: the daemon chooses one.
    pub local: Option<Address>,
    /// Traffic, as seen from here.
    pub qos: Qos,
}

/// A connection. It is closed when it is dropped.
///
/// Several threads may send and receive on it at once. Waits take no longer than `within`; without they take as long as
/// they take.
#[derive(Debug)]
pub struct Stream {
    // First: the daemon is told before the packet socket goes.
    _held: Held,
    flow: Arc<Flow>,
    pvc: Pvc,
    local: Address,
    peer: Address,
    qos: Qos,
}

impl Stream {
    /// Asks for a connection, and waits for it.
    ///
    /// # Errors
    /// [`Error::Refused`] by the network or the other end, [`Error::Timeout`] (the call is given up then),
    /// [`Error::Unavailable`], [`Error::Packet`].
    pub fn connect(
        signaling: &Signaling,
        call: &Call,
        within: Option<Duration>,
    ) -> Result<Self, Error> {
        let patience = Patience::new(within);
        let asked = Self::ask(signaling, call)?;
        let answer = asked.wait("the call", &patience)?;
        Self::of(asked, answer, call.called)
    }

    pub(super) fn ask(signaling: &Signaling, call: &Call) -> Result<Asked, Error> {
        Asked::new(signaling, |kernel, vcc| {
            let local = call.local.unwrap_or(Address::NULL);
            kernel.connect(vcc, Aal::FIVE, local, call.qos, Sap::from(call.called))
        })
    }

    /// What the answer to connect or accept made of a request.
    pub(super) fn of(asked: Asked, answer: Answer, peer: Address) -> Result<Self, Error> {
        match answer {
            Answer::Connected(Established {
                flow,
                pvc,
                local,
                qos,
            }) => Ok(Self {
                _held: asked.into_held(),
                flow,
                pvc,
                local,
                peer,
                qos,
            }),
            Answer::Failed(error) => Err(error),
            // The protocol's state machine lets no other answer through to these requests.
            Answer::Bound(_) | Answer::Listening => Err(Error::Unavailable),
        }
    }

    /// Sends a frame, when its turn comes by the rate granted.
    ///
    /// # Errors
    /// [`Error::TooLong`], [`Error::OneWay`], [`Error::Timeout`] (it was not sent), [`Error::Closed`],
    /// [`Error::Unavailable`], [`Error::Link`].
    pub fn send(&self, payload: &[u8], within: Option<Duration>) -> Result<(), Error> {
        let patience = Patience::new(within);
        let what = "sending a frame";
        let ended = (self.flow.ended(), For::IN);
        loop {
            let now = Instant::now();
            match self.flow.send(payload, now)? {
                Sent::Yes => return Ok(()),
                Sent::NotBefore(at) => match at.checked_sub(AWAKE) {
                    Some(asleep) if asleep > now => patience.wait_until(what, [ended], asleep)?,
                    _ => {
                        while Instant::now() < at {
                            hint::spin_loop();
                        }
                    }
                },
                Sent::Full => patience.wait(what, [ended, (self.flow.packets(), For::OUT)])?,
            }
        }
    }

    /// Receives a frame. What came before the connection was closed is received first.
    ///
    /// # Errors
    /// [`Error::Room`]: `into` is shorter than [`Traffic::max_sdu`](crate::Traffic::max_sdu) of what is received.
    /// [`Error::Timeout`], [`Error::Closed`], [`Error::Unavailable`] (at once), [`Error::Link`].
    pub fn receive(&self, into: &mut [u8], within: Option<Duration>) -> Result<Received, Error> {
        let patience = Patience::new(within);
        let wanted = [(self.flow.ended(), For::IN), (self.flow.packets(), For::IN)];
        loop {
            match self.flow.receive(into)? {
                Got::Frame(received) => return Ok(received),
                Got::Nothing | Got::Again => patience.wait("receiving a frame", wanted)?,
            }
        }
    }

    /// Closes the connection, as dropping it does: the other side receives what is under way, as far as the network
    /// still carries it.
    pub fn close(self) {}

    /// What was granted, as seen from here.
    #[must_use]
    pub fn qos(&self) -> Qos {
        self.qos
    }

    /// Address of this end.
    #[must_use]
    pub fn local(&self) -> Address {
        self.local
    }

    /// Address of the other end.
    #[must_use]
    pub fn peer(&self) -> Address {
        self.peer
    }

    /// Where it is: interface, virtual network, label.
    #[must_use]
    pub fn pvc(&self) -> Pvc {
        self.pvc
    }

    #[cfg(feature = "async")]
    pub(super) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }
}
