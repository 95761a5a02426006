//! The console: a web page next to the API of a local stack, or over a deployment, and the few reads
//! that it needs beyond the API.
//!
//! The page uses the API for every operation, with the key that its user has typed in. The reads
//! give what the API does not tell (decisions of the cosigner, the exchanges' state, when a job
//! works on what), by the same key and for its tenant alone. Each response is a type of this crate
//! that names its fields; none of them is a secret.

mod assets;
pub mod defaults;
mod error;
mod guard;
mod local;
pub mod operator;
mod reads;

pub use error::ConsoleError;
pub use local::{ConsoleSettings, ExchangeSettings, Simulators, TenantKeys, with_console};
