//! From JSON to a [`Configuration`]. Every mistake is told, each with its place; none ends the reading.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use pinode_guest_runtime::Config;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Configuration, InterfaceSettings, Limits, Place, Problem};
use crate::control::item::{self, Item};
use crate::filter::flows;
use crate::icmp::LimitConfig;
use crate::interface::Names;
use crate::packet::header::LEAST_MTU;
use crate::prefix::Prefix;

/// The keys there are, not looked into yet.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    interface: BTreeMap<String, Value>,
    route: Vec<Value>,
    neighbour: Vec<Value>,
    table: BTreeMap<String, Vec<Value>>,
    policer: Vec<Value>,
    class: Vec<Value>,
    filter: Filter,
    limits: Value,
    icmp: Value,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Filter {
    rule: Vec<Value>,
    flows: Value,
}

pub(super) fn read(config: &Config) -> Result<Configuration, Vec<Problem>> {
    let names = Names::of(config).map_err(|what| alloc::vec![Place::default().problem(what)])?;
    let mut reader = Reader::default();
    let sections = match &config.pi {
        Value::Null => Sections::default(),
        given => reader.value(&Place::default(), given).unwrap_or_default(),
    };
    let limits = match &sections.limits {
        Value::Null => Limits::default(),
        given => reader.limits(given),
    };
    let flows = match &sections.filter.flows {
        Value::Null => flows::Limits::default(),
        given => reader.flows(given),
    };
    let icmp = match &sections.icmp {
        Value::Null => LimitConfig::default(),
        given => reader.icmp(given),
    };
    let interfaces = reader.interfaces(config, &names, &sections.interface);
    reader.table(&sections.table);
    reader.list("policer", &sections.policer, Item::Policer);
    reader.list("class", &sections.class, Item::Class);
    reader.list("filter.rule", &sections.filter.rule, Item::Filter);
    reader.list("neighbour", &sections.neighbour, Item::Neighbour);
    reader.list("route", &sections.route, Item::Route);
    if reader.problems.is_empty() {
        return Ok(Configuration {
            names,
            limits,
            flows,
            icmp,
            interfaces,
            items: reader.items,
        });
    }
    Err(reader.problems)
}

#[derive(Default)]
struct Reader {
    items: Vec<(Place, Item)>,
    problems: Vec<Problem>,
}

impl Reader {
    /// The value at `place`.
    fn value<T: DeserializeOwned>(&mut self, place: &Place, value: &Value) -> Option<T> {
        match serde_path_to_error::deserialize(value) {
            Ok(value) => Some(value),
            Err(error) => {
                let inside = match error.path().iter().next() {
                    Some(_) => error.path().to_string(),
                    None => String::new(),
                };
                let inside = if inside == "." { "" } else { &*inside };
                let what = error
                    .inner()
                    .to_string()
                    .replace(", expected ", "; allowed: ");
                self.problems.push(place.in_key(inside).problem(what));
                None
            }
        }
    }

    fn limits(&mut self, given: &Value) -> Limits {
        let place = Place::key("limits");
        let limits: Limits = self.value(&place, given).unwrap_or_default();
        if let Some((key, allowed)) = limits.wrong() {
            let (least, most) = (allowed.start(), allowed.end());
            let what = alloc::format!("too low or too high; allowed: {least} to {most}");
            self.problems.push(place.in_key(key).problem(what));
        }
        limits
    }

    fn flows(&mut self, given: &Value) -> flows::Limits {
        let place = Place::key("filter.flows");
        let limits: flows::Limits = self.value(&place, given).unwrap_or_default();
        if let Err(what) = limits.check() {
            self.problems.push(place.problem_in(&what));
        }
        limits
    }

    fn icmp(&mut self, given: &Value) -> LimitConfig {
        let place = Place::key("icmp");
        let icmp: LimitConfig = self.value(&place, given).unwrap_or_default();
        if let Err(what) = icmp.check() {
            self.problems.push(place.problem_in(&what));
        }
        icmp
    }

    fn list<T: DeserializeOwned>(&mut self, key: &str, list: &[Value], item: impl Fn(T) -> Item) {
        let place = Place::key(key);
        for (index, value) in list.iter().enumerate() {
            let place = place.in_list(index);
            if let Some(read) = self.value(&place, value) {
                self.items.push((place, item(read)));
            }
        }
    }

    fn table(&mut self, tables: &BTreeMap<String, Vec<Value>>) {
        for (table, prefixes) in tables {
            self.list(
                &["table.", &**table].concat(),
                prefixes,
                |prefix: Prefix| {
                    Item::Table(item::TableEntry {
                        table: table.clone(),
                        prefix,
                    })
                },
            );
        }
    }

    fn interfaces(
        &mut self,
        config: &Config,
        names: &Names,
        given: &BTreeMap<String, Value>,
    ) -> Vec<(crate::InterfaceId, InterfaceSettings)> {
        let mut interfaces = Vec::new();
        for (name, value) in given {
            let place = Place::key("interface").in_key(name);
            let id = match names.find(name) {
                Ok(id) => id,
                Err(what) => {
                    self.problems.push(place.problem(what));
                    continue;
                }
            };
            let Some(settings) = self.value::<InterfaceSettings>(&place, value) else {
                continue;
            };
            if interfaces.iter().any(|(other, _)| *other == id) {
                let what = "this interface is configured under another of its names too";
                self.problems.push(place.problem(what));
                continue;
            }
            if settings.mac.is_some_and(item::Mac::is_group) {
                let what = "a group's address; allowed: the address of one station";
                self.problems.push(place.in_key("mac").problem(what));
            }
            let most = config
                .vifs
                .get(usize::from(id.vif().0))
                .map_or(0, |vif| vif.mtu);
            if settings
                .mtu
                .is_some_and(|mtu| mtu < LEAST_MTU || mtu > most)
            {
                let what =
                    alloc::format!("not an MTU of this port; allowed: {LEAST_MTU} to {most}");
                self.problems.push(place.in_key("mtu").problem(what));
            }
            let addresses = place.in_key("address");
            for (index, address) in settings.address.iter().enumerate() {
                let address = item::Address {
                    address: *address,
                    dev: name.clone(),
                };
                self.items
                    .push((addresses.in_list(index), Item::Address(address)));
            }
            interfaces.push((id, settings));
        }
        interfaces
    }
}
