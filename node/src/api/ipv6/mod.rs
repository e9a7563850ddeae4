//! What there is under `/v1/guests/{guest}/ipv6`: what routers of PI IPv6 QoS are told and asked at run time.
//!
//! ```text
//! schema   how items and lists look, for the OpenAPI document
//! body     what becomes of changes
//! pages    lists, which may be long
//! counters counters for Prometheus
//! ```

mod body;
pub(super) mod counters;
mod pages;
mod schema;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::control::item::{Item, TableEntry};
use pinode_guest_ipv6qos::control::request::{Kind, Op};
use pinode_guest_ipv6qos::control::view;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::Ipv6Addr;
use utoipa::{IntoParams, ToSchema};

use super::items;
use super::listing::{Listing, routes};
use super::problem::{Problem, Refusal};
use super::routes::{Answer, Node, ask, bad_query};
use crate::ipv6::Key;
use crate::ipv6::Router;
use pages::Asked;

pub(super) fn listing() -> Listing {
    kinds()
        .routes(routes!(get_route))
        .routes(routes!(flush_neighbours))
        .routes(routes!(get_prefixes))
        .routes(routes!(flush_flows))
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

async fn list<V>(
    control: Node,
    guest: String,
    what: Kind,
    query: OnlyQuery,
) -> Result<Response, Refusal>
where
    V: DeserializeOwned + Serialize + Send + 'static,
{
    let Query(Only { vn, dev: of }) = query.map_err(bad_query)?;
    let asked = Asked {
        guest,
        what,
        vn,
        of,
    };
    pages::listed::<V>(control.0, asked).await
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
    let items: Vec<Item> = items::read(&body, body::ITEMS_MOST)?
        .into_iter()
        .map(item)
        .collect();
    let State(control) = control;
    let changed = ask(control, move |node| {
        let router = Router::of(node, &guest)?;
        Ok(body::change(&router, op, &items))
    });
    changed.await?.map(Json)
}

/// The handlers of what there are many of, and [`kinds`], which lists them: how a list is got, and how its items are
/// added, replaced and deleted.
macro_rules! kinds {
    ($(
        $path:literal
            $(list $list_what:literal: $get:ident $kind:expr, $view:ty, $view_schema:ty;)?
            $(change $what:literal: $add:ident $replace:ident $delete:ident
                $item:expr, $item_schema:ty; $key:expr, $key_schema:ty;)?
    )*) => {
        fn kinds() -> Listing {
            Listing::default()
                $(.routes(routes!($($get,)? $($add, $replace, $delete,)?)))*
        }
        $(
            $(listed!($path, $list_what, $get, $kind, $view, $view_schema);)?
            $(changed!($path, $what, $add, $replace, $delete, $item, $item_schema, $key, $key_schema);)?
        )*
    };
}

/// The handler of a list.
macro_rules! listed {
    ($path:literal, $what:literal, $get:ident, $kind:expr, $view:ty, $view_schema:ty) => {
        #[utoipa::path(get, path = $path, tag = "ipv6", summary = concat!("All ", $what),
            params(("guest" = String, Path, description = "Name of the guest"), Only),
            responses(
                (status = 200, description = "All of them", body = Vec<$view_schema>),
                (status = 404, description = "No such guest, or it is no IPv6 router", body = Problem),
                (status = 409, description = "The guest is not running", body = Problem),
                (status = 422, description = "No such interface or virtual network", body = Problem),
            )
        )]
        async fn $get(control: Node, Path(guest): Path<String>, query: OnlyQuery) -> Result<Response, Refusal> {
            list::<$view>(control, guest, $kind, query).await
        }
    };
}

/// The handlers of changes.
macro_rules! changed {
    ($path:literal, $what:literal, $add:ident, $replace:ident, $delete:ident,
     $item:expr, $item_schema:ty, $key:expr, $key_schema:ty) => {
        #[utoipa::path(post, path = $path, tag = "ipv6", summary = concat!("Adds ", $what),
            description = "One after the other; the first that cannot be added ends it, those before it stay. The body may be a single item.",
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

        #[utoipa::path(put, path = $path, tag = "ipv6", summary = concat!("Adds or replaces ", $what),
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

        #[utoipa::path(delete, path = $path, tag = "ipv6", summary = concat!("Deletes ", $what),
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

kinds! {
    "/v1/guests/{guest}/ipv6/interfaces"
        list "interfaces": get_interfaces Kind::Interface, view::InterfaceView, schema::Interface;
    "/v1/guests/{guest}/ipv6/addresses"
        list "addresses of interfaces": get_addresses Kind::Address, view::AddressView, schema::AddressEntry;
        change "addresses of interfaces": add_addresses replace_addresses delete_addresses
            Item::Address, schema::Address; Key::Address, schema::AddressName;
    "/v1/guests/{guest}/ipv6/routes"
        list "routes": get_routes Kind::Route, view::RouteView, schema::RouteEntry;
        change "routes": add_routes replace_routes delete_routes
            Item::Route, schema::Route; Key::Route, schema::RouteName;
    "/v1/guests/{guest}/ipv6/neighbours"
        list "neighbours": get_neighbours Kind::Neighbour, view::NeighbourView, schema::NeighbourEntry;
        change "static neighbours": add_neighbours replace_neighbours delete_neighbours
            Item::Neighbour, schema::Neighbour; Key::Neighbour, schema::NeighbourName;
    "/v1/guests/{guest}/ipv6/tables"
        list "tables of prefixes": get_tables Kind::Table, view::TableView, schema::Table;
        change "prefixes of tables": add_prefixes replace_prefixes delete_prefixes
            Item::Table, schema::TablePrefix; Key::Table, schema::TablePrefix;
    "/v1/guests/{guest}/ipv6/policers"
        list "policers": get_policers Kind::Policer, view::PolicerView, schema::PolicerEntry;
        change "policers": add_policers replace_policers delete_policers
            Item::Policer, schema::Policer; Key::Policer, schema::PolicerName;
    "/v1/guests/{guest}/ipv6/classes"
        list "rules of the classifier": get_classes Kind::Class, view::ClassView, schema::ClassEntry;
        change "rules of the classifier": add_classes replace_classes delete_classes
            Item::Class, schema::Class; Key::Class, schema::RuleName;
    "/v1/guests/{guest}/ipv6/filters"
        list "filter rules": get_filters Kind::Filter, view::FilterView, schema::FilterEntry;
        change "filter rules": add_filters replace_filters delete_filters
            Item::Filter, schema::Filter; Key::Filter, schema::RuleName;
    "/v1/guests/{guest}/ipv6/flows"
        list "flows that are let pass": get_flows Kind::Flow, view::FlowView, schema::Flow;
    "/v1/guests/{guest}/ipv6/counters"
        list "counters of the router": get_counters Kind::Counter, view::CounterView, schema::Counter;
}

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
) -> Result<Response, Refusal> {
    let asked = Asked {
        guest,
        what: Kind::Table,
        vn: None,
        of: Some(table),
    };
    pages::listed::<TableEntry>(control, asked).await
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
