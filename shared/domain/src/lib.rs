//! The service's domain: identifiers, Ethereum types, intents, payment policies, time and randomness.
//!
//! Both parties link this crate. It has no access to the network, tables, HTTP or AWS.

pub mod builder;
pub mod clock;
pub mod compute;
pub mod eth;
pub mod ids;
pub mod intent;
pub mod money;
pub mod policy;
pub mod random;
pub mod recovery;
pub mod time;
