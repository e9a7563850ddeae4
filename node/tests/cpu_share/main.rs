//! What bounds a guest's share of the CPUs, on the kernel that the tests run on: attributes are in force, bounds
//! hold, refusals say what to do.

mod machines;
mod threads;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pinode_node::config::{self, CpuClaim, CpuShare, NodeConfig};
use pinode_node::control::{Control, GuestAction};
use pinode_node::running::RunningNode;
use pinode_node::status::{CpuBudget, GuestCpu, GuestState, SchedPolicy};
use pinode_node::supervisor::share::{ShareError, apply, in_force};
use pinode_ports::Port;
use pinode_ports::memory;
use rustix::thread::{CapabilitySet, Pid, capabilities, set_capabilities};
use threads::{Cgroup, Spinner, missing, named, policy_and_nice, privileged, spin_until, usable};

const LIMIT: Duration = Duration::from_secs(20);
const MS: u64 = 1_000_000;

/// Tests that take a core, one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static CORE: Mutex<()> = Mutex::new(());
    CORE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn weight(weight: u16) -> CpuShare {
    CpuShare {
        claim: Some(CpuClaim::Weight(weight)),
        cgroup: None,
    }
}

fn deadline(runtime_ns: u64, period_ns: u64) -> CpuShare {
    CpuShare {
        claim: Some(CpuClaim::Deadline {
            runtime_ns,
            period_ns,
        }),
        cgroup: None,
    }
}

fn within(path: &Path) -> CpuShare {
    CpuShare {
        claim: None,
        cgroup: Some(path.to_owned()),
    }
}

/// What the kernel refused, in words.
fn refusal(share: &CpuShare, cpus: &[usize], threads: &[Pid]) -> String {
    let error: ShareError = apply(share, cpus, threads).expect_err("refused");
    error.to_string()
}

#[test]
fn weights_divide_a_core() {
    let _core = alone();
    if !privileged("weights_divide_a_core") {
        return;
    }
    let cpu = usable().last().copied();
    let (light, heavy) = (Spinner::new(cpu), Spinner::new(cpu));
    for (share, spinner) in [(weight(100), &light), (weight(400), &heavy)] {
        apply(&share, &[], &[spinner.id]).unwrap();
    }
    assert_eq!(policy_and_nice(heavy.id), (0, -6));
    let (used, _) = spin_until(&[&light, &heavy], Duration::from_millis(1500));
    // Nice -6 is 3906 against 1024: 3.8 to 1.
    let ratio = used[1].as_secs_f64() / used[0].as_secs_f64();
    println!("weights 100 and 400: CPU times 1 to {ratio:.2}");
    assert!((2.8..5.0).contains(&ratio), "{used:?}: 1 to {ratio}");
}

#[test]
fn a_quota_holds_a_busy_thread() {
    let _core = alone();
    if !privileged("a_quota_holds_a_busy_thread") {
        return;
    }
    let cgroup = match Cgroup::with_quota("quota") {
        Ok(cgroup) => cgroup,
        Err(why) => {
            missing("a_quota_holds_a_busy_thread", &why);
            return;
        }
    };
    let spinner = Spinner::new(None);
    let share = within(&cgroup.path);
    apply(&share, &[], &[spinner.id]).unwrap();
    assert!(cgroup.holds(spinner.id));
    let found = in_force(&share, &[spinner.id]).unwrap();
    assert_eq!(found.cgroup, Some(cgroup.path.display().to_string()));
    assert_eq!(
        found.quota,
        Some(CpuBudget {
            runtime_ns: 10 * MS,
            period_ns: 50 * MS
        })
    );
    let (used, took) = spin_until(&[&spinner], Duration::from_millis(300));
    let share = used[0].as_secs_f64() / took.as_secs_f64();
    println!("quota of 20 %: {:.1} %", 100.0 * share);
    // One period more than the time shows may have been used at its ends, each a tick late.
    assert!(share < 0.28, "{used:?} in {took:?}");
}

#[test]
fn a_deadline_is_a_reservation_and_a_quota() {
    let _core = alone();
    if !privileged("a_deadline_is_a_reservation_and_a_quota") {
        return;
    }
    // One busy thread for each CPU beside it, so that what it gets is its reservation.
    let others: Vec<Spinner> = usable()
        .into_iter()
        .map(|c| Spinner::new(Some(c)))
        .collect();
    let spinner = Spinner::new(None);
    let share = deadline(20 * MS, 100 * MS);
    match apply(&share, &[], &[spinner.id]) {
        Err(ShareError::Affinity { cpus, .. }) => {
            let why = format!("the tests may use CPUs {cpus:?} alone; run them on all");
            missing("a_deadline_is_a_reservation_and_a_quota", &why);
            return;
        }
        answer => answer.unwrap(),
    }
    assert_eq!(policy_and_nice(spinner.id).0, 6);
    let found = in_force(&share, &[spinner.id]).unwrap();
    let budget = CpuBudget {
        runtime_ns: 20 * MS,
        period_ns: 100 * MS,
    };
    assert_eq!(
        (found.policy, found.deadline),
        (SchedPolicy::Deadline, Some(budget))
    );
    assert_eq!((found.weight, found.cgroup), (None, None));
    others.iter().for_each(Spinner::spin);
    let (used, took) = spin_until(&[&spinner], Duration::from_millis(300));
    let share = used[0].as_secs_f64() / took.as_secs_f64();
    println!("deadline of 20 ms in 100 ms: {:.1} %", 100.0 * share);
    // Held to it at ticks, and so by 4 ms too late; below it only where the whole machine stands still.
    assert!((0.12..0.28).contains(&share), "{used:?} in {took:?}");
}

#[test]
fn what_the_kernel_refuses_is_said_with_what_it_wants() {
    let _core = alone();
    if !privileged("what_the_kernel_refuses_is_said_with_what_it_wants") {
        return;
    }
    let cpus = usable();
    if cpus.len() > 1 {
        let pinned = Spinner::new(Some(cpus[1]));
        let said = refusal(&deadline(MS, 10 * MS), &[], &[pinned.id]);
        let begins = format!(
            "deadline: the kernel refuses SCHED_DEADLINE to a thread that may use CPUs [{}] alone (Operation not \
             permitted (os error 1)): ",
            cpus[1]
        );
        assert!(said.starts_with(&begins), "{said}");
        assert!(
            said.contains("allowed: node.cpus.guests left out or naming all CPUs"),
            "{said}"
        );
        // Pinned to one of a list that is all CPUs: the whole list is what admission asks for.
        match apply(&deadline(MS, 10 * MS), &cpus, &[pinned.id]) {
            Ok(()) => assert_eq!(policy_and_nice(pinned.id).0, 6),
            // The tests themselves may not use all CPUs.
            Err(error) => assert!(matches!(error, ShareError::Affinity { .. }), "{error}"),
        }
    }
    let too_many: Vec<Spinner> = (0..=cpus.len()).map(|_| Spinner::new(None)).collect();
    let ids: Vec<Pid> = too_many.iter().map(|spinner| spinner.id).collect();
    let said = refusal(&deadline(10 * MS, 10 * MS), &[], &ids);
    let full =
        "deadline: the kernel has not so much left (Device or resource busy (os error 16)): ";
    let alone = "deadline: the kernel refuses SCHED_DEADLINE to a thread that may use CPUs";
    assert!(said.starts_with(full) || said.starts_with(alone), "{said}");

    let one = [Spinner::new(None)];
    let id = [one[0].id];
    assert_eq!(
        refusal(&within(Path::new("/sys/fs/cgroup/no-such")), &[], &id),
        "cgroup: /sys/fs/cgroup/no-such is no cgroup (No such file or directory (os error 2)); needed: one that exists"
    );
    assert_eq!(
        refusal(&within(Path::new("/proc")), &[], &id),
        "cgroup: /proc is no cgroup (on another file system); needed: one that exists"
    );
}

#[test]
fn without_the_capability_the_kernel_says_so_and_we_name_it() {
    let _core = alone();
    if !privileged("without_the_capability_the_kernel_says_so_and_we_name_it") {
        return;
    }
    // Capabilities are a thread's own.
    let outcome = std::thread::spawn(|| {
        let mut sets = capabilities(None).unwrap();
        sets.effective -= CapabilitySet::SYS_NICE;
        set_capabilities(None, sets).unwrap();
        let spinner = Spinner::new(None);
        let said = |share: &CpuShare| refusal(share, &[], &[spinner.id]);
        let refused = [said(&weight(400)), said(&deadline(MS, 10 * MS))];
        // Less than the node's own is nobody's privilege.
        apply(&weight(50), &[], &[spinner.id]).unwrap();
        assert_eq!(policy_and_nice(spinner.id), (0, 3));
        refused
    });
    let [weight, deadline] = outcome.join().unwrap();
    assert_eq!(
        weight,
        "weight: 400 is nice -6, which the kernel refuses (Operation not permitted (os error 1)); needed: the \
         capability cap_sys_nice (root, or setcap), or a limit RLIMIT_NICE that allows it"
    );
    assert_eq!(
        deadline,
        "deadline: the kernel refuses SCHED_DEADLINE (Operation not permitted (os error 1)); needed: the capability \
         cap_sys_nice (root, or setcap)"
    );
}

#[test]
fn a_guest_that_has_ended_needs_no_share() {
    let _core = alone();
    let id = [std::thread::spawn(rustix::thread::gettid).join().unwrap()];
    for share in [weight(50), deadline(MS, 10 * MS)] {
        apply(&share, &[], &id).unwrap();
        assert_eq!(in_force(&share, &id), None);
    }
}

#[test]
fn cgroups_of_version_2_take_threads_where_they_are_threaded() {
    const TEST: &str = "cgroups_of_version_2_take_threads_where_they_are_threaded";
    let _core = alone();
    let (domain, threaded) = match (Cgroup::domain("domain"), Cgroup::threaded("threaded")) {
        (Ok(domain), Ok(threaded)) => (domain, threaded),
        (Err(why), _) | (_, Err(why)) => {
            missing(TEST, &why);
            return;
        }
    };
    let (spinner, other) = (Spinner::new(None), Spinner::new(None));
    let said = refusal(&within(&domain.path), &[], &[spinner.id]);
    assert_eq!(
        said,
        format!(
            "cgroup: {} does not take the guest's threads (Operation not supported (os error 95)); needed: a threaded \
             cgroup (cgroup.type) whose parent is the cgroup that the node itself runs in",
            domain.path.display()
        )
    );
    let share = within(&threaded.path);
    apply(&share, &[], &[spinner.id, other.id]).unwrap();
    assert!(threaded.holds(spinner.id) && threaded.holds(other.id));
    let found = in_force(&share, &[spinner.id]).unwrap();
    assert_eq!(found.cgroup, Some(threaded.path.display().to_string()));
    assert_eq!(found.quota, None);
}

/// Guests a, b and c with these lines in their tables.
fn node_with(isolation: &str, node: &str, pis: [&str; 3]) -> NodeConfig {
    let mut text = format!("[node]\nname = \"t\"\nisolation = \"{isolation}\"\n{node}\n");
    for port in ["west", "east"] {
        text += &format!(
            "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\ncapacity = \"10Gbps\"\n\
             cycle = {{ phases = [ {{ pi = \"a\", for = \"50us\" }}, {{ pi = \"b\", for = \"50us\" }}, \
             {{ pi = \"c\", for = \"50us\" }} ] }}\n"
        );
    }
    for (code, (name, more)) in (1..).zip(["a", "b", "c"].into_iter().zip(pis)) {
        text += &format!("[pi.{name}]\ncode = {code}\nguest = \"builtin:patch\"\n{more}\n");
    }
    config::parse("t.toml", Path::new(""), &text, &["patch"]).unwrap()
}

fn start(config: NodeConfig) -> anyhow::Result<RunningNode> {
    let ports = || -> Vec<Box<dyn Port>> { vec![Box::new(memory::pair(512, 2048).0)] };
    RunningNode::start(config, vec![ports(), ports()])
}

#[test]
fn guests_run_under_their_shares_and_status_says_so() {
    let _core = alone();
    const TEST: &str = "guests_run_under_their_shares_and_status_says_so";
    if !privileged(TEST) {
        return;
    }
    let cgroup = Cgroup::with_quota("guest").or_else(|_| Cgroup::threaded("guest"));
    let cgroup = match cgroup {
        Ok(cgroup) => cgroup,
        Err(why) => {
            missing(TEST, &why);
            return;
        }
    };
    let mut runs = vec![("thread", "guest", "")];
    match pinode_vmm::KvmHost::open() {
        Ok(_) => runs.push(("kvm", "vcpu", "vcpus = 2\n")),
        Err(error) => {
            missing(TEST, &format!("no VMs: {error}"));
        }
    }
    for (isolation, thread, more) in runs {
        let in_cgroup = format!(
            "cpu = {{ weight = 50, cgroup = \"{}\" }}",
            cgroup.path.display()
        );
        let weighed = format!("{more}cpu = {{ weight = 400 }}");
        let node = start(node_with(isolation, "", [&weighed, &in_cgroup, ""])).unwrap();
        node.wait_ready(LIMIT, || false).unwrap();
        for round in 0..2 {
            let ids = ["a", "b", "c"].map(|name| named(&format!("{thread}-{name}")));
            assert_eq!(ids[0].len(), if more.is_empty() { 1 } else { 2 });
            let found = ids.each_ref().map(|ids| policy_and_nice(ids[0]));
            assert_eq!(
                found,
                [(0, -6), (0, 3), policy_and_nice(rustix::thread::gettid())]
            );
            assert!(ids[0].iter().all(|&id| policy_and_nice(id) == (0, -6)));
            assert!(cgroup.holds(ids[1][0]) && !cgroup.holds(ids[0][0]));
            let guests = node.operator().guests().unwrap();
            let cpus: Vec<&GuestCpu> = guests.iter().filter_map(|g| g.cpu.as_ref()).collect();
            let weights: Vec<_> = cpus.iter().map(|cpu| (cpu.nice, cpu.weight)).collect();
            assert_eq!(weights[..2], [(-6, Some(381)), (3, Some(51))]);
            let path = Some(cgroup.path.display().to_string());
            assert_eq!([&cpus[0].cgroup, &cpus[1].cgroup], [&None, &path]);
            if round == 0 {
                // A new machine has new threads.
                for name in ["a", "b"] {
                    node.operator()
                        .guest_action(name, GuestAction::Restart)
                        .unwrap();
                }
                node.wait_ready(LIMIT, || false).unwrap();
            }
        }
        let stopped = node
            .operator()
            .guest_action("a", GuestAction::Stop)
            .unwrap();
        assert_eq!((stopped.state, stopped.cpu), (GuestState::Stopped, None));
        node.stop();
    }
}

#[test]
fn guests_forward_under_a_deadline() {
    let _core = alone();
    const TEST: &str = "guests_forward_under_a_deadline";
    if !privileged(TEST) {
        return;
    }
    let mut runs = vec![("thread", "guest")];
    match pinode_vmm::KvmHost::open() {
        Ok(_) => runs.push(("kvm", "vcpu")),
        Err(error) => {
            missing(TEST, &format!("no VMs: {error}"));
        }
    }
    for (isolation, thread) in runs {
        let reserved = "cpu = { deadline = { runtime = \"2ms\", period = \"10ms\" } }";
        let node = start(node_with(isolation, "", [reserved, "", ""])).unwrap();
        if let Err(error) = node.wait_ready(LIMIT, || false) {
            node.stop();
            let error = format!("{error:#}");
            assert!(error.contains("pi.a.cpu.deadline: "), "{error}");
            assert!(error.contains("may use CPUs"), "{error}");
            missing(TEST, &error);
            return;
        }
        let id = named(&format!("{thread}-a"))[0];
        assert_eq!(policy_and_nice(id).0, 6);
        let guest = node.operator().guests().unwrap().swap_remove(0);
        assert_eq!(guest.cpu.unwrap().to_string(), "deadline 2ms in 10ms");
        node.stop();
    }
}

#[test]
fn a_node_whose_guest_cannot_have_its_share_does_not_come_up() {
    let _core = alone();
    let config = node_with(
        "thread",
        "",
        ["", "cpu = { cgroup = \"/sys/fs/cgroup/no-such\" }", ""],
    );
    let node = start(config).unwrap();
    let error = node.wait_ready(LIMIT, || false).unwrap_err().to_string();
    node.stop();
    assert_eq!(
        error,
        "guest b: cannot be launched: pi.b.cpu.cgroup: /sys/fs/cgroup/no-such is no cgroup (No such file or directory \
         (os error 2)); needed: one that exists"
    );
    assert!(!PathBuf::from("/sys/fs/cgroup/no-such").exists());
}
