//! The common crate of the endpoint functions: wallets, credentials, exchanges, webhooks, HTTP.
//!
//! It contains no routes and no Lambda events: endpoints add their routes, and `lambda-entry` the
//! events.

pub mod access;
pub mod api;
pub mod caller;
pub mod credentials;
pub mod events;
pub mod evm;
pub mod exchanges;
pub mod http_client;
pub mod key_admin;
pub mod money;
pub mod orders;
pub mod policy_chain;
pub mod runtime;
pub mod schema;
pub mod store;
pub mod tenancy;
pub mod trading;
mod turns;
pub mod wallets;
pub mod webhooks;

pub use party::{aws, mpc};
