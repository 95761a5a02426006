//! The console: a web page next to the API of a local stack, or over a deployment, and the reads
//! that the page needs in addition to the API.
//!
//! The page uses the API for every operation, with the key that its user enters. The additional
//! reads return what the API does not expose: decisions of the cosigner, the state of the
//! exchanges, the times of jobs, counts of requests, and the verification of the audit log. They
//! require the same key and return data of its tenant only.
//! Each response is a type of this crate that names its fields. None of them contains a secret.

mod assets;
pub mod defaults;
mod error;
mod guard;
mod local;
pub mod operator;
mod reads;
mod series;

pub use error::ConsoleError;
pub use local::{ConsoleSettings, ExchangeSettings, Simulators, TenantKeys, with_console};
