//! What the service is about: identifiers, Ethereum types, what may be signed, time, randomness.
//!
//! Both parties link this crate. It calls no network and knows no table, no HTTP and no AWS.

pub mod clock;
pub mod compute;
pub mod eth;
pub mod ids;
pub mod intent;
pub mod random;
pub mod time;
