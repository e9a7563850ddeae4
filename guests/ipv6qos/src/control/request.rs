//! What is asked at run time, and the answers. Each fits a line of the control channel.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::item::Item;
use super::refusal;
use super::view::View;
use crate::vn::Vn;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Changes what there is; answered with [`Answer::Changed`].
    Change {
        /// What to do with each.
        op: Op,
        /// One after the other; the first that cannot be ends it, those before it stay done.
        items: Vec<Item>,
    },
    /// Lists what there is, a page at a time; answered with [`Answer::Page`].
    List {
        /// Of which kind.
        what: Kind,
        /// Only of this virtual network.
        #[serde(default)]
        vn: Option<Vn>,
        /// Only of this interface, or, of tables, of this table.
        #[serde(default)]
        of: Option<String>,
        /// Go on behind this: [`Answer::Page::next`] of the page before.
        #[serde(default)]
        after: Option<String>,
        /// Most entries of the page; what a line holds if fewer fit.
        most: u32,
    },
    /// Where a packet would go; answered with [`Answer::Route`].
    RouteGet {
        /// Its destination.
        to: Ipv6Addr,
        /// The routing instance; the lowest virtual network carried, if left out.
        #[serde(default)]
        vn: Option<Vn>,
    },
    /// All that was changed of an earlier guest has been told again: what [`Config::replay`] held back is forwarded
    /// from now on, and all of it is in force; answered with [`Answer::Replayed`].
    ///
    /// [`Config::replay`]: pinode_guest_runtime::Config::replay
    Replayed {},
    /// Forgets what was learned; answered with [`Answer::Flushed`].
    Flush {
        /// Neighbours or flows.
        what: Kind,
        /// Only of this virtual network.
        #[serde(default)]
        vn: Option<Vn>,
        /// Only of this interface.
        #[serde(default)]
        of: Option<String>,
    },
}

/// What to do with items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// There must be none yet.
    Add,
    /// There may be one.
    Replace,
    /// There must be one. What names it is looked at: prefix and vn of a route, address and dev of an address and
    /// a neighbour, table and prefix, name of a policer, priority of a rule.
    Delete,
}

/// Kinds of what can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Interfaces.
    Interface,
    /// Addresses.
    Address,
    /// Routes.
    Route,
    /// Neighbours.
    Neighbour,
    /// Tables of prefixes; with `of` the prefixes of that table.
    Table,
    /// Policers.
    Policer,
    /// Rules of the classifier.
    Class,
    /// Filter rules.
    Filter,
    /// Flows.
    Flow,
    /// Counters of the router and its bounds, by virtual network where that makes a difference.
    Counter,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// So many items were done.
    Changed {
        /// The items as they are now, with what was left out filled in (priorities, virtual networks).
        items: Vec<Item>,
        /// Why the next one was not.
        #[serde(default)]
        error: Option<String>,
        /// Of which kind that is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<refusal::Kind>,
    },
    /// See [`Request::Replayed`].
    Replayed {},
    /// A page of a list.
    Page {
        /// In the order of their names.
        entries: Vec<View>,
        /// Where the next page begins; none: this was the last.
        #[serde(default)]
        next: Option<String>,
    },
    /// The route that a packet takes; none: there is none.
    Route(Option<super::view::Hop>),
    /// So many were forgotten.
    Flushed(u64),
}
