//! Keys, a clock, and a client for each exchange.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{Address, B256};
use axum::{
    Router,
    body::{Body, to_bytes},
};
use exchange_sim::Now;
use http::{HeaderMap, Request, StatusCode};
use k256::ecdsa::SigningKey;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) mod aster;
pub(crate) mod chain;
pub(crate) mod hyperliquid;
pub(crate) mod lighter;

/// Start time of the tests, in milliseconds. The vectors' nonces are of this time.
pub(crate) const START: u64 = 1_790_000_000_000;

pub(crate) const DAY_MS: u64 = 86_400_000;

/// A key pair.
#[derive(Clone)]
pub(crate) struct Wallet(SigningKey);

impl Wallet {
    /// Returns a different key for each number.
    pub(crate) fn number(number: u8) -> Self {
        Self(SigningKey::from_slice(&[number; 32]).unwrap())
    }

    pub(crate) fn from_hex(key: &str) -> Self {
        Self(SigningKey::from_slice(&hex::decode(&key[2..]).unwrap()).unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        Address::from_public_key(self.0.verifying_key())
    }

    /// Signs a digest, and returns `r`, `s` and `v` (65 bytes).
    pub(crate) fn sign(&self, digest: B256) -> [u8; 65] {
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest.as_slice()).unwrap();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        bytes
    }
}

/// A clock that tests advance.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn at(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn reader(&self) -> Now {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Sends a request with an optional body of a content type.
pub(crate) async fn send(
    router: Router,
    method: &str,
    uri: &str,
    content: Option<(&str, String)>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some((kind, _)) = &content {
        request = request.header("content-type", *kind);
    }
    let body = content.map_or_else(Body::empty, |(_, body)| Body::from(body));
    let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.into()).unwrap(),
    }
}

/// Returns the signing vectors of one file.
pub(crate) fn vectors(file: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/tests/vectors/");
    let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Checks a digest and its signature against a vector: typed data, key and recovered address.
pub(crate) fn check_vector(vector: &Value, digest: B256) {
    let name = &vector["name"];
    let typed: alloy_dyn_abi::TypedData =
        serde_json::from_value(vector["typed_data"].clone()).unwrap();
    assert_eq!(digest, typed.eip712_signing_hash().unwrap(), "{name}");
    assert_eq!(digest.to_string(), vector["hashes"]["digest"], "{name}");
    check_signature(&vector["signature"], digest, text(&vector["address"]).parse().unwrap());
    if let Some(key) = vector["private_key"].as_str() {
        let signature = format!("0x{}", hex::encode(Wallet::from_hex(key).sign(digest)));
        assert_eq!(signature, vector["signature"]["hex"], "{name}");
    }
}

/// Checks that a vector's signature parses in both forms and recovers to its address.
pub(crate) fn check_signature(signature: &Value, digest: B256, address: Address) {
    let (r, s, v) = (&signature["r"], &signature["s"], &signature["v"]);
    let parts = exchange_sim::signature::from_parts(text(r), text(s), v.as_u64().unwrap()).unwrap();
    let whole = exchange_sim::signature::from_hex(text(&signature["hex"])).unwrap();
    assert_eq!(parts, whole);
    assert_eq!(exchange_sim::signature::recover(&digest, &whole), Some(address));
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
