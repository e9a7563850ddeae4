//! What the words of a command mean. Pure: nothing is asked and nothing is done here.

use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::matching::check_name;
use pinode_guest_ipv6qos::control::request::{Kind, Op};

use super::words::{WordError, Words, once, pick};
use super::{item, which};
use crate::ipv6::Key;

/// What there are commands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Address,
    Route,
    Neighbour,
    Link,
    Table,
    Policer,
    Class,
    Filter,
    Flow,
    Counters,
}

/// Their names, as they may be shortened; those of one thing stand together.
const OBJECTS: &[(&str, Object)] = &[
    ("addr", Object::Address),
    ("route", Object::Route),
    ("neigh", Object::Neighbour),
    ("link", Object::Link),
    ("table", Object::Table),
    ("policer", Object::Policer),
    ("class", Object::Class),
    ("filter", Object::Filter),
    ("flow", Object::Flow),
    ("counters", Object::Counters),
];

/// Other names of theirs, in full.
const ALIASES: &[(&str, Object)] = &[
    ("address", Object::Address),
    ("neighbour", Object::Neighbour),
    ("neighbor", Object::Neighbour),
];

/// What a command wants.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Things to be added or replaced, all of one kind.
    Set(Op, Vec<Item>),
    /// Things to be deleted, all of one kind.
    Delete(Vec<Key>),
    /// A list.
    Show(Show),
    /// The route of a packet.
    RouteGet { to: Ipv6Addr, vn: Option<Vn> },
    /// What was learned is to be forgotten, or all that was set to be deleted.
    Flush(Show),
}

/// Which entries of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Show {
    pub(super) what: Kind,
    pub(super) vn: Option<Vn>,
    pub(super) dev: Option<String>,
    /// The prefixes of this table.
    pub(super) table: Option<String>,
    /// Routes to the router's own addresses as well.
    pub(super) all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Set(Op),
    Delete,
    Show,
    Get,
    Flush,
}

const ADD: (&str, Verb) = ("add", Verb::Set(Op::Add));
const REPLACE: (&str, Verb) = ("replace", Verb::Set(Op::Replace));
const DEL: (&str, Verb) = ("del", Verb::Delete);
const SHOW: (&str, Verb) = ("show", Verb::Show);
const GET: (&str, Verb) = ("get", Verb::Get);
const FLUSH: (&str, Verb) = ("flush", Verb::Flush);

impl Object {
    fn verbs(self) -> &'static [(&'static str, Verb)] {
        match self {
            Self::Address | Self::Policer | Self::Class | Self::Filter => {
                &[ADD, REPLACE, DEL, SHOW]
            }
            Self::Route => &[ADD, REPLACE, DEL, SHOW, GET, FLUSH],
            Self::Neighbour | Self::Table => &[ADD, REPLACE, DEL, SHOW, FLUSH],
            Self::Link | Self::Counters => &[SHOW],
            Self::Flow => &[SHOW, FLUSH],
        }
    }

    /// What it is in requests.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Address => Kind::Address,
            Self::Route => Kind::Route,
            Self::Neighbour => Kind::Neighbour,
            Self::Link => Kind::Interface,
            Self::Table => Kind::Table,
            Self::Policer => Kind::Policer,
            Self::Class => Kind::Class,
            Self::Filter => Kind::Filter,
            Self::Flow => Kind::Flow,
            Self::Counters => Kind::Counter,
        }
    }
}

/// What these words mean, the first of which names the object.
pub(super) fn parse(words: &[&str]) -> Result<Command, WordError> {
    let mut words = Words::new(words);
    let word = words.needed("one of addr, route, neigh, ...")?;
    let alias = ALIASES.iter().find(|(name, _)| *name == word);
    let object = match alias {
        Some((_, object)) => *object,
        None => pick(word, OBJECTS)?,
    };
    // As with `ip`: an object alone is shown.
    let verb = match words.peek() {
        None => Verb::Show,
        Some("delete") => {
            words.next();
            Verb::Delete
        }
        Some("list" | "ls") => {
            words.next();
            Verb::Show
        }
        // Counters have no other verb, which may be left out.
        Some("vn" | "dev") if object == Object::Counters => Verb::Show,
        Some(_) => words.one_of(object.verbs())?,
    };
    if !object.verbs().iter().any(|(_, known)| *known == verb) {
        return Err(no_verb(object));
    }
    match verb {
        Verb::Set(op) => item::set(object, op, words),
        Verb::Delete => item::delete(object, words).map(Command::Delete),
        Verb::Show => which::show(object, words).map(Command::Show),
        Verb::Get => {
            let to = words.read_as("an address", "an IPv6 address such as 2001:db8::1")?;
            let mut vn = None;
            while let Some(()) = words.key(&[("vn", ())])? {
                once(&mut vn, "vn", read_vn(&mut words)?)?;
            }
            Ok(Command::RouteGet { to, vn })
        }
        Verb::Flush => which::flush(object, words).map(Command::Flush),
    }
}

pub(super) fn read_vn(words: &mut Words<'_>) -> Result<Vn, WordError> {
    let number = words.read_as::<u8>("vn", "0 to 31")?;
    Vn::new(number)
        .ok_or_else(|| WordError(format!("vn: {number} is not allowed; allowed: 0 to 31")))
}

pub(super) fn read_name(words: &mut Words<'_>, kind: &str) -> Result<String, WordError> {
    let name = words.needed(&format!("the name of a {kind}"))?;
    check_name(kind, name).map_err(WordError)?;
    Ok(name.to_owned())
}

/// What is said of a verb that the object does not have.
pub(super) fn no_verb(object: Object) -> WordError {
    let names: Vec<&str> = object.verbs().iter().map(|(name, _)| *name).collect();
    WordError(format!(
        "this is not allowed here; allowed: {}",
        names.join(", ")
    ))
}
