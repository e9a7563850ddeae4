//! What can be configured, changed and asked: the same words in node.toml, on the control channel, in the API.
//!
//! ```text
//! item      what there is one or many of: addresses, routes, rules, ...
//! matching  what a rule wants of a packet
//! view      the same with their state and counters, as they are listed
//! request   what is asked at run time, and the answers
//! refusal   why a change was not done
//! handle/   the router's part: requests done and answered
//! ```
//!
//! The node reads and writes these types too, so that the two cannot disagree. They hold names (`west.5`), not
//! numbers: what a name stands for is found when it is applied.

mod handle;
pub mod item;
pub mod matching;
pub mod refusal;
pub mod request;
pub mod view;

pub use item::Item;
pub use request::{Answer, Request};
