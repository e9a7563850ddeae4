//! The socket in the file system that applications connect to.
//!
//! One that a live daemon has is never taken from it; one that a dead daemon left is replaced. At no instant may
//! others than the owner connect.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketType, accept_with, bind, connect, listen, socket_with,
};
use thiserror::Error;

use super::connection::{Connection, FLAGS};

/// Applications that may wait until they are accepted.
const BACKLOG: i32 = 128;

/// Why there is no socket to listen on.
#[derive(Debug, Error)]
pub enum ListenerError {
    /// Somebody answers on it.
    #[error("socket {} is in use by a running daemon; stop that one, or choose another path", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{} exists and is no socket; remove it, or choose another path", path.display())]
    NoSocket {
        /// The file.
        path: PathBuf,
    },
    /// The kernel said no.
    #[error("cannot {action} {}: {source}; choose another path", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// See the module. Dropping it removes its file.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// Device and inode: the file is removed only if it is still this one.
    identity: (u64, u64),
}

impl Listener {
    /// Listens on `path`, mode 0600. Its folder is made if it is missing.
    ///
    /// # Errors
    /// See [`ListenerError`].
    pub fn bind(path: &Path) -> Result<Self, ListenerError> {
        let failed = |action| {
            move |source: io::Error| ListenerError::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        let folder = path.parent();
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
        }
        check(path)?;
        // Bound under a name of its own and moved when its mode is right: nobody can connect before, and a stale
        // socket is replaced in one step.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let _ = fs::remove_file(&fresh);
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None);
        let socket = socket.map_err(|error| failed("open")(error.into()))?;
        let placed = SocketAddrUnix::new(&fresh)
            .and_then(|address| bind(&socket, &address))
            .map_err(io::Error::from)
            .and_then(|()| fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)))
            .and_then(|()| Ok(listen(&socket, BACKLOG)?))
            .and_then(|()| fs::rename(&fresh, path))
            .and_then(|()| fs::symlink_metadata(path));
        match placed {
            Ok(found) => Ok(Self {
                socket,
                path: path.to_owned(),
                identity: (found.dev(), found.ino()),
            }),
            Err(source) => {
                let _ = fs::remove_file(&fresh);
                Err(failed("listen on")(source))
            }
        }
    }

    /// The next connection; none: nobody waits, and the descriptor becomes readable when somebody does.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn accept(&self) -> io::Result<Option<Connection>> {
        loop {
            return match accept_with(&self.socket, FLAGS) {
                Ok(socket) => Ok(Some(socket.into())),
                Err(Errno::AGAIN) => Ok(None),
                // One that went away again while it waited.
                Err(Errno::INTR | Errno::CONNABORTED) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Its path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether `path` may be bound: nothing is there, or the socket of a dead daemon.
fn check(path: &Path) -> Result<(), ListenerError> {
    let path_owned = || path.to_owned();
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ListenerError::NoSocket { path: path_owned() });
        }
        Ok(_) => {}
        Err(_) => return Ok(()),
    }
    let refused = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)
        .and_then(|socket| connect(&socket, &SocketAddrUnix::new(path)?));
    match refused {
        // Nobody has it open, or it went meanwhile.
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        // Somebody has it: one that answers, has too many waiting, or speaks another kind of socket.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => {
            Err(ListenerError::InUse { path: path_owned() })
        }
        Err(error) => Err(ListenerError::Io {
            action: "find out who has",
            path: path_owned(),
            source: error.into(),
        }),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let still_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if still_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::Received;
    use super::*;

    #[test]
    fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/dss.sock");
        let listener = Listener::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = Listener::bind(&path).unwrap_err();
        assert!(matches!(error, ListenerError::InUse { .. }));
        assert!(error.to_string().contains("in use by a running daemon"));
        drop(listener);
        assert!(!path.exists());

        let stale = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None).unwrap();
        bind(&stale, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        drop(stale);
        assert!(path.exists(), "a dead daemon leaves its socket");
        let listener = Listener::bind(&path).unwrap();
        Connection::connect(&path).unwrap();
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1, "no other file is left");

        // A successor's socket is not removed by the one before.
        fs::remove_file(&path).unwrap();
        let next = Listener::bind(&path).unwrap();
        drop(listener);
        assert!(path.exists());
        drop(next);
    }

    #[test]
    fn a_socket_of_another_kind_is_not_taken_from_who_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sock");
        let _node = UnixListener::bind(&path).unwrap();
        let error = Listener::bind(&path).unwrap_err();
        assert!(matches!(error, ListenerError::InUse { .. }));
    }

    #[test]
    fn a_daemon_that_accepts_nobody_still_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dss.sock");
        let _listener = Listener::bind(&path).unwrap();
        let waiting: Vec<_> = (0..=BACKLOG)
            .map(|_| Connection::connect(&path).unwrap())
            .collect();
        let error = Connection::connect(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let error = Listener::bind(&path).unwrap_err();
        assert!(matches!(error, ListenerError::InUse { .. }));
        drop(waiting);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dss.sock");
        fs::write(&path, "precious").unwrap();
        let error = Listener::bind(&path).unwrap_err();
        assert!(matches!(error, ListenerError::NoSocket { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let error = Listener::bind(&path.join("below")).unwrap_err();
        assert!(error.to_string().starts_with("cannot make the folder of "));
    }

    #[test]
    fn applications_are_accepted_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&folder.path().join("dss.sock")).unwrap();
        assert!(listener.accept().unwrap().is_none());
        let application = Connection::connect(listener.path()).unwrap();
        application.send(b"hello").unwrap();
        let accepted = listener.accept().unwrap().unwrap();
        assert!(listener.accept().unwrap().is_none());
        let mut into = [0; 16];
        assert_eq!(accepted.receive(&mut into).unwrap(), Received::Message(5));
        drop(application);
        assert_eq!(accepted.receive(&mut into).unwrap(), Received::End);
    }
}
