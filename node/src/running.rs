//! A running node: its workers, its supervisor, and the order in which they start and end.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use pinode_ports::Port;
use pinode_vmm::KvmHost;

use crate::assemble;
use crate::config::{
    IdleMode, Isolation, NodeConfig, permanent_place_of, signaling_of, sockets_of,
};
use crate::dataplane::baton::{Baton, Board};
use crate::dataplane::bell::Bell;
use crate::dataplane::clock::{Clock as _, Monotonic, Tai, tai_offset_ns};
use crate::dataplane::idle::Idle;
use crate::dataplane::lane::PortLane;
use crate::dataplane::layout::Layout;
use crate::dataplane::mailbox::Mailbox;
use crate::dataplane::sleeper::EpollSleeper;
use crate::dataplane::worker::Worker;
use crate::dataplane::workers::Workers;
use crate::dss::{Keeper, Signalling};
use crate::ipv6;
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
    /// Keep signalling daemons running.
    keepers: Vec<Keeper>,
    threads: Vec<JoinHandle<()>>,
    workers: Workers,
}

impl RunningNode {
    /// Starts the workers on `ports` (the queues of each of the configuration's ports, in its order:
    /// one queue, or one for each worker) and launches all guests.
    ///
    /// # Errors
    ///
    /// No KVM, a schedule that cannot hold, or no thread to be had.
    pub fn start(config: NodeConfig, ports: Vec<Vec<Box<dyn Port>>>) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let kvm = match config.isolation {
            Isolation::Kvm => Some(Arc::new(KvmHost::open().context(
                "isolation = \"kvm\" needs KVM; without it use isolation = \"thread\"",
            )?)),
            Isolation::Thread => None,
        };
        let tai = Tai::new(tai_offset_ns());
        let offset = tai.offset_ns();
        let now_tai_ns = tai.at(Monotonic.now_ns());
        for port in &config.ports {
            assemble::check_base_time(port.base_tai_ns, now_tai_ns)
                .map_err(|far| anyhow!("port.{}.cycle.base_time: {far}", port.name))?;
        }
        let count = usize::from(config.workers);
        let layout = Layout::new(count, ports.iter().map(Vec::len).collect());
        let (mut lanes, mut backends) = (Vec::new(), Vec::new());
        lanes.resize_with(count, Vec::new);
        for (index, (port, queues)) in config.ports.iter().zip(ports).enumerate() {
            backends.push(describe(&port.name, &queues, count)?);
            for (worker, lane) in assemble::lanes(&config, &layout, index, port, queues, offset)? {
                lanes[worker].push(lane);
            }
        }
        let schedules = config.ports.iter().map(|port| {
            let base_ns = assemble::base_ns(port, offset);
            Schedules::new(port, &config.pis, base_ns, &tai)
        });
        let schedules = schedules.collect();

        let (guests, supervisor_inbox) = Supervisor::prepare(config.pis.len());
        let (threads, mailboxes) = start_workers(&config, lanes, &guests)?;
        let workers = Workers::new(layout, mailboxes);
        let operator = Arc::new(Operator::new(
            Arc::clone(&config),
            kvm.as_ref().map(|host| host.flavour().to_owned()),
            backends,
            schedules,
            tai,
            workers.clone(),
            guests.clone(),
        ));
        let supervisor = Supervisor::start(
            guests.clone(),
            supervisor_inbox,
            Arc::clone(&config),
            kvm,
            workers.clone(),
            ipv6::journals(&config),
        )
        .context("no thread for the supervisor")?;
        let keepers = start_signalling(&config, &operator, &guests)
            .context("no thread for a signalling daemon")?;
        Ok(Self {
            config,
            operator,
            guests,
            supervisor,
            keepers,
            threads,
            workers,
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
                return self.workers.open().map_err(Into::into);
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

    /// Ends the guests, then the workers.
    pub fn stop(self) {
        self.keepers.into_iter().for_each(Keeper::stop);
        self.supervisor.stop();
        self.workers.stop();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!("the data-plane {name} ended by a panic");
            }
        }
    }
}

/// A signalling daemon for each switch that is to have one.
fn start_signalling(
    config: &NodeConfig,
    operator: &Arc<Operator>,
    guests: &SupervisorHandle,
) -> std::io::Result<Vec<Keeper>> {
    let ports: Vec<String> = config.ports.iter().map(|port| port.name.clone()).collect();
    let (mut all, mut keepers) = (Vec::new(), Vec::new());
    for (slot, pi) in config.pis.iter().enumerate() {
        let Some(configuration) = signaling_of(config, slot) else {
            all.push(None);
            continue;
        };
        let control: Weak<Operator> = Arc::downgrade(operator);
        let jitter_ns = pi.signaling.as_ref().map_or(0, |own| own.jitter_ns);
        let ports = ports.clone();
        let sockets = sockets_of(config, slot);
        let signalling =
            Signalling::new(control, &pi.name, configuration, ports, jitter_ns, sockets);
        let signalling = Arc::new(signalling);
        for permanent in pi.signaling.iter().flat_map(|own| &own.permanents) {
            let added = permanent_place_of(config, slot, permanent)
                .map_err(|(key, what)| format!("{key}: {what}"))
                .and_then(|at| signalling.add_permanent(permanent.clone(), at, true));
            if let Err(what) = added {
                // Cannot be: the configuration was checked.
                tracing::error!(guest = %pi.name, end = %permanent.name, "{what}");
            }
        }
        all.push(Some(Arc::clone(&signalling)));
        keepers.push(Keeper::start(signalling, guests.listen(slot))?);
    }
    operator.with_signalling(all);
    Ok(keepers)
}

/// One line for people: what stands behind a port, and by how many queues.
fn describe(port: &str, queues: &[Box<dyn Port>], workers: usize) -> anyhow::Result<String> {
    match queues {
        [] => bail!("port {port}: opened without a queue"),
        [only] => Ok(only.describe()),
        [first, ..] if queues.len() <= workers => {
            Ok(format!("{}, {} queues", first.describe(), queues.len()))
        }
        _ => bail!(
            "port {port}: {} queues for {workers} workers; allowed: one each",
            queues.len()
        ),
    }
}

/// A thread for each worker, with its lanes.
fn start_workers(
    config: &NodeConfig,
    lanes: Vec<Vec<PortLane>>,
    guests: &SupervisorHandle,
) -> anyhow::Result<(Vec<JoinHandle<()>>, Vec<Mailbox>)> {
    let board = config.guests_share_cores().then(|| Board::new(lanes.len()));
    let (mut threads, mut mailboxes) = (Vec::new(), Vec::new());
    for (index, lanes) in lanes.into_iter().enumerate() {
        let bell = Bell::new().context("no eventfd for a data-plane worker")?;
        let sleeper = EpollSleeper::new(bell.clone(), lanes.len())
            .context("no epoll for a data-plane worker")?;
        let (mailbox, inbox) = Mailbox::new(bell);
        let baton = match &board {
            Some(board) => Baton::passed(Arc::clone(board), index),
            None => Baton::at_once(),
        };
        let baton = match config.wake_interval_ns {
            Some(apart_ns) => baton.apart(apart_ns),
            None => baton,
        };
        let events = guests.worker_events();
        let mut worker = Worker::new(index, Monotonic, lanes, baton, inbox, events);
        if config.idle == IdleMode::Sleep {
            let idle = Idle::new(!config.workers_share_cores());
            worker = worker.sleeping(idle, Box::new(sleeper));
        }
        let pin = config.cpus.workers.get(index).copied();
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || {
                pin_to(pin);
                worker.run();
            })
            .context("no thread for a data-plane worker")?;
        threads.push(thread);
        mailboxes.push(mailbox);
    }
    Ok((threads, mailboxes))
}

fn pin_to(cpu: Option<usize>) {
    let Some(cpu) = cpu else { return };
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        tracing::warn!(cpu, %error, "the worker cannot be pinned; it runs where the kernel puts it");
    }
}
