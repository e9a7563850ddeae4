use std::path::Path;

use super::NodeConfig;

/// A node with so many workers and guests of one vCPU each, pinned as said.
fn node(workers: u16, guests: usize, cpus: &str) -> NodeConfig {
    let names: Vec<String> = (0..guests).map(|n| format!("g{n}")).collect();
    let phases: Vec<String> = names
        .iter()
        .map(|name| format!("{{ pi = \"{name}\", for = \"100us\" }}"))
        .collect();
    let port = |name: &str| {
        format!(
            "[[port]]\nname = \"{name}\"\nbackend = \"memory:{name}\"\nmode = \"trunk\"\n\
             capacity = \"1Gbps\"\ncycle = {{ phases = [{}] }}\n",
            phases.join(", ")
        )
    };
    let pi = |(n, name): (usize, &String)| {
        format!("[pi.{name}]\ncode = 1\nvns = [{n}]\nguest = \"builtin:patch\"\n")
    };
    let pis: String = names.iter().enumerate().map(pi).collect();
    let text = format!(
        "[node]\nname = \"n\"\nworkers = {workers}\ncpus = {cpus}\n{}{}{pis}",
        port("w"),
        port("e")
    );
    crate::config::parse("node.toml", Path::new(""), &text, &["patch"]).unwrap()
}

#[test]
fn cores_are_counted_as_they_are_used() {
    // (workers, guests, cpus, cores of the machine) -> (guests share, workers share)
    for (workers, guests, cpus, machine, expected) in [
        (1, 1, "{}", 1, (true, true)),
        (1, 1, "{}", 2, (false, false)),
        (1, 3, "{}", 2, (true, false)),
        (1, 3, "{}", 4, (false, false)),
        (2, 1, "{}", 2, (true, true)),
        (2, 2, "{}", 4, (false, false)),
        (2, 3, "{}", 4, (true, false)),
        (1, 1, "{ workers = [0], guests = [0] }", 4, (true, true)),
        (1, 3, "{ workers = [0], guests = [1] }", 2, (true, false)),
        (
            1,
            2,
            "{ workers = [0], guests = [1, 2] }",
            4,
            (false, false),
        ),
        (
            2,
            2,
            "{ workers = [0, 1], guests = [1, 2] }",
            4,
            (true, true),
        ),
        (
            2,
            2,
            "{ workers = [0, 1], guests = [2, 3] }",
            4,
            (false, false),
        ),
        (1, 1, "{ guests = [0, 1] }", 2, (false, true)),
        (1, 2, "{ guests = [0, 1] }", 2, (true, true)),
        (1, 2, "{ guests = [0, 1] }", 3, (false, false)),
        (1, 1, "{ workers = [0] }", 2, (false, false)),
        (2, 1, "{ workers = [0, 1] }", 2, (true, true)),
    ] {
        let node = node(workers, guests, cpus);
        let found = (node.guests_share(machine), node.workers_share(machine));
        assert_eq!(found, expected, "{workers} {guests} {cpus} {machine}");
    }
}

#[test]
fn who_sets_a_wake_interval_says_that_cores_are_shared() {
    let mut node = node(1, 1, "{ workers = [0], guests = [1] }");
    assert!(!node.guests_share(4));
    node.wake_interval_ns = Some(2_500_000);
    assert!(node.guests_share(4));
    assert!(!node.workers_share(4));
}

#[test]
fn guests_are_dealt_out_over_their_cpus() {
    let mut node = node(1, 4, "{ guests = [1, 2, 3] }");
    node.pis[1].vcpus = 2;
    let first: Vec<usize> = (0..4).map(|slot| node.guest_cpus(slot)[0]).collect();
    assert_eq!(first, [1, 2, 1, 2]);
    assert_eq!(node.guest_cpus(1), [2, 3, 1]);
    node.cpus.guests.clear();
    assert!(node.guest_cpus(2).is_empty());
}

#[test]
fn a_guest_for_each_virtual_network() {
    let node = node(1, 32, "{}");
    assert_eq!(node.pis.len(), 32);
    assert!(node.pis.iter().all(|pi| pi.code.get() == 1));
}
