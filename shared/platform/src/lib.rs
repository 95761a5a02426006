//! The service's platform: settings, AWS clients, records in DynamoDB, envelope encryption, logs
//! and metrics.
//!
//! Both parties link this crate. It contains nothing about wallets, exchanges' APIs or routes.

pub mod aws;
pub mod env;
pub mod envelope;
pub mod items;
pub mod metrics;
pub mod networks;
pub mod process;
pub mod recovery;
pub mod telemetry;
pub mod tls;
