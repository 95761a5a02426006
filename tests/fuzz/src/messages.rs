//! Target for messages between the two parties and for the cosigner's policy.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use cosigner::Policy;
use domain::eth::Address;
use domain::intent::{Intent, MAX_AGENT_VALIDITY_MS, MAX_MESSAGE_BYTES};
use protocol::{Answer, Call, PROTOCOL, Request, Reveal};

use crate::items::SETTING;

static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::default_for(SETTING).expect("the product's own policy"));

/// The time at which intents are evaluated, in Unix milliseconds.
pub(crate) const NOW_MS: u64 = 1_795_406_234_446;

/// The wallet for which intents are evaluated.
pub(crate) const WALLET: &str = "0x173404aAAa4d6539e2C7dbcC1931Cf41b3A3D5c7";

/// Parses the bytes as a request, an answer and an intent, and the text as a payload.
pub fn run(data: &[u8]) {
    let text = BASE64.encode(data);
    request(&text);
    answer(format!("\"{text}\"").as_bytes());
    answer(data);
    if let Ok(text) = std::str::from_utf8(data) {
        request(text);
    }
    if let Ok((intent, [])) = postcard::take_from_bytes::<Intent>(data) {
        assert_bounded_if_allowed(&intent);
    }
    revealed(data);
}

fn request(text: &str) {
    let Ok(request) = Request::from_payload(text) else { return };
    assert_eq!(request.protocol, PROTOCOL);
    let payload = request.to_payload();
    let plain = std::str::from_utf8(&payload).expect("base64").trim_matches('"');
    let again = Request::from_payload(plain).expect("a readable message");
    assert!(again.to_payload() == payload, "the round trip changed the message");
    match &request.call {
        Call::StartSign(start) => assert_bounded_if_allowed(&start.intent),
        Call::FinishKeygen(finish) => revealed(&finish.reveal),
        _ => {}
    }
}

fn revealed(data: &[u8]) {
    let Some(reveal) = Reveal::from_bytes(data) else { return };
    let bytes = reveal.to_bytes();
    let again = Reveal::from_bytes(&bytes).expect("a readable message");
    assert!(*again.to_bytes() == *bytes, "the round trip changed the message");
}

fn answer(payload: &[u8]) {
    let Some(answer) = Answer::from_payload(payload) else { return };
    let payload = answer.to_payload();
    let again = Answer::from_payload(payload.get().as_bytes()).expect("a readable message");
    assert!(again.to_payload().get() == payload.get(), "the round trip changed the message");
}

/// Checks that the policy allows only what the product requests.
fn assert_bounded_if_allowed(intent: &Intent) {
    let wallet: Address = WALLET.parse().expect("an address");
    let allowed = POLICY.check(wallet, intent, NOW_MS).is_ok();
    // Every intent has a digest.
    let digest = intent.digest();
    assert_eq!(digest, intent.digest());
    if !allowed {
        return;
    }
    let bounded = |agent: Address, name: &str, expires_ms: u64| {
        assert!(agent != wallet && agent != Address::ZERO, "{intent:?}");
        assert!(name.starts_with("hdx") && name.len() <= 16, "{intent:?}");
        assert!(expires_ms > NOW_MS && expires_ms <= NOW_MS + MAX_AGENT_VALIDITY_MS, "{intent:?}");
    };
    match intent {
        Intent::PersonalMessage(message) => {
            assert!((1..=MAX_MESSAGE_BYTES).contains(&message.as_str().len()));
        }
        Intent::HyperliquidApproveAgent(approve) => {
            bounded(approve.agent, &approve.name, approve.valid_until_ms);
            assert_eq!(approve.chain, SETTING.hyperliquid_chain);
        }
        Intent::AsterRegisterAgent(register) => {
            bounded(register.agent, &register.name, register.expires_ms);
            assert_eq!(register.user, wallet);
            assert_eq!(register.signature_chain_id, SETTING.aster_signature_chain_id);
        }
        Intent::AsterDeleteAgent(delete) => {
            assert_eq!(delete.user, wallet);
            assert_eq!(delete.chain, SETTING.aster_chain);
        }
        Intent::HyperliquidRevokeAgent(revoke) => {
            assert_eq!(revoke.chain, SETTING.hyperliquid_chain);
            assert!(revoke.name.starts_with("hdx"), "{intent:?}");
        }
        Intent::HyperliquidApproveBuilder(_) | Intent::AsterApproveBuilder(_) => {
            unreachable!("the policy names no builder: {intent:?}")
        }
        Intent::AsterLogin(login) => {
            assert!(login.nonce.bytes().all(|digit| digit.is_ascii_digit()));
        }
    }
}
