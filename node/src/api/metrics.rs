//! The counters for Prometheus, in the OpenMetrics text format.
//!
//! Names follow the Prometheus conventions: base units (seconds, bytes), `_total` on counters,
//! causes and directions as labels. Each scrape encodes one [`Status`], so that what is conserved
//! there is conserved here.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, NoLabelSet, text::encode as encode_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use pinode_guest_ipv6qos::control::view::Count;

use super::ipv6::counters::{Counters, Name};
use crate::status::{
    ClassStatus, GuestState, GuestStatus, GuestUsage, PiStatus, PortStatus, Status, WorkerStatus,
};

pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The exposition of `status` and of the counters of routers.
///
/// # Errors
///
/// None in practice: writing to a string does not fail.
pub(super) fn encode(status: Status, routers: Counters) -> Result<String, Error> {
    let mut registry = Registry::with_prefix("pinode");
    registry.register_collector(Box::new(Scrape(status, routers)));
    let mut text = String::new();
    encode_text(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape(Status, Counters);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut out = Exposition {
            encoder: &mut encoder,
        };
        let status = &self.0;
        out.node(status)?;
        out.workers(&status.workers)?;
        out.guests(&status.guests)?;
        out.ports(&status.ports)?;
        out.pis(&status.ports)?;
        out.routers(&self.1)
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

struct Exposition<'a, 'e> {
    encoder: &'a mut DescriptorEncoder<'e>,
}

impl Exposition<'_, '_> {
    fn counter<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> Result<(), Error> {
        let mut family =
            self.encoder
                .encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        for (labels, value) in samples {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge<'l>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        samples: impl IntoIterator<Item = (Labels<'l>, impl EncodeGaugeValue)>,
    ) -> Result<(), Error> {
        let mut family =
            self.encoder
                .encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        for (labels, value) in samples {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn node(&mut self, status: &Status) -> Result<(), Error> {
        let labels: Labels<'_> = vec![
            ("node", &status.node),
            ("isolation", status.isolation.as_str()),
            ("kvm", status.kvm.as_deref().unwrap_or("none")),
        ];
        self.encoder
            .encode_descriptor("node", "The node", None, MetricType::Info)?
            .encode_info(&labels)?;
        let up = [(vec![("node", status.node.as_str())], status.uptime_s)];
        self.gauge("uptime", "Since the node started", Some(Unit::Seconds), up)
    }

    fn workers(&mut self, workers: &[WorkerStatus]) -> Result<(), Error> {
        let names: Vec<String> = (0..workers.len()).map(|index| index.to_string()).collect();
        let named = || names.iter().map(String::as_str).zip(workers);
        let times = named().flat_map(|(name, worker)| {
            [
                ("busy", worker.busy_ns),
                ("idle", worker.idle_ns),
                ("asleep", worker.asleep_ns),
            ]
            .map(|(what, ns)| (vec![("worker", name), ("what", what)], float(ns) / 1e9))
        });
        let help = "Time of a worker with work, looking for it, and asleep";
        self.counter("worker_time", help, Some(Unit::Seconds), times)?;
        let cpu =
            named().map(|(name, worker)| (vec![("worker", name)], float(worker.cpu_ns) / 1e9));
        let help = "CPU time of a worker's thread";
        self.counter("worker_cpu", help, Some(Unit::Seconds), cpu)?;
        let sleeps = named().map(|(name, worker)| (vec![("worker", name)], float(worker.sleeps)));
        self.counter(
            "worker_sleeps",
            "How often it has gone to sleep",
            None,
            sleeps,
        )
    }

    fn routers(&mut self, routers: &Counters) -> Result<(), Error> {
        let each = |of: fn(&Count) -> u64| {
            routers.iter().map(move |(name, count)| {
                let Name { guest, vn, counter } = name;
                let labels: Labels<'_> = vec![("guest", guest), ("vn", vn), ("counter", counter)];
                (labels, float(of(count)))
            })
        };
        let help = "Packets that an IPv6 router counted";
        self.counter("router_packets", help, None, each(|count| count.packets))?;
        let help = "Their octets, IPv6 header and payload";
        let bytes = Some(Unit::Bytes);
        self.counter("router", help, bytes, each(|count| count.octets))
    }

    fn guests(&mut self, guests: &[GuestStatus]) -> Result<(), Error> {
        const STATES: [GuestState; 4] = [
            GuestState::Starting,
            GuestState::Running,
            GuestState::Quarantined,
            GuestState::Stopped,
        ];
        let one = |guest| Labels::from([("guest", guest)]);
        let states = guests.iter().flat_map(|guest| {
            STATES.map(|state| {
                let labels = vec![("guest", guest.pi.as_str()), ("state", state.as_str())];
                (labels, i64::from(guest.state == state))
            })
        });
        self.gauge(
            "guest_state",
            "1 for the state that the guest is in",
            None,
            states,
        )?;
        let restarts = guests
            .iter()
            .map(|guest| (one(&guest.pi), float(guest.restarts)));
        self.counter("guest_restarts", "Starts after the first", None, restarts)?;
        let boot = guests
            .iter()
            .map(|guest| (one(&guest.pi), float(guest.boot_us) / 1e6));
        let help = "From the last start to forwarding";
        self.gauge("guest_boot", help, Some(Unit::Seconds), boot)?;
        let memory = guests
            .iter()
            .map(|guest| (one(&guest.pi), float(guest.memory_bytes)));
        self.gauge("guest_memory", "Guest memory", Some(Unit::Bytes), memory)?;
        self.usage(guests)
    }

    /// Of guests that forward and say what they do.
    fn usage(&mut self, guests: &[GuestStatus]) -> Result<(), Error> {
        let used: Vec<(&str, &GuestUsage)> = guests
            .iter()
            .filter_map(|guest| Some((guest.pi.as_str(), guest.usage.as_ref()?)))
            .collect();
        let each = |count: fn(&GuestUsage) -> u64| {
            let used = used.iter();
            used.map(move |(name, usage)| (vec![("guest", *name)], float(count(usage))))
        };
        let times = used.iter().flat_map(|(name, usage)| {
            let known = usage
                .busy_ns
                .saturating_add(usage.poll_ns)
                .saturating_add(usage.away_ns);
            [
                ("busy", usage.busy_ns),
                ("poll", usage.poll_ns),
                ("away", usage.away_ns),
                ("asleep", usage.up_ns.saturating_sub(known)),
            ]
            .map(|(what, ns)| (vec![("guest", *name), ("what", what)], float(ns) / 1e9))
        });
        let help =
            "Time of a guest on frames, looking for them, kept off its CPU meanwhile, and asleep";
        self.counter("guest_time", help, Some(Unit::Seconds), times)?;
        let names: Vec<String> = (0..used
            .iter()
            .map(|(_, usage)| usage.cpu_ns.len())
            .max()
            .unwrap_or(0))
            .map(|vcpu| vcpu.to_string())
            .collect();
        let cpu = used.iter().flat_map(|(name, usage)| {
            let vcpus = names.iter().zip(&usage.cpu_ns);
            vcpus.map(|(vcpu, ns)| {
                (
                    vec![("guest", *name), ("vcpu", vcpu.as_str())],
                    float(*ns) / 1e9,
                )
            })
        });
        let help = "CPU time of the thread of a guest's vCPU";
        self.counter("guest_cpu", help, Some(Unit::Seconds), cpu)?;
        self.counter(
            "guest_frames",
            "Frames that a guest took",
            None,
            each(|u| u.frames),
        )?;
        let help = "Frames that a guest took and did not send on";
        self.counter("guest_discarded_frames", help, None, each(|u| u.discarded))?;
        self.counter(
            "guest_wakeups",
            "Times that a guest woke up",
            None,
            each(|u| u.wakeups),
        )
    }

    fn ports(&mut self, ports: &[PortStatus]) -> Result<(), Error> {
        let each = |count: fn(&PortStatus) -> u64| {
            ports
                .iter()
                .map(move |port| (vec![("port", port.name.as_str())], float(count(port))))
        };
        let bytes = || Some(Unit::Bytes);
        self.counter(
            "port_received_frames",
            "Frames received",
            None,
            each(|p| p.rx_frames),
        )?;
        self.counter(
            "port_received",
            "Octets received, without FCS",
            bytes(),
            each(|p| p.rx_bytes),
        )?;
        self.counter(
            "port_sent_frames",
            "Frames sent",
            None,
            each(|p| p.tx_frames),
        )?;
        self.counter(
            "port_sent",
            "Octets sent, without FCS",
            bytes(),
            each(|p| p.tx_bytes),
        )?;
        let help = "Frames lost in front of the port, never received";
        self.counter("port_missed_frames", help, None, each(|p| p.missed))?;
        let help = "Frames sent that the system refused later";
        self.counter("port_tx_lost_frames", help, None, each(|p| p.tx_lost))?;
        let drops = ports.iter().flat_map(|port| {
            let d = &port.drops;
            [
                ("bad_ethertype", d.bad_ethertype),
                ("unknown_pi", d.unknown_pi),
                ("unknown_vn", d.unknown_vn),
                ("truncated", d.truncated),
                ("oversize", d.oversize),
            ]
            .map(|(cause, count)| {
                (
                    vec![("port", port.name.as_str()), ("cause", cause)],
                    float(count),
                )
            })
        });
        self.counter(
            "port_dropped_frames",
            "Received frames of no PI, by cause",
            None,
            drops,
        )
    }

    fn pis(&mut self, ports: &[PortStatus]) -> Result<(), Error> {
        type Lane<'s> = (Labels<'s>, &'s PiStatus);
        let lanes: Vec<Lane<'_>> = ports
            .iter()
            .flat_map(|port| {
                let name = port.name.as_str();
                port.pi
                    .iter()
                    .map(move |(pi, status)| (vec![("port", name), ("pi", pi.as_str())], status))
            })
            .collect();
        let each = |count: fn(&PiStatus) -> u64| {
            lanes
                .iter()
                .map(move |lane| (lane.0.clone(), float(count(lane.1))))
        };
        let seconds =
            |count: fn(&PiStatus) -> u64| each(count).map(|(labels, nanos)| (labels, nanos / 1e9));
        let unit = || Some(Unit::Seconds);

        self.counter(
            "pi_classified_frames",
            "Received frames of the PI",
            None,
            each(|p| p.classified),
        )?;
        self.counter(
            "pi_delivered_frames",
            "Frames that the guest was given",
            None,
            each(|p| p.to_guest),
        )?;
        self.counter(
            "pi_taken_frames",
            "Frames taken from the guest",
            None,
            each(|p| p.from_guest),
        )?;
        self.counter(
            "pi_sent_frames",
            "Frames that the port took",
            None,
            each(|p| p.sent),
        )?;
        self.counter(
            "pi_sent",
            "Their octets, without FCS",
            Some(Unit::Bytes),
            each(|p| p.sent_bytes),
        )?;
        self.gauge(
            "pi_queued_frames",
            "Frames waiting for the phase",
            None,
            each(|p| p.queued),
        )?;
        let drops = lanes.iter().flat_map(|(labels, pi)| drops(labels, pi));
        let help = "Frames dropped to the guest (in) and from it (out), by cause";
        self.counter("pi_dropped_frames", help, None, drops)?;
        self.gauge(
            "pi_phase",
            "Phase time in a cycle",
            unit(),
            seconds(|p| p.phase_ns),
        )?;
        self.counter(
            "pi_windows",
            "Windows that have passed",
            None,
            each(|p| p.windows),
        )?;
        let help = "Frames that ended behind their window";
        self.counter(
            "pi_window_overruns",
            help,
            None,
            each(|p| p.window_overruns),
        )?;
        let help = "Windows that were handed frames too late for their close";
        self.counter("pi_late_windows", help, None, each(|p| p.late_windows))?;
        let help = "Window time too short for the frame at the head";
        self.counter("pi_guard_idle", help, unit(), seconds(|p| p.guard_idle_ns))?;
        let help = "Window time with nothing to send";
        self.counter("pi_empty_idle", help, unit(), seconds(|p| p.empty_idle_ns))?;
        let errors = lanes.iter().flat_map(|(labels, pi)| {
            let q = &pi.gate_error_ns;
            [
                ("0.5", q.p50),
                ("0.99", q.p99),
                ("0.999", q.p999),
                ("1", q.max),
            ]
            .map(|(quantile, value)| (with(labels, &[("quantile", quantile)]), float(value) / 1e9))
        });
        let help = "How late the opening of the gate was acted on, by quantile";
        self.gauge("pi_gate_error", help, unit(), errors)?;
        self.classes(&lanes)
    }
}

impl Exposition<'_, '_> {
    fn classes(&mut self, lanes: &[(Labels<'_>, &PiStatus)]) -> Result<(), Error> {
        let each = |count: fn(&ClassStatus) -> u64| {
            lanes.iter().flat_map(move |(labels, pi)| {
                let classes = pi.level2.classes.iter();
                classes.map(move |class| (in_class(labels, class), float(count(class))))
            })
        };
        let help = "Frames that were queued in the class";
        self.counter("class_enqueued_frames", help, None, each(|c| c.enqueued))?;
        let help = "Frames that the class let go";
        self.counter("class_dequeued_frames", help, None, each(|c| c.dequeued))?;
        let help = "Their octets, without FCS";
        let bytes = Some(Unit::Bytes);
        self.counter("class_dequeued", help, bytes, each(|c| c.dequeued_bytes))?;
        let help = "Frames of the class waiting for the phase";
        self.gauge("class_queued_frames", help, None, each(|c| c.queued))?;
        let drops = lanes.iter().flat_map(|(labels, pi)| {
            pi.level2.classes.iter().flat_map(move |class| {
                class.drops().map(|(cause, count)| {
                    let mut labels = in_class(labels, class);
                    labels.push(("cause", cause));
                    (labels, float(count))
                })
            })
        });
        let help = "Frames that the class refused, by cause";
        self.counter("class_dropped_frames", help, None, drops)
    }
}

fn in_class<'s>(labels: &Labels<'s>, class: &'s ClassStatus) -> Labels<'s> {
    let mut all = labels.clone();
    all.push(("class", &class.name));
    all
}

fn drops<'s>(labels: &Labels<'s>, pi: &PiStatus) -> Vec<(Labels<'s>, f64)> {
    let (rx, tx) = (&pi.drops, &pi.tx_drops);
    [
        ("in", "policed", rx.policed),
        ("in", "guest_down", rx.guest_down),
        ("in", "ring_full", rx.ring_full),
        ("out", "spoofed", tx.spoofed),
        ("out", "unknown_vn", tx.unknown_vn),
        ("out", "oversize", tx.oversize),
        ("out", "class_full", tx.class_full),
        ("out", "class_policed", tx.class_policed),
        ("out", "no_connection", tx.no_connection),
        ("out", "port_error", tx.port_error),
        ("out", "malformed", tx.malformed),
        ("out", "guest_down", tx.guest_down),
        ("out", "cleared", tx.cleared),
    ]
    .map(|(way, cause, count)| {
        (
            with(labels, &[("direction", way), ("cause", cause)]),
            float(count),
        )
    })
    .to_vec()
}

fn with<'s>(labels: &Labels<'s>, more: &[(&'static str, &'static str)]) -> Labels<'s> {
    let mut all = labels.clone();
    all.extend_from_slice(more);
    all
}

/// OpenMetrics values are floats.
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::sample;

    #[test]
    fn every_counter_has_its_line() {
        let name = Name {
            guest: "ipv6qos".to_owned(),
            vn: "5".to_owned(),
            counter: "dropped.hop_limit".to_owned(),
        };
        let (packets, octets) = (3, 300);
        let routers = Counters::from([(name, Count { packets, octets })]);
        let text = encode(sample::status(), routers).unwrap();
        for line in [
            "pinode_node_info{node=\"n1\",isolation=\"kvm\",kvm=\"kvm_pvm\"} 1",
            "pinode_uptime_seconds{node=\"n1\"} 1.5",
            "pinode_worker_time_seconds_total{worker=\"0\",what=\"busy\"} 0.25",
            "pinode_worker_time_seconds_total{worker=\"1\",what=\"asleep\"} 0.999",
            "pinode_worker_sleeps_total{worker=\"0\"} 12.0",
            "pinode_guest_state{guest=\"can\",state=\"quarantined\"} 1",
            "pinode_guest_state{guest=\"can\",state=\"running\"} 0",
            "pinode_guest_restarts_total{guest=\"can\"} 2.0",
            "pinode_guest_boot_seconds{guest=\"ipv6qos\"} 0.0009",
            "pinode_worker_cpu_seconds_total{worker=\"0\"} 0.49",
            "pinode_guest_time_seconds_total{guest=\"ipv6qos\",what=\"busy\"} 0.35",
            "pinode_guest_time_seconds_total{guest=\"ipv6qos\",what=\"asleep\"} 0.973",
            "pinode_guest_cpu_seconds_total{guest=\"ipv6qos\",vcpu=\"1\"} 0.01",
            "pinode_guest_frames_total{guest=\"ipv6qos\"} 20.0",
            "pinode_guest_wakeups_total{guest=\"ipv6qos\"} 5.0",
            "pinode_router_packets_total{guest=\"ipv6qos\",vn=\"5\",counter=\"dropped.hop_limit\"} 3.0",
            "pinode_router_bytes_total{guest=\"ipv6qos\",vn=\"5\",counter=\"dropped.hop_limit\"} 300.0",
            "pinode_guest_memory_bytes{guest=\"dss\"} 33554432.0",
            "# TYPE pinode_port_received_frames counter",
            "pinode_port_received_frames_total{port=\"west\"} 65.0",
            "pinode_port_received_bytes_total{port=\"west\"} 6500.0",
            "pinode_port_missed_frames_total{port=\"east\"} 3.0",
            "pinode_port_tx_lost_frames_total{port=\"east\"} 2.0",
            "pinode_port_dropped_frames_total{port=\"east\",cause=\"truncated\"} 1.0",
            "pinode_pi_classified_frames_total{port=\"west\",pi=\"can\"} 20.0",
            "pinode_pi_queued_frames{port=\"west\",pi=\"can\"} 1.0",
            "pinode_pi_dropped_frames_total{port=\"west\",pi=\"can\",direction=\"in\",cause=\"ring_full\"} 1.0",
            "pinode_pi_dropped_frames_total{port=\"west\",pi=\"can\",direction=\"out\",cause=\"unknown_vn\"} 1.0",
            "pinode_class_enqueued_frames_total{port=\"west\",pi=\"can\",class=\"rt\"} 24.0",
            "pinode_class_dequeued_bytes_total{port=\"west\",pi=\"can\",class=\"be\"} 2000.0",
            "pinode_class_queued_frames{port=\"west\",pi=\"can\",class=\"rt\"} 1.0",
            "pinode_class_dropped_frames_total{port=\"west\",pi=\"can\",class=\"rt\",cause=\"policed\"} 5.0",
            "# UNIT pinode_pi_phase_seconds seconds",
            "pinode_pi_phase_seconds{port=\"west\",pi=\"can\"} 0.0001",
            "pinode_pi_gate_error_seconds{port=\"west\",pi=\"can\",quantile=\"0.99\"} 0.0000015",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
