//! What the socket side refuses, and what it does where figures 7 to 12 do not go.

use pinode_signaling::isp::kernel::{Event, NotNow, Violation};
use pinode_signaling::isp::{Aal, ErrorCode, Kernel, Limits, Okay, ToDemon, ToKernel, Vcc};

use crate::sample::{address, code, pvc, qos, sap, vcc};

fn kernel() -> Kernel {
    Kernel::new(Limits {
        sockets: 3,
        indications: 2,
    })
}

fn listening(kernel: &mut Kernel) -> Vcc {
    let vcc = kernel.socket().unwrap();
    kernel.listen(vcc, Aal::FIVE, qos(), sap(1)).unwrap();
    let answer = Okay::Listen;
    kernel.hears(ToKernel::Okay { vcc, answer }).unwrap();
    vcc
}

fn connected(kernel: &mut Kernel) -> Vcc {
    let vcc = kernel.socket().unwrap();
    let connect = kernel.connect(vcc, Aal::FIVE, address(0), qos(), sap(9));
    connect.unwrap();
    kernel.hears(okay_connect(vcc)).unwrap();
    vcc
}

fn okay_connect(vcc: Vcc) -> ToKernel {
    let answer = Okay::Connect {
        pvc: pvc(16),
        local: address(1),
        qos: qos(),
    };
    ToKernel::Okay { vcc, answer }
}

fn indicate(listen_vcc: Vcc, label: u32) -> ToKernel {
    ToKernel::Indicate {
        listen_vcc,
        pvc: pvc(label),
        qos: qos(),
        svc: sap(9),
    }
}

#[test]
fn nothing_is_said_while_bind_and_listen_are_answered() {
    let mut kernel = kernel();
    let bound = kernel.socket().unwrap();
    kernel.bind(bound, Aal::FIVE, sap(0)).unwrap();
    let listens = kernel.socket().unwrap();
    kernel.listen(listens, Aal::FIVE, qos(), sap(0)).unwrap();
    for vcc in [bound, listens] {
        for refused in [
            kernel.bind(vcc, Aal::FIVE, sap(0)).map(|_| ()),
            kernel.listen(vcc, Aal::FIVE, qos(), sap(0)).map(|_| ()),
            kernel.close(vcc).map(|_| ()),
        ] {
            let text = refused.expect_err("3.5, 3.7").to_string();
            assert!(text.contains("nothing before the answer"), "{text}");
        }
    }
}

#[test]
fn calls_wait_in_order_and_are_rejected_after_the_acknowledgement_alone() {
    let mut kernel = kernel();
    let listen_vcc = listening(&mut kernel);
    assert_eq!(
        kernel.accept(listen_vcc),
        Err(NotNow::NoCall { listen_vcc })
    );
    kernel.hears(indicate(listen_vcc, 16)).unwrap();
    assert_eq!(kernel.waiting(listen_vcc).map(|c| c.pvc), Some(pvc(16)));
    let closing = kernel.close(listen_vcc).unwrap();
    assert!(!closing.gone);
    // This one crossed the close.
    kernel.hears(indicate(listen_vcc, 17)).unwrap();
    assert!(matches!(
        kernel.reject(listen_vcc, code()),
        Err(NotNow::State { .. })
    ));
    assert!(matches!(
        kernel.accept(listen_vcc),
        Err(NotNow::State { .. })
    ));
    let reject = ToDemon::Reject {
        listen_vcc,
        reply: ErrorCode::ABORTED,
    };
    let close = ToKernel::Close {
        vcc: listen_vcc,
        reply: None,
    };
    assert_eq!(
        kernel.hears(close.clone()),
        Ok(Event::Gone {
            vcc: listen_vcc,
            reply: None,
            send: vec![reject.clone(), reject],
        })
    );
    assert_eq!((kernel.sockets(), kernel.calls()), (0, 0));
    assert_eq!(
        kernel.hears(close),
        Err(Violation::Unknown { vcc: listen_vcc })
    );
}

#[test]
fn calls_are_answered_in_order() {
    let mut kernel = kernel();
    let listen_vcc = listening(&mut kernel);
    for label in [16, 17] {
        kernel.hears(indicate(listen_vcc, label)).unwrap();
    }
    assert_eq!(kernel.accept(listen_vcc).unwrap().call.pvc, pvc(16));
    assert_eq!(kernel.reject(listen_vcc, code()).unwrap().0.pvc, pvc(17));
}

#[test]
fn one_okay_crosses_a_close() {
    let mut kernel = kernel();
    let vcc = kernel.socket().unwrap();
    let connect = kernel.connect(vcc, Aal::FIVE, address(0), qos(), sap(9));
    connect.unwrap();
    kernel.close(vcc).unwrap();
    assert_eq!(kernel.hears(okay_connect(vcc)), Ok(Event::Crossed { vcc }));
    let second = kernel.hears(okay_connect(vcc));
    assert!(matches!(second, Err(Violation::Unasked { .. })));
}

#[test]
fn the_demon_cannot_close_a_listening_socket() {
    let mut kernel = kernel();
    let vcc = listening(&mut kernel);
    let reply = None;
    let refused = kernel.hears(ToKernel::Close { vcc, reply });
    assert!(matches!(refused, Err(Violation::Close { .. })));
    let reply = code();
    let refused = kernel.hears(ToKernel::Error { vcc, reply });
    assert!(matches!(refused, Err(Violation::Unasked { .. })));
}

#[test]
fn close_that_crosses_close_is_its_acknowledgement() {
    let mut kernel = kernel();
    let vcc = connected(&mut kernel);
    assert!(!kernel.close(vcc).unwrap().gone);
    assert!(matches!(kernel.close(vcc), Err(NotNow::State { .. })));
    let reply = Some(code());
    let send = Vec::new();
    assert_eq!(
        kernel.hears(ToKernel::Close { vcc, reply }),
        Ok(Event::Gone { vcc, reply, send })
    );
    assert_eq!(kernel.close(vcc), Err(NotNow::Unknown { vcc }));
}

#[test]
fn answers_that_were_not_asked_for_change_nothing() {
    let mut kernel = kernel();
    let vcc = connected(&mut kernel);
    let refused = kernel.hears(okay_connect(vcc));
    assert!(matches!(refused, Err(Violation::Unasked { .. })));
    let refused = kernel.hears(indicate(vcc, 16));
    assert!(matches!(refused, Err(Violation::Indicate { .. })));
    let unknown = Vcc::new(99).unwrap();
    let refused = kernel.hears(indicate(unknown, 16));
    assert_eq!(refused, Err(Violation::Unknown { vcc: unknown }));
    let closing = kernel.close(vcc).unwrap();
    assert_eq!(
        closing.send,
        Some(ToDemon::Close { vcc }),
        "still connected"
    );
    let refused = kernel.hears(okay_connect(vcc));
    assert!(
        matches!(refused, Err(Violation::Unasked { .. })),
        "done before"
    );
}

#[test]
fn what_failed_may_be_tried_again_on_the_same_socket() {
    let mut kernel = kernel();
    let vcc = kernel.socket().unwrap();
    for _ in 0..2 {
        kernel
            .connect(vcc, Aal::FIVE, address(0), qos(), sap(9))
            .unwrap();
        let reply = code();
        let failed = kernel.hears(ToKernel::Error { vcc, reply }).unwrap();
        assert!(matches!(failed, Event::Failed { .. }));
    }
    assert!(kernel.close(vcc).unwrap().gone);
}

#[test]
fn sockets_and_calls_are_bounded() {
    let mut kernel = kernel();
    let listen_vcc = listening(&mut kernel);
    for label in [16, 17] {
        kernel.hears(indicate(listen_vcc, label)).unwrap();
    }
    assert_eq!(
        kernel.hears(indicate(listen_vcc, 18)),
        Err(Violation::TooMany { calls: 2 })
    );
    let last = kernel.accept(listen_vcc).unwrap().vcc;
    kernel.socket().unwrap();
    assert_eq!(kernel.socket(), Err(NotNow::TooMany { sockets: 3 }));
    assert_eq!(
        kernel.accept(listen_vcc),
        Err(NotNow::TooMany { sockets: 3 })
    );
    assert_eq!(kernel.calls(), 1, "the call still waits");
    let reply = code();
    let failed = ToKernel::Error { vcc: last, reply };
    kernel.hears(failed).unwrap();
    assert_eq!(kernel.sockets(), 2, "accept that failed leaves nothing");
    assert!(
        kernel.accept(listen_vcc).unwrap().vcc > last,
        "a new number"
    );
}

#[test]
fn without_transport_all_but_close_fails() {
    let mut kernel = kernel();
    let listen_vcc = listening(&mut kernel);
    kernel.hears(indicate(listen_vcc, 16)).unwrap();
    let vcc = connected(&mut kernel);
    assert_eq!(kernel.transport_lost(), [listen_vcc, vcc]);
    assert_eq!(kernel.accept(listen_vcc), Err(NotNow::Unavailable));
    assert_eq!(kernel.socket(), Err(NotNow::Unavailable));
    assert_eq!(kernel.itf_notify(1), Err(NotNow::Unavailable));
    let bind = kernel.bind(vcc, Aal::FIVE, sap(0));
    assert_eq!(bind, Err(NotNow::Unavailable));
    let heard = kernel.hears(indicate(listen_vcc, 16));
    assert_eq!(heard, Err(Violation::Gone));
    for vcc in [listen_vcc, vcc] {
        let closing = kernel.close(vcc).unwrap();
        assert_eq!((closing.send, closing.gone), (None, true));
    }
    assert_eq!((kernel.sockets(), kernel.calls()), (0, 0));
}

#[test]
fn octets_are_read_by_what_their_socket_asked() {
    let mut kernel = kernel();
    let asked = kernel.socket().unwrap();
    kernel.bind(asked, Aal::FIVE, sap(0)).unwrap();
    let answer = Okay::Listen;
    let octets = ToKernel::Okay { vcc: asked, answer }.encode();
    let text = kernel.decode(&octets).expect_err("no SAP").to_string();
    assert_eq!(text, "as_okay to as_bind: svc is missing");
    let octets = okay_connect(vcc(99)).encode();
    let text = kernel.decode(&octets).expect_err("unknown").to_string();
    assert!(text.contains("nothing asked"), "{text}");
}
