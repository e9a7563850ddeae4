//! A running node: its worker, its supervisor, and the order in which they start and end.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use pinode_ports::Port;
use pinode_vmm::KvmHost;

use crate::assemble::{self, epoch_ns};
use crate::config::{Isolation, NodeConfig};
use crate::dataplane::baton::Baton;
use crate::dataplane::clock::{Monotonic, Tai, tai_offset_ns};
use crate::dataplane::mailbox::{Command, Mailbox};
use crate::dataplane::worker::Worker;
use crate::operator::{Operator, Schedules};
use crate::supervisor::lifecycle::State;
use crate::supervisor::{Supervisor, SupervisorHandle};

/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A node that runs.
pub struct RunningNode {
    config: Arc<NodeConfig>,
    operator: Arc<Operator>,
    guests: SupervisorHandle,
    supervisor: Supervisor,
    worker: JoinHandle<()>,
    mailbox: Mailbox,
}

impl RunningNode {
    /// Starts the worker on `ports` (one for each of the configuration, in its order) and launches
    /// all guests.
    ///
    /// # Errors
    ///
    /// No KVM, a schedule that cannot hold, or no thread to be had.
    pub fn start(config: NodeConfig, ports: Vec<Box<dyn Port>>) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let kvm = match config.isolation {
            Isolation::Kvm => Some(Arc::new(KvmHost::open().context(
                "isolation = \"kvm\" needs KVM; without it use isolation = \"thread\"",
            )?)),
            Isolation::Thread => None,
        };
        let backends = ports.iter().map(|port| port.describe()).collect();
        let tai = Tai::new(tai_offset_ns());
        let offset = tai.offset_ns();
        let lanes = config
            .ports
            .iter()
            .zip(ports)
            .map(|(port, backend)| assemble::lane(&config, port, backend, offset))
            .collect::<Result<Vec<_>, _>>()?;
        let schedules = config.ports.iter().map(|port| {
            let base_ns = epoch_ns(offset, port.cycle_ns());
            Schedules::new(port.phases.clone(), base_ns, &tai)
        });
        let schedules = schedules.collect();

        let slots = config.pis.len();
        let (mailbox, inbox) = Mailbox::new();
        let (guests, supervisor_inbox) = Supervisor::prepare(slots);
        let baton = Baton::new(config.guests_share_cores());
        let worker = Worker::new(
            Monotonic,
            lanes,
            slots,
            baton,
            inbox,
            guests.worker_events(),
        );
        let pin = config.cpus.workers.first().copied();
        let worker = std::thread::Builder::new()
            .name("worker-0".into())
            .spawn(move || {
                pin_to(pin);
                worker.run();
            })
            .context("no thread for the data-plane worker")?;
        let operator = Arc::new(Operator::new(
            Arc::clone(&config),
            kvm.as_ref().map(|host| host.flavour().to_owned()),
            backends,
            schedules,
            tai,
            mailbox.clone(),
            guests.clone(),
        ));
        let supervisor = Supervisor::start(
            guests.clone(),
            supervisor_inbox,
            Arc::clone(&config),
            kvm,
            mailbox.clone(),
        )
        .context("no thread for the supervisor")?;
        Ok(Self {
            config,
            operator,
            guests,
            supervisor,
            worker,
            mailbox,
        })
    }

    /// What the control API and the demo ask of the node.
    #[must_use]
    pub fn operator(&self) -> &Arc<Operator> {
        &self.operator
    }

    /// Waits until all guests forward, for at most `limit`, asking `stop` whether to end; then
    /// lets frames in.
    ///
    /// # Errors
    ///
    /// A guest that cannot be launched, or one that is not ready in time.
    pub fn wait_ready(&self, limit: Duration, stop: impl Fn() -> bool) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let views = self.guests.views();
            for (pi, view) in self.config.pis.iter().zip(&views) {
                if let Some(why) = view.hopeless() {
                    return Err(anyhow!("guest {}: {why}", pi.name));
                }
            }
            if views.iter().all(|view| view.state == State::Running) {
                // From now on ports are received from: what waits there, or a trace that is
                // replayed, finds guests that forward.
                return self.mailbox.post(Command::Open).map_err(Into::into);
            }
            if stop() {
                return Ok(());
            }
            if started.elapsed() > limit {
                let late = self.config.pis.iter().zip(&views);
                let late: Vec<String> = late
                    .filter(|(_, view)| view.state != State::Running)
                    .map(|(pi, view)| match view.failures.back() {
                        Some(why) => format!("{} ({}: {why})", pi.name, view.state.name()),
                        None => format!("{} ({})", pi.name, view.state.name()),
                    })
                    .collect();
                bail!(
                    "not all guests forward after {limit:?}: {}",
                    late.join(", ")
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends the guests, then the worker.
    pub fn stop(self) {
        self.supervisor.stop();
        self.mailbox.stop();
        if self.worker.join().is_err() {
            tracing::error!("the data-plane worker ended by a panic");
        }
    }
}

fn pin_to(cpu: Option<usize>) {
    let Some(cpu) = cpu else { return };
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        tracing::warn!(cpu, %error, "the worker cannot be pinned; it runs where the kernel puts it");
    }
}
