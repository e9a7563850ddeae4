//! `[pi.NAME.level2]`: what is read, what is filled in, and every mistake with its message.

use std::num::NonZeroU8;

use pinode_classifier::Vn;

use super::tests::{SMALL, messages_of, read};
use super::{
    DiffservConfig, Held, Level2Config, PhaseConfig, PolicedConfig, StreamConfig, StreamsConfig,
    WeightedConfig, admitted, bounds_at, stream_problems,
};

fn with(level2: &str) -> String {
    format!("{SMALL}[pi.can.level2]\n{level2}\n")
}

fn config(level2: &str) -> Level2Config {
    read(&with(level2)).unwrap().pis.swap_remove(0).level2
}

#[test]
fn disciplines_are_read() {
    let plain = read(SMALL).unwrap().pis.swap_remove(0).level2;
    assert_eq!(plain, Level2Config::Fifo);
    assert_eq!(config("discipline = \"fifo\""), Level2Config::Fifo);
    let empty = Level2Config::Diffserv(DiffservConfig::default());
    assert_eq!(config("discipline = \"diffserv\""), empty);
    let full = config(
        "discipline = \"diffserv\"\n\
         nc = { rate = \"1Mbps\", burst = \"2KiB\", limit = 10 }\n\
         rt = { rate = \"100Mbps\" }\n\
         as = { weight = 3, limit = 100 }\n\
         be = { limit = 50 }",
    );
    let expected = DiffservConfig {
        nc: PolicedConfig {
            rate_bps: Some(1_000_000),
            burst: Some(2048),
            limit: Some(10),
        },
        rt: PolicedConfig {
            rate_bps: Some(100_000_000),
            ..PolicedConfig::default()
        },
        assured: WeightedConfig {
            weight: NonZeroU8::new(3),
            limit: Some(100),
        },
        be: WeightedConfig {
            weight: None,
            limit: Some(50),
        },
    };
    assert_eq!(full, Level2Config::Diffserv(expected));
    assert_eq!(expected.limits(4096), [10, 512, 100, 50]);
    let Level2Config::Content(content) = config("discipline = \"content\"\nrequests = 7") else {
        panic!("not content");
    };
    assert_eq!((content.requests, content.data), (Some(7), None));
    let connection = "{ port = \"west\", label = 17, rate = \"2Mbps\", tolerance = \"50us\" }";
    assert_eq!(
        config(&format!(
            "discipline = \"streams\"\nconnections = [{connection}]"
        )),
        Level2Config::Streams(StreamsConfig {
            connections: vec![StreamConfig {
                port: "west".to_owned(),
                vn: Vn::DEFAULT,
                label: 17,
                rate_bps: 2_000_000,
                tolerance_ns: Some(50_000),
                buffer: 16,
                max_frame: None,
            }],
            ..StreamsConfig::default()
        })
    );
    let none = config("discipline = \"streams\"");
    assert_eq!(none, Level2Config::Streams(StreamsConfig::default()));
    let asked = config("discipline = \"streams\"\nmost = 100000\nsignalling = \"1Mbps\"");
    let expected = StreamsConfig {
        most: Some(100_000),
        signalling_bps: Some(1_000_000),
        connections: Vec::new(),
    };
    assert_eq!(asked, Level2Config::Streams(expected));
}

#[test]
fn what_is_left_out_fits_the_rings() {
    let classes = DiffservConfig::default();
    for frames in [64, 100, 4096, 262_144] {
        let limits = classes.limits(frames);
        assert_eq!(limits.iter().sum::<u32>(), frames);
        assert!(limits.iter().all(|limit| *limit > 0));
        for networks in [1, 3, 32] {
            let [requests, data] = super::ContentConfig::default().limits(frames, networks);
            assert!((requests + data) * networks <= frames);
            assert!(requests > 0 && data > 0);
        }
    }
    let [nc, rt] = classes.policed(4096, 300e6, 1518);
    assert_eq!((nc.rate_bps, rt.rate_bps), (15_000_000, 90_000_000));
    // 2 ms of it.
    assert_eq!((nc.burst, rt.burst), (3_750, 22_500));
    let [slow, _] = classes.policed(4096, 0.0, 1518);
    assert_eq!((slow.rate_bps, slow.burst), (1, 3_036), "two frames");
}

#[test]
fn mistakes_are_named() {
    let words = "\"fifo\", \"diffserv\", \"content\", \"streams\"";
    for (level2, message) in [
        (
            "nc = {}",
            "13: pi.can.level2.discipline: is missing; needed: \"fifo\", \"diffserv\", \"content\" or \
             \"streams\""
                .to_owned(),
        ),
        (
            "discipline = \"wfq\"",
            format!("14: pi.can.level2.discipline: \"wfq\" is not allowed; allowed: {words}"),
        ),
        (
            "discipline = \"fifo\"\nnc = {}",
            "15: pi.can.level2.nc: unknown key; allowed: discipline".to_owned(),
        ),
        (
            "discipline = \"diffserv\"\nef = {}",
            "15: pi.can.level2.ef: unknown key; allowed: discipline, nc, rt, as, be".to_owned(),
        ),
        (
            "discipline = \"diffserv\"\nrt = { weight = 1 }",
            "15: pi.can.level2.rt.weight: unknown key; allowed: rate, burst, limit".to_owned(),
        ),
        (
            "discipline = \"diffserv\"\nbe = { weight = 0 }",
            "15: pi.can.level2.be.weight: 0 is not allowed; allowed: 1 to 100".to_owned(),
        ),
        (
            "discipline = \"diffserv\"\nrt = { burst = \"1KiB\" }",
            "15: pi.can.level2.rt.burst: 1KiB is not allowed: the largest frame of 1518 octets could \
             never pass; allowed: 1518B or more"
                .to_owned(),
        ),
        (
            "discipline = \"diffserv\"\nas = { limit = 3000 }\nbe = { limit = 1000 }",
            "13: pi.can.level2: the limits of nc, rt, as and be sum up to 5024 frames, 928 more than \
             the 4096 that its transmit rings hold (queue times workers)"
                .to_owned(),
        ),
        (
            "discipline = \"content\"\nrequests = 4000\ndata = 100",
            "13: pi.can.level2: requests and data of all virtual networks sum up to 4100 frames, 4 \
             more than the 4096 that its transmit rings hold (queue times workers)"
                .to_owned(),
        ),
        (
            "discipline = \"diffserv\"\nas = { limit = 3072 }",
            "13: pi.can.level2: leaves no room for be, of which nothing could ever go; needed: 1 frame \
             of the 4096 that its transmit rings hold (queue times workers)"
                .to_owned(),
        ),
        (
            "discipline = \"content\"\ndata = 4096",
            "13: pi.can.level2: leaves no room for requests, of which nothing could ever go; needed: 1 \
             frame of the 4096 that its transmit rings hold (queue times workers)"
                .to_owned(),
        ),
    ] {
        assert_eq!(messages_of(&with(level2)), format!("node.toml:{message}"));
    }
}

#[test]
fn mistakes_of_connections_are_named() {
    for (connections, message) in [
        (
            "{ port = \"west\", label = 3, rate = \"1Mbps\" }",
            "[0].label: 3 is not allowed; allowed: 16 to 1048575",
        ),
        (
            "{ port = \"west\", label = 17, rate = \"1Mbps\", vn = 4 }",
            "[0].vn: virtual network 4 is not one that the PI carries",
        ),
        (
            "{ port = \"west\", label = 17 }",
            "[0].rate: is missing; needed: a rate, such as \"2Mbps\"",
        ),
        (
            "{ port = \"west\", label = 17, rate = \"1Mbps\", peak = 1 }",
            "[0].peak: unknown key; allowed: port, vn, label, rate, tolerance, buffer, max_frame",
        ),
        (
            "{ port = \"west\", label = 17, rate = \"1Mbps\" }, \
             { port = \"west\", label = 17, rate = \"2Mbps\" }",
            "[1]: port west has a connection with virtual network 0 and label 17 already",
        ),
        (
            "{ port = \"north\", label = 17, rate = \"1Mbps\" }",
            ": label 17: \"north\" is no port; allowed: west",
        ),
        (
            "{ port = \"west\", label = 17, rate = \"1Mbps\", buffer = 4000 }, \
             { port = \"west\", label = 18, rate = \"1Mbps\", buffer = 100 }",
            ": the buffers of signalling and of connections on port west sum up to 4164 frames, 68 more \
             than the 4096 that its transmit rings hold (queue times workers)",
        ),
        (
            "{ port = \"west\", label = 17, rate = \"500Mbps\" }, \
             { port = \"west\", label = 18, rate = \"377Mbps\" }",
            ": connections of PI \"can\" on port west sum up to 877.000 Mb/s and its signalling has 8.770 \
             Mb/s, and its phases guarantee 876.960 Mb/s: short by 8.810 Mb/s",
        ),
        // Twice half of what 64 bits hold is not 0.
        (
            "{ port = \"west\", label = 17, rate = \"9223372036854775808bps\" }, \
             { port = \"west\", label = 18, rate = \"9223372036854775808bps\" }",
            ": connections of PI \"can\" on port west sum up to 18446744073709.551 Mb/s and its signalling \
             has 8.770 Mb/s, and its phases guarantee 876.960 Mb/s: short by 18446744072832.594 Mb/s",
        ),
        (
            "{ port = \"west\", label = 17, rate = \"1Mbps\", tolerance = \"12us\" }",
            ": label 17 of PI \"can\" would not get its rate on port west: its tolerance of 12us is less \
             than the 12304 ns that it may have to wait for its phase, short by 304 ns; needed: a \
             tolerance of 12304 ns at least, and of 75757 ns whatever the other connections send",
        ),
    ] {
        let text = with(&format!(
            "discipline = \"streams\"\nconnections = [{connections}]"
        ));
        assert_eq!(
            messages_of(&text),
            format!("node.toml:15: pi.can.level2.connections{message}")
        );
    }
}

#[test]
fn what_there_is_for_connections_at_run_time_is_bounded() {
    for (keys, message) in [
        (
            "most = 1048577",
            "15: pi.can.level2.most: 1048577 is not allowed; allowed: 1 to 1048576",
        ),
        (
            "signalling = \"900Mbps\"",
            "15: pi.can.level2.signalling: connections of PI \"can\" on port west sum up to 0.000 Mb/s \
             and its signalling has 900.000 Mb/s, and its phases guarantee 876.960 Mb/s: short by 23.040 \
             Mb/s",
        ),
        (
            "most = 1\nconnections = [{ port = \"west\", label = 17, rate = \"1Mbps\" }, \
             { port = \"west\", label = 18, rate = \"1Mbps\" }]",
            "16: pi.can.level2.connections: 2 of them leave by port west; allowed: 1",
        ),
        (
            "connections = [{ port = \"west\", label = 17, rate = \"1Mbps\", max_frame = \"1519B\" }]",
            "15: pi.can.level2.connections: label 17: max_frame of 1519 octets is more than the 1518 that \
             the PI may send on port west",
        ),
        (
            "connections = [{ port = \"west\", label = 17, rate = \"1Mbps\", max_frame = \"63B\" }]",
            "15: pi.can.level2.connections[0].max_frame: 63B is not allowed; allowed: 64B and more",
        ),
    ] {
        let text = with(&format!("discipline = \"streams\"\n{keys}"));
        assert_eq!(messages_of(&text), format!("node.toml:{message}"));
    }
}

#[test]
fn a_schedule_that_starves_connections_is_a_problem_of_the_schedule() {
    let text = with(
        "discipline = \"streams\"\n\
         connections = [{ port = \"west\", label = 17, rate = \"800Mbps\" }]",
    );
    let node = read(&text).unwrap();
    let mut planned = node.ports[0].clone();
    assert_eq!(
        stream_problems(&planned, &node.pis, &Held::configured(&planned, &node.pis)),
        []
    );
    planned.phases[0].duration_ns = 50_000;
    let found = stream_problems(&planned, &node.pis, &Held::configured(&planned, &node.pis));
    assert_eq!(found.len(), 1);
    assert!(found[0].1.ends_with("short by 53.619 Mb/s"), "{found:?}");
}

/// Connections of a running node keep the tolerance of the schedule that it started with.
#[test]
fn another_schedule_is_judged_by_the_tolerance_in_force() {
    let text = with(
        "discipline = \"streams\"\n\
         connections = [{ port = \"west\", label = 17, rate = \"1Mbps\" }, \
         { port = \"west\", label = 18, rate = \"1Mbps\", tolerance = \"1ms\" }]",
    );
    let node = read(&text).unwrap();
    let started = &node.ports[0];
    let pi = &node.pis[0];
    let own = bounds_at(started, &node.needs(), 0).unwrap();
    let (_, filled_ns) = admitted(pi, pi.level2.streams("west"), &own, None);
    let mut held = Held::configured(started, &node.pis);
    held[0].filled_ns = Some(filled_ns);
    let with_rest = |rest_ns| {
        let mut planned = started.clone();
        planned.phases.push(PhaseConfig {
            owner: None,
            duration_ns: rest_ns,
        });
        planned
    };
    // T = 12,304 ns and R = 876.96 Mb/s at the start, of which signalling has a hundredth; a turn of both, a
    // frame on its way, one of signalling and the lookahead of 20 us: 89,929 ns. A rest of 60 us makes T
    // 72,304 ns, one of 78 us 90,304 ns.
    let enough = with_rest(60_000);
    assert_eq!(stream_problems(&enough, &node.pis, &held), []);
    let longer = with_rest(78_000);
    let found = stream_problems(&longer, &node.pis, &held);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].1,
        "label 17 of PI \"can\" would not get its rate on port west: its tolerance of 89929ns, filled in \
         from the schedules before, is less than the 90304 ns that it may have to wait for its phase, short \
         by 375 ns; needed: a tolerance of 90304 ns at least, and of 213942 ns whatever the other \
         connections send, in the configuration"
    );
    // Started with it, they are given what it takes.
    assert_eq!(
        stream_problems(&longer, &node.pis, &Held::configured(&longer, &node.pis)),
        []
    );
    // What is configured is what is in force.
    let much = with_rest(1_000_000);
    let both = stream_problems(&much, &node.pis, &held);
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(
        stream_problems(&much, &node.pis, &Held::configured(&much, &node.pis)),
        both[1..]
    );
}
