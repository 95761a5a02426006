//! What the service stands on: settings, clients of AWS, records in DynamoDB, envelope encryption,
//! logs and metrics.
//!
//! Both parties link this crate. It knows no wallet, no exchange's API and no route.

pub mod aws;
pub mod env;
pub mod envelope;
pub mod items;
pub mod metrics;
pub mod networks;
pub mod process;
pub mod telemetry;
pub mod tls;
