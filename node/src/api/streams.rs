//! What there is under `/v1/ports/{port}/streams/{pi}`: connections, set up and taken down at run time.
//!
//! A request has many items, and each its own answer: one that is refused stops no other.

#[cfg(test)]
pub(super) mod tests;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::items;
use super::listing::{Listing, routes};
use super::problem::{Problem, Refusal};
use super::routes::{Answer, Node, ask, bad_query};
use crate::control::{
    STREAMS_MOST, StreamGranted, StreamName, StreamPage, StreamRefused, StreamReleased,
    StreamRequest, Streams,
};

/// Most octets of a body.
const OCTETS_MOST: usize = 2 << 20;
/// Connections of a page, unless asked otherwise.
const PAGE: usize = 1024;

pub(super) fn listing() -> Listing {
    Listing::default()
        .routes(routes!(get_streams, post_streams, delete_streams))
        .bodies_at_most(OCTETS_MOST)
}

/// What became of a connection that was to be set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connected {
    /// It is there.
    Granted(StreamGranted),
    /// It is not, and has changed nothing.
    Refused(StreamRefused),
}

/// What became of a connection that was to be taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disconnected {
    /// It is gone.
    Released(StreamReleased),
    /// Nothing has changed.
    Refused(StreamRefused),
}

/// Which connections.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// From where on: what `next` of the page before says.
    #[serde(default)]
    #[param(required = false)]
    from: u32,
    /// Connections of a page, at most 4096; 1024 if left out.
    #[param(required = false, minimum = 1, maximum = 4096)]
    most: Option<usize>,
}

/// The connections of a PI at a port
#[utoipa::path(
    get,
    path = "/v1/ports/{port}/streams/{pi}",
    params(
        ("port" = String, Path, description = "Name of the port"),
        ("pi" = String, Path, description = "Name of the PI"),
        PageQuery,
    ),
    responses(
        (status = 200, description = "What there is, and a page of the connections", body = Streams),
        (status = 404, description = "No such port or PI", body = Problem),
        (status = 422, description = "The PI has no connections", body = Problem),
    )
)]
async fn get_streams(
    State(control): Node,
    Path((port, pi)): Path<(String, String)>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Streams> {
    let Query(PageQuery { from, most }) = query.map_err(bad_query)?;
    let most = most.unwrap_or(PAGE);
    if !(1..=STREAMS_MOST).contains(&most) {
        let what = format!("{most} connections; allowed: 1 to {STREAMS_MOST}");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "query.most", what));
    }
    let page = StreamPage { from, most };
    let answer = ask(control, move |node| node.streams(&port, &pi, page));
    answer.await.map(Json)
}

/// Sets connections up; the answers are in the order of the items
#[utoipa::path(
    post,
    path = "/v1/ports/{port}/streams/{pi}",
    params(
        ("port" = String, Path, description = "Name of the port"),
        ("pi" = String, Path, description = "Name of the PI"),
    ),
    request_body = Vec<StreamRequest>,
    responses(
        (status = 200, description = "What became of each", body = Vec<Connected>),
        (status = 400, description = "The body is no list of connections", body = Problem),
        (status = 404, description = "No such port or PI", body = Problem),
        (status = 422, description = "The PI has no connections", body = Problem),
    )
)]
async fn post_streams(
    State(control): Node,
    Path((port, pi)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Vec<Connected>> {
    let items = read(body)?;
    let answer = ask(control, move |node| node.connect_streams(&port, &pi, items));
    let answers = answer.await?.into_iter().map(|answer| match answer {
        Ok(granted) => Connected::Granted(granted),
        Err(refused) => Connected::Refused(refused),
    });
    Ok(Json(answers.collect()))
}

/// Takes connections down; the answers are in the order of the items
#[utoipa::path(
    delete,
    path = "/v1/ports/{port}/streams/{pi}",
    params(
        ("port" = String, Path, description = "Name of the port"),
        ("pi" = String, Path, description = "Name of the PI"),
    ),
    request_body = Vec<StreamName>,
    responses(
        (status = 200, description = "What became of each", body = Vec<Disconnected>),
        (status = 400, description = "The body is no list of names", body = Problem),
        (status = 404, description = "No such port or PI", body = Problem),
        (status = 422, description = "The PI has no connections", body = Problem),
    )
)]
async fn delete_streams(
    State(control): Node,
    Path((port, pi)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Vec<Disconnected>> {
    let items = read(body)?;
    let answer = ask(control, move |node| {
        node.disconnect_streams(&port, &pi, items)
    });
    let answers = answer.await?.into_iter().map(|answer| match answer {
        Ok(released) => Disconnected::Released(released),
        Err(refused) => Disconnected::Refused(refused),
    });
    Ok(Json(answers.collect()))
}

fn read<T: serde::de::DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<Vec<T>, Refusal> {
    let body = body.map_err(|error| Refusal::new(error.status(), "body", error.body_text()))?;
    items::read(&body, STREAMS_MOST)
}
