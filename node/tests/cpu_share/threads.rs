//! Threads that are bounded, cgroups that bound them, and what the kernel says of both.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::{CapabilitySet, CpuSet, Pid, capabilities, gettid, sched_getaffinity};

/// Far above what any share here takes, and below the 20 s after which a guest that does not boot is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// CPUs that this process may use.
pub fn usable() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|&c| set.is_set(c)).collect()
}

/// Whether `test` can run: bounding threads is a privilege. Named where it is not there.
pub fn privileged(test: &str) -> bool {
    let has = capabilities(None).is_ok_and(|s| s.effective.contains(CapabilitySet::SYS_NICE));
    has || !missing(test, "cap_sys_nice is not there; run as root")
}

/// Names what `test` lacks; where everything is required that is a failure. Always true.
pub fn missing(test: &str, why: &str) -> bool {
    let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    assert!(
        !is("CI", "true") && !is("PINODE_REQUIRE", "all"),
        "{test}: {why}"
    );
    eprintln!("skipped: {test}: {why}");
    true
}

/// A thread that waits, and then wants the CPU for good.
pub struct Spinner {
    pub id: Pid,
    spins: Arc<AtomicBool>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Spinner {
    /// On this CPU, or on all.
    pub fn new(cpu: Option<usize>) -> Self {
        let (spins, ends) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (own, end): (Arc<AtomicBool>, Arc<AtomicBool>) =
            (Arc::clone(&spins), Arc::clone(&ends));
        let (send, id) = channel();
        let thread = std::thread::spawn(move || {
            if let Some(cpu) = cpu {
                let mut set = CpuSet::new();
                set.set(cpu);
                rustix::thread::sched_setaffinity(None, &set).unwrap();
            }
            send.send(gettid()).unwrap();
            while !end.load(Ordering::Relaxed) {
                if own.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                } else {
                    std::thread::park();
                }
            }
        });
        Self {
            id: id.recv().unwrap(),
            spins,
            ends,
            thread: Some(thread),
        }
    }

    pub fn spin(&self) {
        self.spins.store(true, Ordering::Relaxed);
        self.thread.as_ref().unwrap().thread().unpark();
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let thread = self.thread.take().unwrap();
        thread.thread().unpark();
        thread.join().unwrap();
    }
}

/// CPU time of a thread of this process, nanoseconds.
fn used_ns(id: Pid) -> u64 {
    let path = format!("/proc/self/task/{}/schedstat", id.as_raw_nonzero());
    let text = fs::read_to_string(path).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Lets them spin until they have used `wanted` together: the CPU time of each, and the time it took.
pub fn spin_until(spinners: &[&Spinner], wanted: Duration) -> (Vec<Duration>, Duration) {
    spinners.iter().for_each(|spinner| spinner.spin());
    let ids: Vec<Pid> = spinners.iter().map(|spinner| spinner.id).collect();
    until_used(&ids, wanted)
}

/// Waits until threads have used `wanted` together from now on: the CPU time of each, and the time it took.
pub fn until_used(ids: &[Pid], wanted: Duration) -> (Vec<Duration>, Duration) {
    let before: Vec<u64> = ids.iter().map(|&id| used_ns(id)).collect();
    let began = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let used = ids.iter().zip(&before);
        let used: Vec<_> = used
            .map(|(&id, before)| Duration::from_nanos(used_ns(id) - before))
            .collect();
        let took = began.elapsed();
        if used.iter().sum::<Duration>() >= wanted {
            return (used, took);
        }
        assert!(took < PATIENCE, "{used:?} of {wanted:?} after {took:?}");
    }
}

/// Policy and nice of a thread as procfs shows them (proc(5), fields 41 and 19).
pub fn policy_and_nice(id: Pid) -> (u32, i32) {
    let path = format!("/proc/self/task/{}/stat", id.as_raw_nonzero());
    let text = fs::read_to_string(path).unwrap();
    let fields: Vec<&str> = text
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    (fields[38].parse().unwrap(), fields[16].parse().unwrap())
}

/// The threads of this process that are named so, or so and more.
pub fn named(name: &str) -> Vec<Pid> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let is = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
    };
    let id = |task: fs::DirEntry| task.file_name().to_str().unwrap().parse().unwrap();
    tasks
        .filter(is)
        .map(|task| Pid::from_raw(id(task)).unwrap())
        .collect()
}

/// A cgroup made for a test; gone with it, if the threads in it are gone before.
pub struct Cgroup {
    pub path: PathBuf,
    /// What was enabled above it for its sake.
    enabled: Option<PathBuf>,
}

impl Cgroup {
    /// One that holds what is in it at 20 % of a CPU: of version 1, or of version 2 below this process's own.
    pub fn with_quota(name: &str) -> Result<Self, String> {
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        if v1.join("cpu.cfs_quota_us").exists() || v1.join("tasks").exists() {
            let made = Self::make(v1, name)?;
            made.write("cpu.cfs_period_us", "50000")?;
            made.write("cpu.cfs_quota_us", "10000")?;
            return Ok(made);
        }
        let mut made = Self::threaded(name)?;
        let above = made.path.parent().unwrap_or(Path::new("/")).to_owned();
        let control = above.join("cgroup.subtree_control");
        if !made.path.join("cpu.max").exists() {
            fs::write(&control, "+cpu").map_err(|e| format!("{}: {e}", control.display()))?;
            made.enabled = Some(control);
        }
        made.write("cpu.max", "10000 50000")?;
        Ok(made)
    }

    /// A threaded one of version 2, without a controller.
    pub fn threaded(name: &str) -> Result<Self, String> {
        let made = Self::domain(name)?;
        made.write("cgroup.type", "threaded")?;
        Ok(made)
    }

    /// An ordinary one of version 2, which takes whole processes alone.
    pub fn domain(name: &str) -> Result<Self, String> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.ok_or("this process is in no cgroup of version 2")?;
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let root = mounts
            .into_iter()
            .find(|m| m.join("cgroup.threads").exists());
        let root = root.ok_or("no cgroup of version 2 is mounted")?;
        Self::make(&root.join(own), name)
    }

    fn make(above: &Path, name: &str) -> Result<Self, String> {
        let path = above.join(format!("pinode-{name}-{}", std::process::id()));
        fs::create_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self {
            path,
            enabled: None,
        })
    }

    fn write(&self, file: &str, what: &str) -> Result<(), String> {
        let path = self.path.join(file);
        fs::write(&path, what).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Whether the kernel says of the thread that it is in it.
    pub fn holds(&self, id: Pid) -> bool {
        let path = format!("/proc/self/task/{}/cgroup", id.as_raw_nonzero());
        let name = self.path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(path).unwrap();
        text.lines().any(|line| line.ends_with(name))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A thread that has ended leaves its cgroup a moment later.
        let began = Instant::now();
        while fs::remove_dir(&self.path).is_err() && began.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(control) = &self.enabled {
            let _ = fs::write(control, "-cpu");
        }
    }
}
