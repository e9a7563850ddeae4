//! Figures 7 to 12, message by message.

use pinode_signaling::isp::demon::Event as Asked;
use pinode_signaling::isp::kernel::Event;
use pinode_signaling::isp::{Aal, Limits, Request, Vcc};

use crate::pair::Pair;
use crate::sample::{address, code, pvc, qos, sap};

fn pair() -> Pair {
    Pair::new(Limits::default(), Limits::default())
}

/// The first message of figures 7 to 10, heard by the demon.
fn connecting(pair: &mut Pair) -> Vcc {
    let vcc = pair.kernel.socket().unwrap();
    let connect = pair
        .kernel
        .connect(vcc, Aal::FIVE, address(0), qos(), sap(9));
    pair.kernel_says(&connect.unwrap());
    assert_eq!(
        pair.demon_hears(),
        Some(Asked::Connect {
            vcc,
            aal: Aal::FIVE,
            local: address(0),
            qos: qos(),
            svc: sap(9),
        })
    );
    vcc
}

/// The first four messages of figures 11 and 12: a socket that listens.
fn listening(pair: &mut Pair) -> Vcc {
    let vcc = pair.kernel.socket().unwrap();
    let bind = pair.kernel.bind(vcc, Aal::FIVE, sap(0)).unwrap();
    pair.kernel_says(&bind);
    assert!(matches!(pair.demon_hears(), Some(Asked::Bind { .. })));
    let okay = pair.demon.okay_bind(vcc, sap(1)).unwrap();
    pair.demon_says(&okay);
    assert_eq!(pair.demon.sockets(), 0, "bind makes no state");
    assert_eq!(pair.kernel_hears(), Some(Event::Bound { vcc, svc: sap(1) }));

    let listen = pair.kernel.listen(vcc, Aal::FIVE, qos(), sap(1)).unwrap();
    pair.kernel_says(&listen);
    assert!(matches!(pair.demon_hears(), Some(Asked::Listen { .. })));
    let okay = pair.demon.okay_listen(vcc).unwrap();
    pair.demon_says(&okay);
    assert_eq!(pair.kernel_hears(), Some(Event::Listening { vcc }));
    vcc
}

fn indicated(pair: &mut Pair, listen_vcc: Vcc, call: u64) {
    let indicate = pair
        .demon
        .indicate(listen_vcc, call, pvc(16), qos(), sap(9));
    pair.demon_says(&indicate.unwrap());
    assert_eq!(pair.kernel_hears(), Some(Event::Incoming { listen_vcc }));
}

fn gone(vcc: Vcc) -> Option<Event> {
    Some(Event::Gone {
        vcc,
        reply: None,
        send: Vec::new(),
    })
}

#[test]
fn figure_7_connect_and_closing_by_the_remote_party() {
    let mut pair = pair();
    let vcc = connecting(&mut pair);
    let okay = pair.demon.okay_connect(vcc, pvc(16), address(1), qos());
    pair.demon_says(&okay.unwrap());
    assert_eq!(
        pair.kernel_hears(),
        Some(Event::Connected {
            vcc,
            pvc: pvc(16),
            local: address(1),
            qos: qos(),
        })
    );
    let close = pair.demon.close(vcc, None).unwrap();
    pair.demon_says(&close);
    assert_eq!(
        pair.kernel_hears(),
        Some(Event::Closed { vcc, reply: None })
    );
    let closing = pair.kernel.close(vcc).unwrap();
    assert!(closing.gone);
    pair.kernel_says(&closing.send.unwrap());
    assert_eq!(pair.demon_hears(), Some(Asked::Gone { vcc }));
    pair.ends_with(&[
        "-> connect 1",
        "<- okay 1 to connect",
        "<- close 1",
        "-> close 1",
    ]);
    assert_eq!((pair.kernel.sockets(), pair.demon.sockets()), (0, 0));
}

#[test]
fn figure_8_connect_fails() {
    let mut pair = pair();
    let vcc = connecting(&mut pair);
    let error = pair.demon.error(vcc, code()).unwrap();
    pair.demon_says(&error);
    assert_eq!(
        pair.demon.sockets(),
        0,
        "an error destroys the demon's state"
    );
    assert_eq!(
        pair.kernel_hears(),
        Some(Event::Failed {
            vcc,
            request: Request::Connect,
            reply: code(),
        })
    );
    let closing = pair.kernel.close(vcc).unwrap();
    assert_eq!((closing.send, closing.gone), (None, true));
    pair.ends_with(&["-> connect 1", "<- error 1"]);
}

#[test]
fn figure_9_close_crosses_okay() {
    let mut pair = pair();
    let vcc = connecting(&mut pair);
    let closing = pair.kernel.close(vcc).unwrap();
    assert!(!closing.gone);
    pair.kernel_says(&closing.send.unwrap());
    let okay = pair.demon.okay_connect(vcc, pvc(16), address(1), qos());
    pair.demon_says(&okay.unwrap());
    assert_eq!(pair.kernel_hears(), Some(Event::Crossed { vcc }));
    assert_eq!(pair.demon_hears(), Some(Asked::Close { vcc }));
    let close = pair.demon.close(vcc, None).unwrap();
    pair.demon_says(&close);
    assert_eq!(pair.kernel_hears(), gone(vcc));
    pair.ends_with(&[
        "-> connect 1",
        "-> close 1",
        "<- okay 1 to connect",
        "<- close 1",
    ]);
    assert_eq!((pair.kernel.sockets(), pair.demon.sockets()), (0, 0));
}

#[test]
fn figure_10_close_crosses_error() {
    let mut pair = pair();
    let vcc = connecting(&mut pair);
    let error = pair.demon.error(vcc, code()).unwrap();
    pair.demon_says(&error);
    let closing = pair.kernel.close(vcc).unwrap();
    pair.kernel_says(&closing.send.unwrap());
    assert_eq!(
        pair.kernel_hears(),
        Some(Event::Gone {
            vcc,
            reply: Some(code()),
            send: Vec::new(),
        })
    );
    assert_eq!(pair.demon_hears(), Some(Asked::Stray { vcc }));
    pair.ends_with(&["-> connect 1", "<- error 1", "-> close 1"]);
    assert_eq!((pair.kernel.sockets(), pair.demon.sockets()), (0, 0));
}

#[test]
fn figure_11_listen_accept_and_closing_by_the_local_party() {
    let mut pair = pair();
    let vcc = listening(&mut pair);
    indicated(&mut pair, vcc, 77);
    let accepting = pair.kernel.accept(vcc).unwrap();
    assert_eq!(accepting.call.pvc, pvc(16));
    let new = accepting.vcc;
    pair.kernel_says(&accepting.send);
    assert_eq!(
        pair.demon_hears(),
        Some(Asked::Accept {
            vcc: new,
            listen_vcc: vcc,
            call: 77,
        })
    );
    let okay = pair.demon.okay_accept(new, address(1)).unwrap();
    pair.demon_says(&okay);
    assert_eq!(
        pair.kernel_hears(),
        Some(Event::Accepted {
            vcc: new,
            pvc: pvc(16),
            local: address(1),
            qos: qos(),
        })
    );
    // The listening socket first; the other is not affected.
    for socket in [vcc, new] {
        let closing = pair.kernel.close(socket).unwrap();
        assert!(!closing.gone);
        pair.kernel_says(&closing.send.unwrap());
        assert_eq!(pair.demon_hears(), Some(Asked::Close { vcc: socket }));
        let close = pair.demon.close(socket, None).unwrap();
        pair.demon_says(&close);
        assert_eq!(pair.kernel_hears(), gone(socket));
    }
    pair.ends_with(&[
        "-> bind 1",
        "<- okay 1 to bind",
        "-> listen 1",
        "<- okay 1 to listen",
        "<- indicate at 1",
        "-> accept 2 of 1",
        "<- okay 2 to accept",
        "-> close 1",
        "<- close 1",
        "-> close 2",
        "<- close 2",
    ]);
    assert_eq!((pair.kernel.sockets(), pair.demon.sockets()), (0, 0));
}

#[test]
fn figure_12_listen_and_reject() {
    let mut pair = pair();
    let vcc = listening(&mut pair);
    indicated(&mut pair, vcc, 77);
    let (call, reject) = pair.kernel.reject(vcc, code()).unwrap();
    assert_eq!(call.svc, sap(9));
    pair.kernel_says(&reject);
    assert_eq!(
        pair.demon_hears(),
        Some(Asked::Reject {
            listen_vcc: vcc,
            call: 77,
            reply: code(),
        })
    );
    pair.ends_with(&[
        "-> bind 1",
        "<- okay 1 to bind",
        "-> listen 1",
        "<- okay 1 to listen",
        "<- indicate at 1",
        "-> reject of 1",
    ]);
    assert_eq!((pair.kernel.calls(), pair.demon.calls()), (0, 0));
}
