//! Resources, each listed once: for the router that answers, and for the document that describes them.
//!
//! To put the document together takes more memory than all else that the API does, and it is the same each time. So it is put
//! together where it is checked (in tests), lies in `docs/openapi.json`, and is served from there.
//! Must never list a resource for the one and not for the other.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use utoipa::openapi::HttpMethod;
use utoipa_axum::PathItemExt as _;
#[cfg(test)]
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::routes::Shared;

/// Resources of a part of the API.
#[derive(Default)]
pub(super) struct Listing {
    router: Router<Shared>,
    #[cfg(test)]
    document: OpenApiRouter<Shared>,
}

/// A resource: all that may be done with one path. Made by [`routes!`].
pub(super) struct Resource {
    pub(super) router: Router<Shared>,
    #[cfg(test)]
    pub(super) document: UtoipaMethodRouter<Shared>,
}

/// One resource from the handlers of its methods, which carry `#[utoipa::path]`.
macro_rules! routes {
    ($($handler:ident),+ $(,)?) => {{
        use utoipa::Path as _;
        let router = axum::Router::new();
        $(let router = utoipa_axum::paste! {
            $crate::api::listing::answer(
                router,
                &[<__path_ $handler>]::path(),
                &[<__path_ $handler>]::methods(),
                $handler,
            )
        };)+
        $crate::api::listing::Resource {
            router,
            #[cfg(test)]
            document: utoipa_axum::routes!($($handler),+),
        }
    }};
}
pub(super) use routes;

/// `router` with `handler` for these methods of `path`.
pub(super) fn answer<H, T>(
    router: Router<Shared>,
    path: &str,
    methods: &[HttpMethod],
    handler: H,
) -> Router<Shared>
where
    H: Handler<T, Shared>,
    T: 'static,
{
    let filters = methods.iter().map(HttpMethod::to_method_filter);
    match filters.reduce(MethodFilter::or) {
        Some(filter) => router.route(path, on(filter, handler)),
        None => router,
    }
}

impl Listing {
    /// With one resource more.
    pub(super) fn routes(self, resource: Resource) -> Self {
        Self {
            router: self.router.merge(resource.router),
            #[cfg(test)]
            document: self.document.routes(resource.document),
        }
    }

    /// With those of another part.
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            router: self.router.merge(other.router),
            #[cfg(test)]
            document: self.document.merge(other.document),
        }
    }

    /// Bodies of requests to these resources have at most so many octets.
    pub(super) fn bodies_at_most(mut self, octets: usize) -> Self {
        self.router = self.router.layer(DefaultBodyLimit::max(octets));
        self
    }

    /// What answers.
    pub(super) fn into_router(self) -> Router<Shared> {
        self.router
    }

    /// What describes it, under the head of `document`.
    #[cfg(test)]
    pub(super) fn into_document(
        self,
        document: utoipa::openapi::OpenApi,
    ) -> utoipa::openapi::OpenApi {
        OpenApiRouter::with_openapi(document)
            .merge(self.document)
            .into_openapi()
    }
}
