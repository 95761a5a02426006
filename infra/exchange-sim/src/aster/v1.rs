//! The legacy API V1: an account signs a message with a nonce, and gets an API key with a secret
//! that signs its calls (HMAC). The real API has created no new keys since March 25, 2026.
//!
//! `getNonce` and `createApiKey` belong to the spot host, which has its own limit of requests.

use std::net::IpAddr;

use alloy_primitives::{Address, eip191_hash_message};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, verify};
use serde_json::{Value, json};

use super::{Exchange, Parameters, V1Key, reads, refusal::Refusal};
use crate::{lock, signature};

/// The only operation for which the API issues nonces.
const OPERATION: &str = "CREATE_API_KEY";

const LONGEST_DESC: usize = 20;

/// Parameters of `getNonce`. `createApiKey` has more.
const ASKED: [&str; 6] =
    ["address", "userOperationType", "network", "recvWindow", "timestamp", "signature"];

const CREATED: [&str; 3] = ["userSignature", "desc", "apikeyIP"];

const READ: [&str; 3] = ["recvWindow", "timestamp", "signature"];

impl Exchange {
    /// Returns an account's keys of the API V1.
    #[must_use]
    pub fn v1_keys_of(&self, account: Address) -> Vec<V1Key> {
        lock(&self.0.keys).of(account)
    }

    /// Adds a key of the API V1, as if the account's owner had done so elsewhere. Returns whether
    /// `desc` and key were free.
    pub fn add_v1_key(
        &self,
        account: Address,
        desc: &str,
        api_key: &str,
        api_secret: &str,
    ) -> bool {
        lock(&self.0.keys).add(account, desc, api_key, api_secret)
    }

    /// Removes a key of the API V1, as if the account's owner had done so elsewhere. Returns
    /// whether the key existed.
    pub fn remove_v1_key(&self, account: Address, api_key: &str) -> bool {
        lock(&self.0.keys).remove(account, api_key)
    }

    /// Sets the next nonce of the API V1, which is otherwise random.
    pub fn set_next_v1_nonce(&self, nonce: u64) {
        lock(&self.0.keys).set_next_nonce(nonce);
    }
}

/// Returns the message that an account signs to get a key.
#[must_use]
pub fn login_message(nonce: u64) -> String {
    format!("You are signing into Astherus {nonce}")
}

/// `POST /api/v1/getNonce`: returns a number. The next nonce replaces it, because `createApiKey`
/// names only the account.
pub(super) fn get_nonce(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    let account = account(exchange, parameters, &[&ASKED])?;
    // The documents list no timestamp here, but Aster's own demo sends one.
    if parameters.get("timestamp").is_some() {
        in_time(parameters)?;
    }
    may_call(exchange, parameters)?;
    Ok(json!(lock(&exchange.0.keys).issue_nonce(account, parameters.now())?))
}

/// `POST /api/v1/createApiKey`: returns a key and its secret, once.
pub(super) fn create_api_key(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let account = account(exchange, parameters, &[&ASKED, &CREATED])?;
    let desc = parameters.text("desc")?;
    if desc.chars().count() > LONGEST_DESC {
        return Err(Refusal::Invalid("desc"));
    }
    let ip_whitelist = parameters.get("apikeyIP").unwrap_or_default();
    let is_ip = |text: &str| text.parse::<IpAddr>().is_ok();
    if !ip_whitelist.is_empty() && !ip_whitelist.split(',').all(is_ip) {
        return Err(Refusal::Invalid("apikeyIP"));
    }
    let signature = signature::from_hex(parameters.text("userSignature")?);
    in_time(parameters)?;
    may_call(exchange, parameters)?;
    let mut keys = lock(&exchange.0.keys);
    // Use the nonce even if the request fails: a client must not rely on the opposite.
    let nonce = keys.spend_nonce(account, parameters.now())?;
    let digest = eip191_hash_message(login_message(nonce));
    let signer = signature.and_then(|signature| signature::recover(&digest, &signature));
    if signer != Some(account) {
        return Err(Refusal::Signature);
    }
    let key = keys.create(account, desc, ip_whitelist)?;
    Ok(json!({"apiKey": key.api_key, "apiSecret": key.api_secret.expose()}))
}

/// `GET /fapi/v2/balance`: proves that a key can authenticate. Every balance is empty. The rule on
/// deposits applies only to the API V3.
pub(super) fn balance(exchange: &Exchange, parameters: &Parameters) -> Result<Value, Refusal> {
    only(parameters, &[&READ])?;
    in_time(parameters)?;
    authenticate(exchange, parameters)?;
    Ok(reads::empty_balance())
}

/// Returns the account of a request for a key.
fn account(
    exchange: &Exchange,
    parameters: &Parameters,
    known: &[&[&str]],
) -> Result<Address, Refusal> {
    if exchange.rules().v1_closed {
        return Err(Refusal::V1Closed);
    }
    only(parameters, known)?;
    let account = parameters.address("address")?;
    if parameters.text("userOperationType")? != OPERATION {
        return Err(Refusal::Invalid("userOperationType"));
    }
    // The parameter names Solana's network, whose keys are not simulated. It is undocumented what a
    // value means for other networks, so the simulator refuses it.
    if parameters.get("network").is_some() {
        return Err(Refusal::Invalid("network"));
    }
    Ok(account)
}

fn only(parameters: &Parameters, known: &[&[&str]]) -> Result<(), Refusal> {
    let is_known = |name: &str| known.iter().any(|names| names.contains(&name));
    let unknown = parameters.pairs().find(|(name, _)| !is_known(name));
    unknown.map_or(Ok(()), |(name, _)| Err(Refusal::TooMany(name.to_owned())))
}

/// Checks that the timestamp is not older than `recvWindow` and less than a second ahead.
fn in_time(parameters: &Parameters) -> Result<(), Refusal> {
    let timestamp = parameters.number("timestamp")?;
    let window = match parameters.get("recvWindow") {
        None => 5_000,
        Some(_) => parameters.number("recvWindow")?,
    };
    if window > 60_000 {
        return Err(Refusal::Invalid("recvWindow"));
    }
    let now = parameters.now();
    let recent = timestamp < now + 1_000 && now.saturating_sub(timestamp) <= window;
    if recent { Ok(()) } else { Err(Refusal::Timestamp) }
}

/// Checks the optional signature of a request for a key. The documents require none. Aster's own
/// demo signs with another account's key; such a signature must be valid.
fn may_call(exchange: &Exchange, parameters: &Parameters) -> Result<(), Refusal> {
    if parameters.api_key().is_some() || parameters.get("signature").is_some() {
        authenticate(exchange, parameters)?;
    }
    Ok(())
}

/// Returns the account whose key signed the request.
fn authenticate(exchange: &Exchange, parameters: &Parameters) -> Result<Address, Refusal> {
    let api_key = parameters.api_key().ok_or(Refusal::ApiKeyFormat)?;
    let signature = parameters.text("signature")?;
    let keys = lock(&exchange.0.keys);
    let (account, key) = keys.find(api_key).ok_or(Refusal::ApiKey)?;
    // The letter case is irrelevant here.
    let tag = hex::decode(signature).ok().zip(parameters.text_as_sent());
    let secret = Key::new(HMAC_SHA256, key.api_secret.expose().as_bytes());
    let right = tag.is_some_and(|(tag, text)| verify(&secret, text.as_bytes(), &tag).is_ok());
    if right { Ok(account) } else { Err(Refusal::Hmac) }
}
