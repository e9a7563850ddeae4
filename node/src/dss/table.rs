//! Where frames of connections go, as the guest has it: set and unset, and told again to a guest that came up anew.
//!
//! What is here is what the guest is to have. A guest that did not answer may have more than that: it is cleared and
//! told all of it before it is told anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use pinode_guest_dss::control::{Answer, Connection, Key, Kind, MOST_ITEMS, Request};
use pinode_signaling::daemon::switch::{Refusal, Way};
use thiserror::Error;

use crate::control::{Control, ControlError};

/// A guest that could not be asked is asked again so often, after so long each time.
const TRIES: usize = 50;
const AGAIN: Duration = Duration::from_millis(10);

/// Why a guest has not done what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Unanswered {
    /// It refuses: its own words.
    #[error("{0}")]
    Refused(String),
    /// It was not asked, as too much is waiting: all is as before.
    #[error("{0}")]
    NotAsked(String),
    /// It does not answer, or not so that it is understood.
    #[error("{0}")]
    Failed(String),
}

/// Asks a guest, and waits for its answer.
pub(super) fn ask(
    guest: &str,
    control: &dyn Control,
    request: &Request,
) -> Result<Answer, Unanswered> {
    let failed = |error: serde_json::Error| {
        Unanswered::Failed(format!("the guest's answer is not understood: {error}"))
    };
    let body = serde_json::to_value(request).map_err(failed)?;
    let answer = control
        .guest_request(guest, body)
        .map_err(|error| match error {
            ControlError::Refused { what, .. } => Unanswered::Refused(what),
            ControlError::Busy { what, .. } => Unanswered::NotAsked(what),
            other => Unanswered::Failed(other.to_string()),
        })?;
    serde_json::from_value(answer).map_err(failed)
}

/// The table of one switch.
pub(super) struct Table {
    guest: String,
    /// Names of ports, by their number.
    ports: Vec<String>,
    has: BTreeMap<Key, Connection>,
    /// By how much frames may be held up before the guest looks at them.
    jitter_ns: u64,
    /// The guest may have something else.
    in_doubt: bool,
    /// What it still has and is not to have, because it could not be asked.
    unwanted: BTreeSet<Key>,
}

/// Why the guest has not taken connections.
enum Untaken {
    /// It refuses one of them, after so many that it took.
    One(usize, Refusal),
    /// It was told nothing: it has what it had.
    None(Refusal),
    /// Nobody knows what it has now.
    InDoubt(Refusal),
}

impl Table {
    pub fn new(guest: &str, ports: Vec<String>, jitter_ns: u64) -> Self {
        Self {
            guest: guest.to_owned(),
            ports,
            has: BTreeMap::new(),
            jitter_ns,
            in_doubt: false,
            unwanted: BTreeSet::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.has.len()
    }

    /// How many the guest says it has; none: it does not answer.
    pub fn guest_has(&self, control: &dyn Control) -> Option<u32> {
        match self.ask(control, &Request::Counters {}) {
            Ok(Answer::Counters(counters)) => Some(counters.connections),
            _ => None,
        }
    }

    fn ask(&self, control: &dyn Control, request: &Request) -> Result<Answer, Unanswered> {
        let mut tries = 1;
        loop {
            let answer = ask(&self.guest, control, request);
            if tries == TRIES || !matches!(answer, Err(Unanswered::NotAsked(_))) {
                return answer;
            }
            tries += 1;
            sleep(AGAIN);
        }
    }

    /// The guest runs anew and knows nothing.
    pub fn guest_is_new(&mut self, control: &dyn Control) {
        self.in_doubt = true;
        self.settle(control);
    }

    /// Makes the guest have what it is to have, if it may have something else; whether it has.
    pub fn settle(&mut self, control: &dyn Control) -> bool {
        if !self.in_doubt {
            return self.unset_unwanted(control);
        }
        if self.ask(control, &Request::Clear {}) != Ok(Answer::Cleared {}) {
            return false;
        }
        let all: Vec<Connection> = self.has.values().copied().collect();
        let mut rest = all.as_slice();
        self.unwanted.clear();
        while !rest.is_empty() {
            let items = rest.get(..MOST_ITEMS).unwrap_or(rest);
            let done = match self.connect(control, items) {
                Ok(()) => items.len(),
                Err(Untaken::None(_) | Untaken::InDoubt(_)) => return false,
                Err(Untaken::One(taken, refusal)) => {
                    // It had it once, and does not take it again: the others do not go because of that.
                    if let Some(refused) = items.get(taken) {
                        self.has.remove(&refused.key());
                    }
                    tracing::warn!(guest = %self.guest, %refusal, "a connection is not taken again");
                    taken + 1
                }
            };
            rest = rest.get(done..).unwrap_or_default();
        }
        self.in_doubt = false;
        true
    }

    fn port(&self, number: u8) -> &str {
        let name = self.ports.get(usize::from(number));
        name.map_or("", String::as_str)
    }

    /// Tells the guest.
    fn connect(&mut self, control: &dyn Control, items: &[Connection]) -> Result<(), Untaken> {
        let request = Request::Connect {
            items: items.to_vec(),
        };
        match self.ask(control, &request) {
            Ok(Answer::Connected { error: None, .. }) => Ok(()),
            Ok(Answer::Connected { done, error, kind }) => {
                let done = usize::try_from(done).unwrap_or(0);
                let done = done.min(items.len().saturating_sub(1));
                // The guest knows its ports by number alone.
                let ways = items.get(done).map(|item| [item.port, item.to_port]);
                let [from, to] = ways.unwrap_or_default().map(|port| self.port(port));
                let what = format!(
                    "from port {from} to port {to}: {}",
                    error.unwrap_or_default()
                );
                let refusal = match kind {
                    Some(Kind::Full) => Refusal::Full(what),
                    _ => Refusal::Failed(what),
                };
                Err(Untaken::One(done, refusal))
            }
            Ok(_) => {
                self.in_doubt = true;
                let why = "the guest answers something else";
                Err(Untaken::InDoubt(Refusal::Failed(why.into())))
            }
            Err(Unanswered::NotAsked(why)) => Err(Untaken::None(Refusal::Failed(why))),
            Err(error) => {
                self.in_doubt = true;
                Err(Untaken::InDoubt(Refusal::Failed(error.to_string())))
            }
        }
    }

    /// Sets ways of connections; what became of each.
    pub fn set(&mut self, control: &dyn Control, ways: &[Way]) -> Vec<Result<(), Refusal>> {
        if !self.settle(control) {
            let why = || Err(Refusal::Failed("the guest does not answer".into()));
            return ways.iter().map(|_| why()).collect();
        }
        let mut done = Vec::with_capacity(ways.len());
        while let Some(rest @ [_, ..]) = ways.get(done.len()..) {
            let chunk: Vec<Connection> = rest
                .iter()
                .take(MOST_ITEMS)
                .map_while(|way| connection(way, self.jitter_ns))
                .collect();
            if chunk.is_empty() {
                // Nothing comes in for it: nothing to be told.
                done.push(Ok(()));
                continue;
            }
            let (taken, refusal, goes_on) = match self.connect(control, &chunk) {
                Ok(()) => (chunk.len(), None, true),
                Err(Untaken::One(taken, refusal)) => (taken, Some(refusal), true),
                Err(Untaken::None(refusal) | Untaken::InDoubt(refusal)) => {
                    (0, Some(refusal), false)
                }
            };
            for item in chunk.iter().take(taken) {
                self.has.insert(item.key(), *item);
                done.push(Ok(()));
            }
            done.extend(refusal.map(Err));
            if !goes_on {
                // It does not answer; it is not asked for each of them.
                break;
            }
        }
        done.resize_with(ways.len(), || {
            Err(Refusal::Failed("the guest does not answer".into()))
        });
        done
    }

    /// Unsets ways of connections. A guest that does not answer is told so before anything else.
    pub fn unset(&mut self, control: &dyn Control, ways: &[Way]) {
        let keys: Vec<Key> = ways
            .iter()
            .filter_map(|way| connection(way, self.jitter_ns))
            .map(|item| item.key())
            .filter(|key| self.has.remove(key).is_some())
            .collect();
        self.unwanted.extend(keys);
        self.unset_unwanted(control);
    }

    /// Whether none of them is left.
    fn unset_unwanted(&mut self, control: &dyn Control) -> bool {
        let keys: Vec<Key> = self.unwanted.iter().copied().collect();
        for items in keys.chunks(MOST_ITEMS) {
            let request = Request::Disconnect {
                items: items.to_vec(),
            };
            match self.ask(control, &request) {
                Ok(Answer::Disconnected { .. }) => {}
                Err(Unanswered::NotAsked(_)) => return false,
                _ => self.in_doubt = true,
            }
            for key in items {
                self.unwanted.remove(key);
            }
        }
        !self.in_doubt
    }

    /// Forgets all of it.
    pub fn clear(&mut self, control: &dyn Control) {
        self.has.clear();
        self.in_doubt = true;
        self.settle(control);
    }
}

/// What the guest is told of a way; none: nothing comes in for it, or it has a port that no guest has.
fn connection(way: &Way, jitter_ns: u64) -> Option<Connection> {
    let from = way.from?;
    Some(Connection {
        port: u8::try_from(from.port).ok()?,
        vn: from.vn,
        label: from.label,
        to_port: u8::try_from(way.to.port).ok()?,
        to_label: way.to.label,
        rate_bps: way.traffic.wire_bps(),
        tolerance_ns: way.traffic.cdvt_ns.saturating_add(jitter_ns),
        police: way.police && way.traffic.wire_bps().is_some(),
    })
}
