//! What a port says where the process may not do what it needs: the capability is named.

use pinode_ports::{AfPacketPort, AfXdpPort, PortError, TapPort};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::bench::{one, own_namespace, run, skip, veth};

/// Takes capabilities from this thread for the rest of the test; a thread ends with its test.
fn give_up(which: CapabilitySet) {
    let mut sets = capabilities(None).expect("reads the thread's own");
    sets.effective.remove(which);
    set_capabilities(None, sets).expect("fewer are always allowed");
}

#[test]
fn the_missing_capability_is_named() {
    if !veth("permissions the_missing_capability_is_named") {
        return;
    }
    run("ip link set dev near up");
    give_up(
        CapabilitySet::NET_RAW
            | CapabilitySet::NET_ADMIN
            | CapabilitySet::SYS_ADMIN
            | CapabilitySet::BPF,
    );
    let near = "near".parse().expect("a name");
    let errors = [
        (
            one(AfPacketPort::open(&near, 1500, 1)).err(),
            "af_packet:near",
            "cap_net_raw",
        ),
        (
            one(AfXdpPort::open(&near, 1500, 1)).err(),
            "af_xdp:near",
            "cap_net_raw",
        ),
        (
            one(TapPort::open(&"tap-t".parse().expect("a name"), 1500, 1)).err(),
            "tap:tap-t",
            "cap_net_admin",
        ),
    ];
    for (error, backend, capability) in errors {
        let error = error.expect("refused");
        assert!(matches!(error, PortError::Permission { .. }), "{error}");
        let message = error.to_string();
        assert!(
            message.contains(backend) && message.contains(capability),
            "{message}"
        );
    }
}

#[test]
fn an_interface_that_may_not_be_brought_up_is_said() {
    if !veth("permissions an_interface_that_may_not_be_brought_up_is_said") {
        return;
    }
    give_up(CapabilitySet::NET_ADMIN);
    let error = one(AfPacketPort::open(
        &"near".parse().expect("a name"),
        1500,
        1,
    ))
    .err()
    .expect("refused");
    let message = error.to_string();
    assert!(message.contains("bring the interface up"), "{message}");
    assert!(message.contains("cap_net_admin"), "{message}");
}

#[test]
fn frame_memory_above_the_limit_of_locked_memory_is_said() {
    const TEST: &str = "permissions frame_memory_above_the_limit_of_locked_memory_is_said";
    const PORT_KIB: u64 = 3072;
    let Some(limit) = getrlimit(Resource::Memlock).current else {
        return skip(
            TEST,
            "locked memory is unlimited; run under `ulimit -l 8192`",
        );
    };
    let fitting = (limit >> 10) / PORT_KIB;
    if fitting > 8 {
        return skip(
            TEST,
            "the limit of locked memory is high; run under `ulimit -l 8192`",
        );
    }
    if !own_namespace(TEST) {
        return;
    }
    give_up(CapabilitySet::IPC_LOCK);
    let mut ports = Vec::new();
    let mut refused = None;
    for number in 0..=fitting {
        run(&format!(
            "ip link add n{number} type veth peer name f{number}"
        ));
        match one(AfXdpPort::open(
            &format!("n{number}").parse().expect("a name"),
            1500,
            1,
        )) {
            Ok(port) => ports.push(port),
            Err(error) => refused = Some(error),
        }
    }
    let error = refused.expect("one more than fits");
    assert!(
        matches!(
            error,
            PortError::LockedMemory {
                needs_kib: PORT_KIB,
                ..
            }
        ),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains("ulimit -l") && message.contains("cap_ipc_lock"),
        "{message}"
    );
    // Other processes of this user may have locked some of it already.
    assert!(ports.len() as u64 <= fitting, "{message}");
}
