//! The requests that have a body. Each type reads its request, checks it, and describes its body in
//! the OpenAPI document.
//!
//! `read` checks in a fixed order: a request with several faults gets the error of the first. The body
//! is checked for unknown fields against the type's own schema. Fields that the schema ignores come
//! from the path or the query.

mod api_keys;
#[cfg(test)]
mod tests;
mod wallets;
mod webhooks;

pub use api_keys::{DeleteAgent, DeleteApiKey, RegisterApiKey, RotateApiKey};
pub use wallets::{CreateWallet, SignMessage};
pub use webhooks::{CreateWebhook, DeleteWebhook, ReplayWebhook};
