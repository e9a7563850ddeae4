//! Streams and listeners for tasks on tokio: the same operations as [`super::Stream`] and [`super::Listener`].
//!
//! They are made and used within a runtime with I/O. Any of these futures may be dropped before it is done: what was
//! asked is given up, and a frame is sent or not, received or left. `tokio::time::timeout` limits a wait.
//!
//! Must never block a task.

#[allow(unsafe_code)] // tokio cannot see that a descriptor stays open.
mod unsafe_ready;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::unsafe_ready::{Kept, register};
use super::asked::Asked;
use super::error::Error;
use super::flow::{Flow, Got, Received, Sent};
use super::inner::Answer;
use super::signaling::Signaling;
use super::stream::Call;
use crate::isp::Pvc;
use crate::{Address, Qos};

type Ready<T> = AsyncFd<Kept<T>>;

fn ready<T>(
    what: T,
    descriptor: fn(&T) -> BorrowedFd<'_>,
    interest: Interest,
) -> Result<Ready<T>, Error> {
    register(what, descriptor, interest).map_err(waiting)
}

fn waiting(source: io::Error) -> Error {
    Error::System {
        action: "wait in this runtime",
        source,
    }
}

/// Waits for the answer to a request.
async fn answered(asked: Asked) -> Result<(Asked, Answer), Error> {
    let asked = ready(asked, Asked::there, Interest::READABLE)?;
    loop {
        let mut there = asked.readable().await.map_err(waiting)?;
        match asked.get_ref().answer() {
            Some(Answer::Failed(error)) => return Err(error),
            Some(answer) => {
                drop(there);
                return Ok((asked.into_inner().into_inner(), answer));
            }
            None => there.clear_ready(),
        }
    }
}

/// See [`super::Stream`].
pub struct Stream {
    ended: Ready<Arc<Flow>>,
    packets: Ready<Arc<Flow>>,
    /// One sender waits for its turn, the others for it.
    timer: tokio::sync::Mutex<Ready<OwnedFd>>,
    stream: super::Stream,
}

impl Stream {
    /// Asks for a connection.
    ///
    /// # Errors
    /// See [`super::Stream::connect`].
    pub async fn connect(signaling: &Signaling, call: &Call) -> Result<Self, Error> {
        let asked = super::Stream::ask(signaling, call)?;
        let (asked, answer) = answered(asked).await?;
        Self::new(super::Stream::of(asked, answer, call.called)?)
    }

    /// The same stream, for tasks.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn new(stream: super::Stream) -> Result<Self, Error> {
        let flow = || Arc::clone(stream.flow());
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )
        .map_err(|error| waiting(error.into()))?;
        Ok(Self {
            ended: ready(flow(), |flow| flow.ended(), Interest::READABLE)?,
            packets: ready(
                flow(),
                |flow| flow.packets(),
                Interest::READABLE | Interest::WRITABLE,
            )?,
            timer: tokio::sync::Mutex::new(ready(timer, AsFd::as_fd, Interest::READABLE)?),
            stream,
        })
    }

    /// Sends a frame, when its turn comes by the rate granted.
    ///
    /// # Errors
    /// See [`super::Stream::send`].
    pub async fn send(&self, payload: &[u8]) -> Result<(), Error> {
        let flow = self.stream.flow();
        let timer = self.timer.lock().await;
        loop {
            let now = Instant::now();
            match flow.send(payload, now)? {
                Sent::Yes => return Ok(()),
                Sent::NotBefore(at) => tokio::select! {
                    ended = self.ended.readable() => ended.map(drop).map_err(waiting)?,
                    slept = sleep(&timer, at.saturating_duration_since(now)) => slept?,
                },
                Sent::Full => {
                    let mut writable = tokio::select! {
                        ended = self.ended.readable() => {
                            ended.map(drop).map_err(waiting)?;
                            continue;
                        }
                        writable = self.packets.writable() => writable.map_err(waiting)?,
                    };
                    match flow.send(payload, Instant::now())? {
                        Sent::Yes => return Ok(()),
                        Sent::Full => writable.clear_ready(),
                        Sent::NotBefore(_) => {}
                    }
                }
            }
        }
    }

    /// Receives a frame. What came before the connection was closed is received first.
    ///
    /// # Errors
    /// See [`super::Stream::receive`].
    pub async fn receive(&self, into: &mut [u8]) -> Result<Received, Error> {
        let flow = self.stream.flow();
        loop {
            let mut readable = tokio::select! {
                ended = self.ended.readable() => ended.map_err(waiting)?,
                readable = self.packets.readable() => readable.map_err(waiting)?,
            };
            match flow.receive(into)? {
                Got::Frame(received) => return Ok(received),
                Got::Nothing => readable.clear_ready(),
                Got::Again => tokio::task::yield_now().await,
            }
        }
    }

    /// See [`super::Stream::close`].
    pub fn close(self) {}

    /// See [`super::Stream::qos`].
    #[must_use]
    pub fn qos(&self) -> Qos {
        self.stream.qos()
    }

    /// See [`super::Stream::local`].
    #[must_use]
    pub fn local(&self) -> Address {
        self.stream.local()
    }

    /// See [`super::Stream::peer`].
    #[must_use]
    pub fn peer(&self) -> Address {
        self.stream.peer()
    }

    /// See [`super::Stream::pvc`].
    #[must_use]
    pub fn pvc(&self) -> Pvc {
        self.stream.pvc()
    }
}

/// Sleeps as exactly as the kernel can, which the runtime's own timer of milliseconds does not.
async fn sleep(timer: &Ready<OwnedFd>, time: Duration) -> Result<(), Error> {
    // Zero would stop the timer.
    let time = Timespec::try_from(time.max(Duration::from_nanos(1)));
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: time.unwrap_or(Timespec {
            tv_sec: i64::MAX,
            tv_nsec: 0,
        }),
    };
    // What it told before is taken back by being set.
    timerfd_settime(&**timer.get_ref(), TimerfdTimerFlags::empty(), &once)
        .map_err(|error| waiting(error.into()))?;
    loop {
        let mut readable = timer.readable().await.map_err(waiting)?;
        match rustix::io::read(&**timer.get_ref(), &mut [0; 8]) {
            Ok(_) => return Ok(()),
            Err(_) => readable.clear_ready(),
        }
    }
}

/// See [`super::Listener`].
pub struct Listener {
    listener: Ready<super::Listener>,
}

impl Listener {
    /// Listens at an address, null for one that the daemon chooses, for calls with as much traffic, as seen from here.
    ///
    /// # Errors
    /// See [`super::Listener::bind`].
    pub async fn bind(signaling: &Signaling, address: Address, qos: Qos) -> Result<Self, Error> {
        let asked = super::Listener::ask_bind(signaling, address)?;
        let (asked, bound) = answered(asked).await?;
        let (asked, local) = super::Listener::ask_listen(asked, bound, qos)?;
        let (asked, listening) = answered(asked).await?;
        Self::new(super::Listener::of(asked, listening, local)?)
    }

    /// The same listener, for tasks.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn new(listener: super::Listener) -> Result<Self, Error> {
        Ok(Self {
            listener: ready(listener, super::Listener::calls, Interest::READABLE)?,
        })
    }

    /// Accepts the first call that waits, or the next that comes.
    ///
    /// # Errors
    /// See [`super::Listener::accept`].
    pub async fn accept(&self) -> Result<Stream, Error> {
        loop {
            let mut calls = self.listener.readable().await.map_err(waiting)?;
            match self.listener.get_ref().ask_accept()? {
                Some((asked, peer)) => {
                    drop(calls);
                    let (asked, answer) = answered(asked).await?;
                    return Stream::new(super::Stream::of(asked, answer, peer)?);
                }
                None => calls.clear_ready(),
            }
        }
    }

    /// See [`super::Listener::local`].
    #[must_use]
    pub fn local(&self) -> Address {
        self.listener.get_ref().local()
    }
}
