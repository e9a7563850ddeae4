//! Octets as a script for both machines: what applications and call control do, and when messages arrive.
//!
//! After each step the rules of section 3 hold; at the end, when all is closed and nothing is on its way, neither side
//! holds anything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pinode_signaling::isp::{Aal, Limits, Request, Vcc};
use pinode_signaling::isp::{demon, kernel};

use crate::pair::{Pair, socket_of};
use crate::sample::{address, code, pvc, qos, sap};

/// Bounds that scripts run into.
const LIMITS: Limits = Limits {
    sockets: 6,
    indications: 3,
};

/// Those of the demon: fewer, or it would never be full where the kernel side is not.
const DEMON_LIMITS: Limits = Limits {
    sockets: 4,
    indications: 3,
};

/// What the application knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    New,
    Asked(Request),
    Connected,
    Listening,
    Ended,
    Closing,
}

/// Both machines, and what application and call control know by the events they were told.
struct Play {
    pair: Pair,
    sockets: BTreeMap<Vcc, Socket>,
    /// What call control has still to answer.
    asked: BTreeMap<Vcc, Request>,
    /// Sockets whose close call control has still to answer.
    closes: BTreeSet<Vcc>,
    connected: BTreeSet<Vcc>,
    /// Sockets that listen, and their calls in order.
    listening: BTreeMap<Vcc, VecDeque<u64>>,
    calls: u64,
    answered: BTreeSet<u64>,
    /// Every number that there was.
    numbers: BTreeSet<Vcc>,
}

/// Plays a script, then closes everything.
pub fn play(script: &[u8]) {
    let mut play = Play {
        pair: Pair::new(LIMITS, DEMON_LIMITS),
        sockets: BTreeMap::new(),
        asked: BTreeMap::new(),
        closes: BTreeSet::new(),
        connected: BTreeSet::new(),
        listening: BTreeMap::new(),
        calls: 0,
        answered: BTreeSet::new(),
        numbers: BTreeSet::new(),
    };
    for step in script.chunks_exact(2) {
        play.step(step[0], usize::from(step[1]));
        play.bounded();
    }
    play.end();
}

fn pick<T: Copy>(all: impl Iterator<Item = T>, which: usize) -> Option<T> {
    let all: Vec<T> = all.collect();
    all.get(which.checked_rem(all.len())?).copied()
}

impl Play {
    fn step(&mut self, what: u8, which: usize) {
        let socket = pick(self.sockets.keys().copied(), which);
        match (what % 14, socket) {
            (0, _) => {
                if let Ok(vcc) = self.pair.kernel.socket() {
                    assert!(self.numbers.insert(vcc), "{vcc} twice");
                    self.sockets.insert(vcc, Socket::New);
                }
            }
            (1, Some(vcc)) => {
                let said = self.pair.kernel.bind(vcc, Aal::FIVE, sap(0));
                self.request(vcc, Request::Bind, said);
            }
            (2, Some(vcc)) => {
                let kernel = &mut self.pair.kernel;
                let said = kernel.connect(vcc, Aal::FIVE, address(0), qos(), sap(9));
                self.request(vcc, Request::Connect, said);
            }
            (3, Some(vcc)) => {
                let said = self.pair.kernel.listen(vcc, Aal::FIVE, qos(), sap(1));
                self.request(vcc, Request::Listen, said);
            }
            (4, Some(vcc)) => self.accept(vcc),
            (5, Some(vcc)) => {
                let first = self.pair.kernel.waiting(vcc).cloned();
                if let Ok((call, said)) = self.pair.kernel.reject(vcc, code()) {
                    assert_eq!(Some(call), first);
                    self.pair.kernel_says(&said);
                }
            }
            (6, Some(vcc)) => self.close(vcc),
            (7..=8, _) => self.kernel_hears(),
            (9..=10, _) => self.demon_hears(),
            (11, _) => self.answer(which),
            (12, _) => self.call(which),
            (13, _) => {
                if let Some(vcc) = pick(self.connected.iter().copied(), which) {
                    self.demon_closes(vcc);
                }
            }
            _ => {}
        }
    }

    /// A request goes through on new sockets, and on no other.
    fn request<E>(
        &mut self,
        vcc: Vcc,
        request: Request,
        said: Result<pinode_signaling::isp::ToDemon, E>,
    ) {
        let is_new = self.sockets.get(&vcc) == Some(&Socket::New);
        assert_eq!(said.is_ok(), is_new, "{vcc} {request:?}");
        if let Ok(said) = said {
            self.sockets.insert(vcc, Socket::Asked(request));
            self.pair.kernel_says(&said);
        }
    }

    fn accept(&mut self, listen_vcc: Vcc) {
        let first = self.pair.kernel.waiting(listen_vcc).cloned();
        if let Ok(accepting) = self.pair.kernel.accept(listen_vcc) {
            assert_eq!(Some(accepting.call), first);
            assert!(self.numbers.insert(accepting.vcc), "a number twice");
            self.sockets
                .insert(accepting.vcc, Socket::Asked(Request::Accept));
            self.pair.kernel_says(&accepting.send);
        }
    }

    fn close(&mut self, vcc: Vcc) {
        let was = self.sockets.get(&vcc).copied();
        let closing = self.pair.kernel.close(vcc);
        match was {
            Some(Socket::Asked(Request::Bind | Request::Listen) | Socket::Closing) => {
                assert!(closing.is_err(), "{vcc} is {was:?}");
            }
            Some(was) => {
                let closing = closing.expect("all others may be closed");
                assert_eq!(closing.send.is_none(), was == Socket::New);
                assert_eq!(closing.gone, matches!(was, Socket::New | Socket::Ended));
                if closing.gone {
                    self.sockets.remove(&vcc);
                } else {
                    self.sockets.insert(vcc, Socket::Closing);
                }
                if let Some(said) = closing.send {
                    self.pair.kernel_says(&said);
                }
            }
            None => panic!("{vcc} is not known"),
        }
    }

    fn kernel_hears(&mut self) {
        let Some(event) = self.pair.kernel_hears() else {
            return;
        };
        let vcc = socket_of(&event);
        let was = *self
            .sockets
            .get(&vcc)
            .expect("a socket that there is (4.1.2)");
        let (allowed, next) = match event {
            kernel::Event::Bound { .. } => (was == Socket::Asked(Request::Bind), Some(Socket::New)),
            kernel::Event::Connected { .. } => (
                was == Socket::Asked(Request::Connect),
                Some(Socket::Connected),
            ),
            kernel::Event::Listening { .. } => (
                was == Socket::Asked(Request::Listen),
                Some(Socket::Listening),
            ),
            kernel::Event::Accepted { .. } => (
                was == Socket::Asked(Request::Accept),
                Some(Socket::Connected),
            ),
            kernel::Event::Incoming { .. } => (
                matches!(was, Socket::Listening | Socket::Closing),
                Some(was),
            ),
            kernel::Event::Failed { request, .. } => (
                was == Socket::Asked(request),
                (request != Request::Accept).then_some(Socket::New),
            ),
            kernel::Event::Closed { .. } => (was == Socket::Connected, Some(Socket::Ended)),
            kernel::Event::Crossed { .. } => (was == Socket::Closing, Some(was)),
            kernel::Event::Gone { .. } => (was == Socket::Closing, None),
        };
        assert!(allowed, "{vcc}, {was:?}: {event:?}");
        match next {
            Some(next) => self.sockets.insert(vcc, next),
            None => self.sockets.remove(&vcc),
        };
    }

    fn demon_hears(&mut self) {
        let Some(event) = self.pair.demon_hears() else {
            return;
        };
        match event {
            demon::Event::Bind { vcc, .. } => self.asks(vcc, Request::Bind),
            demon::Event::Connect { vcc, .. } => self.asks(vcc, Request::Connect),
            demon::Event::Listen { vcc, .. } => self.asks(vcc, Request::Listen),
            demon::Event::Accept {
                vcc,
                listen_vcc,
                call,
            } => {
                self.answers_first(listen_vcc, call);
                self.asks(vcc, Request::Accept);
            }
            demon::Event::Reject {
                listen_vcc, call, ..
            } => self.answers_first(listen_vcc, call),
            demon::Event::Close { vcc } => {
                self.asked.remove(&vcc);
                self.connected.remove(&vcc);
                assert!(self.closes.insert(vcc), "one close");
            }
            demon::Event::Gone { vcc } => assert!(!self.connected.contains(&vcc)),
            demon::Event::Stray { vcc } => assert!(!self.asked.contains_key(&vcc)),
            demon::Event::Full { call, send, .. } => {
                if let Some(call) = call {
                    assert!(self.answered.insert(call));
                    for calls in self.listening.values_mut() {
                        calls.retain(|c| *c != call);
                    }
                }
                self.pair.demon_says(&send);
            }
            demon::Event::ItfNotify { .. } => panic!("nobody said so"),
        }
    }

    fn asks(&mut self, vcc: Vcc, request: Request) {
        assert_eq!(self.asked.insert(vcc, request), None, "one request");
    }

    fn answers_first(&mut self, listen_vcc: Vcc, call: u64) {
        let first = self.listening.get_mut(&listen_vcc);
        assert_eq!(first.and_then(VecDeque::pop_front), Some(call), "in order");
        assert!(self.answered.insert(call), "once");
    }

    /// Call control answers a request or a close, by one of the ways it may.
    fn answer(&mut self, which: usize) {
        let (well, which) = (!which.is_multiple_of(3), which / 3);
        if let Some(vcc) = pick(self.closes.iter().copied(), which) {
            self.closes.remove(&vcc);
            let demon = &mut self.pair.demon;
            assert!(demon.okay_listen(vcc).is_err(), "it has given up");
            let said = if well {
                demon.close(vcc, None)
            } else {
                demon.error(vcc, code())
            };
            self.pair.demon_says(&said.expect("a close is answered"));
            return;
        }
        let Some((vcc, request)) = pick(self.asked.iter().map(|(v, r)| (*v, *r)), which) else {
            return;
        };
        self.asked.remove(&vcc);
        let demon = &mut self.pair.demon;
        assert!(demon.close(vcc, None).is_err(), "a request is not closed");
        let said = match request {
            _ if !well => demon.error(vcc, code()),
            Request::Bind => demon.okay_bind(vcc, sap(1)),
            Request::Connect => demon.okay_connect(vcc, pvc(16), address(1), qos()),
            Request::Listen => demon.okay_listen(vcc),
            Request::Accept => demon.okay_accept(vcc, address(1)),
        };
        self.pair.demon_says(&said.expect("a request is answered"));
        match request {
            Request::Connect | Request::Accept if well => {
                self.connected.insert(vcc);
            }
            Request::Listen if well => {
                self.listening.insert(vcc, VecDeque::new());
            }
            _ => {}
        }
    }

    fn call(&mut self, which: usize) {
        let Some(vcc) = pick(self.listening.keys().copied(), which) else {
            return;
        };
        let call = self.calls;
        // Each call has a label of its own, or their order could not be told.
        let label = pvc(16 + u32::try_from(call).expect("few calls"));
        let said = self.pair.demon.indicate(vcc, call, label, qos(), sap(9));
        if let Ok(said) = said {
            self.calls += 1;
            self.listening
                .get_mut(&vcc)
                .expect("it listens")
                .push_back(call);
            self.pair.demon_says(&said);
        }
    }

    fn demon_closes(&mut self, vcc: Vcc) {
        self.connected.remove(&vcc);
        let said = self.pair.demon.close(vcc, None).expect("it is connected");
        self.pair.demon_says(&said);
        assert!(self.pair.demon.close(vcc, None).is_err(), "one close");
    }

    fn bounded(&self) {
        assert!(self.pair.kernel.sockets() <= LIMITS.sockets);
        assert!(self.pair.kernel.calls() <= LIMITS.indications);
        assert!(self.pair.demon.sockets() <= DEMON_LIMITS.sockets);
        assert!(self.pair.demon.calls() <= DEMON_LIMITS.indications);
        assert_eq!(self.pair.kernel.sockets(), self.sockets.len());
    }

    /// Closes everything; both sides end with nothing.
    fn end(&mut self) {
        // A socket needs a few turns at most: two for what it waits for, two for its close.
        for _ in 0..8 {
            for (vcc, is) in self.sockets.clone() {
                let waits = matches!(is, Socket::Asked(Request::Bind | Request::Listen));
                if !waits && is != Socket::Closing {
                    self.close(vcc);
                }
            }
            for _ in 0..4 * (LIMITS.sockets + LIMITS.indications) {
                self.demon_hears();
                self.answer(1);
                self.kernel_hears();
            }
        }
        assert!(self.pair.nothing_on_its_way(), "all have arrived");
        assert_eq!(self.sockets, BTreeMap::new(), "all are gone");
        assert_eq!(
            (self.pair.kernel.sockets(), self.pair.kernel.calls()),
            (0, 0)
        );
        assert_eq!((self.pair.demon.sockets(), self.pair.demon.calls()), (0, 0));
        assert_eq!(self.answered.len() as u64, self.calls, "each call once");
        assert_eq!(self.pair.demon.gone(), demon::Left::default());
    }
}
