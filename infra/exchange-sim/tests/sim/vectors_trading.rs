//! All signing vectors of trading, against the simulators' own verification and over HTTP.

use alloy_primitives::Address;
use exchange_sim::{
    aster::{self, signing::message_digest},
    hyperliquid::{Chain, signing::action_hash, signing::l1_digest},
};
use serde_json::Value;

use crate::support::{
    Wallet, aster::Aster, check_vector, hyperliquid::Hyperliquid, send, text, vectors,
};

fn of_category(file: &str, category: &str) -> Vec<Value> {
    let mut all = vectors(file);
    all.retain(|vector| vector["category"] == category);
    all
}

fn actions() -> Vec<Value> {
    of_category("hyperliquid_trading.json", "hyperliquid_trading_l1")
}

fn calls() -> Vec<Value> {
    of_category("aster_trading.json", "aster_v3_signed_call")
}

fn chain(vector: &Value) -> Chain {
    serde_json::from_value(vector["inputs"]["hyperliquid_chain"].clone()).unwrap()
}

/// The categories that the wallet signs. They move money or manage builders.
const SIGNED_BY_WALLET: [(&str, &str, usize); 4] = [
    ("hyperliquid_trading.json", "hyperliquid_money_user_signed", 19),
    ("aster_trading.json", "aster_withdraw", 4),
    ("aster_trading.json", "aster_v3_manage_builder", 8),
    ("aster_trading.json", "aster_deposit_tx", 4),
];

#[test]
fn all_vectors_of_trading_are_known() {
    for (file, category, count) in SIGNED_BY_WALLET {
        assert_eq!(of_category(file, category).len(), count, "{category}");
    }
    assert_eq!((actions().len(), calls().len()), (55, 39));
    assert_eq!(vectors("hyperliquid_trading.json").len(), 55 + 19);
    assert_eq!(vectors("aster_trading.json").len(), 39 + 4 + 8 + 4);
}

#[test]
fn digests_and_signers_of_wallet_match_vectors() {
    for (file, category, _) in SIGNED_BY_WALLET {
        for vector in of_category(file, category) {
            if category == "aster_deposit_tx" {
                let raw = hex::decode(&text(&vector["raw_transaction"])[2..]).unwrap();
                let hash = alloy_primitives::keccak256(&raw).to_string();
                assert_eq!(hash, vector["transaction_hash"], "{}", vector["name"]);
                continue;
            }
            check_vector(&vector, text(&vector["hashes"]["digest"]).parse().unwrap());
            // A withdrawal has a second signature around the first one.
            if let Some(message) = vector["wrapper"]["typed_data"]["message"]["msg"].as_str() {
                let wrapper = &vector["wrapper"];
                let chain_id = wrapper["typed_data"]["domain"]["chainId"].as_u64().unwrap();
                check_vector(wrapper, message_digest(chain_id, message).unwrap());
                assert!(message.contains(text(&vector["signature"]["hex"])));
            }
        }
    }
}

#[test]
fn hyperliquid_action_hashes_and_digests_match_vectors() {
    for vector in actions() {
        let inputs = &vector["inputs"];
        let packed = rmp_serde::to_vec(&inputs["action"]).unwrap();
        let packed = format!("0x{}", hex::encode(&packed));
        assert_eq!(packed, vector["hashes"]["action_msgpack"], "{}", vector["name"]);
        let vault = inputs["vault_address"].as_str().map(|vault| vault.parse().unwrap());
        let nonce = inputs["nonce"].as_u64().unwrap();
        let expires_after = inputs["expires_after"].as_u64();
        let hash = action_hash(&inputs["action"], nonce, vault, expires_after).unwrap();
        assert_eq!(hash.to_string(), vector["hashes"]["action_hash"], "{}", vector["name"]);
        check_vector(&vector, l1_digest(chain(&vector), hash).unwrap());
    }
}

/// Every signature is accepted as that of its signer: no response names an unknown address.
#[tokio::test]
async fn hyperliquid_actions_of_vectors_are_read_over_http() {
    let mut accepted = 0;
    for vector in actions() {
        let inputs = &vector["inputs"];
        let now = inputs["nonce"].as_u64().unwrap().max(1);
        let hyperliquid = Hyperliquid::of(chain(&vector), now);
        hyperliquid.exchange.require_deposit(true);
        let account = text(&vector["address"]).parse().unwrap();
        hyperliquid.exchange.deposit(account);
        let body = text(&vector["request"]["body_text"]).to_owned();
        let router = hyperliquid.exchange.router();
        let answer = send(router, "POST", "/exchange", Some(("application/json", body))).await;
        assert_eq!(answer.status, 200, "{}: {}", vector["name"], answer.body);
        let said = answer.json()["response"].clone();
        let kind = text(&inputs["action"]["type"]);
        let expected = match (now, inputs["vault_address"].as_str()) {
            (1, _) => "Invalid nonce: nonce too low",
            (_, Some(_)) => "Vault not registered: 0x",
            _ if kind == "scheduleCancel" => "Cannot set scheduled cancel time",
            _ if kind == "agentSendAsset" => "Agent can only send asset to same user",
            _ if kind == "modify" => "Cannot modify canceled or filled order",
            _ if kind == "updateIsolatedMargin" => "Position does not use isolated margin",
            _ if inputs["action"]["builder"].is_object() => "Builder fee has not been approved.",
            _ => "",
        };
        if said.is_object() {
            accepted += 1;
        } else if !said.as_str().unwrap().starts_with("Insufficient balance") {
            let said = text(&said);
            let modified = kind == "modify" && said.starts_with("Error placing");
            let leverage = kind.starts_with("update") && said.starts_with("Invalid");
            let known = !expected.is_empty() && said.starts_with(expected);
            assert!(known || modified || leverage, "{}: {said}", vector["name"]);
        }
    }
    assert!(accepted >= 25, "{accepted}");
}

#[test]
fn aster_digests_and_signers_match_vectors() {
    for vector in calls() {
        let chain_id = vector["typed_data"]["domain"]["chainId"].as_u64().unwrap();
        let message = text(&vector["typed_data"]["message"]["msg"]);
        check_vector(&vector, message_digest(chain_id, message).unwrap());
        let request = &vector["request"];
        let sent = match request["body_text"].as_str().unwrap_or_default() {
            "" => text(&request["query"]),
            body => body,
        };
        let signature = text(&vector["signature"]["hex"]);
        assert_eq!(sent, format!("{message}&signature={signature}"), "{}", vector["name"]);
    }
}

/// The paths of vectors that the simulator does not have.
const NOT_SIMULATED: [&str; 4] = [
    "/fapi/v3/guardedCancelOrder",
    "/fapi/v3/countdownCancelAll",
    "/fapi/v3/asset/wallet/transfer",
    "/api/v3/order",
];

/// Every signature is accepted: no response is that of an invalid one or of an unknown agent.
#[tokio::test]
async fn aster_calls_of_vectors_are_read_over_http() {
    let (mut accepted, mut missing) = (0, 0);
    for vector in calls() {
        let (inputs, request) = (&vector["inputs"], &vector["request"]);
        let network = match text(&inputs["network"]) {
            "Mainnet" => aster::Network::Mainnet,
            _ => aster::Network::Testnet,
        };
        let now = inputs["nonce"].as_u64().unwrap() / 1_000;
        let aster = Aster::of(network, now);
        let user: Address = text(&inputs["user"]).parse().unwrap();
        let agent: Address = text(&vector["address"]).parse().unwrap();
        assert!(aster.exchange.add_agent(user, "bot", agent, now + 1_000_000));
        let (method, path) = (text(&request["method"]), text(&request["path"]));
        let answer = match text(&request["query"]) {
            "" => aster.form(method, path, text(&request["body_text"])).await,
            query => {
                let uri = format!("{path}?{query}");
                send(aster.exchange.router(), method, &uri, None).await
            }
        };
        if NOT_SIMULATED.contains(&path) {
            assert_eq!(answer.status, 404, "{path}");
            missing += 1;
            continue;
        }
        let said = answer.json();
        let name = text(&vector["name"]);
        if inputs["parameter_order"] == "no_user" {
            assert_eq!(said["code"], -1_102, "{name}");
            continue;
        }
        // Single quotes are not JSON.
        if name == "aster-batch-orders-single-quotes" {
            assert_eq!(said["code"], -1_130, "{name}: {said}");
            continue;
        }
        let code = said["code"].as_i64().unwrap_or(200);
        assert!(![-1_000, -1_022, -4_225, -1_102].contains(&code), "{name}: {said}");
        accepted += 1;
    }
    assert_eq!((accepted, missing), (33, 4));
}

/// A changed character of any signed call has another signer.
#[tokio::test]
async fn changed_call_is_refused() {
    let vector = calls().into_iter().find(|it| it["name"] == "aster-order-limit-gtc").unwrap();
    let inputs = &vector["inputs"];
    let now = inputs["nonce"].as_u64().unwrap() / 1_000;
    let aster = Aster::of(aster::Network::Mainnet, now);
    let user: Address = text(&inputs["user"]).parse().unwrap();
    let agent: Address = text(&vector["address"]).parse().unwrap();
    assert!(aster.exchange.add_agent(user, "bot", agent, now + 1_000_000));
    let body = text(&vector["request"]["body_text"]).replace("quantity=0.001", "quantity=0.002");
    let answer = aster.form("POST", "/fapi/v3/order", &body).await;
    assert_eq!(answer.json()["msg"], "Signature check failed");
    assert!(aster.exchange.executions(user).is_empty());
}

/// The exchange hashes numbers in its own form, so other forms recover to an unknown address.
#[tokio::test]
async fn trailing_zeros_have_an_unknown_signer() {
    let key = Wallet::number(9);
    for (field, number) in [("p", "100.0"), ("s", "1.50"), ("p", "0100")] {
        let hyperliquid = Hyperliquid::new();
        hyperliquid.exchange.deposit(key.address());
        let mut order = serde_json::json!({
            "a": 1, "b": true, "p": "3000", "s": "1", "r": false, "t": {"limit": {"tif": "Gtc"}},
        });
        order[field] = number.into();
        let action = serde_json::json!({"type": "order", "orders": [order], "grouping": "na"});
        let said = hyperliquid.act(&key, &action).await;
        assert!(said.starts_with("User or API Wallet 0x"), "{said}");
        assert!(!said.contains(&format!("{:#x}", key.address())));
    }
}
