//! A router that was told the journal is as it was before; against a plain model of a router.

use super::*;

use pinode_guest_ipv6qos::control::item::{
    Address, ClassRule, ColourAction, Meter, Neighbour, Policer, Route, RouteKind, TableEntry,
};
use pinode_guest_ipv6qos::control::matching::{Addresses, Match};
use pinode_guest_ipv6qos::units::{BitRate, Octets};
use pinode_guest_ipv6qos::{Prefix, Router, Vn};
use pinode_guest_runtime::{Config, Function as _};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

fn configuration() -> Configuration {
    let config = json!({
        "function": "ipv6qos", "vns": [0, 1], "code": 1,
        "vifs": [
            { "name": "west", "mac": "02:00:00:00:00:01", "mtu": 1500 },
            { "name": "east", "mac": "02:00:00:00:00:02", "mtu": 1500 },
        ],
        "pi": {
            "interface": { "west": { "address": ["2001:db8:1::1/64"] } },
            "route": [
                { "prefix": "2001:db8:1::/48", "dev": "east" },
                { "prefix": "2001:db8:2::/48", "dev": "east", "vn": 1 },
            ],
            "policer": [{ "name": "p1", "meter": "srtcm", "cir": "1Mbps", "cbs": "1500B", "ebs": "1500B" }],
            "class": [{ "priority": 1, "policer": "p1" }],
            "table": { "t1": ["2001:db8:1::/48"] },
        },
    });
    Configuration::read(&serde_json::from_value(config).unwrap()).unwrap()
}

/// A router as plain as can be: what it has, by name.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    names: Names,
    has: Vec<Item>,
}

impl Plain {
    fn new(configuration: &Configuration) -> Self {
        let mut router = Self {
            names: configuration.names.clone(),
            has: Vec::new(),
        };
        for (_, item) in &configuration.items {
            router.one(Op::Add, item).unwrap();
        }
        router
    }

    /// The item as the router calls it.
    fn full(&self, item: &Item) -> Item {
        let mut item = item.clone();
        let plain = |dev: &mut String| *dev = self.names.name(self.names.find(dev).unwrap());
        match &mut item {
            Item::Address(address) => plain(&mut address.dev),
            Item::Neighbour(neighbour) => plain(&mut neighbour.dev),
            Item::Route(route) => {
                let of_dev = route
                    .dev
                    .as_deref()
                    .map(|dev| self.names.find(dev).unwrap());
                let default = of_dev.map_or(self.names.default_vn(), |id| id.vn());
                route.vn = route.vn.or(Some(default));
            }
            Item::Class(rule) => {
                let has = self.has.iter().filter_map(|item| match item {
                    Item::Class(rule) => rule.priority,
                    _ => None,
                });
                rule.priority = rule.priority.or(Some(has.max().unwrap_or(0) + 10));
            }
            _ => {}
        }
        item
    }

    fn same(one: &Item, other: &Item) -> bool {
        match (one, other) {
            (Item::Address(a), Item::Address(b)) => {
                (a.address.address, &a.dev) == (b.address.address, &b.dev)
            }
            (Item::Neighbour(a), Item::Neighbour(b)) => (a.address, &a.dev) == (b.address, &b.dev),
            (Item::Route(a), Item::Route(b)) => (a.prefix, a.vn) == (b.prefix, b.vn),
            (Item::Policer(a), Item::Policer(b)) => a.name == b.name,
            (Item::Class(a), Item::Class(b)) => a.priority == b.priority,
            (a, b) => a == b,
        }
    }

    /// Rules name policers that there are.
    fn holds(has: &[Item]) -> bool {
        let is = |name: &str| {
            has.iter()
                .any(|item| matches!(item, Item::Policer(policer) if policer.name == name))
        };
        has.iter().all(|item| match item {
            Item::Class(rule) => rule.policer.as_deref().is_none_or(is),
            _ => true,
        })
    }

    fn one(&mut self, op: Op, item: &Item) -> Result<Item, String> {
        let item = self.full(item);
        let place = self.has.iter().position(|known| Self::same(known, &item));
        let mut has = self.has.clone();
        match (op, place) {
            (Op::Add, Some(_)) => return Err("is there".to_owned()),
            (Op::Delete, None) => return Err("is not there".to_owned()),
            // An address is deleted with its length.
            (Op::Delete, Some(place)) if matches!(item, Item::Address(_)) && has[place] != item => {
                return Err("is there with another length".to_owned());
            }
            (Op::Delete, Some(place)) => drop(has.remove(place)),
            (_, Some(place)) => has[place] = item.clone(),
            (_, None) => has.push(item.clone()),
        }
        if !Self::holds(&has) {
            return Err("names what there is not".to_owned());
        }
        self.has = has;
        Ok(item)
    }

    fn change(&mut self, op: Op, items: &[Item]) -> Value {
        let mut done = Vec::new();
        let mut error = None;
        for item in items {
            match self.one(op, item) {
                Ok(item) => done.push(item),
                Err(why) => {
                    error = Some(why);
                    break;
                }
            }
        }
        let kind = None;
        serde_json::to_value(Answer::Changed {
            items: done,
            error,
            kind,
        })
        .unwrap()
    }

    fn all(&self) -> Vec<String> {
        let mut all: Vec<String> = self.has.iter().map(|item| format!("{item:?}")).collect();
        all.sort();
        all
    }
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (0u128..4).prop_map(|n| Prefix::of(0x2001_0db8 << 96 | n << 80, 48))
}

fn dev() -> impl Strategy<Value = String> {
    select(vec!["west", "west.0", "west.1", "east"]).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["p1", "p2", "p3"]).prop_map(str::to_owned)
}

fn item() -> impl Strategy<Value = Item> {
    let vn = || proptest::option::of((0u8..2).prop_map(|n| Vn::new(n).unwrap()));
    prop_oneof![
        (prefix(), vn(), dev()).prop_map(|(prefix, vn, dev)| Item::Route(Route {
            prefix,
            vn,
            via: None,
            dev: Some(dev),
            kind: RouteKind::Unicast,
        })),
        (0u8..4, dev(), 64u8..66).prop_map(|(n, dev, length)| {
            let address = format!("2001:db8:{n}::1/{length}").parse().unwrap();
            Item::Address(Address { address, dev })
        }),
        (0u8..3, dev(), 0u8..3).prop_map(|(n, dev, mac)| Item::Neighbour(Neighbour {
            address: format!("fe80::{n}").parse().unwrap(),
            lladdr: format!("02:00:00:00:00:0{mac}").parse().unwrap(),
            dev,
        })),
        (name(), prefix()).prop_map(|(table, prefix)| Item::Table(TableEntry { table, prefix })),
        (name(), 1u64..4).prop_map(|(name, mbps)| Item::Policer(Policer {
            name,
            meter: Meter::Srtcm,
            cir: BitRate(mbps * 1_000_000),
            cbs: Octets(1500),
            ebs: Some(Octets(0)),
            pir: None,
            pbs: None,
            aware: false,
            green: ColourAction::Pass,
            yellow: ColourAction::Pass,
            red: ColourAction::Drop,
        })),
        (
            proptest::option::of(0u32..4),
            proptest::option::of(name()),
            prefix()
        )
            .prop_map(|(priority, policer, prefix)| Item::Class(ClassRule {
                priority,
                matches: Match {
                    from: Some(Addresses::Prefix(prefix)),
                    ..Match::default()
                },
                dscp: None,
                policer,
            })),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    select(vec![Op::Add, Op::Replace, Op::Delete])
}

fn request(op: Op, items: Vec<Item>) -> Value {
    serde_json::to_value(Request::Change { op, items }).unwrap()
}

/// A fresh router that was told the journal.
fn told(journal: &mut RouterJournal, configuration: &Configuration) -> Plain {
    let mut fresh = Plain::new(configuration);
    let mut ended = !journal.has_changes();
    journal.rewind();
    while let Some(body) = journal.next() {
        if body == json!({ "replayed": {} }) {
            assert_eq!(journal.told(&body, &Ok(body.clone())), Ok(()));
            ended = true;
            continue;
        }
        assert!(journal.has_changes() && !body["change"].is_null(), "{body}");
        let Ok(Request::Change { op, items }) = serde_json::from_value(body.clone()) else {
            panic!("{body}")
        };
        assert!(items.len() <= CHUNK);
        let answer = fresh.change(op, &items);
        assert_eq!(journal.told(&body, &Ok(answer)), Ok(()));
    }
    assert!(ended);
    fresh
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x1b6),
        failure_persistence: None,
        ..ProptestConfig::with_cases(count)
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_fresh_router_is_told_all_that_was_changed(
        changes in proptest::collection::vec((op(), proptest::collection::vec(item(), 1..4)), 0..60)
    ) {
        let configuration = configuration();
        let mut router = Plain::new(&configuration);
        let mut journal = RouterJournal::new(&configuration);
        for (op, items) in changes {
            let answer = router.change(op, &items);
            journal.note(&request(op, items), &answer).unwrap();
        }
        let fresh = told(&mut journal, &configuration);
        prop_assert_eq!(fresh.all(), router.all());
        // Telling it changes nothing of it.
        let again = told(&mut journal, &configuration);
        prop_assert_eq!(again.all(), router.all());
    }
}

fn route(n: u32) -> Item {
    let route = json!({ "route": { "prefix": format!("2001:db8:{n:x}::/48"), "dev": "east" } });
    serde_json::from_value(route).unwrap()
}

#[test]
fn what_is_gone_is_kept_only_where_it_is_configured() {
    let configuration = configuration();
    let mut router = Plain::new(&configuration);
    let mut journal = RouterJournal::new(&configuration);
    for n in 1..=100 {
        for op in [Op::Replace, Op::Delete] {
            let answer = router.change(op, &[route(n)]);
            journal.note(&request(op, vec![route(n)]), &answer).unwrap();
        }
    }
    assert_eq!(journal.len(), 1, "that of 2001:db8:1::/48");
}

#[test]
fn many_changes_are_told_in_pieces_and_one_that_is_refused_is_forgotten() {
    let configuration = configuration();
    let mut journal = RouterJournal::new(&configuration);
    let items: Vec<Item> = (10..210).map(route).collect();
    let answer = Plain::new(&configuration).change(Op::Add, &items);
    journal.note(&request(Op::Add, items), &answer).unwrap();
    let mut fresh = Plain::new(&configuration);
    let mut refused = Vec::new();
    journal.rewind();
    while let Some(body) = journal.next() {
        let Ok(Request::Change { op, items }) = serde_json::from_value(body.clone()) else {
            assert_eq!(body, json!({ "replayed": {} }));
            continue;
        };
        // It takes all but one, somewhere within a piece.
        let end = items
            .iter()
            .position(|item| Plain::same(item, &fresh.full(&route(50))));
        let mut answer = fresh.change(op, &items[..end.unwrap_or(items.len())]);
        if end.is_some() {
            answer["changed"]["error"] = json!("no memory");
        }
        refused.extend(journal.told(&body, &Ok(answer)).err());
    }
    let forgotten = "route 2001:db8:32::/48 vn 0: no memory".to_owned();
    assert_eq!(refused, [Untold::Forgotten(forgotten)]);
    assert_eq!(fresh.has.len(), Plain::new(&configuration).has.len() + 199);
    assert_eq!(journal.len(), 199);
}

#[test]
fn an_answer_that_does_not_fit_is_the_routers_fault() {
    let mut journal = RouterJournal::new(&configuration());
    let asked = request(Op::Add, vec![route(10)]);
    let changed = |items: Vec<Item>| {
        let (error, kind) = (None, None);
        serde_json::to_value(Answer::Changed { items, error, kind }).unwrap()
    };
    for answer in [
        changed(vec![route(11)]),
        changed(vec![route(10), route(11)]),
        changed(vec![Item::Table(TableEntry {
            table: "t".to_owned(),
            prefix: Prefix::DEFAULT,
        })]),
        json!({ "flushed": 1 }),
        json!(7),
    ] {
        assert!(journal.note(&asked, &answer).is_err(), "{answer}");
    }
    assert!(journal.is_empty());
    assert_eq!(journal.note(&json!({ "list": 1 }), &json!(7)), Ok(()));
    assert_eq!(journal.note(&asked, &changed(vec![route(10)])), Ok(()));
    assert_eq!(journal.len(), 1);
}

/// A real router with these items and limits, and what is asked of it.
struct Real {
    router: Router,
    config: Config,
}

impl Real {
    fn new(pi: &Value) -> Self {
        let config = json!({
            "function": "ipv6qos", "vns": [0], "code": 1, "pi": pi,
            "vifs": [
                { "name": "west", "mac": "02:00:00:00:00:01", "mtu": 1500 },
                { "name": "east", "mac": "02:00:00:00:00:02", "mtu": 1500 },
            ],
        });
        let config: Config = serde_json::from_value(config).unwrap();
        let mut router = Router::default();
        router.configure(&config).unwrap();
        Self { router, config }
    }

    /// What it answers; it must not refuse anything.
    fn ask(&mut self, body: &Value) -> Value {
        let answer = self.router.request(0, body).unwrap();
        assert_eq!(answer["changed"]["error"], Value::Null, "{body}");
        answer
    }

    /// Its routes, policers and rules, with the addresses that routes come from.
    fn all(&mut self) -> Vec<Value> {
        let kinds = ["address", "route", "table", "policer", "class", "filter"];
        let list = |what| json!({ "list": { "what": what, "most": 64 } });
        let answers = kinds.map(|what| self.ask(&list(what)));
        let entries = answers.map(|mut answer| answer["page"]["entries"].take());
        entries.into_iter().collect()
    }
}

/// All of these, each in place of what is there: configured and run-time state both reach every limit, and any of
/// one's items on top of the other's is one too many.
#[test]
fn a_router_at_its_limits_is_told_all_of_it() {
    let policer = |name: &str| json!({ "name": name, "meter": "srtcm", "cir": "1Mbps", "cbs": "1500B", "ebs": "1500B" });
    let pi = json!({
        "limits": {
            "routes": 8, "next_hops": 2, "table_prefixes": 2, "filter_rules": 2, "class_rules": 2, "policers": 2,
        },
        "interface": { "west": { "address": ["2001:db8:1::1/64", "2001:db8:1::2/64"] } },
        "route": [
            { "prefix": "2001:db8:a::/48", "via": "2001:db8:1::a" },
            { "prefix": "2001:db8:b::/48", "via": "2001:db8:1::a" },
            { "prefix": "2001:db8:c::/48", "via": "2001:db8:1::c" },
        ],
        "table": { "t": ["2001:db8:a::/48", "2001:db8:b::/48"] },
        "policer": [policer("p"), policer("q")],
        "class": [{ "priority": 1, "policer": "p" }, { "policer": "q" }],
        "filter": { "rule": [
            { "priority": 1, "action": "drop", "match": { "from": "table:t" } },
            { "action": "drop" },
        ] },
    });
    let mut router = Real::new(&pi);
    let mut journal = RouterJournal::new(&Configuration::read(&router.config).unwrap());
    let mut change = |op: &str, items: Value| {
        let body = json!({ "change": { "op": op, "items": items } });
        let answer = router.ask(&body);
        journal.note(&body, &answer).unwrap();
        answer
    };
    let route = |prefix: &str, via: &str| json!({ "route": { "prefix": prefix, "via": via } });
    let class = |rule: Value| json!({ "class": rule });
    let filter = |rule: Value| json!({ "filter": rule });
    let of_table = |prefix: &str| json!({ "table": { "table": "t", "prefix": prefix } });
    let address = |text: &str| json!({ "address": { "address": text, "dev": "west" } });
    // The rules whose priorities the router chose are behind the others.
    let chosen = 11;
    change(
        "delete",
        json!([filter(json!({ "priority": 1, "action": "drop" }))]),
    );
    change("delete", json!([class(json!({ "priority": 1 }))]));
    change("replace", json!([class(json!({ "priority": chosen }))]));
    change(
        "delete",
        json!([{ "policer": policer("p") }, { "policer": policer("q") }]),
    );
    change(
        "add",
        json!([{ "policer": policer("r") }, { "policer": policer("s") }]),
    );
    change(
        "replace",
        json!([
            class(json!({ "priority": chosen, "policer": "r" })),
            class(json!({ "priority": 1, "policer": "s" })),
            filter(json!({ "priority": 5, "action": "accept", "match": { "from": "table:t" } })),
        ]),
    );
    change(
        "delete",
        json!([of_table("2001:db8:a::/48"), of_table("2001:db8:b::/48")]),
    );
    change(
        "add",
        json!([of_table("2001:db8:c::/48"), of_table("2001:db8:d::/48")]),
    );
    change(
        "delete",
        json!([
            route("2001:db8:a::/48", "2001:db8:1::a"),
            route("2001:db8:b::/48", "2001:db8:1::a"),
        ]),
    );
    change(
        "replace",
        json!([
            route("2001:db8:c::/48", "2001:db8:1::d"),
            route("2001:db8:d::/48", "2001:db8:1::d"),
            route("2001:db8:e::/48", "2001:db8:1::e"),
        ]),
    );
    change("delete", json!([address("2001:db8:1::1/64")]));
    change("replace", json!([address("2001:db8:1::3/64")]));

    let mut fresh = Real::new(&pi);
    journal.rewind();
    while let Some(body) = journal.next() {
        let answer = fresh.router.request(0, &body).unwrap();
        assert_eq!(journal.told(&body, &Ok(answer)), Ok(()), "{body}");
    }
    assert_eq!(fresh.all(), router.all());
}

#[test]
fn an_end_that_is_refused_is_a_failure() {
    let mut journal = RouterJournal::new(&configuration());
    let end = json!({ "replayed": {} });
    let failed = |words: &str| Err(Untold::Failed(words.to_owned()));
    assert_eq!(journal.told(&end, &Ok(end.clone())), Ok(()));
    assert_eq!(
        journal.told(&end, &Err("no memory".to_owned())),
        failed("no memory")
    );
    assert!(journal.told(&end, &Ok(json!({ "flushed": 1 }))).is_err());
}
