//! Tests attackers that probe the bits of the other party's correlation, and the gate that stops
//! them.

mod cosigner;
mod crashes;
mod endpoint;
mod gate;
mod retired_shares;

use e2e::proxy::{Arrival, Fate};
use exchange_sim::faults::Fault;
use serde_json::Value;

/// The bound for the life of a share version, in bits.
const MAX_BITS: f64 = 20.0;

const PARTY: &str = env!("CARGO_BIN_EXE_party");

/// Returns the number of rows to probe. `LEAK_ROWS=256` probes all.
fn rows() -> usize {
    let rows = std::env::var("LEAK_ROWS").ok().and_then(|rows| rows.parse().ok());
    rows.unwrap_or(48)
}

/// Returns true if the call is an update that sets this attribute.
fn sets(arrival: Arrival<'_>, attribute: &str) -> bool {
    let body: Value = serde_json::from_slice(arrival.body).unwrap_or_default();
    arrival.name.ends_with("DynamoDB.UpdateItem")
        && body["UpdateExpression"].as_str().is_some_and(|text| text.contains(attribute))
}

/// A refusal by DynamoDB that the SDK does not retry.
fn refused() -> Fate {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#AccessDeniedException"}"#;
    Fate::Fail(Fault::Status(400, body.to_owned()))
}
