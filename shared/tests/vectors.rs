//! Known-answer tests: fixed inputs yield exact digests, signatures and bodies. The vectors were
//! made with eth-account and agree with ethers 6, viem and the exchanges' own SDKs (see
//! `vectors/README.md`). `alloy` computes each digest a second time from the typed data.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics on failure")]

use alloy_dyn_abi::TypedData;
use domain::builder::{Builder, BuilderFee};
use domain::eth::{Address, AgentKey, Digest, Signature, personal_digest};
use domain::intent::{
    AsterApproveBuilder, AsterDeleteAgent, AsterLogin, AsterRegisterAgent,
    HYPERLIQUID_SIGNATURE_CHAIN_ID, HyperliquidApproveAgent, HyperliquidApproveBuilder,
    HyperliquidChain, HyperliquidRevokeAgent, Intent, aster_builder_digest, aster_message_digest,
    hyperliquid_agent_digest,
};
use serde_json::Value;
use shared::exchanges::{aster, hyperliquid};

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let all: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!all.is_empty());
    all
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn address(value: &Value, pointer: &str) -> Address {
    text(value, pointer).parse().unwrap()
}

fn bytes(hex_text: &str) -> Vec<u8> {
    let digits = hex_text.strip_prefix("0x").unwrap();
    let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    hex::decode(padded).unwrap()
}

fn signature(vector: &Value) -> Signature {
    let half = |pointer| {
        let given = bytes(text(vector, pointer));
        let mut padded = [0; 32];
        padded[32 - given.len()..].copy_from_slice(&given);
        padded
    };
    let v = u8::try_from(number(vector, "/signature/v")).unwrap();
    Signature { r: half("/signature/r"), s: half("/signature/s"), v }
}

fn chain(vector: &Value) -> HyperliquidChain {
    match text(vector, "/inputs/hyperliquid_chain") {
        "Mainnet" => HyperliquidChain::Mainnet,
        _ => HyperliquidChain::Testnet,
    }
}

/// Checks that the digest equals the vector's and alloy's, that the vector's signature recovers to
/// its address, and that its key makes the same signature.
fn check(vector: &Value, digest: Digest) {
    let name = text(vector, "/name");
    assert_eq!(digest.to_vec(), bytes(text(vector, "/hashes/digest")), "{name}");
    if let Some(typed) = vector.get("typed_data") {
        let typed: TypedData = serde_json::from_value(typed.clone()).unwrap();
        assert_eq!(typed.eip712_signing_hash().unwrap().0, digest, "{name}: alloy");
    } else {
        let message = text(vector, "/message");
        assert_eq!(alloy_primitives::eip191_hash_message(message).0, digest, "{name}: alloy");
    }
    if vector.pointer("/signature/r").is_some() {
        let signature = signature(vector);
        assert_eq!(signature.recover(&digest).unwrap(), address(vector, "/address"), "{name}");
        if let Some(key) = vector["private_key"].as_str() {
            let key = AgentKey::from_bytes(&bytes(key)).unwrap();
            assert_eq!(key.address(), address(vector, "/address"), "{name}");
            assert_eq!(key.sign(&digest).unwrap(), signature, "{name}");
        }
    }
}

/// Splits a name into its base and its expiry, if the vector has one.
fn split_name(full: &str) -> Option<(&str, u64)> {
    let (name, until) = full.split_once(" valid_until ")?;
    Some((name, until.parse().unwrap()))
}

#[test]
fn hyperliquid_agent_approvals_and_revocations() {
    let published = vectors("published_by_others")
        .into_iter()
        .filter(|vector| vector["inputs"].get("agent_address").is_some());
    let (mut whole, mut revoked) = (0, 0);
    for vector in vectors("hyperliquid_approve_agent").into_iter().chain(published) {
        let chain_id = text(&vector, "/inputs/signature_chain_id");
        let chain_id = u64::from_str_radix(chain_id.strip_prefix("0x").unwrap(), 16).unwrap();
        let full_name = vector["inputs"]["agent_name"].as_str().unwrap_or_default();
        let agent = address(&vector, "/inputs/agent_address");
        let nonce_ms = number(&vector, "/inputs/nonce");
        let digest = hyperliquid_agent_digest(chain_id, chain(&vector), agent, full_name, nonce_ms);
        check(&vector, digest);
        if chain_id != HYPERLIQUID_SIGNATURE_CHAIN_ID {
            continue;
        }
        if let Some((name, valid_until_ms)) = split_name(full_name) {
            let approve = HyperliquidApproveAgent {
                chain: chain(&vector),
                agent,
                name: name.to_owned(),
                valid_until_ms,
                nonce_ms,
            };
            assert_eq!(Intent::HyperliquidApproveAgent(approve.clone()).digest(), digest);
            let body = hyperliquid::approve_body(&approve, &signature(&vector));
            assert_eq!(body, vector["request"]["body_json"]);
            whole += 1;
        }
        if agent == Address::ZERO {
            let revoke = HyperliquidRevokeAgent {
                chain: chain(&vector),
                name: full_name.to_owned(),
                nonce_ms,
            };
            assert_eq!(Intent::HyperliquidRevokeAgent(revoke).digest(), digest);
            revoked += 1;
        }
    }
    assert!(whole >= 1 && revoked >= 2, "the vectors have whole and revoking intents");
}

#[test]
fn aster_registrations() {
    let mut whole = 0;
    for vector in vectors("aster_v3_register_agent") {
        let message = text(&vector, "/typed_data/message/msg");
        check(&vector, aster_message_digest(56, message));
        let inputs = &vector["inputs"];
        if inputs["canWithdraw"] == true {
            // An intent to let an agent withdraw cannot be expressed.
            continue;
        }
        let register = AsterRegisterAgent {
            user: address(&vector, "/inputs/user"),
            nonce_us: number(&vector, "/inputs/nonce"),
            name: text(&vector, "/inputs/agentName").to_owned(),
            agent: address(&vector, "/inputs/agentAddress"),
            expires_ms: number(&vector, "/inputs/expired"),
            signature_chain_id: number(&vector, "/inputs/signatureChainId"),
            can_spot_trade: inputs["canSpotTrade"] == true,
            can_perp_trade: inputs["canPerpTrade"] == true,
            ip_whitelist: text(&vector, "/inputs/ipWhitelist").parse().ok(),
        };
        assert_eq!(register.text(), message);
        assert_eq!(
            Intent::AsterRegisterAgent(register.clone()).digest().to_vec(),
            bytes(text(&vector, "/hashes/digest"))
        );
        if inputs["agentCode"].is_null() {
            let body = aster::register_body(&register, &signature(&vector));
            assert_eq!(body, text(&vector, "/request/body_text"));
            whole += 1;
        }
    }
    assert!(whole >= 3, "the vectors have whole bodies");
}

#[test]
fn aster_agent_deletion() {
    let mut met = 0;
    for vector in vectors("aster_v3_manage_agent") {
        if text(&vector, "/inputs/primary_type") != "DelAgent" {
            // No intent approves or updates an existing account's agents; the simulator checks
            // those vectors.
            continue;
        }
        let delete = AsterDeleteAgent {
            agent: address(&vector, "/inputs/agentAddress"),
            chain: HyperliquidChain::Mainnet,
            user: address(&vector, "/inputs/user"),
            nonce_us: number(&vector, "/inputs/nonce"),
            signature_chain_id: number(&vector, "/inputs/signature_chain_id"),
        };
        check(&vector, Intent::AsterDeleteAgent(delete).digest());
        met += 1;
    }
    assert_eq!(met, 1);
}

#[test]
fn hyperliquid_approvals_of_builders() {
    let mut met = 0;
    for vector in vectors("hyperliquid_trading") {
        if vector.pointer("/inputs/action_type").and_then(Value::as_str)
            != Some("approveBuilderFee")
        {
            continue;
        }
        let percent = text(&vector, "/inputs/maxFeeRate");
        let fee = (1..=BuilderFee::MAX).map(|tenths| BuilderFee::try_from(tenths).unwrap());
        let approve = HyperliquidApproveBuilder {
            chain: chain(&vector),
            builder: address(&vector, "/inputs/builder"),
            max_fee: fee.into_iter().find(|fee| fee.percent() == percent).unwrap(),
            nonce_ms: number(&vector, "/inputs/nonce"),
        };
        check(&vector, Intent::HyperliquidApproveBuilder(approve.clone()).digest());
        let mut body = vector["request"]["body_json"].clone();
        let sent = text(&body, "/action/builder").to_lowercase();
        body["action"]["builder"] = Value::from(sent);
        assert_eq!(hyperliquid::builder_body(&approve, &signature(&vector)), body);
        met += 1;
    }
    assert_eq!(met, 2);
}

#[test]
fn aster_approvals_of_builders() {
    let (mut met, mut updates) = (0, 0);
    for vector in vectors("aster_trading") {
        let kind = vector.pointer("/inputs/primary_type").and_then(Value::as_str);
        let product = vector.pointer("/inputs/product").and_then(Value::as_str);
        let is_update = kind == Some("UpdateBuilder");
        let name = vector.pointer("/inputs/builderName").and_then(Value::as_str);
        // The service approves no builder without a name, none for spot, and none with an agent.
        if product != Some("futures") || !(is_update || kind == Some("ApproveBuilder")) {
            continue;
        }
        let approve = AsterApproveBuilder {
            is_update,
            builder: address(&vector, "/inputs/builder"),
            max_fee: BuilderFee::of_rate(text(&vector, "/inputs/maxFeeRate")).unwrap(),
            chain: match text(&vector, "/inputs/asterChain") {
                "Mainnet" => HyperliquidChain::Mainnet,
                _ => HyperliquidChain::Testnet,
            },
            user: address(&vector, "/inputs/user"),
            nonce_us: number(&vector, "/inputs/nonce"),
            signature_chain_id: number(&vector, "/inputs/signature_chain_id"),
        };
        let AsterApproveBuilder { builder, max_fee, chain, user, nonce_us, .. } = approve;
        let approved = Builder { address: builder, fee: max_fee };
        let signed = (user, nonce_us);
        if is_update {
            check(&vector, Intent::AsterApproveBuilder(approve.clone()).digest());
            let body = aster::builder_body(&approve, &signature(&vector));
            assert_eq!(body, text(&vector, "/request/body_text"));
            updates += 1;
        } else if name.is_some() {
            let chain_id = approve.signature_chain_id;
            check(&vector, aster_builder_digest(chain_id, approved, name, chain, signed));
            // The service chooses the name.
            let own = approve.name().unwrap();
            let body = aster::builder_body(&approve, &signature(&vector));
            let body = body.replace(&own, name.unwrap());
            assert_eq!(body, text(&vector, "/request/body_text"));
            met += 1;
        }
    }
    assert_eq!((met, updates), (3, 1));
}

#[test]
fn aster_calls_that_an_agent_signs() {
    for vector in vectors("aster_v3_signed_call_by_agent") {
        let message = text(&vector, "/typed_data/message/msg");
        let chain_id = number(&vector, "/typed_data/domain/chainId");
        check(&vector, aster_message_digest(chain_id, message));
        let agent = AgentKey::from_bytes(&bytes(text(&vector, "/private_key"))).unwrap();
        let signed = aster::sign_query(chain_id, &agent, message).unwrap();
        let sent = match text(&vector, "/request/method") {
            "GET" => text(&vector, "/request/query"),
            _ => text(&vector, "/request/body_text"),
        };
        assert_eq!(signed, sent);
    }
}

#[test]
fn personal_messages_and_aster_logins() {
    for name in ["eip191_personal_sign", "aster_v1_api_key"] {
        for vector in vectors(name) {
            check(&vector, personal_digest(text(&vector, "/message")));
            let login = AsterLogin { nonce: text(&vector, "/inputs/nonce").to_owned() };
            assert_eq!(login.message(), text(&vector, "/message"));
            check(&vector, Intent::AsterLogin(login).digest());
        }
    }
}

#[test]
fn aster_v1_requests() {
    let mut met = 0;
    for vector in vectors("aster_v1_api_key") {
        if text(&vector, "/category") != "aster_v1_sapi" {
            // The same message through another host, which the service does not call.
            continue;
        }
        let wallet = address(&vector, "/address");
        let timestamp_ms = number(&vector, "/inputs/timestamp_ms");
        let desc = text(&vector, "/inputs/desc");
        let signature = signature(&vector);
        let nonce = aster::v1::nonce_body(wallet, timestamp_ms);
        let create = aster::v1::create_body(wallet, desc, None, &signature, (5_000, timestamp_ms));
        if vector["inputs"]["hmac"] == true {
            // A request signed with another account's key has the same text in another place.
            let sent = text(&vector, "/request/query");
            assert_eq!(sent.split_once("&signature=").unwrap().0, create);
        } else {
            assert_eq!(nonce, text(&vector, "/request_get_nonce/body_text"));
            let window = "recvWindow=5000&";
            assert_eq!(create.replace(window, ""), text(&vector, "/request/body_text"));
        }
        met += 1;
    }
    assert_eq!(met, 2);
}

#[test]
fn agent_key_debug_hides_the_secret() {
    let secret = [7; 32];
    let key = AgentKey::from_bytes(&secret).unwrap();
    let shown = format!("{key:?}");
    assert!(!shown.contains(&hex::encode(secret)) && !shown.contains("7, 7"), "{shown}");
    assert!(AgentKey::from_bytes(&[0; 32]).is_err());
    assert!(AgentKey::from_bytes(&[0xff; 32]).is_err());
}
