//! The common crate of the endpoint functions: wallets, credentials, exchanges, webhooks, HTTP.
//!
//! It knows no route and no Lambda event: endpoints bring their routes, `lambda-entry` the event.

pub mod api;
pub mod aws;
pub mod caller;
pub mod credentials;
pub mod events;
pub mod exchanges;
pub mod http_client;
pub mod mpc;
pub mod runtime;
pub mod schema;
pub mod store;
pub mod wallets;
pub mod webhooks;
