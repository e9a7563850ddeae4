//! On a stock kernel with a stock KVM (QEMU with nested SVM): what ordinary x86 machines do.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use pinode_tests::machine::{NEEDS, prepare, run};
use pinode_tests::stock_kernel::StockKernel;

use crate::Case;

pub fn cases() -> Vec<Case> {
    vec![Case::new(
        "stock_kvm::machine_has_dev_kvm",
        &NEEDS,
        machine_has_dev_kvm,
    )]
}

/// The machine of these tests is what it claims: an ordinary kernel whose KVM opens.
fn machine_has_dev_kvm() -> Result<()> {
    let kernel = StockKernel::find()?;
    let (mut archive, mut script) = prepare(&kernel, &["kvm_amd", "veth"])?;
    archive.program_with_libraries(
        "/bin/frame-check",
        Path::new(env!("CARGO_BIN_EXE_frame-check")),
    )?;
    archive.program_with_libraries("/bin/ip2", Path::new("/usr/sbin/ip"))?;
    script.push_str(
        "ip2 link add veth-a type veth peer name veth-b\nip2 link set veth-a up\nip2 link set veth-b up\n\
         : < /dev/kvm && echo kvm-opens\nframe-check veth-a veth-b 60 97 1 2 3\nfree -m\ncat /proc/uptime\n",
    );
    let console = run(&kernel, archive, &script, Duration::from_secs(60))?;
    println!("{console}");
    ensure!(console.contains("kvm-opens"), "no KVM inside:\n{console}");
    ensure!(
        console.contains("came out unchanged"),
        "no frames inside:\n{console}"
    );
    Ok(())
}
