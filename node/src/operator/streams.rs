//! Connections of PIs with `discipline = "streams"`, set up and taken down at run time.

use super::Operator;
use crate::control::{
    ControlError, StreamGranted, StreamName, StreamPage, StreamRefused, StreamReleased,
    StreamRequest, Streams,
};

fn later<T>(port: &str, pi: &str) -> Result<T, ControlError> {
    Err(ControlError::Failed {
        at: format!("port.{port}.streams.{pi}"),
        what: "connections are not changed at run time yet".to_owned(),
    })
}

impl Operator {
    pub(super) fn connect(
        &self,
        port: &str,
        pi: &str,
        _items: &[StreamRequest],
    ) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError> {
        later(port, pi)
    }

    pub(super) fn disconnect(
        &self,
        port: &str,
        pi: &str,
        _items: &[StreamName],
    ) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError> {
        later(port, pi)
    }

    pub(super) fn connections(
        &self,
        port: &str,
        pi: &str,
        _page: StreamPage,
    ) -> Result<Streams, ControlError> {
        later(port, pi)
    }
}
