//! Hyperliquid's trading wire: actions that an agent signs for `POST /exchange`, and questions for
//! `POST /info`. Only `client` sends.

pub mod account;
pub mod action;
pub mod answer;
mod client;
pub mod history;
pub mod markets;
mod msgpack;
pub mod positions;
pub mod read;
pub mod rules;
mod sign;

pub use client::{Client, SignedAction};
pub use sign::{SignFault, signed_body};

#[cfg(test)]
mod tests;
