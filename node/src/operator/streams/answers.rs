//! What is answered about connections, in the words of the API.

use pinode_scheduler::level2::streams::ConnectError;
use pinode_scheduler::level2::{ClassCounters, ClassName};

use crate::control::{StreamCause, StreamCounters, StreamRefused};
use crate::status::ClassStatus;

pub(super) fn refused(vn: u8, label: u32, error: ConnectError) -> StreamRefused {
    let cause = match error {
        ConnectError::Network { .. } | ConnectError::NotCarried { .. } => StreamCause::Network,
        ConnectError::Label { .. } => StreamCause::Label,
        ConnectError::Taken { .. } => StreamCause::Taken,
        ConnectError::NoRate | ConnectError::Rate { .. } => StreamCause::Rate,
        ConnectError::NoBuffer | ConnectError::Buffer { .. } => StreamCause::Buffer,
        ConnectError::Most { .. } | ConnectError::NoBlock { .. } => StreamCause::Most,
    };
    StreamRefused {
        vn,
        label,
        cause,
        what: error.to_string(),
    }
}

pub(super) fn configured(vn: u8, label: u32) -> StreamRefused {
    StreamRefused {
        vn,
        label,
        cause: StreamCause::Configured,
        what: "is a connection of the configuration file, which alone takes it down".to_owned(),
    }
}

pub(super) fn no_such(vn: u8, label: u32) -> StreamRefused {
    StreamRefused {
        vn,
        label,
        cause: StreamCause::NoSuch,
        what: format!("virtual network {vn} has no connection with label {label}"),
    }
}

pub(super) fn counters(counted: &ClassCounters) -> StreamCounters {
    // The name says nothing here.
    let name = ClassName::Named("");
    let ClassStatus {
        queued,
        enqueued,
        dequeued,
        dequeued_bytes,
        cleared,
        drops,
        ..
    } = ClassStatus::new(name, counted);
    StreamCounters {
        queued,
        enqueued,
        dequeued,
        dequeued_bytes,
        cleared,
        drops,
    }
}
