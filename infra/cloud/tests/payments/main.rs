//! Tests of payments at the cosigner, from the position of an endpoint function with all rights: it
//! has party 1's share and may make every call. DynamoDB and KMS are the embedded ones, with
//! DynamoDB's rule for conflicting transactions.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper fails as the test does")]

mod audit;
mod content;
mod counted;
mod limits;
mod nonces;
mod orders;
mod replay;
mod reports;
mod stack;
