//! Tests of the store's trading records against the embedded DynamoDB and KMS, with DynamoDB's rule
//! for conflicting transactions.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper fails as the test does")]

mod keys;
mod payments;
mod policy;
mod read;
mod reserve;
mod settle;
mod table;
