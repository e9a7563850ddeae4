//! What an operator sees and may change of a running node: [`Control`] on the workers and the
//! supervisor's handle.

mod permanent;
mod schedules;
mod signalling;
mod streams;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use pinode_signaling::Prefix;
use serde_json::Value;

use crate::assemble;
use crate::capture::{self, CaptureReader, LinkType, Poll};
use crate::config::{
    NOBODY, NodeConfig, PhaseConfig, PiConfig, PortConfig, schedule_problems, stream_problems,
};
use crate::control::{
    CapturePoint, ConsoleChunk, Control, ControlError, GuestAction, PhasesSet, SetPhases,
    StreamGranted, StreamName, StreamPage, StreamRefused, StreamReleased, StreamRequest, Streams,
};
use crate::dataplane::clock::{Clock, Monotonic, Tai};
use crate::dataplane::counters::{
    GateError, NodeSnapshot, PiSnapshot, PortSnapshot, WorkerSnapshot,
};
use crate::dataplane::mailbox::WorkerGone;
use crate::dataplane::workers::{TapPoint, Workers};
use crate::dss::{Permanent, PermanentShown, Shown, Signalling};
use crate::status::{
    ClassStatus, Departure, EgressDrops, GuestState, GuestStatus, IngressDrops, Level2Status,
    PiStatus, PortDrops, PortPhases, PortStatus, Quantiles, Schedule, Status, WorkerStatus,
};
use crate::supervisor::lifecycle::State;
use crate::supervisor::{Action, GuestView, Listener, RequestError, SupervisorHandle};

use schedules::Installed;
pub use schedules::Schedules;

/// Octets of each frame that a capture keeps: all of an ordinary one.
const SNAP_OCTETS: u32 = 2048;
/// How long a capture rests when there is nothing to move.
const REST: Duration = Duration::from_millis(5);
/// How often a silent capture looks whether it is still wanted.
const ANYBODY_THERE: Duration = Duration::from_millis(500);
/// pcapng pieces that may wait for the reader of a capture.
const PIECES: usize = 64;

/// The operator's side of a running node.
pub struct Operator {
    config: Arc<NodeConfig>,
    kvm: Option<String>,
    backends: Vec<String>,
    schedules: Mutex<Vec<Schedules>>,
    tai: Tai,
    workers: Workers,
    guests: SupervisorHandle,
    started_ns: u64,
    captures: AtomicU64,
    /// That of each guest, by slot, once the node runs.
    signalling: OnceLock<Vec<Option<Arc<Signalling>>>>,
}

impl Operator {
    pub(crate) fn new(
        config: Arc<NodeConfig>,
        kvm: Option<String>,
        backends: Vec<String>,
        schedules: Vec<Schedules>,
        tai: Tai,
        workers: Workers,
        guests: SupervisorHandle,
    ) -> Self {
        let started_ns = Monotonic.now_ns();
        let captures = AtomicU64::new(0);
        Self {
            config,
            kvm,
            backends,
            schedules: Mutex::new(schedules),
            tai,
            workers,
            guests,
            started_ns,
            captures,
            signalling: OnceLock::new(),
        }
    }

    /// The signalling of each guest, by slot; once.
    pub(crate) fn with_signalling(&self, all: Vec<Option<Arc<Signalling>>>) {
        // Whoever comes second changes nothing.
        let _ = self.signalling.set(all);
    }

    /// Listens to the guest `name` from now on; see [`SupervisorHandle::listen`].
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`]: there is no such guest.
    pub fn listen(&self, name: &str) -> Result<Listener, ControlError> {
        let slot = self.slot("guest", name)?;
        Ok(self.guests.listen(slot))
    }

    fn port(&self, name: &str) -> Result<usize, ControlError> {
        let position = self.config.ports.iter().position(|port| port.name == name);
        position.ok_or_else(|| ControlError::Unknown {
            kind: "port",
            name: name.to_owned(),
            known: self
                .config
                .ports
                .iter()
                .map(|port| port.name.clone())
                .collect(),
        })
    }

    fn slot(&self, kind: &'static str, name: &str) -> Result<usize, ControlError> {
        let position = self.config.pis.iter().position(|pi| pi.name == name);
        position.ok_or_else(|| ControlError::Unknown {
            kind,
            name: name.to_owned(),
            known: self.config.pis.iter().map(|pi| pi.name.clone()).collect(),
        })
    }

    fn snapshot(&self) -> Result<Box<NodeSnapshot>, ControlError> {
        let (ports, slots) = (self.config.ports.len(), self.config.pis.len());
        let into = NodeSnapshot::empty(ports, slots, usize::from(self.config.workers));
        self.workers.snapshot(Box::new(into)).map_err(worker_gone)
    }

    fn worker_status(&self, workers: &[WorkerSnapshot]) -> Vec<WorkerStatus> {
        let pinned = !self.config.cpus.workers.is_empty();
        let status = |worker: &WorkerSnapshot| WorkerStatus {
            cpu: worker.cpu,
            pinned,
            asleep: worker.sleeps,
            sleeps: worker.slept,
            busy_ns: worker.busy_ns,
            idle_ns: worker.idle_ns,
            asleep_ns: worker.asleep_ns,
            cpu_ns: worker.cpu_ns,
        };
        workers.iter().map(status).collect()
    }

    fn guest_status(&self, slot: usize, view: &GuestView) -> GuestStatus {
        let pi = &self.config.pis[slot];
        GuestStatus {
            pi: pi.name.clone(),
            state: match view.state {
                State::Stopped => GuestState::Stopped,
                State::Booting => GuestState::Starting,
                State::Running => GuestState::Running,
                State::Quarantined => GuestState::Quarantined,
            },
            restarts: view.restarts,
            boot_us: view.boot_us,
            memory_bytes: pi.memory,
            image: pi.guest.to_string(),
            cpu: view.cpu.as_deref().cloned(),
            usage: view.usage.as_deref().cloned(),
            last_fault: view.failures.back().cloned(),
            not_restored: view.not_restored,
        }
    }

    fn schedule(&self, port: usize, installed: &Installed) -> Schedule {
        Schedule {
            base_tai_ns: installed.from_tai_ns,
            cycle_ns: installed.phases.iter().map(|phase| phase.duration_ns).sum(),
            guard_ns: self.config.ports[port].guard_ns,
            extension_ns: installed.extension_ns,
            phases: self.config.phase_entries(&installed.phases),
        }
    }

    fn port_status(&self, port: usize, copy: &PortSnapshot) -> PortStatus {
        let counted = copy.port;
        PortStatus {
            name: self.config.ports[port].name.clone(),
            backend: self.backends.get(port).cloned().unwrap_or_default(),
            departure: if copy.launch_time {
                Departure::LaunchTime
            } else {
                Departure::HandOver
            },
            rx_frames: counted.rx_frames,
            rx_bytes: counted.rx_bytes,
            tx_frames: counted.tx_frames,
            tx_bytes: counted.tx_bytes,
            missed: counted.missed,
            tx_lost: counted.tx_lost,
            drops: PortDrops {
                bad_ethertype: counted.bad_ethertype,
                unknown_pi: counted.unknown_pi,
                unknown_vn: counted.unknown_vn,
                truncated: counted.truncated,
                oversize: counted.oversize,
            },
            pi: (self.config.pis.iter().zip(&copy.pis))
                .map(|(pi, copy)| (pi.name.clone(), pi_status(pi, copy)))
                .collect::<IndexMap<_, _>>(),
        }
    }
}

impl Control for Operator {
    fn status(&self) -> Result<Status, ControlError> {
        self.guests.read_usage();
        let snapshot = self.snapshot()?;
        let ports = snapshot
            .ports
            .iter()
            .enumerate()
            .map(|(port, copy)| self.port_status(port, copy));
        let uptime_ns = Monotonic.now_ns().saturating_sub(self.started_ns);
        Ok(Status {
            node: self.config.name.clone(),
            uptime_s: uptime_ns as f64 / 1e9,
            isolation: self.config.isolation,
            kvm: self.kvm.clone(),
            workers: self.worker_status(&snapshot.workers),
            guests: self.guests()?,
            ports: ports.collect(),
        })
    }

    fn phases(&self, port: &str) -> Result<PortPhases, ControlError> {
        let index = self.port(port)?;
        let mut all = self
            .schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all[index].settle(Monotonic.now_ns());
        Ok(PortPhases {
            port: port.to_owned(),
            oper: self.schedule(index, &all[index].oper),
            admin: all[index]
                .coming
                .back()
                .map(|admin| self.schedule(index, admin)),
            gates: self.config.gates(&self.config.ports[index]),
        })
    }

    fn set_phases(&self, port: &str, request: SetPhases) -> Result<PhasesSet, ControlError> {
        let index = self.port(port)?;
        let at = format!("port.{port}.cycle");
        let refused = |what: String| ControlError::Refused {
            at: at.clone(),
            what,
        };
        let mut phases = Vec::with_capacity(request.phases.len());
        for phase in &request.phases {
            let owner = match phase.pi.as_str() {
                NOBODY => None,
                name => {
                    let slot = self.slot("pi", name)?;
                    Some(u8::try_from(slot).map_err(|error| refused(error.to_string()))?)
                }
            };
            phases.push(PhaseConfig {
                owner,
                duration_ns: phase.duration_ns,
            });
        }
        let mut planned = PortConfig {
            phases,
            ..self.config.ports[index].clone()
        };
        planned.extension_ns = match request.extension_ns {
            Some(asked) => asked,
            None => planned.extension_ns.min(planned.cycle_ns()),
        };
        let needs = self.config.needs_in_force(&self.config.ports[index]);
        let mut problems = schedule_problems(&planned, &needs);
        // Held over the hand-over, so that what is shown is what was installed last, and no connection is
        // set up that the new schedule does not hold.
        let mut all = self
            .schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let held = self.held(index, &all[index])?;
        let streams = stream_problems(&planned, &self.config.pis, &held);
        problems.extend(streams.into_iter().map(|(_, what)| what));
        if !problems.is_empty() {
            return Err(refused(problems.join("; ")));
        }
        let cycle = assemble::cycle(&self.config, &planned, &planned.phases)
            .map_err(|error| refused(strip_place(&error.to_string(), &at)))?;
        let base_ns = request.base_tai_ns.map(|base_tai_ns| {
            planned.base_tai_ns = base_tai_ns;
            assemble::base_ns(&planned, self.tai.offset_ns())
        });
        let installed = self
            .workers
            .install(index, Box::new(cycle), base_ns)
            .map_err(worker_gone)?;
        let from_ns = installed
            .from_ns
            .map_err(|error| refused(error.to_string()))?;
        let admin = Installed::new(&planned, from_ns, &self.tai);
        let takes_effect_tai_ns = admin.from_tai_ns;
        let replaced = all[index].follow(admin, installed.replaced_ns);
        all[index].settle(Monotonic.now_ns());
        self.renew_terms(index, &mut all[index])?;
        Ok(PhasesSet {
            takes_effect_tai_ns,
            replaced_tai_ns: replaced.map(|waited| waited.from_tai_ns),
        })
    }

    fn guests(&self) -> Result<Vec<GuestStatus>, ControlError> {
        let views = self.guests.views();
        Ok(views
            .iter()
            .enumerate()
            .map(|(slot, view)| self.guest_status(slot, view))
            .collect())
    }

    fn guest_action(&self, name: &str, action: GuestAction) -> Result<GuestStatus, ControlError> {
        let slot = self.slot("guest", name)?;
        self.guests.act(
            slot,
            match action {
                GuestAction::Start => Action::Start,
                GuestAction::Stop => Action::Stop,
                GuestAction::Restart => Action::Restart,
            },
        );
        let views = self.guests.views();
        Ok(self.guest_status(slot, &views[slot]))
    }

    fn guest_request(&self, name: &str, request: Value) -> Result<Value, ControlError> {
        let slot = self.slot("guest", name)?;
        let at = format!("guest.{name}");
        self.guests.request(slot, request).map_err(|error| {
            let what = error.to_string();
            match error {
                RequestError::Refused(_) | RequestError::TooLong { .. } | RequestError::Full(_) => {
                    ControlError::Refused { at, what }
                }
                RequestError::Down(_) | RequestError::Deaf => ControlError::Conflict { at, what },
                RequestError::Busy => ControlError::Busy { at, what },
                RequestError::NoAnswer | RequestError::Lost | RequestError::Ended => {
                    ControlError::Failed { at, what }
                }
            }
        })
    }

    fn console_since(&self, name: &str, offset: u64) -> Result<ConsoleChunk, ControlError> {
        let slot = self.slot("guest", name)?;
        let (bytes, next) = self.guests.console_since(slot, offset);
        Ok(ConsoleChunk { bytes, next })
    }

    fn capture(&self, at: &CapturePoint) -> Result<Receiver<Vec<u8>>, ControlError> {
        let point = match at {
            CapturePoint::Port(port) => TapPoint::Port(self.port(port)?),
            CapturePoint::Vif { guest, port } => TapPoint::Vif {
                slot: self.slot("guest", guest)?,
                port: self.port(port)?,
            },
        };
        let places = self.workers.places(point).len();
        let (taps, reader) =
            capture::channel(&at.to_string(), LinkType::Ethernet, SNAP_OCTETS, places);
        // The newest reader has the point; an older one sees its stream end.
        self.workers.tap(point, taps).map_err(worker_gone)?;
        let (pieces, stream) = sync_channel(PIECES);
        let workers = self.workers.clone();
        let number = self.captures.fetch_add(1, Ordering::Relaxed);
        std::thread::Builder::new()
            .name(format!("capture-{number}"))
            .stack_size(256 * 1024)
            .spawn(move || {
                pump(reader, &pieces);
                workers.untap(point);
            })
            .map_err(|error| ControlError::Failed {
                at: at.to_string(),
                what: format!("no thread for the capture: {error}"),
            })?;
        Ok(stream)
    }

    fn connect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamRequest>,
    ) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError> {
        self.connect(port, pi, &items)
    }

    fn disconnect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamName>,
    ) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError> {
        self.disconnect(port, pi, &items)
    }

    fn streams(&self, port: &str, pi: &str, page: StreamPage) -> Result<Streams, ControlError> {
        self.connections(port, pi, page)
    }

    fn signalling(&self, guest: &str, after: u64) -> Result<Shown, ControlError> {
        self.signalling_shown(guest, after)
    }

    fn call_route(
        &self,
        guest: &str,
        delete: bool,
        prefix: Prefix,
        port: &str,
    ) -> Result<(), ControlError> {
        self.change_call_route(guest, delete, prefix, port)
    }

    fn release_call(&self, guest: &str, call: u64) -> Result<(), ControlError> {
        self.release_one_call(guest, call)
    }

    fn permanents(&self, guest: &str) -> Result<Vec<PermanentShown>, ControlError> {
        self.permanents_of(guest)
    }

    fn add_permanent(&self, guest: &str, permanent: Permanent) -> Result<(), ControlError> {
        self.add_permanent_to(guest, permanent)
    }

    fn remove_permanent(&self, guest: &str, name: &str) -> Result<(), ControlError> {
        self.remove_permanent_of(guest, name)
    }
}

/// Moves pieces until either end is gone. In silence an empty piece is sent now and then: it is the
/// only way to learn that nobody listens any more.
fn pump(mut reader: CaptureReader, pieces: &SyncSender<Vec<u8>>) {
    let mut quiet = Duration::ZERO;
    loop {
        let piece = match reader.poll() {
            Poll::Ended => return,
            Poll::Piece(piece) => piece,
            Poll::Quiet if quiet < ANYBODY_THERE => {
                std::thread::sleep(REST);
                quiet += REST;
                continue;
            }
            Poll::Quiet => Vec::new(),
        };
        quiet = Duration::ZERO;
        if pieces.send(piece).is_err() {
            return;
        }
    }
}

fn pi_status(pi: &PiConfig, copy: &PiSnapshot) -> PiStatus {
    let PiSnapshot {
        counters: counted,
        queued,
        classes,
        gate,
        gate_error,
    } = copy;
    PiStatus {
        classified: counted.classified,
        to_guest: counted.to_guest,
        drops: IngressDrops {
            policed: counted.policed,
            guest_down: counted.guest_down,
            ring_full: counted.ring_full,
        },
        from_guest: counted.from_guest,
        sent: counted.sent,
        sent_bytes: counted.sent_bytes,
        queued: *queued,
        tx_drops: EgressDrops {
            spoofed: counted.tx_spoofed,
            unknown_vn: counted.tx_unknown_vn,
            oversize: counted.tx_oversize,
            class_full: counted.tx_class_full,
            class_policed: counted.tx_class_policed,
            no_connection: counted.tx_no_connection,
            port_error: counted.tx_port_error,
            malformed: counted.tx_malformed,
            guest_down: counted.tx_guest_down,
            cleared: counted.tx_cleared,
        },
        level2: Level2Status {
            discipline: pi.level2.name().to_owned(),
            classes: (classes.iter())
                .map(|(name, counters)| ClassStatus::new(*name, counters))
                .collect(),
        },
        phase_ns: gate.phase_ns,
        windows: gate.windows,
        window_overruns: gate.window_overruns,
        late_windows: gate.late_windows,
        guard_idle_ns: gate.guard_idle_ns,
        empty_idle_ns: gate.empty_idle_ns,
        gate_error_ns: quantiles(gate_error),
    }
}

fn quantiles(errors: &GateError) -> Quantiles {
    if errors.is_empty() {
        return Quantiles::default();
    }
    Quantiles {
        p50: errors.value_at_quantile(0.5),
        p99: errors.value_at_quantile(0.99),
        p999: errors.value_at_quantile(0.999),
        max: errors.max(),
    }
}

fn worker_gone(error: WorkerGone) -> ControlError {
    ControlError::Failed {
        at: "worker".to_owned(),
        what: error.to_string(),
    }
}

/// The place is said once, by the error that carries it.
fn strip_place(message: &str, place: &str) -> String {
    message
        .strip_prefix(place)
        .map_or(message, |rest| rest.trim_start_matches([':', ' ']))
        .to_owned()
}
