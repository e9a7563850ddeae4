//! Connections over the socket: items, answers and mistakes, with a node behind it that knows one port.

use hyper::Method;
use serde_json::{Value, json};

use super::super::tests::{refusal, running, unknown};
use super::*;
use crate::control::{ControlError, StreamBuffers, StreamCause, StreamClass, StreamCounters};

fn known(port: &str, pi: &str) -> Result<(), ControlError> {
    match (port, pi) {
        ("west", "dss") => Ok(()),
        ("west", _) => Err(ControlError::Refused {
            at: format!("pi.{pi}.level2"),
            what: "has no connections".into(),
        }),
        _ => Err(unknown("port", port)),
    }
}

fn refused(vn: u8, label: u32) -> StreamRefused {
    StreamRefused {
        vn,
        label,
        cause: StreamCause::Rate,
        what: "no room".into(),
    }
}

/// Label 17 is refused.
pub(in super::super) fn connect(
    port: &str,
    pi: &str,
    items: &[StreamRequest],
) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError> {
    known(port, pi)?;
    let one = |item: &StreamRequest| match item.label {
        17 => Err(refused(item.vn, 17)),
        label => Ok(StreamGranted {
            vn: item.vn,
            label,
            class: item.class,
            rate_bps: item.rate_bps,
            tolerance_ns: item.tolerance_ns.unwrap_or(300_000),
            buffer: item.buffer.unwrap_or(3),
            max_frame: item.max_frame.unwrap_or(1518),
            delay_ns: Some(250_000),
        }),
    };
    Ok(items.iter().map(one).collect())
}

pub(in super::super) fn disconnect(
    port: &str,
    pi: &str,
    items: &[StreamName],
) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError> {
    known(port, pi)?;
    let one = |item: &StreamName| match item.label {
        17 => Err(refused(item.vn, 17)),
        label => Ok(StreamReleased {
            vn: item.vn,
            label,
            counters: StreamCounters {
                enqueued: 5,
                dequeued: 3,
                cleared: 2,
                ..StreamCounters::default()
            },
        }),
    };
    Ok(items.iter().map(one).collect())
}

pub(in super::super) fn page(
    port: &str,
    pi: &str,
    page: StreamPage,
) -> Result<Streams, ControlError> {
    known(port, pi)?;
    Ok(Streams {
        guaranteed_bps: 100,
        reserved_bps: 60,
        signalling_bps: 1,
        spare_bps: 39,
        buffer: StreamBuffers {
            frames: 256,
            reserved: 19,
        },
        count: 0,
        most: u32::try_from(page.most).unwrap(),
        signalling: StreamCounters::default(),
        connections: Vec::new(),
        next: (page.from > 0).then_some(page.from + 1),
    })
}

const PATH: &str = "/v1/ports/west/streams/dss";

#[test]
fn each_item_has_its_own_answer() {
    let api = running();
    let items = json!([
        { "label": 16, "class": "cbr", "rate_bps": 1_000_000 },
        { "vn": 3, "label": 17, "class": "cbr", "rate_bps": 2_000_000 },
        { "vn": 3, "label": 18, "class": "ubr", "buffer": 7, "max_frame": 79 },
    ]);
    let answers: Value = api.client.send(Method::POST, PATH, &items).unwrap();
    assert_eq!(
        answers[0]["granted"],
        json!({ "vn": 0, "label": 16, "class": "cbr", "rate_bps": 1_000_000, "tolerance_ns": 300_000,
            "buffer": 3, "max_frame": 1518, "delay_ns": 250_000 })
    );
    assert_eq!(
        answers[1],
        json!({ "refused": { "vn": 3, "label": 17, "cause": "rate", "what": "no room" } })
    );
    assert_eq!(answers[2]["granted"]["max_frame"], 79);
    let typed: Vec<Connected> = api.client.send(Method::POST, PATH, &items).unwrap();
    assert!(matches!(&typed[1], Connected::Refused(no) if no.cause == StreamCause::Rate));
    assert!(matches!(&typed[2], Connected::Granted(yes) if yes.class == StreamClass::Ubr));

    let names = json!([{ "label": 16 }, { "vn": 3, "label": 17 }]);
    let answers: Vec<Disconnected> = api.client.send(Method::DELETE, PATH, &names).unwrap();
    assert!(matches!(&answers[0], Disconnected::Released(gone) if gone.counters.cleared == 2));
    assert!(matches!(&answers[1], Disconnected::Refused(no) if no.label == 17));
}

#[test]
fn a_page_is_as_long_as_asked_and_begins_where_asked() {
    let api = running();
    let first: Streams = api.client.get(PATH).unwrap();
    assert_eq!((first.most, first.next), (1024, None));
    let path = format!("{PATH}?from=7&most=2");
    let other: Streams = api.client.get(&path).unwrap();
    assert_eq!((other.most, other.next), (2, Some(8)));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let api = running();
    let post =
        |path: &str, body: Value| refusal(api.client.send::<Value>(Method::POST, path, &body));
    let item = json!({ "label": 16, "class": "cbr", "rate_bps": 1 });
    let (status, at, _) = post("/v1/ports/south/streams/dss", item.clone());
    assert_eq!((status, at.as_str()), (404, "port.south"));
    let (status, at, _) = post("/v1/ports/west/streams/can", item);
    assert_eq!((status, at.as_str()), (422, "pi.can.level2"));
    let (status, at, what) = post(PATH, json!([{ "label": 16, "class": "vbr" }]));
    assert_eq!((status, at.as_str()), (400, "items[0].class"));
    assert!(what.contains("`cbr` or `ubr`"), "{what}");
    let (status, at, what) = post(PATH, json!([{ "label": 16, "class": "cbr", "prio": 1 }]));
    assert_eq!((status, at.as_str()), (400, "items[0].prio"));
    assert!(what.contains("prio"), "{what}");
    let many = vec![json!({ "label": 16, "class": "ubr" }); STREAMS_MOST + 1];
    let (status, at, what) = post(PATH, json!(many));
    assert_eq!(
        (status, at.as_str(), what.as_str()),
        (400, "items", "4097 items; allowed: 4096")
    );
    let path = format!("{PATH}?most=0");
    let (status, at, _) = refusal(api.client.get::<Value>(&path));
    assert_eq!((status, at.as_str()), (400, "query.most"));
}
