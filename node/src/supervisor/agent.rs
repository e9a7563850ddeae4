//! What is said on a guest's control channel, host side: one JSON object a line.
//!
//! A guest's lines are claims: anything else than the few known messages is an error to report,
//! never to act on.

use std::hash::{BuildHasher as _, RandomState};

use pinode_guest_runtime::control::{FromGuest, ToGuest};

use crate::config::{NodeConfig, PiConfig};

/// The first line: what the guest is to be. `replay`: it is told next what was changed of it at run time.
#[must_use]
pub fn config_line(node: &NodeConfig, pi: &PiConfig, replay: bool) -> String {
    let mut config = node.guest_config(pi, unguessable());
    config.replay = replay;
    line(&ToGuest::Config(config))
}

/// A number that nobody else knows: the standard library's own randomness.
fn unguessable() -> u64 {
    RandomState::new().hash_one(0u8)
}

/// A question that a living guest answers.
#[must_use]
pub fn ping_line(number: u64) -> String {
    line(&ToGuest::Ping(number))
}

/// So many events of the guest were heard since it started.
#[must_use]
pub fn heard_line(events: u64) -> String {
    line(&ToGuest::Heard(events))
}

/// A question to the guest's function, and its body back.
#[must_use]
pub fn request_line(id: u64, body: serde_json::Value) -> (String, serde_json::Value) {
    let message = ToGuest::Request { id, body };
    let line = line(&message);
    let ToGuest::Request { body, .. } = message else {
        return (line, serde_json::Value::Null);
    };
    (line, body)
}

/// What a guest said.
///
/// # Errors
///
/// The parser's message if the line is no known message.
pub fn read(line: &str) -> Result<FromGuest, serde_json::Error> {
    serde_json::from_str(line)
}

fn line(message: &ToGuest) -> String {
    // The message types hold nothing that JSON cannot carry.
    serde_json::to_string(message).unwrap_or_default()
}
