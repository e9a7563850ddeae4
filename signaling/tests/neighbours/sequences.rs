//! Set-up, refusal and release from either side.

use pinode_signaling::Qos;
use pinode_signaling::entity::{CallError, Entity, Event, Limits};
use pinode_signaling::link::Side;
use pinode_signaling::q2931::{CallState, Cause, Reason, SetupError};

use crate::pair::{Pair, events, incoming, qos, setup};

fn pair() -> Pair {
    Pair::new(Limits::default())
}

#[test]
fn nothing_is_set_up_before_the_neighbour_is_heard() {
    let mut entity = Entity::new(Limits::default(), 7);
    assert_eq!(entity.setup(0, setup(17)), Err(CallError::Down));
    assert_eq!(
        (entity.is_up(), entity.side(), entity.calls()),
        (false, None, 0)
    );
    let pair = pair();
    assert_eq!(pair.a.side(), Some(Side::Odd));
    assert_eq!(pair.b.side(), Some(Side::Even));
}

#[test]
fn a_call_is_set_up_and_carries_what_was_asked_and_granted() {
    let mut pair = pair();
    let at_a = pair.a.setup(0, setup(17)).unwrap();
    assert_eq!(pair.a.state(at_a), Some(CallState::CallInitiated));
    pair.settle();
    assert_eq!(pair.a.state(at_a), Some(CallState::OutgoingCallProceeding));
    let (at_b, mut asked) = incoming(&mut pair.b);
    assert_eq!(asked.qos, qos(100).turned());
    asked.qos = asked.qos.turned();
    assert_eq!(asked, setup(17));
    assert_eq!(pair.b.state(at_b), Some(CallState::IncomingCallProceeding));
    // CONNECT waits for the far end.
    assert!(events(&mut pair.a).is_empty());

    pair.b.connect(0, at_b, qos(50).turned()).unwrap();
    assert_eq!(pair.b.state(at_b), Some(CallState::ConnectRequest));
    let state = CallState::ConnectRequest;
    assert_eq!(
        pair.b.connect(0, at_b, qos(50).turned()),
        Err(CallError::State { call: at_b, state })
    );
    pair.settle();
    let qos = qos(50);
    assert_eq!(events(&mut pair.a), [Event::Connected { call: at_a, qos }]);
    assert_eq!(
        events(&mut pair.b),
        [Event::ConnectAcknowledged { call: at_b }]
    );
    assert_eq!(pair.a.state(at_a), Some(CallState::Active));
    assert_eq!(pair.b.state(at_b), Some(CallState::Active));
}

#[test]
fn a_call_is_refused() {
    let mut pair = pair();
    let at_a = pair.a.setup(0, setup(17)).unwrap();
    pair.settle();
    let (at_b, _) = incoming(&mut pair.b);
    let cause = Cause::UserCellRateNotAvailable;
    pair.b.release(0, at_b, cause).unwrap();
    pair.settle();
    assert_eq!(
        events(&mut pair.a),
        [Event::Released {
            call: at_a,
            reason: cause.into()
        }]
    );
    assert_eq!(events(&mut pair.b), [Event::Cleared { call: at_b }]);
    assert_eq!((pair.a.calls(), pair.b.calls()), (0, 0));
}

#[test]
fn a_call_is_released_from_either_side_and_its_label_used_again() {
    let mut pair = pair();
    for from_a in [true, false] {
        let (at_a, at_b) = pair.active(17);
        let (first, first_call, other, other_call) = if from_a {
            (&mut pair.a, at_a, &mut pair.b, at_b)
        } else {
            (&mut pair.b, at_b, &mut pair.a, at_a)
        };
        let cause = Cause::NormalCallClearing;
        first.release(0, first_call, cause).unwrap();
        first.release(0, first_call, cause).unwrap();
        assert_eq!(first.state(first_call), Some(CallState::ReleaseRequest));
        assert_eq!((first.calls(), other.calls()), (1, 1));
        pair.settle();
        let (first, other) = if from_a {
            (&mut pair.a, &mut pair.b)
        } else {
            (&mut pair.b, &mut pair.a)
        };
        assert_eq!(events(first), [Event::Cleared { call: first_call }]);
        let call = other_call;
        assert_eq!(
            events(other),
            [Event::Released {
                call,
                reason: cause.into()
            }]
        );
        assert_eq!((first.calls(), other.calls()), (0, 0));
        assert_eq!(
            other.release(0, call, cause),
            Err(CallError::Unknown { call })
        );
    }
}

#[test]
fn releases_cross() {
    let mut pair = pair();
    let (at_a, at_b) = pair.active(17);
    pair.a.release(0, at_a, Cause::NormalCallClearing).unwrap();
    pair.b.release(0, at_b, Cause::UserBusy).unwrap();
    pair.settle();
    assert_eq!(events(&mut pair.a), [Event::Cleared { call: at_a }]);
    assert_eq!(events(&mut pair.b), [Event::Cleared { call: at_b }]);
    assert_eq!((pair.a.calls(), pair.b.calls()), (0, 0));
    pair.active(17);
}

#[test]
fn release_crosses_with_the_answer() {
    let mut pair = pair();
    let at_a = pair.a.setup(0, setup(17)).unwrap();
    pair.settle();
    let (at_b, _) = incoming(&mut pair.b);
    pair.b.connect(0, at_b, Qos::default()).unwrap();
    let cause = Cause::NormalCallClearing;
    pair.a.release(0, at_a, cause).unwrap();
    pair.settle();
    assert_eq!(events(&mut pair.a), [Event::Cleared { call: at_a }]);
    assert_eq!(
        events(&mut pair.b),
        [Event::Released {
            call: at_b,
            reason: cause.into()
        }]
    );
}

#[test]
fn what_cannot_be_asked_is_named() {
    let mut pair = Pair::new(Limits {
        most_calls: 2,
        ..Limits::default()
    });
    assert_eq!(
        pair.a.setup(0, setup(18)),
        Err(CallError::Side {
            label: 18,
            side: Side::Odd
        })
    );
    let mut no_peak = setup(17);
    no_peak.qos.transmit.as_mut().unwrap().peak = None;
    assert_eq!(
        pair.a.setup(0, no_peak),
        Err(CallError::Setup(SetupError::NoPeak))
    );
    let mut many = setup(17);
    many.blli = vec![vec![1]; 4];
    let error = CallError::Setup(SetupError::ManyBlli { found: 4 });
    assert_eq!(pair.a.setup(0, many), Err(error));
    let call = pair.a.setup(0, setup(17)).unwrap();
    let (label, vn) = (17, 0);
    assert_eq!(
        pair.a.setup(0, setup(17)),
        Err(CallError::InUse { label, vn, call })
    );
    pair.a.setup(0, setup(19)).unwrap();
    assert_eq!(pair.a.setup(0, setup(21)), Err(CallError::Full { most: 2 }));
    let state = CallState::CallInitiated;
    assert_eq!(
        pair.a.connect(0, call, Qos::default()),
        Err(CallError::State { call, state })
    );
}

#[test]
fn an_incoming_call_too_many_is_refused() {
    let many = Limits::default();
    let one = Limits {
        most_calls: 1,
        ..many
    };
    let mut pair = Pair::new(many);
    pair.b = Entity::new(one, 3);
    pair.settle();
    events(&mut pair.a);
    events(&mut pair.b);
    pair.active(17);
    let call = pair.a.setup(0, setup(19)).unwrap();
    pair.settle();
    let cause = Cause::ResourcesUnavailable;
    assert_eq!(
        events(&mut pair.a),
        [Event::Released {
            call,
            reason: cause.into()
        }]
    );
    assert!(events(&mut pair.b).is_empty());
}

#[test]
fn words_beside_a_cause_come_to_the_other_side() {
    let mut pair = pair();
    let call = pair.a.setup(0, setup(17)).unwrap();
    pair.settle();
    let (refused, _) = incoming(&mut pair.b);
    let reason =
        Reason::new(Cause::UserCellRateNotAvailable, &[1]).saying("port west: 3 Mb/s left");
    pair.b.release(0, refused, reason.clone()).unwrap();
    pair.settle();
    let reason = reason.passed_on();
    assert_eq!(events(&mut pair.a), [Event::Released { call, reason }]);
}

#[test]
fn ten_thousand_calls_leave_nothing() {
    let mut pair = pair();
    for round in 0..10_000 {
        let (at_a, at_b) = pair.active(17 + 2 * (round % 5));
        if round % 2 == 0 {
            pair.a.release(0, at_a, Cause::NormalCallClearing).unwrap();
        } else {
            pair.b.release(0, at_b, Cause::NormalCallClearing).unwrap();
        }
        pair.settle();
        assert_eq!(
            (events(&mut pair.a).len(), events(&mut pair.b).len()),
            (1, 1)
        );
    }
    assert_eq!((pair.a.calls(), pair.b.calls()), (0, 0));
    assert_eq!(pair.a.counters(), pair.b.counters());
    assert_eq!(pair.a.link_counters().repetitions, 0);
}
