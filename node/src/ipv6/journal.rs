//! What was changed of a router at run time, so that it outlives the router: an item as it is now, or that one of
//! the configuration is gone.
//!
//! Pure. Only answers are noted: what a router did not say it did is not in here. A fresh router has the
//! configuration; it is told the rest in an order in which nothing is missed that something else needs, and in which
//! no limit is reached on the way that is not reached before or after:
//!
//! 1. what is configured and is gone, and what is configured and is different now, is deleted: rules, routes,
//!    neighbours, addresses, and then policers and prefixes of tables, as nothing names them any more;
//! 2. what is, is added: prefixes of tables, policers, addresses, neighbours, routes, rules.
//!
//! So what it has is first a part of its configuration, and then a part of what it had. Policers and neighbours that
//! are different are replaced where they are, which takes no more room and needs nothing else to go. Nothing is
//! forwarded meanwhile, so that what is missing for a while is missed by no packet; the last request ends that.
//!
//! What it grows to is bounded by what the router takes, and by [`ENTRIES_MOST`].

use std::collections::BTreeMap;
use std::ops::Bound;

use pinode_guest_ipv6qos::InterfaceId;
use pinode_guest_ipv6qos::config::Configuration;
use pinode_guest_ipv6qos::control::request::Op;
use pinode_guest_ipv6qos::control::{Answer, Item, Request};
use pinode_guest_ipv6qos::interface::Names;
use serde_json::{Value, json};

use super::key::Key;
use super::router::CHUNK;
use crate::supervisor::{Journal, Untold};

/// Most changes that are kept.
pub const ENTRIES_MOST: usize = 1 << 20;
/// More than any request has items: what a line holds.
const ITEMS_MOST: usize = 4096;

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Is(Item),
    Gone(Item),
}

/// Kinds of items, numbered in the order in which they need each other.
fn kind(key: &Key) -> usize {
    match key {
        Key::Table(_) => 0,
        Key::Policer(_) => 1,
        Key::Address(_) => 2,
        Key::Neighbour(_) => 3,
        Key::Route(_) => 4,
        Key::Class(_) => 5,
        Key::Filter(_) => 6,
    }
}

/// The steps by which a fresh router is told: a kind, and whether what is in the way goes or what is comes.
const STEPS: [(usize, Op); 14] = [
    (6, Op::Delete),
    (5, Op::Delete),
    (4, Op::Delete),
    (3, Op::Delete),
    (2, Op::Delete),
    (1, Op::Delete),
    (0, Op::Delete),
    (0, Op::Replace),
    (1, Op::Replace),
    (2, Op::Replace),
    (3, Op::Replace),
    (4, Op::Replace),
    (5, Op::Replace),
    (6, Op::Replace),
];

/// The changes of one router.
#[derive(Debug)]
pub struct RouterJournal {
    names: Names,
    configured: BTreeMap<Key, Item>,
    /// Whether rules of the classifier, or filter rules, are configured whose priority the router chose.
    unnamed: [bool; 2],
    kinds: [BTreeMap<Key, Entry>; 7],
    /// How far a fresh router has been told: the step, and the last key of it.
    told: (usize, Option<Key>),
    /// Whether it is still to be told that this was all.
    ends: bool,
}

impl RouterJournal {
    /// No changes yet, of a router with this configuration.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        let mut journal = Self {
            names: configuration.names.clone(),
            configured: BTreeMap::new(),
            unnamed: [false; 2],
            kinds: Default::default(),
            told: (STEPS.len(), None),
            ends: false,
        };
        for (_, item) in &configuration.items {
            match (journal.key(item), item) {
                (Some(key), item) => drop(journal.configured.insert(key, item.clone())),
                (None, Item::Class(_)) => journal.unnamed[0] = true,
                (None, _) => journal.unnamed[1] = true,
            }
        }
        journal
    }

    /// Changes that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kinds.iter().map(BTreeMap::len).sum()
    }

    /// Whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What names the item, where an interface and the default virtual network have one name.
    fn key(&self, item: &Item) -> Option<Key> {
        let mut key = Key::of(item)?;
        match &mut key {
            Key::Address(key) => {
                // Its length is no part of the name.
                key.address.length = 128;
                self.plain(&mut key.dev);
            }
            Key::Neighbour(key) => self.plain(&mut key.dev),
            Key::Route(key) => {
                let dev = match item {
                    Item::Route(route) => route.dev.as_deref(),
                    _ => None,
                };
                let of_dev = dev.and_then(|dev| self.names.find(dev).ok());
                let default = of_dev.map_or(self.names.default_vn(), InterfaceId::vn);
                key.vn.get_or_insert(default);
            }
            _ => {}
        }
        Some(key)
    }

    fn plain(&self, dev: &mut String) {
        if let Ok(id) = self.names.find(dev) {
            *dev = self.names.name(id);
        }
    }

    /// As the configuration has it, as far as can be known: `item` itself is a rule that it may have.
    fn configured<'i>(&'i self, key: &Key, item: &'i Item) -> Option<&'i Item> {
        let unnamed = match key {
            Key::Class(_) => self.unnamed[0],
            Key::Filter(_) => self.unnamed[1],
            _ => false,
        };
        self.configured.get(key).or(unnamed.then_some(item))
    }

    /// The router did this with the items, which are now so.
    ///
    /// # Errors
    ///
    /// They are not those that were asked for. Nothing is noted then.
    pub fn changed(&mut self, op: Op, asked: &[Item], now: Vec<Item>) -> Result<(), String> {
        if now.len() > asked.len() {
            return Err(format!("{} items instead of {}", now.len(), asked.len()));
        }
        let mut named = Vec::with_capacity(now.len());
        for (asked, now) in asked.iter().zip(now) {
            let same_kind = std::mem::discriminant(asked) == std::mem::discriminant(&now);
            let (wanted, key) = (self.key(asked), self.key(&now));
            match key {
                Some(key) if same_kind && wanted.as_ref().is_none_or(|wanted| *wanted == key) => {
                    named.push((key, now));
                }
                _ => {
                    let shown = wanted.map_or_else(|| "a rule".to_owned(), |key| key.to_string());
                    return Err(format!("something else instead of {shown}"));
                }
            }
        }
        for (key, item) in named {
            let entry = match op {
                Op::Add | Op::Replace => Some(Entry::Is(item)),
                Op::Delete => self.configured(&key, &item).cloned().map(Entry::Gone),
            };
            let of_kind = &mut self.kinds[kind(&key)];
            match entry {
                Some(entry) => drop(of_kind.insert(key, entry)),
                None => drop(of_kind.remove(&key)),
            }
        }
        Ok(())
    }

    /// What a fresh router has in the place of `item` and has to lose first: it may take room, or name what is gone.
    fn in_the_way<'i>(&'i self, key: &Key, item: &'i Item) -> Option<&'i Item> {
        let replaced = matches!(key, Key::Table(_) | Key::Policer(_) | Key::Neighbour(_));
        let configured = self.configured(key, item).filter(|_| !replaced)?;
        let same = self.configured.get(key) == Some(item);
        (!same).then_some(configured)
    }

    /// The next change that a fresh router is told: of one kind.
    pub fn next_change(&mut self) -> Option<(Op, Vec<Item>)> {
        while let Some((kind, op)) = STEPS.get(self.told.0).copied() {
            let from = match self.told.1.take() {
                Some(key) => Bound::Excluded(key),
                None => Bound::Unbounded,
            };
            let of_kind = self.kinds.get(kind).into_iter();
            let rest = of_kind.flat_map(|kind| kind.range((from.as_ref(), Bound::Unbounded)));
            let of_step = rest.filter_map(|(key, entry)| match (op, entry) {
                (Op::Delete, Entry::Gone(item)) => Some((key, item)),
                (Op::Delete, Entry::Is(item)) => Some((key, self.in_the_way(key, item)?)),
                (_, Entry::Is(item)) => Some((key, item)),
                (_, Entry::Gone(_)) => None,
            });
            let items: Vec<(&Key, &Item)> = of_step.take(CHUNK).collect();
            let last = items.last().map(|(key, _)| (*key).clone());
            let items: Vec<Item> = items.into_iter().map(|(_, item)| item.clone()).collect();
            if items.len() == CHUNK {
                self.told.1 = last;
            } else {
                self.told.0 += 1;
            }
            if !items.is_empty() {
                return Some((op, items));
            }
        }
        None
    }

    /// The fresh router did so many of these and no more. The one that it did not take is forgotten, as the router
    /// does not have it; it is told those behind it next. What was forgotten, if anything: a rule that is deleted as
    /// it may be in the way, and is not there, is not.
    pub fn stopped(&mut self, op: Op, items: &[Item], done: usize) -> Option<Key> {
        let key = self.key(items.get(done)?)?;
        let kind = kind(&key);
        let step = STEPS.iter().position(|step| *step == (kind, op))?;
        self.told = (step, Some(key.clone()));
        if op == Op::Delete && matches!(self.kinds[kind].get(&key), Some(Entry::Is(_))) {
            return None;
        }
        self.kinds[kind].remove(&key);
        Some(key)
    }
}

/// The change that is asked for, if it is one.
fn change(request: &Value) -> Option<(Op, Vec<Item>)> {
    request.get("change")?;
    match serde_json::from_value(request.clone()) {
        Ok(Request::Change { op, items }) => Some((op, items)),
        _ => None,
    }
}

/// What a router answered to a change.
fn answer(answer: &Value) -> Result<(Vec<Item>, Option<String>), String> {
    match serde_json::from_value(answer.clone()) {
        Ok(Answer::Changed { items, error, .. }) => Ok((items, error)),
        Ok(_) => Err("another answer than to a change".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Journal for RouterJournal {
    fn admit(&self, request: &Value) -> Result<(), String> {
        if self.len() + ITEMS_MOST <= ENTRIES_MOST || request.get("change").is_none() {
            return Ok(());
        }
        Err(format!(
            "{} changes are kept for the time after a restart; allowed: {ENTRIES_MOST}; configure what stays, \
             and restart the node",
            self.len()
        ))
    }

    fn note(&mut self, request: &Value, answered: &Value) -> Result<(), String> {
        let Some((op, asked)) = change(request) else {
            return Ok(());
        };
        let (now, _) = answer(answered)?;
        self.changed(op, &asked, now)
    }

    fn has_changes(&self) -> bool {
        !self.is_empty()
    }

    fn rewind(&mut self) {
        self.told = (0, None);
        self.ends = self.has_changes();
    }

    fn next(&mut self) -> Option<Value> {
        let request = match self.next_change() {
            Some((op, items)) => Request::Change { op, items },
            None if std::mem::take(&mut self.ends) => Request::Replayed {},
            None => return None,
        };
        // Items hold nothing that JSON cannot carry.
        serde_json::to_value(request).ok()
    }

    fn told(&mut self, request: &Value, answered: &Result<Value, String>) -> Result<(), Untold> {
        let Some((op, items)) = change(request) else {
            return match answered {
                Ok(answered) if *answered == json!({ "replayed": {} }) => Ok(()),
                Ok(_) => Err(Untold::Failed("another answer than to the end".to_owned())),
                Err(words) => Err(Untold::Failed(words.clone())),
            };
        };
        let (done, why) = match answered {
            Ok(answered) => {
                let (now, error) = answer(answered).map_err(Untold::Failed)?;
                (now.len(), error)
            }
            Err(words) => (0, Some(words.clone())),
        };
        match self.stopped(op, &items, done) {
            None => Ok(()),
            Some(key) => Err(Untold::Forgotten(format!(
                "{key}: {}",
                why.unwrap_or_default()
            ))),
        }
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
