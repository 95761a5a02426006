//! Steering of accounts and keys over HTTP, for a person: `POST /_sim/key`. The real exchange has
//! no such path: an owner registers a key with a transaction that the wallet signs too.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::Exchange;
use crate::parse_address;
use crate::steer::{SHAPE, answer};

/// A key of an account, which is added with its first funds if it is missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKey {
    account: u64,
    l1_address: String,
    slot: u8,
    public_key: String,
}

pub(super) fn router(exchange: Exchange) -> Router {
    let add = |State(exchange): State<Exchange>, headers: HeaderMap, body: Bytes| async move {
        answer(&headers, true, || {
            let new: NewKey = serde_json::from_slice(&body).map_err(|_| SHAPE)?;
            exchange.add_account(new.account, parse_address(&new.l1_address).ok_or(SHAPE)?);
            let added = exchange.set_key(new.account, new.slot, &new.public_key);
            added.then(|| json!({"done": true})).ok_or(SHAPE)
        })
    };
    Router::new().route("/_sim/key", post(add)).with_state(exchange)
}
