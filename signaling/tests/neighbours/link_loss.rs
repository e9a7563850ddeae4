//! A link that is lost and comes back, or does not; a neighbour that restarts or ends.

use pinode_signaling::entity::{CallError, CallId, Entity, Event, Limits};
use pinode_signaling::link::Side;
use pinode_signaling::q2931::{Body, CallState, Cause, Timers};

use crate::neighbour::{Bed, theirs};
use crate::pair::{MS, Pair, S, events, incoming, setup};

fn pair() -> Pair {
    Pair::new(Limits::default())
}

#[test]
fn calls_outlive_a_pause() {
    let mut pair = pair();
    let (at_a, at_b) = pair.active(17);
    let next = pair.a.setup(0, setup(19)).unwrap();
    pair.is_cut = true;
    pair.pass(4 * S);
    assert_eq!(events(&mut pair.a), [Event::Down]);
    assert_eq!(events(&mut pair.b), [Event::Down]);
    assert_eq!(pair.a.setup(pair.now_ns, setup(21)), Err(CallError::Down));
    let cause = Cause::NormalCallClearing;
    pair.b.release(pair.now_ns, at_b, cause).unwrap();
    pair.is_cut = false;
    pair.pass(S);
    assert_eq!(
        events(&mut pair.a),
        [
            Event::Up { side: Side::Odd },
            Event::Released {
                call: at_a,
                reason: cause.into()
            }
        ]
    );
    let at_b_events = events(&mut pair.b);
    assert_eq!(at_b_events[0], Event::Up { side: Side::Even });
    assert!(at_b_events.contains(&Event::Cleared { call: at_b }));
    assert_eq!(at_b_events.len(), 3, "{at_b_events:?}");
    assert_eq!(pair.a.state(next), Some(CallState::OutgoingCallProceeding));
}

#[test]
fn t309_releases_all() {
    let mut pair = pair();
    let (at_a, at_b) = pair.active(17);
    let clearing = pair.active(19).0;
    let asked = pair.a.setup(0, setup(21)).unwrap();
    pair.is_cut = true;
    pair.a
        .release(0, clearing, Cause::NormalCallClearing)
        .unwrap();
    let before = (pair.a.instance(), pair.b.instance());
    // Timer_NO-RESPONSE and T309, the last second open; T303 ran out twice meanwhile.
    pair.pass(12 * S);
    assert_eq!((pair.a.calls(), pair.b.calls()), (2, 2));
    pair.pass(S);
    let cause = Cause::DestinationOutOfOrder;
    let timed_out = Event::Released {
        call: asked,
        reason: Cause::RecoveryOnTimerExpiry.into(),
    };
    assert_eq!(
        events(&mut pair.a),
        [
            Event::Down,
            timed_out,
            Event::Released {
                call: at_a,
                reason: cause.into()
            },
            Event::Cleared { call: clearing }
        ]
    );
    let at_b_events = events(&mut pair.b);
    assert_eq!(
        at_b_events[1],
        Event::Released {
            call: at_b,
            reason: cause.into()
        }
    );
    assert_eq!((pair.a.calls(), pair.b.calls()), (0, 0));
    // Other lives: nothing of the former ones is heard.
    assert!(pair.a.instance() != before.0 && pair.b.instance() != before.1);
    pair.is_cut = false;
    pair.pass(S);
    let side = pair.a.side().unwrap();
    assert_eq!(events(&mut pair.a), [Event::Up { side }]);
    let side = side.other();
    assert_eq!(events(&mut pair.b), [Event::Up { side }]);
}

#[test]
fn one_side_that_gave_up_ends_calls_of_the_other() {
    let short = Limits {
        calls: Timers {
            t309_ns: 100 * MS,
            ..Timers::default()
        },
        ..Limits::default()
    };
    let mut pair = pair();
    pair.b = Entity::new(short, 3);
    pair.settle();
    events(&mut pair.a);
    events(&mut pair.b);
    let (at_a, at_b) = pair.active(17);
    pair.is_cut = true;
    pair.pass(4 * S);
    let cause = Cause::DestinationOutOfOrder;
    assert_eq!(
        events(&mut pair.b),
        [
            Event::Down,
            Event::Released {
                call: at_b,
                reason: cause.into()
            }
        ]
    );
    assert_eq!(events(&mut pair.a), [Event::Down]);
    pair.is_cut = false;
    pair.pass(S);
    let cause = Cause::TemporaryFailure;
    assert_eq!(
        events(&mut pair.a)[0],
        Event::Released {
            call: at_a,
            reason: cause.into()
        }
    );
    assert_eq!((pair.a.calls(), pair.b.calls()), (0, 0));
    assert!(pair.a.is_up() && pair.b.is_up());
}

#[test]
fn a_restarted_neighbour_ends_calls_of_every_state_at_once() {
    let mut pair = pair();
    let (active, _) = pair.active(17);
    let proceeding = pair.a.setup(0, setup(19)).unwrap();
    pair.settle();
    let (at_b, _) = incoming(&mut pair.b);
    let (releasing, _) = pair.active(23);
    pair.b.setup(0, setup(16)).unwrap();
    pair.settle();
    let (present, _) = incoming(&mut pair.a);
    pair.b.setup(0, setup(18)).unwrap();
    pair.settle();
    let (answered, _) = incoming(&mut pair.a);
    let initiated = pair.a.setup(0, setup(25)).unwrap();
    pair.a.connect(0, answered, setup(18).qos).unwrap();
    let cause = Cause::NormalCallClearing;
    pair.a.release(0, releasing, cause).unwrap();
    assert_eq!(pair.b.state(at_b), Some(CallState::IncomingCallProceeding));

    pair.b = Entity::new(Limits::default(), 9);
    pair.settle();
    let cause = Cause::TemporaryFailure;
    let released = |call| Event::Released {
        call,
        reason: cause.into(),
    };
    assert_eq!(
        events(&mut pair.a),
        [
            Event::Down,
            released(active),
            released(proceeding),
            Event::Cleared { call: releasing },
            released(present),
            released(answered),
            released(initiated),
            Event::Up { side: Side::Even }
        ]
    );
    assert_eq!(pair.a.calls(), 0);
}

#[test]
fn an_end_is_told() {
    let mut pair = pair();
    let (at_a, at_b) = pair.active(17);
    pair.b.end();
    pair.settle();
    let cause = Cause::TemporaryFailure;
    assert_eq!(
        events(&mut pair.a),
        [
            Event::Down,
            Event::Released {
                call: at_a,
                reason: cause.into()
            }
        ]
    );
    assert_eq!(
        events(&mut pair.b),
        [
            Event::Down,
            Event::Released {
                call: at_b,
                reason: cause.into()
            }
        ]
    );
    assert_eq!((pair.a.calls(), pair.b.calls()), (0, 0));
    assert_eq!(pair.b.due_ns(), None);
    assert_eq!(pair.b.setup(0, setup(16)), Err(CallError::Down));
    // And nothing happens any more.
    pair.b.tick(100 * S);
    assert_eq!(
        (pair.b.next_pdu(100 * S), pair.b.next_event()),
        (None, None)
    );
}

/// A bed with an active call of the neighbour's, after a pause.
fn after_a_pause() -> (Bed, CallId) {
    let mut bed = Bed::new(Limits::default());
    bed.say(theirs(1), Body::Setup(setup(16)));
    let Some(Event::Incoming { call, .. }) = bed.entity.next_event() else {
        panic!("it did not come in");
    };
    bed.entity.connect(0, call, setup(16).qos).unwrap();
    bed.heard();
    bed.say(theirs(1), Body::ConnectAcknowledge);
    events(&mut bed.entity);
    bed.pause(4 * S);
    (bed, call)
}

#[test]
fn an_answer_to_the_enquiry_after_a_pause_is_enough() {
    let (mut bed, call) = after_a_pause();
    assert_eq!(bed.pass(S).len(), 1);
    let reason = Cause::ResponseToStatusEnquiry.into();
    let state = CallState::Active;
    assert_eq!(bed.say(theirs(1), Body::Status { reason, state }), []);
    assert_eq!(bed.pass(100 * S), []);
    assert_eq!(bed.entity.state(call), Some(CallState::Active));
}

#[test]
fn after_a_pause_both_ask_whether_calls_are_what_they_were() {
    let (mut bed, call) = after_a_pause();
    let up_ns = bed.now_ns;
    let heard = bed.pass(9 * S);
    let reason = Cause::TemporaryFailure.into();
    assert_eq!(
        heard,
        [
            (up_ns, Body::StatusEnquiry),
            (up_ns + 4 * S, Body::StatusEnquiry),
            (up_ns + 8 * S, Body::Release { reason })
        ]
    );

    // And if the neighbour answers that there is no such call:
    bed.say(theirs(1), Body::ReleaseComplete { reason: None });
    let cause = Cause::TemporaryFailure;
    assert_eq!(
        events(&mut bed.entity),
        [
            Event::Down,
            Event::Up { side: Side::Odd },
            Event::Released {
                call,
                reason: cause.into()
            }
        ]
    );
}
