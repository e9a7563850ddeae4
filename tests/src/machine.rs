//! An emulated machine (QEMU, TCG, nested SVM) that boots a stock kernel and has a stock KVM: what a user's machine has
//! and a development machine may lack. One script runs inside; its lines come back over the serial line.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cpio::Cpio;
use crate::need::{Need, find_command};
use crate::poll::until;
use crate::stock_kernel::StockKernel;

/// What every user of this module needs.
pub const NEEDS: [Need; 3] = [
    Need::Command("qemu-system-x86_64", "qemu-system-x86"),
    Need::Command("busybox", "busybox-static"),
    Need::StockKernel,
];

/// What the machine's clocks run by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The clock of this machine: two processors in parallel, and whatever else runs here shows.
    Wall,
    /// The instructions that it has run, one a nanosecond, on one processor; idle time is skipped. Nothing that
    /// happens on this machine is seen inside, so that instants can be compared.
    Instructions,
}

impl Pace {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Wall => &["-accel", "tcg,thread=multi", "-smp", "2"],
            Self::Instructions => &[
                "-accel",
                "tcg,thread=single",
                "-smp",
                "1",
                "-icount",
                "shift=0,sleep=off",
                "-rtc",
                "clock=vm",
            ],
        }
    }
}

/// An emulated machine that resets itself is started so often.
const STARTS: usize = 3;
/// Line that the script's end prints; without it the machine died on the way.
const END: &str = "machine-script-ended";

/// The archive with busybox, and the head of the script that mounts what Linux has and loads `modules`.
///
/// # Errors
/// A file is missing.
pub fn prepare(kernel: &StockKernel, modules: &[&str]) -> Result<(Cpio, String)> {
    let mut archive = Cpio::new();
    let busybox = find_command("busybox").context("no busybox")?;
    archive.copy("/bin/busybox", &busybox)?;
    archive.link("/bin/sh", "/bin/busybox");
    let load = kernel.load(&mut archive, modules)?;
    let script = format!(
        "#!/bin/sh\n\
         export PATH=/bin\n\
         /bin/busybox --install -s /bin\n\
         mount -t proc none /proc\nmount -t sysfs none /sys\nmount -t devtmpfs none /dev\n\
         mount -t tmpfs none /tmp\nmount -t tmpfs none /run\n\
         ip link set lo up\n\
         {load}"
    );
    Ok((archive, script))
}

/// Boots a machine with this archive, `script` as its first process, and waits for the script's end.
/// Gives the lines the script printed.
///
/// # Errors
/// The machine did not get to the script's end within `deadline`; the message has its console.
pub fn run(
    kernel: &StockKernel,
    archive: Cpio,
    script: &str,
    deadline: Duration,
) -> Result<String> {
    run_at(Pace::Wall, kernel, archive, script, deadline)
}

/// As [`run`], with clocks of a choice.
///
/// # Errors
/// As [`run`].
pub fn run_at(
    pace: Pace,
    kernel: &StockKernel,
    mut archive: Cpio,
    script: &str,
    deadline: Duration,
) -> Result<String> {
    archive.program(
        "/init",
        format!("{script}\necho {END}\npoweroff -f\n").as_bytes(),
    );
    let folder = tempfile::Builder::new()
        .prefix("pinode-machine-")
        .tempdir()?;
    let initrd = folder.path().join("initrd");
    fs::write(&initrd, archive.finish())?;
    fs::copy(kernel.bzimage(), folder.path().join("kernel"))?;
    let qemu = find_command("qemu-system-x86_64").context("no qemu-system-x86_64")?;
    for start in 1.. {
        let start_at = Instant::now();
        let (text, stderr) = boot(&qemu, pace, folder.path(), deadline)?;
        if text.lines().any(|line| line == END) {
            return Ok(text);
        }
        // The emulation of nested SVM now and then resets the whole machine, of which no kernel says a word: that is
        // QEMU's end and nobody else's. A kernel that fails says so.
        ensure!(
            start < STARTS && !text.contains("Kernel panic"),
            "the machine ended after {:?} before its script did\nconsole:\n{text}\n{stderr}",
            start_at.elapsed()
        );
        eprintln!("the emulated machine reset itself; it is started again");
    }
    bail!("no machine was started")
}

/// Boots the machine of `folder` once: its console and what QEMU complained of.
fn boot(qemu: &Path, pace: Pace, folder: &Path, deadline: Duration) -> Result<(String, String)> {
    let (console, complaints) = (folder.join("console"), folder.join("stderr"));
    let kernel = folder.join("kernel");
    let initrd = folder.join("initrd");
    let mut child = Command::new(qemu)
        .args(pace.arguments())
        .args(["-cpu", "max", "-m", "2048"])
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .args([
            "-append",
            "console=ttyS0 quiet panic=-1 mitigations=off nokaslr",
        ])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initrd)
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&complaints)?)
        .spawn()
        .context("start qemu")?;
    let ended = until("the machine's end", deadline, || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err("still running".into()),
        Err(e) => Err(e.to_string()),
    });
    let text = String::from_utf8_lossy(&fs::read(&console).unwrap_or_default()).replace('\r', "");
    let stderr = fs::read_to_string(&complaints).unwrap_or_default();
    if let Err(error) = ended {
        let _ = child.kill();
        let _ = child.wait();
        bail!("{error:#}\nconsole:\n{text}\n{stderr}");
    }
    Ok((text, stderr))
}
