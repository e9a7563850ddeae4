//! The client's side of the control API: HTTP/1.1 over a node's Unix socket.
//!
//! What comes back is only carried here, never understood: documents are the commands' business.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::api::{DEFAULT_DIRECTORY, ENDED, NODE_ENDED, Problem};

/// Why there is no answer, or none of use.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody answers on the socket.
    #[error("no node answers on {}: {source}; is it running (pinode run -c node.toml), and may you open its socket?", socket.display())]
    NoNode {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No socket was named and none was found.
    #[error(
        "no running node found in {DEFAULT_DIRECTORY}; start one (pinode run -c node.toml), or name its socket with --socket or PINODE_SOCKET"
    )]
    NoneFound,
    /// No socket was named and there are several.
    #[error("several nodes are running; choose one with --socket or PINODE_SOCKET: {}", list(.0))]
    Several(Vec<PathBuf>),
    /// The node said no.
    #[error("{}: {}", problem.at, problem.what)]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        problem: Problem,
    },
    /// The conversation broke.
    #[error("the node's answer broke off: {0}")]
    Http(#[from] hyper::Error),
    /// The node speaks another version of the API.
    #[error("the node's answer to {path} is not understood: {source}")]
    Document {
        /// What was asked for.
        path: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// What was read could not be passed on.
    #[error("cannot write: {0}")]
    Output(io::Error),
    /// No event loop to be had.
    #[error("cannot start the client: {0}")]
    Runtime(io::Error),
}

fn list(sockets: &[PathBuf]) -> String {
    let texts: Vec<String> = sockets
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    texts.join(", ")
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// By the reader: its limit has passed, or SIGINT or SIGTERM came.
    Reader,
    /// By what it came from: there is no more.
    Source,
    /// The node was told to end.
    Node,
}

/// A client of one node. Each request has a connection of its own.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

impl Client {
    /// A client of the node on `socket`, or of the one node that is running.
    ///
    /// # Errors
    ///
    /// If no socket is named and there is not exactly one node.
    pub fn new(socket: Option<&Path>) -> Result<Self, ClientError> {
        let socket = match socket {
            Some(socket) => socket.to_owned(),
            None => only_node(Path::new(DEFAULT_DIRECTORY))?,
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClientError::Runtime)?;
        Ok(Self { socket, runtime })
    }

    /// The document at `path`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.document(Method::GET, path, Bytes::new())
    }

    /// The answer to `body` put at `path`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send(Method::PUT, path, body)
    }

    /// The answer to `body` sent to `path`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Document {
            path: path.to_owned(),
            source,
        })?;
        self.document(method, path, body.into())
    }

    /// The answer to an empty post at `path`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.document(Method::POST, path, Bytes::new())
    }

    /// The answer to an empty delete of `path`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.document(Method::DELETE, path, Bytes::new())
    }

    /// Hands each piece of the stream at `path` to `each` until its end, until `limit` has passed,
    /// until SIGINT or SIGTERM, or until `each` fails.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn stream(
        &self,
        path: &str,
        limit: Option<Duration>,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<StreamEnd, ClientError> {
        self.runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).map_err(ClientError::Runtime)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(ClientError::Runtime)?;
            let reading = async {
                let mut body = self
                    .request(Method::GET, path, Bytes::new())
                    .await?
                    .into_body();
                let mut end = StreamEnd::Source;
                while let Some(frame) = body.frame().await {
                    let frame = frame?;
                    if let Some(piece) = frame.data_ref() {
                        each(piece).map_err(ClientError::Output)?;
                    }
                    let why = frame
                        .trailers_ref()
                        .and_then(|trailers| trailers.get(ENDED));
                    if why.is_some_and(|why| why == NODE_ENDED) {
                        end = StreamEnd::Node;
                    }
                }
                Ok(end)
            };
            let passed = async {
                match limit {
                    Some(limit) => tokio::time::sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                outcome = reading => outcome,
                () = passed => Ok(StreamEnd::Reader),
                _ = interrupt.recv() => Ok(StreamEnd::Reader),
                _ = terminate.recv() => Ok(StreamEnd::Reader),
            }
        })
    }

    fn document<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let body = self.runtime.block_on(async {
            let response = self.request(method, path, body).await?;
            Ok::<_, ClientError>(response.into_body().collect().await?.to_bytes())
        })?;
        serde_json::from_slice(&body).map_err(|source| ClientError::Document {
            path: path.to_owned(),
            source,
        })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|source| ClientError::NoNode {
                    socket: self.socket.clone(),
                    source,
                })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the runtime, or when the other side closes.
        tokio::spawn(connection);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::HOST, header::HeaderValue::from_static("pinode"));
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        );
        // Streams say by a trailer why they end.
        headers.insert(header::TE, header::HeaderValue::from_static("trailers"));
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.into_body().collect().await?.to_bytes();
        let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
            at: path.to_owned(),
            what: format!("the node answered {status}"),
        });
        Err(ClientError::Refused { status, problem })
    }
}

/// The socket of the one node that answers in `directory`; of one that this user may not open if no
/// other answers, so that the reason is found out when it is asked.
fn only_node(directory: &Path) -> Result<PathBuf, ClientError> {
    let entries = std::fs::read_dir(directory).map_err(|_missing| ClientError::NoneFound)?;
    let sockets = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sock")
        })
        .map(|path| (std::os::unix::net::UnixStream::connect(&path), path));
    let (mut live, mut closed) = (Vec::new(), Vec::new());
    for (answer, path) in sockets {
        match answer {
            Ok(_) => live.push(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => closed.push(path),
            Err(_dead) => {}
        }
    }
    choose(live, closed)
}

/// The one that answers, or else the one that may not be opened.
fn choose(live: Vec<PathBuf>, closed: Vec<PathBuf>) -> Result<PathBuf, ClientError> {
    let mut sockets = if live.is_empty() { closed } else { live };
    sockets.sort();
    match sockets.len() {
        1 => Ok(sockets.swap_remove(0)),
        0 => Err(ClientError::NoneFound),
        _ => Err(ClientError::Several(sockets)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_one_node_that_runs_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let none = only_node(&dir.path().join("missing"))
            .unwrap_err()
            .to_string();
        assert!(
            none.starts_with("no running node found in /run/pinode; start one"),
            "{none}"
        );
        let stale = dir.path().join("old.sock");
        drop(UnixListener::bind(&stale).unwrap());
        assert!(matches!(only_node(dir.path()), Err(ClientError::NoneFound)));
        let first = dir.path().join("n1.sock");
        let _n1 = UnixListener::bind(&first).unwrap();
        assert_eq!(only_node(dir.path()).unwrap(), first);
        let _n2 = UnixListener::bind(dir.path().join("n2.sock")).unwrap();
        let several = only_node(dir.path()).unwrap_err().to_string();
        assert!(
            several.contains("n1.sock") && several.contains("n2.sock"),
            "{several}"
        );
    }

    #[test]
    fn a_socket_that_may_not_be_opened_is_there_all_the_same() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let chosen = choose(Vec::new(), paths(&["n1.sock"]));
        assert_eq!(chosen.unwrap(), Path::new("n1.sock"));
        let chosen = choose(paths(&["mine.sock"]), paths(&["n1.sock", "n2.sock"]));
        assert_eq!(chosen.unwrap(), Path::new("mine.sock"));
        let several = choose(Vec::new(), paths(&["n2.sock", "n1.sock"]));
        assert!(matches!(several, Err(ClientError::Several(both)) if both[0] == *"n1.sock"));
    }
}
