//! What the words of a command mean. Pure: nothing is asked and nothing is done here.

use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::item::{Address, Mac, Neighbour, Route, RouteKind, TableEntry};
use pinode_guest_ipv6qos::control::matching::check_name;
use pinode_guest_ipv6qos::control::request::{Kind, Op};
use pinode_guest_ipv6qos::prefix::InterfaceAddress;
use pinode_guest_ipv6qos::{Prefix, Vn};

use super::rule;
use super::words::{WordError, Words, once, pick};
use crate::ipv6::key::{AddressKey, Key, NeighbourKey, PolicerKey, RouteKey, RuleKey, TableKey};

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

    fn kind(self) -> Kind {
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
        Verb::Set(op) => set(object, op, words),
        Verb::Delete => delete(object, words).map(Command::Delete),
        Verb::Show => show(object, words).map(Command::Show),
        Verb::Get => {
            let to = words.read_as("an address", "an IPv6 address such as 2001:db8::1")?;
            let mut vn = None;
            while let Some(()) = words.key(&[("vn", ())])? {
                once(&mut vn, "vn", read_vn(&mut words)?)?;
            }
            Ok(Command::RouteGet { to, vn })
        }
        Verb::Flush => flush(object, words).map(Command::Flush),
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

fn set(object: Object, op: Op, mut words: Words<'_>) -> Result<Command, WordError> {
    let item = match object {
        Object::Address => {
            let address: InterfaceAddress = words.read("an address")?;
            let dev = dev_needed(&mut words)?;
            words.end()?;
            Item::Address(Address { address, dev })
        }
        Object::Route => Item::Route(route(words)?),
        Object::Neighbour => Item::Neighbour(neighbour(words)?),
        Object::Table => {
            let table = read_name(&mut words, "table")?;
            let mut items = vec![table_entry(&table, &mut words)?];
            while words.peek().is_some() {
                items.push(table_entry(&table, &mut words)?);
            }
            return Ok(Command::Set(op, items));
        }
        Object::Policer => Item::Policer(rule::policer(words)?),
        Object::Class => Item::Class(rule::class(words)?),
        Object::Filter => Item::Filter(rule::filter(words)?),
        Object::Link | Object::Flow | Object::Counters => return Err(no_verb(object)),
    };
    Ok(Command::Set(op, vec![item]))
}

fn no_verb(object: Object) -> WordError {
    let names: Vec<&str> = object.verbs().iter().map(|(name, _)| *name).collect();
    WordError(format!(
        "this is not allowed here; allowed: {}",
        names.join(", ")
    ))
}

fn table_entry(table: &str, words: &mut Words<'_>) -> Result<Item, WordError> {
    Ok(Item::Table(TableEntry {
        table: table.to_owned(),
        prefix: words.read("a prefix")?,
    }))
}

/// `dev D`, or D alone where nothing else can stand.
fn dev_needed(words: &mut Words<'_>) -> Result<String, WordError> {
    let Some(()) = words.key(&[("dev", ())])? else {
        return Err(WordError(
            "dev is missing; needed: dev with an interface".to_owned(),
        ));
    };
    Ok(words.needed("an interface")?.to_owned())
}

#[derive(Clone, Copy)]
enum RouteWord {
    Via,
    Dev,
    Vn,
    Type(RouteKind),
}

const ROUTE_WORDS: &[(&str, RouteWord)] = &[
    ("via", RouteWord::Via),
    ("dev", RouteWord::Dev),
    ("vn", RouteWord::Vn),
    ("unicast", RouteWord::Type(RouteKind::Unicast)),
    ("blackhole", RouteWord::Type(RouteKind::Blackhole)),
    ("unreachable", RouteWord::Type(RouteKind::Unreachable)),
    ("prohibit", RouteWord::Type(RouteKind::Prohibit)),
];

fn route(mut words: Words<'_>) -> Result<Route, WordError> {
    let (mut via, mut dev, mut vn, mut kind) = (None, None, None, None);
    // `ip` has the type in front of the prefix.
    let first = ROUTE_WORDS
        .iter()
        .find(|(name, _)| Some(*name) == words.peek());
    if let Some((name, RouteWord::Type(of))) = first {
        words.next();
        once(&mut kind, name, *of)?;
    }
    let prefix: Prefix = words.read("a prefix")?;
    while let Some(word) = words.key(ROUTE_WORDS)? {
        match word {
            RouteWord::Via => {
                let address =
                    words.read_as::<Ipv6Addr>("via", "an IPv6 address such as fe80::1")?;
                once(&mut via, "via", address)?;
            }
            RouteWord::Dev => once(&mut dev, "dev", words.needed("an interface")?.to_owned())?,
            RouteWord::Vn => once(&mut vn, "vn", read_vn(&mut words)?)?,
            RouteWord::Type(of) => once(&mut kind, "the type", of)?,
        }
    }
    Ok(Route {
        prefix,
        vn,
        via,
        dev,
        kind: kind.unwrap_or_default(),
    })
}

fn neighbour(mut words: Words<'_>) -> Result<Neighbour, WordError> {
    let address = neighbour_address(&mut words)?;
    let (mut lladdr, mut dev) = (None, None);
    while let Some(is_dev) = words.key(&[("lladdr", false), ("dev", true)])? {
        if is_dev {
            once(&mut dev, "dev", words.needed("an interface")?.to_owned())?;
        } else {
            once(&mut lladdr, "lladdr", words.read::<Mac>("lladdr")?)?;
        }
    }
    let missing = |key: &str| {
        WordError(format!(
            "{key} is missing; needed: lladdr MAC dev INTERFACE"
        ))
    };
    Ok(Neighbour {
        address,
        lladdr: lladdr.ok_or_else(|| missing("lladdr"))?,
        dev: dev.ok_or_else(|| missing("dev"))?,
    })
}

fn neighbour_address(words: &mut Words<'_>) -> Result<Ipv6Addr, WordError> {
    words.read_as("an address", "an IPv6 address such as fe80::1")
}

fn delete(object: Object, mut words: Words<'_>) -> Result<Vec<Key>, WordError> {
    let key = match object {
        Object::Address => {
            let address = words.read("an address")?;
            let dev = dev_needed(&mut words)?;
            Key::Address(AddressKey { dev, address })
        }
        Object::Route => {
            // What is said of the route beside its name is read and not looked at, as what `show` prints.
            let Route { prefix, vn, .. } = route(words)?;
            return Ok(vec![Key::Route(RouteKey { vn, prefix })]);
        }
        Object::Neighbour => {
            let address = neighbour_address(&mut words)?;
            let mut dev = None;
            while let Some(is_dev) = words.key(&[("dev", true), ("lladdr", false)])? {
                match is_dev {
                    true => once(&mut dev, "dev", words.needed("an interface")?.to_owned())?,
                    false => drop(words.read::<Mac>("lladdr")?),
                }
            }
            let dev = dev.ok_or_else(|| {
                WordError("dev is missing; needed: dev with an interface".to_owned())
            })?;
            Key::Neighbour(NeighbourKey { dev, address })
        }
        Object::Table => {
            let table = read_name(&mut words, "table")?;
            let mut keys = Vec::new();
            while keys.is_empty() || words.peek().is_some() {
                let prefix = words.read("a prefix")?;
                let table = table.clone();
                keys.push(Key::Table(TableKey { table, prefix }));
            }
            return Ok(keys);
        }
        Object::Policer => Key::Policer(PolicerKey {
            name: read_name(&mut words, "policer")?,
        }),
        Object::Class => Key::Class(rule_key(&mut words)?),
        Object::Filter => Key::Filter(rule_key(&mut words)?),
        Object::Link | Object::Flow | Object::Counters => return Err(no_verb(object)),
    };
    words.end()?;
    Ok(vec![key])
}

/// `prio N`, or N alone.
fn rule_key(words: &mut Words<'_>) -> Result<RuleKey, WordError> {
    if matches!(words.peek(), Some("prio" | "priority")) {
        words.next();
    }
    let priority = words.read_as("prio", rule::PRIORITIES)?;
    Ok(RuleKey { priority })
}

#[derive(Clone, Copy)]
enum ShowWord {
    Vn,
    Dev,
    All,
}

fn show(object: Object, mut words: Words<'_>) -> Result<Show, WordError> {
    let mut show = Show {
        what: object.kind(),
        vn: None,
        dev: None,
        table: None,
        all: false,
    };
    let keys: &[(&str, ShowWord)] = match object {
        Object::Route => &[
            ("vn", ShowWord::Vn),
            ("dev", ShowWord::Dev),
            ("all", ShowWord::All),
        ],
        Object::Table => {
            if words.peek().is_some() {
                show.table = Some(read_name(&mut words, "table")?);
            }
            &[]
        }
        Object::Link | Object::Address => {
            // `link show west`, as `ip` has it.
            if let Some(name) = words.peek().filter(|word| !["vn", "dev"].contains(word)) {
                words.next();
                show.dev = Some(name.to_owned());
            }
            &[("vn", ShowWord::Vn), ("dev", ShowWord::Dev)]
        }
        Object::Neighbour | Object::Flow | Object::Counters => {
            &[("vn", ShowWord::Vn), ("dev", ShowWord::Dev)]
        }
        Object::Policer | Object::Class | Object::Filter => &[],
    };
    if keys.is_empty() {
        words.end()?;
        return Ok(show);
    }
    while let Some(word) = words.key(keys)? {
        match word {
            ShowWord::Vn => once(&mut show.vn, "vn", read_vn(&mut words)?)?,
            ShowWord::Dev => once(
                &mut show.dev,
                "dev",
                words.needed("an interface")?.to_owned(),
            )?,
            ShowWord::All => show.all = true,
        }
    }
    Ok(show)
}

/// All, or what of it; never all by having forgotten a word.
fn flush(object: Object, mut words: Words<'_>) -> Result<Show, WordError> {
    let allowed = match object {
        Object::Table => "the name of a table",
        _ => "all, vn N, dev INTERFACE",
    };
    match words.peek() {
        None => Err(WordError(format!(
            "what is to be flushed is missing; needed: {allowed}"
        ))),
        Some("all") if object != Object::Table => {
            words.next();
            words.end()?;
            show(object, Words::new(&[]))
        }
        Some(_) => show(object, words),
    }
}
