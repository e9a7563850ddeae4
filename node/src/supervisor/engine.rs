//! What runs a guest: a virtual machine, or a host thread with the same guest function.
//!
//! Both give the worker the same rings and speak the same control lines; from here on nobody can
//! tell them apart.

use std::sync::Arc;

use pinode_guest_dss::Switch;
use pinode_guest_ipv6qos::Router;
use pinode_guest_patch::Patch;
use pinode_guest_runtime::Function;
use pinode_guest_runtime::hosted::{
    Hosted, HostedConfig, HostedEvent, HostedPair, HostedVif, Kick,
};
use pinode_vmm::{
    BootProtocol, Kernel, KvmHost, Machine, MachineConfig, MachineEvent, NetConfig, QueuePair,
};
use rustix::thread::Pid;
use thiserror::Error;

use super::share::ShareError;
use super::unsafe_thread_time;
use crate::config::{GuestImage, Isolation, NodeConfig, PiConfig};
use crate::dataplane::bell::Bell;
use crate::dataplane::vif::{PairsInUse, Vif};

/// What a guest says or suffers.
pub enum GuestEvent {
    /// It has set up the vif of this port: its queue pairs in order.
    VifUp { port: usize, pairs: Vec<Vif> },
    /// It has reset the vif of this port; the reset completes when `released` is dropped.
    VifDown {
        port: usize,
        released: Box<dyn Send>,
    },
    /// A line on the control channel.
    Line(String),
    /// It faulted: a report to read.
    Fault(String),
    /// It ended by itself.
    Ended(String),
}

/// Where a guest's events go.
pub type Events = Arc<dyn Fn(GuestEvent) + Send + Sync>;

/// Why a guest could not be launched.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// The machine could not be made.
    #[error(transparent)]
    Machine(#[from] pinode_vmm::MachineError),
    /// The thread could not be made.
    #[error(transparent)]
    Hosted(#[from] pinode_guest_runtime::hosted::HostedError),
    /// A built-in image is not among the functions that run as a thread.
    #[error(
        "{0} cannot run with isolation = \"thread\": only built-in guests can; allowed: builtin:dss, builtin:ipv6qos, builtin:patch"
    )]
    NotBuiltIn(String),
    /// The kernel does not give the guest's threads their share of the CPUs.
    #[error("pi.{pi}.cpu.{source}")]
    Share {
        /// The PI's name.
        pi: String,
        /// What the kernel said to which key.
        source: ShareError,
    },
    /// A mistake of ours.
    #[error("the launch panicked; this is a mistake of pinode")]
    Panicked,
    /// The configuration was read with `isolation = "thread"`, so there is no KVM.
    #[error("isolation = \"kvm\" needs /dev/kvm, which this node has not opened")]
    NoKvm,
}

/// A running guest.
pub enum Engine {
    /// A virtual machine.
    Vm(Machine),
    /// A host thread.
    Thread(Hosted),
}

impl Engine {
    /// Launches the guest of the PI in `slot`. `kicks`: by port, what wakes the worker that takes the
    /// frames of its vif.
    ///
    /// # Errors
    ///
    /// See [`LaunchError`].
    pub fn launch(
        kvm: Option<&KvmHost>,
        node: &NodeConfig,
        slot: usize,
        kicks: Vec<Bell>,
        events: Events,
    ) -> Result<Self, LaunchError> {
        let pi = &node.pis[slot];
        match node.isolation {
            Isolation::Kvm => {
                let host = kvm.ok_or(LaunchError::NoKvm)?;
                let config = machine_config(node, slot, pi, kicks)?;
                let forward: Arc<dyn Fn(MachineEvent) + Send + Sync> =
                    Arc::new(move |event| forward_machine(event, &events));
                Ok(Self::Vm(Machine::boot(host, config, forward)?))
            }
            Isolation::Thread => launch_thread(node, slot, pi, kicks, events),
        }
    }

    /// The threads that the guest runs on: those of its vCPUs, or its one. Waits until they have started.
    #[must_use]
    pub fn threads(&self) -> Vec<Pid> {
        match self {
            Self::Vm(machine) => machine.vcpu_threads(),
            Self::Thread(hosted) => vec![hosted.thread_id()],
        }
    }

    /// CPU time of each of these threads so far, nanoseconds, as the kernel has it; none of those that are gone.
    #[must_use]
    pub fn cpu_ns(&self) -> Vec<u64> {
        let threads = self.threads();
        threads
            .into_iter()
            .filter_map(unsafe_thread_time::cpu_ns)
            .collect()
    }

    /// Sends a line on the control channel.
    pub fn send_line(&self, line: &str) {
        // A guest that does not read its control channel is found out by its missing answers.
        match self {
            Self::Vm(machine) => drop(machine.control().send_line(line)),
            Self::Thread(hosted) => hosted.send_line(line),
        }
    }

    /// What the guest wrote on its console from octet `offset` on, and the offset to ask with next.
    #[must_use]
    pub fn console_since(&self, offset: u64) -> (Vec<u8>, u64) {
        match self {
            Self::Vm(machine) => machine.console().since(offset),
            Self::Thread(hosted) => hosted.console_since(offset),
        }
    }

    /// Ends it. The worker must have let go of its rings, or they keep its memory.
    pub fn stop(self) {
        match self {
            Self::Vm(machine) => machine.stop(),
            Self::Thread(hosted) => hosted.stop(),
        }
    }
}

fn machine_config(
    node: &NodeConfig,
    slot: usize,
    pi: &PiConfig,
    kicks: Vec<Bell>,
) -> Result<MachineConfig, LaunchError> {
    let (kernel, initrd, cmdline) = match &pi.guest {
        GuestImage::Builtin(name) => {
            let image = pinode_images::builtin(name)
                .ok_or_else(|| LaunchError::NotBuiltIn(pi.guest.to_string()))?;
            (Kernel::Embedded(image), None, String::new())
        }
        GuestImage::File {
            kernel,
            initrd,
            cmdline,
        } => (
            Kernel::File(kernel.clone()),
            initrd.clone(),
            cmdline.clone(),
        ),
    };
    let nets = node
        .ports
        .iter()
        .enumerate()
        .map(|(index, port)| NetConfig {
            mac: node.vif_mac(pi, index),
            mtu: port.mtu,
            queue_pairs: node.workers,
            queue_size: pi.queue,
        });
    Ok(MachineConfig {
        name: pi.name.clone(),
        memory: pi.memory,
        vcpus: pi.vcpus,
        cpus: node.guest_cpus(slot),
        kernel,
        initrd,
        cmdline,
        boot: BootProtocol::Auto,
        nets: nets.collect(),
        kicks: kicks.into_iter().map(Bell::into_event).collect(),
    })
}

fn forward_machine(event: MachineEvent, events: &Events) {
    match event {
        MachineEvent::NetUp { net, pairs } => events(GuestEvent::VifUp {
            port: net,
            pairs: pairs.into_iter().map(machine_pair).collect(),
        }),
        MachineEvent::NetDown { net, released } => {
            events(GuestEvent::VifDown {
                port: net,
                released: Box::new(released),
            });
        }
        MachineEvent::Control(line) => events(GuestEvent::Line(line)),
        MachineEvent::Fault(report) => events(GuestEvent::Fault(report.to_string())),
        MachineEvent::Stopped(reason) => events(GuestEvent::Ended(format!("{reason:?}"))),
    }
}

fn machine_pair(pair: QueuePair) -> Vif {
    let in_use = PairsInUse {
        index: pair.index(),
        count: pair.pairs_in_use(),
    };
    let QueuePair {
        receive,
        transmit,
        interrupt,
        memory,
        ..
    } = pair;
    let vif = Vif::new(
        receive,
        transmit,
        Arc::new(move || interrupt.raise()),
        memory,
    );
    // The first pair is in use from the beginning.
    if in_use.index == 0 {
        vif
    } else {
        vif.while_in_use(in_use)
    }
}

fn launch_thread(
    node: &NodeConfig,
    slot: usize,
    pi: &PiConfig,
    kicks: Vec<Bell>,
    events: Events,
) -> Result<Engine, LaunchError> {
    let function = function(&pi.guest)?;
    let vif = HostedVif {
        queue_size: pi.queue,
        queue_pairs: node.workers,
    };
    let config = HostedConfig {
        name: pi.name.clone(),
        memory: pi.memory,
        vifs: vec![vif; node.ports.len()],
        cpus: node.guest_cpus(slot),
    };
    let forward = Arc::new(move |event| forward_hosted(event, &events));
    let kick = |bell: Bell| -> Kick { Arc::new(move || bell.ring()) };
    let kicks = kicks.into_iter().map(kick).collect();
    let hosted = Hosted::start_with(config, kicks, function, forward)?;
    Ok(Engine::Thread(hosted))
}

/// The built-in functions as this process can run them.
fn function(guest: &GuestImage) -> Result<Box<dyn Function + Send>, LaunchError> {
    match guest {
        GuestImage::Builtin(name) if name == "dss" => Ok(Box::new(Switch::default())),
        GuestImage::Builtin(name) if name == "ipv6qos" => Ok(Box::new(Router::default())),
        GuestImage::Builtin(name) if name == "patch" => Ok(Box::new(Patch)),
        other => Err(LaunchError::NotBuiltIn(other.to_string())),
    }
}

fn forward_hosted(event: HostedEvent, events: &Events) {
    match event {
        HostedEvent::NetUp { net, pairs } => {
            let pair =
                |pair: HostedPair| Vif::new(pair.receive, pair.transmit, pair.wake, pair.memory);
            events(GuestEvent::VifUp {
                port: net,
                pairs: pairs.into_iter().map(pair).collect(),
            });
        }
        HostedEvent::Control(line) => events(GuestEvent::Line(line)),
        HostedEvent::Fault(what) => events(GuestEvent::Fault(what)),
        HostedEvent::Stopped => events(GuestEvent::Ended("stopped".to_owned())),
    }
}
