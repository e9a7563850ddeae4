//! A machine: from a configuration to running vCPUs, and back to nothing.
//!
//! Whatever fails on the way leaves nothing behind; `stop` returns when all threads are joined.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::raw::c_int;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kvm_ioctls::VmFd;
use rustix::thread::Pid;
use vmm_sys_util::eventfd::EventFd;
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use crate::boot::{self, BootError, Handover, Image};
use crate::bus::Bus;
use crate::config::{ConfigError, Kernel, MachineConfig};
use crate::console::{Console, Log};
use crate::control::ControlPort;
use crate::device_thread::DeviceThread;
use crate::event::EventSink;
use crate::kvm::KvmHost;
use crate::machine_builder::Builder;
use crate::memory::{GuestRam, MemoryError};
use crate::vcpu::{Shared, Vcpu};

/// Why a machine did not start.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The configuration cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read.
    #[error("cannot read {what} {path}: {source}", path = path.display())]
    File {
        /// "kernel" or "initrd".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Guest RAM.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The image.
    #[error("{image}: {source}")]
    Boot {
        /// The file, or "built-in image".
        image: String,
        /// Why.
        source: BootError,
    },
    /// A KVM call.
    #[error("machine {name}: {call}: {source}")]
    Kvm {
        /// The machine.
        name: String,
        /// The call.
        call: &'static str,
        /// The kernel's answer.
        source: kvm_ioctls::Error,
    },
    /// Another call of the host's kernel.
    #[error("machine {name}: {call}: {source}")]
    Host {
        /// The machine.
        name: String,
        /// The call.
        call: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// A running machine. Dropping it stops it.
pub struct Machine {
    // Field order is drop order: threads are joined in `Drop`, then the VM goes, then its RAM.
    threads: Vec<JoinHandle<()>>,
    /// By vCPU: its thread, once that has started.
    vcpus: Vec<Arc<OnceLock<Pid>>>,
    wake: EventFd,
    shared: Arc<Shared>,
    control: ControlPort,
    console: Console,
    bus: Arc<Bus>,
    _vm: VmFd,
    ram: Arc<GuestRam>,
}

/// How long a kicked vCPU gets before it is kicked again.
const KICK_AGAIN: Duration = Duration::from_micros(500);

impl Machine {
    /// Boots; returns once the vCPU threads run. Events may arrive before this returns.
    pub fn boot(
        host: &KvmHost,
        config: MachineConfig,
        events: EventSink,
    ) -> Result<Self, MachineError> {
        config.check()?;
        let kernel = read_kernel(&config.kernel)?;
        let initrd = config
            .initrd
            .as_ref()
            .map(|path| read("initrd", path))
            .transpose()?;
        let in_image = |source| MachineError::Boot {
            image: image_name(&config.kernel),
            source,
        };
        let image = Image::parse(&kernel).map_err(in_image)?;
        config.check_interrupts(image.wants_msi())?;

        let ram = GuestRam::new(config.memory)?;
        let entry = boot::load(
            &ram,
            &image,
            &Handover {
                protocol: config.boot,
                command_line: &config.command_line(matches!(image, Image::Elf(_))),
                initrd: initrd.as_deref(),
                vcpus: config.vcpus,
                devices: config.devices() as u32,
            },
        )
        .map_err(in_image)?;

        let builder = Builder {
            host,
            config: &config,
            ram: &ram,
        };
        let vm = builder.vm(image.wants_msi())?;
        let log = Arc::new(Log::default());
        let shared = Arc::new(Shared {
            name: config.name.clone(),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            events,
            log: log.clone(),
        });
        let parts = builder.devices(&vm, &shared)?;
        let vcpus = builder.vcpus(&vm, entry, &parts.bus, &shared)?;
        let (device_thread, wake) = DeviceThread::new(parts.served, shared.clone())
            .map_err(builder.host_error("epoll for the device thread"))?;

        // Weak: a console kept for reading must not keep the guest's RAM.
        let keyboard = (
            Arc::downgrade(&parts.console),
            Arc::downgrade(&parts.serial),
        );
        let console = Console::new(
            log,
            Arc::new(move |octets| {
                let (Some(console), Some(serial)) = (keyboard.0.upgrade(), keyboard.1.upgrade())
                else {
                    return;
                };
                if !console.type_in(octets) {
                    serial.type_in(octets);
                }
            }),
        );
        let mut machine = Self {
            threads: Vec::new(),
            vcpus: Vec::new(),
            wake,
            shared,
            control: ControlPort::new(&parts.console),
            console,
            bus: parts.bus,
            _vm: vm,
            ram,
        };
        // From here on an error drops `machine`, which stops what already runs.
        machine.start(&config, device_thread, vcpus)?;
        Ok(machine)
    }

    fn start(
        &mut self,
        config: &MachineConfig,
        device_thread: DeviceThread,
        vcpus: Vec<Vcpu>,
    ) -> Result<(), MachineError> {
        register_kick();
        let spawn = |name: String, cpus: Vec<usize>, body: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name)
                .spawn(move || {
                    pin(&cpus);
                    body();
                })
                .map_err(|source| MachineError::Host {
                    name: config.name.clone(),
                    call: "cannot start a thread",
                    source,
                })
        };
        let name = format!("dev-{}", config.name);
        self.threads.push(spawn(
            name,
            config.cpus.clone(),
            Box::new(move || device_thread.run()),
        )?);
        for (index, vcpu) in vcpus.into_iter().enumerate() {
            let name = format!("vcpu-{}-{index}", config.name);
            let cpu = config.cpus.iter().cycle().nth(index).copied();
            let id = Arc::new(OnceLock::new());
            self.vcpus.push(id.clone());
            let body = Box::new(move || {
                // Set once, here.
                let _ = id.set(rustix::thread::gettid());
                vcpu.run();
            });
            self.threads
                .push(spawn(name, cpu.into_iter().collect(), body)?);
        }
        // Beside the boot, which needs only the beginning of the RAM; on memory that the host has to fetch first,
        // this is most of the time that a machine would take to start.
        let (ram, shared) = (self.ram.clone(), self.shared.clone());
        let fill = move || {
            // Guests that forward come first; and where it may run is not the guests' cores alone.
            let _ = rustix::process::nice(19);
            ram.populate_rest(|| shared.stopping.load(Ordering::Acquire));
        };
        let name = format!("fill-{}", config.name);
        // Without the thread each page is paid for at its first touch.
        self.threads
            .extend(spawn(name, Vec::new(), Box::new(fill)).ok());
        Ok(())
    }

    /// The control lines to the guest.
    pub fn control(&self) -> &ControlPort {
        &self.control
    }

    /// What the guest prints, and what is typed at it.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The threads of the vCPUs, in order, for whoever is to bound what they get of the host's CPUs; each is pinned
    /// already. Waits for those that have not started yet. They live until the guest ends or the machine is stopped.
    pub fn vcpu_threads(&self) -> Vec<Pid> {
        self.vcpus.iter().map(|id| *id.wait()).collect()
    }

    /// RAM of the guest, in octets.
    pub fn memory_octets(&self) -> u64 {
        self.ram.octets()
    }

    /// Register accesses of the guest that made no sense and were ignored, so far.
    pub fn ignored_accesses(&self) -> u64 {
        self.bus.ignored()
    }

    /// Stops the machine: kicks the vCPUs out of the guest, joins all threads, gives everything back. Guest RAM
    /// stays mapped until the queue pairs handed out are dropped. No event follows.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.ended.store(true, Ordering::Release);
        let _ = self.wake.write(1);
        for thread in self.threads.drain(..) {
            // A signal between the look at the flag and KVM_RUN is lost, hence again until the thread is out.
            while !thread.is_finished() {
                let _ = thread.kill(kick_signal());
                thread::sleep(KICK_AGAIN);
            }
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("name", &self.shared.name)
            .field("memory", &self.ram.octets())
            .finish_non_exhaustive()
    }
}

fn kick_signal() -> c_int {
    SIGRTMIN() + 1
}

/// The kick does its work by interrupting KVM_RUN; the handler itself has nothing to do.
extern "C" fn on_kick(_: c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn register_kick() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only for numbers outside the real-time range.
        let _ = register_signal_handler(kick_signal(), on_kick);
    });
}

/// Pins the calling thread. A host that refuses (a CPU out of the process's set) costs speed, not function.
fn pin(cpus: &[usize]) {
    if cpus.is_empty() {
        return;
    }
    let mut set = rustix::thread::CpuSet::new();
    for cpu in cpus
        .iter()
        .filter(|cpu| **cpu < rustix::thread::CpuSet::MAX_CPU)
    {
        set.set(*cpu);
    }
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

fn image_name(kernel: &Kernel) -> String {
    match kernel {
        Kernel::Embedded(_) => "built-in image".into(),
        Kernel::File(path) => path.display().to_string(),
    }
}

fn read_kernel(kernel: &Kernel) -> Result<Cow<'static, [u8]>, MachineError> {
    match kernel {
        Kernel::Embedded(octets) => Ok(Cow::Borrowed(octets)),
        Kernel::File(path) => read("kernel", path).map(Cow::Owned),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, MachineError> {
    fs::read(path).map_err(|source| MachineError::File {
        what,
        path: path.to_owned(),
        source,
    })
}
