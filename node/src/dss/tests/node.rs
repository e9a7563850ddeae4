//! A node that remembers what its guest was told and its level 2 has reserved, and refuses when it is to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use pinode_guest_dss::control::{
    Answer, Connection, Event, IspEvent, Key, Kind, Octets, Request, Said, SocketRequest,
    SocketState, SocketView,
};
use pinode_signaling::daemon::switch::{Place, Span, Way};
use pinode_signaling::{Class, Peak, Prefix, Traffic};
use serde_json::Value;

use crate::control::*;
use crate::dss::{Permanent, PermanentShown, Shown};
use crate::status::{GuestStatus, PortPhases, Status};
use crate::supervisor::Listeners;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What there is, and what is to go wrong.
#[derive(Default)]
pub struct State {
    pub guest: BTreeMap<Key, Connection>,
    /// Requests that the guest has heard.
    pub asked: usize,
    /// The guest answers nothing, after so many more requests.
    pub silent_after: Option<usize>,
    /// The guest does what it is asked, and its answer gets lost.
    pub deaf: bool,
    /// The guest has no room for these.
    pub full: BTreeSet<Key>,
    /// What is reserved, by port.
    pub reserved: BTreeMap<(String, StreamName), StreamRequest>,
    /// Level 2 has not as much rate left at these.
    pub taken: BTreeSet<(String, StreamName)>,
    /// Ports whose workers do not answer.
    pub dead_ports: BTreeSet<String>,
    /// So many requests are refused as too many wait.
    pub busy: usize,
    /// So many sockets are not opened as too many messages wait.
    pub later: usize,
    /// What hears the guest, and what its sockets have said to it.
    pub ear: Option<Listeners>,
    pub said: u64,
    pub life: u64,
    /// Sockets of the guest, in the order in which they came, and those that were closed.
    pub opened: Vec<u32>,
    pub closed: Vec<u32>,
    /// What its sockets were told.
    pub told: Vec<Octets>,
    /// What its sockets stand for, whatever it was asked.
    pub at: Option<Span>,
    /// PDUs that the guest has sent.
    pub sent: Vec<Vec<u8>>,
    /// What was done, in order: `connect`, `disconnect`, `clear` of the guest, `reserve`, `free` of level 2.
    pub order: Vec<&'static str>,
}

/// See the module.
#[derive(Default)]
pub struct Node {
    state: Mutex<State>,
    connected: Condvar,
}

impl Node {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Labels that the guest has, as it would be asked at its first port.
    pub fn labels(&self) -> Vec<u32> {
        self.state().guest.keys().map(|key| key.label).collect()
    }

    /// Names of what is reserved, as `port label`.
    pub fn names(&self) -> Vec<String> {
        let state = self.state();
        let names = state.reserved.keys();
        names
            .map(|(port, name)| format!("{port} {}", name.label))
            .collect()
    }
}

/// Of two ports, `west` and `east`.
pub fn ports() -> Vec<String> {
    vec!["west".into(), "east".into()]
}

pub fn place(port: u16, label: u32) -> Place {
    Place { port, vn: 0, label }
}

/// From port 0 to port 1, or back.
pub fn way(from: (u16, u32), to: (u16, u32)) -> Way {
    Way {
        from: Some(place(from.0, from.1)),
        to: place(to.0, to.1),
        traffic: Traffic {
            class: Class::Cbr,
            peak: Some(Peak::Bits(1_000_000)),
            cdvt_ns: 2_000,
            max_sdu: 1_000,
        },
        police: true,
    }
}

pub fn key(port: u8, label: u32) -> Key {
    Key { port, vn: 0, label }
}

fn failed(at: &str) -> ControlError {
    ControlError::Failed {
        at: at.into(),
        what: "does not answer".into(),
    }
}

fn is_asked<T>(what: &str) -> Result<T, ControlError> {
    panic!("signalling has nothing to do with {what}")
}

fn view(socket: u32, at: Span, state: SocketState) -> SocketView {
    SocketView {
        socket,
        state,
        at,
        qos: None,
        calls: 0,
        reply: None,
    }
}

impl State {
    /// Its sockets say something to the daemon.
    fn says(&mut self, at: Option<Span>) {
        let octets = Octets(vec![1]);
        let event = Event::Isp(IspEvent {
            life: self.life,
            before: self.said,
            messages: vec![Said { at, octets }],
        });
        self.said += 1;
        if let Some(ear) = &mut self.ear {
            ear.event(serde_json::to_value(event).unwrap());
        }
    }

    fn does(&mut self, request: Request) -> Answer {
        match request {
            Request::Connect { items } => {
                self.order.push("connect");
                for (done, item) in items.iter().enumerate() {
                    if self.full.contains(&item.key()) {
                        return Answer::Connected {
                            done: done as u32,
                            error: Some("all are taken".into()),
                            kind: Some(Kind::Full),
                        };
                    }
                    self.guest.insert(item.key(), *item);
                }
                let done = items.len() as u32;
                Answer::Connected {
                    done,
                    error: None,
                    kind: None,
                }
            }
            Request::Disconnect { items } => {
                self.order.push("disconnect");
                let gone = |key: &Key| self.guest.remove(key).map(|_| Default::default());
                Answer::Disconnected {
                    counts: items.iter().map(gone).collect(),
                }
            }
            Request::Clear {} => {
                self.order.push("clear");
                self.guest.clear();
                Answer::Cleared {}
            }
            Request::Send { pdus, .. } => {
                let taken = pdus.len() as u32;
                self.sent.extend(pdus.into_iter().map(|pdu| pdu.0));
                Answer::Sent { taken }
            }
            Request::Socket(SocketRequest::Start { life }) => {
                (self.life, self.said) = (life, 0);
                Answer::Started {}
            }
            Request::Socket(SocketRequest::Open { .. }) if self.later > 0 => {
                self.later -= 1;
                Answer::Later {}
            }
            Request::Socket(SocketRequest::Open { socket, at, .. }) => {
                self.opened.push(socket);
                self.says(Some(self.at.unwrap_or(at)));
                Answer::Socket(view(socket, at, SocketState::Connecting))
            }
            Request::Socket(SocketRequest::Close { socket }) => {
                self.closed.push(socket);
                let at = Span::one(place(0, 16));
                Answer::Socket(view(socket, at, SocketState::Ended))
            }
            Request::Isp(request) => {
                self.told.extend(request.messages);
                Answer::Sockets(Vec::new())
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Control for Node {
    fn guest_request(&self, guest: &str, request: Value) -> Result<Value, ControlError> {
        assert_eq!(guest, "dss");
        let mut state = self.state();
        if state.busy > 0 {
            state.busy -= 1;
            return Err(ControlError::Busy {
                at: "guest.dss".into(),
                what: "too many wait".into(),
            });
        }
        if state.silent_after == Some(0) {
            return Err(failed("guest.dss"));
        }
        state.silent_after = state.silent_after.map(|left| left - 1);
        state.asked += 1;
        let request = serde_json::from_value(request).unwrap();
        if let Request::Send { .. } = request {
            // It takes its time: until there is a connection.
            let waited = self
                .connected
                .wait_timeout_while(state, PATIENCE, |state| state.guest.is_empty());
            let (now, timeout) = waited.unwrap();
            assert!(!timeout.timed_out(), "nothing is set while PDUs wait");
            state = now;
        }
        let answer = state.does(request);
        self.connected.notify_all();
        if state.deaf {
            return Err(failed("guest.dss"));
        }
        Ok(serde_json::to_value(answer).unwrap())
    }

    fn connect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamRequest>,
    ) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError> {
        assert_eq!(pi, "dss");
        assert!((1..=STREAMS_MOST).contains(&items.len()));
        let mut state = self.state();
        state.order.push("reserve");
        if state.dead_ports.contains(port) {
            return Err(failed("worker"));
        }
        let State {
            taken, reserved, ..
        } = &mut *state;
        let answers = items.into_iter().map(|item| {
            let StreamRequest { vn, label, .. } = item;
            let name = (port.to_owned(), StreamName { vn, label });
            if taken.contains(&name) {
                return Err(StreamRefused {
                    vn,
                    label,
                    cause: StreamCause::Rate,
                    what: "9 bit/s are left".into(),
                });
            }
            let granted = StreamGranted {
                vn,
                label,
                class: item.class,
                rate_bps: item.rate_bps,
                tolerance_ns: 0,
                buffer: 1,
                max_frame: 64,
                delay_ns: None,
            };
            let before = reserved.insert(name, item);
            assert!(before.is_none(), "reserved twice");
            Ok(granted)
        });
        Ok(answers.collect())
    }

    fn disconnect_streams(
        &self,
        port: &str,
        _pi: &str,
        items: Vec<StreamName>,
    ) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError> {
        assert!((1..=STREAMS_MOST).contains(&items.len()));
        let mut state = self.state();
        state.order.push("free");
        let answers = items.into_iter().map(|name| {
            let freed = state.reserved.remove(&(port.to_owned(), name));
            assert!(freed.is_some(), "{name:?} was not reserved at {port}");
            let StreamName { vn, label } = name;
            Ok(StreamReleased {
                vn,
                label,
                counters: StreamCounters::default(),
            })
        });
        Ok(answers.collect())
    }

    fn status(&self) -> Result<Status, ControlError> {
        is_asked("status")
    }

    fn phases(&self, _: &str) -> Result<PortPhases, ControlError> {
        is_asked("phases")
    }

    fn set_phases(&self, _: &str, _: SetPhases) -> Result<PhasesSet, ControlError> {
        is_asked("phases")
    }

    fn guests(&self) -> Result<Vec<GuestStatus>, ControlError> {
        is_asked("guests")
    }

    fn guest_action(&self, _: &str, _: GuestAction) -> Result<GuestStatus, ControlError> {
        is_asked("guests")
    }

    fn console_since(&self, _: &str, _: u64) -> Result<ConsoleChunk, ControlError> {
        is_asked("consoles")
    }

    fn capture(&self, _: &CapturePoint) -> Result<Receiver<Vec<u8>>, ControlError> {
        is_asked("captures")
    }

    fn signalling(&self, _: &str, _: u64) -> Result<Shown, ControlError> {
        is_asked("itself")
    }

    fn call_route(&self, _: &str, _: bool, _: Prefix, _: &str) -> Result<(), ControlError> {
        is_asked("itself")
    }

    fn release_call(&self, _: &str, _: u64) -> Result<(), ControlError> {
        is_asked("itself")
    }

    fn permanents(&self, _: &str) -> Result<Vec<PermanentShown>, ControlError> {
        is_asked("itself")
    }

    fn add_permanent(&self, _: &str, _: Permanent) -> Result<(), ControlError> {
        is_asked("itself")
    }

    fn remove_permanent(&self, _: &str, _: &str) -> Result<(), ControlError> {
        is_asked("itself")
    }

    fn streams(&self, _: &str, _: &str, _: StreamPage) -> Result<Streams, ControlError> {
        is_asked("lists")
    }
}
