//! Signalling over the socket, with a node behind it whose guest dss has one neighbour and one call.

use hyper::Method;
use pinode_signaling::daemon::view::{LinkView, View};
use pinode_signaling::{Address, Peak, Qos, Traffic};
use serde_json::{Value, json};

use super::super::tests::{refusal, running, unknown};
use super::*;
use crate::control::ControlError;
use crate::dss::{End, PermanentState};

const PATH: &str = "/v1/guests/dss/dss";

fn known(guest: &str) -> Result<(), ControlError> {
    match guest {
        "dss" => Ok(()),
        _ => Err(unknown("guest with signalling", guest)),
    }
}

fn refused(what: &str) -> ControlError {
    ControlError::Refused {
        at: "guest.dss.signaling".into(),
        what: what.into(),
    }
}

pub(in super::super) fn shown(guest: &str, after: u64) -> Result<Shown, ControlError> {
    known(guest)?;
    Ok(Shown {
        daemon: View {
            links: vec![LinkView {
                port: "west".into(),
                up: true,
                side: Some("odd".into()),
                calls: 1,
                labels: 1,
            }],
            // What was asked for comes back here.
            call_count: usize::try_from(after).unwrap(),
            ..View::default()
        },
        guest: Some(3),
        process: 4711,
        restarts: 2,
        switched: 3,
        reserved: 4,
    })
}

/// Port east has the route already.
pub(in super::super) fn route(
    guest: &str,
    delete: bool,
    prefix: Prefix,
    port: &str,
) -> Result<(), ControlError> {
    known(guest)?;
    match (port, delete) {
        ("west", _) | ("east", true) => Ok(()),
        ("east", false) => Err(refused(&format!("{prefix} leads there already"))),
        _ => Err(unknown("port", port)),
    }
}

/// There is call 7.
pub(in super::super) fn release(guest: &str, call: u64) -> Result<(), ControlError> {
    known(guest)?;
    match call {
        7 => Ok(()),
        _ => Err(refused("there is no such call")),
    }
}

fn camera() -> Permanent {
    Permanent {
        name: "camera".into(),
        port: "west".into(),
        vn: None,
        label: 100,
        end: End::Call {
            called: Address([0x47; 20]),
            address: None,
            qos: Qos::sending(Traffic::cbr(Peak::Bits(1_000_000), 1_400)),
        },
    }
}

/// The camera is there, and refused.
pub(in super::super) fn permanents(guest: &str) -> Result<Vec<PermanentShown>, ControlError> {
    known(guest)?;
    Ok(vec![PermanentShown {
        permanent: camera(),
        configured: true,
        state: PermanentState::Down,
        tries: 3,
        cause: Some(27),
        why: Some("destination out of order".into()),
        again_in_ns: Some(500_000_000),
        calls: Vec::new(),
    }])
}

pub(in super::super) fn add_permanent(
    guest: &str,
    permanent: &Permanent,
) -> Result<(), ControlError> {
    known(guest)?;
    match &*permanent.name {
        "camera" => Err(refused("there is a permanent end \"camera\" already")),
        _ => Ok(()),
    }
}

/// There is only the camera, which is of the configuration.
pub(in super::super) fn remove_permanent(guest: &str, name: &str) -> Result<(), ControlError> {
    known(guest)?;
    match name {
        "screen" => Ok(()),
        _ => Err(refused("it is of the configuration file")),
    }
}

#[test]
fn permanent_ends_come_are_shown_and_go() {
    let api = running();
    let path = format!("{PATH}/permanents");
    let all: Vec<PermanentShown> = api.client.get(&path).unwrap();
    assert_eq!(all, permanents("dss").unwrap());
    let screen = json!({
        "name": "screen", "port": "east", "vn": 5, "label": 200,
        "end": { "listen": { "address": "47".repeat(20), "labels": 4, "max_sdu": 1491 } },
    });
    let done: Value = api.client.send(Method::POST, &path, &screen).unwrap();
    assert_eq!(done["name"], "screen");
    assert_eq!(done["end"]["listen"]["labels"], 4);
    let twice = api.client.send::<Value>(Method::POST, &path, &camera());
    assert_eq!(refusal(twice).0, 422);
    let bad = json!({ "name": "screen", "port": "east", "label": 200, "end": { "wait": {} } });
    let bad = api.client.send::<Value>(Method::POST, &path, &bad);
    assert_eq!(refusal(bad).0, 422);
    let gone: Value = api.client.delete(&format!("{path}/screen")).unwrap();
    assert_eq!(gone, json!({ "name": "screen" }));
    let kept = api.client.delete::<Value>(&format!("{path}/camera"));
    assert_eq!(refusal(kept).0, 422);
    let error = api.client.get::<Value>("/v1/guests/can/dss/permanents");
    assert_eq!(refusal(error).0, 404);
}

#[test]
fn what_there_is_is_shown() {
    let api = running();
    let shown: Shown = api.client.get(PATH).unwrap();
    assert_eq!(shown, super::tests::shown("dss", 0).unwrap());
    let behind: Shown = api.client.get(&format!("{PATH}?after=7")).unwrap();
    assert_eq!(behind.daemon.call_count, 7);
    let bad = api.client.get::<Value>(&format!("{PATH}?before=7"));
    assert_eq!(refusal(bad).0, 400);
    let error = api.client.get::<Value>("/v1/guests/can/dss");
    assert_eq!(refusal(error).0, 404);
}

#[test]
fn routes_come_and_go() {
    let api = running();
    let path = format!("{PATH}/routes");
    let route = json!({ "prefix": "470005/24", "port": "east" });
    let done: Value = api.client.send(Method::DELETE, &path, &route).unwrap();
    assert_eq!(done, route);
    let twice = api.client.send::<Value>(Method::POST, &path, &route);
    assert_eq!(refusal(twice).0, 422);
    for (body, status) in [
        (json!({ "prefix": "470005/24", "port": "north" }), 404),
        (json!({ "prefix": "4700050/24", "port": "east" }), 422),
        (json!({ "prefix": "47/4", "port": "east" }), 422),
        (json!({ "prefix": "47/8", "port": "east", "vn": 1 }), 422),
    ] {
        let answer = api.client.send::<Value>(Method::POST, &path, &body);
        assert_eq!(refusal(answer).0, status, "{body}");
    }
}

#[test]
fn calls_are_released() {
    let api = running();
    let done: Value = api.client.delete(&format!("{PATH}/calls/7")).unwrap();
    assert_eq!(done, json!({ "call": 7 }));
    let none = api.client.delete::<Value>(&format!("{PATH}/calls/8"));
    assert_eq!(refusal(none).0, 422);
}
