//! The HTTP contract: requests, responses, errors, and the middleware around every endpoint's routes.

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
pub mod requests;
pub mod responses;
pub mod tenant_keys;
pub mod trading;
mod unique_fields;
pub mod wallet_names;
pub mod webhooks;
