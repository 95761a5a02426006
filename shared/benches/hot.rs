//! Benchmarks of a request's work outside the protocol: digests and seals. Run with `cargo bench
//! -p shared`.

#![expect(clippy::unwrap_used, reason = "a benchmark panics on failure")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use domain::eth::{Address, AgentKey, Signature, personal_digest};
use domain::intent::{
    AsterDeleteAgent, AsterLogin, AsterRegisterAgent, HyperliquidApproveAgent, HyperliquidChain,
    HyperliquidRevokeAgent, Intent, PersonalMessage,
};
use domain::random::Random;
use lighter_signer::{
    Action, Attributes, MAINNET, Order, OrderType, SecretKey, TimeInForce, Transaction,
};
use protocol::{OnceKey, UnusedKey};

/// Runs the work that `infra/callgrind.sh` counts.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn intents() -> Vec<Intent> {
    let agent: Address = "0x410D9849b1089D6DB21dFDD1a0a946Ce1a2d53FA".parse().unwrap();
    let name = "hdx1abc".to_owned();
    let (chain, now_ms) = (HyperliquidChain::Mainnet, 1_795_406_234_446);
    vec![
        Intent::PersonalMessage(PersonalMessage::parse("hello").unwrap()),
        Intent::AsterLogin(AsterLogin { nonce: "111111".to_owned() }),
        Intent::AsterRegisterAgent(AsterRegisterAgent {
            user: agent,
            nonce_us: now_ms * 1_000,
            name: name.clone(),
            agent,
            expires_ms: now_ms,
            signature_chain_id: 56,
            can_spot_trade: true,
            can_perp_trade: true,
            ip_whitelist: None,
        }),
        Intent::AsterDeleteAgent(AsterDeleteAgent {
            agent,
            chain,
            user: agent,
            nonce_us: now_ms * 1_000,
            signature_chain_id: 56,
        }),
        Intent::HyperliquidApproveAgent(HyperliquidApproveAgent {
            chain,
            agent,
            name: name.clone(),
            valid_until_ms: now_ms,
            nonce_ms: now_ms,
        }),
        Intent::HyperliquidRevokeAgent(HyperliquidRevokeAgent { chain, name, nonce_ms: now_ms }),
    ]
}

fn digests(criterion: &mut Criterion) {
    for intent in intents() {
        criterion.bench_function(&format!("digest of {}", intent.name()), |bencher| {
            bencher.iter(|| measured(|| black_box(&intent).digest()));
        });
    }
}

fn envelopes(criterion: &mut Criterion) {
    let random = Random::system();
    // The sizes of a share, a signature's state, and a key generation's reveals.
    for size in [52_600, 20_800, 147_000] {
        let secret = vec![7; size];
        criterion.bench_function(&format!("seal {size} bytes"), |bencher| {
            bencher.iter(|| {
                let seal = || UnusedKey::draw(&random).unwrap().seal(b"bench", black_box(&secret));
                measured(|| seal().unwrap())
            });
        });
        let unused = UnusedKey::draw(&random).unwrap();
        let key = OnceKey::from_bytes(unused.key().expose()).unwrap();
        let sealed = unused.seal(b"bench", &secret).unwrap();
        criterion.bench_function(&format!("open {size} bytes"), |bencher| {
            bencher.iter(|| measured(|| key.open(b"bench", black_box(sealed.clone())).unwrap()));
        });
    }
}

fn agents(criterion: &mut Criterion) {
    let random = Random::system();
    criterion.bench_function("a new agent key and its address", |bencher| {
        bencher.iter(|| measured(|| AgentKey::generate(&random).unwrap().address()));
    });
    let key = AgentKey::generate(&random).unwrap();
    let digest = personal_digest("hello");
    let signature: Signature = key.sign(&digest).unwrap();
    criterion.bench_function("the signer of a signature", |bencher| {
        bencher.iter(|| measured(|| black_box(&signature).recover(&digest).unwrap()));
    });
}

/// The public key, the hash and the signature of an order of Lighter. Each signature is verified.
fn lighter(criterion: &mut Criterion) {
    let (random, now_ms) = (Random::system(), 1_795_900_000_000);
    let digits = "0915b889c9631706684d65f004fb858275092036a85d9f7516ae34fc9c292f1e96fb5e73f33e9c62";
    let key = SecretKey::parse(digits).unwrap();
    let order = Transaction {
        account_index: 281_190,
        api_key_index: 5,
        nonce: now_ms,
        expired_at_ms: now_ms + 60_000,
        action: Action::CreateOrder(Order {
            market_index: 1,
            client_order_index: 1_795_000_000_001,
            base_amount: 1_234,
            price: 804_653,
            is_ask: false,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::GoodTillTime,
            reduce_only: false,
            trigger_price: 0,
            expiry_ms: now_ms + 86_400_000,
        }),
        attributes: Attributes::skip_nonce(),
    };
    criterion.bench_function("a key of Lighter and its public key", |bencher| {
        bencher.iter(|| measured(|| SecretKey::parse(black_box(digits)).unwrap()));
    });
    criterion.bench_function("hash of an order of Lighter", |bencher| {
        bencher.iter(|| measured(|| black_box(&order).hash(MAINNET)));
    });
    criterion.bench_function("signature of an order of Lighter", |bencher| {
        bencher.iter(|| measured(|| order.sign(&key, MAINNET, now_ms, &random).unwrap()));
    });
}

criterion_group!(hot, digests, envelopes, agents, lighter);
criterion_main!(hot);
