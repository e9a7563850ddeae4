//! Signalling over the socket, with a node behind it whose guest dss has one neighbour and one call.

use hyper::Method;
use pinode_signaling::daemon::view::{LinkView, View};
use serde_json::{Value, json};

use super::super::tests::{refusal, running, unknown};
use super::*;
use crate::control::ControlError;

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
