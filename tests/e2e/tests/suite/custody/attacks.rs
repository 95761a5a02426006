//! Attacks by a compromised endpoint that uses all of its rights with the cosigner. None yields a
//! signature that the policy does not allow, and none damages a later honest signature. Attacks on
//! the protocol itself are in `protocol.rs`.

#![expect(clippy::unwrap_used, reason = "a failing test panics")]

use domain::eth::Address;
use domain::intent::{
    AsterDeleteAgent, AsterLogin, AsterRegisterAgent, HyperliquidApproveAgent, HyperliquidChain,
    HyperliquidRevokeAgent, Intent, PersonalMessage,
};
use e2e::DAY_MS;
use e2e::attacker::{Attacker, refusal};
use protocol::{Call, PROTOCOL, Refusal, Request, StartSign, WalletKey, party_2, sign_data};
use serde::Serialize;

fn agent() -> Address {
    "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().unwrap()
}

fn message(text: &str) -> Intent {
    // Builds the message as an endpoint that skips its own check would send it.
    let bytes = postcard::to_stdvec(text).unwrap();
    Intent::PersonalMessage(postcard::from_bytes(&bytes).unwrap())
}

fn approve(now_ms: u64) -> HyperliquidApproveAgent {
    HyperliquidApproveAgent {
        chain: HyperliquidChain::Mainnet,
        agent: agent(),
        name: "hdx1abc".to_owned(),
        valid_until_ms: now_ms + 100 * DAY_MS,
        nonce_ms: now_ms,
    }
}

fn register(user: Address, now_ms: u64) -> AsterRegisterAgent {
    AsterRegisterAgent {
        user,
        nonce_us: now_ms * 1_000,
        name: "hdx1abc".to_owned(),
        agent: agent(),
        expires_ms: now_ms + 100 * DAY_MS,
        signature_chain_id: 56,
        can_spot_trade: true,
        can_perp_trade: true,
        ip_whitelist: None,
    }
}

/// Sends every kind of intent with values that the policy refuses.
#[tokio::test(flavor = "multi_thread")]
async fn intents_against_the_policy_are_refused() {
    let attacker = Attacker::new().await;
    let now = attacker.app.clock.now_ms();
    let wallet = attacker.share.address();
    let hyperliquid = |change: &dyn Fn(&mut HyperliquidApproveAgent)| {
        let mut intent = approve(now);
        change(&mut intent);
        Intent::HyperliquidApproveAgent(intent)
    };
    let aster = |change: &dyn Fn(&mut AsterRegisterAgent)| {
        let mut intent = register(wallet, now);
        change(&mut intent);
        Intent::AsterRegisterAgent(intent)
    };
    let attacks = [
        hyperliquid(&|it| it.chain = HyperliquidChain::Testnet),
        hyperliquid(&|it| it.agent = Address::ZERO),
        hyperliquid(&|it| it.agent = wallet),
        hyperliquid(&|it| it.name = "theirs".to_owned()),
        hyperliquid(&|it| it.name = "hdx1 valid_until 9999999999999".to_owned()),
        hyperliquid(&|it| it.valid_until_ms = now + 181 * DAY_MS),
        hyperliquid(&|it| it.valid_until_ms = now - 1),
        hyperliquid(&|it| it.nonce_ms = now - 6 * 60_000),
        hyperliquid(&|it| it.nonce_ms = now + 6 * 60_000),
        aster(&|it| it.user = agent()),
        aster(&|it| it.name = "hdx1&canWithdraw=true".to_owned()),
        aster(&|it| it.signature_chain_id = 1),
        aster(&|it| it.expires_ms = now + 181 * DAY_MS),
        aster(&|it| it.nonce_us = (now + 6 * 60_000) * 1_000),
        Intent::HyperliquidRevokeAgent(HyperliquidRevokeAgent {
            chain: HyperliquidChain::Mainnet,
            name: "theirs".to_owned(),
            nonce_ms: now,
        }),
        Intent::AsterDeleteAgent(AsterDeleteAgent {
            agent: agent(),
            chain: HyperliquidChain::Mainnet,
            user: agent(),
            nonce_us: now * 1_000,
            signature_chain_id: 56,
        }),
        Intent::AsterLogin(AsterLogin { nonce: "111111".to_owned() }),
        message("You are signing into Astherus 111111"),
        message("  you ARE signing\tinto Aster DEX 1"),
        message("Register Lighter Account\n\npubkey: 0x00"),
        message(""),
        message(&"x".repeat(8_193)),
    ];
    for (index, intent) in attacks.into_iter().enumerate() {
        let mut session = [0; 32];
        session[0] = u8::try_from(index).unwrap();
        let refused = attacker.open(session, &intent).await;
        let refused = refused.map(|_| ()).unwrap_err();
        assert!(matches!(refused, Refusal::Policy(_)), "{intent:?}: {refused:?}");
    }
    attacker.still_signs().await;
}

/// A nonce is signed once, and afterwards no lower nonce is signed.
#[tokio::test(flavor = "multi_thread")]
async fn repeated_nonce_is_refused() {
    let attacker = Attacker::new().await;
    let now = attacker.app.clock.now_ms();
    let with = |nonce_ms: u64| {
        Intent::HyperliquidApproveAgent(HyperliquidApproveAgent { nonce_ms, ..approve(now) })
    };
    assert!(attacker.open([1; 32], &with(now)).await.is_ok());
    for (session, nonce_ms) in [(2, now), (3, now - 1)] {
        let refused = attacker.open([session; 32], &with(nonce_ms)).await.map(|_| ());
        assert!(matches!(refused, Err(Refusal::Policy(_))), "{refused:?}");
    }
    // Aster has its own nonces.
    let wallet = attacker.share.address();
    assert!(
        attacker.open([4; 32], &Intent::AsterRegisterAgent(register(wallet, now))).await.is_ok()
    );
    assert!(attacker.open([5; 32], &with(now + 1)).await.is_ok());
}

/// The protocol has no intent for a raw digest, a transaction, a withdrawal, a transfer or an agent
/// that may withdraw. Bytes that encode one do not parse.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_intents_do_not_parse() {
    /// Intents that an attacker invents, next to the real ones.
    #[derive(Serialize)]
    enum FakeIntent {
        _PersonalMessage(String),
        _AsterLogin(String),
        _AsterRegisterAgent(String),
        _AsterDeleteAgent(String),
        _HyperliquidApproveAgent(String),
        _HyperliquidRevokeAgent(String),
        _HyperliquidApproveBuilder(String),
        _AsterApproveBuilder(String),
        RawDigest([u8; 32]),
        UsdSend { destination: String, amount: String },
        Withdraw { amount: u64 },
    }
    #[derive(Serialize)]
    enum FakeCall {
        _StartKeygen,
        _FinishKeygen,
        StartSign { intent: FakeIntent, message: Vec<u8> },
    }
    #[derive(Serialize)]
    struct FakeRequest {
        protocol: u16,
        key: WalletKey,
        session: [u8; 32],
        request_id: String,
        caller: String,
        call: FakeCall,
    }
    let attacker = Attacker::new().await;
    let data = sign_data(&attacker.key, [1; 32], party_2(), [7; 32]);
    let (_, _, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
    let honest = postcard::to_stdvec(&phase_1.remove(0)).unwrap();
    for intent in [
        FakeIntent::RawDigest([7; 32]),
        FakeIntent::UsdSend { destination: agent().to_string(), amount: "1".to_owned() },
        FakeIntent::Withdraw { amount: 1 },
    ] {
        let request = FakeRequest {
            protocol: PROTOCOL,
            key: attacker.key.clone(),
            session: [1; 32],
            request_id: String::new(),
            caller: String::new(),
            call: FakeCall::StartSign { intent, message: honest.clone() },
        };
        use base64::Engine;
        let bytes = postcard::to_stdvec(&request).unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        assert!(matches!(Request::from_payload(&text), Err(Refusal::Malformed)));
        let url =
            format!("{}/2015-03-31/functions/cosigner/invocations", attacker.app.stack.lambda);
        let body = serde_json::json!(text).to_string();
        let reply = attacker.app.send(attacker.app.request_to(&url).body(body)).await;
        let answer = protocol::Answer::from_payload(reply.body.to_string().as_bytes());
        assert!(matches!(answer, Some(protocol::Answer::Refused(Refusal::Malformed))));
    }
    attacker.still_signs().await;
}

/// A personal message is hashed with its own prefix, so no text hashes to typed data.
#[tokio::test(flavor = "multi_thread")]
async fn message_with_typed_data_bytes_is_hashed_as_message() {
    let attacker = Attacker::new().await;
    let now = attacker.app.clock.now_ms();
    let target = Intent::HyperliquidApproveAgent(approve(now)).digest();
    let text: String =
        "\x19\x01".chars().chain(target.iter().map(|byte| char::from(*byte & 0x7f))).collect();
    let intent = Intent::PersonalMessage(PersonalMessage::parse(text).unwrap());
    assert_ne!(intent.digest(), target);
    let data = sign_data(&attacker.key, [2; 32], party_2(), target);
    let (_, _, mut phase_1) = attacker.share.party().sign_phase1(&data).unwrap();
    let start = StartSign { intent, message: phase_1.remove(0) };
    let answer = attacker.cosigner.call(&attacker.key, [2; 32], Call::StartSign(start)).await;
    assert!(matches!(refusal(answer), Err(Refusal::Aborted(_))));
    attacker.still_signs().await;
}

/// The rate is counted in the table, for all processes of the attacker together.
#[tokio::test(flavor = "multi_thread")]
async fn signatures_over_the_wallet_rate_are_refused() {
    let policy = include_str!("../../../../../infra/cosigner-policy.json");
    let policy = policy.replacen("\"perMinute\": 120", "\"perMinute\": 3", 1);
    let attacker = Attacker::with(|options| options.cosigner_policy = Some(policy)).await;
    let intent = message("hello");
    for session in 1..=3 {
        attacker.open([session; 32], &intent).await.unwrap();
    }
    for session in 4..=5 {
        let refused = attacker.open([session; 32], &intent).await.map(|_| ());
        assert!(matches!(refused, Err(Refusal::Rate { .. })), "{refused:?}");
    }
    let body = serde_json::json!({ "message": "hello" });
    let reply = attacker.app.post("/api/wallets/victim/sign", body).await;
    assert_eq!((reply.status, reply.text("/code")), (429, "SIGNING_RATE_LIMIT"));
    let message = reply.text("/message");
    assert!(message.starts_with("The signing policy allows no more for now: "), "{message}");
    assert!(message.contains("minute"), "expected the policy's reason: {message}");
    attacker.app.clock.advance_ms(60_000);
    attacker.still_signs().await;
}

/// The wallets of a tenant count together. Wallets of other tenants do not count.
#[tokio::test(flavor = "multi_thread")]
async fn signatures_over_the_tenant_rate_are_refused() {
    let policy = include_str!("../../../../../infra/cosigner-policy.json");
    let policy = policy.replacen("\"perMinute\": 30000", "\"perMinute\": 3", 1);
    let attacker = Attacker::with(|options| options.cosigner_policy = Some(policy)).await;
    attacker.app.wallet("second").await;
    let body = serde_json::json!({ "message": "hello" });
    let sign = async |user: &str| {
        attacker.app.post(&format!("/api/wallets/{user}/sign"), body.clone()).await.status
    };
    for user in ["victim", "second", "victim"] {
        assert_eq!(sign(user).await, 200);
    }
    for user in ["victim", "second"] {
        assert_eq!(sign(user).await, 429);
    }
    attacker.app.clock.advance_ms(60_000);
    assert_eq!(sign("second").await, 200);
}

/// An open session expires after half a minute. Each one counts as a signature, so the rate limits
/// their number.
#[tokio::test(flavor = "multi_thread")]
async fn flood_of_open_sessions_requires_a_refresh() {
    let attacker = Attacker::new().await;
    let mut opened = Vec::new();
    for session in 0..4 {
        opened.push(attacker.open([session; 32], &message("flood")).await.unwrap());
    }
    let more = attacker.open([4; 32], &message("flood")).await;
    assert_eq!(more.map(|_| ()), Err(Refusal::Busy));
    attacker.app.clock.advance_ms(16_000);
    let more = attacker.open([5; 32], &message("flood")).await;
    assert_eq!(more.map(|_| ()), Err(Refusal::Worn));
    for run in opened {
        assert_eq!(attacker.finish(run.session, run.phase_2).await, Err(Refusal::NoSession));
    }
    // The honest endpoint refreshes the shares and signs with the new ones.
    attacker.still_signs().await;
    let more = attacker.open([6; 32], &message("flood")).await;
    assert_eq!(more.map(|_| ()), Err(Refusal::Retired));
}
