//! The simulated chains: raw transactions, tokens, fees and faults.

use alloy_primitives::{Address, U256, address};
use exchange_sim::chain::Chains;
use exchange_sim::faults::Fault;
use serde_json::{Value, json};

use crate::support::chain::{Unsigned, ask, call, status, submit, word};
use crate::support::{Clock, START, Wallet, send, text, vectors};

const ARBITRUM: u64 = 42_161;
const USDC: Address = address!("af88d065e77c8cC2239327C5EDb3A432268e5831");
const BSC_USDT: Address = address!("55d398326f99059fF775485246999027B3197955");

fn chains() -> (Chains, Clock) {
    let clock = Clock::at(START);
    (Chains::new(clock.reader()), clock)
}

fn transfer(to: Address, amount: u64) -> Vec<u8> {
    call("transfer(address,uint256)", &[word(to), U256::from(amount)])
}

#[tokio::test]
async fn transfer_of_tokens_moves_balances() {
    let (chains, _) = chains();
    let (owner, other) = (Wallet::number(1), Wallet::number(2).address());
    assert!(chains.fund(ARBITRUM, owner.address(), "native", "0.01"));
    assert!(chains.fund(ARBITRUM, owner.address(), "USDC", "100"));
    let unsigned = Unsigned { data: transfer(other, 25_500_000), ..Unsigned::to(ARBITRUM, USDC) };
    let hash = submit(&chains, ARBITRUM, &unsigned.sign(&owner)).await.unwrap();
    assert_eq!(status(&chains, ARBITRUM, hash).await, Some(true));
    assert_eq!(chains.balance_of(ARBITRUM, owner.address(), "USDC"), "74.5");
    assert_eq!(chains.balance_of(ARBITRUM, other, "USDC"), "25.5");
    let receipt = ask(&chains, ARBITRUM, "eth_getTransactionReceipt", json!([hash])).await;
    let log = &receipt["result"]["logs"][0];
    assert_eq!(log["address"], format!("{USDC:#x}"));
    assert_eq!(log["topics"][2], other.into_word().to_string());
    let seen = ask(&chains, ARBITRUM, "eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(seen["result"]["from"], format!("{:#x}", owner.address()));
    let balance = call("balanceOf(address)", &[word(other)]);
    let params = json!([{"to": USDC, "data": format!("0x{}", hex::encode(balance))}, "latest"]);
    let read = ask(&chains, ARBITRUM, "eth_call", params).await;
    assert_eq!(read["result"], format!("{:#066x}", 25_500_000));
}

#[tokio::test]
async fn raw_transactions_of_vectors_deposit_at_aster() {
    let (chains, _) = chains();
    let all = vectors("aster_trading.json");
    let raw = |name: &str| {
        let vector = all.iter().find(|vector| vector["name"] == name).unwrap();
        hex::decode(&text(&vector["raw_transaction"])[2..]).unwrap()
    };
    let (approve, deposit) =
        (raw("aster-deposit-approve-bsc-usdt"), raw("aster-deposit-for-bsc-usdt-futures"));
    let owner = address!("757ACa05e8Fba98b724fFD4116F5e237B47BA85F");
    let poor = submit(&chains, 56, &approve).await.unwrap_err();
    assert!(poor.starts_with("insufficient funds for gas * price + value"), "{poor}");
    assert!(chains.fund(56, owner, "BNB", "1"));
    assert!(chains.fund(56, owner, "USDT", "250"));
    // Out of order: the second waits for the first.
    let second = submit(&chains, 56, &deposit).await.unwrap();
    assert_eq!(status(&chains, 56, second).await, None);
    submit(&chains, 56, &approve).await.unwrap();
    assert_eq!(status(&chains, 56, second).await, Some(true));
    assert_eq!(chains.balance_of(56, owner, "USDT"), "150");
    let count = ask(&chains, 56, "eth_getTransactionCount", json!([owner, "latest"])).await;
    assert_eq!(count["result"], "0x2");
    let repeated = submit(&chains, 56, &deposit).await.unwrap_err();
    assert_eq!(repeated, "nonce too low: next nonce 2, tx nonce 1");
    // The third has nonce 7 of another account, and the fourth is of type 2.
    let gap = submit(&chains, 56, &raw("aster-deposit-bsc-usdt-three-arguments")).await;
    assert!(gap.unwrap_err().starts_with("insufficient funds"));
    let native = raw("aster-deposit-native-arbitrum-eth");
    let foreign = submit(&chains, 56, &native).await.unwrap_err();
    assert_eq!(foreign, "invalid chain id for signer: have 42161 want 56");
}

#[tokio::test]
async fn changed_bytes_of_transaction_have_another_sender() {
    let (chains, _) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(ARBITRUM, owner.address(), "ETH", "1"));
    let unsigned = Unsigned { value: 1_000, ..Unsigned::to(ARBITRUM, USDC) };
    let mut raw = unsigned.sign(&owner);
    // The last byte of the receiver.
    let at = raw.windows(20).position(|window| window == USDC.as_slice()).unwrap() + 19;
    raw[at] ^= 1;
    let refused = submit(&chains, ARBITRUM, &raw).await.unwrap_err();
    let is_foreign = refused.starts_with("insufficient funds") || refused == "invalid sender";
    assert!(is_foreign, "{refused}");
    assert_eq!(chains.transactions_of(ARBITRUM, owner.address()), []);
}

#[tokio::test]
async fn invalid_raw_transactions_are_refused() {
    let (chains, _) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(ARBITRUM, owner.address(), "ETH", "1"));
    let base = Unsigned::to(ARBITRUM, Wallet::number(2).address());
    let error = async |raw: Vec<u8>| submit(&chains, ARBITRUM, &raw).await.unwrap_err();
    let signed = base.sign(&owner);
    assert_eq!(error(vec![]).await, "transaction type not supported");
    assert_eq!(error(vec![1, 0xc0]).await, "transaction type not supported");
    let longer = [signed.clone(), vec![0]].concat();
    assert_eq!(error(longer).await, "rlp: the transaction is malformed");
    let low = Unsigned { gas: 21_000, ..base.clone() };
    // Arbitrum's own data share is part of the gas.
    let text = error(low.sign(&owner)).await;
    assert_eq!(text, "intrinsic gas too low: gas 21000, minimum needed 28000");
    let tip = Unsigned { tip: base.max_fee + 1, ..base.clone() };
    assert!(error(tip.sign(&owner)).await.starts_with("max priority fee per gas higher"));
    let cheap = Unsigned { max_fee: 1, tip: 0, ..base.clone() };
    assert!(error(cheap.sign(&owner)).await.starts_with("max fee per gas less than block base"));
    let unprotected = Unsigned { chain_id: 0, ..base.clone() };
    let legacy = submit(&chains, ARBITRUM, &unprotected.sign_legacy(&owner)).await.unwrap_err();
    assert_eq!(legacy, "invalid chain id for signer: have 0 want 42161");
    assert!(submit(&chains, ARBITRUM, &signed).await.is_ok());
}

/// A second signature with the order's complement of `s` is valid mathematics, but no transaction.
#[tokio::test]
async fn high_s_is_refused() {
    let (chains, _) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(56, owner.address(), "BNB", "1"));
    let raw = Unsigned::to(56, owner.address()).sign(&owner);
    let order: U256 =
        "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
    let s = U256::from_be_slice(&raw[raw.len() - 32..]);
    let mut high = raw.clone();
    high.truncate(raw.len() - 32);
    high.extend((order - s).to_be_bytes::<32>());
    let refused = submit(&chains, 56, &high).await.unwrap_err();
    assert_eq!(refused, "invalid transaction v, r, s values");
}

#[tokio::test]
async fn legacy_transaction_transfers_coins() {
    let (chains, _) = chains();
    let (owner, other) = (Wallet::number(1), Wallet::number(2).address());
    assert!(chains.fund(56, owner.address(), "BNB", "1"));
    let unsigned = Unsigned { value: 250_000_000_000_000_000, ..Unsigned::to(56, other) };
    let hash = submit(&chains, 56, &unsigned.sign_legacy(&owner)).await.unwrap();
    assert_eq!(status(&chains, 56, hash).await, Some(true));
    assert_eq!(chains.balance_of(56, other, "BNB"), "0.25");
}

#[tokio::test]
async fn failed_transfer_uses_nonce_and_gas_only() {
    let (chains, _) = chains();
    let (owner, other) = (Wallet::number(1), Wallet::number(2).address());
    assert!(chains.fund(56, owner.address(), "BNB", "1"));
    let data = transfer(other, 1);
    let unsigned = Unsigned { data: data.clone(), ..Unsigned::to(56, BSC_USDT) };
    let params = json!([{
        "from": owner.address(), "to": BSC_USDT, "data": format!("0x{}", hex::encode(data)),
    }]);
    let estimate = ask(&chains, 56, "eth_estimateGas", params).await;
    assert_eq!(estimate["error"]["code"], 3);
    let hash = submit(&chains, 56, &unsigned.sign(&owner)).await.unwrap();
    assert_eq!(status(&chains, 56, hash).await, Some(false));
    assert_eq!(chains.balance_of(56, other, "USDT"), "0");
    assert_ne!(chains.balance_of(56, owner.address(), "BNB"), "1");
    let [sent] = chains.transactions_of(56, owner.address()).try_into().unwrap();
    assert_eq!((sent.nonce, sent.success), (0, Some(false)));
}

#[tokio::test]
async fn waiting_transaction_is_replaced_only_for_more() {
    let (chains, _) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(1, owner.address(), "ETH", "1"));
    assert!(chains.hold_blocks(1, true));
    let first = Unsigned::to(1, Wallet::number(2).address());
    let hash = submit(&chains, 1, &first.sign(&owner)).await.unwrap();
    assert_eq!(submit(&chains, 1, &first.sign(&owner)).await.unwrap_err(), "already known");
    let same_fee = Unsigned { value: 5, ..first.clone() };
    let refused = submit(&chains, 1, &same_fee.sign(&owner)).await.unwrap_err();
    assert_eq!(refused, "replacement transaction underpriced");
    let pending = ask(&chains, 1, "eth_getTransactionCount", json!([owner.address(), "pending"]));
    assert_eq!(pending.await["result"], "0x1");
    let (max_fee, tip) = (first.max_fee * 11 / 10, first.tip * 11 / 10);
    let more = Unsigned { max_fee, tip, value: 5, ..first };
    let other = submit(&chains, 1, &more.sign(&owner)).await.unwrap();
    assert_eq!(status(&chains, 1, other).await, None);
    assert!(chains.mine(1));
    let done = (status(&chains, 1, hash).await, status(&chains, 1, other).await);
    assert_eq!(done, (None, Some(true)));
}

#[tokio::test]
async fn transaction_below_the_base_fee_waits() {
    let (chains, _) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(1, owner.address(), "ETH", "1"));
    assert!(chains.set_base_fee(1, 50_000_000_000));
    let unsigned = Unsigned::to(1, Wallet::number(2).address());
    let hash = submit(&chains, 1, &unsigned.sign(&owner)).await.unwrap();
    assert_eq!(status(&chains, 1, hash).await, None);
    assert!(chains.set_base_fee(1, 1_000_000_000));
    assert_eq!(status(&chains, 1, hash).await, Some(true));
    assert!(!chains.forget(1, hash), "a mined transaction stays");
}

#[tokio::test]
async fn lost_response_leaves_the_transaction() {
    let (chains, _) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(56, owner.address(), "BNB", "1"));
    let raw = Unsigned::to(56, Wallet::number(2).address()).sign(&owner);
    chains.fail_next("eth_sendRawTransaction", Fault::AppliedButLost);
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction",
        "params": [format!("0x{}", hex::encode(&raw))],
    });
    let content = Some(("application/json", body.to_string()));
    assert_eq!(send(chains.router(), "POST", "/56", content).await.status, 502);
    let repeated = submit(&chains, 56, &raw).await.unwrap_err();
    assert_eq!(repeated, "nonce too low: next nonce 1, tx nonce 0");
    assert_eq!(chains.transactions_of(56, owner.address()).len(), 1);
}

#[tokio::test]
async fn reads_of_node_have_their_forms() {
    let (chains, clock) = chains();
    let read =
        async |method: &str, params: Value| ask(&chains, 1, method, params).await["result"].clone();
    assert_eq!(read("eth_chainId", json!([])).await, "0x1");
    let block = read("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(block["baseFeePerGas"], "0x77359400");
    assert_eq!(read("eth_blockNumber", json!([])).await, block["number"]);
    clock.advance(12_000);
    assert_ne!(read("eth_blockNumber", json!([])).await, block["number"]);
    assert_eq!(read("eth_gasPrice", json!([])).await, "0x7d2b7500");
    let fees = read("eth_feeHistory", json!(["0x2", "latest", [50]])).await;
    assert_eq!(fees["baseFeePerGas"].as_array().unwrap().len(), 3);
    let unknown = ask(&chains, 1, "eth_sign", json!([])).await;
    assert_eq!(unknown["error"]["code"], -32_601);
    let foreign = send(chains.router(), "POST", "/2", Some(("application/json", String::new())));
    assert_eq!(foreign.await.status, 404);
}

#[tokio::test]
async fn restored_chains_continue() {
    let (chains, clock) = chains();
    let owner = Wallet::number(1);
    assert!(chains.fund(56, owner.address(), "USDT", "1.5"));
    assert!(chains.fund(56, owner.address(), "BNB", "1"));
    let raw = Unsigned::to(56, Wallet::number(2).address()).sign(&owner);
    let hash = submit(&chains, 56, &raw).await.unwrap();
    let again = Chains::new(clock.reader());
    again.restore(&chains.snapshot().unwrap()).unwrap();
    assert_eq!(again.balance_of(56, owner.address(), "USDT"), "1.5");
    assert_eq!(status(&again, 56, hash).await, Some(true));
    assert!(again.restore(b"{}x").is_err());
}
