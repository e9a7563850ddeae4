//! What a signalling daemon is configured with is checked with the node's file.

use std::path::Path;

use pinode_signaling::daemon::LabelRange;

use super::{ConfigError, GuestImage, NodeConfig, parse, permanent_place_of, signaling_of};
use crate::dss::End;

const PORTS: &str = r#"[node]
name = "n1"
[[port]]
name = "west"
backend = "memory:west"
mode = "access"
pi = "dss"
vn = 5
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "dss", for = "100us" }]
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "dss", for = "100us" }, { pi = "can", for = "100us" }]
[[port]]
name = "south"
backend = "memory:south"
mode = "access"
pi = "can"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "can", for = "100us" }]
[[port]]
name = "north"
backend = "memory:north"
mode = "access"
pi = "can"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "can", for = "100us" }]
[pi.can]
code = 2
guest = "builtin:patch"
[pi.dss]
code = 3
vns = [0, 5]
"#;
const STREAMS: &str = "[pi.dss.level2]\ndiscipline = \"streams\"\n";

fn read(more: &str) -> Result<NodeConfig, ConfigError> {
    let text = format!("{PORTS}{more}");
    parse("node.toml", Path::new(""), &text, &["patch", "dss"])
}

fn problem(more: &str) -> String {
    let error = read(more).expect_err("a mistake");
    let [problem] = &error.problems[..] else {
        panic!("{error}")
    };
    format!("{}: {}", problem.at, problem.what)
}

#[test]
fn a_pi_of_code_3_is_a_switch_and_has_no_daemon_unless_asked_for() {
    let node = read("").unwrap();
    assert_eq!(node.pis[1].guest, GuestImage::Builtin("dss".to_owned()));
    assert_eq!(signaling_of(&node, 1), None);
    assert_eq!(
        problem("[pi.dss.config]\nconnections = 0"),
        "pi.dss.config: connections: 0 is out of range; allowed: 1 to 1048576"
    );
}

#[test]
fn a_daemon_is_told_of_the_ports_that_its_pi_has_phases_at() {
    let more = "[pi.dss.signaling]\nroute = [{ prefix = \"47/8\", port = \"east\" }]\n";
    let node = read(&format!("{STREAMS}{more}")).unwrap();
    let told = signaling_of(&node, 1).unwrap();
    let ports: Vec<_> = told
        .ports
        .iter()
        .map(|port| (port.number, &*port.name, port.edge, port.vn))
        .collect();
    assert_eq!(
        ports,
        [(0, "west", true, Some(5)), (1, "east", false, None)]
    );
    assert_eq!(told.vns, [0, 5]);
    assert_eq!(told.routes.len(), 1);
    assert_eq!(
        (told.routes[0].port, told.host, told.switch),
        (1, None, true)
    );
    let one = read(&format!(
        "{STREAMS}[pi.dss.signaling]\nports = [\"east\"]\n"
    ))
    .unwrap();
    assert_eq!(signaling_of(&one, 1).unwrap().ports.len(), 1);
}

#[test]
fn labels_of_connections_of_the_file_are_the_daemons_to_leave_alone() {
    let connection = |port: &str, vn: u8, label: u32| {
        format!("{{ port = \"{port}\", vn = {vn}, label = {label}, rate = \"100kbps\" }}")
    };
    let told = |connections: &[String]| {
        let connections = format!("connections = [{}]\n", connections.join(", "));
        let node = read(&format!(
            "queue = 4096\n{STREAMS}{connections}[pi.dss.signaling]\n"
        ));
        let node = node.unwrap();
        let told = signaling_of(&node, 1).unwrap().ports.into_iter();
        told.map(|port| port.labels).collect::<Vec<_>>()
    };
    let range = |vn, first, last| LabelRange { vn, first, last };
    assert_eq!(
        told(&[
            connection("east", 0, 18),
            connection("east", 0, 16),
            connection("east", 5, 18),
            connection("east", 0, 17),
            connection("east", 0, 20),
        ]),
        [
            vec![],
            vec![range(0, 16, 18), range(0, 20, 20), range(5, 18, 18)]
        ]
    );
    // What is apart is told in ranges of one, of which a packet holds so many.
    let every_other = |count: u32| -> Vec<String> {
        let labels = (0..count).map(|index| 1_048_574 - 2 * index);
        labels
            .map(|label| {
                let rate = "rate = \"1kbps\", buffer = 1";
                format!("{{ port = \"east\", vn = 0, label = {label}, {rate} }}")
            })
            .collect()
    };
    assert_eq!(told(&every_other(2_048))[1].len(), 2_048);
    let connections = format!("connections = [{}]\n", every_other(2_049).join(", "));
    assert!(
        problem(&format!(
            "queue = 4096\n{STREAMS}{connections}[pi.dss.signaling]\n"
        ))
        .starts_with("pi.dss.signaling: ports: 2049 ranges of labels")
    );
}

#[test]
fn mistakes_are_named() {
    let signaling = |keys: &str| problem(&format!("{STREAMS}[pi.dss.signaling]\n{keys}\n"));
    assert_eq!(
        problem("[pi.dss.signaling]\n"),
        "pi.dss.signaling: needs level2.discipline = \"streams\", which gives connections their rates; this one is \"fifo\""
    );
    assert!(
        problem(&format!(
            "guest = \"builtin:patch\"\n{STREAMS}[pi.dss.signaling]\n"
        ))
        .starts_with("pi.dss.signaling: is for guest = \"builtin:dss\"")
    );
    assert_eq!(
        signaling("ports = [\"north\"]"),
        "pi.dss.signaling.ports: no connection of this PI leaves by port \"north\"; allowed: west, east"
    );
    assert_eq!(
        signaling("ports = [\"east\"]\nroute = [{ prefix = \"47/8\", port = \"west\" }]"),
        "pi.dss.signaling.route: 47/8: no neighbour is spoken to on port \"west\"; allowed: east"
    );
    assert!(
        signaling("route = [{ prefix = \"47/4\", port = \"east\" }]")
            .contains("bits are set behind the length of the prefix")
    );
    assert!(signaling("jitter = 5").contains("jitter"));
    assert_eq!(
        signaling("calls = 0"),
        "pi.dss.signaling.calls: 0 is not allowed; allowed: 1 to 1048576"
    );
    assert!(signaling("label = 5").contains("label: unknown key"));
    let permanent = |keys: &str| {
        problem(&format!(
            "{STREAMS}[[pi.dss.signaling.permanent]]\nname = \"camera\"\n{keys}\n"
        ))
    };
    let called = "called = \"4700000000000000000000000000000000000205\"";
    let listen = "listen = \"4700000000000000000000000000000000000205\"";
    for (keys, what) in [
        (
            format!("port = \"north\"\nlabel = 100\n{listen}"),
            "camera: port: no connection of this PI leaves by port \"north\"; allowed: west, east",
        ),
        (
            format!("port = \"west\"\nvn = 0\nlabel = 100\n{listen}"),
            "camera: vn: port \"west\" does not carry virtual network 0; allowed: 5",
        ),
        (
            format!("port = \"west\"\nlabel = 15\n{listen}"),
            "label: 15 is not allowed; allowed: 16 to 1048575",
        ),
        (
            format!("port = \"west\"\nlabel = 1048575\nlabels = 2\n{listen}"),
            "camera: label: 2 labels from 1048575 on; allowed: 1 to 1024, of 16 to 1048575",
        ),
        (
            format!("port = \"west\"\nlabel = 100\n{called}"),
            "camera: rate: nothing is asked for; needed: rate, back or ubr",
        ),
        (
            format!("port = \"west\"\nlabel = 100\n{called}\nrate = \"1Mbps\"\ncdvt = \"1s\""),
            "camera: cdvt: 1000000000 ns; allowed: up to 100000000",
        ),
        (
            format!("port = \"west\"\nlabel = 100\n{called}\n{listen}"),
            "needs either called or listen",
        ),
        (
            format!("port = \"west\"\nlabel = 100\n{listen}\nrate = \"1Mbps\""),
            "rate: unknown key",
        ),
        (
            format!("port = \"west\"\nlabel = 100\nlabels = 64\n{listen}"),
            "the guest would need 65 sockets; allowed: 64",
        ),
    ] {
        let said = permanent(&keys);
        assert!(said.contains(what), "{said}\nand not\n{what}");
    }
    let null = "called = \"0000000000000000000000000000000000000000\"";
    let said = permanent(&format!(
        "port = \"west\"\nlabel = 100\n{null}\nrate = \"1Mbps\""
    ));
    assert!(
        said.contains("camera: called: the null address is nobody's; allowed: "),
        "{said}"
    );
    let twice = "{ prefix = \"47/8\", port = \"east\" }";
    assert!(
        signaling(&format!("route = [{twice}, {twice}]"))
            .contains("47/8 leads to port east already")
    );
}

#[test]
fn no_permanent_end_has_the_label_of_a_connection_of_the_file() {
    let with = |port: &str, vn: u8, label: u32, labels: u16| {
        let connections = "connections = [{ port = \"east\", vn = 5, label = 102, rate = \"100kbps\" }, \
                           { port = \"east\", vn = 5, label = 101, rate = \"100kbps\" }]";
        let listen = "listen = \"4700000000000000000000000000000000000205\"";
        read(&format!(
            "queue = 4096\n{STREAMS}{connections}\n[[pi.dss.signaling.permanent]]\nname = \"screen\"\n\
             port = \"{port}\"\nvn = {vn}\nlabel = {label}\nlabels = {labels}\n{listen}\n"
        ))
    };
    for (label, labels, first) in [(101, 1, 101), (102, 3, 102), (90, 20, 101)] {
        let error = with("east", 5, label, labels).expect_err("a label of the file");
        let said = error.to_string();
        let what = format!(
            "screen: label: {first} in virtual network 5 at port \"east\" is a connection's of level2.connections; \
             allowed: 16 to 1048575 but for those"
        );
        assert!(said.contains(&what), "{said}\nand not\n{what}");
    }
    for (port, vn, label, labels) in [
        ("east", 5, 100, 1),
        ("east", 5, 103, 8),
        ("east", 0, 101, 2),
        ("west", 5, 101, 2),
    ] {
        with(port, vn, label, labels).unwrap();
    }
}

#[test]
fn permanent_ends_are_read_with_what_is_left_out() {
    let more = "[[pi.dss.signaling.permanent]]
name = \"camera\"
port = \"west\"
label = 100
called = \"4700000000000000000000000000000000000205\"
rate = \"10Mbps\"
[[pi.dss.signaling.permanent]]
name = \"screen\"
port = \"east\"
label = 200
labels = 4
listen = \"4700000000000000000000000000000000000206\"
";
    let node = read(&format!("{STREAMS}{more}")).unwrap();
    let signaling = node.pis[1].signaling.as_ref().unwrap();
    let [camera, screen] = &signaling.permanents[..] else {
        panic!("two ends")
    };
    let at = permanent_place_of(&node, 1, camera).unwrap();
    assert_eq!((at.port, at.vn, at.label, at.labels), (0, 5, 100, 1));
    let End::Call { address, qos, .. } = camera.end else {
        panic!("{camera:?}")
    };
    let sent = qos.transmit.unwrap();
    assert_eq!((address, qos.receive), (None, None));
    assert_eq!(sent.wire_bps(), Some(10_000_000));
    assert_eq!((sent.max_sdu, sent.cdvt_ns), (1_400, 2_000_000));
    let at = permanent_place_of(&node, 1, screen).unwrap();
    assert_eq!((at.port, at.vn, at.label, at.labels), (1, 0, 200, 4));
}
