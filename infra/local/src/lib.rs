//! The local stack: the whole service on loopback.
//!
//! What stands in for the cloud speaks the cloud's own protocols, so that the functions only ever
//! see AWS SDK clients: DynamoDB (embedded, SQLite), KMS, Lambda's Invoke API. The exchanges are
//! simulators that verify every signature, or the real ones. The cosigner runs in a process of its
//! own: here too, no process ever holds both shares of a key.

pub mod audit;
pub mod bench;
mod clients;
mod cloud;
mod console;
pub mod control;
pub mod cosigner;
pub mod data;
pub mod demo;
mod dynamodb;
pub mod engines;
mod error;
mod exchanges;
mod files;
mod gateway;
mod health;
mod hosts;
pub mod jobs;
pub mod keys;
mod kms;
mod limits;
pub mod load;
mod proof;
mod queue;
mod routes;
mod serve;
mod sim_state;
mod stack;
mod transactions;
pub mod wallets;
mod webhooks;

pub use clients::ClientBounds;
pub use console::operator;
pub use cosigner::CosignerHost;
pub use error::StartError;
pub use exchanges::{AsterTarget, HyperliquidTarget};
pub use health::MIN_FREE;
pub use hosts::{AllowedHost, AllowedHostError};
pub use limits::Limits;
pub use routes::{Endpoints, routes};
pub use serve::Port;
pub use stack::{
    AUDIT_KEY, COSIGNER_KEY, COSIGNER_TABLE, Options, Ports, Stack, WALLETS_KEY, WALLETS_TABLE,
};
pub use webhooks::{Pump, PumpError};
