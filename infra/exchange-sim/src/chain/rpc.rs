//! The methods of a node.

use std::fmt::LowerHex;

use alloy_primitives::{Address, B256, Bytes, U256};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::contracts::Message;
use super::spec::{Asset, Spec};
use super::state::{ChainState, NodeError, Sent, block_hash, block_time};
use super::transaction::decode;
use super::{Chains, lock};
use crate::edge::Reply;

/// The methods that a node has, for the record of requests and for faults.
const METHODS: [&str; 14] = [
    "eth_chainId",
    "net_version",
    "eth_blockNumber",
    "eth_getTransactionCount",
    "eth_getBalance",
    "eth_getCode",
    "eth_call",
    "eth_estimateGas",
    "eth_gasPrice",
    "eth_maxPriorityFeePerGas",
    "eth_feeHistory",
    "eth_getBlockByNumber",
    "eth_sendRawTransaction",
    "eth_getTransactionByHash",
];

const RECEIPT: &str = "eth_getTransactionReceipt";

/// Returns the method of a request.
pub(super) fn kind(body: &Value) -> &'static str {
    match body["method"].as_str() {
        Some(RECEIPT) => RECEIPT,
        method => {
            METHODS.iter().find(|known| method == Some(known)).copied().unwrap_or("malformed")
        }
    }
}

/// An error of JSON-RPC: its code and text.
struct Failed(i32, String);

impl From<NodeError> for Failed {
    fn from(error: NodeError) -> Self {
        let code = if matches!(error, NodeError::Reverted(_)) { 3 } else { -32_000 };
        Self(code, error.to_string())
    }
}

fn malformed(what: &str) -> Failed {
    Failed(-32_602, format!("invalid argument: {what}"))
}

/// Returns the response to a request.
pub(super) fn answer(chains: &Chains, spec: &'static Spec, body: &Value) -> Reply {
    let result = if body["jsonrpc"] == "2.0" && body["params"].is_array() {
        execute(chains, spec, kind(body), &body["params"])
    } else {
        Err(Failed(-32_600, "invalid request".to_owned()))
    };
    let id = &body["id"];
    match result {
        Ok(value) => {
            Reply::json(true, StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": value}))
        }
        Err(Failed(code, message)) => {
            let error = json!({"code": code, "message": message});
            Reply::json(false, StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "error": error}))
        }
    }
}

/// Returns a number in the form of JSON-RPC.
fn hex(number: impl LowerHex) -> Value {
    json!(format!("{number:#x}"))
}

fn read<T: for<'de> Deserialize<'de>>(params: &Value, nth: usize) -> Result<T, Failed> {
    serde_json::from_value(params[nth].clone()).map_err(|_| malformed(&nth.to_string()))
}

fn execute(
    chains: &Chains,
    spec: &'static Spec,
    method: &str,
    params: &Value,
) -> Result<Value, Failed> {
    let now = (chains.0.now)();
    if method == "eth_sendRawTransaction" {
        let raw: Bytes = read(params, 0)?;
        let hash = chains.change(spec, |chain| chain.take(spec, &raw))?;
        return Ok(json!(hash.to_string()));
    }
    let mut book = lock(&chains.0.book);
    let chain = book.chains.entry(spec.id).or_default();
    let (block, base) = (chain.block(spec, now), chain.base_fee(spec));
    Ok(match method {
        "eth_chainId" => hex(spec.id),
        "net_version" => json!(spec.id.to_string()),
        "eth_blockNumber" => hex(block),
        "eth_getTransactionCount" => {
            let account: Address = read(params, 0)?;
            let is_pending = params[1] == "pending";
            hex(if is_pending { chain.pending_nonce(account) } else { chain.nonce(account) })
        }
        "eth_getBalance" => hex(chain.balance(Asset::Coin, read(params, 0)?)),
        "eth_getCode" => {
            let address: Address = read(params, 0)?;
            let is_contract = spec.token(address).is_some() || spec.role(address).is_some();
            json!(if is_contract { "0x60" } else { "0x" })
        }
        "eth_call" => json!(call(chain, spec, read(params, 0)?)?.0.to_string()),
        "eth_estimateGas" => hex(call(chain, spec, read(params, 0)?)?.1),
        "eth_gasPrice" => hex(base + spec.tip),
        "eth_maxPriorityFeePerGas" => hex(spec.tip),
        "eth_feeHistory" => {
            let count: U256 = read(params, 0)?;
            fee_history(spec, (block, base), u64::try_from(count).unwrap_or(u64::MAX).min(1_024))
        }
        "eth_getBlockByNumber" => {
            let number = match params[0].as_str() {
                Some("latest" | "pending" | "safe" | "finalized") => block,
                _ => u64::try_from(read::<U256>(params, 0)?).unwrap_or(u64::MAX),
            };
            if number > block { Value::Null } else { shown_block(spec, number, base) }
        }
        "eth_getTransactionByHash" => {
            let hash: B256 = read(params, 0)?;
            chain.transactions.get(&hash).map(|sent| shown(spec, sent)).unwrap_or_default()
        }
        RECEIPT => {
            let hash: B256 = read(params, 0)?;
            let sent = chain.transactions.get(&hash);
            sent.and_then(|sent| receipt(spec, hash, sent)).unwrap_or_default()
        }
        _ => {
            let text = "the method does not exist or is not available".to_owned();
            return Err(Failed(-32_601, text));
        }
    })
}

/// A call as in `eth_call`. Other fields have no effect.
#[derive(Deserialize)]
struct CallObject {
    from: Option<Address>,
    to: Address,
    value: Option<U256>,
    #[serde(alias = "input")]
    data: Option<Bytes>,
}

/// Executes a call on a copy of the state, and returns the result and the gas.
fn call(chain: &ChainState, spec: &Spec, call: CallObject) -> Result<(Bytes, u64), Failed> {
    let CallObject { from, to, value, data } = call;
    let (from, value, data) =
        (from.unwrap_or_default(), value.unwrap_or_default(), data.unwrap_or_default());
    let message = Message { from, to, value, data: &data, hash: B256::ZERO };
    let (effect, gas) = chain.call(spec, &message)?;
    Ok((effect.returned, gas))
}

fn fee_history(spec: &Spec, (block, base): (u64, u128), count: u64) -> Value {
    let fees: Value = (0..=count).map(|_| hex(base)).collect();
    let ratios: Value = (0..count).map(|_| json!(0.5)).collect();
    let rewards: Value = (0..count).map(|_| json!([hex(spec.tip)])).collect();
    json!({
        "oldestBlock": hex(block.saturating_sub(count.saturating_sub(1))),
        "baseFeePerGas": fees,
        "gasUsedRatio": ratios,
        "reward": rewards,
    })
}

fn shown_block(spec: &Spec, number: u64, base: u128) -> Value {
    json!({
        "number": hex(number),
        "hash": block_hash(spec.id, number).to_string(),
        "parentHash": block_hash(spec.id, number.saturating_sub(1)).to_string(),
        "timestamp": hex(block_time(spec, number)),
        "baseFeePerGas": hex(base),
        "gasLimit": hex(30_000_000_u64),
        "gasUsed": hex(0_u64),
        "transactions": [],
    })
}

fn shown(spec: &Spec, sent: &Sent) -> Value {
    let Ok(it) = decode(&sent.raw) else { return Value::Null };
    let block = sent.mined.as_ref().map(|mined| mined.block);
    let mut shown = json!({
        "hash": it.hash.to_string(),
        "type": hex(if it.is_legacy { 0_u64 } else { 2 }),
        "chainId": hex(it.chain_id),
        "nonce": hex(it.nonce),
        "from": format!("{:#x}", it.from),
        "to": format!("{:#x}", it.to),
        "value": hex(it.value),
        "gas": hex(it.gas),
        "gasPrice": hex(sent.mined.as_ref().map_or(it.max_fee, |mined| mined.gas_price)),
        "input": it.data.to_string(),
        "v": hex(it.v),
        "r": hex(it.r),
        "s": hex(it.s),
        "blockNumber": block.map(hex),
        "blockHash": block.map(|number| block_hash(spec.id, number).to_string()),
        "transactionIndex": block.map(|_| "0x0"),
    });
    if !it.is_legacy {
        shown["maxFeePerGas"] = hex(it.max_fee);
        shown["maxPriorityFeePerGas"] = hex(it.tip);
        shown["accessList"] = json!([]);
        shown["yParity"] = hex(it.v);
    }
    shown
}

fn receipt(spec: &Spec, hash: B256, sent: &Sent) -> Option<Value> {
    let (mined, it) = (sent.mined.as_ref()?, decode(&sent.raw).ok()?);
    let of_block = block_hash(spec.id, mined.block).to_string();
    let logs: Value = mined
        .logs
        .iter()
        .enumerate()
        .map(|(index, log)| {
            json!({
                "address": format!("{:#x}", log.address),
                "topics": log.topics,
                "data": log.data,
                "blockNumber": hex(mined.block),
                "blockHash": of_block,
                "transactionHash": hash.to_string(),
                "transactionIndex": "0x0",
                "logIndex": format!("{index:#x}"),
                "removed": false,
            })
        })
        .collect();
    Some(json!({
        "transactionHash": hash.to_string(),
        "transactionIndex": "0x0",
        "blockNumber": hex(mined.block),
        "blockHash": of_block,
        "from": format!("{:#x}", it.from),
        "to": format!("{:#x}", it.to),
        "contractAddress": null,
        "cumulativeGasUsed": hex(mined.gas_used),
        "gasUsed": hex(mined.gas_used),
        "effectiveGasPrice": hex(mined.gas_price),
        "logs": logs,
        "logsBloom": format!("0x{}", "0".repeat(512)),
        "status": if mined.success { "0x1" } else { "0x0" },
        "type": if it.is_legacy { "0x0" } else { "0x2" },
    }))
}
