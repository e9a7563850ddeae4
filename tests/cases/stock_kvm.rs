//! On a stock kernel with a stock KVM (QEMU with nested SVM): what ordinary x86 machines do. Also the place where a
//! stock Linux is a guest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::config::{NodeToml, Pi, Port};
use pinode_tests::cpio::Cpio;
use pinode_tests::machine::{self, NEEDS};
use pinode_tests::need::{Need, find_command};
use pinode_tests::program::pinode;
use pinode_tests::stock_kernel::StockKernel;

use crate::Case;

/// Far above what either takes (under a minute on two cores).
const DEADLINE: Duration = Duration::from_secs(240);

pub fn cases() -> Vec<Case> {
    let mut needs = NEEDS.to_vec();
    needs.push(Need::Command("ip", "iproute2"));
    vec![
        Case::new(
            "stock_kvm::three_built_in_guests_carry_frames",
            &needs,
            built_in_guests,
        ),
        Case::new(
            "stock_kvm::a_stock_linux_guest_bridges_frames",
            &needs,
            linux_guest,
        ),
    ]
}

/// A machine with what a node needs, and the shell functions its scripts use.
fn prepare(kernel: &StockKernel) -> Result<(Cpio, String)> {
    let (mut archive, mut script) = machine::prepare(kernel, &["kvm_amd", "veth"])?;
    archive.program_with_libraries("/bin/pinode", pinode()?)?;
    let check = Path::new(env!("CARGO_BIN_EXE_frame-check"));
    archive.program_with_libraries("/bin/frame-check", check)?;
    // busybox's own ip makes no veth pairs.
    let ip = find_command("ip").context("no command ip")?;
    archive.program_with_libraries("/sbin/ip", &ip)?;
    script.push_str(
        "set -e\n\
         for cable in w e; do\n\
         \x20 /sbin/ip link add near-$cable type veth peer name far-$cable\n\
         \x20 for end in near far; do\n\
         \x20   echo 1 > /proc/sys/net/ipv6/conf/$end-$cable/disable_ipv6\n\
         \x20   /sbin/ip link set $end-$cable up\n\
         \x20 done\n\
         done\n\
         set +e\n\
         export PINODE_SOCKET=/run/node.sock\n\
         start_node() {\n\
         \x20 pinode run -c \"$1\" > /tmp/node.out 2> /tmp/node.err &\n\
         \x20 node=$!\n\
         \x20 tries=0\n\
         \x20 until grep -q ready /tmp/node.out; do\n\
         \x20   tries=$((tries + 1))\n\
         \x20   if [ $tries -gt $2 ] || ! kill -0 $node; then echo 'the node is not ready'; break; fi\n\
         \x20   usleep 100000\n\
         \x20 done\n\
         \x20 cat /tmp/node.out /tmp/node.err\n\
         }\n",
    );
    Ok((archive, script))
}

/// The images boot on plain SVM with no change, and every frame comes out as it went in.
fn built_in_guests() -> Result<()> {
    let kernel = StockKernel::find()?;
    let (mut archive, mut script) = prepare(&kernel)?;
    let config = NodeToml::patch("kvm", "af_packet:near-w", "af_packet:near-e").text();
    archive.program("/etc/node.toml", config.as_bytes());
    script.push_str(
        "start_node /etc/node.toml 600\n\
         frame-check far-w far-e 60 7 1 2 3 && frame-check far-e far-w 60 97 1 2 3 && echo FRAMES-WHOLE\n\
         pinode guest restart can && frame-check far-w far-e 60 300 1 3 && echo OTHERS-WHOLE\n\
         pinode status --json\n\
         kill $node; wait $node; echo NODE-ENDED-$?\n\
         cat /tmp/node.err\n",
    );
    let console = machine::run(&kernel, archive, &script, DEADLINE)?;
    for mark in [
        "FRAMES-WHOLE",
        "OTHERS-WHOLE",
        "\"kvm\"",
        "kvm_amd",
        "NODE-ENDED-0",
    ] {
        ensure!(console.contains(mark), "no {mark} in:\n{console}");
    }
    Ok(())
}

/// Shell of the Linux guest: a bridge between its two interfaces, and the control channel's three answers.
const GUEST_SCRIPT: &str = "\
brctl addbr bridge && brctl setfd bridge 0\n\
for vif in eth0 eth1; do\n\
  echo 1 > /proc/sys/net/ipv6/conf/$vif/disable_ipv6\n\
  brctl addif bridge $vif\n\
  ip link set $vif up\n\
done\n\
echo 1 > /proc/sys/net/ipv6/conf/bridge/disable_ipv6\n\
ip link set bridge up\n\
echo LINUX-GUEST-BRIDGES\n\
for name in /sys/class/virtio-ports/*/name; do\n\
  if [ \"$(cat $name)\" = pinode.control ]; then\n\
    port=${name%/name}; exec 3<>/dev/${port##*/}\n\
  fi\n\
done\n\
echo '{\"hello\":{\"abi\":1}}' >&3\n\
echo '{\"ready\":{}}' >&3\n\
while read -r line <&3; do\n\
  case $line in\n\
    '{\"ping\":'*) n=${line#*:}; echo \"{\\\"pong\\\":${n%\\}}}\" >&3 ;;\n\
    '{\"stop\"'*) poweroff -f ;;\n\
  esac\n\
done\n\
echo the control channel ended\n\
while :; do sleep 1000; done\n";

/// The machine's own kernel, unchanged, as the guest of a PI: it sees plain Ethernet (`pih = "strip"`).
fn linux_guest() -> Result<()> {
    let kernel = StockKernel::find()?;
    let (mut archive, mut script) = prepare(&kernel)?;
    let modules = ["virtio_mmio", "virtio_console", "virtio_net", "bridge"];
    let (mut guest, head) = machine::prepare(&kernel, &modules)?;
    guest.program("/init", format!("{head}{GUEST_SCRIPT}").as_bytes());
    archive.program("/etc/guest-initrd", &guest.finish());
    archive.copy("/etc/guest-kernel", kernel.bzimage())?;
    let config = NodeToml {
        isolation: "kvm",
        ports: vec![
            Port::trunk("west", "af_packet:near-w"),
            Port::trunk("east", "af_packet:near-e"),
        ],
        pis: vec![Pi {
            name: "ipv6qos",
            code: 1,
            guest: "/etc/guest-kernel".into(),
            more: "initrd = \"/etc/guest-initrd\"\n\
                   cmdline = \"console=ttyS0 quiet panic=-1 mitigations=off nokaslr\"\n\
                   memory = \"256MiB\"\npih = \"strip\""
                .into(),
        }],
    };
    archive.program("/etc/node.toml", config.text().as_bytes());
    script.push_str(
        "start_node /etc/node.toml 1200\n\
         tries=0\n\
         until pinode guest console ipv6qos --help > /dev/null && frame-check far-w far-e 100 1000 1 > /dev/null; do\n\
         \x20 tries=$((tries + 1)); [ $tries -lt 4 ] || break\n\
         done\n\
         frame-check far-w far-e 100 97 1 && frame-check far-e far-w 100 97 1 && echo FRAMES-WHOLE\n\
         pinode status --json\n\
         kill $node; wait $node; echo NODE-ENDED-$?\n\
         cat /tmp/node.err\n",
    );
    let console = machine::run(&kernel, archive, &script, DEADLINE)?;
    for mark in ["FRAMES-WHOLE", "NODE-ENDED-0"] {
        ensure!(console.contains(mark), "no {mark} in:\n{console}");
    }
    Ok(())
}
