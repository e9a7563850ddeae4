//! What does not boot says why, where, and what is allowed. Needs KVM only to get as far as trying.

mod guest;

use std::path::PathBuf;

use guest::{Image, kvm};
use pinode_vmm::{BootProtocol, Kernel, KvmHost, Machine, MachineConfig, NetConfig};

fn refusal(host: &KvmHost, config: MachineConfig) -> String {
    let (sink, events) = guest::events();
    let error = match Machine::boot(host, config, sink) {
        Ok(_) => panic!("it booted"),
        Err(error) => error.to_string(),
    };
    assert!(events.try_recv().is_err());
    error
}

fn config() -> MachineConfig {
    Image::of(&[]).config("refused")
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn refusals_say_what_is_allowed() {
    let Some(host) = kvm("refusals_say_what_is_allowed") else {
        return;
    };
    let net = NetConfig {
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        queue_pairs: 1,
        queue_size: 256,
    };

    let text = Kernel::Embedded(b"#!/bin/sh\nexit 0\n");
    let error = refusal(
        &host,
        MachineConfig {
            kernel: text,
            ..config()
        },
    );
    says(
        &error,
        &["built-in image", "neither an ELF file nor a bzImage"],
    );

    let nowhere = PathBuf::from("/nonexistent/kernel.elf");
    let error = refusal(
        &host,
        MachineConfig {
            kernel: Kernel::File(nowhere.clone()),
            ..config()
        },
    );
    says(
        &error,
        &["cannot read kernel /nonexistent/kernel.elf", "No such file"],
    );
    let error = refusal(
        &host,
        MachineConfig {
            initrd: Some(nowhere),
            ..config()
        },
    );
    says(&error, &["cannot read initrd"]);

    let error = refusal(
        &host,
        MachineConfig {
            memory: 1 << 20,
            ..config()
        },
    );
    says(&error, &["1048576 octets is too small", "4194304"]);
    let error = refusal(
        &host,
        MachineConfig {
            memory: 8 << 30,
            ..config()
        },
    );
    says(&error, &["too large", "3 GiB"]);

    let far = Image::of(&[]).with(0x300_0000, b"x").config("far");
    says(
        &refusal(&host, far),
        &["up to 0x3000001", "give it at least 51380224"],
    );
    let low = Image::of(&[]).with(0x1000, b"x").config("low");
    says(&refusal(&host, low), &["linked at 0x1000", "0x100000"]);

    let error = refusal(
        &host,
        MachineConfig {
            boot: BootProtocol::Pvh,
            ..config()
        },
    );
    says(&error, &["no PVH entry", "Linux64"]);
    let mut future = Image::of(&[]);
    future.notes.push(("pinode", 1, 9));
    says(
        &refusal(&host, future.config("future")),
        &["version 9", "version 1"],
    );

    let error = refusal(
        &host,
        MachineConfig {
            nets: vec![net; 40],
            ..config()
        },
    );
    says(&error, &["40 vifs", "at most 19"]);
    let error = refusal(
        &host,
        MachineConfig {
            cmdline: "x".repeat(70_000),
            ..config()
        },
    );
    says(&error, &["command line", "65535"]);
    let bad = NetConfig {
        queue_size: 1000,
        ..net
    };
    says(
        &refusal(
            &host,
            MachineConfig {
                nets: vec![bad],
                ..config()
            },
        ),
        &["vif 0", "1000"],
    );
    let error = refusal(
        &host,
        MachineConfig {
            vcpus: 0,
            ..config()
        },
    );
    says(&error, &["0 vCPUs", "1 to 32"]);
}

#[test]
fn an_initrd_must_fit() {
    let Some(host) = kvm("an_initrd_must_fit") else {
        return;
    };
    let file = std::env::temp_dir().join(format!("pinode-vmm-initrd-{}", std::process::id()));
    std::fs::write(&file, vec![0u8; 40 << 20]).unwrap();
    let error = refusal(
        &host,
        MachineConfig {
            initrd: Some(file.clone()),
            ..config()
        },
    );
    std::fs::remove_file(file).unwrap();
    says(&error, &["initrd of 41943040 octets does not fit"]);
}
