//! Timers of Q.2931, against a neighbour whose calls are silent.

use pinode_signaling::Qos;
use pinode_signaling::entity::{Event, Limits};
use pinode_signaling::q2931::{Body, CallState, Cause, Message, Reason};

use crate::neighbour::{Bed, ours, theirs};
use crate::pair::{S, events, qos, setup};

fn bed() -> Bed {
    Bed::new(Limits::default())
}

fn timer(digits: &[u8]) -> Reason {
    Reason::new(Cause::RecoveryOnTimerExpiry, digits)
}

fn bodies(messages: Vec<Message>) -> Vec<Body> {
    messages.into_iter().map(|message| message.body).collect()
}

#[test]
fn t303_repeats_setup_once_and_then_there_is_no_call() {
    let mut bed = bed();
    let call = bed.entity.setup(0, setup(17)).unwrap();
    assert_eq!(
        bed.pass(8 * S - 1),
        [(0, Body::Setup(setup(17))), (4 * S, Body::Setup(setup(17)))]
    );
    assert!(events(&mut bed.entity).is_empty());
    // Nobody has said that there is a call: nobody is asked to release it.
    assert_eq!(bed.pass(100 * S), []);
    let reason = Cause::RecoveryOnTimerExpiry.into();
    assert_eq!(events(&mut bed.entity), [Event::Released { call, reason }]);
    assert_eq!(bed.entity.calls(), 0);
    // An answer that comes after all is told so, and its label is free for another call.
    let reason = Some(Cause::InvalidCallReference.into());
    assert_eq!(
        bed.say(ours(1), Body::CallProceeding),
        [Body::ReleaseComplete { reason }]
    );
    bed.entity.setup(bed.now_ns, setup(17)).unwrap();
}

#[test]
fn t310_releases() {
    let mut bed = bed();
    let call = bed.entity.setup(0, setup(17)).unwrap();
    bed.heard();
    assert_eq!(bed.say(ours(1), Body::CallProceeding), []);
    let reason = timer(b"310");
    assert_eq!(bed.pass(61 * S), [(60 * S, Body::Release { reason })]);
    let reason = None;
    assert_eq!(bed.say(ours(1), Body::ReleaseComplete { reason }), []);
    let cause = Cause::RecoveryOnTimerExpiry;
    assert_eq!(
        events(&mut bed.entity),
        [Event::Released {
            call,
            reason: cause.into()
        }]
    );
}

#[test]
fn t313_releases() {
    let mut bed = bed();
    assert_eq!(
        bed.say(theirs(9), Body::Setup(setup(16))),
        [Body::CallProceeding]
    );
    let Some(Event::Incoming { call, .. }) = bed.entity.next_event() else {
        panic!("it did not come in");
    };
    bed.entity.connect(0, call, qos(3).turned()).unwrap();
    let reason = timer(b"313");
    assert_eq!(
        bed.pass(5 * S),
        [
            (0, Body::Connect { qos: qos(3) }),
            (4 * S, Body::Release { reason })
        ]
    );
    // What comes now crosses with RELEASE.
    assert_eq!(bed.say(theirs(9), Body::ConnectAcknowledge), []);
    let reason = Cause::UserBusy.into();
    assert_eq!(bed.say(theirs(9), Body::Release { reason }), []);
    let cause = Cause::RecoveryOnTimerExpiry;
    assert_eq!(
        events(&mut bed.entity),
        [Event::Released {
            call,
            reason: cause.into()
        }]
    );
}

#[test]
fn t308_repeats_release_once_and_then_clears() {
    let mut bed = bed();
    let call = bed.entity.setup(0, setup(17)).unwrap();
    bed.heard();
    let cause = Cause::NormalCallClearing;
    bed.entity.release(0, call, cause).unwrap();
    let reason = Reason::from(cause);
    assert_eq!(
        bed.pass(60 * S - 1),
        [
            (
                0,
                Body::Release {
                    reason: reason.clone()
                }
            ),
            (30 * S, Body::Release { reason })
        ]
    );
    assert!(events(&mut bed.entity).is_empty());
    assert_eq!(bed.pass(1), []);
    assert_eq!(events(&mut bed.entity), [Event::Cleared { call }]);
}

#[test]
fn an_answer_stops_the_timers() {
    let mut bed = bed();
    let call = bed.entity.setup(0, setup(17)).unwrap();
    bed.heard();
    // Without CALL PROCEEDING, too.
    let qos = Qos::default();
    assert_eq!(
        bed.say(ours(1), Body::Connect { qos }),
        [Body::ConnectAcknowledge]
    );
    assert_eq!(events(&mut bed.entity), [Event::Connected { call, qos }]);
    assert_eq!(bed.pass(1000 * S), []);
    assert_eq!(bed.entity.state(call), Some(CallState::Active));
    bed.entity
        .release(bed.now_ns, call, Cause::NormalCallClearing)
        .unwrap();
    assert_eq!(bodies(bed.heard()).len(), 1);
    bed.say(ours(1), Body::ReleaseComplete { reason: None });
    assert_eq!(events(&mut bed.entity), [Event::Cleared { call }]);
    assert_eq!(bed.pass(1000 * S), []);
}
