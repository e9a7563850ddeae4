//! Messages that are wrong, or in the wrong place: ITU-T Q.2931 5.6.

use pinode_signaling::Qos;
use pinode_signaling::entity::{Event, Limits};
use pinode_signaling::q2931::{Body, CallState, Cause, Message, MessageType, Reason};

use crate::neighbour::{Bed, ours, theirs};
use crate::pair::{events, setup};

fn bed() -> Bed {
    Bed::new(Limits::default())
}

fn refused(reason: impl Into<Reason>) -> Body {
    let reason = Some(reason.into());
    Body::ReleaseComplete { reason }
}

fn status(cause: Cause, diagnostic: &[u8], state: CallState) -> Body {
    Body::Status {
        reason: Reason::new(cause, diagnostic),
        state,
    }
}

fn active(bed: &mut Bed) -> pinode_signaling::entity::CallId {
    let call = bed.entity.setup(0, setup(17)).unwrap();
    bed.heard();
    let qos = Qos::default();
    bed.say(ours(1), Body::Connect { qos });
    assert_eq!(events(&mut bed.entity), [Event::Connected { call, qos }]);
    call
}

#[test]
fn a_call_that_there_is_not() {
    let mut bed = bed();
    let no_call = refused(Cause::InvalidCallReference);
    let reason = Reason::from(Cause::NormalCallClearing);
    for reference in [theirs(3), ours(3)] {
        for body in [
            Body::CallProceeding,
            Body::Connect {
                qos: Qos::default(),
            },
            Body::ConnectAcknowledge,
            Body::Release {
                reason: reason.clone(),
            },
            Body::StatusEnquiry,
        ] {
            assert_eq!(bed.say(reference, body), core::slice::from_ref(&no_call));
        }
        let cause = Cause::ResponseToStatusEnquiry;
        assert_eq!(bed.say(reference, refused(cause)), []);
        assert_eq!(bed.say(reference, status(cause, &[], CallState::Null)), []);
        assert_eq!(
            bed.say(reference, status(cause, &[], CallState::Active)),
            [refused(Cause::MessageNotCompatibleWithState)]
        );
    }
    // As if it were the answer to a SETUP, and of the global call reference.
    assert_eq!(bed.say(ours(3), Body::Setup(setup(16))), []);
    assert_eq!(bed.say(theirs(0), Body::Setup(setup(16))), []);
    assert_eq!(bed.say(theirs(0), Body::StatusEnquiry), []);
    assert_eq!(events(&mut bed.entity), []);
}

#[test]
fn a_label_that_is_not_the_neighbours_or_in_use() {
    let mut bed = bed();
    let in_use = refused(Cause::RequestedVpciVciNotAvailable);
    assert_eq!(
        bed.say(theirs(1), Body::Setup(setup(17))),
        core::slice::from_ref(&in_use)
    );
    assert_eq!(
        bed.say(theirs(1), Body::Setup(setup(18))),
        [Body::CallProceeding]
    );
    assert_eq!(bed.say(theirs(2), Body::Setup(setup(18))), [in_use]);
    // Said again, it is the same call.
    assert_eq!(bed.say(theirs(1), Body::Setup(setup(18))), []);
    assert_eq!(bed.entity.calls(), 1);
}

#[test]
fn a_setup_that_lacks_an_element() {
    let mut bed = bed();
    let octets = Message {
        reference: theirs(1),
        body: Body::Setup(setup(16)),
    }
    .encode();
    // The last element is the QoS parameter, 6 octets.
    let mut less = octets[..octets.len() - 6].to_vec();
    less[8] -= 6;
    let heard = bed.octets(&less);
    let reason = Reason::new(Cause::MandatoryElementMissing, &[0x5c]);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].body, refused(reason));
    assert_eq!((bed.entity.calls(), bed.entity.next_event()), (0, None));
}

#[test]
fn messages_in_the_wrong_state() {
    let mut bed = bed();
    let call = active(&mut bed);
    let wrong = Cause::MessageNotCompatibleWithState;
    for body in [
        Body::CallProceeding,
        Body::Connect {
            qos: Qos::default(),
        },
        Body::ConnectAcknowledge,
    ] {
        let number = body.kind().number();
        assert_eq!(
            bed.say(ours(1), body),
            [status(wrong, &[number], CallState::Active)]
        );
    }
    assert_eq!(bed.entity.state(call), Some(CallState::Active));
    assert_eq!(
        bed.say(ours(1), Body::StatusEnquiry),
        [status(
            Cause::ResponseToStatusEnquiry,
            &[],
            CallState::Active
        )]
    );
    assert_eq!(events(&mut bed.entity), []);
}

#[test]
fn types_and_elements_that_are_not_known() {
    let mut bed = bed();
    let call = active(&mut bed);
    let restart = |flags| [9, 3, 0x80, 0, 1, 0x46, flags, 0, 0];
    let heard = bed.octets(&restart(0x80));
    let no_type = Cause::MessageTypeNonExistent;
    assert_eq!(heard[0].body, status(no_type, &[0x46], CallState::Active));
    let enquiry = [9, 3, 0x80, 0, 1, 0x75, 0x80, 0, 4, 0x33, 0x80, 0, 0];
    let heard = bed.octets(&enquiry);
    assert_eq!(heard.len(), 2);
    let no_element = Cause::ElementNonExistent;
    assert_eq!(
        heard[1].body,
        status(no_element, &[0x33], CallState::Active)
    );
    // A wrong STATUS is not answered.
    assert!(bed.octets(&[9, 3, 0x80, 0, 1, 0x7d, 0x80, 0, 0]).is_empty());
    // The neighbour wants the call cleared by who does not know the type.
    let heard = bed.octets(&restart(0x90));
    let reason = Reason::new(no_type, &[0x46]);
    assert_eq!(heard[0].body, Body::Release { reason });
    bed.say(ours(1), Body::ReleaseComplete { reason: None });
    let cause = no_type;
    assert_eq!(
        events(&mut bed.entity),
        [Event::Released {
            call,
            reason: cause.into()
        }]
    );
}

#[test]
fn a_release_without_cause_releases() {
    let mut bed = bed();
    let call = active(&mut bed);
    let heard = bed.octets(&[9, 3, 0x80, 0, 1, 0x4d, 0x80, 0, 0]);
    let reason = Reason::new(Cause::MandatoryElementMissing, &[0x08]);
    assert_eq!(heard[0].body, refused(reason));
    let cause = Cause::NormalUnspecified;
    assert_eq!(
        events(&mut bed.entity),
        [Event::Released {
            call,
            reason: cause.into()
        }]
    );
}

#[test]
fn a_status_that_does_not_fit() {
    let mut bed = bed();
    let call = active(&mut bed);
    let wrong = Cause::MessageNotCompatibleWithState;
    let kind = [MessageType::Connect.number()];
    for fits in [
        CallState::Active,
        CallState::ConnectRequest,
        CallState::ReleaseRequest,
    ] {
        assert_eq!(bed.say(ours(1), status(wrong, &kind, fits)), []);
    }
    let reason = wrong.into();
    assert_eq!(
        bed.say(
            ours(1),
            status(wrong, &kind, CallState::IncomingCallProceeding)
        ),
        [Body::Release { reason }]
    );
    // The neighbour says that there is no such call.
    assert_eq!(bed.say(ours(1), status(wrong, &kind, CallState::Null)), []);
    let cause = wrong;
    assert_eq!(
        events(&mut bed.entity),
        [Event::Released {
            call,
            reason: cause.into()
        }]
    );
}

#[test]
fn what_is_no_message_is_counted() {
    let mut bed = bed();
    for octets in [&[][..], &[8, 3, 0, 0, 1, 5, 0x80, 0, 0], &[9, 3, 0, 0, 1]] {
        assert!(bed.octets(octets).is_empty());
    }
    assert_eq!(bed.entity.counters().undecodable, 3);
}
