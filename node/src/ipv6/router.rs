//! What operators ask of a router: changes in pieces, so that no frame waits long, and lists page by page.

use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::control::refusal::Kind as Refused;
use pinode_guest_ipv6qos::control::request::{Kind, Op};
use pinode_guest_ipv6qos::control::view::Hop;
use pinode_guest_ipv6qos::control::{Answer, Item, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::GUEST;
use crate::control::{Control, ControlError};

/// Items of a request: frames wait while they are changed.
pub const CHUNK: usize = 32;
/// Entries of a page: frames wait while they are listed.
const PAGE: u32 = 64;
/// Most entries of a list: a router that never comes to an end has gone wrong.
pub const LISTED_MOST: usize = 1 << 23;

/// A router of a running node.
pub struct Router<'c> {
    control: &'c dyn Control,
    guest: &'c str,
}

/// A change that stopped on the way: what was done stays done.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// Items that were done, as they are now.
    pub done: Vec<Item>,
    /// Why the next one was not.
    pub why: Reason,
}

/// Why an item was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The router refuses it: of which kind that is, and its own words.
    Item(Refused, String),
    /// The router could not be asked.
    Guest(ControlError),
}

/// A page as it comes, with entries of one kind.
#[derive(Deserialize)]
struct Page<E> {
    page: Entries<E>,
}

#[derive(Deserialize)]
struct Entries<E> {
    entries: Vec<E>,
    #[serde(default)]
    next: Option<String>,
}

const NO_END: &str = "its list has no end";

fn page_of(what: Kind, vn: Option<Vn>, of: Option<&str>, after: Option<String>) -> Request {
    Request::List {
        what,
        vn,
        of: of.map(str::to_owned),
        after,
        most: PAGE,
    }
}

fn entries<E: DeserializeOwned>(answer: Value) -> Result<Entries<E>, String> {
    let page: Result<Page<E>, _> = serde_json::from_value(answer);
    Ok(page.map_err(|error| error.to_string())?.page)
}

/// All entries of a list, of whichever router answers `ask`; `nonsense` is an answer that is none.
///
/// # Errors
///
/// Those of `ask`, and nonsense.
pub fn all_pages<E: DeserializeOwned, R>(
    what: Kind,
    vn: Option<Vn>,
    of: Option<&str>,
    mut ask: impl FnMut(&Request) -> Result<Value, R>,
    nonsense: impl Fn(String) -> R,
) -> Result<Vec<E>, R> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let answer = ask(&page_of(what, vn, of, after.clone()))?;
        let Entries { entries, next } = entries(answer).map_err(&nonsense)?;
        all.extend(entries);
        if next.is_none() {
            return Ok(all);
        }
        if next == after || all.len() > LISTED_MOST {
            return Err(nonsense(NO_END.to_owned()));
        }
        after = next;
    }
}

impl<'c> Router<'c> {
    /// The router that is this guest.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] if there is no such guest, or if it is no router.
    pub fn of(control: &'c dyn Control, guest: &'c str) -> Result<Self, ControlError> {
        let guests = control.guests()?;
        let image = format!("builtin:{GUEST}");
        if guests
            .iter()
            .any(|known| known.pi == guest && known.image == image)
        {
            return Ok(Self { control, guest });
        }
        let exists = guests.iter().any(|known| known.pi == guest);
        let known = guests
            .into_iter()
            .filter(|known| !exists || known.image == image);
        Err(ControlError::Unknown {
            kind: if exists { "IPv6 router" } else { "guest" },
            name: guest.to_owned(),
            known: known.map(|known| known.pi).collect(),
        })
    }

    fn ask(&self, request: &Request) -> Result<Value, ControlError> {
        let body = serde_json::to_value(request).map_err(|error| self.nonsense(&error))?;
        self.control.guest_request(self.guest, body)
    }

    fn answer(&self, request: &Request) -> Result<Answer, ControlError> {
        serde_json::from_value(self.ask(request)?).map_err(|error| self.nonsense(&error))
    }

    fn nonsense(&self, what: &dyn std::fmt::Display) -> ControlError {
        ControlError::Failed {
            at: format!("guest.{}", self.guest),
            what: format!("its answer is not understood: {what}"),
        }
    }

    /// Does this with each of the items, one after the other; gives them as they are now.
    ///
    /// # Errors
    ///
    /// One could not be; see [`Stopped`].
    pub fn change(&self, op: Op, items: &[Item]) -> Result<Vec<Item>, Stopped> {
        let mut done = Vec::with_capacity(items.len());
        for chunk in items.chunks(CHUNK) {
            let request = Request::Change {
                op,
                items: chunk.to_vec(),
            };
            let why = match self.answer(&request) {
                Ok(Answer::Changed { items, error, kind }) if items.len() <= chunk.len() => {
                    let all = items.len() == chunk.len();
                    done.extend(items);
                    match error {
                        None if all => continue,
                        None => Reason::Guest(self.nonsense(&"too few items")),
                        Some(what) => Reason::Item(kind.unwrap_or(Refused::Invalid), what),
                    }
                }
                Ok(_) => Reason::Guest(self.nonsense(&"it is none to a change")),
                Err(error) => Reason::Guest(error),
            };
            return Err(Stopped { done, why });
        }
        Ok(done)
    }

    /// All entries of a list.
    ///
    /// # Errors
    ///
    /// The router refuses, or cannot be asked.
    pub fn list<E: DeserializeOwned>(
        &self,
        what: Kind,
        vn: Option<Vn>,
        of: Option<&str>,
    ) -> Result<Vec<E>, ControlError> {
        all_pages(
            what,
            vn,
            of,
            |request| self.ask(request),
            |why| self.nonsense(&why),
        )
    }

    /// A page of a list, what stands behind `after` or its beginning, and where the next one begins.
    ///
    /// # Errors
    ///
    /// The router refuses, or cannot be asked.
    pub fn page<E: DeserializeOwned>(
        &self,
        what: Kind,
        vn: Option<Vn>,
        of: Option<&str>,
        after: Option<String>,
    ) -> Result<(Vec<E>, Option<String>), ControlError> {
        let asked = after.clone();
        let answer = self.ask(&page_of(what, vn, of, after))?;
        let Entries { entries, next } = entries(answer).map_err(|why| self.nonsense(&why))?;
        if next.is_some() && next == asked {
            return Err(self.nonsense(&NO_END));
        }
        Ok((entries, next))
    }

    /// The route that a packet takes; none: there is none.
    ///
    /// # Errors
    ///
    /// The router refuses, or cannot be asked.
    pub fn route_get(&self, to: Ipv6Addr, vn: Option<Vn>) -> Result<Option<Hop>, ControlError> {
        match self.answer(&Request::RouteGet { to, vn })? {
            Answer::Route(hop) => Ok(hop),
            _ => Err(self.nonsense(&"it is no route")),
        }
    }

    /// Forgets neighbours or flows that were learned; says how many.
    ///
    /// # Errors
    ///
    /// The router refuses, or cannot be asked.
    pub fn flush(&self, what: Kind, vn: Option<Vn>, of: Option<&str>) -> Result<u64, ControlError> {
        let of = of.map(str::to_owned);
        match self.answer(&Request::Flush { what, vn, of })? {
            Answer::Flushed(count) => Ok(count),
            _ => Err(self.nonsense(&"it is no count")),
        }
    }
}
