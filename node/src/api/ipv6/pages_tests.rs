//! Long lists: whole, in order, and never more of them in the node than the reader makes room for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use pinode_guest_ipv6qos::control::view::CounterView;
use serde_json::{Value, json};

use super::*;
use crate::control::{
    CapturePoint, ConsoleChunk, GuestAction, PhasesSet, SetPhases, StreamGranted, StreamName,
    StreamPage, StreamRefused, StreamReleased, StreamRequest, Streams,
};
use crate::status::{GuestStatus, PortPhases, Status, sample};

/// Entries of a page of the router below.
const OF_A_PAGE: u64 = 3;

/// A node whose router lists counters, page after page.
struct Listing {
    pages: u64,
    /// The page that is refused, if there are so many.
    refused: u64,
    /// Pages without entries, a bit each.
    empty: u64,
    asked: AtomicU64,
}

impl Listing {
    fn new(pages: u64, refused: u64) -> Arc<Self> {
        let asked = AtomicU64::new(0);
        Arc::new(Self {
            pages,
            refused,
            empty: 0,
            asked,
        })
    }

    fn with_empty(pages: u64, empty: u64) -> Arc<Self> {
        let asked = AtomicU64::new(0);
        Arc::new(Self {
            pages,
            refused: u64::MAX,
            empty,
            asked,
        })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn nothing<T>() -> Result<T, ControlError> {
    let (at, what) = ("node".to_owned(), "is not asked here".to_owned());
    Err(ControlError::Failed { at, what })
}

impl Control for Listing {
    fn guests(&self) -> Result<Vec<GuestStatus>, ControlError> {
        let mut guests = sample::status().guests;
        guests.truncate(1);
        for guest in &mut guests {
            guest.pi = "r".to_owned();
            guest.image = "builtin:ipv6qos".to_owned();
        }
        Ok(guests)
    }

    fn guest_request(&self, _name: &str, request: Value) -> Result<Value, ControlError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let page: u64 = match &request["list"]["after"] {
            Value::String(after) => after.parse().unwrap(),
            _ => 0,
        };
        if page == self.refused {
            let (at, what) = ("guest.r".to_owned(), "is not running".to_owned());
            return Err(ControlError::Conflict { at, what });
        }
        let numbers = page * OF_A_PAGE..(page + 1) * OF_A_PAGE;
        let entry = |n: u64| json!({ "counter": format!("n{n}"), "packets": n, "octets": 0 });
        let is_empty = page < 64 && self.empty >> page & 1 != 0;
        let entries: Vec<Value> = numbers.filter(|_| !is_empty).map(entry).collect();
        let next = (page + 1 < self.pages).then(|| (page + 1).to_string());
        Ok(json!({ "page": { "entries": entries, "next": next } }))
    }

    fn status(&self) -> Result<Status, ControlError> {
        nothing()
    }

    fn phases(&self, _port: &str) -> Result<PortPhases, ControlError> {
        nothing()
    }

    fn set_phases(&self, _port: &str, _request: SetPhases) -> Result<PhasesSet, ControlError> {
        nothing()
    }

    fn guest_action(&self, _name: &str, _action: GuestAction) -> Result<GuestStatus, ControlError> {
        nothing()
    }

    fn console_since(&self, _name: &str, _offset: u64) -> Result<ConsoleChunk, ControlError> {
        nothing()
    }

    fn capture(&self, _at: &CapturePoint) -> Result<Receiver<Vec<u8>>, ControlError> {
        nothing()
    }

    fn connect_streams(
        &self,
        _port: &str,
        _pi: &str,
        _items: Vec<StreamRequest>,
    ) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError> {
        nothing()
    }

    fn disconnect_streams(
        &self,
        _port: &str,
        _pi: &str,
        _items: Vec<StreamName>,
    ) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError> {
        nothing()
    }

    fn streams(&self, _port: &str, _pi: &str, _page: StreamPage) -> Result<Streams, ControlError> {
        nothing()
    }

    fn signalling(&self, _guest: &str, _after: u64) -> Result<crate::dss::Shown, ControlError> {
        nothing()
    }

    fn call_route(
        &self,
        _guest: &str,
        _delete: bool,
        _prefix: pinode_signaling::Prefix,
        _port: &str,
    ) -> Result<(), ControlError> {
        nothing()
    }

    fn release_call(&self, _guest: &str, _call: u64) -> Result<(), ControlError> {
        nothing()
    }

    fn permanents(&self, _guest: &str) -> Result<Vec<crate::dss::PermanentShown>, ControlError> {
        nothing()
    }

    fn add_permanent(
        &self,
        _guest: &str,
        _permanent: crate::dss::Permanent,
    ) -> Result<(), ControlError> {
        nothing()
    }

    fn remove_permanent(&self, _guest: &str, _name: &str) -> Result<(), ControlError> {
        nothing()
    }
}

fn on_a_runtime<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(what)
}

async fn list(of: &Arc<Listing>) -> Result<Response, Refusal> {
    let asked = Asked {
        guest: "r".to_owned(),
        what: Kind::Counter,
        vn: None,
        of: None,
    };
    listed::<CounterView>(Arc::clone(of) as Arc<dyn Control>, asked).await
}

#[test]
fn pages_may_be_empty() {
    for empty in 0..16 {
        let router = Listing::with_empty(4, empty);
        let body = on_a_runtime(async {
            let body = list(&router).await.unwrap().into_body();
            body.collect().await.unwrap().to_bytes()
        });
        let entries: Vec<Value> = serde_json::from_slice(&body).unwrap();
        let full = 4 - u64::from(u64::count_ones(empty));
        assert_eq!(entries.len() as u64, full * OF_A_PAGE, "{empty:b}");
    }
}

#[test]
fn a_list_is_one_array_however_many_pages_it_takes() {
    for pages in [1, 2, 100] {
        let router = Listing::new(pages, u64::MAX);
        let text = on_a_runtime(async {
            let body = list(&router).await.unwrap().into_body();
            body.collect().await.unwrap().to_bytes()
        });
        let entries: Vec<CounterView> = serde_json::from_slice(&text).unwrap();
        let packets = entries.iter().map(|entry| entry.count.packets);
        assert!(packets.eq(0..pages * OF_A_PAGE));
        assert_eq!(router.asked(), pages);
    }
}

#[test]
fn the_router_is_asked_for_no_more_than_is_read() {
    let router = Listing::new(1000, u64::MAX);
    on_a_runtime(async {
        let mut body = list(&router).await.unwrap().into_body();
        for read in 0..=100 {
            // Time for whoever asks ahead.
            for _ in 0..50 {
                tokio::task::yield_now().await;
                tokio::task::spawn_blocking(|| {}).await.unwrap();
            }
            // One waits to be read, and one to be put there.
            assert!(router.asked() <= read + 2, "{} of {read}", router.asked());
            body.frame().await.unwrap().unwrap();
        }
    });
    // Whoever goes away ends it.
    assert!(router.asked() < 110);
}

#[test]
fn what_is_wrong_with_the_question_is_a_refusal() {
    let router = Listing::new(5, 0);
    let Refusal(status, problem) = on_a_runtime(list(&router)).unwrap_err();
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem.what.contains("is not running"), "{problem:?}");
}

#[test]
fn a_list_that_breaks_off_is_no_list() {
    let router = Listing::new(5, 3);
    let end = on_a_runtime(async {
        let body = list(&router).await.unwrap().into_body();
        body.collect().await.map(|_| ())
    });
    let said = end.unwrap_err().to_string();
    assert!(said.contains("is not running"), "{said}");
}
