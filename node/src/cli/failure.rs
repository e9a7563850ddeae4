//! Exit codes: 0 ok, 1 failure, 2 what was asked cannot be right.

use std::io;
use std::process::ExitCode;

use super::client::ClientError;
use crate::config::ConfigError;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line or an environment variable is wrong.
    Usage(String),
    /// The configuration is wrong.
    Config(ConfigError),
    /// The result has been printed and says it all; only the exit code is left.
    Said(u8),
    /// It was right and did not work.
    Failed(anyhow::Error),
    /// Whoever read the output has gone: nobody is left to be told.
    NoReader,
}

impl Failure {
    /// Says it on stderr.
    pub(super) fn report(self) -> ExitCode {
        match self {
            Self::Usage(what) => {
                eprintln!("pinode: {what}");
                ExitCode::from(2)
            }
            Self::Config(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
            Self::Said(code) => ExitCode::from(code),
            Self::Failed(error) => {
                eprintln!("pinode: {}", line(&error));
                ExitCode::from(1)
            }
            Self::NoReader => ExitCode::SUCCESS,
        }
    }
}

/// The error and its causes in one line; a cause that is said already is not said twice.
fn line(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NoReader,
            _ => Self::Failed(anyhow::Error::new(error).context("cannot write to stdout")),
        }
    }
}

impl From<ClientError> for Failure {
    /// What the node refused because it cannot be right is usage, as if it stood in a file.
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused { status, .. } if matches!(status.as_u16(), 400 | 404 | 422) => {
                Self::Usage(error.to_string())
            }
            ClientError::Several(_) => Self::Usage(error.to_string()),
            ClientError::Output(error) => error.into(),
            other => Self::Failed(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = || anyhow::Error::new(io::Error::other("no space"));
        assert_eq!(
            line(&cause().context("cannot write x")),
            "cannot write x: no space"
        );
        let repeats = cause().context("cannot write x: no space; free some");
        assert_eq!(line(&repeats), "cannot write x: no space; free some");
    }
}
