//! The control socket in the file system.
//!
//! A socket that a live node answers on is never taken from it; one that a dead node left is
//! replaced. At no instant may others than the owner connect.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where control sockets are unless another path is given.
pub const DEFAULT_DIRECTORY: &str = "/run/pinode";

/// The control socket of the node `name`.
#[must_use]
pub fn default_path(name: &str) -> PathBuf {
    Path::new(DEFAULT_DIRECTORY).join(format!("{name}.sock"))
}

/// Why there is no control socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// A node answers on it.
    #[error(
        "control socket {} is in use by a running node; stop that node, or choose another socket \
         with --socket or PINODE_SOCKET", path.display()
    )]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{} exists and is no socket; remove it, or choose another path with --socket", path.display())]
    NoSocket {
        /// The file.
        path: PathBuf,
    },
    /// The kernel said no.
    #[error("cannot {action} {}: {source}; choose another path with --socket or PINODE_SOCKET", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A bound control socket; dropping it removes its file.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    /// Device and inode: the file is removed only if it is still this one.
    identity: (u64, u64),
    listener: UnixListener,
}

impl Socket {
    /// Whether `path` may be bound: nothing is there, or the socket of a dead node.
    ///
    /// # Errors
    ///
    /// [`SocketError::InUse`] or [`SocketError::NoSocket`].
    pub fn check(path: &Path) -> Result<(), SocketError> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => Err(SocketError::NoSocket {
                path: path.to_owned(),
            }),
            Ok(_) if UnixStream::connect(path).is_ok() => Err(SocketError::InUse {
                path: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Binds `path`, mode 0600. Its folder is made if it is missing, mode 0755.
    ///
    /// # Errors
    ///
    /// See [`SocketError`].
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |action| {
            move |source| SocketError::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
        }
        Self::check(path)?;
        // Bound under a name of its own and moved when its mode is right: nobody can connect
        // before, and a stale socket is replaced in one step.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}", std::process::id()));
        let fresh = PathBuf::from(fresh);
        let _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(failed("bind the control socket"))?;
        let placed = fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::rename(&fresh, path))
            .and_then(|()| fs::symlink_metadata(path));
        match placed {
            Ok(found) => {
                let identity = (found.dev(), found.ino());
                Ok(Self {
                    path: path.to_owned(),
                    identity,
                    listener,
                })
            }
            Err(source) => {
                let _ = fs::remove_file(&fresh);
                Err(failed("set up the control socket")(source))
            }
        }
    }

    /// Its path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A second handle on the listener.
    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }
}

impl Drop for Socket {
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
    use super::*;

    #[test]
    fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/n1.sock");
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let error = Socket::bind(&path).unwrap_err();
        assert!(matches!(error, SocketError::InUse { .. }));
        assert!(
            error.to_string().contains("in use by a running node"),
            "{error}"
        );
        drop(socket);
        assert!(!path.exists());

        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dead node leaves its socket");
        let socket = Socket::bind(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1, "no other file is left");

        // A successor's socket is not removed by the one before.
        fs::remove_file(&path).unwrap();
        let next = UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(next);
    }

    #[test]
    fn a_file_that_is_no_socket_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n1.sock");
        fs::write(&path, "precious").unwrap();
        let error = Socket::bind(&path).unwrap_err();
        assert!(matches!(error, SocketError::NoSocket { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let error = Socket::bind(&path.join("below")).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot make the folder of "),
            "{error}"
        );
    }

    #[test]
    fn the_default_is_by_name() {
        assert_eq!(default_path("n1"), Path::new("/run/pinode/n1.sock"));
    }
}
