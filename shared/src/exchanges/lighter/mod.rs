//! Lighter, whose trading keys callers bring: no wallet is registered there.

pub mod config;
pub mod credential;
pub mod profile;
pub mod trade;

pub use config::LighterConfig;
pub use credential::{Credential, CredentialFault};
pub use profile::PROFILE;
