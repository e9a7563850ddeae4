//! What there is under `/v1/guests/{guest}/ipv6`: what routers of PI IPv6 QoS are told and asked at run time.
//!
//! ```text
//! schema   how items and lists look, for the OpenAPI document
//! body     bodies of changes
//! counters counters for Prometheus
//! ```

mod body;
pub(super) mod counters;
mod schema;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::control::item::{Item, TableEntry};
use pinode_guest_ipv6qos::control::request::{Kind, Op};
use pinode_guest_ipv6qos::control::view;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::Ipv6Addr;
use utoipa::{IntoParams, ToSchema};

use super::listing::{Listing, routes};
use super::problem::{Problem, Refusal};
use super::routes::{Answer, Node, ask, bad_query};
use crate::ipv6::Key;
use crate::ipv6::Router;

pub(super) fn listing() -> Listing {
    Listing::default()
        .routes(routes!(get_interfaces))
        .routes(routes!(
            get_addresses,
            add_addresses,
            replace_addresses,
            delete_addresses
        ))
        .routes(routes!(
            get_routes,
            add_routes,
            replace_routes,
            delete_routes
        ))
        .routes(routes!(get_route))
        .routes(routes!(
            get_neighbours,
            add_neighbours,
            replace_neighbours,
            delete_neighbours
        ))
        .routes(routes!(flush_neighbours))
        .routes(routes!(
            get_tables,
            add_prefixes,
            replace_prefixes,
            delete_prefixes
        ))
        .routes(routes!(get_prefixes))
        .routes(routes!(
            get_policers,
            add_policers,
            replace_policers,
            delete_policers
        ))
        .routes(routes!(
            get_classes,
            add_classes,
            replace_classes,
            delete_classes
        ))
        .routes(routes!(
            get_filters,
            add_filters,
            replace_filters,
            delete_filters
        ))
        .routes(routes!(get_flows))
        .routes(routes!(flush_flows))
        .routes(routes!(get_counters))
        .bodies_at_most(body::OCTETS_MOST)
}

/// Which entries of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Only {
    /// Only of this virtual network.
    #[param(value_type = Option<u8>, maximum = 31, required = false)]
    vn: Option<Vn>,
    /// Only of this interface.
    #[param(required = false)]
    dev: Option<String>,
}

type OnlyQuery = Result<Query<Only>, QueryRejection>;

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Flushed {
    /// Entries.
    pub flushed: u64,
}

async fn list<V>(control: Node, guest: String, what: Kind, query: OnlyQuery) -> Answer<Vec<V>>
where
    V: DeserializeOwned + Serialize + Send + 'static,
{
    let Query(only) = query.map_err(bad_query)?;
    let State(control) = control;
    let entries = ask(control, move |node| {
        Router::of(node, &guest)?.list(what, only.vn, only.dev.as_deref())
    });
    entries.await.map(Json)
}

async fn flush(control: Node, guest: String, what: Kind, query: OnlyQuery) -> Answer<Flushed> {
    let Query(only) = query.map_err(bad_query)?;
    let State(control) = control;
    let flushed = ask(control, move |node| {
        Router::of(node, &guest)?.flush(what, only.vn, only.dev.as_deref())
    });
    flushed.await.map(|flushed| Json(Flushed { flushed }))
}

async fn change<T: DeserializeOwned>(
    control: Node,
    guest: String,
    op: Op,
    body: Result<Bytes, BytesRejection>,
    item: impl Fn(T) -> Item,
) -> Answer<Vec<Value>> {
    let body = body.map_err(|error| Refusal::new(error.status(), "body", error.body_text()))?;
    let items: Vec<Item> = body::read(&body)?.into_iter().map(item).collect();
    let State(control) = control;
    let changed = ask(control, move |node| {
        let router = Router::of(node, &guest)?;
        Ok(body::change(&router, op, &items))
    });
    changed.await?.map(Json)
}

/// The handlers of a kind of items: its list, and its changes.
macro_rules! resource {
    ($path:literal, $what:literal, $kind:expr, $item:expr, $key:expr;
     $get:ident $view:ty, $view_schema:ty;
     $add:ident $replace:ident $delete:ident $item_schema:ty, $key_schema:ty) => {
        #[doc = concat!("All ", $what)]
        #[utoipa::path(get, path = $path, tag = "ipv6",
            params(("guest" = String, Path, description = "Name of the guest"), Only),
            responses(
                (status = 200, description = "All of them", body = Vec<$view_schema>),
                (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
                (status = 409, description = "The guest is not running", body = Problem),
                (status = 422, description = "No such interface or virtual network", body = Problem),
            )
        )]
        async fn $get(control: Node, Path(guest): Path<String>, query: OnlyQuery) -> Answer<Vec<$view>> {
            list(control, guest, $kind, query).await
        }
        resource!($path, $what, $item, $key; $add $replace $delete $item_schema, $key_schema);
    };
    ($path:literal, $what:literal, $item:expr, $key:expr;
     $add:ident $replace:ident $delete:ident $item_schema:ty, $key_schema:ty) => {
        #[doc = concat!("Adds ", $what)]
        #[doc = ""]
        #[doc = "One after the other; the first that cannot be added ends it, those before it stay. The body may be a single item."]
        #[utoipa::path(post, path = $path, tag = "ipv6",
            params(("guest" = String, Path, description = "Name of the guest")),
            request_body = Vec<$item_schema>,
            responses(
                (status = 200, description = "As they are now, with what was left out", body = Vec<$item_schema>),
                (status = 400, description = "The body is not such a list", body = Problem),
                (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
                (status = 409, description = "One is there already, or the guest is not running", body = Problem),
                (status = 422, description = "One cannot be", body = Problem),
            )
        )]
        async fn $add(control: Node, Path(guest): Path<String>, body: Result<Bytes, BytesRejection>) -> Answer<Vec<Value>> {
            change(control, guest, Op::Add, body, $item).await
        }

        #[doc = concat!("Adds or replaces ", $what)]
        #[utoipa::path(put, path = $path, tag = "ipv6",
            params(("guest" = String, Path, description = "Name of the guest")),
            request_body = Vec<$item_schema>,
            responses(
                (status = 200, description = "As they are now, with what was left out", body = Vec<$item_schema>),
                (status = 400, description = "The body is not such a list", body = Problem),
                (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
                (status = 409, description = "The guest is not running", body = Problem),
                (status = 422, description = "One cannot be", body = Problem),
            )
        )]
        async fn $replace(control: Node, Path(guest): Path<String>, body: Result<Bytes, BytesRejection>) -> Answer<Vec<Value>> {
            change(control, guest, Op::Replace, body, $item).await
        }

        #[doc = concat!("Deletes ", $what)]
        #[utoipa::path(delete, path = $path, tag = "ipv6",
            params(("guest" = String, Path, description = "Name of the guest")),
            request_body(content = Vec<$key_schema>, description = "Their names"),
            responses(
                (status = 200, description = "They are gone; what their names were", body = Vec<Object>),
                (status = 400, description = "The body is not such a list", body = Problem),
                (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
                (status = 409, description = "One is not there or in use, or the guest is not running", body = Problem),
            )
        )]
        async fn $delete(control: Node, Path(guest): Path<String>, body: Result<Bytes, BytesRejection>) -> Answer<Vec<Value>> {
            change(control, guest, Op::Delete, body, |key| $key(key).to_item()).await
        }
    };
}

resource!("/v1/guests/{guest}/ipv6/addresses", "addresses of interfaces",
    Kind::Address, Item::Address, Key::Address;
    get_addresses view::AddressView, schema::AddressEntry;
    add_addresses replace_addresses delete_addresses schema::Address, schema::AddressName);
resource!("/v1/guests/{guest}/ipv6/routes", "routes",
    Kind::Route, Item::Route, Key::Route;
    get_routes view::RouteView, schema::RouteEntry;
    add_routes replace_routes delete_routes schema::Route, schema::RouteName);
resource!("/v1/guests/{guest}/ipv6/neighbours", "static neighbours",
    Kind::Neighbour, Item::Neighbour, Key::Neighbour;
    get_neighbours view::NeighbourView, schema::NeighbourEntry;
    add_neighbours replace_neighbours delete_neighbours schema::Neighbour, schema::NeighbourName);
resource!("/v1/guests/{guest}/ipv6/policers", "policers",
    Kind::Policer, Item::Policer, Key::Policer;
    get_policers view::PolicerView, schema::PolicerEntry;
    add_policers replace_policers delete_policers schema::Policer, schema::PolicerName);
resource!("/v1/guests/{guest}/ipv6/classes", "rules of the classifier",
    Kind::Class, Item::Class, Key::Class;
    get_classes view::ClassView, schema::ClassEntry;
    add_classes replace_classes delete_classes schema::Class, schema::RuleName);
resource!("/v1/guests/{guest}/ipv6/filters", "filter rules",
    Kind::Filter, Item::Filter, Key::Filter;
    get_filters view::FilterView, schema::FilterEntry;
    add_filters replace_filters delete_filters schema::Filter, schema::RuleName);
resource!("/v1/guests/{guest}/ipv6/tables", "prefixes of tables",
    Item::Table, Key::Table;
    add_prefixes replace_prefixes delete_prefixes schema::TablePrefix, schema::TablePrefix);

/// A list that cannot be changed.
macro_rules! listed {
    ($path:literal, $what:literal, $kind:expr; $get:ident $view:ty, $view_schema:ty) => {
        #[doc = $what]
        #[utoipa::path(get, path = $path, tag = "ipv6",
            params(("guest" = String, Path, description = "Name of the guest"), Only),
            responses(
                (status = 200, description = "All of them", body = Vec<$view_schema>),
                (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
                (status = 409, description = "The guest is not running", body = Problem),
                (status = 422, description = "No such interface or virtual network", body = Problem),
            )
        )]
        async fn $get(control: Node, Path(guest): Path<String>, query: OnlyQuery) -> Answer<Vec<$view>> {
            list(control, guest, $kind, query).await
        }
    };
}

listed!("/v1/guests/{guest}/ipv6/interfaces", "All interfaces", Kind::Interface;
    get_interfaces view::InterfaceView, schema::Interface);
listed!("/v1/guests/{guest}/ipv6/tables", "All tables of prefixes", Kind::Table;
    get_tables view::TableView, schema::Table);
listed!("/v1/guests/{guest}/ipv6/flows", "All flows that are let pass", Kind::Flow;
    get_flows view::FlowView, schema::Flow);
listed!("/v1/guests/{guest}/ipv6/counters", "The counters of the router", Kind::Counter;
    get_counters view::CounterView, schema::Counter);

/// All prefixes of a table
#[utoipa::path(get, path = "/v1/guests/{guest}/ipv6/tables/{table}", tag = "ipv6",
    params(
        ("guest" = String, Path, description = "Name of the guest"),
        ("table" = String, Path, description = "Name of the table"),
    ),
    responses(
        (status = 200, description = "All of them", body = Vec<schema::TablePrefix>),
        (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
        (status = 409, description = "The guest is not running", body = Problem),
        (status = 422, description = "No such table", body = Problem),
    )
)]
async fn get_prefixes(
    State(control): Node,
    Path((guest, table)): Path<(String, String)>,
) -> Answer<Vec<TableEntry>> {
    let entries = ask(control, move |node| {
        Router::of(node, &guest)?.list(Kind::Table, None, Some(&table))
    });
    entries.await.map(Json)
}

/// Forgets neighbours that were learned
#[utoipa::path(post, path = "/v1/guests/{guest}/ipv6/neighbours/flush", tag = "ipv6",
    params(("guest" = String, Path, description = "Name of the guest"), Only),
    responses(
        (status = 200, description = "How many", body = Flushed),
        (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
        (status = 409, description = "The guest is not running", body = Problem),
    )
)]
async fn flush_neighbours(
    control: Node,
    Path(guest): Path<String>,
    query: OnlyQuery,
) -> Answer<Flushed> {
    flush(control, guest, Kind::Neighbour, query).await
}

/// Forgets flows
#[utoipa::path(post, path = "/v1/guests/{guest}/ipv6/flows/flush", tag = "ipv6",
    params(("guest" = String, Path, description = "Name of the guest"), Only),
    responses(
        (status = 200, description = "How many", body = Flushed),
        (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
        (status = 409, description = "The guest is not running", body = Problem),
    )
)]
async fn flush_flows(
    control: Node,
    Path(guest): Path<String>,
    query: OnlyQuery,
) -> Answer<Flushed> {
    flush(control, guest, Kind::Flow, query).await
}

/// Where to a packet is.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Packet {
    /// Its destination.
    #[param(value_type = String, example = "2001:db8:9::1")]
    to: Ipv6Addr,
    /// The routing instance; the lowest virtual network carried, if left out.
    #[serde(default)]
    #[param(value_type = Option<u8>, maximum = 31, required = false)]
    vn: Option<Vn>,
}

/// The route that a packet takes
#[utoipa::path(get, path = "/v1/guests/{guest}/ipv6/route-get", tag = "ipv6",
    params(("guest" = String, Path, description = "Name of the guest"), Packet),
    responses(
        (status = 200, description = "The route, and the neighbour it leads to", body = schema::Hop),
        (status = 404, description = "No route; or no such guest, or it is no IPv6 router", body = Problem),
        (status = 409, description = "The guest is not running", body = Problem),
    )
)]
async fn get_route(
    State(control): Node,
    Path(guest): Path<String>,
    query: Result<Query<Packet>, QueryRejection>,
) -> Answer<view::Hop> {
    let Query(Packet { to, vn }) = query.map_err(bad_query)?;
    let hop = ask(control, move |node| {
        Router::of(node, &guest)?.route_get(to, vn)
    })
    .await?;
    hop.map(Json).ok_or_else(|| {
        let what = format!("there is no route to {to}");
        Refusal::new(StatusCode::NOT_FOUND, "query.to", what)
    })
}
