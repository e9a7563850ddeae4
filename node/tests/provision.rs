//! `pinode provision` as it is called: demands that are met in the sense of `pinode check`, demands that are refused, and
//! nothing half-written.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn pinode(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinode"))
        .args(arguments)
        .output()
        .expect("pinode starts")
}

fn example(name: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/provision");
    examples.join(name).display().to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// `check` takes what `provision` wrote, with a demand for each PI on each port, and none of them is late.
fn meets(demands: &str, pis: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("node.toml").display().to_string();
    let out = pinode(&["provision", "--demands", &example(demands), "-o", &part]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stdout).ends_with(&format!("{part}: written\n")));

    let out = pinode(&["check", "-c", &part, "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["ok"], true);
    for port in report["ports"].as_array().unwrap() {
        for pi in pis {
            let demand = &port["pi"][pi]["demand"];
            let delay_ns = demand["delay_ns"].as_f64().expect("a demand and its bound");
            let allowed_ns = demand["allowed_ns"].as_f64().unwrap_or(f64::INFINITY);
            assert!(delay_ns <= allowed_ns, "{demands}: {pi} at {port}");
        }
    }

    // Without a file the configuration is what is printed, and with --json it is part of the document.
    let printed = pinode(&["provision", "--demands", &example(demands)]);
    let written = std::fs::read_to_string(&part).unwrap();
    assert_eq!(text(&printed.stdout), written);
    let document = pinode(&["provision", "--demands", &example(demands), "--json"]);
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(
        (&document["ok"], document["node_toml"].as_str()),
        (&true.into(), Some(written.as_str()))
    );
    let names: Vec<&String> = document["pi"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), pis.len());
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "nothing is left beside the file");
}

#[test]
fn three_different_demands_are_met() {
    meets("campus.toml", &["ipv6qos", "can", "dss"]);
    meets("thirds.toml", &["ipv6qos", "can", "dss"]);
    meets("backbone.toml", &["can", "dss"]);
}

#[test]
fn an_impossible_demand_is_refused_with_what_fails() {
    let folder = tempfile::tempdir().unwrap();
    let part = write(folder.path(), "node.toml", "# as it was\n");
    let demands = example("impossible.toml");
    let out = pinode(&["provision", "--demands", &demands, "-o", &part]);
    assert_eq!(out.status.code(), Some(2), "as check has it");
    assert_eq!(text(&out.stdout), "");
    let said = text(&out.stderr);
    let begins = format!(
        "{demands}: pi.dss.delay: 50Mbps with bursts of 512B asks for a delay of 20.0 us on port west;"
    );
    assert!(said.starts_with(&begins), "{said}");
    assert!(
        said.contains("with what the others need at least the least is"),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&part).unwrap(), "# as it was\n");

    let out = pinode(&["provision", "--demands", &demands, "--json"]);
    assert_eq!(out.status.code(), Some(2));
    let refusal: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(refusal["ok"], false);
    let problem = &refusal["problems"][0];
    assert_eq!(
        (&problem["constraint"], &problem["where"]),
        (&"delay".into(), &"pi.dss.delay".into())
    );
    assert!(problem["short_by"].as_f64().unwrap() > 0.0 && problem["unit"] == "ns");
}

#[test]
fn fits_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let demands = example("thirds.toml");
    let with = |fits: &str| {
        let out = pinode(&["provision", "--demands", &demands, "--fits", fits]);
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let fit = |pi: &str| {
        json!({
            "pi": pi, "isolation": "kvm", "size": 1024, "a": 0.1, "b": 2.0, "r2": 0.99, "points": 12, "from": 1.0,
            "to": 400.0,
        })
    };
    let results = |schema: &str, fits: &[&str]| {
        let fits: Vec<Value> = fits.iter().map(|pi| fit(pi)).collect();
        let document = json!({
            "schema": schema, "host": { "cpu": "", "cores": 2, "kvm": "", "kernel": "" }, "profile": "seed",
            "path": "memory", "trials": [], "throughput": [], "cpu_fit": fits,
        });
        document.to_string()
    };
    let all = ["ipv6qos", "can", "dss", "host"];
    let good = write(
        folder.path(),
        "good.json",
        &results("pinode-results/1", &all),
    );
    let (code, toml, said) = with(&good);
    assert_eq!(code, Some(0), "{said}");
    // 280 Mb/s of 1024 octets are 34.180 thousand frames a second.
    assert!(
        toml.contains(
            "# guest: 5.4 % of a CPU at 34.180 thousand frames a second (R-square 0.990)"
        ),
        "{toml}"
    );
    assert!(
        toml.contains("# worker: 12.3 % of a CPU at 102.539 thousand frames a second"),
        "{toml}"
    );

    let lacking = write(
        folder.path(),
        "lacking.json",
        &results("pinode-results/1", &["can", "host"]),
    );
    let (code, _, said) = with(&lacking);
    assert_eq!(code, Some(2));
    assert!(
        said.contains(
            "there is no fit of the CPU use of dss (kvm); measured: can (kvm), host (kvm)"
        ),
        "{said}"
    );
    let other = write(
        folder.path(),
        "other.json",
        &results("someone-else/3", &all),
    );
    let (code, _, said) = with(&other);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("other.json") && said.contains("someone-else/3"),
        "{said}"
    );
    let half = write(
        folder.path(),
        "half.json",
        &results("pinode-results/1", &all)[..150],
    );
    let (code, _, said) = with(&half);
    assert!(code == Some(2) && said.contains("half.json"), "{said}");
    let (code, _, said) = with("/nowhere/results.json");
    assert!(
        code == Some(2) && said.contains("/nowhere/results.json"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_read_or_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml").display().to_string();
    let out = pinode(&["provision", "--demands", &missing]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("missing.toml: cannot be read: No such file"));
    let wrong = write(
        folder.path(),
        "wrong.toml",
        "[[port]]\nname = \"west\"\nspeed = 1\n",
    );
    let out = pinode(&["provision", "--demands", &wrong]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("wrong.toml:3: port[0].speed: unknown key; allowed: name,"));
    let nowhere = folder
        .path()
        .join("nowhere/node.toml")
        .display()
        .to_string();
    let out = pinode(&[
        "provision",
        "--demands",
        &example("thirds.toml"),
        "-o",
        &nowhere,
    ]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains(&format!("cannot write {nowhere}: No such file")));
}
