//! A client of the simulated chains, with an encoder of its own.

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Encodable, Header};
use exchange_sim::chain::Chains;
use serde_json::{Value, json};

use super::{Answer, Wallet, send};

/// A transaction to sign.
#[derive(Clone)]
pub(crate) struct Unsigned {
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    pub(crate) gas: u64,
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
    pub(crate) to: Address,
    pub(crate) value: u128,
    pub(crate) data: Vec<u8>,
}

impl Unsigned {
    /// Returns a transfer of coins that pays enough.
    pub(crate) fn to(chain_id: u64, to: Address) -> Self {
        let (max_fee, tip) = (5_000_000_000, 100_000_000);
        Self { chain_id, nonce: 0, gas: 300_000, max_fee, tip, to, value: 0, data: Vec::new() }
    }

    /// Returns the signed transaction of type 2.
    pub(crate) fn sign(&self, wallet: &Wallet) -> Vec<u8> {
        let mut fields = Vec::new();
        self.chain_id.encode(&mut fields);
        self.nonce.encode(&mut fields);
        self.tip.encode(&mut fields);
        self.max_fee.encode(&mut fields);
        self.gas.encode(&mut fields);
        self.to.as_slice().encode(&mut fields);
        self.value.encode(&mut fields);
        self.data.as_slice().encode(&mut fields);
        fields.push(0xc0);
        let signature = wallet.sign(keccak256([vec![2], list(&fields)].concat()));
        append(&mut fields, u64::from(signature[64] - 27), signature);
        [vec![2], list(&fields)].concat()
    }

    /// Returns the signed legacy transaction. The price is the highest fee.
    pub(crate) fn sign_legacy(&self, wallet: &Wallet) -> Vec<u8> {
        let mut fields = Vec::new();
        self.nonce.encode(&mut fields);
        self.max_fee.encode(&mut fields);
        self.gas.encode(&mut fields);
        self.to.as_slice().encode(&mut fields);
        self.value.encode(&mut fields);
        self.data.as_slice().encode(&mut fields);
        let mut signed = fields.clone();
        self.chain_id.encode(&mut signed);
        0_u64.encode(&mut signed);
        0_u64.encode(&mut signed);
        let signature = wallet.sign(keccak256(list(&signed)));
        append(&mut fields, 35 + 2 * self.chain_id + u64::from(signature[64] - 27), signature);
        list(&fields)
    }
}

fn append(fields: &mut Vec<u8>, v: u64, signature: [u8; 65]) {
    v.encode(fields);
    for part in [&signature[..32], &signature[32..64]] {
        let digits: Vec<u8> = part.iter().copied().skip_while(|digit| *digit == 0).collect();
        digits.as_slice().encode(fields);
    }
}

fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend(payload);
    out
}

/// Returns the call of a function with words.
pub(crate) fn call(signature: &str, words: &[U256]) -> Vec<u8> {
    let mut data = keccak256(signature)[..4].to_vec();
    for word in words {
        data.extend(word.to_be_bytes::<32>());
    }
    data
}

/// Returns an address as a word.
pub(crate) fn word(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

/// Sends a request to a node.
pub(crate) async fn ask(chains: &Chains, chain_id: u64, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let content = Some(("application/json", body.to_string()));
    let answer: Answer = send(chains.router(), "POST", &format!("/{chain_id}"), content).await;
    let answer = answer.json();
    assert_eq!(answer["id"], 7);
    answer
}

/// Sends a raw transaction. Returns its hash, or the error's text.
pub(crate) async fn submit(chains: &Chains, chain_id: u64, raw: &[u8]) -> Result<B256, String> {
    let params = json!([format!("0x{}", hex::encode(raw))]);
    let answer = ask(chains, chain_id, "eth_sendRawTransaction", params).await;
    match answer["result"].as_str() {
        Some(hash) => Ok(hash.parse().unwrap()),
        None => Err(answer["error"]["message"].as_str().unwrap().to_owned()),
    }
}

/// Returns the status of a transaction's receipt; `None` while it waits.
pub(crate) async fn status(chains: &Chains, chain_id: u64, hash: B256) -> Option<bool> {
    let answer = ask(chains, chain_id, "eth_getTransactionReceipt", json!([hash])).await;
    answer["result"]["status"].as_str().map(|status| status == "0x1")
}
