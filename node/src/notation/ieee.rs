//! The gate control list of IEEE Std 802.1Q as JSON: the YANG modules ieee802-dot1q-sched and
//! ieee802-dot1q-sched-bridge (2023-10-22) in the encoding of RFC 7951.
//!
//! Written is a whole interface of ietf-interfaces, as a bridge takes it. Read is that, or its
//! gate-parameter-table alone, which names no port; what describes a device's state is passed over,
//! what is unknown is refused. Must never put the list of one interface onto the port of another.

use serde_json::{Map, Value, json};

use super::{Entry, GateList, LONGEST_ENTRY_NS, NotationError};
use crate::status::PortPhases;

/// Modules that put the table into an interface, or define it.
const MODULES: [&str; 3] = [
    "ieee802-dot1q-sched-bridge:",
    "ieee802-dot1dc-sched-if:",
    "ieee802-dot1q-sched:",
];
const SET: &str = "ieee802-dot1q-sched:set-gate-states";
/// Traffic classes of a bridge port.
const CLASSES: usize = 8;
const NANOS: u64 = 1_000_000_000;
/// What a device says of itself: no part of a schedule.
const STATE: [&str; 13] = [
    "oper-gate-states",
    "oper-control-list",
    "oper-cycle-time",
    "oper-cycle-time-extension",
    "oper-base-time",
    "config-change",
    "config-change-time",
    "tick-granularity",
    "current-time",
    "config-pending",
    "config-change-error",
    "supported-list-max",
    "supported-interval-max",
];
const KEYS: &str = "queue-max-sdu-table, gate-enabled, admin-gate-states, admin-control-list, \
                    admin-cycle-time, admin-cycle-time-extension, admin-base-time, and what is state";
const UINT32: &str = "0 to 4294967295";
const INTERVAL: &str = "nanoseconds, 1 to 4294967295";

/// The schedules in force of these ports.
///
/// # Errors
///
/// A PI behind the eighth, or a time that the notation cannot hold.
pub fn write_ieee(ports: &[PortPhases]) -> Result<Value, NotationError> {
    let interfaces = ports.iter().map(|port| {
        Ok(json!({
            "name": port.port,
            "type": "iana-if-type:bridge",
            "ieee802-dot1q-bridge:bridge-port": {
                "ieee802-dot1q-sched-bridge:gate-parameter-table": table(port)?,
            },
        }))
    });
    let interfaces: Vec<Value> = interfaces.collect::<Result<_, NotationError>>()?;
    Ok(json!({ "ietf-interfaces:interfaces": { "interface": interfaces } }))
}

fn table(port: &PortPhases) -> Result<Value, NotationError> {
    let list = GateList::of(&port.oper, &port.gates)?;
    let eight = |entry: &Entry| {
        let bit = (31 - entry.gates.leading_zeros().min(31)) as usize;
        let pi = port
            .gates
            .get(bit)
            .map_or_else(String::new, |gate| gate.pi.clone());
        u8::try_from(entry.gates).map_err(|_| NotationError::NoClass { pi, bit })
    };
    let entries = (0u32..).zip(&list.entries).map(|(index, entry)| {
        Ok(json!({
            "index": index,
            "operation-name": SET,
            "time-interval-value": entry.duration_ns,
            "gate-states-value": eight(entry)?,
        }))
    });
    let entries: Vec<Value> = entries.collect::<Result<_, NotationError>>()?;
    let extension = u32::try_from(port.oper.extension_ns).map_err(|_| NotationError::TooLarge {
        what: "an extension",
        found: port.oper.extension_ns,
        allowed: "4294967295 ns at most",
    })?;
    let sdus = port
        .gates
        .iter()
        .take(CLASSES)
        .enumerate()
        .map(|(class, gate)| {
            let octets = if gate.limited { gate.max_sdu } else { 0 };
            json!({ "traffic-class": class, "queue-max-sdu": octets })
        });
    let (numerator, denominator) = seconds(port.oper.cycle_ns)?;
    let base = port.oper.base_tai_ns;
    Ok(json!({
        "queue-max-sdu-table": sdus.collect::<Vec<_>>(),
        "gate-enabled": true,
        // All gates are closed before the base time.
        "admin-gate-states": 0,
        "admin-control-list": { "gate-control-entry": entries },
        "admin-cycle-time": { "numerator": numerator, "denominator": denominator },
        "admin-cycle-time-extension": extension,
        // 64 bits are a string in JSON (RFC 7951 6.1).
        "admin-base-time": { "seconds": (base / NANOS).to_string(), "nanoseconds": base % NANOS },
        "config-change": true,
        // The module's own conditions compare with these.
        "supported-list-max": pinode_scheduler::MAX_PHASES,
        "supported-cycle-max": { "numerator": pinode_scheduler::MAX_CYCLE_NS / NANOS, "denominator": 1 },
        "supported-interval-max": u32::MAX,
    }))
}

/// Nanoseconds as a fraction of a second in lowest terms.
fn seconds(ns: u64) -> Result<(u32, u32), NotationError> {
    let (mut a, mut b) = (ns, NANOS);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let lowest = a.max(1);
    let fits = |n: u64| u32::try_from(n / lowest).ok();
    fits(ns).zip(fits(NANOS)).ok_or(NotationError::TooLarge {
        what: "a cycle",
        found: ns,
        allowed: "a fraction of a second in 32 bits each",
    })
}

/// Reads the gate control list of `port`.
///
/// # Errors
///
/// [`NotationError`], with the path and the entry.
pub fn read_ieee(text: &str, port: &str) -> Result<GateList, NotationError> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| NotationError::Json(error.to_string()))?;
    let table = find_table(&document, port)?;
    let mut list = GateList {
        base_tai_ns: 0,
        cycle_ns: None,
        extension_ns: None,
        entries: Vec::new(),
        max_sdu: Vec::new(),
        notes: Vec::new(),
    };
    for (key, value) in table {
        match bare(key) {
            "queue-max-sdu-table" => list.max_sdu = read_sdus(value)?,
            "gate-enabled" => {
                if value != &Value::Bool(true) {
                    return Err(NotationError::GatesOff);
                }
            }
            "admin-gate-states" => {
                let states = unsigned(
                    value,
                    "gate-parameter-table",
                    "admin-gate-states",
                    255,
                    "0 to 255",
                )?;
                if states != 0 {
                    list.notes.push(format!(
                        "admin-gate-states {states} is not taken over: before its first base time all \
                         gates of a port are closed"
                    ));
                }
            }
            "admin-control-list" => list.entries = read_entries(value)?,
            "admin-cycle-time" => list.cycle_ns = Some(read_cycle(value)?),
            "admin-cycle-time-extension" => {
                let what = "admin-cycle-time-extension";
                let at = "gate-parameter-table";
                list.extension_ns = Some(unsigned(value, at, what, LONGEST_ENTRY_NS, UINT32)?);
            }
            "admin-base-time" => list.base_tai_ns = read_base(value)?,
            "supported-cycle-max" => {}
            state if STATE.contains(&state) => {}
            _ => {
                return Err(NotationError::Unknown {
                    at: "gate-parameter-table".to_owned(),
                    word: key.clone(),
                    allowed: KEYS,
                });
            }
        }
    }
    Ok(list)
}

/// A member's name without its module, where that is one of this table's.
fn bare(key: &str) -> &str {
    let found = MODULES.iter().find_map(|module| key.strip_prefix(module));
    found.unwrap_or(key)
}

fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object
        .iter()
        .find(|(key, _)| bare(key) == name)
        .map(|(_, value)| value)
}

fn object<'v>(value: &'v Value, at: &str) -> Result<&'v Map<String, Value>, NotationError> {
    value.as_object().ok_or_else(|| NotationError::Form {
        at: at.to_owned(),
        needed: "object",
    })
}

fn array<'v>(value: &'v Value, at: &str) -> Result<&'v Vec<Value>, NotationError> {
    value.as_array().ok_or_else(|| NotationError::Form {
        at: at.to_owned(),
        needed: "array",
    })
}

/// The table, at the top or in an interface.
fn find_table<'v>(
    document: &'v Value,
    port: &str,
) -> Result<&'v Map<String, Value>, NotationError> {
    const TABLE: &str = "gate-parameter-table";
    let top = object(document, "the document")?;
    if let Some(table) = member(top, TABLE) {
        return object(table, TABLE);
    }
    if member(top, "admin-control-list").is_some() {
        return Ok(top);
    }
    let none = || NotationError::NoTable {
        port: port.to_owned(),
    };
    let interfaces = top
        .get("ietf-interfaces:interfaces")
        .and_then(|interfaces| interfaces.get("interface"))
        .or_else(|| top.get("ietf-interfaces:interface"))
        .ok_or_else(none)?;
    let interfaces = array(interfaces, "interface")?;
    let named = |interface: &&Value| interface.get("name").and_then(Value::as_str) == Some(port);
    let interface = interfaces.iter().find(named).ok_or_else(|| {
        let names = interfaces.iter().map(|interface| interface.get("name"));
        let names = names
            .map(|name| name.map_or_else(|| "one without a name".to_owned(), Value::to_string));
        NotationError::NoInterface {
            port: port.to_owned(),
            found: names.collect::<Vec<_>>().join(", "),
        }
    })?;
    let interface = object(interface, "interface")?;
    let below = interface.get("ieee802-dot1q-bridge:bridge-port");
    let holder = match below {
        Some(bridge_port) => object(bridge_port, "bridge-port")?,
        None => interface,
    };
    object(member(holder, TABLE).ok_or_else(none)?, TABLE)
}

/// A number up to `most`; RFC 7951 has 64 bits in a string, some writers have 32 there too.
fn unsigned(
    value: &Value,
    at: &str,
    what: &'static str,
    most: u64,
    allowed: &'static str,
) -> Result<u64, NotationError> {
    let number = match value {
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        other => other.as_u64(),
    };
    number
        .filter(|number| *number <= most)
        .ok_or_else(|| NotationError::Value {
            at: at.to_owned(),
            what,
            found: value.to_string(),
            allowed,
        })
}

fn number(
    of: &Map<String, Value>,
    at: &str,
    what: &'static str,
    most: u64,
    allowed: &'static str,
) -> Result<u64, NotationError> {
    let value = of.get(what).ok_or_else(|| NotationError::Missing {
        at: at.to_owned(),
        what,
        needed: allowed,
    })?;
    unsigned(value, at, what, most, allowed)
}

fn known(
    of: &Map<String, Value>,
    at: &str,
    keys: &[&str],
    all: &'static str,
) -> Result<(), NotationError> {
    match of.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(word) => Err(NotationError::Unknown {
            at: at.to_owned(),
            word: word.clone(),
            allowed: all,
        }),
    }
}

/// In the order of their indices, whatever order they are written in: the list is keyed by them.
fn read_entries(value: &Value) -> Result<Vec<Entry>, NotationError> {
    const AT: &str = "admin-control-list";
    let list = object(value, AT)?;
    known(list, AT, &["gate-control-entry"], "gate-control-entry")?;
    let Some(entries) = list.get("gate-control-entry") else {
        return Ok(Vec::new());
    };
    let mut read: Vec<(u64, Entry)> = Vec::new();
    for (place, value) in array(entries, "gate-control-entry")?.iter().enumerate() {
        let at = format!("gate-control-entry[{place}]");
        let (index, entry) = read_entry(value, &at)?;
        if read.iter().any(|(other, _)| *other == index) {
            let what = format!("index {index}");
            return Err(NotationError::Twice { at, what });
        }
        read.push((index, entry));
    }
    read.sort_by_key(|(index, _)| *index);
    Ok(read.into_iter().map(|(_, entry)| entry).collect())
}

fn read_entry(value: &Value, at: &str) -> Result<(u64, Entry), NotationError> {
    const STATES: &str = "a number, 0 to 255, with bit i for the gate of traffic class i";
    const FORM: &str = "index, operation-name, time-interval-value, gate-states-value";
    let entry = object(value, at)?;
    let keys = [
        "index",
        "operation-name",
        "time-interval-value",
        "gate-states-value",
    ];
    known(entry, at, &keys, FORM)?;
    let index = number(entry, at, "index", LONGEST_ENTRY_NS, UINT32)?;
    let at = format!("{at} (index {index})");
    let operation = entry.get("operation-name").and_then(Value::as_str);
    match operation.map(|name| name.rsplit(':').next().unwrap_or(name)) {
        Some("set-gate-states") => {}
        Some("set-and-hold-mac" | "set-and-release-mac") => {
            return Err(NotationError::Preemption {
                at,
                found: operation.unwrap_or_default().to_owned(),
                allowed: SET,
            });
        }
        _ => {
            let found = entry
                .get("operation-name")
                .map_or("none".to_owned(), Value::to_string);
            return Err(NotationError::Value {
                at,
                what: "operation-name",
                found,
                allowed: SET,
            });
        }
    }
    let gates = number(entry, &at, "gate-states-value", 255, STATES)?;
    let duration_ns = number(
        entry,
        &at,
        "time-interval-value",
        LONGEST_ENTRY_NS,
        INTERVAL,
    )?;
    if duration_ns == 0 {
        return Err(NotationError::Value {
            at,
            what: "time-interval-value",
            found: "0".to_owned(),
            allowed: INTERVAL,
        });
    }
    let gates = u32::try_from(gates).unwrap_or(0);
    Ok((
        index,
        Entry {
            at,
            gates,
            duration_ns,
        },
    ))
}

/// A rational number of seconds that is whole nanoseconds.
fn read_cycle(value: &Value) -> Result<u64, NotationError> {
    const AT: &str = "admin-cycle-time";
    let cycle = object(value, AT)?;
    known(
        cycle,
        AT,
        &["numerator", "denominator"],
        "numerator, denominator",
    )?;
    let numerator = number(cycle, AT, "numerator", LONGEST_ENTRY_NS, UINT32)?;
    let denominator = number(
        cycle,
        AT,
        "denominator",
        LONGEST_ENTRY_NS,
        "1 to 4294967295",
    )?;
    let nanos = u128::from(numerator) * u128::from(NANOS);
    let whole = nanos.checked_rem(u128::from(denominator)) == Some(0) && nanos > 0;
    let cycle_ns = u64::try_from(nanos / u128::from(denominator.max(1))).ok();
    cycle_ns
        .filter(|_| whole)
        .ok_or_else(|| NotationError::Value {
            at: AT.to_owned(),
            what: "a cycle of",
            found: format!("{numerator}/{denominator} s"),
            allowed: "whole nanoseconds, more than 0",
        })
}

/// Seconds and nanoseconds of the PTP timescale, which is that of CLOCK_TAI.
fn read_base(value: &Value) -> Result<u64, NotationError> {
    const AT: &str = "admin-base-time";
    const CLOCK: &str = "0 to 18446744072, up to the year 2554";
    let base = object(value, AT)?;
    known(
        base,
        AT,
        &["seconds", "nanoseconds"],
        "seconds, nanoseconds",
    )?;
    let seconds = number(base, AT, "seconds", u64::MAX / NANOS - 1, CLOCK)?;
    let nanos = match base.get("nanoseconds") {
        Some(value) => unsigned(value, AT, "nanoseconds", NANOS - 1, "0 to 999999999")?,
        None => 0,
    };
    Ok(seconds * NANOS + nanos)
}

fn read_sdus(value: &Value) -> Result<Vec<(usize, u64)>, NotationError> {
    let mut all: Vec<(usize, u64)> = Vec::new();
    for (place, value) in array(value, "queue-max-sdu-table")?.iter().enumerate() {
        let at = format!("queue-max-sdu-table[{place}]");
        let row = object(value, &at)?;
        let keys = ["traffic-class", "queue-max-sdu", "transmission-overrun"];
        known(row, &at, &keys, "traffic-class, queue-max-sdu")?;
        let class = number(row, &at, "traffic-class", CLASSES as u64 - 1, "0 to 7")?;
        let class = usize::try_from(class).unwrap_or(CLASSES);
        if all.iter().any(|(other, _)| *other == class) {
            let what = format!("traffic class {class}");
            return Err(NotationError::Twice { at, what });
        }
        let octets = match row.get("queue-max-sdu") {
            Some(value) => unsigned(value, &at, "queue-max-sdu", LONGEST_ENTRY_NS, UINT32)?,
            None => 0,
        };
        all.push((class, octets));
    }
    Ok(all)
}
