//! The common crate of HyperDEX Keys: everything that two functions need.
//!
//! It knows no route and no Lambda event: endpoints bring their routes, `lambda-entry` the event.

pub mod api;
pub mod aws;
pub mod clock;
pub mod compute;
pub mod config;
pub mod credentials;
pub mod envelope;
pub mod eth;
pub mod exchanges;
pub mod http_client;
pub mod intent;
pub mod metrics;
pub mod mpc;
pub mod process;
pub mod random;
pub mod store;
pub mod telemetry;
pub mod wallets;
pub mod webhooks;
