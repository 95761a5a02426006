//! The HTTP contract: what callers may send, what they get back, and what a tenant may not see.

mod calls;
mod client;
mod contract;
mod errors;
mod idempotency;
mod limits;
mod list;
mod requests;
mod tenants;
