//! What is wrong is said in one clear line with the place and what is allowed; the exit code tells whose fault it is:
//! 2 the command line's or the configuration's, 1 the machine's or the moment's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::config::NodeToml;
use pinode_tests::need::{Need, find_command};
use pinode_tests::node::Node;
use pinode_tests::program::{self, pinode};
use serde_json::Value;

use crate::Case;

pub fn cases() -> Vec<Case> {
    let unshare = Need::Command("unshare", "util-linux");
    let setpriv = Need::Command("setpriv", "util-linux");
    vec![
        Case::new(
            "bad_input::each_configuration_error_names_place_and_allowed",
            &[],
            configuration,
        ),
        Case::new("bad_input::check_json_lists_problems", &[], check_json),
        Case::new("bad_input::configuration_file_missing", &[], file_missing),
        Case::new("bad_input::usage_errors", &[], usage),
        Case::new("bad_input::no_node_behind_the_socket", &[], no_node),
        Case::new(
            "bad_input::interface_missing",
            &[Need::Root],
            interface_missing,
        ),
        Case::new("bad_input::socket_in_use", &[], socket_in_use),
        Case::new("bad_input::guest_image_is_no_elf", &[Need::Kvm], no_elf),
        Case::new(
            "bad_input::guest_image_missing",
            &[Need::Kvm],
            image_missing,
        ),
        Case::new(
            "bad_input::unknown_guest_and_port_of_a_running_node",
            &[],
            unknown_names,
        ),
        Case::new("bad_input::no_kvm", &[Need::Root, unshare], no_kvm),
        Case::new(
            "bad_input::no_permission_for_kvm",
            &[Need::Root, Need::Kvm, setpriv],
            no_permission,
        ),
    ]
}

/// A configuration that is right, over memory ports, without a machine.
fn right() -> String {
    NodeToml::patch("thread", "memory:w", "memory:e").text()
}

/// The exit code, and one of the lines on stderr has all of `words`; stdout is empty.
fn expect(output: &Output, code: i32, words: &[&str]) -> Result<()> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "ended with {}, not {code}: {stderr}",
        output.status
    );
    ensure!(
        stderr
            .lines()
            .any(|line| words.iter().all(|word| line.contains(word))),
        "no line of stderr has all of {words:?}:\n{stderr}"
    );
    ensure!(!stderr.contains("panicked"), "{stderr}");
    Ok(())
}

fn run_config(text: &str, arguments: &[&str]) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    fs::write(&file, text)?;
    let file = file.to_string_lossy().into_owned();
    let mut all = arguments.to_vec();
    all.extend(["-c", &file]);
    program::run(&all)
}

/// Each mistake: what is replaced by what, and what the message must have besides the file's name.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    (
        "isolation = \"thread\"",
        "isolation = \"thread\"\ncolour = 1",
        &["node.colour"],
    ),
    (
        "isolation = \"thread\"",
        "isolation = \"chroot\"",
        &["node.isolation", "kvm", "thread"],
    ),
    ("name = \"n1\"", "name = \"\"", &["node.name"]),
    ("name = \"n1\"", "name = ", &["node.toml:2:"]),
    (
        "backend = \"memory:w\"",
        "backend = \"carrier_pigeon:w\"",
        &["port.west.backend", "af_xdp"],
    ),
    (
        "mode = \"trunk\"",
        "mode = \"hybrid\"",
        &["port.west.mode", "trunk", "access"],
    ),
    (
        "mode = \"trunk\"",
        "mode = \"access\"",
        &["port.west", "pi"],
    ),
    (
        "capacity = \"1Gbps\"",
        "capacity = \"fast\"",
        &["port.west.capacity", "Gbps"],
    ),
    (
        "capacity = \"1Gbps\"",
        "capacity = \"1Gbps\"\nmtu = 10",
        &["port.west.mtu", "64", "9000"],
    ),
    ("name = \"east\"", "name = \"west\"", &["west", "name"]),
    (
        "{ pi = \"can\", for = \"100us\" }",
        "{ pi = \"voice\", for = \"100us\" }",
        &["voice", "ipv6qos", "can", "dss"],
    ),
    (
        "{ pi = \"can\", for = \"100us\" }",
        "{ pi = \"can\", for = \"10us\" }",
        &["port.west.cycle", "can"],
    ),
    (
        "{ pi = \"can\", for = \"100us\" }",
        "{ pi = \"can\", for = \"soon\" }",
        &["port.west.cycle", "us"],
    ),
    ("code = 2", "code = 8", &["pi.can.code", "1", "7"]),
    ("code = 2", "code = 0", &["pi.can.code", "1", "7"]),
    ("code = 2", "code = 1", &["pi.can.code", "ipv6qos"]),
    (
        "code = 2",
        "code = 2\nvns = [32]",
        &["pi.can.vns", "0", "31"],
    ),
    (
        "code = 2",
        "code = 2\nmemory = \"1KiB\"",
        &["pi.can.memory", "8MiB"],
    ),
    ("code = 2", "code = 2\nvcpus = 0", &["pi.can.vcpus", "1"]),
    (
        "code = 2",
        "code = 2\npih = \"maybe\"",
        &["pi.can.pih", "keep", "strip"],
    ),
    (
        "code = 2",
        "code = 2\npolice = { rate = \"1Mbps\" }",
        &["pi.can.police", "burst"],
    ),
    (
        "guest = \"builtin:patch\"",
        "guest = \"builtin:quilt\"",
        &["pi.ipv6qos.guest", "builtin:patch"],
    ),
];

fn configuration() -> Result<()> {
    for (right_part, wrong_part, words) in MISTAKES {
        let text = right();
        ensure!(
            text.contains(right_part),
            "the test is out of date: no {right_part} in\n{text}"
        );
        let wrong = text.replacen(right_part, wrong_part, 1);
        let mut all = vec!["node.toml:"];
        all.extend(*words);
        for command in ["check", "run"] {
            let output = run_config(&wrong, &[command])?;
            expect(&output, 2, &all).with_context(|| format!("{command} with {wrong_part:?}"))?;
            ensure!(
                output.stdout.is_empty(),
                "{command} with {wrong_part:?} printed to stdout"
            );
        }
    }
    Ok(())
}

fn check_json() -> Result<()> {
    let wrong = right().replacen(
        "{ pi = \"can\", for = \"100us\" }",
        "{ pi = \"can\", for = \"10us\" }",
        1,
    );
    let output = run_config(&wrong, &["check", "--json"])?;
    ensure!(
        output.status.code() == Some(2),
        "ended with {}",
        output.status
    );
    let document: Value =
        serde_json::from_slice(&output.stdout).context("one JSON document on stdout")?;
    ensure!(document["ok"] == false, "{document}");
    let problem = &document["problems"][0];
    ensure!(
        problem["where"]
            .as_str()
            .is_some_and(|at| at.starts_with("port.west.cycle"))
            && problem["what"]
                .as_str()
                .is_some_and(|what| what.contains("can")),
        "{document}"
    );
    Ok(())
}

fn file_missing() -> Result<()> {
    for command in ["check", "run"] {
        let output = program::run(&[command, "-c", "/nonexistent/node.toml"])?;
        expect(&output, 2, &["/nonexistent/node.toml"])?;
    }
    Ok(())
}

fn usage() -> Result<()> {
    expect(&program::run(&["dance"])?, 2, &["dance"])?;
    expect(&program::run(&["run"])?, 2, &[])?;
    expect(&program::run(&["guest", "tickle", "can"])?, 2, &["tickle"])?;
    expect(&program::run(&["demo", "--seconds", "many"])?, 2, &["many"])?;
    expect(&program::run(&["capture", "a/b/c"])?, 2, &["a/b/c"])?;
    expect(
        &program::run(&["phases", "set", "west", "can"])?,
        2,
        &["can"],
    )?;
    Ok(())
}

fn no_node() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("none.sock");
    for arguments in [
        &["status"][..],
        &["guest", "list"],
        &["phases", "show"],
        &["guest", "restart", "can"],
    ] {
        let output = Command::new(pinode()?)
            .args(arguments)
            .env("PINODE_SOCKET", &socket)
            .stdin(Stdio::null())
            .output()?;
        expect(&output, 1, &["none.sock"])?;
    }
    Ok(())
}

/// Starts a node that must fail; gives what it left.
fn fails(config: &str) -> Result<Output> {
    let mut node = Node::spawn(config, None)?;
    let status = node.wait_end(Duration::from_secs(10))?;
    Ok(Output {
        status,
        stdout: fs::read(node.folder().join("stdout"))?,
        stderr: fs::read(node.folder().join("stderr"))?,
    })
}

fn interface_missing() -> Result<()> {
    for driver in ["af_xdp", "af_packet"] {
        let config = NodeToml::patch("thread", format!("{driver}:nowhere0"), "memory:e");
        expect(&fails(&config.text())?, 1, &["west", "nowhere0"])?;
    }
    Ok(())
}

fn socket_in_use() -> Result<()> {
    let first = Node::start(&right(), None)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    fs::write(&file, right())?;
    let output = Command::new(pinode()?)
        .args(["run", "-c"])
        .arg(&file)
        .env("PINODE_SOCKET", first.socket())
        .stdin(Stdio::null())
        .output()?;
    expect(&output, 1, &["node.sock", "in use"])?;
    // The first is unharmed.
    first.status()?;
    let mode = fs::metadata(first.socket())?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "the socket's mode is {mode:o}");
    let (ended, printed) = first.stop()?;
    ensure!(ended.success(), "{printed}");
    Ok(())
}

fn no_elf() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("image");
    fs::write(&image, "#!/bin/sh\necho no kernel\n".repeat(1000))?;
    let mut config = NodeToml::patch("kvm", "memory:w", "memory:e");
    config.pis[1].guest = image.to_string_lossy().into_owned();
    expect(&fails(&config.text())?, 1, &["can", "ELF"])
}

fn image_missing() -> Result<()> {
    let mut config = NodeToml::patch("kvm", "memory:w", "memory:e");
    config.pis[1].guest = "/nonexistent/image".into();
    expect(&fails(&config.text())?, 1, &["can", "/nonexistent/image"])
}

fn unknown_names() -> Result<()> {
    let node = Node::start(&right(), None)?;
    expect(
        &node.command(&["guest", "restart", "voice"])?,
        2,
        &["voice", "ipv6qos", "can", "dss"],
    )?;
    expect(
        &node.command(&["phases", "show", "north"])?,
        2,
        &["north", "west", "east"],
    )?;
    expect(
        &node.command(&["capture", "north", "-w", "x.pcapng"])?,
        2,
        &["north", "west", "east"],
    )?;
    Ok(())
}

/// Runs a node of three VMs under a shell line in which `"$@"` is the node.
fn under(shell: &str) -> Result<Output> {
    let folder = tempfile::Builder::new().prefix("pinode-test-").tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let binary = folder.path().join("pinode");
    fs::copy(pinode()?, &binary)?;
    let file = folder.path().join("node.toml");
    fs::write(&file, NodeToml::patch("kvm", "memory:w", "memory:e").text())?;
    Command::new(find_command("sh").context("no sh")?)
        .args(["-c", shell, "sh"])
        .arg(&binary)
        .args([Path::new("run"), Path::new("-c"), &file])
        .env("PINODE_SOCKET", folder.path().join("node.sock"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .context("start sh")
}

fn no_kvm() -> Result<()> {
    // A folder of devices without kvm, seen by this process alone.
    let output = under(
        "exec unshare -m sh -c 'mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec \"$@\"' sh \"$@\"",
    )?;
    expect(&output, 1, &["/dev/kvm"])?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        stderr.contains("isolation = \"thread\""),
        "no way out is named: {stderr}"
    );
    Ok(())
}

fn no_permission() -> Result<()> {
    let output = under("exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"")?;
    expect(&output, 1, &["/dev/kvm", "ermission"])
}
