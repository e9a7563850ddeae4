//! Sockets of the switch: messages are those of the internal signalling protocol, checked by the daemon's own machine.

use pinode_guest_dss::control::{
    Answer, IspEvent, IspRequest, MOST_MESSAGES, Octets, Request, Said, SocketRequest, SocketState,
    SocketView,
};
use pinode_guest_runtime::Function as _;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::isp::demon::Event;
use pinode_signaling::isp::{Demon, ErrorCode, Limits, Pvc, Sap, ToDemon, ToKernel, Vcc};
use pinode_signaling::{Address, Peak, Qos, Traffic};
use serde_json::{Value, json};

use crate::bed::{Bed, config};

const CALLED: Address = Address([0x47; 20]);
const PVC: Pvc = Pvc {
    interface: 1,
    vn: 0,
    label: 100,
};
const WHY: Option<ErrorCode> = ErrorCode::new(-529);

fn at(label: u32, labels: u16) -> Span {
    Span {
        port: 1,
        vn: 0,
        label,
        labels,
    }
}

fn qos() -> Qos {
    Qos::sending(Traffic::cbr(Peak::Bits(1_000_000), 1_400))
}

/// A switch, the daemon's machine beside it, and what stands between them.
struct Pair {
    bed: Bed,
    demon: Demon,
    life: u64,
    heard: u64,
}

impl Pair {
    fn new() -> Self {
        Self::of(Value::Null)
    }

    fn of(pi: Value) -> Self {
        let mut pair = Pair {
            bed: Bed::new(&config(3, &[0], true, pi)),
            demon: Demon::new(Limits::default()),
            life: 0,
            heard: 0,
        };
        pair.start();
        pair
    }

    /// Another life.
    fn start(&mut self) {
        self.life += 1;
        self.heard = 0;
        self.demon = Demon::new(Limits::default());
        let life = self.life;
        let answer = self.socket(SocketRequest::Start { life });
        assert_eq!(answer, Ok(Answer::Started {}));
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, String> {
        let request = serde_json::to_value(request).unwrap();
        let answer = self.bed.ask(&request)?;
        Ok(serde_json::from_value(answer).unwrap())
    }

    fn socket(&mut self, request: SocketRequest) -> Result<Answer, String> {
        self.ask(&Request::Socket(request))
    }

    fn open(&mut self, socket: u32, label: u32) -> SocketView {
        let opened = self.socket(SocketRequest::Open {
            socket,
            at: at(label, 1),
            local: Address::NULL,
            called: CALLED,
            qos: qos(),
        });
        one(opened.unwrap())
    }

    fn listen(&mut self, socket: u32, labels: u16) -> SocketView {
        let listening = self.socket(SocketRequest::Listen {
            socket,
            at: at(200, labels),
            address: CALLED,
            qos: Qos::both(Traffic::ubr(1_491)),
        });
        one(listening.unwrap())
    }

    fn close(&mut self, socket: u32) -> SocketView {
        one(self.socket(SocketRequest::Close { socket }).unwrap())
    }

    /// What the daemon makes of all that the switch says.
    fn said(&mut self) -> Vec<(Option<Span>, Event)> {
        let mut all = Vec::new();
        for event in self.bed.isp() {
            let IspEvent {
                life,
                before,
                messages,
            } = event;
            assert_eq!(
                (life, before),
                (self.life, self.heard),
                "messages were lost"
            );
            assert!(messages.len() <= MOST_MESSAGES);
            self.heard += messages.len() as u64;
            for Said { at, octets } in messages {
                let message = ToDemon::decode(&octets.0).unwrap();
                all.push((at, self.demon.hears(message).unwrap()));
            }
        }
        all
    }

    /// What the switch makes of messages of the daemon.
    fn tell(&mut self, messages: &[ToKernel]) -> Vec<SocketView> {
        let octets = messages.iter().map(|message| Octets(message.encode()));
        self.told(octets.collect()).unwrap()
    }

    fn told(&mut self, messages: Vec<Octets>) -> Result<Vec<SocketView>, String> {
        let life = self.life;
        match self.ask(&Request::Isp(IspRequest { life, messages }))? {
            Answer::Sockets(views) => Ok(views),
            answer => panic!("{answer:?}"),
        }
    }

    fn list(&mut self) -> Vec<SocketView> {
        match self.socket(SocketRequest::List { after: None }) {
            Ok(Answer::Sockets(views)) => views,
            answer => panic!("{answer:?}"),
        }
    }

    /// A socket that listens.
    fn listening(&mut self, socket: u32, labels: u16) -> Vcc {
        self.listen(socket, labels);
        let said = self.said();
        let [(Some(_), Event::Listen { vcc, .. })] = said[..] else {
            panic!("{said:?}")
        };
        let okay = self.demon.okay_listen(vcc).unwrap();
        let views = self.tell(&[okay]);
        assert_eq!(states(&views), [(socket, SocketState::Listening)]);
        vcc
    }

    /// A call to a socket that listens, which accepts it at once.
    fn call(&mut self, listen_vcc: Vcc, call: u64) -> Vcc {
        let svc = Sap::from(Address::NULL);
        let said = self.demon.indicate(listen_vcc, call, PVC, qos(), svc);
        assert!(self.tell(&[said.unwrap()]).is_empty());
        let said = self.said();
        let [
            (
                None,
                Event::Accept {
                    vcc,
                    call: accepted,
                    ..
                },
            ),
        ] = said[..]
        else {
            panic!("{said:?}")
        };
        assert_eq!(accepted, call);
        let okay = self.demon.okay_accept(vcc, CALLED).unwrap();
        let views = self.tell(&[okay]);
        assert_eq!(states(&views).len(), 1);
        vcc
    }
}

fn one(answer: Answer) -> SocketView {
    match answer {
        Answer::Socket(view) => view,
        answer => panic!("{answer:?}"),
    }
}

fn states(views: &[SocketView]) -> Vec<(u32, SocketState)> {
    views.iter().map(|view| (view.socket, view.state)).collect()
}

/// A connection that is there.
fn connected() -> (Pair, Vcc) {
    let mut pair = Pair::new();
    assert_eq!(pair.open(7, 100).state, SocketState::Connecting);
    let said = pair.said();
    let [
        (
            Some(place),
            Event::Connect {
                vcc, qos: asked, ..
            },
        ),
    ] = said[..]
    else {
        panic!("{said:?}")
    };
    assert_eq!((place, asked), (at(100, 1), qos()));
    let okay = pair.demon.okay_connect(vcc, PVC, CALLED, qos()).unwrap();
    let views = pair.tell(&[okay]);
    assert_eq!(states(&views), [(7, SocketState::Connected)]);
    assert_eq!(views[0].qos, Some(qos()));
    (pair, vcc)
}

#[test]
fn a_connection_is_closed_from_here() {
    let (mut pair, vcc) = connected();
    assert_eq!(pair.close(7).state, SocketState::Closing);
    // Again it says nothing.
    pair.close(7);
    let said = pair.said();
    assert!(matches!(said[..], [(None, Event::Close { vcc: closed })] if closed == vcc));
    let close = pair.demon.close(vcc, None).unwrap();
    assert_eq!(states(&pair.tell(&[close])), [(7, SocketState::Ended)]);
    assert_eq!((pair.list(), pair.demon.sockets()), (vec![], 0));
}

#[test]
fn a_connection_that_is_closed_from_afar_is_acknowledged_once() {
    let (mut pair, vcc) = connected();
    let close = pair.demon.close(vcc, WHY).unwrap();
    let views = pair.tell(&[close]);
    assert_eq!(states(&views), [(7, SocketState::Ended)]);
    assert_eq!(views[0].reply, Some(-529));
    // It counts as Gone for the daemon, which then knows nothing of it.
    assert!(matches!(pair.said()[..], [(None, Event::Gone { .. })]));
    assert_eq!((pair.list(), pair.demon.sockets()), (vec![], 0));
}

#[test]
fn a_connection_that_is_refused_is_forgotten_and_nothing_is_said() {
    let mut pair = Pair::new();
    pair.open(7, 100);
    let said = pair.said();
    let [(_, Event::Connect { vcc, .. })] = said[..] else {
        panic!("{said:?}")
    };
    let error = pair.demon.error(vcc, WHY.unwrap()).unwrap();
    let views = pair.tell(&[error]);
    assert_eq!(states(&views), [(7, SocketState::Ended)]);
    assert_eq!(views[0].reply, Some(-529));
    assert!(pair.said().is_empty());
    assert!(pair.list().is_empty());
}

#[test]
fn a_close_that_crosses_an_okay_or_an_error_ends_the_socket_once() {
    for refused in [false, true] {
        let mut pair = Pair::new();
        pair.open(7, 100);
        let said = pair.said();
        let [(_, Event::Connect { vcc, .. })] = said[..] else {
            panic!("{said:?}")
        };
        pair.close(7);
        if refused {
            let error = pair.demon.error(vcc, WHY.unwrap()).unwrap();
            assert_eq!(states(&pair.tell(&[error])), [(7, SocketState::Ended)]);
            // A stray close (figure 10).
            assert!(matches!(pair.said()[..], [(None, Event::Stray { .. })]));
        } else {
            let okay = pair.demon.okay_connect(vcc, PVC, CALLED, qos()).unwrap();
            assert!(pair.tell(&[okay]).is_empty());
            assert!(matches!(pair.said()[..], [(None, Event::Close { .. })]));
            let close = pair.demon.close(vcc, None).unwrap();
            assert_eq!(states(&pair.tell(&[close])), [(7, SocketState::Ended)]);
        }
        assert_eq!((pair.list(), pair.demon.sockets()), (vec![], 0));
    }
}

#[test]
fn calls_are_accepted_at_once_and_go_with_the_socket_that_listens() {
    let mut pair = Pair::new();
    let listening = pair.listening(3, 2);
    let (first, second) = (pair.call(listening, 1), pair.call(listening, 2));
    assert_eq!(pair.list()[0].calls, 2);
    let close = pair.demon.close(first, None).unwrap();
    let views = pair.tell(&[close]);
    assert_eq!(
        (states(&views), views[0].calls),
        (vec![(3, SocketState::Listening)], 1)
    );
    pair.said();
    assert_eq!(pair.close(3).state, SocketState::Closing);
    let said = pair.said();
    let closed: Vec<Vcc> = said
        .iter()
        .map(|(_, event)| match event {
            Event::Close { vcc } => *vcc,
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(closed, [second, listening]);
    let closes = [
        pair.demon.close(second, None).unwrap(),
        pair.demon.close(listening, None).unwrap(),
    ];
    let views = pair.tell(&closes);
    assert_eq!(states(&views), [(3, SocketState::Ended)]);
    assert_eq!((pair.list(), pair.demon.sockets()), (vec![], 0));
}

#[test]
fn a_socket_that_is_given_up_before_it_listens_is_closed_once_it_does() {
    let mut pair = Pair::new();
    pair.listen(3, 1);
    let said = pair.said();
    let [(_, Event::Listen { vcc, .. })] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(pair.close(3).state, SocketState::Registering);
    assert!(pair.said().is_empty(), "nothing before the answer (3.7)");
    let okay = pair.demon.okay_listen(vcc).unwrap();
    assert_eq!(states(&pair.tell(&[okay])), [(3, SocketState::Closing)]);
    assert!(matches!(pair.said()[..], [(None, Event::Close { .. })]));
    // A call that crosses is rejected when the socket is gone (3.8).
    let close = pair.demon.close(vcc, None).unwrap();
    let indicate = ToKernel::Indicate {
        listen_vcc: vcc,
        pvc: PVC,
        qos: qos(),
        svc: Sap::from(Address::NULL),
    };
    let views = pair.tell(&[indicate, close]);
    assert_eq!(states(&views), [(3, SocketState::Ended)]);
    let events = pair.bed.isp();
    let message = ToDemon::decode(&events[0].messages[0].octets.0).unwrap();
    assert!(matches!(message, ToDemon::Reject { .. }));
}

#[test]
fn a_call_too_many_is_rejected() {
    let mut pair = Pair::of(json!({ "sockets": 2 }));
    let listening = pair.listening(3, 9);
    pair.call(listening, 1);
    let svc = Sap::from(Address::NULL);
    let said = pair.demon.indicate(listening, 2, PVC, qos(), svc);
    pair.tell(&[said.unwrap()]);
    let said = pair.said();
    assert!(
        matches!(
            said[..],
            [(
                None,
                Event::Reject {
                    reply: ErrorCode::TOO_MANY,
                    ..
                }
            )]
        ),
        "{said:?}"
    );
    let more = pair.socket(SocketRequest::Open {
        socket: 4,
        at: at(100, 1),
        local: Address::NULL,
        called: CALLED,
        qos: qos(),
    });
    assert_eq!(more, Err("there are 2 sockets; allowed: 2".into()));
}

#[test]
fn another_life_forgets_all_and_hears_nothing_of_the_last() {
    let (mut pair, vcc) = connected();
    let close = pair.demon.close(vcc, None).unwrap();
    pair.open(8, 101);
    let last = pair.life;
    pair.start();
    assert!(pair.list().is_empty());
    assert!(pair.bed.isp().is_empty(), "said in the last life");
    let request = Request::Isp(IspRequest {
        life: last,
        messages: vec![Octets(close.encode())],
    });
    assert_eq!(pair.ask(&request), Ok(Answer::Sockets(vec![])));
    pair.open(7, 100);
    assert!(matches!(
        pair.said()[..],
        [(Some(_), Event::Connect { .. })]
    ));
}

#[test]
fn messages_that_lack_a_field_have_one_too_many_or_are_not_asked_for_are_refused_by_name() {
    let (mut pair, vcc) = connected();
    let close = ToKernel::Close { vcc, reply: WHY }.encode();
    let mut no_vcc = close.clone();
    no_vcc[8..16].fill(0);
    let mut with_aal = close.clone();
    with_aal[112] = 5;
    let mut listen_vcc = close.clone();
    listen_vcc[16] = 1;
    let mut reserved = close.clone();
    reserved[0] = 11;
    let mut connect = close.clone();
    connect[0] = 2;
    let stranger = Vcc::new(4711).unwrap();
    let unknown = ToKernel::Close {
        vcc: stranger,
        reply: None,
    };
    let again = pair.demon.close(vcc, None).unwrap().encode();
    for (octets, words) in [
        (no_vcc, "vcc is missing"),
        (with_aal, "aal is not allowed"),
        (listen_vcc, "listen_vcc is not allowed"),
        (reserved, "as_modify is reserved"),
        (connect, "as_connect is not sent to the kernel"),
        (close[..100].to_vec(), "a message of 100 octets"),
        (unknown.encode(), "socket 4711, which there is not"),
    ] {
        let refused = pair.told(vec![Octets(octets)]).unwrap_err();
        assert!(refused.starts_with("messages[0]: "), "{refused}");
        assert!(refused.contains(words), "{refused}, and not {words}");
    }
    // None of these has changed anything.
    assert_eq!(states(&pair.list()), [(7, SocketState::Connected)]);
    let views = pair.told(vec![Octets(again.clone())]).unwrap();
    assert_eq!(states(&views), [(7, SocketState::Ended)]);
    assert!(pair.told(vec![Octets(again)]).is_err(), "closed twice");
    let many = vec![Octets(close); MOST_MESSAGES + 1];
    assert_eq!(
        pair.told(many),
        Err("33 messages; allowed: 32 at most".into())
    );
}

#[test]
fn requests_that_cannot_be_are_refused_with_what_is_allowed() {
    let mut pair = Pair::new();
    pair.open(7, 100);
    let open = |socket, at| SocketRequest::Open {
        socket,
        at,
        local: Address::NULL,
        called: CALLED,
        qos: qos(),
    };
    for (request, words) in [
        (open(7, at(101, 1)), "socket: 7 is there already"),
        (open(8, at(15, 1)), "allowed: 1 to 1024, of 16 to 1048575"),
        (open(8, at(1 << 20, 1)), "of 16 to 1048575"),
        (open(8, at(100, 2)), "at.labels: 2; allowed: 1"),
        (SocketRequest::Close { socket: 9 }, "there is no 9"),
        (SocketRequest::Start { life: 0 }, "life: 0"),
    ] {
        let refused = pair.socket(request).unwrap_err();
        assert!(refused.contains(words), "{refused}, and not {words}");
    }
    assert_eq!(pair.list().len(), 1);
    let mut bed = Bed::three();
    let request = serde_json::to_value(Request::Socket(open(1, at(100, 1)))).unwrap();
    assert_eq!(
        bed.ask(&request),
        Err("sockets have not been started".into())
    );
}

#[test]
fn what_is_not_told_to_the_daemon_is_bounded() {
    let mut pair = Pair::of(json!({ "sockets": 8 }));
    let mut refused = None;
    for socket in 0..1_000 {
        let opened = pair.socket(SocketRequest::Open {
            socket,
            at: at(100 + socket, 1),
            local: Address::NULL,
            called: CALLED,
            qos: qos(),
        });
        if let Err(words) = opened {
            refused = Some(words);
            break;
        }
        if pair.list().len() == 8 {
            break;
        }
    }
    assert_eq!(refused, None);
    // A close is never put off, and said once.
    for _ in 0..3 {
        for socket in 0..8 {
            assert_eq!(pair.close(socket).state, SocketState::Closing);
        }
    }
    // Nothing else is done meanwhile, nor half done.
    let open = SocketRequest::Open {
        socket: 8,
        at: at(108, 1),
        local: Address::NULL,
        called: CALLED,
        qos: qos(),
    };
    assert_eq!(pair.socket(open), Ok(Answer::Later {}));
    let life = pair.life;
    let messages = vec![Octets(Vec::new())];
    let told = pair.ask(&Request::Isp(IspRequest { life, messages }));
    assert_eq!(told, Ok(Answer::Later {}));
    assert_eq!(pair.list().len(), 8);
    let waiting: usize = pair
        .bed
        .isp()
        .iter()
        .map(|event| event.messages.len())
        .sum();
    assert_eq!(waiting, 2 * 8, "a close was not said, or twice");
}

#[test]
fn memory_counts_sockets() {
    let memory = |sockets: u32| {
        let config = config(3, &[0], true, json!({ "sockets": sockets }));
        pinode_guest_dss::Switch::default().memory(&config)
    };
    let each = (memory(4_096) - memory(1)) / 4_095;
    assert!((512..8_192).contains(&each), "{each}");
}
