//! The JSON-RPC client of an EVM chain: account nonces, fees, broadcasts and receipts. Sources: the
//! Ethereum JSON-RPC specification and EIP-1559. Nothing here signs or decodes a transaction.

mod answer;
#[cfg(test)]
mod tests;

pub use answer::{BroadcastOutcome, Receipt};

use std::collections::BTreeMap;

use domain::clock::Clock;
use domain::eth::Address;
use platform::env::{ConfigError, Env};
use serde_json::{Value, json};
use url::Url;

use crate::exchanges::http::{Http, SendError};

/// The chains with a setting, and its name.
pub const RPC_SETTINGS: [(u64, &str); 5] = [
    (1, "EVM_RPC_URL_1"),
    (56, "EVM_RPC_URL_56"),
    (8_453, "EVM_RPC_URL_8453"),
    (42_161, "EVM_RPC_URL_42161"),
    (421_614, "EVM_RPC_URL_421614"),
];

/// Timeout of a call, in milliseconds.
const CALL_TIMEOUT_MS: u64 = 6_000;

/// Maximum size of a response, in bytes.
const MAX_BYTES: usize = 256 * 1024;

const JSON: &str = "application/json";

/// Why a chain's node gave no usable response.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The request did not arrive, or has no response.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The node refused the call.
    #[error("{method}: the node responded {code} {text}")]
    Refused {
        /// The method.
        method: &'static str,
        /// The error's code.
        code: i64,
        /// The node's text, bounded.
        text: String,
    },
    /// The response violates the protocol.
    #[error("{method}: HTTP {status}, not of the protocol")]
    Unreadable {
        /// The method.
        method: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The node serves another chain.
    #[error("the node serves chain {found}")]
    WrongChain {
        /// The node's chain.
        found: u64,
    },
}

/// The fees of a chain, in wei for each unit of gas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainFees {
    /// The base fee of the latest block.
    pub base_fee: u128,
    /// The tip that the node suggests.
    pub priority_fee: u128,
}

/// A call whose gas is estimated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GasCall {
    /// The sender.
    pub from: Address,
    /// The receiver: a token's contract, or the destination of a native transfer.
    pub to: Address,
    /// The value in wei.
    pub value: u128,
    /// The call data.
    pub data: Vec<u8>,
}

/// A client of one chain.
#[derive(Clone, Debug)]
pub struct Chain {
    id: u64,
    http: Http,
}

/// The chains that the deployment can reach, by their ids.
#[derive(Clone, Debug, Default)]
pub struct Chains(BTreeMap<u64, Chain>);

impl Chains {
    /// Makes the clients of `EVM_RPC_URL_<chainId>`.
    ///
    /// # Errors
    /// Returns an error that names the invalid variable.
    pub fn from_env(env: &Env<'_>, clock: &Clock) -> Result<Self, ConfigError> {
        let mut urls = Vec::new();
        for (id, name) in RPC_SETTINGS {
            if env.optional(name).is_some() {
                urls.push((id, env.url(name)?));
            }
        }
        Ok(Self::new(urls, clock))
    }

    /// Makes the clients of these URLs.
    #[must_use]
    pub fn new(urls: impl IntoIterator<Item = (u64, Url)>, clock: &Clock) -> Self {
        let chain = |(id, url): (u64, Url)| {
            (id, Chain { id, http: Http::new(&url, "evm", CALL_TIMEOUT_MS, clock.clone()) })
        };
        Self(urls.into_iter().map(chain).collect())
    }

    /// Returns the client of a chain, if the deployment can reach it.
    #[must_use]
    pub fn get(&self, chain_id: u64) -> Option<&Chain> {
        self.0.get(&chain_id)
    }
}

impl Chain {
    /// Checks that the node serves this chain.
    ///
    /// # Errors
    /// Fails when it serves another one, or does not state it.
    pub async fn check(&self) -> Result<(), ChainError> {
        const METHOD: &str = "eth_chainId";
        let (status, result) = self.call(METHOD, &json!([])).await?;
        let found = answer::quantity(&result).and_then(|id| u64::try_from(id).ok());
        match found {
            Some(id) if id == self.id => Ok(()),
            Some(found) => Err(ChainError::WrongChain { found }),
            None => Err(ChainError::Unreadable { method: METHOD, status }),
        }
    }

    /// Returns the next nonce of an account, with the transactions that wait.
    ///
    /// # Errors
    /// Fails when the node does not state it.
    pub async fn account_nonce(&self, account: Address) -> Result<u64, ChainError> {
        self.nonce_at(account, "pending").await
    }

    /// Returns the number of an account's transactions that are in a block.
    ///
    /// # Errors
    /// Fails when the node does not state it.
    pub async fn mined_nonce(&self, account: Address) -> Result<u64, ChainError> {
        self.nonce_at(account, "latest").await
    }

    async fn nonce_at(&self, account: Address, block: &str) -> Result<u64, ChainError> {
        const METHOD: &str = "eth_getTransactionCount";
        let params = json!([account.to_lower_hex(), block]);
        let (status, result) = self.call(METHOD, &params).await?;
        let nonce = answer::quantity(&result).and_then(|nonce| u64::try_from(nonce).ok());
        nonce.ok_or(ChainError::Unreadable { method: METHOD, status })
    }

    /// Returns the present fees.
    ///
    /// # Errors
    /// Fails when the node does not state them.
    pub async fn fees(&self) -> Result<ChainFees, ChainError> {
        const BLOCK: &str = "eth_getBlockByNumber";
        const TIP: &str = "eth_maxPriorityFeePerGas";
        let (status, block) = self.call(BLOCK, &json!(["latest", false])).await?;
        // A chain without EIP-1559 has no base fee; the tip is then the whole price.
        let base_fee = match block.get("baseFeePerGas") {
            None | Some(Value::Null) => 0,
            Some(fee) => {
                answer::quantity(fee).ok_or(ChainError::Unreadable { method: BLOCK, status })?
            }
        };
        let (status, tip) = self.call(TIP, &json!([])).await?;
        let priority_fee =
            answer::quantity(&tip).ok_or(ChainError::Unreadable { method: TIP, status })?;
        Ok(ChainFees { base_fee, priority_fee })
    }

    /// Estimates the gas of a call.
    ///
    /// # Errors
    /// Fails when the call would revert, or the node does not state the gas.
    pub async fn estimate_gas(&self, call: &GasCall) -> Result<u64, ChainError> {
        const METHOD: &str = "eth_estimateGas";
        let params = json!([{
            "from": call.from.to_lower_hex(),
            "to": call.to.to_lower_hex(),
            "value": format!("{:#x}", call.value),
            "data": format!("0x{}", hex::encode(&call.data)),
        }]);
        let (status, result) = self.call(METHOD, &params).await?;
        let gas = answer::quantity(&result).and_then(|gas| u64::try_from(gas).ok());
        gas.ok_or(ChainError::Unreadable { method: METHOD, status })
    }

    /// Broadcasts a raw transaction. The same bytes may be broadcast any number of times.
    pub async fn broadcast(&self, raw: &[u8]) -> BroadcastOutcome {
        const METHOD: &str = "eth_sendRawTransaction";
        let params = json!([format!("0x{}", hex::encode(raw))]);
        match self.call(METHOD, &params).await {
            Ok(_) => BroadcastOutcome::Accepted,
            Err(ChainError::Refused { text, .. }) => answer::broadcast_refused(text),
            Err(ChainError::Send(SendError::NotSent(_))) => BroadcastOutcome::NotSent,
            Err(error) => BroadcastOutcome::Unknown(error),
        }
    }

    /// Returns the receipt of a transaction, if it is in a block.
    ///
    /// # Errors
    /// Fails when the node does not say.
    pub async fn receipt(&self, hash: &str) -> Result<Option<Receipt>, ChainError> {
        const METHOD: &str = "eth_getTransactionReceipt";
        let (status, result) = self.call(METHOD, &json!([hash])).await?;
        answer::receipt(&result).ok_or(ChainError::Unreadable { method: METHOD, status })
    }

    async fn call(&self, method: &'static str, params: &Value) -> Result<(u16, Value), ChainError> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post_up_to("", JSON, body.to_string(), MAX_BYTES).await?;
        let result = answer::result(method, answer.status, &answer.body)?;
        Ok((answer.status, result))
    }
}
