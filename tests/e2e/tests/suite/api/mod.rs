//! Tests the HTTP contract: requests, responses and the separation of tenants.

mod accounts;
mod calls;
mod calls_of_orders;
mod client;
mod contract;
mod errors;
mod idempotency;
mod limits;
mod list;
mod orders;
mod own_keys;
mod payment_policy;
mod requests;
mod scopes;
mod tenant_keys;
mod tenants;
mod trading_policy;
