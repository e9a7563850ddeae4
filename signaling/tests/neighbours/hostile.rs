//! A neighbour that sends anything.

use proptest::prelude::*;

use pinode_signaling::entity::{CallError, Entity, Limits};
use pinode_signaling::link::{self, Pdu};
use pinode_signaling::q2931::{Body, CallReference, Cause, Message};

use crate::pair::{events, setup};
use crate::script;

/// An entity of one call, which is up and has odd labels.
fn entity() -> Entity {
    let limits = Limits {
        most_calls: 1,
        ..Limits::default()
    };
    let mut entity = Entity::new(limits, 7);
    hears(&mut entity, link::Body::BeginAck);
    events(&mut entity);
    entity
}

fn hears(entity: &mut Entity, body: link::Body<'_>) {
    let pdu = Pdu {
        from: 5,
        to: 7,
        body,
    };
    entity.hears(0, &pdu.encode());
}

fn says(entity: &mut Entity, number: u32, body: Body) {
    let reference = CallReference {
        to_originator: false,
        value: 1,
    };
    let message = Message { reference, body }.encode();
    let payload = &message;
    hears(entity, link::Body::Data { number, payload });
}

#[test]
fn answers_that_are_not_taken_are_left_out() {
    let mut entity = entity();
    for number in 0..1000 {
        says(&mut entity, number, Body::StatusEnquiry);
        while entity.next_pdu(0).is_some() {}
    }
    // A window is sent, and half of what may wait (4 for the call and 64) waits.
    assert_eq!(entity.counters().unsent, 1000 - 64 - 34);
    assert_eq!(
        entity.setup(0, setup(17)),
        Err(CallError::Busy { waiting: 34 })
    );
}

#[test]
fn what_makes_more_events_is_not_heard_until_they_are_taken() {
    let mut entity = entity();
    let cause = Cause::NormalCallClearing;
    let call = |entity: &mut Entity, number: u32| {
        says(entity, number, Body::Setup(setup(16)));
        let reason = cause.into();
        says(entity, number + 1, Body::Release { reason });
        while entity.next_pdu(0).is_some() {}
    };
    for pair in 0..1000 {
        call(&mut entity, 2 * pair);
    }
    assert_eq!(entity.counters().unheard, 2000 - 68);
    assert_eq!(events(&mut entity).len(), 68);
    // As with any PDU that is lost, the neighbour sends it again.
    call(&mut entity, 68);
    assert_eq!(events(&mut entity).len(), 2);
}

#[test]
fn a_script_gets_to_calls() {
    // A SETUP, its refusal, a call of its own, and time.
    script::run(&[5, 1, 0, 10, 1, 9, 1, 4, 0x81, 5, 0, 11, 0x80]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_it_sends(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        script::run(&octets);
    }
}
