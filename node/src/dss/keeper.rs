//! Keeps a switch's signalling daemon running, and carries what is said between it and the guest.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pinode_guest_dss::control::Event;
use pinode_signaling::daemon::switch::packet::{self, OPS, Packet, ToDaemon, ToNode};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};

use super::post::{Post, post};
use super::signalling::{Current, Signalling};
use crate::supervisor::{GuestNotice, Listener};

/// How often it is looked at whether the node ends.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A daemon that ends sooner than this after its start waits as long for the next.
const SOON: Duration = Duration::from_secs(1);
/// How long a daemon may take to tell its neighbours that it ends.
const GOODBYE: Duration = Duration::from_millis(300);
/// Packets that are taken at once.
const AT_ONCE: usize = 256;

/// The threads that keep a daemon running.
pub struct Keeper {
    signalling: Arc<Signalling>,
    child: Arc<Mutex<Option<Child>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Keeper {
    /// Begins to keep one; `guest`: what the switch says.
    ///
    /// # Errors
    ///
    /// No thread is to be had.
    pub fn start(signalling: Arc<Signalling>, guest: Listener) -> io::Result<Self> {
        let child = Arc::new(Mutex::new(None));
        let thread = |name: &str, what: Box<dyn FnOnce() + Send>| {
            let name = format!("{}-{name}", signalling.guest);
            std::thread::Builder::new().name(name).spawn(what)
        };
        let (own, kept) = (Arc::clone(&signalling), Arc::clone(&child));
        let (post, posted) = post();
        let keeping = move || keep(&own, &kept, &post, launch);
        let daemon = thread("daemon", Box::new(keeping))?;
        let own = Arc::clone(&signalling);
        let post = thread("post", Box::new(move || posted.deliver(&own)))?;
        let own = Arc::clone(&signalling);
        let ear = thread("ear", Box::new(move || listen(&own, &guest)))?;
        Ok(Self {
            signalling,
            child,
            threads: vec![daemon, ear, post],
        })
    }

    /// Ends the daemon and its keeping.
    pub fn stop(self) {
        self.signalling.end();
        let until = Instant::now() + GOODBYE;
        let daemon = |threads: &[JoinHandle<()>]| threads.first().is_some_and(|t| !t.is_finished());
        while daemon(&self.threads) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY / 20);
        }
        kill(&self.child);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the signalling ended by a panic");
            }
        }
    }
}

fn kill(child: &Mutex<Option<Child>>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(child) = child.as_mut() {
        // It may have ended by itself.
        let _ = child.kill();
    }
}

/// Starts the daemon as `launch` does, and again whenever it ends and nothing of it is left.
pub(super) fn keep(
    signalling: &Signalling,
    kept: &Mutex<Option<Child>>,
    post: &Post,
    mut launch: impl FnMut(&Signalling) -> io::Result<(Child, OwnedFd)>,
) {
    while !signalling.has_ended() {
        let started = Instant::now();
        match launch(signalling) {
            Ok((child, socket)) => {
                let current = Current {
                    socket: Arc::new(socket),
                    process: child.id(),
                };
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
                if signalling.has_ended() {
                    kill(kept);
                }
                signalling.daemon_is(Some(current.clone()));
                let why = hear(signalling, &current.socket, post);
                kill(kept);
                let child = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
                let status = child.and_then(|mut child| child.wait().ok());
                signalling.daemon_is(None);
                if !signalling.has_ended() {
                    let status = status.map_or_else(String::new, |status| status.to_string());
                    tracing::warn!(guest = %signalling.guest, %status, "the signalling daemon has ended ({why}); it is started again, its connections are gone");
                }
            }
            Err(error) => {
                tracing::warn!(guest = %signalling.guest, %error, "the signalling daemon cannot be started");
            }
        }
        signalling.restarts.fetch_add(1, Ordering::Relaxed);
        while started.elapsed() < SOON && !signalling.has_ended() {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// This program as a daemon, told what to be.
fn launch(signalling: &Signalling) -> io::Result<(Child, OwnedFd)> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    for end in [&ours, &theirs] {
        rustix::net::sockopt::set_socket_send_buffer_size(end, 4 * packet::OCTETS)?;
    }
    let mut child = Command::new("/proc/self/exe")
        .args(["dss", "daemon", "--node"])
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()?;
    let start = packet::message(&ToDaemon::Start(signalling.configuration.clone()));
    let sent = send(&ours, &start, SendFlags::NOSIGNAL);
    if let Err(error) = sent {
        let _ = child.kill();
        let _ = child.wait();
        return Err(error.into());
    }
    Ok((child, ours))
}

/// Hears the daemon until it is gone; why it is. Answers that it does not take yet wait here, and it is heard all the
/// same: it may be waiting for that.
pub(super) fn hear(signalling: &Signalling, socket: &OwnedFd, post: &Post) -> String {
    let mut buffer = vec![0; packet::OCTETS];
    let mut answers: VecDeque<Vec<u8>> = VecDeque::new();
    loop {
        let mut wanted = PollFlags::IN;
        wanted.set(PollFlags::OUT, !answers.is_empty());
        match poll(&mut [PollFd::new(socket, wanted)], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return error.to_string(),
        }
        while let Some(answer) = answers.front() {
            match send(socket, answer, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(_) => drop(answers.pop_front()),
                // One that is gone is noticed below.
                Err(_) => break,
            }
        }
        let mut ops = Vec::new();
        let mut isp = Vec::new();
        for _ in 0..AT_ONCE {
            let octets = match recv(socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return "it closed its socket".into(),
                Ok((octets, _)) => octets,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return error.to_string(),
            };
            match packet::read(buffer.get(..octets).unwrap_or_default()) {
                Ok(Packet::Pdu(port, _, pdu)) => post.send(port, pdu),
                Ok(Packet::Isp(message)) => isp.push(message),
                Ok(Packet::Message(ToNode::Dropped { life, why })) => {
                    signalling.with_sockets(|sockets| sockets.dropped(life, &why));
                }
                Ok(Packet::Message(ToNode::Switch(more))) => ops.extend(more),
                Ok(Packet::Message(answer @ (ToNode::Shown(id, _) | ToNode::Done(id, _)))) => {
                    signalling.answered(id, answer);
                }
                Err(error) => return format!("it says what cannot be read: {error}"),
            }
        }
        // Frames of a call go before its device hears of it.
        let done = signalling.switch(&ops);
        signalling.tell_sockets(isp);
        for done in done.chunks(OPS) {
            answers.push_back(packet::message(&ToDaemon::Switched(done.to_vec())));
        }
    }
}

/// Hears the guest until the node ends, and asks for its sockets whenever all is heard: of what waits for too long some
/// would be lost.
pub(super) fn listen(signalling: &Signalling, guest: &Listener) {
    signalling.wakes(guest.waker());
    let mut is_due = false;
    let mut heard = 0;
    while !signalling.has_ended() {
        let patience = if is_due { Duration::ZERO } else { LOOK_EVERY };
        match guest.next(patience) {
            Ok(notice) => {
                hear_guest(signalling, notice);
                is_due = true;
                heard += 1;
                if heard < AT_ONCE {
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) if is_due => {}
            Err(RecvTimeoutError::Timeout) => signalling.settle(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        heard = 0;
        if !signalling.has_ended() {
            is_due = signalling.look_after_sockets();
        }
    }
}

fn hear_guest(signalling: &Signalling, notice: GuestNotice) {
    match notice {
        GuestNotice::Event(event) => match serde_json::from_value(event) {
            Ok(Event::Signalling(all)) => {
                for punted in all {
                    let port = u16::from(punted.port);
                    if signalling.network(port) != Some(punted.vn) {
                        continue;
                    }
                    // What it does not take is sent again by the neighbour.
                    signalling.say(&packet::pdu(port, punted.vn, &punted.pdu.0));
                }
            }
            Ok(Event::Isp(event)) => signalling.with_sockets(|sockets| sockets.said(event)),
            Err(error) => {
                tracing::warn!(guest = %signalling.guest, %error, "the guest says what is not understood");
            }
        },
        GuestNotice::Running => {
            signalling.guest_is_new();
            signalling.with_sockets(|sockets| sockets.guest_is(true));
        }
        // What is to be set is kept until the next one comes; sockets are gone.
        GuestNotice::Down => signalling.with_sockets(|sockets| sockets.guest_is(false)),
    }
}
