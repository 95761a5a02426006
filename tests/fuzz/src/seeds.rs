//! The fuzzer's seeds: one honest input of each kind, made from the samples of the crates and from
//! the code.

use domain::eth::Address;
use domain::intent::{
    AsterApproveBuilder, AsterDeleteAgent, AsterLogin, AsterRegisterAgent, HyperliquidApproveAgent,
    HyperliquidApproveBuilder, HyperliquidChain, HyperliquidRevokeAgent, Intent, PersonalMessage,
};
use protocol::{Answer, Call, PROTOCOL, Refusal, Request, WalletKey};
use uuid::Uuid;

use crate::messages::{NOW_MS, WALLET};

/// A seed: its target, its name and its bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// Returns all seeds.
#[must_use]
pub fn all() -> Vec<Seed> {
    let mut seeds = requests();
    seeds.extend(items());
    seeds.extend(messages());
    seeds.extend(answers());
    seeds.extend(lighter());
    // A whole share has 50 KB and is one of the samples. The seed is its beginning.
    let share = include_bytes!("../../../shared/tests/samples/key-share-party-1.v1.bin");
    seeds.push(("shares", "cut".to_owned(), share[..1_024].to_vec()));
    seeds.push(("shares", "format".to_owned(), vec![1, 1, 2, 2]));
    seeds
}

fn named<'a>(
    target: &'static str,
    seeds: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Seed> {
    let bytes = |(name, text): (&str, &str)| (target, name.to_owned(), text.as_bytes().to_vec());
    seeds.into_iter().map(bytes).collect()
}

fn requests() -> Vec<Seed> {
    named(
        "requests",
        [
            ("wallet", r#"{"userId":"user_123"}"#),
            ("register", r#"{"walletIdOrAddress":"user_123","autoRenew":false}"#),
            ("sign", r#"{"message":"hello \u00e9 \ud83d\ude00"}"#),
            (
                "order",
                r#"{"walletIdOrAddress":"user_123","symbol":"BTC","side":"BUY","type":"LIMIT","quantity":"0.001","price":"49850.00","clientOrderId":"bot-17","takeProfit":{"triggerPrice":"60000"}}"#,
            ),
            (
                "orders",
                r#"{"walletId":"user_123","orders":[{"symbol":"BTCUSDT","side":"SELL","type":"STOP_MARKET","quantity":"1","stopPrice":"40000","positionSide":"LONG"}]}"#,
            ),
            ("policy", r#"{"maxOrderNotional":"1000","ordersPerMinute":10,"symbols":["BTC"]}"#),
            ("reserved", " You are  signing into Astherus 501182"),
            ("lighter", "Register Lighter Account\n\npubkey: 0x00"),
            ("twice", r#"{"a":{"b":[{"c":1,"c":2}]},"a":null}"#),
            ("numbers", r#"{"message":1e308,"userId":-0.0,"autoRenew":18446744073709551616}"#),
            ("address", WALLET),
            ("uuid", "29dd4dc0-1ff9-4df6-a19f-936f997cbc5a"),
            ("user", "auth0|user_1@x.io:9"),
            ("page", "limit=100&cursor=AQ8AAAGiBx8&other=%00"),
            ("query", "walletIdOrAddress=user_1&walletIdOrAddress=%ff"),
            ("type", "application/vnd.api+json; charset=utf-8"),
            ("key", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ],
    )
}

fn items() -> Vec<Seed> {
    let samples = [
        ("wallet", include_str!("../../../shared/tests/samples/record.v1.json")),
        ("refreshed", include_str!("../../../shared/tests/samples/record-refreshed.v1.json")),
        ("share", include_str!("../../../shared/tests/samples/share.v1.json")),
        ("nonces", include_str!("../../../shared/tests/samples/nonces.v1.json")),
        ("pointer", include_str!("../../../shared/tests/samples/pointer.v1.json")),
        ("aster", include_str!("../../../shared/tests/samples/credential-aster.v1.json")),
        (
            "hyperliquid",
            include_str!("../../../shared/tests/samples/credential-hyperliquid.v1.json"),
        ),
        ("idempotency", include_str!("../../../shared/tests/samples/idempotency.v1.json")),
        (
            "session",
            include_str!("../../../functions/cosigner/signer/tests/samples/session.v1.json"),
        ),
        (
            "cosigner",
            include_str!("../../../functions/cosigner/signer/tests/samples/share-1.v1.json"),
        ),
        (
            "retired",
            include_str!("../../../functions/cosigner/signer/tests/samples/share-retired.v1.json"),
        ),
        ("policy", include_str!("../../../infra/cosigner-policy.json")),
        (
            "audit",
            r#"{"Item":{"pk":{"S":"t#W#00000000-0000-0000-0000-000000000007"},"sk":{"S":"audit#000000000001"},"schema":{"N":"1"},"seq":{"N":"1"},"prev":{"S":""},"body":{"S":"{\"seq\":1,\"atMs\":1795406234446}"},"hash":{"S":"00"}}}"#,
        ),
        (
            "head",
            r#"{"Item":{"pk":{"S":"t#W#00000000-0000-0000-0000-000000000007"},"sk":{"S":"audit"},"schema":{"N":"1"},"seq":{"N":"1"},"hash":{"S":"00"},"minute":{"N":"1"},"minuteUsed":{"N":"1"},"day":{"N":"1"},"dayUsed":{"N":"1"}}}"#,
        ),
        (
            "seal",
            r#"{"schema":{"N":"1"},"number":{"N":"1"},"body":{"S":"{}"},"hash":{"S":"00"},"signature":{"S":"00"}}"#,
        ),
        (
            "sealed",
            r#"{"number":1,"prev":"","fromDay":1,"atMs":1795406234446,"heads":[["t#W#1",1,"00"]],"next":{"shard":3,"after":[1,"t#W#1"]}}"#,
        ),
    ];
    named("items", samples)
}

fn messages() -> Vec<Seed> {
    let wallet: Address = WALLET.parse().expect("an address");
    let agent: Address = "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().expect("an address");
    let chain = HyperliquidChain::Mainnet;
    let intents = [
        Intent::PersonalMessage(PersonalMessage::parse("hello").expect("a message")),
        Intent::AsterLogin(AsterLogin { nonce: "501182".to_owned() }),
        Intent::AsterRegisterAgent(AsterRegisterAgent {
            user: wallet,
            nonce_us: NOW_MS * 1_000,
            name: "hdx1".to_owned(),
            agent,
            expires_ms: NOW_MS + 1_000_000,
            signature_chain_id: 56,
            can_spot_trade: true,
            can_perp_trade: true,
            ip_whitelist: None,
        }),
        Intent::AsterDeleteAgent(AsterDeleteAgent {
            agent,
            chain,
            user: wallet,
            nonce_us: NOW_MS * 1_000,
            signature_chain_id: 56,
        }),
        Intent::HyperliquidApproveAgent(HyperliquidApproveAgent {
            chain,
            agent,
            name: "hdx1".to_owned(),
            valid_until_ms: NOW_MS + 1_000_000,
            nonce_ms: NOW_MS,
        }),
        Intent::HyperliquidRevokeAgent(HyperliquidRevokeAgent {
            chain,
            name: "hdx1".to_owned(),
            nonce_ms: NOW_MS,
        }),
        Intent::HyperliquidApproveBuilder(HyperliquidApproveBuilder {
            chain,
            builder: agent,
            max_fee: 50.try_into().expect("a fee"),
            nonce_ms: NOW_MS,
        }),
        Intent::AsterApproveBuilder(AsterApproveBuilder {
            is_update: false,
            builder: agent,
            max_fee: 50.try_into().expect("a fee"),
            chain,
            user: wallet,
            nonce_us: NOW_MS * 1_000,
            signature_chain_id: 56,
        }),
    ];
    let bytes = |intent| postcard::to_stdvec(intent).expect("bytes");
    let mut seeds: Vec<Seed> = intents
        .iter()
        .enumerate()
        .map(|(number, intent)| ("messages", format!("intent-{number}"), bytes(intent)))
        .collect();
    let request = Request {
        protocol: PROTOCOL,
        key: WalletKey {
            tenant: "tenant".parse().expect("a tenant"),
            wallet_id: Uuid::from_u128(7),
            key_version: 1,
        },
        session: [3; 32],
        request_id: "request".to_owned(),
        caller: "test".to_owned(),
        call: Call::Retire,
    };
    let plain = |payload: Vec<u8>| payload[1..payload.len() - 1].to_vec();
    seeds.push(("messages", "request".to_owned(), plain(request.to_payload())));
    for (number, refusal) in
        [Refusal::Malformed, Refusal::Policy("rate".to_owned()), Refusal::Newest(3)]
            .into_iter()
            .enumerate()
    {
        let payload = Answer::Refused(refusal).to_payload();
        seeds.push(("messages", format!("refusal-{number}"), payload.get().as_bytes().to_vec()));
    }
    seeds
}

fn lighter() -> Vec<Seed> {
    let mut seeds = named(
        "lighter",
        [
            (
                "key",
                "0x0915b889c9631706684d65f004fb858275092036a85d9f7516ae34fc9c292f1e96fb5e73f33e9c62",
            ),
            (
                "order-of-group",
                "e1ff8b9496d90fe89ca024d7395c88e83906b8cfe6ffff7f16000000f1ffff7f07000080fdffff7f",
            ),
        ],
    );
    // Every action, of which some are orders: side, time in force, type, expiry and trigger.
    let day = NOW_MS + 86_400_000;
    for (number, (kind, words, expiry, trigger)) in [
        (0, [0, 0, 0], 0, 0),
        (1, [0, 0, 0], 0, 0),
        (2, [0, 0, 0], 0, 0),
        (3, [0, 0, 0], 0, 0),
        (4, [0, 1, 0], day, 0),
        (6, [0, 1, 0], day, 0),
        (134, [1, 2, 0], day, 0),
        (7, [1, 0, 1], 0, 0),
        (7, [1, 0, 2], day, 757_143),
        (6, [0, 2, 5], day, 757_143),
    ]
    .into_iter()
    .enumerate()
    {
        let mut bytes = vec![kind];
        for number in [281_190, 5, NOW_MS, NOW_MS + 60_000, 1, 1_795_000_000_001, 1_234, 804_653] {
            bytes.extend(u64::to_le_bytes(number));
        }
        bytes.extend(words);
        bytes.extend(u64::to_le_bytes(expiry));
        bytes.push(0);
        bytes.extend(u64::to_le_bytes(trigger));
        seeds.push(("lighter", format!("action-{number:02}"), bytes));
    }
    seeds
}

fn answers() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (number, body) in [
        r#"{"code":200,"msg":"success"}"#,
        r#"{"code":-1000,"msg":"No agent found"}"#,
        r#"{"code":"-4225","msg":"Nonce Expired"}"#,
        r#"{"code":-1003,"msg":"Too many requests"}"#,
        r#"[{"agentAddress":"0x410d9849b1089d6db21dfdd1a0a946ce1a2d53fa","agentName":"hdx1","expired":1790000000000}]"#,
        r#"{"status":"ok","response":{"type":"default"}}"#,
        r#"{"status":"err","response":"L1 error: Too many extra agents for cumulative volume traded"}"#,
        r#"{"status":"err","response":"Must deposit before performing actions. User: 0x173404aaaa4d6539e2c7dbcc1931cf41b3a3d5c7"}"#,
        r#"{"role":"agent","data":{"user":"0x173404aaaa4d6539e2c7dbcc1931cf41b3a3d5c7"}}"#,
        r#"{"role":"missing"}"#,
        r#"[{"address":"0x410d9849b1089d6db21dfdd1a0a946ce1a2d53fa","name":"hdx1","validUntil":1790000000000}]"#,
        r#""501182""#,
        r#"{"apiKey":"4821c6c23b274455","apiSecret":"d6bbbf521bf4c7d9"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        seeds.push(("answers", format!("ok-{number:02}"), [b"\0", body.as_bytes()].concat()));
        seeds.push(("answers", format!("bad-{number:02}"), [b"\x04", body.as_bytes()].concat()));
    }
    seeds
}
