//! Schedules out and in again, the rules of the standard on the way in, and what is refused with which
//! words.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};

use super::*;

const PIS: [&str; 3] = ["ipv6qos", "can", "dss"];

fn gates(count: usize) -> Vec<GateStatus> {
    let name = |i: usize| {
        PIS.get(i)
            .map_or_else(|| format!("pi{i}"), |pi| (*pi).to_owned())
    };
    (0..count)
        .map(|i| GateStatus {
            pi: name(i),
            max_sdu: 1500,
            limited: false,
        })
        .collect()
}

fn entry(pi: &str, duration_ns: u64) -> PhaseEntry {
    PhaseEntry {
        pi: pi.to_owned(),
        duration_ns,
    }
}

fn port(phases: Vec<PhaseEntry>, base_tai_ns: u64, extension_ns: u64, count: usize) -> PortPhases {
    PortPhases {
        port: "west".to_owned(),
        oper: Schedule {
            base_tai_ns,
            cycle_ns: phases.iter().map(|phase| phase.duration_ns).sum(),
            guard_ns: 0,
            extension_ns,
            phases,
        },
        admin: None,
        gates: gates(count),
    }
}

fn thirds() -> PortPhases {
    let phases = PIS.map(|pi| entry(pi, 100_000)).to_vec();
    port(phases, 0, 0, 3)
}

fn from_taprio(text: &str) -> Result<Imported, String> {
    let list = read_taprio(text).and_then(|list| list.into_phases(&gates(3)));
    list.map_err(|error| error.to_string())
}

fn from_ieee(document: &Value) -> Result<Imported, String> {
    let list = read_ieee(&document.to_string(), "west");
    let list = list.and_then(|list| list.into_phases(&gates(3)));
    list.map_err(|error| error.to_string())
}

#[test]
fn taprio_as_tc_takes_it() {
    assert_eq!(
        write_taprio(&thirds()).unwrap(),
        "# port west: bit 0 (01) is ipv6qos, bit 1 (02) can, bit 2 (04) dss, 00 is nobody\n\
         # the guard of 0ns is the port's own, and not part of this\n\
         base-time 0 \\\n\
         sched-entry S 01 100000 \\\n\
         sched-entry S 02 100000 \\\n\
         sched-entry S 04 100000 \\\n\
         cycle-time 300000 \\\n\
         cycle-time-extension 0 \\\n\
         clockid CLOCK_TAI\n"
    );
}

#[test]
fn what_waits_is_said_and_not_written() {
    let mut port = thirds();
    let document = write_ieee(std::slice::from_ref(&port)).unwrap();
    port.admin = Some(Schedule {
        base_tai_ns: 7,
        ..port.oper.clone()
    });
    let said = "another schedule waits for TAI 7 ns; this is the one in force";
    assert_eq!(waiting(&port).as_deref(), Some(said));
    assert!(
        write_taprio(&port)
            .unwrap()
            .contains(&format!("# {said}\n"))
    );
    // State of a device is no configuration: the document stays valid as one.
    assert_eq!(write_ieee(&[port]).unwrap(), document);
}

#[test]
fn a_whole_tc_command_is_read() {
    let command = "\
        # three classes\n\
        tc qdisc replace dev eth0 parent root handle 100 taprio num_tc 3 \\\n\
          map 2 2 1 0 2 2 2 2 2 2 2 2 2 2 2 2 queues 1@0 1@1 2@2 \\\n\
          base-time 1700000000000000000 sched-entry S 01 0x186a0 \\\n\
          sched-entry S 0x0 20000 sched-entry S 4 80000 flags 0x0 clockid CLOCK_TAI\n";
    let imported = from_taprio(command).unwrap();
    let phases = [
        entry("ipv6qos", 100_000),
        entry("none", 20_000),
        entry("dss", 80_000),
    ];
    assert_eq!(imported.phases, phases);
    assert_eq!(imported.base_tai_ns, 1_700_000_000_000_000_000);
    assert_eq!(
        (imported.extension_ns, &imported.notes[..]),
        (None, &[][..])
    );
}

#[test]
fn ieee_as_the_yang_modules_have_it() {
    let mut west = port(
        vec![entry("can", 100_000), entry("none", 25_000)],
        1_500_000_000,
        7,
        2,
    );
    west.gates[1].max_sdu = 1000;
    west.gates[1].limited = true;
    let document = write_ieee(&[west]).unwrap();
    let interface = &document["ietf-interfaces:interfaces"]["interface"][0];
    assert_eq!(interface["name"], "west");
    let table = &interface["ieee802-dot1q-bridge:bridge-port"]["ieee802-dot1q-sched-bridge:gate-parameter-table"];
    assert_eq!(
        *table,
        json!({
            "queue-max-sdu-table": [
                { "traffic-class": 0, "queue-max-sdu": 0 },
                { "traffic-class": 1, "queue-max-sdu": 1000 },
            ],
            "gate-enabled": true,
            "admin-gate-states": 0,
            "admin-control-list": { "gate-control-entry": [
                { "index": 0, "operation-name": "ieee802-dot1q-sched:set-gate-states",
                  "time-interval-value": 100_000, "gate-states-value": 2 },
                { "index": 1, "operation-name": "ieee802-dot1q-sched:set-gate-states",
                  "time-interval-value": 25_000, "gate-states-value": 0 },
            ] },
            "admin-cycle-time": { "numerator": 1, "denominator": 8000 },
            "admin-cycle-time-extension": 7,
            "admin-base-time": { "seconds": "1", "nanoseconds": 500_000_000 },
            "config-change": true,
            "supported-list-max": 1024,
            "supported-cycle-max": { "numerator": 10, "denominator": 1 },
            "supported-interval-max": 4_294_967_295u32,
        })
    );
}

/// The rule of IEEE 802.1Q-2018 8.6.9.2: at the end of the cycle the list begins anew, and until then
/// its last entry holds.
#[test]
fn a_cycle_cuts_the_list_or_extends_its_last_entry() {
    let list = "sched-entry S 01 100 sched-entry S 02 200 sched-entry S 04 300";
    let cycle = |ns: u64| from_taprio(&format!("{list} cycle-time {ns}")).unwrap();
    let whole = vec![entry("ipv6qos", 100), entry("can", 200), entry("dss", 300)];
    assert_eq!(
        (cycle(600).phases, cycle(600).notes.len()),
        (whole.clone(), 0)
    );
    // tc takes 0 for what was left out.
    assert_eq!(cycle(0).phases, whole);
    assert_eq!(
        cycle(650).phases,
        [entry("ipv6qos", 100), entry("can", 200), entry("dss", 350)]
    );
    assert_eq!(
        cycle(650).notes,
        ["the cycle of 650ns extends the last entry by 50ns"]
    );
    assert_eq!(
        cycle(250).phases,
        [entry("ipv6qos", 100), entry("can", 150)]
    );
    assert_eq!(
        cycle(250).notes,
        ["the cycle of 250ns cuts 350ns off a list of 600ns, its last 1 entries whole"]
    );
    assert_eq!(
        cycle(300).phases,
        [entry("ipv6qos", 100), entry("can", 200)]
    );
    assert_eq!(cycle(100).phases, [entry("ipv6qos", 100)]);
    assert_eq!(cycle(1).phases, [entry("ipv6qos", 1)]);
}

#[test]
fn nothing_closes_between_entries_of_the_same_gates() {
    let imported =
        from_taprio("sched-entry S 1 10 sched-entry S 1 20 sched-entry S 0 5 sched-entry S 1 1");
    let phases = [entry("ipv6qos", 30), entry("none", 5), entry("ipv6qos", 1)];
    assert_eq!(imported.unwrap().phases, phases);
}

#[test]
fn every_mistake_in_taprio_names_its_line_and_what_is_allowed() {
    let interval = "nanoseconds, 1 to 4294967295";
    for (text, said) in [
        ("", "the gate control list has no entry; needed: one at least".to_owned()),
        (
            "base-time 0\n sched-entry S 03 100",
            "line 2: sched-entry 0: gate states 03 open 2 gates at once; allowed: one or none, each phase \
             belongs to one PI alone"
                .to_owned(),
        ),
        (
            "sched-entry S 01 100\nsched-entry S 08 100",
            "line 2: sched-entry 1: bit 3 is of no PI; allowed: 00 for nobody, bit 0 (01) is ipv6qos, \
             bit 1 (02) can, bit 2 (04) dss"
                .to_owned(),
        ),
        (
            "sched-entry H 01 100",
            "line 1: sched-entry 0: operation H is not allowed: it holds or releases preemptable frames \
             (IEEE 802.1Q-2018 6.7.2), and no frame is preempted here; allowed: S, which sets the gates"
                .to_owned(),
        ),
        ("sched-entry X 01 100", "line 1: sched-entry 0: operation X is not allowed; allowed: S".into()),
        (
            "sched-entry S 0z 100",
            "line 1: sched-entry 0: gate mask 0z is not allowed; allowed: a gate mask in hexadecimal, \
             such as 01"
                .to_owned(),
        ),
        ("sched-entry S 01 0", format!("line 1: sched-entry 0: interval 0 is not allowed; allowed: {interval}")),
        (
            "sched-entry S 01 4294967296",
            format!("line 1: sched-entry 0: interval 4294967296 is not allowed; allowed: {interval}"),
        ),
        ("sched-entry S 01 010", format!("line 1: sched-entry 0: interval 010 is not allowed; allowed: {interval}")),
        ("sched-entry S 01", format!("line 1: sched-entry 0: interval is missing; needed: {interval}")),
        (
            "base-time -5",
            "line 1: base-time -5 is not allowed; allowed: nanoseconds, 0 to 9223372036854775807".to_owned(),
        ),
        ("base-time 1 base-time 2", "line 1: base-time is given twice; allowed: once".to_owned()),
        (
            "clockid CLOCK_MONOTONIC",
            "line 1: clockid CLOCK_MONOTONIC is not allowed; allowed: CLOCK_TAI, which base times here \
             count in"
                .to_owned(),
        ),
        (
            "flags 0x2",
            "line 1: flags 0x2 is not allowed; allowed: 0x0: how frames leave is the port's own business \
             here"
                .to_owned(),
        ),
        (
            "\n\ntxtime-delay 500",
            "line 3: \"txtime-delay\" is not known; allowed: base-time, sched-entry, cycle-time, \
             cycle-time-extension, clockid, max-sdu, flags, and in front num_tc, map, queues"
                .to_owned(),
        ),
        (
            "sched-entry S 01 100 max-sdu 0 1000",
            "queueMaxSDU 1000 of traffic class 1 is not that of PI \"can\", which may send 1500 octets; \
             allowed: 1500, or another pi.can.max_sdu in node.toml"
                .to_owned(),
        ),
    ] {
        assert_eq!(from_taprio(text).unwrap_err(), said, "{text}");
    }
    // An entry that the cycle cuts off is judged all the same.
    assert!(from_taprio("sched-entry S 01 100 sched-entry S 30 100 cycle-time 50").is_err());
}

fn table(change: impl FnOnce(&mut Value)) -> Result<Imported, String> {
    let mut document = write_ieee(&[thirds()]).unwrap();
    let bridge = &mut document["ietf-interfaces:interfaces"]["interface"][0]["ieee802-dot1q-bridge:bridge-port"];
    change(&mut bridge["ieee802-dot1q-sched-bridge:gate-parameter-table"]);
    from_ieee(&document)
}

#[test]
fn the_table_alone_and_another_augment_are_read() {
    let whole = table(|_| {}).unwrap();
    let list = json!({ "gate-control-entry": [
        { "index": 7, "operation-name": "set-gate-states", "time-interval-value": 100_000, "gate-states-value": 4 },
        { "index": 2, "operation-name": "sched:set-gate-states", "time-interval-value": 100_000, "gate-states-value": 2 },
        { "index": 0, "operation-name": "ieee802-dot1q-sched:set-gate-states", "time-interval-value": 100_000, "gate-states-value": 1 },
    ] });
    let bare = json!({ "admin-control-list": list });
    assert_eq!(from_ieee(&bare).unwrap().phases, whole.phases);
    let top = json!({ "ieee802-dot1q-sched-bridge:gate-parameter-table": bare });
    assert_eq!(from_ieee(&top).unwrap().phases, whole.phases);
    let two = json!({ "ietf-interfaces:interfaces": { "interface": [
        { "name": "east" },
        { "name": "west", "ieee802-dot1dc-sched-if:gate-parameter-table": bare },
    ] } });
    assert_eq!(from_ieee(&two).unwrap().phases, whole.phases);
    let none = read_ieee(&two.to_string(), "east").unwrap_err();
    assert!(
        none.to_string()
            .starts_with("there is no gate-parameter-table of port \"east\"")
    );
    // What a device says of itself is no part of a schedule.
    let state = table(|table| table["oper-gate-states"] = json!(255)).unwrap();
    assert_eq!(state, whole);
}

/// Not even of the only one: an export of east says that it is of east.
#[test]
fn the_list_of_one_interface_is_not_put_onto_another() {
    let east = PortPhases {
        port: "east".to_owned(),
        ..thirds()
    };
    let document = write_ieee(&[east]).unwrap();
    let list = read_ieee(&document.to_string(), "east").unwrap();
    assert_eq!(list.entries.len(), 3);
    let error = read_ieee(&document.to_string(), "west").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no interface \"west\", and what is meant for another is not taken; found: \"east\"; \
         needed: an interface of that name, or the gate-parameter-table alone, which names none"
    );
    // The table alone may be put anywhere.
    let table =
        &document["ietf-interfaces:interfaces"]["interface"][0]["ieee802-dot1q-bridge:bridge-port"];
    for port in ["east", "west"] {
        assert_eq!(read_ieee(&table.to_string(), port).unwrap(), list);
    }
    let nameless = json!({ "ietf-interfaces:interfaces": { "interface": [{ "type": "iana-if-type:bridge" }] } });
    let error = read_ieee(&nameless.to_string(), "west").unwrap_err();
    assert!(
        error.to_string().contains("found: one without a name;"),
        "{error}"
    );
}

#[test]
fn every_mistake_in_ieee_names_its_entry_and_what_is_allowed() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 15] = [
        (
            |t| t["admin-control-list"]["gate-control-entry"][1]["gate-states-value"] = json!(6),
            "gate-control-entry[1] (index 1): gate states 06 open 2 gates at once",
        ),
        (
            |t| t["admin-control-list"]["gate-control-entry"][1]["gate-states-value"] = json!(8),
            "gate-control-entry[1] (index 1): bit 3 is of no PI",
        ),
        (
            |t| t["admin-control-list"]["gate-control-entry"][1]["gate-states-value"] = json!(256),
            "gate-control-entry[1] (index 1): gate-states-value 256 is not allowed; allowed: a number, 0 \
             to 255",
        ),
        (
            |t| t["admin-control-list"]["gate-control-entry"][2]["time-interval-value"] = json!(0),
            "gate-control-entry[2] (index 2): time-interval-value 0 is not allowed; allowed: nanoseconds, \
             1 to 4294967295",
        ),
        (
            |t| {
                t["admin-control-list"]["gate-control-entry"][2]["time-interval-value"] =
                    Value::Null
            },
            "time-interval-value null is not allowed",
        ),
        (
            |t| t["admin-control-list"]["gate-control-entry"][2]["index"] = json!(0),
            "gate-control-entry[2]: index 0 is given twice; allowed: once",
        ),
        (
            |t| {
                t["admin-control-list"]["gate-control-entry"][0]["operation-name"] =
                    json!("ieee802-dot1q-sched:set-and-hold-mac");
            },
            "gate-control-entry[0] (index 0): operation ieee802-dot1q-sched:set-and-hold-mac is not \
             allowed: it holds or releases preemptable frames",
        ),
        (
            |t| t["admin-control-list"]["gate-control-entry"][0]["operation-name"] = json!("open"),
            "operation-name \"open\" is not allowed; allowed: ieee802-dot1q-sched:set-gate-states",
        ),
        (
            |t| t["admin-control-list"]["gate-control-entry"] = json!([]),
            "the gate control list has no entry",
        ),
        (
            |t| t["gate-enabled"] = json!(false),
            "gate-enabled false is not allowed",
        ),
        (
            |t| t["admin-cycle-time"] = json!({ "numerator": 1, "denominator": 3 }),
            "admin-cycle-time: a cycle of 1/3 s is not allowed; allowed: whole nanoseconds",
        ),
        (
            |t| t["admin-cycle-time"] = json!({ "numerator": 1, "denominator": 0 }),
            "a cycle of 1/0 s is not allowed",
        ),
        (
            |t| t["admin-base-time"]["seconds"] = json!("18446744073"),
            "admin-base-time: seconds \"18446744073\" is not allowed; allowed: 0 to 18446744072",
        ),
        (
            |t| t["admin-base-time"]["nanoseconds"] = json!(1_000_000_000),
            "admin-base-time: nanoseconds 1000000000 is not allowed; allowed: 0 to 999999999",
        ),
        (
            |t| t["admin-gait"] = json!(1),
            "gate-parameter-table: \"admin-gait\" is not known; allowed: queue-max-sdu-table",
        ),
    ];
    for (change, said) in cases {
        let error = table(change).unwrap_err();
        assert!(error.contains(said), "{error}\n{said}");
    }
    let error = read_ieee("{", "west").unwrap_err().to_string();
    assert!(error.starts_with("not JSON: "), "{error}");
}

#[test]
fn initial_gate_states_are_noted_and_not_taken_over() {
    let notes = table(|t| t["admin-gate-states"] = json!(255))
        .unwrap()
        .notes;
    assert_eq!(
        notes,
        [
            "admin-gate-states 255 is not taken over: before its first base time all gates of a port are \
          closed"
        ]
    );
}

#[test]
fn a_limit_has_to_be_that_of_the_pi() {
    let sdu = |octets: u64| table(|t| t["queue-max-sdu-table"][1]["queue-max-sdu"] = json!(octets));
    // The port's MTU is 1500: no limit, that one, and more than it are the same.
    for same in [0, 1500, 9000] {
        assert!(sdu(same).is_ok(), "{same}");
    }
    assert!(sdu(1499).unwrap_err().contains("pi.can.max_sdu"));
    // A class without a PI has no gate.
    let other =
        table(|t| t["queue-max-sdu-table"] = json!([{ "traffic-class": 7, "queue-max-sdu": 5 }]));
    assert!(other.is_ok());
}

#[test]
fn the_ninth_pi_is_no_traffic_class() {
    let nine = port(vec![entry("pi8", 100_000)], 0, 0, 9);
    let error = write_ieee(std::slice::from_ref(&nine))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("PI \"pi8\" is gate 8;"), "{error}");
    let text = write_taprio(&nine).unwrap();
    assert!(text.contains("sched-entry S 100 100000"), "{text}");
}

/// Phases one behind the other of one PI are one window in these notations.
fn merged(phases: &[PhaseEntry]) -> Vec<PhaseEntry> {
    let mut merged: Vec<PhaseEntry> = Vec::new();
    for phase in phases {
        match merged.last_mut() {
            Some(last) if last.pi == phase.pi => last.duration_ns += phase.duration_ns,
            _ => merged.push(phase.clone()),
        }
    }
    merged
}

proptest! {
    #![proptest_config(Config {
        cases: 500,
        rng_seed: RngSeed::Fixed(802),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn what_is_written_reads_back(
        owners in prop::collection::vec((0usize..4, prop_oneof![1u64..500_000, 1u64..9_000_000_000]), 1..40),
        base_tai_ns in 0u64..4_000_000_000_000_000_000,
        extension_ns in 0u64..4_000_000_000,
    ) {
        let phases: Vec<PhaseEntry> = owners
            .iter()
            .map(|&(owner, ns)| entry(PIS.get(owner).copied().unwrap_or(NOBODY), ns))
            .collect();
        let port = port(phases, base_tai_ns, extension_ns, 3);
        let expected = Imported {
            phases: merged(&port.oper.phases),
            base_tai_ns,
            extension_ns: Some(extension_ns),
            notes: Vec::new(),
        };
        prop_assert_eq!(from_taprio(&write_taprio(&port).unwrap()).unwrap(), expected.clone());
        match write_ieee(&[port]) {
            Ok(document) => prop_assert_eq!(from_ieee(&document).unwrap(), expected),
            // A fraction of 32 bits each does not hold every cycle of seconds.
            Err(error) => prop_assert!(matches!(error, NotationError::TooLarge { .. }), "{}", error),
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,200}", words in prop::collection::vec(
        prop_oneof![
            Just("sched-entry"), Just("S"), Just("01"), Just("100"), Just("cycle-time"), Just("base-time"),
            Just("max-sdu"), Just("map"), Just("\n"), Just("-1"), Just("#"), Just("\\"), Just("taprio"),
            Just("99999999999999999999"),
        ], 0..30,
    )) {
        for text in [text, words.join(" ")] {
            let _ = from_taprio(&text);
            let _ = read_ieee(&text, "west");
        }
    }

    #[test]
    fn the_list_of_a_cycle_lasts_as_long_as_the_cycle(
        entries in prop::collection::vec((0u32..3, 1u64..1000), 1..10),
        cycle_ns in 1u64..12_000,
    ) {
        let list: String = entries
            .iter()
            .map(|(bit, ns)| format!("sched-entry S {:x} {ns}\n", 1 << bit))
            .collect();
        let imported = from_taprio(&format!("{list} cycle-time {cycle_ns}")).unwrap();
        let sum: u64 = imported.phases.iter().map(|phase| phase.duration_ns).sum();
        prop_assert_eq!(sum, cycle_ns);
        // At each instant the gates are those of the list, or of its last entry behind its end.
        let mut ends = 0;
        let mut at = Vec::new();
        for (bit, ns) in &entries {
            ends += ns;
            at.push((ends, PIS[*bit as usize]));
        }
        let listed = |t: u64| at.iter().find(|(ends, _)| t < *ends).or(at.last()).map(|(_, pi)| *pi);
        let mut begins = 0;
        for phase in &imported.phases {
            for t in begins..begins + phase.duration_ns {
                prop_assert_eq!(Some(phase.pi.as_str()), listed(t));
            }
            begins += phase.duration_ns;
        }
    }
}
