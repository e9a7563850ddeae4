//! What the daemon's side refuses, and what it does where figures 7 to 12 do not go.

use pinode_signaling::isp::demon::{Event, Left, NotNow, Violation};
use pinode_signaling::isp::table::Row;
use pinode_signaling::isp::{Aal, Demon, ErrorCode, Limits, ToDemon, ToKernel, Vcc};

use crate::sample::{address, code, pvc, qos, sap, vcc};

fn demon() -> Demon {
    Demon::new(Limits {
        sockets: 3,
        indications: 2,
    })
}

fn bind(vcc: Vcc) -> ToDemon {
    ToDemon::Bind {
        vcc,
        aal: Aal::FIVE,
        svc: sap(0),
    }
}

fn connect(vcc: Vcc) -> ToDemon {
    ToDemon::Connect {
        vcc,
        aal: Aal::FIVE,
        local: address(0),
        qos: qos(),
        svc: sap(9),
    }
}

fn listen(vcc: Vcc) -> ToDemon {
    ToDemon::Listen {
        vcc,
        aal: Aal::FIVE,
        qos: qos(),
        svc: sap(1),
    }
}

/// A socket that listens, with calls 100 and 101.
fn with_calls(demon: &mut Demon) -> Vcc {
    demon.hears(listen(vcc(1))).unwrap();
    demon.okay_listen(vcc(1)).unwrap();
    for call in [100, 101] {
        demon
            .indicate(vcc(1), call, pvc(16), qos(), sap(9))
            .unwrap();
    }
    vcc(1)
}

fn reject(listen_vcc: Vcc) -> ToDemon {
    let reply = code();
    ToDemon::Reject { listen_vcc, reply }
}

#[test]
fn bind_makes_no_state() {
    let mut demon = demon();
    demon.hears(bind(vcc(1))).unwrap();
    demon.okay_bind(vcc(1), sap(1)).unwrap();
    assert_eq!(demon.sockets(), 0);
    let stray = demon.hears(ToDemon::Close { vcc: vcc(1) });
    assert_eq!(stray, Ok(Event::Stray { vcc: vcc(1) }));
    // It may be bound again: nothing was kept.
    demon.hears(bind(vcc(1))).unwrap();
    demon.error(vcc(1), code()).unwrap();
    assert_eq!(demon.sockets(), 0);
}

#[test]
fn nothing_may_come_while_bind_and_listen_are_answered() {
    for begin in [bind(vcc(1)), listen(vcc(1))] {
        let mut demon = demon();
        demon.hears(begin).unwrap();
        for message in [
            bind(vcc(1)),
            connect(vcc(1)),
            listen(vcc(1)),
            ToDemon::Close { vcc: vcc(1) },
        ] {
            let row = message.row();
            let refused = demon.hears(message).expect_err("3.5, 3.7");
            assert!(
                matches!(refused, Violation::Waiting { row: r, .. } if r == row),
                "{refused}"
            );
        }
    }
}

#[test]
fn a_socket_with_state_asks_nothing_else() {
    let mut demon = demon();
    demon.hears(connect(vcc(1))).unwrap();
    for message in [bind(vcc(1)), connect(vcc(1)), listen(vcc(1))] {
        let refused = demon.hears(message);
        assert!(matches!(refused, Err(Violation::InUse { .. })));
    }
    let listen_vcc = vcc(2);
    demon.hears(listen(listen_vcc)).unwrap();
    demon.okay_listen(listen_vcc).unwrap();
    demon
        .indicate(listen_vcc, 1, pvc(16), qos(), sap(9))
        .unwrap();
    let accept = ToDemon::Accept {
        vcc: vcc(1),
        listen_vcc,
    };
    let refused = demon.hears(accept);
    assert!(matches!(refused, Err(Violation::InUse { .. })));
    assert_eq!(demon.calls(), 1, "the call still waits");
}

#[test]
fn calls_are_answered_in_order_and_once() {
    let mut demon = demon();
    let listen_vcc = with_calls(&mut demon);
    let full = demon.indicate(listen_vcc, 102, pvc(16), qos(), sap(9));
    assert_eq!(full, Err(NotNow::TooMany { calls: 2 }));
    assert!(matches!(
        demon.hears(reject(listen_vcc)),
        Ok(Event::Reject { call: 100, .. })
    ));
    let accept = ToDemon::Accept {
        vcc: vcc(5),
        listen_vcc,
    };
    assert!(matches!(
        demon.hears(accept),
        Ok(Event::Accept { call: 101, .. })
    ));
    let row = Row::Reject;
    assert_eq!(
        demon.hears(reject(listen_vcc)),
        Err(Violation::NoCall { row, listen_vcc })
    );
    let listen_vcc = vcc(9);
    assert_eq!(
        demon.hears(reject(listen_vcc)),
        Err(Violation::NotListening { row, listen_vcc })
    );
}

#[test]
fn calls_of_a_closed_listener_are_rejected_after_the_acknowledgement() {
    let mut demon = demon();
    let listen_vcc = with_calls(&mut demon);
    let close = ToDemon::Close { vcc: listen_vcc };
    let event = demon.hears(close.clone());
    assert_eq!(event, Ok(Event::Close { vcc: listen_vcc }));
    let late = demon.indicate(listen_vcc, 102, pvc(16), qos(), sap(9));
    assert!(matches!(late, Err(NotNow::State { .. })));
    let row = Row::Reject;
    assert_eq!(
        demon.hears(reject(listen_vcc)),
        Err(Violation::Deregistering { row, listen_vcc })
    );
    demon.close(listen_vcc, None).unwrap();
    assert_eq!((demon.sockets(), demon.calls()), (1, 2));
    let accept = ToDemon::Accept {
        vcc: vcc(5),
        listen_vcc,
    };
    let refused = demon.hears(accept);
    assert!(matches!(refused, Err(Violation::Deregistering { .. })));
    let refused = demon.hears(close);
    assert!(matches!(refused, Err(Violation::ClosedTwice { .. })));
    for call in [100, 101] {
        let event = demon.hears(reject(listen_vcc)).unwrap();
        assert!(matches!(event, Event::Reject { call: c, .. } if c == call));
    }
    assert_eq!((demon.sockets(), demon.calls()), (0, 0));
}

#[test]
fn each_close_has_one_close() {
    let mut demon = demon();
    demon.hears(connect(vcc(1))).unwrap();
    let refused = demon.close(vcc(1), None).expect_err("not connected yet");
    assert_eq!(
        refused.to_string(),
        "close for socket 1, which is connecting; allowed: okay_connect, error"
    );
    demon
        .okay_connect(vcc(1), pvc(16), address(1), qos())
        .unwrap();
    assert!(demon.error(vcc(1), code()).is_err(), "nothing was asked");
    demon.close(vcc(1), Some(code())).unwrap();
    assert!(demon.close(vcc(1), None).is_err());
    let close = ToDemon::Close { vcc: vcc(1) };
    assert_eq!(demon.hears(close.clone()), Ok(Event::Gone { vcc: vcc(1) }));
    assert!(demon.close(vcc(1), None).is_err(), "no further message");

    demon.hears(connect(vcc(2))).unwrap();
    let close = ToDemon::Close { vcc: vcc(2) };
    assert_eq!(demon.hears(close.clone()), Ok(Event::Close { vcc: vcc(2) }));
    let refused = demon.hears(close);
    assert!(matches!(refused, Err(Violation::ClosedTwice { .. })));
    let late = demon.okay_connect(vcc(2), pvc(16), address(1), qos());
    assert!(late.is_err(), "it has given up");
    // "In principle, the demon could also send an as_error after receiving an as_close."
    demon.error(vcc(2), code()).unwrap();
    assert_eq!(demon.sockets(), 0);
}

#[test]
fn sockets_are_bounded() {
    let mut demon = demon();
    let listen_vcc = with_calls(&mut demon);
    demon.hears(connect(vcc(2))).unwrap();
    demon.hears(bind(vcc(3))).unwrap();
    let reply = ErrorCode::TOO_MANY;
    let error = |vcc| ToKernel::Error { vcc, reply };
    assert_eq!(
        demon.hears(connect(vcc(4))),
        Ok(Event::Full {
            vcc: vcc(4),
            call: None,
            send: error(vcc(4)),
        })
    );
    let accept = ToDemon::Accept {
        vcc: vcc(4),
        listen_vcc,
    };
    assert_eq!(
        demon.hears(accept),
        Ok(Event::Full {
            vcc: vcc(4),
            call: Some(100),
            send: error(vcc(4)),
        })
    );
    assert_eq!((demon.sockets(), demon.calls()), (3, 1));
}

#[test]
fn what_a_kernel_side_leaves_is_all_there_was() {
    let mut demon = demon();
    let listen_vcc = with_calls(&mut demon);
    demon.hears(connect(vcc(2))).unwrap();
    let mut other = demon.clone();
    assert_eq!(
        demon.gone(),
        Left {
            sockets: vec![listen_vcc, vcc(2)],
            calls: vec![100, 101],
        }
    );
    assert_eq!((demon.sockets(), demon.calls()), (0, 0));
    // De-registered: the socket was released, its calls were not.
    other.hears(ToDemon::Close { vcc: listen_vcc }).unwrap();
    other.close(listen_vcc, None).unwrap();
    assert_eq!(
        other.gone(),
        Left {
            sockets: vec![vcc(2)],
            calls: vec![100, 101],
        }
    );
}

#[test]
fn notices_need_no_socket() {
    let event = demon().hears(ToDemon::ItfNotify { interface: 4 });
    assert_eq!(event, Ok(Event::ItfNotify { interface: 4 }));
}
