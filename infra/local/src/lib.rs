//! The local stack: the whole service on loopback.
//!
//! `hyperdex-cloud` replaces AWS. The exchanges are simulators that verify every signature, or
//! real ones. The cosigner runs in a separate process, so no process ever holds both shares of a
//! key.

pub mod admin;
mod apikeys;
pub mod approver;
mod cloud;
pub mod commands;
mod console;
pub mod control;
mod cosigner_policy;
pub mod data;
pub mod demo;
mod endpoints;
mod error;
pub mod exchanges;
mod gateway;
mod health;
mod identity;
pub mod jobs;
mod keyring;
pub mod keys;
mod limits;
mod options;
mod payments;
pub mod proof;
pub mod recoverer;
mod routes;
mod sim_state;
mod stack;
mod trading;
mod webhooks;
mod workers;

pub use cloud::HEADS;
pub use data::MIN_FREE;
pub use endpoints::Endpoints;
pub use error::{Damaged, StartError};
pub use exchanges::{AsterTarget, HyperliquidTarget, LighterTarget};
pub use hyperdex_cloud::engines::Engines;
pub use hyperdex_cloud::names::{
    AUDIT_KEY, COSIGNER_KEY, COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, RECOVERY_TABLE, SEALS_TABLE,
    WALLETS_KEY, WALLETS_TABLE,
};
pub use hyperdex_listen::{AllowedHost, AllowedHostError, ClientBounds, Port};
pub use identity::Fault;
pub use limits::Limits;
pub use options::{CosignerHost, Options, PAYMENT_DELAY_S, Ports, RecoveryOptions};
pub use routes::routes;
pub use stack::Stack;
pub use trading::Traders;
pub use webhooks::{Pump, PumpError};
pub use workers::{STACK_BYTES, workers, yield_to_others};
