//! Two nodes joined by a trunk, a host at each: all with daemons of their own.
//!
//! ```text
//! h1 eth0 -- west [n1] trunk ======= trunk [n2] east -- eth0 h2
//! ```

use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pinode_tests::background::Background;
use pinode_tests::namespace::Namespace;
use pinode_tests::node::Node;
use pinode_tests::poll::until;
use pinode_tests::program::pinode;
use serde_json::Value;

/// How long anything may take here.
pub const SOON: Duration = Duration::from_secs(30);
/// What a node may let frames wait before it looks at them: tests share two cores with what builds them.
const JITTER: &str = "100ms";

/// What can be different.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// `kvm` or `thread`.
    pub isolation: &'static str,
    /// Phases of each port, a TOML array.
    pub phases: &'static str,
    /// What is added to both configurations.
    pub more: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            isolation: "kvm",
            phases: r#"[ { pi = "dss", for = "500us" }, { pi = "none", for = "500us" } ]"#,
            more: "",
        }
    }
}

/// A host with a daemon.
pub struct Host {
    // Fields are dropped in order: the daemon goes before its interface.
    daemon: Background,
    pub namespace: Namespace,
    /// Its address.
    pub address: String,
}

/// See the module.
pub struct Bed {
    pub nodes: [Node; 2],
    pub hosts: [Host; 2],
    _labs: [Namespace; 2],
}

/// The address of application `selector` of host 1 or 2.
pub fn address(host: usize, selector: u8) -> String {
    format!("470{host}{:0>36}", format!("{host}{selector:02x}"))
}

fn configuration(number: usize, plan: &Plan) -> String {
    let Plan {
        isolation,
        phases,
        more,
    } = plan;
    let port = |name: &str, interface: &str, mode: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\nbackend = \"af_packet:{interface}\"\n{mode}\ncapacity = \"100Mbps\"\nmtu = 1500\n\
             [port.cycle]\nphases = {phases}\n"
        )
    };
    let access = "mode = \"access\"\npi = \"dss\"";
    let trunk = "mode = \"trunk\"";
    let ports = match number {
        1 => port("west", "host", access) + &port("east", "trunk", trunk),
        _ => port("west", "trunk", trunk) + &port("east", "host", access),
    };
    format!(
        "[node]\nname = \"n{number}\"\nisolation = \"{isolation}\"\n{ports}\
         [pi.dss]\ncode = 3\n[pi.dss.level2]\ndiscipline = \"streams\"\nsignalling = \"4Mbps\"\n\
         [pi.dss.signaling]\njitter = \"{JITTER}\"\n\
         route = [ {{ prefix = \"4701/16\", port = \"west\" }}, {{ prefix = \"4702/16\", port = \"east\" }} ]\n{more}"
    )
}

fn cable(a: (&Namespace, &str), b: (&Namespace, &str)) -> Result<()> {
    a.0.ip(&[
        "link",
        "add",
        a.1,
        "mtu",
        "1600",
        "type",
        "veth",
        "peer",
        "name",
        b.1,
        "mtu",
        "1600",
        "netns",
        b.0.name(),
    ])?;
    for (namespace, interface) in [a, b] {
        namespace.set(interface, "disable_ipv6", "1")?;
        namespace.offloads_off(interface)?;
        namespace.ip(&["link", "set", interface, "up"])?;
    }
    Ok(())
}

impl Host {
    fn new(number: usize, namespace: Namespace) -> Result<Self> {
        let address = address(number, 0);
        let mut command = namespace.command(pinode()?)?;
        // In a folder of its own that only the daemon's name needs: what it prints has one as well.
        let socket = std::env::temp_dir().join(format!("{}.dss", namespace.name()));
        command
            .args(["dss", "daemon", "--interface", "eth0", "--address"])
            .arg(&address)
            .arg("--daemon")
            .arg(&socket);
        let mut daemon = Background::start(format!("daemon of host {number}"), command)?;
        daemon.wait_for("the daemon to be ready", SOON, |daemon| {
            daemon.stdout().contains("ready").then_some(())
        })?;
        Ok(Self {
            daemon,
            namespace,
            address,
        })
    }

    fn socket(&self) -> String {
        let socket = std::env::temp_dir().join(format!("{}.dss", self.namespace.name()));
        socket.display().to_string()
    }

    /// `pinode dss ...` on this host, with `input`, to its end.
    pub fn dss(&self, arguments: &[&str], input: &[u8]) -> Result<Output> {
        use std::io::Write as _;
        use std::process::Stdio;
        let mut command = self.namespace.command(pinode()?)?;
        command.arg("dss").args(arguments);
        command.args(["--daemon", &self.socket()]);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        let input = input.to_vec();
        // It may end before it has read all of it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output()?;
        drop(writer.join());
        Ok(output)
    }

    /// The same in the background.
    pub fn start(&self, arguments: &[&str]) -> Result<Background> {
        let mut command = self.namespace.command(pinode()?)?;
        command.arg("dss").args(arguments);
        command.args(["--daemon", &self.socket()]);
        Background::start(format!("dss {}", arguments.join(" ")), command)
    }

    /// Ends its daemon, and what it has set up with it.
    pub fn kill_daemon(&mut self) -> Result<()> {
        let number = if self.address.starts_with("4701") {
            1
        } else {
            2
        };
        // Replaced before it is dropped: the new one finds its socket stale.
        let namespace = Namespace::new()?;
        let own = std::mem::replace(&mut self.namespace, namespace);
        let idle = Background::start("nothing", std::process::Command::new("true"))?;
        drop(std::mem::replace(&mut self.daemon, idle));
        let Host {
            daemon,
            namespace,
            address: _,
        } = Self::new(number, own)?;
        self.namespace = namespace;
        self.daemon = daemon;
        Ok(())
    }
}

/// The same nodes, and devices in place of hosts, which do not signal.
pub struct Quiet {
    pub nodes: [Node; 2],
    pub devices: [Namespace; 2],
    /// Where the nodes are.
    pub labs: [Namespace; 2],
}

impl Quiet {
    /// `more`: what is added to the configuration of each node.
    pub fn start(more: [&str; 2]) -> Result<Self> {
        let labs = [Namespace::new()?, Namespace::new()?];
        let devices = [Namespace::new()?, Namespace::new()?];
        cable((&labs[0], "trunk"), (&labs[1], "trunk"))?;
        for (lab, device) in labs.iter().zip(&devices) {
            cable((lab, "host"), (device, "eth0"))?;
        }
        let [first, second] = &labs;
        let node = |number: usize, lab, more: &str| {
            let text = configuration(number, &Plan::default()) + more;
            Node::start(&text, Some(lab))
        };
        Ok(Self {
            nodes: [node(1, first, more[0])?, node(2, second, more[1])?],
            devices,
            labs,
        })
    }
}

impl Bed {
    pub fn start(plan: &Plan) -> Result<Self> {
        let labs = [Namespace::new()?, Namespace::new()?];
        let homes = [Namespace::new()?, Namespace::new()?];
        cable((&labs[0], "trunk"), (&labs[1], "trunk"))?;
        for (lab, home) in labs.iter().zip(&homes) {
            cable((lab, "host"), (home, "eth0"))?;
        }
        let [first, second] = homes;
        let nodes = [
            Node::start(&configuration(1, plan), Some(&labs[0]))?,
            Node::start(&configuration(2, plan), Some(&labs[1]))?,
        ];
        let hosts = [Host::new(1, first)?, Host::new(2, second)?];
        let bed = Self {
            nodes,
            hosts,
            _labs: labs,
        };
        bed.wait_up()?;
        Ok(bed)
    }

    /// Waits until all neighbours hear each other.
    pub fn wait_up(&self) -> Result<()> {
        for node in &self.nodes {
            until("neighbours to hear each other", SOON, || {
                let shown = self.shown(node).map_err(|error| format!("{error:#}"))?;
                let links = shown["daemon"]["links"].as_array().cloned();
                let links = links.unwrap_or_default();
                let up = links.len() == 2 && links.iter().all(|link| link["up"] == true);
                up.then_some(()).ok_or(shown.to_string())
            })?;
        }
        Ok(())
    }

    /// `pinode dss list` of a node.
    pub fn shown(&self, node: &Node) -> Result<Value> {
        shown(node)
    }

    /// Waits until nothing is left of any call on either node.
    pub fn wait_nothing_left(&self) -> Result<()> {
        for node in &self.nodes {
            until("nothing to be left of calls", SOON, || {
                let left = left(node).map_err(|error| format!("{error:#}"))?;
                if left.is_empty() { Ok(()) } else { Err(left) }
            })?;
        }
        Ok(())
    }

    /// Descriptors that a node's process and its daemon have open.
    pub fn descriptors(&self, node: &Node) -> Result<usize> {
        let daemon = self.shown(node)?["process"]
            .as_u64()
            .context("no process")?;
        let count = |process: u64| -> Result<usize> {
            Ok(std::fs::read_dir(format!("/proc/{process}/fd"))?.count())
        };
        Ok(count(u64::from(node.pid()))? + count(daemon)?)
    }
}

/// `pinode dss list` of a node.
pub fn shown(node: &Node) -> Result<Value> {
    node.json(&["dss", "list", "--json"])
}

/// What is left of calls on a node: in its daemon, its guest and level 2.
pub fn left(node: &Node) -> Result<String> {
    let shown = shown(node)?;
    let mut left = Vec::new();
    for key in ["switched", "reserved", "guest"] {
        if shown[key] != 0 {
            left.push(format!("{key}: {}", shown[key]));
        }
    }
    for key in ["call_count", "switching", "edge_labels"] {
        if shown["daemon"][key] != 0 {
            left.push(format!("{key}: {}", shown["daemon"][key]));
        }
    }
    let links = shown["daemon"]["links"].as_array().cloned();
    for link in links.unwrap_or_default() {
        if link["labels"] != 0 || link["calls"] != 0 {
            left.push(link.to_string());
        }
    }
    for port in ["west", "east"] {
        let streams = streams(node, port)?;
        for key in ["reserved_bps", "count"] {
            if streams[key] != 0 {
                left.push(format!("{port}: {key}: {}", streams[key]));
            }
        }
    }
    Ok(left.join("; "))
}

/// What level 2 of a port has for connections.
pub fn streams(node: &Node, port: &str) -> Result<Value> {
    let socket = node.socket().display().to_string();
    let url = format!("http://pinode/v1/ports/{port}/streams/dss");
    let text = pinode_tests::program::system(
        "curl",
        &[
            "--silent",
            "--show-error",
            "--fail",
            "--unix-socket",
            &socket,
            &url,
        ],
    )?;
    Ok(serde_json::from_str(&text)?)
}

/// The standard output of what succeeded.
pub fn succeeded(output: &Output) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The standard error of what failed as a runtime failure.
pub fn failed(output: &Output) -> Result<String> {
    if output.status.code() != Some(1) {
        bail!("{}: not the failure that was expected", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
