//! Permanent ends are asked for once, again when they are gone, and later each time.

use pinode_guest_dss::control::{SocketRequest, SocketState, SocketView};
use pinode_signaling::daemon::code;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::q2931::Cause;
use pinode_signaling::{Address, Peak, Qos, Traffic};

use super::ends::Ends;
use super::permanent::{End, Permanent, PermanentShown, PermanentState};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn camera(label: u32) -> (Permanent, Span) {
    let permanent = Permanent {
        name: format!("camera{label}"),
        port: "west".into(),
        vn: None,
        label,
        end: End::Call {
            called: Address([0x47; 20]),
            address: None,
            qos: Qos::sending(Traffic::cbr(Peak::Bits(1_000_000), 1_400)),
        },
    };
    (permanent, span(label, 1))
}

fn screen(label: u32, labels: u16) -> (Permanent, Span) {
    let permanent = Permanent {
        name: format!("screen{label}"),
        port: "west".into(),
        vn: None,
        label,
        end: End::Listen {
            address: Address([label as u8; 20]),
            labels,
            max_sdu: 1_491,
        },
    };
    (permanent, span(label, labels))
}

fn span(label: u32, labels: u16) -> Span {
    Span {
        port: 0,
        vn: 0,
        label,
        labels,
    }
}

fn view(socket: u32, state: SocketState, reply: Option<i32>) -> SocketView {
    SocketView {
        socket,
        state,
        at: span(100, 1),
        qos: None,
        calls: 0,
        reply,
    }
}

/// One end that is asked for, and the number of its socket.
fn one(now_ns: u64) -> (Ends, u32) {
    let mut ends = Ends::new(64);
    let (permanent, at) = camera(100);
    ends.add(permanent, at, false).unwrap();
    ends.begin(now_ns);
    let (socket, request) = ends.ask(now_ns).unwrap();
    assert!(matches!(request, SocketRequest::Open { .. }));
    assert_eq!(ends.ask(now_ns), None, "asked twice");
    (ends, socket)
}

fn shown(ends: &Ends, now_ns: u64) -> PermanentShown {
    let [(_, shown)] = &ends.shown(now_ns)[..] else {
        panic!("one end");
    };
    shown.clone()
}

#[test]
fn what_is_refused_is_asked_for_later_each_time() {
    let (mut ends, mut socket) = one(0);
    let mut now_ns = 0;
    let reply = code(Cause::DestinationOutOfOrder).unwrap().get();
    for wait_ms in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        ends.heard(&view(socket, SocketState::Ended, Some(reply)), now_ns);
        let state = shown(&ends, now_ns);
        assert_eq!(state.state, PermanentState::Down);
        assert_eq!(state.cause, Some(27));
        assert_eq!(state.again_in_ns, Some(wait_ms * MS));
        assert_eq!(ends.ask(now_ns + wait_ms * MS - 1), None, "too early");
        now_ns += wait_ms * MS;
        let (next, _) = ends.ask(now_ns).unwrap();
        assert_ne!(next, socket, "a number is used again");
        socket = next;
    }
    assert_eq!(shown(&ends, now_ns).tries, 10);
}

#[test]
fn one_that_was_there_long_comes_back_soon_and_one_that_comes_and_goes_does_not() {
    let (mut ends, mut socket) = one(0);
    let mut now_ns = 0;
    for (held_ns, wait_ms) in [(0, 250), (0, 500), (0, 1_000), (S, 250), (S, 250), (1, 500)] {
        ends.heard(&view(socket, SocketState::Connected, None), now_ns);
        assert_eq!(shown(&ends, now_ns).state, PermanentState::Up);
        assert_eq!(shown(&ends, now_ns).why, None);
        now_ns += held_ns;
        ends.heard(&view(socket, SocketState::Ended, None), now_ns);
        assert_eq!(shown(&ends, now_ns).again_in_ns, Some(wait_ms * MS));
        now_ns += wait_ms * MS;
        socket = ends.ask(now_ns).unwrap().0;
    }
}

#[test]
fn another_life_asks_for_all_of_them_at_once_and_hears_nothing_of_the_last() {
    let (mut ends, socket) = one(0);
    let (permanent, at) = screen(200, 4);
    ends.add(permanent, at, true).unwrap();
    // Added while the life goes on.
    let (listening, request) = ends.ask(1).unwrap();
    assert!(matches!(request, SocketRequest::Listen { .. }));
    ends.heard(&view(listening, SocketState::Listening, None), 1);
    ends.cease();
    let states: Vec<_> = ends
        .shown(2)
        .into_iter()
        .map(|(_, end)| end.state)
        .collect();
    assert_eq!(states, [PermanentState::Waiting; 2]);
    ends.begin(3);
    assert_eq!(ends.shown(3)[0].1.state, PermanentState::Waiting);
    let asked = [ends.ask(3).unwrap().0, ends.ask(3).unwrap().0];
    assert_eq!(ends.ask(3), None);
    assert!(!asked.contains(&socket) && !asked.contains(&listening));
    ends.heard(&view(socket, SocketState::Ended, None), 4);
    ends.heard(&view(listening, SocketState::Ended, None), 4);
    assert_eq!(ends.ask(S), None, "an old socket's end is another's");
}

#[test]
fn what_is_taken_away_is_closed_once() {
    let (mut ends, socket) = one(0);
    ends.heard(&view(socket, SocketState::Connected, None), 1);
    ends.remove("camera100").unwrap();
    assert!(ends.remove("camera100").is_err());
    assert_eq!(ends.ask(1), Some((socket, SocketRequest::Close { socket })));
    assert_eq!(ends.ask(1), None);
    assert!(ends.is_empty());
    // One that waits is only forgotten.
    let (mut ends, socket) = one(0);
    ends.refused(socket, "no".into(), 1);
    assert_eq!(shown(&ends, 1).why, Some("no".to_owned()));
    ends.remove("camera100").unwrap();
    assert_eq!(ends.ask(S), None);
}

#[test]
fn no_two_ends_share_a_name_a_label_or_an_address() {
    let mut ends = Ends::new(10);
    let (permanent, at) = screen(200, 4);
    ends.add(permanent.clone(), at, true).unwrap();
    let mut refused = |permanent: Permanent, at: Span| ends.add(permanent, at, false).unwrap_err();
    assert!(refused(permanent.clone(), span(300, 1)).contains("already"));
    let (other, _) = camera(203);
    assert!(refused(other.clone(), span(203, 1)).contains("\"screen200\""));
    let (mut same, _) = screen(200, 1);
    same.name = "other".into();
    assert!(refused(same, span(300, 1)).contains("listens on"));
    let (many, at) = screen(300, 5);
    assert_eq!(
        refused(many, at),
        "with it the guest would need 11 sockets; allowed: 10 (config.sockets of the PI)"
    );
    assert!(
        ends.remove("screen200")
            .unwrap_err()
            .contains("configuration")
    );
    ends.add(other, span(204, 1), false).unwrap();
}

#[test]
fn places_of_sockets_are_known_from_when_they_are_asked_for_until_they_have_ended() {
    let (mut ends, socket) = one(0);
    assert!(ends.asked_for(span(100, 1)));
    assert!(!ends.asked_for(span(100, 2)) && !ends.asked_for(span(101, 1)));
    ends.not_asked(socket, 1);
    assert!(!ends.asked_for(span(100, 1)));
    assert_eq!(shown(&ends, 1).tries, 0);
    let (socket, _) = ends.ask(1).unwrap();
    ends.remove("camera100").unwrap();
    let close = Some((socket, SocketRequest::Close { socket }));
    assert_eq!(ends.ask(1), close);
    // It may have been about to say something.
    assert!(ends.asked_for(span(100, 1)));
    ends.not_closed(socket);
    assert_eq!(ends.ask(1), close);
    ends.heard(&view(socket, SocketState::Ended, None), 2);
    assert!(!ends.asked_for(span(100, 1)));
    assert!(ends.is_empty());
}
