//! `pinode measure serve`: one end of a measurement, whose other end is another tester, or this one on another
//! machine. A thread for each interface.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use pinode_measure::method::TrafficStream;
use pinode_measure::serve::{Listener, Served, listen, send};
use pinode_measure::stats::Summary;
use pinode_measure::stream::Stream;
use pinode_ports::{InterfaceName, Port};
use serde::Serialize;

use super::asked::{Asked, Backend, FrameSize, Rate, StreamAsked};
use super::interfaces;
use super::plan::{Links, Target};
use super::progress::Shown;
use super::{MeasureError, PlanError};
use crate::dataplane::clock::{Clock as _, Monotonic};

/// A source that nobody ends ends by itself after a year.
const FOR_EVER: Duration = Duration::from_secs(366 * 24 * 3600);
/// How often lines say how far it is.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// One end, as it is asked for.
#[derive(Debug, Clone)]
pub struct ServeAsked {
    /// Frames go out there; none: nothing is sent.
    pub tx: Option<InterfaceName>,
    /// Frames are counted there; none: nothing is.
    pub rx: Option<InterfaceName>,
    /// The socket; none: AF_XDP, or AF_PACKET where that cannot be had.
    pub backend: Option<Backend>,
    /// Rate of the link, bits per second; none: what the interface says of itself.
    pub capacity_bps: Option<u64>,
    /// Frames of streams that name none.
    pub size: FrameSize,
    /// Rate of streams that name none; none: their share of the link.
    pub rate: Option<Rate>,
    /// The streams; none: one of each PI.
    pub streams: Vec<StreamAsked>,
    /// It ends then; none: by SIGINT.
    pub duration: Option<Duration>,
    /// One document on stdout and nothing else.
    pub json: bool,
}

/// What passed this end.
#[derive(Debug, Serialize)]
pub struct Passed {
    /// Of each stream that was sent.
    pub sent: Vec<SentStream>,
    /// How long after it was due each frame was handed over, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pacing_ns: Option<Summary>,
    /// Of each stream that came.
    pub heard: Vec<HeardStream>,
    /// Frames that came and are no tester's.
    pub foreign: u64,
    /// Frames that the ring had no room for.
    pub missed: u64,
}

/// A stream that was sent.
#[derive(Debug, Serialize)]
pub struct SentStream {
    /// Its number in the signature.
    pub stream: u16,
    /// Its PI.
    pub pi: String,
    /// Frames.
    pub frames: u64,
    /// Octets with FCS.
    pub octets: u64,
    /// That were due and were not sent.
    pub unsent: u64,
}

/// A stream that came.
#[derive(Debug, Serialize)]
pub struct HeardStream {
    /// Its number in the signature.
    pub stream: u16,
    /// The trial, modulo 16.
    pub epoch: u8,
    /// Its PIH; none: plain IPv6.
    pub pih: Option<u8>,
    /// Intact frames.
    pub received: u64,
    /// Octets with FCS.
    pub octets: u64,
    /// Numbers below the highest that did not come.
    pub missing: u64,
    /// Behind a later one.
    pub reordered: u64,
    /// Again.
    pub duplicated: u64,
    /// Changed.
    pub corrupted: u64,
    /// Right only if both ends read one clock, nanoseconds.
    pub latency_ns: Summary,
}

/// Sends, counts, or both, until the time is over or a signal comes.
///
/// # Errors
///
/// What is asked cannot be, or an interface cannot be opened.
pub fn serve(asked: &ServeAsked) -> Result<Passed, MeasureError> {
    let tx = asked.tx.as_ref();
    let tx = tx
        .map(|tx| Links::only("--tx", tx, asked.backend, asked.capacity_bps))
        .transpose()?;
    let streams = match &tx {
        Some(links) => streams(asked, links)?,
        None => Vec::new(),
    };
    // Whoever only listens need not know how fast the link is.
    let rx = asked.rx.as_ref();
    let rx = rx
        .map(|rx| Links::only("--rx", rx, asked.backend, asked.capacity_bps.or(Some(1))))
        .transpose()?;
    let ended = crate::run::end_on_signals()?;
    let open = |links: &Option<Links>| links.as_ref().map(interfaces::open_one).transpose();
    let ports = [open(&tx), open(&rx)].map(|port| port.map_err(anyhow::Error::from));
    let [tx, rx] = ports;
    Ok(both(asked, &streams, [tx?, rx?], &ended)?)
}

/// The streams, checked against the link that they go out on.
fn streams(asked: &ServeAsked, links: &Links) -> Result<Vec<TrafficStream>, PlanError> {
    let (target, size) = (Target::Links(links.clone()), asked.size.clone());
    let asked = Asked {
        rate: asked.rate,
        streams: asked.streams.clone(),
        ..Asked::of_node(None)
    };
    let round = target.round(size, &asked)?;
    Ok(round.traffic.streams)
}

fn both(
    asked: &ServeAsked,
    streams: &[TrafficStream],
    [tx, rx]: [Option<Box<dyn Port>>; 2],
    ended: &AtomicBool,
) -> anyhow::Result<Passed> {
    let specs = streams.iter().map(|stream| stream.stream.spec.clone());
    let sources = Stream::all(specs)?;
    let began = Instant::now();
    let goes_on = || !ended.load(Ordering::Relaxed);
    // The sink's end is by the clock. The source's is by its schedule, which moves with its pauses: by the clock its
    // last frames would be cut off and in no count.
    let in_time = || {
        asked
            .duration
            .is_none_or(|duration| began.elapsed() < duration)
    };
    let clock = || Monotonic.now_ns();
    let is_silent = asked.json;
    let (served, listener) = std::thread::scope(|scope| {
        let source = tx.map(|mut port| {
            let sources = &sources;
            scope.spawn(move || {
                let mut said = Said::new(is_silent);
                let duration = asked.duration.unwrap_or(FOR_EVER);
                send(&mut *port, sources, 0, duration, clock, &mut |glimpse| {
                    said.line(|| {
                        format!("{:.0} s: {} frames sent", glimpse.elapsed_s, glimpse.sent)
                    });
                    goes_on()
                })
            })
        });
        let sink = rx.map(|mut port| {
            scope.spawn(move || {
                let (mut listener, mut said) = (Listener::new(), Said::new(is_silent));
                listen(&mut *port, &mut listener, clock, &mut |listener| {
                    said.line(|| {
                        let frames: u64 = listener.heard().map(|heard| heard.received.frames).sum();
                        format!(
                            "{:.0} s: {frames} frames received",
                            began.elapsed().as_secs_f64()
                        )
                    });
                    in_time() && goes_on()
                });
                listener
            })
        });
        let died = |_| anyhow!("a thread of the tester ended by a panic");
        let served = source.map(|thread| thread.join().map_err(died)).transpose();
        let listener = sink.map(|thread| thread.join().map_err(died)).transpose();
        Ok::<_, anyhow::Error>((served?, listener?))
    })
    .context("serve")?;
    Ok(passed(streams, served, listener))
}

fn passed(streams: &[TrafficStream], served: Option<Served>, listener: Option<Listener>) -> Passed {
    let sent = served
        .iter()
        .flat_map(|served| streams.iter().zip(&served.sent));
    let heard = listener.iter().flat_map(Listener::heard);
    Passed {
        sent: sent
            .map(|(stream, sent)| SentStream {
                stream: stream.stream.spec.id,
                pi: stream.pi.clone(),
                frames: sent.frames,
                octets: sent.octets,
                unsent: sent.unsent,
            })
            .collect(),
        heard: heard
            .map(|heard| HeardStream {
                stream: heard.stream,
                epoch: heard.epoch,
                pih: heard.pih,
                received: heard.received.frames,
                octets: heard.received.octets,
                missing: heard.received.missing,
                reordered: heard.received.reordered,
                duplicated: heard.received.duplicated,
                corrupted: heard.received.corrupted,
                latency_ns: heard.latency_ns,
            })
            .collect(),
        pacing_ns: served.map(|served| served.pacing_ns),
        foreign: listener.as_ref().map_or(0, Listener::foreign),
        missed: listener.as_ref().map_or(0, Listener::port_missed),
    }
}

/// Lines on stderr, one a second.
struct Said {
    shown: Shown,
    last: Instant,
}

impl Said {
    fn new(is_silent: bool) -> Self {
        Self {
            shown: Shown::new(is_silent),
            last: Instant::now(),
        }
    }

    fn line(&mut self, text: impl FnOnce() -> String) {
        if self.last.elapsed() >= SAY_EVERY {
            self.last = Instant::now();
            self.shown.say(&text());
        }
    }
}

impl std::fmt::Display for Passed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for sent in &self.sent {
            let SentStream {
                stream,
                pi,
                frames,
                unsent,
                ..
            } = sent;
            writeln!(
                f,
                "sent stream {stream} ({pi}): {frames} frames, {unsent} due and not sent"
            )?;
        }
        for heard in &self.heard {
            let pih = heard
                .pih
                .map_or_else(|| "plain".to_owned(), |pih| format!("PIH 0x{pih:02x}"));
            writeln!(
                f,
                "received stream {} ({pih}, trial {}): {} frames, {} missing, {} reordered, {} duplicated, {} \
                 corrupted, mean latency {:.1} us (of one clock)",
                heard.stream,
                heard.epoch,
                heard.received,
                heard.missing,
                heard.reordered,
                heard.duplicated,
                heard.corrupted,
                heard.latency_ns.mean / 1e3
            )?;
        }
        writeln!(
            f,
            "{} frames of others, {} without room",
            self.foreign, self.missed
        )
    }
}
