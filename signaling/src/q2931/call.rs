//! One call: what messages, its own side and time do to it, by ITU-T Q.2931 5.
//!
//! ```text
//! calling side                                called side
//! setup     Call Initiated        SETUP -->
//!                            <-- CALL PROCEEDING   Incoming Call Proceeding
//!           Outgoing Call Proceeding
//!                                <-- CONNECT       Connect Request       connect
//!           Active        CONNECT ACKNOWLEDGE -->  Active
//! release   Release Request     RELEASE -->        Null, released
//! cleared   Null         <-- RELEASE COMPLETE
//! ```
//!
//! Must not know its label, nor whether its messages arrive; it ends once.

use crate::qos::Qos;

use super::message::{Body, MessageType};
use super::reason::Reason;
use super::{CallState, Cause, Setup, Timers};

/// What is to be told of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was answered, with what is granted as the calling side sees it.
    Connected(Qos),
    /// The answer has come to the calling side.
    ConnectAcknowledged,
    /// It has ended.
    Ended(End),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// As its own side wanted.
    Cleared,
    /// Otherwise.
    Released(Reason),
}

/// Timers of which a call has one at a time, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    T303,
    T308,
    T310,
    T313,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    state: CallState,
    /// The timer that runs, and when it runs out.
    timer: Option<(Timer, u64)>,
    /// When T322 runs out.
    enquiry_ns: Option<u64>,
    /// Whether the message of the timer was repeated; and that of T322.
    repeated: bool,
    enquiry_repeated: bool,
    /// What SETUP said, until it need not be repeated.
    setup: Option<Setup>,
    /// What RELEASE says, and how the call ends by it.
    release: Option<(Reason, End)>,
}

impl Call {
    fn new(state: CallState) -> Self {
        Self {
            state,
            timer: None,
            enquiry_ns: None,
            repeated: false,
            enquiry_repeated: false,
            setup: None,
            release: None,
        }
    }

    /// An own call: sends SETUP.
    pub(crate) fn outgoing(
        now_ns: u64,
        setup: Setup,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) -> Self {
        let mut call = Self::new(CallState::CallInitiated);
        send(Body::Setup(setup.clone()));
        call.setup = Some(setup);
        call.start(Timer::T303, now_ns, timers.t303_ns);
        call
    }

    /// SETUP was heard: sends CALL PROCEEDING.
    pub(crate) fn incoming(send: &mut impl FnMut(Body)) -> Self {
        send(Body::CallProceeding);
        Self::new(CallState::IncomingCallProceeding)
    }

    pub(crate) fn state(&self) -> CallState {
        self.state
    }

    /// When the next of its timers runs out.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        let timer = self.timer.map(|(_, due_ns)| due_ns);
        [timer, self.enquiry_ns].into_iter().flatten().min()
    }

    /// How it ends if nothing more can be said about it.
    pub(crate) fn end(&self, reason: Reason) -> End {
        match &self.release {
            Some((_, end)) => end.clone(),
            None => End::Released(reason.passed_on()),
        }
    }

    /// Answers an incoming call, with what is granted as the calling side sees it; false if it is in another
    /// state.
    pub(crate) fn connect(
        &mut self,
        now_ns: u64,
        qos: Qos,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) -> bool {
        if self.state != CallState::IncomingCallProceeding {
            return false;
        }
        send(Body::Connect { qos });
        self.state = CallState::ConnectRequest;
        self.start(Timer::T313, now_ns, timers.t313_ns);
        true
    }

    /// Releases it, if that has not begun: it will have been cleared.
    pub(crate) fn release(
        &mut self,
        now_ns: u64,
        reason: Reason,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) {
        self.begin_release(now_ns, reason, End::Cleared, timers, send);
    }

    /// Releases it for what was wrong with it: it will have been released.
    pub(crate) fn fail(
        &mut self,
        now_ns: u64,
        reason: Reason,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) {
        let end = End::Released(reason.clone().passed_on());
        self.begin_release(now_ns, reason, end, timers, send);
    }

    fn begin_release(
        &mut self,
        now_ns: u64,
        reason: Reason,
        end: End,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) {
        if self.state == CallState::ReleaseRequest {
            return;
        }
        self.state = CallState::ReleaseRequest;
        self.enquiry_ns = None;
        self.setup = None;
        send(Body::Release {
            reason: reason.clone(),
        });
        self.release = Some((reason, end));
        self.start(Timer::T308, now_ns, timers.t308_ns);
    }

    /// Asks whether the neighbour has it in the same state (5.6.11), if it is active.
    pub(crate) fn enquire(&mut self, now_ns: u64, timers: &Timers, send: &mut impl FnMut(Body)) {
        if self.state == CallState::Active && self.enquiry_ns.is_none() {
            send(Body::StatusEnquiry);
            self.enquiry_repeated = false;
            self.enquiry_ns = Some(now_ns.saturating_add(timers.t322_ns));
        }
    }

    /// A message of it was heard; `report` is what was wrong with it.
    pub(crate) fn hears(
        &mut self,
        now_ns: u64,
        body: Body,
        report: Option<Reason>,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) -> Option<Told> {
        let kind = body.kind();
        let told = match (body, self.state) {
            (Body::Release { reason }, state) => {
                // Both sides release: each takes the other's RELEASE for the answer (5.4.5).
                if state != CallState::ReleaseRequest {
                    send(Body::ReleaseComplete { reason: report });
                }
                return Some(Told::Ended(self.end(reason)));
            }
            (Body::ReleaseComplete { reason }, _) => {
                let reason = reason.unwrap_or(Cause::NormalUnspecified.into());
                return Some(Told::Ended(self.end(reason)));
            }
            (Body::Status { reason, state }, _) => {
                return self.hears_status(now_ns, &reason, state, timers, send);
            }
            (Body::StatusEnquiry, state) => {
                let reason = Cause::ResponseToStatusEnquiry.into();
                send(Body::Status { reason, state });
                None
            }
            // SETUP was repeated, and CALL PROCEEDING is on the way; or what comes crosses with RELEASE.
            (Body::Setup(_), _) | (_, CallState::ReleaseRequest) => None,
            (Body::CallProceeding, CallState::CallInitiated) => {
                self.state = CallState::OutgoingCallProceeding;
                self.setup = None;
                self.start(Timer::T310, now_ns, timers.t310_ns);
                None
            }
            (
                Body::Connect { qos },
                CallState::CallInitiated | CallState::OutgoingCallProceeding,
            ) => {
                self.activate();
                send(Body::ConnectAcknowledge);
                Some(Told::Connected(qos))
            }
            (Body::ConnectAcknowledge, CallState::ConnectRequest) => {
                self.activate();
                Some(Told::ConnectAcknowledged)
            }
            (_, state) => {
                let reason = Reason::new(Cause::MessageNotCompatibleWithState, &[kind.number()]);
                send(Body::Status { reason, state });
                None
            }
        };
        if let Some(reason) = report {
            let state = self.state;
            send(Body::Status { reason, state });
        }
        told
    }

    /// A message of it was not understood.
    pub(crate) fn hears_wrong(
        &mut self,
        now_ns: u64,
        kind: Option<MessageType>,
        reason: Reason,
        clear: bool,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) {
        match kind {
            // A SETUP that is repeated; and STATUS is not answered by STATUS.
            Some(MessageType::Setup | MessageType::Status) => {}
            _ if clear => self.fail(now_ns, reason, timers, send),
            _ => {
                let state = self.state;
                send(Body::Status { reason, state });
            }
        }
    }

    fn hears_status(
        &mut self,
        now_ns: u64,
        reason: &Reason,
        state: CallState,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) -> Option<Told> {
        self.enquiry_ns = None;
        let not_compatible = Cause::MessageNotCompatibleWithState;
        if state == CallState::Null {
            let cause = match reason.cause {
                Cause::ResponseToStatusEnquiry => not_compatible,
                cause => cause,
            };
            return Some(Told::Ended(self.end(cause.into())));
        }
        if !are_compatible(self.state, state) {
            self.fail(now_ns, not_compatible.into(), timers, send);
        }
        None
    }

    /// Time has passed.
    pub(crate) fn tick(
        &mut self,
        now_ns: u64,
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) -> Option<Told> {
        if self.enquiry_ns.is_some_and(|due_ns| due_ns <= now_ns) {
            self.enquiry_out(now_ns, timers, send);
        }
        let (timer, _) = self.timer.filter(|(_, due_ns)| *due_ns <= now_ns)?;
        match timer {
            Timer::T303 => match self.setup.take().filter(|_| !self.repeated) {
                Some(setup) => {
                    send(Body::Setup(setup.clone()));
                    self.setup = Some(setup);
                    self.start(timer, now_ns, timers.t303_ns);
                    self.repeated = true;
                }
                // Nobody has said that there is such a call: there is nothing to be released (table 7-2, T303).
                None => {
                    let reason = Cause::RecoveryOnTimerExpiry.into();
                    return Some(Told::Ended(self.end(reason)));
                }
            },
            Timer::T310 => self.time_out(now_ns, b"310", timers, send),
            Timer::T313 => self.time_out(now_ns, b"313", timers, send),
            Timer::T308 => match &self.release {
                Some((reason, _)) if !self.repeated => {
                    send(Body::Release {
                        reason: reason.clone(),
                    });
                    self.start(timer, now_ns, timers.t308_ns);
                    self.repeated = true;
                }
                _ => return Some(Told::Ended(self.end(Cause::RecoveryOnTimerExpiry.into()))),
            },
        }
        None
    }

    /// 5.6.11: without an answer to the second STATUS ENQUIRY the call is cleared.
    fn enquiry_out(&mut self, now_ns: u64, timers: &Timers, send: &mut impl FnMut(Body)) {
        if self.enquiry_repeated {
            self.fail(now_ns, Cause::TemporaryFailure.into(), timers, send);
        } else {
            send(Body::StatusEnquiry);
            self.enquiry_repeated = true;
            self.enquiry_ns = Some(now_ns.saturating_add(timers.t322_ns));
        }
    }

    fn time_out(
        &mut self,
        now_ns: u64,
        timer: &[u8; 3],
        timers: &Timers,
        send: &mut impl FnMut(Body),
    ) {
        let reason = Reason::new(Cause::RecoveryOnTimerExpiry, timer);
        self.fail(now_ns, reason, timers, send);
    }

    fn start(&mut self, timer: Timer, now_ns: u64, time_ns: u64) {
        self.timer = Some((timer, now_ns.saturating_add(time_ns)));
        self.repeated = false;
    }

    fn activate(&mut self) {
        self.state = CallState::Active;
        self.timer = None;
        self.setup = None;
    }
}

/// Whether a call may be in these states on the two sides, with messages still on the way (5.6.12).
fn are_compatible(own: CallState, other: CallState) -> bool {
    use CallState::{
        Active, CallInitiated, CallPresent, ConnectRequest, IncomingCallProceeding,
        OutgoingCallProceeding, ReleaseIndication, ReleaseRequest,
    };
    match (own, other) {
        (ReleaseRequest, _) | (_, ReleaseRequest | ReleaseIndication) => true,
        (CallInitiated | OutgoingCallProceeding, other) => {
            matches!(other, CallPresent | IncomingCallProceeding | ConnectRequest)
        }
        (IncomingCallProceeding, other) => matches!(other, CallInitiated | OutgoingCallProceeding),
        (ConnectRequest, other) => {
            matches!(other, CallInitiated | OutgoingCallProceeding | Active)
        }
        (Active, other) => matches!(other, ConnectRequest | Active),
        _ => false,
    }
}
