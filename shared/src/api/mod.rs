//! The HTTP contract: identifiers, request bodies, responses, errors, and the shell around every
//! endpoint's router.

pub mod body;
pub mod cors;
pub mod credential_data;
pub mod credential_error;
pub mod cursor;
mod each_once;
pub mod error;
mod event_cursor;
pub mod exchange;
pub mod idempotency;
pub mod requests;
pub mod responses;
pub mod shell;
pub mod wallet_names;
pub mod webhooks;
