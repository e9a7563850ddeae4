//! The `pinode` binary as a script sees it: output, messages, exit codes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own, with the configuration `node.toml` in it.
struct Dir(TempDir);

const NODE: &str = r#"[node]
name = "n1"
[[port]]
name = "west"
backend = "memory:cable"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "can", for = "100us" }, { pi = "none", for = "200us" }]
[pi.can]
code = 2
guest = "builtin:patch"
[[port]]
name = "east"
backend = "memory:cable"
mode = "trunk"
capacity = "1Gbps"
cycle = { phases = [{ pi = "can", for = "100us" }, { pi = "none", for = "200us" }] }
"#;

impl Dir {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("node.toml"), config).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn pinode(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_pinode"))
            .args(args)
            .current_dir(self.0.path())
            .env_remove("PINODE_SOCKET")
            .env_remove("PINODE_LOG")
            .output()
            .unwrap()
    }
}

/// Exit code, stdout, stderr.
fn said(output: &Output) -> (Option<i32>, &str, &str) {
    let text = |octets| std::str::from_utf8(octets).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn alone_it_prints_short_help() {
    let output = Dir::new(NODE).pinode(&[]);
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (Some(0), ""));
    for command in [
        "demo", "run", "check", "status", "phases", "guest", "capture",
    ] {
        assert!(
            out.contains(&format!("\n  {command} ")),
            "{command} is not in {out}"
        );
    }
    assert!(out.lines().count() < 30, "{out}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let dir = Dir::new(NODE);
    for command in [
        "demo",
        "run",
        "check",
        "status",
        "phases",
        "phases show",
        "phases set",
        "guest",
        "guest list",
        "guest start",
        "guest stop",
        "guest restart",
        "guest console",
        "capture",
    ] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.push("--help");
        let output = dir.pinode(&args);
        let (code, out, _) = said(&output);
        assert_eq!(code, Some(0), "{command}");
        assert!(
            out.contains(&format!("Example:\n  pinode {command}"))
                || out.contains(&format!("  pinode {command} ")),
            "{command}: {out}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_usage() {
    let dir = Dir::new(NODE);
    for (args, part) in [
        (&["dance"][..], "unrecognized subcommand 'dance'"),
        (&["check"], "--config <FILE>"),
        (
            &["check", "-c", "node.toml", "--yaml"],
            "unexpected argument '--yaml'",
        ),
        (&["phases", "set", "west"], "<PI=DURATION>"),
        (
            &["phases", "set", "west", "can"],
            "allowed: PI=DURATION, such as can=80us",
        ),
        (&["phases", "set", "west", "can=80"], "ns, us, ms or s"),
        (
            &["phases", "set", "west", "can=80us", "--base-time", "soon"],
            "CLOCK_TAI",
        ),
        (&["phases", "show", "a/b"], "there is no port \"a/b\""),
        (&["guest", "stop", ""], "there is no guest \"\""),
        (&["capture", "a/b/c"], "allowed: PORT or GUEST/PORT"),
        (&["capture", "west", "--seconds=-1"], "--seconds"),
        (
            &["demo", "--isolation", "xen"],
            "possible values: kvm, thread",
        ),
    ] {
        let mut args = args.to_vec();
        if matches!(args[0], "phases" | "guest") && args.len() == 3 {
            args.extend(["--socket", "nowhere.sock"]);
        }
        let output = dir.pinode(&args);
        let (code, out, err) = said(&output);
        assert_eq!((code, out), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

#[test]
fn a_right_configuration_is_checked() {
    let dir = Dir::new(NODE);
    let output = dir.pinode(&["check", "-c", "node.toml"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (Some(0), ""));
    assert!(
        out.starts_with("port west: capacity 1Gbps, cycle 300us, guard 0ns\n"),
        "{out}"
    );
    let row = out
        .lines()
        .find(|line| line.trim_start().starts_with("79 "))
        .unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        row,
        [
            "79", "126", "265.4", "420.0", "200.8", "67.2", "233.3", "201.6", "85"
        ]
    );
    assert!(out.ends_with("node.toml: ok\n"), "{out}");

    let output = dir.pinode(&["check", "-c", "node.toml", "--json"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (Some(0), ""));
    let document: Value = serde_json::from_str(out).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(
        document["ports"][0]["pi"]["can"]["sizes"][0]["ceiling_bps"],
        265_440_000.0
    );
}

#[test]
fn a_wrong_configuration_names_file_line_and_key() {
    let wrong = NODE
        .replacen("\"trunk\"", "\"trunkk\"", 1)
        .replace("code = 2", "code = 9");
    let dir = Dir::new(&wrong);
    let expected = "node.toml:6: port.west.mode: \"trunkk\" is not allowed; allowed: \"trunk\", \
                    \"access\"\nnode.toml:11: pi.can.code: 9 is not allowed; allowed: 1 to 7\n";
    for command in ["check", "run"] {
        let output = dir.pinode(&[command, "-c", "node.toml"]);
        assert_eq!(said(&output), (Some(2), "", expected), "{command}");
    }
    let output = dir.pinode(&["check", "-c", "node.toml", "--json"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (Some(2), ""));
    let document: Value = serde_json::from_str(out).unwrap();
    assert_eq!(document["ok"], false);
    assert_eq!(document["ports"], serde_json::json!([]));
    assert_eq!(
        document["problems"],
        serde_json::json!([
            { "line": 6, "where": "port.west.mode",
              "what": "\"trunkk\" is not allowed; allowed: \"trunk\", \"access\"" },
            { "line": 11, "where": "pi.can.code", "what": "9 is not allowed; allowed: 1 to 7" },
        ])
    );
}

#[test]
fn a_schedule_that_cannot_hold_is_refused() {
    let dir = Dir::new(&NODE.replace("for = \"100us\"", "for = \"10us\""));
    let output = dir.pinode(&["check", "-c", "node.toml", "--json"]);
    let (code, out, _) = said(&output);
    assert_eq!(code, Some(2));
    let document: Value = serde_json::from_str(out).unwrap();
    assert_eq!(document["problems"][0]["where"], "port.west.cycle");
    let what = document["problems"][0]["what"].as_str().unwrap();
    assert!(what.contains("takes 12304 ns at 1Gbps"), "{what}");
}

#[test]
fn a_configuration_that_is_not_there() {
    for command in ["check", "run"] {
        let output = Dir::new(NODE).pinode(&[command, "-c", "other.toml"]);
        let missing = "other.toml: cannot be read: No such file or directory (os error 2)\n";
        assert_eq!(said(&output), (Some(2), "", missing), "{command}");
    }
}

#[test]
fn without_a_node_the_commands_of_a_running_node_say_so() {
    let dir = Dir::new(NODE);
    drop(UnixListener::bind(dir.path("stale.sock")).unwrap());
    for (socket, why) in [
        ("nowhere.sock", "No such file or directory (os error 2)"),
        ("stale.sock", "Connection refused (os error 111)"),
    ] {
        for command in [
            &["status", "--json"][..],
            &["phases", "show"],
            &["phases", "set", "west", "can=80us"],
            &["guest", "list"],
            &["guest", "restart", "can"],
            &["guest", "console", "can"],
            &["capture", "west", "-w", "out.pcapng"],
        ] {
            let mut args = command.to_vec();
            args.extend(["--socket", socket]);
            let output = dir.pinode(&args);
            let expected = format!(
                "pinode: no node answers on {socket}: {why}; is it running (pinode run -c \
                 node.toml), and may you open its socket?\n"
            );
            assert_eq!(said(&output), (Some(1), "", &*expected), "{args:?}");
        }
    }
    assert!(
        !dir.path("out.pcapng").exists(),
        "a capture that was refused leaves no file"
    );
}

#[test]
fn a_socket_in_use_is_not_taken() {
    let dir = Dir::new(&NODE.replace("name = \"n1\"", "name = \"n1\"\nisolation = \"thread\""));
    let _live = UnixListener::bind(dir.path("n1.sock")).unwrap();
    let output = dir.pinode(&["run", "-c", "node.toml", "--socket", "n1.sock"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (Some(1), ""), "{err}");
    assert_eq!(
        err,
        "pinode: control socket n1.sock is in use by a running node; stop that node, or choose \
         another socket with --socket or PINODE_SOCKET\n"
    );
}

#[test]
fn a_cpu_that_is_not_there_is_found_out_by_run() {
    let pinned = "name = \"n1\"\nisolation = \"thread\"\ncpus = { workers = [1023] }";
    let dir = Dir::new(&NODE.replace("name = \"n1\"", pinned));
    // The configuration may be meant for another machine.
    assert_eq!(
        dir.pinode(&["check", "-c", "node.toml"]).status.code(),
        Some(0)
    );
    let output = dir.pinode(&["run", "-c", "node.toml", "--socket", "n1.sock"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (Some(1), ""), "{err}");
    let message = "pinode: node.toml: node.cpus.workers: CPU 1023 cannot be used on this machine; \
                   allowed here: 0";
    assert!(err.starts_with(message), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// A node that is killed if the test does not end it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits up to ten seconds.
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn streams_of_a_node_that_ends_end_well() {
    let dir = Dir::new(&NODE.replace("name = \"n1\"", "name = \"n1\"\nisolation = \"thread\""));
    let start = |args: &[&str]| {
        let command = Command::new(env!("CARGO_BIN_EXE_pinode"))
            .args(args)
            .args(["--socket", "n1.sock"])
            .current_dir(dir.0.path())
            .env_remove("PINODE_SOCKET")
            .env("PINODE_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        command.unwrap()
    };
    let mut node = Running(start(&["run", "-c", "node.toml"]));
    let mut ready = String::new();
    let mut out = BufReader::new(node.0.stdout.take().unwrap());
    out.read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready n1.sock\n");

    // Far enough ahead to be a mistake.
    let far = [
        "phases",
        "set",
        "west",
        "can=300us",
        "--base-time",
        "9999999999999999999",
    ];
    let output = start(&far).wait_with_output().unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (Some(2), ""), "{err}");
    assert!(
        err.starts_with("pinode: base_tai_ns: 9999999999999999999 ns of CLOCK_TAI is more than a year ahead; allowed: up to 1"),
        "{err}"
    );

    let capture = start(&["capture", "west", "-w", "west.pcapng"]);
    let console = start(&["guest", "console", "can", "-f"]);
    let api_threads = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", node.0.id())).unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        let streams = names.filter(|name| matches!(name.trim(), "api-capture" | "api-console"));
        streams.count()
    };
    wait_until("both clients read", || {
        api_threads() == 2 && dir.path("west.pcapng").exists()
    });
    let pid = node.0.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    for client in [capture, console] {
        let output = client.wait_with_output().unwrap();
        let (code, _, err) = said(&output);
        assert_eq!((code, err), (Some(0), "pinode: the node ended\n"));
    }
    assert_eq!(node.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_examples_of_the_documentation_are_right() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    for backend in ["memory:", "af_xdp:", "af_packet:", "tap:", "pcap:"] {
        let shown = examples
            .iter()
            .any(|example| example.contains(&format!("backend = \"{backend}")));
        assert!(shown, "no example of {backend}");
    }
    for example in examples {
        let output = Dir::new(example).pinode(&["check", "-c", "node.toml"]);
        let (code, _, err) = said(&output);
        assert_eq!(code, Some(0), "{err}\n{example}");
    }
}

#[test]
fn a_log_level_that_is_none_is_usage() {
    let dir = Dir::new(NODE);
    let output = Command::new(env!("CARGO_BIN_EXE_pinode"))
        .args(["run", "-c", "node.toml"])
        .current_dir(dir.0.path())
        .env("PINODE_LOG", "loud")
        .output()
        .unwrap();
    let message = "pinode: PINODE_LOG: \"loud\" is not allowed; allowed: off, error, warn, info, \
                   debug, trace\n";
    assert_eq!(said(&output), (Some(2), "", message));
}

/// Bit 0 is can, bit 1 dss.
const TWO: &str = r#"[node]
name = "n1"
[[port]]
name = "west"
backend = "memory:cable"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
guard = "1us"
base_time = "5s"
extension = "10us"
phases = [{ pi = "can", for = "100us" }, { pi = "none", for = "20us" }, { pi = "dss", for = "80us" }]
[pi.can]
code = 2
guest = "builtin:patch"
[pi.dss]
code = 3
guest = "builtin:patch"
max_sdu = 1000
[[port]]
name = "east"
backend = "memory:cable"
mode = "trunk"
capacity = "1Gbps"
cycle = { phases = [{ pi = "can", for = "100us" }, { pi = "dss", for = "100us" }] }
"#;

#[test]
fn a_schedule_goes_out_and_comes_in_again_as_a_part_of_the_configuration() {
    let dir = Dir::new(TWO);
    for format in ["taprio", "ieee"] {
        let out = dir.pinode(&[
            "phases",
            "export",
            "west",
            "--format",
            format,
            "-c",
            "node.toml",
        ]);
        let (code, text, errors) = said(&out);
        assert_eq!((code, errors), (Some(0), ""), "{text}");
        fs::write(dir.path("west.txt"), text).unwrap();
        let out = dir.pinode(&["phases", "import", "-c", "node.toml", "west", "west.txt"]);
        let (code, part, errors) = said(&out);
        assert_eq!((code, errors), (Some(0), ""), "{part}");
        assert_eq!(
            part,
            "[port.cycle]\nguard = \"1us\"\nbase_time = \"5s\"\nextension = \"10us\"\nphases = [\n  \
             { pi = \"can\", for = \"100us\" },\n  { pi = \"none\", for = \"20us\" },\n  \
             { pi = \"dss\", for = \"80us\" },\n]\n"
        );
        // The part takes the place of the one it came from.
        let begin = TWO.find("[port.cycle]").unwrap();
        let end = TWO.find("[pi.can]").unwrap();
        let whole = format!("{}{part}{}", &TWO[..begin], &TWO[end..]);
        fs::write(dir.path("again.toml"), whole).unwrap();
        let out = dir.pinode(&["check", "-c", "again.toml"]);
        assert_eq!(said(&out).0, Some(0), "{:?}", said(&out));
    }
    // All ports in one document.
    let out = dir.pinode(&["phases", "export", "--format", "ieee", "-c", "node.toml"]);
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    let interfaces = &document["ietf-interfaces:interfaces"]["interface"];
    let names: Vec<_> = [0, 1]
        .map(|i| interfaces[i]["name"].as_str().unwrap())
        .into();
    assert_eq!(names, ["west", "east"]);
}

#[test]
fn what_is_imported_has_to_hold_and_says_where_it_does_not() {
    let dir = Dir::new(TWO);
    let import = |text: &str, more: &[&str]| {
        fs::write(dir.path("x.taprio"), text).unwrap();
        let mut args = vec!["phases", "import", "-c", "node.toml", "west", "x.taprio"];
        args.extend(more);
        let out = dir.pinode(&args);
        let (code, stdout, stderr) = said(&out);
        assert!(code == Some(0) || stdout.is_empty(), "{stdout}");
        (code, stderr.to_owned())
    };
    let two = "sched-entry S 01 100000 sched-entry S 02 100000";
    for (text, says) in [
        (
            "sched-entry S 03 100000",
            "line 1: sched-entry 0: gate states 03 open 2 gates",
        ),
        (
            "sched-entry S 01 100000",
            "port.west.cycle: has no phase for PI \"dss\"",
        ),
        (
            "sched-entry S 01 100000 sched-entry S 02 9000",
            "port.west.cycle: phase 1 of PI \"dss\" is too short by 304 ns",
        ),
        (
            &format!("{two} cycle-time 20000000000"),
            "port.west.cycle: phases up to 1 make a cycle longer than 10000000000 ns",
        ),
        (
            &format!("{two} cycle-time-extension 200001"),
            "port.west.cycle: an extension of 200001ns is longer than the cycle",
        ),
        (
            &format!("base-time 9000000000000000000 {two}"),
            "port.west.cycle: base time: 9000000000000000000 ns of CLOCK_TAI is more than a year",
        ),
        (
            "{\"gate\": 1}",
            "there is no gate-parameter-table of port \"west\"",
        ),
    ] {
        let (code, stderr) = import(text, &[]);
        assert_eq!(code, Some(2), "{text}: {stderr}");
        let says = format!("pinode: x.taprio: {says}");
        assert!(stderr.contains(&says), "{stderr}\n{says}");
    }
    assert_eq!(import(two, &[]), (Some(0), String::new()));
    assert_eq!(import(two, &["--base-time", "17"]).0, Some(0));
    let (code, stderr) = import(&format!("{two} cycle-time 250000"), &[]);
    assert_eq!(code, Some(0));
    assert_eq!(
        stderr,
        "x.taprio: note: the cycle of 250us extends the last entry by 50us\n"
    );
    let out = dir.pinode(&["phases", "import", "-c", "node.toml", "north", "x.taprio"]);
    let none = "pinode: node.toml: there is no port \"north\"; there are: west, east\n";
    assert_eq!(said(&out), (Some(2), "", none));
    let out = dir.pinode(&["phases", "import", "-c", "node.toml", "west", "none.taprio"]);
    assert_eq!(said(&out).0, Some(2));
}

#[test]
fn a_base_time_too_far_ahead_does_not_run() {
    let far = TWO.replace("\"5s\"", "9000000000000000000");
    let dir = Dir::new(&far.replacen("[node]", "[node]\nisolation = \"thread\"", 1));
    assert_eq!(said(&dir.pinode(&["check", "-c", "node.toml"])).0, Some(0));
    let out = dir.pinode(&["run", "-c", "node.toml", "--socket", "n.sock"]);
    let (code, stdout, stderr) = said(&out);
    assert_eq!((code, stdout), (Some(2), ""), "{stderr}");
    assert!(
        stderr.contains(
            "node.toml: port.west.cycle.base_time: 9000000000000000000 ns of CLOCK_TAI is more than a year \
             ahead"
        ),
        "{stderr}"
    );
}
