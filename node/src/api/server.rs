//! The thread of the control API and its event loop.
//!
//! One thread, few and small stacks: the API is idle nearly always and must not cost the node
//! memory.

use std::future::IntoFuture as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::net::UnixListener;
use tokio::runtime::Builder;
use tokio::sync::watch;

use super::routes;
use super::socket::{Socket, SocketError};
use crate::control::Control;

/// Handlers are shallow; 2 MiB of stack a thread would be for nothing.
const STACK: usize = 512 * 1024;
/// Calls into the node that may wait at once.
const BLOCKING_CALLS: usize = 4;
/// How long answers that are under way have for their ends when the server is stopped. Streams end
/// within one look; only a reader that does not read is broken off.
const GRACE: Duration = Duration::from_millis(500);

/// Turns true when the server stops.
pub(super) type Closing = watch::Receiver<bool>;

/// A control API that is being served; dropping it ends it and removes the socket.
#[derive(Debug)]
pub struct Server {
    socket: Socket,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Why the control API is not served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// No socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// No thread, event loop or listener to be had.
    #[error("cannot serve the control API: {0}")]
    Io(#[from] io::Error),
}

impl Server {
    /// Binds `path` and serves `control` on it from a thread of its own.
    ///
    /// # Errors
    ///
    /// See [`ServeError`].
    pub fn start(path: &Path, control: Arc<dyn Control>) -> Result<Self, ServeError> {
        Ok(Self::on(Socket::bind(path)?, control)?)
    }

    /// Serves `control` on a socket that has been bound before.
    ///
    /// # Errors
    ///
    /// No thread, event loop or listener to be had.
    pub fn on(socket: Socket, control: Arc<dyn Control>) -> io::Result<Self> {
        let listener = socket.listener()?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_CALLS)
            .thread_stack_size(STACK)
            .thread_name("api-call")
            .build()?;
        let (stop, closing) = watch::channel(false);
        let listener = {
            let _context = runtime.enter();
            UnixListener::from_std(listener)?
        };
        let thread = std::thread::Builder::new()
            .name("api".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let service = routes::router(control, closing.clone());
                runtime.block_on(async {
                    let serving = axum::serve(listener, service)
                        .with_graceful_shutdown(closed(closing.clone()));
                    let too_late = async {
                        closed(closing).await;
                        tokio::time::sleep(GRACE).await;
                    };
                    tokio::select! {
                        result = serving.into_future() => {
                            if let Err(error) = result {
                                tracing::error!(%error, "the control API has ended");
                            }
                        }
                        () = too_late => {}
                    }
                });
                // A call that still waits is answered to nobody.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            socket,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.socket.path()
    }

    /// Ends it; returns when its thread has ended. Streams are brought to their end, and told that
    /// the node ends.
    pub fn stop(self) {
        drop(self);
    }
}

/// Waits until the server is to stop.
async fn closed(mut closing: Closing) {
    // A sender that is gone has nobody left to serve for.
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control API ended by a panic");
        }
    }
}
