//! What there is under `/v1/guests/{guest}/dss`: the signalling of switches of PI DSS.

#[cfg(test)]
pub(super) mod tests;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use pinode_signaling::Prefix;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::listing::{Listing, routes};
use super::problem::{Problem, Refusal};
use super::routes::{Answer, Node, ask, bad_query};
use crate::dss::{Permanent, PermanentShown, Shown};

pub(super) fn listing() -> Listing {
    Listing::default()
        .routes(routes!(get_signalling))
        .routes(routes!(post_route, delete_route))
        .routes(routes!(delete_call))
        .routes(routes!(get_permanents, post_permanent))
        .routes(routes!(delete_permanent))
}

/// A route of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRoute {
    /// Addresses that begin so: hexadecimal digits, and how many bits of them.
    #[schema(value_type = String, example = "47.0005.80/24")]
    pub prefix: Prefix,
    /// Name of the port that they are reached by.
    pub port: String,
}

/// Which calls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Those behind this one: the last of the page before; 0 if left out.
    #[serde(default)]
    #[param(required = false)]
    after: u64,
}

/// Neighbours, calls, and what is set for them
#[utoipa::path(get, path = "/v1/guests/{guest}/dss", tag = "dss",
    params(("guest" = String, Path, description = "Name of the guest"), PageQuery),
    responses(
        (status = 200, description = "What there is, and a page of the calls", body = Shown),
        (status = 400, description = "Bad query", body = Problem),
        (status = 404, description = "No such guest, or it has no signalling", body = Problem),
        (status = 409, description = "Its daemon is not running", body = Problem),
    )
)]
async fn get_signalling(
    State(control): Node,
    Path(guest): Path<String>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Answer<Shown> {
    let Query(PageQuery { after }) = query.map_err(bad_query)?;
    let shown = ask(control, move |node| node.signalling(&guest, after));
    shown.await.map(Json)
}

/// Adds a route of calls, until the daemon ends
#[utoipa::path(post, path = "/v1/guests/{guest}/dss/routes", tag = "dss",
    params(("guest" = String, Path, description = "Name of the guest")),
    request_body = CallRoute,
    responses(
        (status = 200, description = "It is there", body = CallRoute),
        (status = 400, description = "The body is no route", body = Problem),
        (status = 404, description = "No such guest or port, or it has no signalling", body = Problem),
        (status = 409, description = "Its daemon is not running", body = Problem),
        (status = 422, description = "It is there already", body = Problem),
    )
)]
async fn post_route(
    control: Node,
    Path(guest): Path<String>,
    body: Result<Json<CallRoute>, JsonRejection>,
) -> Answer<CallRoute> {
    change(control, guest, false, body).await
}

/// Takes a route of calls away; calls that went by it stay
#[utoipa::path(delete, path = "/v1/guests/{guest}/dss/routes", tag = "dss",
    params(("guest" = String, Path, description = "Name of the guest")),
    request_body = CallRoute,
    responses(
        (status = 200, description = "It is gone", body = CallRoute),
        (status = 400, description = "The body is no route", body = Problem),
        (status = 404, description = "No such guest or port, or it has no signalling", body = Problem),
        (status = 409, description = "Its daemon is not running", body = Problem),
        (status = 422, description = "There is none", body = Problem),
    )
)]
async fn delete_route(
    control: Node,
    Path(guest): Path<String>,
    body: Result<Json<CallRoute>, JsonRejection>,
) -> Answer<CallRoute> {
    change(control, guest, true, body).await
}

async fn change(
    State(control): Node,
    guest: String,
    delete: bool,
    body: Result<Json<CallRoute>, JsonRejection>,
) -> Answer<CallRoute> {
    let Json(route) =
        body.map_err(|error| Refusal::new(error.status(), "body", error.body_text()))?;
    let CallRoute { prefix, port } = route.clone();
    ask(control, move |node| {
        node.call_route(&guest, delete, prefix, &port)
    })
    .await?;
    Ok(Json(route))
}

/// A call that was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleasedCall {
    /// Which.
    pub call: u64,
}

/// Releases a call
#[utoipa::path(delete, path = "/v1/guests/{guest}/dss/calls/{call}", tag = "dss",
    params(
        ("guest" = String, Path, description = "Name of the guest"),
        ("call" = u64, Path, description = "Its number"),
    ),
    responses(
        (status = 200, description = "It is being released", body = ReleasedCall),
        (status = 404, description = "No such guest, or it has no signalling", body = Problem),
        (status = 409, description = "Its daemon is not running", body = Problem),
        (status = 422, description = "There is no such call", body = Problem),
    )
)]
async fn delete_call(
    State(control): Node,
    Path((guest, call)): Path<(String, u64)>,
) -> Answer<ReleasedCall> {
    ask(control, move |node| node.release_call(&guest, call)).await?;
    Ok(Json(ReleasedCall { call }))
}

/// Permanent ends of connections, how far each is, and what was granted
#[utoipa::path(get, path = "/v1/guests/{guest}/dss/permanents", tag = "dss",
    params(("guest" = String, Path, description = "Name of the guest")),
    responses(
        (status = 200, description = "All of them, by name", body = Vec<PermanentShown>),
        (status = 404, description = "No such guest, or it has no signalling", body = Problem),
    )
)]
async fn get_permanents(
    State(control): Node,
    Path(guest): Path<String>,
) -> Answer<Vec<PermanentShown>> {
    let all = ask(control, move |node| node.permanents(&guest));
    all.await.map(Json)
}

/// Adds a permanent end of connections, until the node ends
#[utoipa::path(post, path = "/v1/guests/{guest}/dss/permanents", tag = "dss",
    params(("guest" = String, Path, description = "Name of the guest")),
    request_body = Permanent,
    responses(
        (status = 200, description = "It is there, and signalled for", body = Permanent),
        (status = 400, description = "The body is no permanent end", body = Problem),
        (status = 404, description = "No such guest, or it has no signalling", body = Problem),
        (status = 422, description = "There cannot be such a one, or its place is taken", body = Problem),
    )
)]
async fn post_permanent(
    State(control): Node,
    Path(guest): Path<String>,
    body: Result<Json<Permanent>, JsonRejection>,
) -> Answer<Permanent> {
    let Json(permanent) =
        body.map_err(|error| Refusal::new(error.status(), "body", error.body_text()))?;
    let added = permanent.clone();
    ask(control, move |node| node.add_permanent(&guest, added)).await?;
    Ok(Json(permanent))
}

/// A permanent end that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedPermanent {
    /// Which.
    pub name: String,
}

/// Takes a permanent end away; its connections are released
#[utoipa::path(delete, path = "/v1/guests/{guest}/dss/permanents/{name}", tag = "dss",
    params(
        ("guest" = String, Path, description = "Name of the guest"),
        ("name" = String, Path, description = "Its name"),
    ),
    responses(
        (status = 200, description = "It is gone", body = RemovedPermanent),
        (status = 404, description = "No such guest, or it has no signalling", body = Problem),
        (status = 422, description = "There is none, or it is of the configuration", body = Problem),
    )
)]
async fn delete_permanent(
    State(control): Node,
    Path((guest, name)): Path<(String, String)>,
) -> Answer<RemovedPermanent> {
    let which = name.clone();
    ask(control, move |node| node.remove_permanent(&guest, &which)).await?;
    Ok(Json(RemovedPermanent { name }))
}
