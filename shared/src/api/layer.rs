//! Layers made of middleware functions.

use axum::extract::{Request, State};
use axum::middleware::{FromFn, Next, from_fn_with_state};
use axum::response::Response;
use futures_util::future::BoxFuture;
use tower::Layer;

/// A function that runs around each request to the routes of the layer `L`.
pub(super) type Middleware<L> = fn(State<L>, Request, Next) -> BoxFuture<'static, Response>;

/// The service that the layer `L` makes of the service `S`.
pub(super) type Layered<L, S> = FromFn<Middleware<L>, L, S, (State<L>, Request)>;

/// Runs a layer's function around each request to this service.
pub(super) fn layered<L: Clone, S>(layer: &L, run: Middleware<L>, inner: S) -> Layered<L, S> {
    from_fn_with_state(layer.clone(), run).layer(inner)
}
