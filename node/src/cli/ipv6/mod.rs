//! `pinode ipv6`: routers of PI IPv6 QoS at run time, in the habits of iproute2.
//!
//! ```text
//! args     what clap reads: object, node, guest; the rest is words
//! words    words one after the other
//! command  what the words mean
//! item     those of items: addresses, routes, neighbours, tables
//! rule     those of policers, classes and filter rules
//! which    those that say which entries of a list
//! request  what is asked of the API
//! batch    many commands from a file
//! show     lists as text
//! ```

pub(super) mod args;
mod batch;
mod command;
mod item;
mod request;
mod rule;
mod show;
#[cfg(test)]
mod tests;
mod which;
mod words;

use std::io::Read as _;

use pinode_guest_ipv6qos::control::item::TableEntry;
use pinode_guest_ipv6qos::control::request::Kind;
use pinode_guest_ipv6qos::control::view::{
    self, AddressView, ClassView, CounterView, FilterView, FlowView, Hop, InterfaceView,
    NeighbourView, PolicerView, RouteView, TableView,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::args::{Batch, Ipv6, Target, Words};
use self::command::{Command, Show};
use self::request::{Change, resource};
use self::show::Shown;
use super::args::Format;
use super::change::segment;
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::{print, print_json};
use crate::ipv6::GUEST;
use crate::ipv6::key::{Key, RouteKey, TableKey};
use crate::status::GuestStatus;

pub(super) fn run(args: Ipv6) -> Result<(), Failure> {
    let (object, words) = match args {
        Ipv6::Route(words) => ("route", words),
        Ipv6::Addr(words) => ("addr", words),
        Ipv6::Neigh(words) => ("neigh", words),
        Ipv6::Link(words) => ("link", words),
        Ipv6::Table(words) => ("table", words),
        Ipv6::Policer(words) => ("policer", words),
        Ipv6::Class(words) => ("class", words),
        Ipv6::Filter(words) => ("filter", words),
        Ipv6::Flow(words) => ("flow", words),
        Ipv6::Counters(words) => ("counters", words),
        Ipv6::Batch(args) => return batch(&args),
    };
    let Words {
        words,
        target,
        format,
    } = words;
    let mut all = vec![object];
    all.extend(words.iter().map(String::as_str));
    // Words first: what is wrong with them needs no node to be said.
    let command = command::parse(&all)
        .map_err(|error| Failure::Usage(format!("ipv6 {}: {error}", all.join(" "))))?;
    execute(&Router::find(&target)?, command, format)
}

/// A router of a running node.
struct Router {
    client: Client,
    /// Where it is in the API.
    path: String,
}

impl Router {
    fn find(target: &Target) -> Result<Self, Failure> {
        let client = Client::new(target.node.socket.as_deref())?;
        let guest = match &target.guest {
            Some(name) => name.clone(),
            None => only_router(&client.get::<Vec<GuestStatus>>("/v1/guests")?)?,
        };
        let path = format!("/v1/guests/{}/ipv6", segment("guest", &guest)?);
        Ok(Self { client, path })
    }

    fn list<E: DeserializeOwned>(&self, show: &Show) -> Result<Vec<E>, Failure> {
        Ok(self.client.get(&self.query(resource(show.what), show))?)
    }

    fn query(&self, resource: &str, show: &Show) -> String {
        let mut path = format!("{}/{resource}", self.path);
        let vn = show.vn.map(|vn| format!("vn={vn}"));
        let dev = show
            .dev
            .as_deref()
            .map(|dev| format!("dev={}", encoded(dev)));
        let query: Vec<String> = vn.into_iter().chain(dev).collect();
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        path
    }

    fn change(&self, change: &Change) -> Result<Value, ClientError> {
        let path = format!("{}/{}", self.path, change.resource);
        self.client
            .send(batch::method(change.op), &path, &change.items)
    }
}

/// What may stand in a query as it is, and the rest by its octets (RFC 3986 2.1).
fn encoded(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(octet).to_string()
        }
        octet => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}

fn only_router(guests: &[GuestStatus]) -> Result<String, Failure> {
    let image = format!("builtin:{GUEST}");
    let names = guests.iter().filter(|guest| guest.image == image);
    let names: Vec<&str> = names.map(|guest| guest.pi.as_str()).collect();
    match names[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(Failure::Usage(format!("this node runs no {image}"))),
        _ => Err(Failure::Usage(format!(
            "several guests are {image}; choose one with --guest: {}",
            names.join(", ")
        ))),
    }
}

fn execute(router: &Router, command: Command, format: Format) -> Result<(), Failure> {
    match command {
        Command::Set(op, items) => changed(router, &Change::set(op, &items), format),
        Command::Delete(keys) => changed(router, &Change::delete(&keys), format),
        Command::Show(show) => list(router, &show, format),
        Command::RouteGet { to, vn } => {
            let vn = vn.map_or_else(String::new, |vn| format!("&vn={vn}"));
            let path = format!("{}/route-get?to={to}{vn}", router.path);
            let hop: Hop = router.client.get(&path)?;
            shown(&[hop], format, |hops| {
                hops.first().map_or(Value::Null, |hop| json!(hop))
            })
        }
        Command::Flush(show) => {
            let flushed = flush(router, &show)?;
            if format.json {
                print_json(&json!({ "flushed": flushed }))
            } else {
                print(&format!("{flushed} flushed\n"))
            }
        }
    }
}

/// As with `ip`, what was done is not said; the document says it.
fn changed(router: &Router, change: &Change, format: Format) -> Result<(), Failure> {
    let now = router.change(change)?;
    if format.json {
        print_json(&now)
    } else {
        Ok(())
    }
}

fn list(router: &Router, show: &Show, format: Format) -> Result<(), Failure> {
    match show.what {
        Kind::Interface => all::<InterfaceView>(router, show, format),
        Kind::Address => all::<AddressView>(router, show, format),
        Kind::Route => {
            let mut routes: Vec<RouteView> = router.list(show)?;
            routes.retain(|route| show.all || route.origin != view::Origin::Local);
            shown(&routes, format, |routes| json!(routes))
        }
        Kind::Neighbour => all::<NeighbourView>(router, show, format),
        Kind::Table => match &show.table {
            None => all::<TableView>(router, show, format),
            Some(table) => shown(&prefixes(router, table)?, format, |all| json!(all)),
        },
        Kind::Policer => all::<PolicerView>(router, show, format),
        Kind::Class => all::<ClassView>(router, show, format),
        Kind::Filter => all::<FilterView>(router, show, format),
        Kind::Flow => all::<FlowView>(router, show, format),
        Kind::Counter => all::<CounterView>(router, show, format),
    }
}

fn prefixes(router: &Router, table: &str) -> Result<Vec<TableEntry>, Failure> {
    let path = format!("{}/tables/{}", router.path, segment("table", table)?);
    Ok(router.client.get(&path)?)
}

fn all<E: DeserializeOwned + Serialize + Shown>(
    router: &Router,
    show: &Show,
    format: Format,
) -> Result<(), Failure> {
    let entries: Vec<E> = router.list(show)?;
    shown(&entries, format, |entries| json!(entries))
}

fn shown<E: Shown>(
    entries: &[E],
    format: Format,
    document: impl Fn(&[E]) -> Value,
) -> Result<(), Failure> {
    if format.json {
        print_json(&document(entries))
    } else {
        print(&show::text(entries))
    }
}

/// Forgets what was learned, or deletes all that was set; says how many.
fn flush(router: &Router, show: &Show) -> Result<u64, Failure> {
    let keys: Vec<Key> = match (show.what, &show.table) {
        (Kind::Route, _) => {
            let routes: Vec<RouteView> = router.list(show)?;
            let set = routes
                .into_iter()
                .filter(|route| route.origin == view::Origin::Static);
            let key = |RouteView { route, .. }: RouteView| {
                let (vn, prefix) = (route.vn, route.prefix);
                Key::Route(RouteKey { vn, prefix })
            };
            set.map(key).collect()
        }
        (Kind::Table, Some(table)) => {
            let key = |TableEntry { table, prefix }| Key::Table(TableKey { table, prefix });
            prefixes(router, table)?.into_iter().map(key).collect()
        }
        (what, _) => {
            let path = router.query(&format!("{}/flush", resource(what)), show);
            let answer: Value = router.client.post(&path)?;
            return Ok(answer["flushed"].as_u64().unwrap_or(0));
        }
    };
    let mut flushed = 0;
    for keys in keys.chunks(batch::PIECE) {
        router.change(&Change::delete(keys))?;
        flushed += keys.len() as u64;
    }
    Ok(flushed)
}

fn batch(args: &Batch) -> Result<(), Failure> {
    let file = args.file.display().to_string();
    let cannot = |error: std::io::Error| {
        Failure::Failed(anyhow::Error::new(error).context(format!("cannot read {file}")))
    };
    let text = if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(&args.file)
    };
    let text = text.map_err(cannot)?;
    let pieces = batch::read(&text).map_err(|error| {
        let batch::LineError { line, what } = error;
        Failure::Usage(format!("{file}:{line}: {what}; nothing was done"))
    })?;
    let router = Router::find(&args.target)?;
    let mut done = 0;
    for piece in &pieces {
        router.change(&piece.change).map_err(|error| match error {
            ClientError::Refused {
                status,
                mut problem,
            } => {
                if let Some((line, inside)) = piece.line_of(&problem.at) {
                    let dot = if inside.is_empty() { "" } else { ": " };
                    problem.at = format!("{file}:{line}{dot}{inside}");
                    problem.what = problem
                        .what
                        .split("; items[0]")
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                        + "; all lines before it are done";
                }
                ClientError::Refused { status, problem }
            }
            other => other,
        })?;
        done += piece.lines.len();
    }
    if args.format.json {
        print_json(&json!({ "done": done }))
    } else {
        Ok(())
    }
}
