//! `pinode dss pipe`, `connect`, `listen`: streams of this host.
//!
//! A pipe ends with frames without payload, so that its receiver can tell an end from a loss.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pinode_signaling::packet::frame::MAX_SDU;
use pinode_signaling::socket::{Call, Error, Listener, Signaling, Stream};
use pinode_signaling::{Address, Class, Qos, Traffic};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::print;
use super::args::{self, Connect, Listen, Pipe};
use super::show;
use crate::run::end_on_signals;

/// How often it is looked at whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a call is waited for.
const PATIENCE: Duration = Duration::from_secs(70);
/// Frames that say that a pipe has ended: the last may get lost as any other.
const ENDS: usize = 3;
/// How long what is under way may take before the connection is closed behind it.
const LINGER: Duration = Duration::from_millis(500);

fn failed(error: Error) -> Failure {
    Failure::Failed(error.into())
}

fn open(at: &args::DaemonSocket) -> Result<Signaling, Failure> {
    Signaling::open(&at.path).map_err(failed)
}

/// As much as can be, each way.
fn anything(max_sdu: u16) -> Qos {
    let most = Some(Traffic {
        class: Class::Ubr,
        peak: None,
        cdvt_ns: 0,
        max_sdu,
    });
    Qos {
        transmit: most,
        receive: most,
    }
}

fn ask(signaling: &Signaling, called: Address, qos: Qos) -> Result<Stream, Failure> {
    if qos == Qos::default() {
        return Err(Failure::Usage(
            "nothing is asked for; needed: --rate, --back or --ubr".into(),
        ));
    }
    let call = Call {
        called,
        local: None,
        qos,
    };
    Stream::connect(signaling, &call, Some(PATIENCE)).map_err(failed)
}

/// What was granted, as a document.
fn document(event: &str, stream: &Stream) -> Value {
    let pvc = stream.pvc();
    json!({
        "event": event,
        "local": stream.local(),
        "peer": stream.peer(),
        "qos": stream.qos(),
        "interface": pvc.interface,
        "vn": pvc.vn,
        "label": pvc.label,
    })
}

/// The same as text.
fn text(event: &str, stream: &Stream) -> String {
    let qos = stream.qos();
    format!(
        "{event} {} label {}: sends {}, receives {}\n",
        stream.peer(),
        stream.pvc().label,
        show::traffic(qos.transmit),
        show::traffic(qos.receive)
    )
}

/// One document a line, as there may be many.
fn print_line(document: &Value) -> Result<(), Failure> {
    print(&format!("{document}\n"))
}

fn say(json: bool, event: &str, stream: &Stream) -> Result<(), Failure> {
    if json {
        print_line(&document(event, stream))
    } else {
        print(&text(event, stream))
    }
}

pub(super) fn connect(args: &Connect) -> Result<(), Failure> {
    let ended = end_on_signals().map_err(Failure::Failed)?;
    let signaling = open(&args.at)?;
    if let Some(times) = args.times {
        return repeat(&signaling, args, times, &ended);
    }
    let stream = ask(&signaling, args.call.called, args.call.promise.qos())?;
    say(args.format.json, "connected", &stream)?;
    let mut counted = Counted::default();
    match receive(&stream, &ended, |payload, lost| {
        counted.add(payload, lost);
        Ok(())
    })? {
        // The other side has closed it.
        None | Some(Error::Closed { code: None }) => Ok(()),
        Some(error) => Err(failed(error)),
    }
}

/// Sets up and releases connections, some at once.
fn repeat(
    signaling: &Signaling,
    args: &Connect,
    times: u64,
    ended: &AtomicBool,
) -> Result<(), Failure> {
    let most_us = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
    let empty = Histogram::<u64>::new_with_max(most_us, 3);
    let empty = empty.map_err(|error| Failure::Failed(error.into()))?;
    let begun = AtomicU64::new(0);
    let started = Instant::now();
    let one_after_the_other = || {
        let mut set_up_us = empty.clone();
        while begun.fetch_add(1, Ordering::Relaxed) < times && !ended.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let stream = ask(signaling, args.call.called, args.call.promise.qos())?;
            let us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            set_up_us.saturating_record(us);
            stream.close();
        }
        Ok::<_, Failure>(set_up_us)
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.at_once)
            .map(|_| scope.spawn(one_after_the_other))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let mut set_up_us = empty;
    for part in &all {
        let added = set_up_us.add(part);
        added.map_err(|error| Failure::Failed(error.into()))?;
    }
    let done = set_up_us.len();
    let [p50, p99] = [0.5, 0.99].map(|quantile| set_up_us.value_at_quantile(quantile));
    let a_second = done as f64 / seconds;
    if args.format.json {
        print_line(&json!({
            "calls": done,
            "at_once": args.at_once,
            "seconds": seconds,
            "calls_per_s": a_second,
            "set_up_us": { "p50": p50, "p99": p99, "max": set_up_us.max() },
        }))
    } else {
        print(&format!(
            "{done} calls set up and released in {seconds:.2} s: {a_second:.0} a second; set up after {p50} us (p99 {p99} us)\n"
        ))
    }
}

fn panicked() -> Failure {
    Failure::Failed(anyhow::anyhow!(
        "a connection ended by a panic; this is a mistake of pinode"
    ))
}

pub(super) fn listen(args: &Listen) -> Result<(), Failure> {
    let ended = end_on_signals().map_err(Failure::Failed)?;
    let signaling = open(&args.at)?;
    let local = args.address.unwrap_or(Address::NULL);
    let listener = Listener::bind(&signaling, local, anything(args.size), Some(PATIENCE));
    let listener = listener.map_err(failed)?;
    if args.format.json {
        print_line(&json!({ "event": "listening", "local": listener.local() }))?;
    } else {
        print(&format!("listening on {}\n", listener.local()))?;
    }
    let json = args.format.json;
    // A thread for each connection; one that cannot print ends all.
    std::thread::scope(|scope| {
        let mut connections: Vec<ScopedJoinHandle<'_, Result<(), Failure>>> = Vec::new();
        let mut count = 0;
        let outcome = loop {
            if ended.load(Ordering::Relaxed) || args.count.is_some_and(|most| count >= most) {
                break Ok(());
            }
            match listener.accept(Some(LOOK_EVERY)) {
                Ok(stream) => {
                    count += 1;
                    let ended = &ended;
                    connections.push(scope.spawn(move || hold(&stream, ended, json)));
                    // Those that have ended give their stacks back.
                    let (over, on) = connections.into_iter().partition(|one| one.is_finished());
                    connections = on;
                    if let Err(error) = join(over) {
                        break Err(error);
                    }
                }
                // Callers may give up.
                Err(Error::Timeout { .. } | Error::Refused { .. }) => {}
                Err(error) => break Err(failed(error)),
            }
        };
        join(connections)?;
        outcome
    })
}

/// Waits for these; the first error of theirs.
fn join(connections: Vec<ScopedJoinHandle<'_, Result<(), Failure>>>) -> Result<(), Failure> {
    connections
        .into_iter()
        .try_for_each(|connection| connection.join().unwrap_or_else(|_| Err(panicked())))
}

#[derive(Debug, Default)]
struct Counted {
    frames: u64,
    octets: u64,
    lost: u64,
}

impl Counted {
    fn add(&mut self, payload: &[u8], lost: u64) {
        self.lost += lost;
        self.frames += 1;
        self.octets += payload.len() as u64;
    }
}

/// Keeps a connection that was accepted until it ends.
fn hold(stream: &Stream, ended: &AtomicBool, json: bool) -> Result<(), Failure> {
    say(json, "accepted", stream)?;
    let mut counted = Counted::default();
    let why = receive(stream, ended, |payload, lost| {
        counted.add(payload, lost);
        Ok(())
    })?;
    let why = why.map(|error| error.to_string());
    let Counted {
        frames,
        octets,
        lost,
    } = counted;
    if json {
        let mut closed = document("closed", stream);
        closed["frames"] = frames.into();
        closed["octets"] = octets.into();
        closed["lost"] = lost.into();
        closed["why"] = why.into();
        print_line(&closed)
    } else {
        print(&format!(
            "closed {} label {}: {frames} frames, {octets} octets, {lost} lost{}\n",
            stream.peer(),
            stream.pvc().label,
            why.map_or_else(String::new, |why| format!("; {why}"))
        ))
    }
}

/// Receives until the connection ends, which gives why, or `ended`.
fn receive(
    stream: &Stream,
    ended: &AtomicBool,
    mut each: impl FnMut(&[u8], u64) -> Result<(), Failure>,
) -> Result<Option<Error>, Failure> {
    let mut room = [0; MAX_SDU as usize];
    while !ended.load(Ordering::Relaxed) {
        match stream.receive(&mut room, Some(LOOK_EVERY)) {
            Ok(received) => {
                let payload = room.get(..received.octets).unwrap_or_default();
                each(payload, received.lost)?;
            }
            Err(Error::Timeout { .. }) => {}
            Err(error) => return Ok(Some(error)),
        }
    }
    Ok(None)
}

pub(super) fn pipe(args: &Pipe) -> Result<(), Failure> {
    let signaling = open(&args.at)?;
    match (&args.listen, args.called) {
        (Some(local), _) => {
            let local = local.unwrap_or(Address::NULL);
            let ended = end_on_signals().map_err(Failure::Failed)?;
            let listener = Listener::bind(&signaling, local, anything(MAX_SDU), Some(PATIENCE));
            out(&listener.map_err(failed)?, &ended)
        }
        (None, Some(called)) => {
            let stream = ask(&signaling, called, args.promise.qos())?;
            eprint!("{}", text("connected", &stream));
            send(&stream, usize::from(args.promise.sending()))
        }
        (None, None) => Err(Failure::Usage("needed: ADDRESS or --listen".into())),
    }
}

/// Stdin goes out.
fn send(stream: &Stream, size: usize) -> Result<(), Failure> {
    let mut input = std::io::stdin().lock();
    let mut payload = vec![0; size];
    loop {
        let octets = fill(&mut input, &mut payload)
            .map_err(|error| Failure::Failed(anyhow::Error::new(error).context("stdin")))?;
        let Some(filled @ [_, ..]) = payload.get(..octets) else {
            break;
        };
        stream.send(filled, None).map_err(failed)?;
    }
    for _ in 0..ENDS {
        stream.send(&[], None).map_err(failed)?;
    }
    // Whoever has it all closes first.
    match stream.receive(&mut vec![0; usize::from(MAX_SDU)], Some(LINGER)) {
        Ok(_) | Err(_) => Ok(()),
    }
}

/// As much as there is room for, or what is left.
fn fill(input: &mut impl std::io::Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(room @ [_, ..]) = into.get_mut(filled..) {
        match input.read(room) {
            Ok(0) => break,
            Ok(octets) => filled += octets,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// One connection comes to stdout.
fn out(listener: &Listener, ended: &AtomicBool) -> Result<(), Failure> {
    let stream = loop {
        if ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        match listener.accept(Some(LOOK_EVERY)) {
            Ok(stream) => break stream,
            Err(Error::Timeout { .. } | Error::Refused { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    };
    eprint!("{}", text("accepted", &stream));
    let mut output = std::io::stdout().lock();
    let written = |error: std::io::Error| {
        Failure::Failed(anyhow::Error::new(error).context("cannot write to stdout"))
    };
    let (mut lost_in_all, mut is_over) = (0, false);
    let mut room = [0; MAX_SDU as usize];
    let mut why = None;
    while !is_over && !ended.load(Ordering::Relaxed) {
        match stream.receive(&mut room, Some(LOOK_EVERY)) {
            Ok(received) => {
                lost_in_all += received.lost;
                let payload = room.get(..received.octets).unwrap_or_default();
                is_over = payload.is_empty();
                output.write_all(payload).map_err(written)?;
            }
            Err(Error::Timeout { .. }) => {}
            Err(error) => {
                why = Some(error);
                break;
            }
        }
    }
    output.flush().map_err(written)?;
    stream.close();
    if lost_in_all > 0 {
        let what = anyhow::anyhow!("{lost_in_all} frames were lost on the way");
        return Err(Failure::Failed(what));
    }
    match why {
        Some(error) => Err(Failure::Failed(
            anyhow::Error::new(error).context("the stream ended without its end mark"),
        )),
        None => Ok(()),
    }
}
