//! What there is under `/v1`, and the document that describes it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Path, Query, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Deserialize;
use utoipa::IntoParams;

use super::listing::{Listing, routes};
use super::problem::{Problem, Refusal};
use super::server::Closing;
use super::{dss, ipv6, metrics, stream, streams};
use crate::assemble;
use crate::control::{
    CapturePoint, ConsoleChunk, Control, ControlError, GuestAction, PhasesSet, SetPhases,
};
use crate::dataplane::clock;
use crate::status::{GuestState, GuestStatus, PortPhases, Status};

/// What handlers are given: the node, and whether the server stops.
#[derive(Clone)]
pub(super) struct Shared {
    control: Arc<dyn Control>,
    closing: Closing,
}

impl FromRef<Shared> for Arc<dyn Control> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.control)
    }
}

impl FromRef<Shared> for Closing {
    fn from_ref(shared: &Shared) -> Self {
        shared.closing.clone()
    }
}

pub(super) type Node = State<Arc<dyn Control>>;
pub(super) type Answer<T> = Result<Json<T>, Refusal>;

#[cfg(test)]
#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "pinode control API",
    version = "1",
    description = "The control API of a running node, on its Unix socket.",
    license(name = "Apache-2.0 OR MIT"),
    contact()
))]
struct Document;

fn listing() -> Listing {
    Listing::default()
        .routes(routes!(get_status))
        .routes(routes!(get_phases, put_phases))
        .routes(routes!(get_guests))
        .routes(routes!(post_guest_action))
        .routes(routes!(get_console))
        .routes(routes!(get_capture))
        .routes(routes!(get_metrics))
        .merge(streams::listing())
        .merge(dss::listing())
        .merge(ipv6::listing())
}

/// The OpenAPI document of the API as the code has it, as JSON.
#[cfg(test)]
pub(super) fn openapi() -> String {
    let head = <Document as utoipa::OpenApi>::openapi();
    // The document is plain data: nothing in it that JSON cannot carry.
    listing()
        .into_document(head)
        .to_pretty_json()
        .unwrap_or_default()
        + "\n"
}

/// What [`openapi`] says, as it lies in the folder of documents; a test compares them.
const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json"));

pub(super) fn router(control: Arc<dyn Control>, closing: Closing) -> Router {
    let get_document = || async { ([(header::CONTENT_TYPE, JSON)], DOCUMENT) };
    listing()
        .into_router()
        .route("/v1/openapi.json", axum::routing::get(get_document))
        .fallback(no_resource)
        .method_not_allowed_fallback(no_method)
        .with_state(Shared { control, closing })
}

const JSON: &str = "application/json";

async fn no_resource(uri: Uri) -> Refusal {
    let what = "there is no such resource; all are listed in /v1/openapi.json";
    Refusal::new(StatusCode::NOT_FOUND, uri.path(), what)
}

async fn no_method(method: Method, uri: Uri) -> Refusal {
    let what = format!("{method} is not allowed; what is allowed is in /v1/openapi.json");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, uri.path(), what)
}

/// Asks the node off the event loop.
pub(super) async fn ask<T: Send + 'static>(
    control: Arc<dyn Control>,
    question: impl FnOnce(&dyn Control) -> Result<T, ControlError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(move || question(&*control)).await {
        Ok(answer) => Ok(answer?),
        Err(error) => {
            let what = format!("the call into the node failed: {error}");
            Err(Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "node",
                what,
            ))
        }
    }
}

/// A boot that is under way has taken no time yet: what the node still knows is the one before.
fn not_booted_yet(guest: &mut GuestStatus) {
    if guest.state == GuestState::Starting {
        guest.boot_us = 0;
    }
}

/// All counters at one instant
#[utoipa::path(
    get,
    path = "/v1/status",
    responses(
        (status = 200, description = "The counters; their sums hold exactly", body = Status),
        (status = 500, description = "The data plane does not answer", body = Problem),
    )
)]
async fn get_status(State(control): Node) -> Answer<Status> {
    let mut status = ask(control, |node| node.status()).await?;
    status.guests.iter_mut().for_each(not_booted_yet);
    Ok(Json(status))
}

/// The schedule of a port
#[utoipa::path(
    get,
    path = "/v1/ports/{port}/phases",
    params(("port" = String, Path, description = "Name of the port")),
    responses(
        (status = 200, description = "The schedules", body = PortPhases),
        (status = 404, description = "No such port", body = Problem),
    )
)]
async fn get_phases(State(control): Node, Path(port): Path<String>) -> Answer<PortPhases> {
    ask(control, move |node| node.phases(&port)).await.map(Json)
}

/// Installs a schedule on a port
#[utoipa::path(
    put,
    path = "/v1/ports/{port}/phases",
    params(("port" = String, Path, description = "Name of the port")),
    request_body = SetPhases,
    responses(
        (status = 200, description = "It will take effect", body = PhasesSet),
        (status = 400, description = "The body is not a schedule", body = Problem),
        (status = 404, description = "No such port", body = Problem),
        (status = 422, description = "The schedule cannot hold", body = Problem),
    )
)]
async fn put_phases(
    State(control): Node,
    Path(port): Path<String>,
    body: Bytes,
) -> Answer<PhasesSet> {
    let request: SetPhases = serde_json::from_slice(&body)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "body", error.to_string()))?;
    if let Some(base) = request.base_tai_ns {
        assemble::check_base_time(base, clock::tai_ns()).map_err(|far| {
            let what = far.to_string();
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "base_tai_ns", what)
        })?;
    }
    ask(control, move |node| node.set_phases(&port, request))
        .await
        .map(Json)
}

/// The guests
#[utoipa::path(
    get,
    path = "/v1/guests",
    responses((status = 200, description = "All guests", body = Vec<GuestStatus>))
)]
async fn get_guests(State(control): Node) -> Answer<Vec<GuestStatus>> {
    let mut guests = ask(control, |node| node.guests()).await?;
    guests.iter_mut().for_each(not_booted_yet);
    Ok(Json(guests))
}

/// Starts, stops or restarts a guest
#[utoipa::path(
    post,
    path = "/v1/guests/{guest}/{action}",
    params(
        ("guest" = String, Path, description = "Name of the guest, which is that of its PI"),
        ("action" = GuestAction, Path, description = "What to do"),
    ),
    responses(
        (status = 200, description = "Stopped, or starting", body = GuestStatus),
        (status = 404, description = "No such guest or action", body = Problem),
        (status = 409, description = "Its state does not allow it", body = Problem),
        (status = 500, description = "The guest does not start", body = Problem),
    )
)]
async fn post_guest_action(
    State(control): Node,
    Path((guest, action)): Path<(String, String)>,
) -> Answer<GuestStatus> {
    let actions = [GuestAction::Start, GuestAction::Stop, GuestAction::Restart];
    let Some(action) = actions.into_iter().find(|known| known.as_str() == action) else {
        let what = format!("there is no action {action:?}; there are: start, stop, restart");
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("guest.{guest}"),
            what,
        ));
    };
    let mut guest = ask(control, move |node| node.guest_action(&guest, action)).await?;
    not_booted_yet(&mut guest);
    Ok(Json(guest))
}

/// How a console is read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConsoleQuery {
    /// Go on with what the guest prints from now on; without, the answer ends with the tail.
    #[serde(default)]
    #[param(required = false)]
    follow: bool,
}

/// What a guest has printed
#[utoipa::path(
    get,
    path = "/v1/guests/{guest}/console",
    params(("guest" = String, Path, description = "Name of the guest"), ConsoleQuery),
    responses(
        (status = 200, description = "The octets as printed", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, description = "No such guest", body = Problem),
    )
)]
async fn get_console(
    State(control): Node,
    State(closing): State<Closing>,
    Path(guest): Path<String>,
    query: Result<Query<ConsoleQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(bad_query)?;
    let asked = guest.clone();
    let first: ConsoleChunk = ask(Arc::clone(&control), move |node| {
        node.console_since(&asked, 0)
    })
    .await?;
    let body = if query.follow {
        stream::console(control, guest, first, closing)?
    } else {
        Body::from(first.bytes)
    };
    Ok(streamed("application/octet-stream", body))
}

/// A body whose trailer may say why it ended (RFC 9110 6.6.2).
fn streamed(content_type: &'static str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::TRAILER, stream::ENDED),
    ];
    (headers, body).into_response()
}

/// Where a capture is taken.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CaptureQuery {
    /// A port, or a guest and a port: `west`, `can/west`.
    #[param(example = "can/west")]
    at: String,
}

/// What passes a point of the node, until the reader goes
#[utoipa::path(
    get,
    path = "/v1/capture",
    params(CaptureQuery),
    responses(
        (status = 200, description = "A pcapng stream", content_type = "application/x-pcapng", body = Vec<u8>),
        (status = 400, description = "No capture point", body = Problem),
        (status = 404, description = "No such port or guest", body = Problem),
        (status = 409, description = "A capture is running there", body = Problem),
    )
)]
async fn get_capture(
    State(control): Node,
    State(closing): State<Closing>,
    query: Result<Query<CaptureQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(bad_query)?;
    let at: CapturePoint = query
        .at
        .parse()
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "query.at", format!("{error}")))?;
    let pieces = ask(control, move |node| node.capture(&at)).await?;
    let body = stream::capture(pieces, closing)?;
    Ok(streamed("application/x-pcapng", body))
}

pub(super) fn bad_query(error: QueryRejection) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "query", error.body_text())
}

/// The counters for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text", body = String))
)]
async fn get_metrics(State(control): Node) -> Result<Response, Refusal> {
    let (mut status, routers) = ask(control, |node| {
        let status = node.status()?;
        let routers = ipv6::counters::read(node, &status.guests);
        Ok((status, routers))
    })
    .await?;
    status.guests.iter_mut().for_each(not_booted_yet);
    let text = metrics::encode(status, routers).map_err(|error| {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics",
            error.to_string(),
        )
    })?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
