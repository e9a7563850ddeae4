//! A daemon that does what a test says, message by message.

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use pinode_signaling::isp::demon::{Event, NotNow};
use pinode_signaling::isp::to_demon::ToDemon;
use pinode_signaling::isp::to_kernel::ToKernel;
use pinode_signaling::isp::{Demon, Limits, Pvc, Vcc};
use pinode_signaling::seqpacket::{Connection, Listener, Received};
use pinode_signaling::socket::Signaling;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bench::{self, PATIENCE};

/// One application's daemon.
pub struct Script {
    connection: Connection,
    pub demon: Demon,
}

/// Runs a script in a thread, and connects to it.
pub fn daemon<T: Send + 'static>(
    script: impl FnOnce(Script) -> T + Send + 'static,
) -> (Signaling, JoinHandle<T>) {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = Listener::bind(&folder.path().join("dss.sock")).expect("a socket");
    let signaling = Signaling::open(listener.path()).expect("a daemon");
    let connection = listener.accept().expect("a socket").expect("somebody");
    let demon = Demon::new(Limits::default());
    let script = thread::spawn(move || script(Script { connection, demon }));
    (signaling, script)
}

fn ready(descriptor: BorrowedFd<'_>, what: PollFlags, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).expect("a short time");
    let mut polled = [PollFd::from_borrowed_fd(descriptor, what)];
    let ready = poll(&mut polled, Some(&left)).expect("poll");
    assert_eq!(ready, 1, "not ready within {PATIENCE:?}");
}

impl Script {
    fn receive(&self, message: &mut [u8]) -> Received {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.connection.receive(message).expect("a connection") {
                Received::Nothing => ready(self.connection.as_fd(), PollFlags::IN, deadline),
                received => return received,
            }
        }
    }

    /// What the application says next.
    pub fn hears(&mut self) -> Event {
        let mut message = [0; 1024];
        let Received::Message(octets) = self.receive(&mut message) else {
            panic!("the application is gone");
        };
        let message = ToDemon::decode(&message[..octets]).expect("a message");
        self.demon.hears(message).expect("an allowed message")
    }

    /// Tells the application, which may be gone already: what it said before that is still to be heard.
    pub fn says(&mut self, message: Result<ToKernel, NotNow>) {
        let octets = message.expect("an allowed message").encode();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.connection.send(&octets) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready(self.connection.as_fd(), PollFlags::OUT, deadline);
                }
                sent => return sent.expect("a connection"),
            }
        }
    }

    /// Octets that are no message.
    pub fn says_octets(&mut self, octets: &[u8]) {
        self.connection.send(octets).expect("a connection");
    }

    /// The application is gone, and has said all that it had to.
    pub fn hears_the_end(&mut self) {
        assert_eq!(self.receive(&mut [0; 1024]), Received::End);
        assert_eq!((self.demon.sockets(), self.demon.calls()), (0, 0));
    }

    /// Hears a request for a connection.
    pub fn hears_connect(&mut self) -> Vcc {
        match self.hears() {
            Event::Connect { vcc, .. } => vcc,
            other => panic!("{other:?}"),
        }
    }

    /// Hears a request for a connection, and grants it.
    pub fn connects(&mut self, pvc: Pvc) -> Vcc {
        match self.hears() {
            Event::Connect { vcc, qos, .. } => {
                let okay = self.demon.okay_connect(vcc, pvc, bench::address(1), qos);
                self.says(okay);
                vcc
            }
            other => panic!("{other:?}"),
        }
    }

    /// Hears a close of the application, and acknowledges it.
    pub fn hears_close(&mut self, vcc: Vcc) {
        assert_eq!(self.hears(), Event::Close { vcc });
        let close = self.demon.close(vcc, None);
        self.says(close);
    }

    /// Hears that the application listens, and lets it.
    pub fn listens(&mut self) -> Vcc {
        let Event::Bind { vcc, svc, .. } = self.hears() else {
            panic!("no bind");
        };
        let okay = self.demon.okay_bind(vcc, svc);
        self.says(okay);
        let Event::Listen { vcc, .. } = self.hears() else {
            panic!("no listen");
        };
        let okay = self.demon.okay_listen(vcc);
        self.says(okay);
        vcc
    }
}
