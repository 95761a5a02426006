//! The HTTP contract: requests, responses, errors, and the middleware around every endpoint's routes.

use futures_util::future::BoxFuture;

pub mod access;
pub mod body;
pub mod cors;
pub mod credential_data;
pub mod credential_error;
pub mod cursor;
pub mod error;
mod event_cursor;
pub mod exchange;
pub mod idempotency;
mod layer;
pub mod middleware;
pub mod money;
pub mod policy_chain;
pub mod requests;
pub mod responses;
pub mod tenant_keys;
pub mod trading;
mod unique_fields;
pub mod wallet_names;
pub mod webhooks;

/// The future of a handler. It is boxed, as the futures of the other operations that functions call, so that its code
/// is compiled once in this crate. The code of an unboxed future is compiled again in each function crate that polls
/// it: docs/decisions/0038-build-profile.md.
pub type Handled<T> = BoxFuture<'static, Result<T, error::ApiError>>;
