//! What the API answers when it does not do what it was asked.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::ControlError;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The part of the node or of the request, such as `port.west.cycle`.
    #[serde(rename = "where")]
    pub at: String,
    /// What is wrong and what is allowed.
    pub what: String,
}

/// A problem and its status.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) Problem);

impl Refusal {
    pub(super) fn new(status: StatusCode, at: impl Into<String>, what: impl Into<String>) -> Self {
        Self(
            status,
            Problem {
                at: at.into(),
                what: what.into(),
            },
        )
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        let status = match error {
            ControlError::Unknown { .. } => StatusCode::NOT_FOUND,
            ControlError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ControlError::Conflict { .. } | ControlError::Busy { .. } => StatusCode::CONFLICT,
            ControlError::Failed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.at(), error.what())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
