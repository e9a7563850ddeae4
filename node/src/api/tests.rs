//! The API over a real Unix socket, asked by the client of the command line, with a node behind
//! it that only remembers what it was asked.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::routes::openapi;
use super::*;
use crate::cli::client::{Client, ClientError, StreamEnd};
use crate::control::*;
use crate::status::{GuestState, GuestStatus, PortPhases, Status, sample};

/// What a capture of the fake node is fed by.
type Tap = Sender<Vec<u8>>;

#[derive(Default)]
pub(super) struct Fake {
    set: Mutex<Vec<(String, SetPhases)>>,
    tap: Mutex<Option<Tap>>,
    printed: Mutex<Vec<u8>>,
}

pub(super) fn unknown(kind: &'static str, name: &str) -> ControlError {
    ControlError::Unknown {
        kind,
        name: name.into(),
        known: vec!["west".into(), "east".into()],
    }
}

impl Control for Fake {
    fn status(&self) -> Result<Status, ControlError> {
        Ok(sample::status())
    }

    fn phases(&self, port: &str) -> Result<PortPhases, ControlError> {
        match port {
            "west" => Ok(sample::phases()),
            _ => Err(unknown("port", port)),
        }
    }

    fn set_phases(&self, port: &str, request: SetPhases) -> Result<PhasesSet, ControlError> {
        if request.phases.is_empty() {
            let at = format!("port.{port}.cycle");
            return Err(ControlError::Refused {
                at,
                what: "no phase".into(),
            });
        }
        self.set.lock().unwrap().push((port.into(), request));
        Ok(PhasesSet {
            takes_effect_tai_ns: 123,
            replaced_tai_ns: Some(99),
        })
    }

    fn guests(&self) -> Result<Vec<GuestStatus>, ControlError> {
        Ok(sample::status().guests)
    }

    fn guest_action(&self, name: &str, action: GuestAction) -> Result<GuestStatus, ControlError> {
        let guests = self.guests()?.into_iter();
        let mut found = guests.filter(|guest| guest.pi == name);
        let mut guest = found.next().ok_or_else(|| unknown("guest", name))?;
        match action {
            GuestAction::Stop => guest.state = GuestState::Stopped,
            GuestAction::Restart => guest.state = GuestState::Starting,
            GuestAction::Start if guest.state == GuestState::Running => {
                let at = format!("guest.{name}");
                return Err(ControlError::Conflict {
                    at,
                    what: "is running already".into(),
                });
            }
            GuestAction::Start => {
                let (at, what) = (format!("guest.{name}"), "no memory".into());
                return Err(ControlError::Failed { at, what });
            }
        }
        Ok(guest)
    }

    fn guest_request(&self, name: &str, request: Value) -> Result<Value, ControlError> {
        match name {
            "ipv6qos" => Ok(request),
            _ => Err(unknown("guest", name)),
        }
    }

    fn console_since(&self, name: &str, offset: u64) -> Result<ConsoleChunk, ControlError> {
        if name != "can" {
            return Err(unknown("guest", name));
        }
        let printed = self.printed.lock().unwrap();
        let new = printed
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or(&printed);
        Ok(ConsoleChunk {
            bytes: new.to_vec(),
            next: printed.len() as u64,
        })
    }

    fn capture(&self, at: &CapturePoint) -> Result<Receiver<Vec<u8>>, ControlError> {
        if at.to_string() != "can/west" {
            return Err(unknown("port", &at.to_string()));
        }
        let (sender, pieces) = mpsc::channel();
        sender.send(b"header".to_vec()).unwrap();
        *self.tap.lock().unwrap() = Some(sender);
        Ok(pieces)
    }

    fn connect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamRequest>,
    ) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError> {
        super::streams::tests::connect(port, pi, &items)
    }

    fn disconnect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamName>,
    ) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError> {
        super::streams::tests::disconnect(port, pi, &items)
    }

    fn streams(&self, port: &str, pi: &str, page: StreamPage) -> Result<Streams, ControlError> {
        super::streams::tests::page(port, pi, page)
    }

    fn signalling(&self, guest: &str, after: u64) -> Result<crate::dss::Shown, ControlError> {
        super::dss::tests::shown(guest, after)
    }

    fn call_route(
        &self,
        guest: &str,
        delete: bool,
        prefix: pinode_signaling::Prefix,
        port: &str,
    ) -> Result<(), ControlError> {
        super::dss::tests::route(guest, delete, prefix, port)
    }

    fn release_call(&self, guest: &str, call: u64) -> Result<(), ControlError> {
        super::dss::tests::release(guest, call)
    }

    fn permanents(&self, guest: &str) -> Result<Vec<crate::dss::PermanentShown>, ControlError> {
        super::dss::tests::permanents(guest)
    }

    fn add_permanent(
        &self,
        guest: &str,
        permanent: crate::dss::Permanent,
    ) -> Result<(), ControlError> {
        super::dss::tests::add_permanent(guest, &permanent)
    }

    fn remove_permanent(&self, guest: &str, name: &str) -> Result<(), ControlError> {
        super::dss::tests::remove_permanent(guest, name)
    }
}

pub(super) struct Running {
    node: Arc<Fake>,
    server: Server,
    pub(super) client: Client,
    _dir: tempfile::TempDir,
}

pub(super) fn running() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let node = Arc::new(Fake::default());
    let socket = dir.path().join("n1.sock");
    let server = Server::start(&socket, Arc::clone(&node) as Arc<dyn Control>).unwrap();
    let client = Client::new(Some(server.path())).unwrap();
    Running {
        node,
        server,
        client,
        _dir: dir,
    }
}

pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (u16, String, String) {
    match result {
        Err(ClientError::Refused { status, problem }) => {
            (status.as_u16(), problem.at, problem.what)
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn status_and_guests_come_as_they_are() {
    let api = running();
    assert_eq!(
        api.client.get::<Status>("/v1/status").unwrap(),
        sample::status()
    );
    let document: Value = api.client.get("/v1/status").unwrap();
    assert_eq!(
        document["ports"][0]["pi"]["can"]["drops"],
        json!({"policed": 0, "guest_down": 0, "ring_full": 1})
    );
    assert_eq!(document["guests"][0]["state"], "running");
    assert_eq!(
        (&document["isolation"], &document["kvm"]),
        (&json!("kvm"), &json!("kvm_pvm"))
    );
    let guests: Vec<GuestStatus> = api.client.get("/v1/guests").unwrap();
    assert_eq!(guests, sample::status().guests);
}

#[test]
fn schedules_are_read_and_set() {
    let api = running();
    assert_eq!(
        api.client
            .get::<PortPhases>("/v1/ports/west/phases")
            .unwrap(),
        sample::phases()
    );
    let request = json!({ "phases": [{ "pi": "can", "duration_ns": 100_000 }], "base_tai_ns": 7,
        "extension_ns": 5 });
    let set: PhasesSet = api.client.put("/v1/ports/west/phases", &request).unwrap();
    assert_eq!(
        set,
        PhasesSet {
            takes_effect_tai_ns: 123,
            replaced_tai_ns: Some(99),
        }
    );
    let asked = api.node.set.lock().unwrap();
    let entry = crate::status::PhaseEntry {
        pi: "can".into(),
        duration_ns: 100_000,
    };
    let expected = SetPhases {
        phases: vec![entry],
        base_tai_ns: Some(7),
        extension_ns: Some(5),
    };
    assert_eq!(*asked, [("west".to_owned(), expected)]);
}

#[test]
fn guests_are_started_and_stopped() {
    let api = running();
    let stopped: GuestStatus = api.client.post("/v1/guests/ipv6qos/stop").unwrap();
    assert_eq!(stopped.state, GuestState::Stopped);
    let starting: GuestStatus = api.client.post("/v1/guests/can/restart").unwrap();
    assert_eq!(
        (starting.pi.as_str(), starting.state, starting.boot_us),
        ("can", GuestState::Starting, 0),
        "a boot under way has not taken any time"
    );
    assert_ne!(api.node.guests().unwrap()[1].boot_us, 0);
}

#[test]
fn every_refusal_says_where_and_what() {
    let api = running();
    let get = |path: &str| refusal(api.client.get::<Value>(path));
    let post = |path: &str| refusal(api.client.post::<Value>(path));
    let put = |path: &str, body: Value| refusal(api.client.put::<Value>(path, &body));
    let said = |status: u16, at: &str, what: &str| (status, at.to_owned(), what.to_owned());

    let known = "there is no port \"south\"; there are: west, east";
    assert_eq!(
        get("/v1/ports/south/phases"),
        said(404, "port.south", known)
    );
    let listed = "there is no such resource; all are listed in /v1/openapi.json";
    assert_eq!(get("/v2/status"), said(404, "/v2/status", listed));
    let allowed = "POST is not allowed; what is allowed is in /v1/openapi.json";
    assert_eq!(post("/v1/status"), said(405, "/v1/status", allowed));
    let actions = "there is no action \"kill\"; there are: start, stop, restart";
    assert_eq!(post("/v1/guests/can/kill"), said(404, "guest.can", actions));
    assert_eq!(
        post("/v1/guests/ipv6qos/start"),
        said(409, "guest.ipv6qos", "is running already")
    );
    assert_eq!(
        post("/v1/guests/dss/start"),
        said(500, "guest.dss", "no memory")
    );

    let phases = "/v1/ports/west/phases";
    assert_eq!(
        put(phases, json!({ "phases": [] })),
        said(422, "port.west.cycle", "no phase")
    );
    let (status, at, what) = put(phases, json!({ "phase": [] }));
    assert_eq!((status, at.as_str()), (400, "body"));
    assert!(
        what.starts_with("unknown field `phase`, expected one of `phases`, `base_tai_ns`"),
        "{what}"
    );

    let far = json!({ "phases": [], "base_tai_ns": 9_999_999_999_999_999_999_u64 });
    let (status, at, what) = put(phases, far);
    assert_eq!((status, at.as_str()), (422, "base_tai_ns"));
    assert!(
        what.contains("is more than a year ahead; allowed: up to "),
        "{what}"
    );

    let (status, at, what) = get("/v1/capture?at=a/b/c");
    assert_eq!((status, at.as_str()), (400, "query.at"));
    assert!(what.contains("allowed: PORT or GUEST/PORT"), "{what}");
    assert_eq!(get("/v1/capture").0, 400);
    assert_eq!(get("/v1/capture?at=west").0, 404);
    assert_eq!(get("/v1/guests/can/console?follow=perhaps").0, 400);
    assert_eq!(get("/v1/guests/dss/console").0, 404);
    assert!(api.node.set.lock().unwrap().is_empty());
}

#[test]
fn a_console_ends_with_its_tail_or_goes_on() {
    let api = running();
    api.node.printed.lock().unwrap().extend(b"hello ");
    let mut seen = Vec::new();
    let path = "/v1/guests/can/console";
    api.client
        .stream(path, None, |piece| {
            seen.extend(piece);
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, b"hello ");

    seen.clear();
    let done = api
        .client
        .stream("/v1/guests/can/console?follow=true", None, |piece| {
            seen.extend(piece);
            match &seen[..] {
                b"hello " => {
                    api.node.printed.lock().unwrap().extend(b"world");
                    Ok(())
                }
                _ => Err(std::io::Error::other("seen enough")),
            }
        });
    assert!(matches!(done, Err(ClientError::Output(_))));
    assert_eq!(seen, b"hello world");
}

#[test]
fn a_capture_streams_and_ends_with_its_reader() {
    let api = running();
    let mut seen = Vec::new();
    let path = "/v1/capture?at=can/west";
    let done = api.client.stream(path, None, |piece| {
        seen.extend(piece);
        match &seen[..] {
            b"header" => {
                api.node
                    .tap
                    .lock()
                    .unwrap()
                    .as_ref()
                    .unwrap()
                    .send(b" block".to_vec())
                    .unwrap();
                Ok(())
            }
            _ => Err(std::io::Error::other("seen enough")),
        }
    });
    assert!(matches!(done, Err(ClientError::Output(_))));
    assert_eq!(seen, b"header block");
    // The connection is gone with the client; the node's side then sees its receiver dropped.
    drop(api.client);
    let tap = api.node.tap.lock().unwrap().take().unwrap();
    let started = std::time::Instant::now();
    while tap.send(Vec::new()).is_ok() {
        assert!(
            started.elapsed().as_secs() < 10,
            "the capture goes on without a reader"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    // A capture that the node ends is a stream that ends.
    let client = Client::new(Some(api.server.path())).unwrap();
    let node = Arc::clone(&api.node);
    client
        .stream(path, None, |_| {
            node.tap.lock().unwrap().take();
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_server_that_is_dropped_is_gone_with_its_socket() {
    let api = running();
    api.node.printed.lock().unwrap().extend(b"x");
    let path = api.server.path().to_owned();
    drop(api.server);
    assert!(!path.exists());
    let error = api.client.get::<Value>("/v1/status").unwrap_err();
    assert!(matches!(error, ClientError::NoNode { .. }), "{error}");
    assert!(
        error.to_string().starts_with("no node answers on "),
        "{error}"
    );
    // Nothing of the API holds the node any more.
    assert_eq!(Arc::strong_count(&api.node), 1);
}

#[test]
fn streams_end_well_when_the_server_stops() {
    for path in [
        "/v1/capture?at=can/west",
        "/v1/guests/can/console?follow=true",
    ] {
        let api = running();
        api.node.printed.lock().unwrap().extend(b"header");
        let (mut seen, mut server) = (Vec::<u8>::new(), Some(api.server));
        let mut stopping = None;
        let end = api.client.stream(path, None, |piece| {
            seen.extend(piece);
            if let Some(server) = server.take() {
                stopping = Some(std::thread::spawn(move || server.stop()));
            }
            Ok(())
        });
        assert_eq!(end.unwrap(), StreamEnd::Node, "{path}");
        assert_eq!(seen, b"header");
        stopping.unwrap().join().unwrap();
    }
}

#[test]
fn a_reader_that_does_not_read_holds_up_no_server() {
    use std::io::Write as _;
    let api = running();
    api.node.printed.lock().unwrap().resize(4 << 20, b'x');
    let mut reader = std::os::unix::net::UnixStream::connect(api.server.path()).unwrap();
    reader
        .write_all(b"GET /v1/guests/can/console?follow=true HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let started = std::time::Instant::now();
    api.server.stop();
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn metrics_are_served() {
    let api = running();
    let mut text = Vec::new();
    api.client
        .stream("/metrics", None, |piece| {
            text.extend(piece);
            Ok(())
        })
        .unwrap();
    assert!(String::from_utf8(text).unwrap().ends_with("# EOF\n"));
}

#[test]
fn the_document_is_served_and_the_checked_in_copy_is_current() {
    let api = running();
    let served: Value = api.client.get("/v1/openapi.json").unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    if std::env::var_os("PINODE_BLESS").is_some() {
        // What is served was taken from the old one.
        return std::fs::write(path, openapi()).unwrap();
    }
    let current = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        current,
        openapi(),
        "docs/openapi.json is old; renew it: PINODE_BLESS=1 cargo test -p pinode openapi"
    );
    assert_eq!(served, serde_json::from_str::<Value>(&current).unwrap());
    let paths: Vec<&String> = served["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/metrics",
            "/v1/capture",
            "/v1/guests",
            "/v1/guests/{guest}/console",
            "/v1/guests/{guest}/dss",
            "/v1/guests/{guest}/dss/calls/{call}",
            "/v1/guests/{guest}/dss/permanents",
            "/v1/guests/{guest}/dss/permanents/{name}",
            "/v1/guests/{guest}/dss/routes",
            "/v1/guests/{guest}/ipv6/addresses",
            "/v1/guests/{guest}/ipv6/classes",
            "/v1/guests/{guest}/ipv6/counters",
            "/v1/guests/{guest}/ipv6/filters",
            "/v1/guests/{guest}/ipv6/flows",
            "/v1/guests/{guest}/ipv6/flows/flush",
            "/v1/guests/{guest}/ipv6/interfaces",
            "/v1/guests/{guest}/ipv6/neighbours",
            "/v1/guests/{guest}/ipv6/neighbours/flush",
            "/v1/guests/{guest}/ipv6/policers",
            "/v1/guests/{guest}/ipv6/route-get",
            "/v1/guests/{guest}/ipv6/routes",
            "/v1/guests/{guest}/ipv6/tables",
            "/v1/guests/{guest}/ipv6/tables/{table}",
            "/v1/guests/{guest}/{action}",
            "/v1/ports/{port}/phases",
            "/v1/ports/{port}/streams/{pi}",
            "/v1/status",
        ]
    );
}
