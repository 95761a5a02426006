use alloy_primitives::{Address, U256};
use exchange_sim::hyperliquid::{
    Chain,
    signing::{ApproveAgent, action_hash, approve_agent_digest, l1_digest},
};
use serde_json::{Value, json};

use crate::support::{check_vector, hyperliquid::Hyperliquid, text, vectors};

fn chain(vector: &Value) -> Chain {
    serde_json::from_value(vector["inputs"]["hyperliquid_chain"].clone()).unwrap()
}

fn of_type(primary_type: &str) -> Vec<Value> {
    let files = [
        "hyperliquid_approve_agent.json",
        "hyperliquid_l1_by_agent.json",
        "published_by_others.json",
    ];
    let mut all: Vec<_> = files.iter().flat_map(|file| vectors(file)).collect();
    all.retain(|vector| vector["typed_data"]["primaryType"] == primary_type);
    all
}

fn approvals() -> Vec<Value> {
    of_type("HyperliquidTransaction:ApproveAgent")
}

fn l1_actions() -> Vec<Value> {
    of_type("Agent")
}

/// Returns an exchange with the vector's network and time, where only the vector's signer has
/// deposited.
fn exchange_for(vector: &Value) -> Hyperliquid {
    let now = vector["inputs"]["nonce"].as_u64().unwrap();
    let hyperliquid = Hyperliquid::of(chain(vector), now);
    hyperliquid.exchange.require_deposit(true);
    hyperliquid.exchange.deposit(text(&vector["address"]).parse().unwrap());
    hyperliquid
}

fn without_leading_zeros(hex: &Value) -> String {
    format!("0x{}", text(hex)[2..].trim_start_matches('0'))
}

#[test]
fn approval_digests_and_signers_match_vectors() {
    let approvals = approvals();
    assert_eq!(approvals.len(), 15);
    for vector in approvals {
        let inputs = &vector["inputs"];
        let chain_id = &text(&inputs["signature_chain_id"])[2..];
        let approval = ApproveAgent {
            signature_chain_id: U256::from_str_radix(chain_id, 16).unwrap(),
            agent_address: text(&inputs["agent_address"]).parse().unwrap(),
            agent_name: inputs["agent_name"].as_str().unwrap_or_default().to_owned(),
            nonce: inputs["nonce"].as_u64().unwrap(),
        };
        check_vector(&vector, approve_agent_digest(chain(&vector), &approval).unwrap());
    }
}

#[test]
fn l1_action_digests_and_signers_match_vectors() {
    let actions = l1_actions();
    assert_eq!(actions.len(), 8);
    for vector in actions {
        let inputs = &vector["inputs"];
        let vault = inputs["vault_address"].as_str().map(|vault| vault.parse().unwrap());
        let nonce = inputs["nonce"].as_u64().unwrap();
        let expires_after = inputs["expires_after"].as_u64();
        let hash = action_hash(&inputs["action"], nonce, vault, expires_after).unwrap();
        assert_eq!(hash.to_string(), vector["hashes"]["action_hash"]);
        check_vector(&vector, l1_digest(chain(&vector), hash).unwrap());
    }
}

/// The vectors have no vault. This is `test_l1_action_signing_matches_with_vault` of
/// hyperliquid-python-sdk, whose `r` lacks its leading zeros.
#[test]
fn vault_hash_matches_python_sdk() {
    let vault = "0x1719884eb866cb12b2287399b15f7db5e7d775ea".parse().unwrap();
    let action = json!({"type": "dummy", "num": 100_000_000_000_u64});
    let hash = action_hash(&action, 0, Some(vault), None).unwrap();
    let signature = exchange_sim::signature::from_parts(
        "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
        "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
        28,
    );
    let digest = l1_digest(Chain::Mainnet, hash).unwrap();
    let signer = exchange_sim::signature::recover(&digest, &signature.unwrap());
    let expected = "0x14791697260E4c9A71f18484C9f997B308e59325".parse().unwrap();
    assert_eq!(signer, Some(expected));
}

#[tokio::test]
async fn approvals_of_vectors_are_accepted() {
    for vector in approvals() {
        let hyperliquid = exchange_for(&vector);
        let agent: Address = text(&vector["inputs"]["agent_address"]).parse().unwrap();
        let said = hyperliquid.exchange(&vector["request"]["body_json"]).await;
        let agents = hyperliquid.exchange.agents_of(text(&vector["address"]).parse().unwrap());
        if agent == Address::ZERO {
            assert_eq!(said, "Extra agent does not exist", "{}", vector["name"]);
        } else {
            assert_eq!(said, "ok", "{}", vector["name"]);
            assert_eq!(agents[0].address, agent);
        }
    }
}

#[tokio::test]
async fn approvals_of_python_sdk_are_accepted() {
    for vector in approvals() {
        let hyperliquid = exchange_for(&vector);
        let mut body = vector["request"]["body_json"].clone();
        for scalar in ["r", "s"] {
            let short = without_leading_zeros(&body["signature"][scalar]);
            body["signature"][scalar] = json!(short);
        }
        body["action"]["agentAddress"] = vector["inputs"]["agent_address"].clone();
        body["vaultAddress"] = Value::Null;
        body["expiresAfter"] = Value::Null;
        let said = hyperliquid.exchange(&body).await;
        assert!(said == "ok" || said == "Extra agent does not exist", "{said}");
    }
}

#[tokio::test]
async fn unnamed_agent_may_be_absent_null_or_empty() {
    for name in [None, Some(Value::Null), Some(json!(""))] {
        let unnamed = |vector: &Value| vector["name"] == "hl-approve-unnamed-mainnet";
        let vector = approvals().into_iter().find(unnamed).unwrap();
        let mut body = vector["request"]["body_json"].clone();
        if let Some(name) = name {
            body["action"]["agentName"] = name;
        }
        assert_eq!(exchange_for(&vector).exchange(&body).await, "ok");
    }
}

#[tokio::test]
async fn approval_sent_to_other_network_has_unknown_signer() {
    for vector in approvals() {
        let here = if chain(&vector) == Chain::Mainnet { Chain::Testnet } else { Chain::Mainnet };
        let now = vector["inputs"]["nonce"].as_u64().unwrap();
        let hyperliquid = Hyperliquid::of(here, now);
        let said = hyperliquid.exchange(&vector["request"]["body_json"]).await;
        let user = said.strip_prefix("Must deposit before performing actions. User: ").unwrap();
        assert_eq!(user.len(), 42);
        assert_ne!(user, text(&vector["address"]).to_lowercase());
    }
}

#[tokio::test]
async fn l1_actions_of_vectors_are_accepted() {
    for vector in l1_actions() {
        let said = exchange_for(&vector).exchange(&vector["request"]["body_json"]).await;
        // The vectors with nonce 0 test the digest. The signer is still recovered.
        let zero = vector["inputs"]["nonce"] == 0;
        let expected = if zero { "Invalid nonce: nonce too low 0 < 1" } else { "ok" };
        assert_eq!(said, expected, "{}", vector["name"]);
    }
}
