//! Tests the client of Aster's API V1 against the simulator over HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

use std::sync::Arc;

use domain::clock::Clock;
use domain::eth::{Address, AgentKey, Signature};
use domain::intent::Intent;
use exchange_sim::aster::{Exchange, Network, Rules, V1Key};
use exchange_sim::faults::Fault;
use reqwest::Url;
use shared::exchanges::aster::v1::{NonceError, V1ApiKey, V1Client, V1Outcome};
use shared::exchanges::{RefusalKind, Unclear};
use tokio::net::TcpListener;

const NOW_MS: u64 = 1_790_000_000_000;

/// The simulator on a free port, its client, and a wallet.
struct Aster {
    exchange: Exchange,
    url: Url,
    client: V1Client,
    wallet: AgentKey,
}

impl Aster {
    async fn start() -> Self {
        let exchange = Exchange::new(Network::Mainnet, Arc::new(|| NOW_MS));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(axum::serve(listener, exchange.router()).into_future());
        let client = V1Client::new(&url, 5_000, 400, Clock::from_micros(|| NOW_MS * 1_000));
        let wallet = AgentKey::from_bytes(&[7; 32]).unwrap();
        Self { exchange, url, client, wallet }
    }

    fn address(&self) -> Address {
        self.wallet.address()
    }

    /// Returns the wallet's keys at the exchange.
    fn stored(&self) -> Vec<V1Key> {
        self.exchange.v1_keys_of(self.address().to_string().parse().unwrap())
    }

    async fn sign(&self) -> Signature {
        let login = self.client.login_nonce(self.address()).await.unwrap();
        self.wallet.sign(&Intent::AsterLogin(login).digest()).unwrap()
    }

    async fn send(&self, desc: &str, signature: &Signature) -> V1Outcome {
        let ip = Some([203, 0, 113, 7].into());
        self.client.create_api_key(self.address(), desc, ip, signature).await
    }

    async fn create(&self, desc: &str) -> V1Outcome {
        let signature = self.sign().await;
        self.send(desc, &signature).await
    }
}

fn key(outcome: V1Outcome) -> V1ApiKey {
    match outcome {
        V1Outcome::Created(key) => key,
        other => panic!("{other:?}"),
    }
}

fn refusal(outcome: &V1Outcome) -> RefusalKind {
    match outcome {
        V1Outcome::Refused(refusal) => refusal.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn aster_v1_create_returns_the_stored_key() {
    let aster = Aster::start().await;
    let key = key(aster.create("hdx bot & co").await);
    let stored = aster.stored();
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].desc.as_str(), stored[0].ip_whitelist.as_str()),
        ("hdx bot & co", "203.0.113.7")
    );
    assert_eq!(stored[0].api_key, key.api_key);
    assert!(stored[0].api_secret == *key.api_secret.as_str());
}

#[tokio::test]
async fn aster_v1_refusals_have_their_kind() {
    let aster = Aster::start().await;
    let signature = aster.sign().await;
    key(aster.send("bot", &signature).await);
    let spent = aster.send("bot2", &signature).await;
    assert_eq!(refusal(&spent), RefusalKind::NonceRejected);
    assert_eq!(refusal(&aster.create("bot").await), RefusalKind::AgentKnown);
    assert_eq!(refusal(&aster.create(&"d".repeat(21)).await), RefusalKind::OurFault);
    let replaced = aster.sign().await;
    aster.sign().await;
    assert_eq!(refusal(&aster.send("bot3", &replaced).await), RefusalKind::SignatureFault);
    let late = Clock::from_micros(|| (NOW_MS - 5_001) * 1_000);
    let late = V1Client::new(&aster.url, 5_000, 400, late);
    let Err(NonceError::Refused(late)) = late.login_nonce(aster.address()).await else {
        panic!("expected a refusal of an old request");
    };
    assert_eq!(late.kind, RefusalKind::OurFault);
}

#[tokio::test]
async fn aster_v1_closed_returns_its_message() {
    let aster = Aster::start().await;
    let signature = aster.sign().await;
    aster.exchange.set_rules(Rules { v1_closed: true, ..Rules::default() });
    let text = "V1 new API Key creation is no longer supported";
    let V1Outcome::Refused(closed) = aster.send("bot", &signature).await else {
        panic!("expected a refusal")
    };
    assert_eq!((closed.kind, closed.text.as_str()), (RefusalKind::Other, text));
    let error = aster.client.login_nonce(aster.address()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no nonce: {text}"));
}

#[tokio::test]
async fn aster_v1_rate_limit_returns_its_wait() {
    let aster = Aster::start().await;
    let signature = aster.sign().await;
    for kind in ["getNonce", "createApiKey"] {
        aster.exchange.fail_next(kind, Fault::RateLimited { retry_after_s: 9 });
    }
    let limited = RefusalKind::RateLimited { retry_after_s: 9 };
    assert_eq!(refusal(&aster.send("bot", &signature).await), limited);
    let Err(NonceError::Refused(nonce)) = aster.client.login_nonce(aster.address()).await else {
        panic!("expected a rate limit");
    };
    assert_eq!(nonce.kind, limited);
}

#[tokio::test]
async fn aster_v1_lost_response_is_unknown() {
    let lost = [
        (Fault::AppliedButLost, true),
        (Fault::AppliedThenHang, true),
        (Fault::Hang, false),
        (Fault::Garbage, false),
        (Fault::Reset, false),
    ];
    for (fault, applied) in lost {
        let aster = Aster::start().await;
        aster.exchange.fail_next("createApiKey", fault.clone());
        let outcome = aster.create("bot").await;
        assert!(matches!(outcome, V1Outcome::Unknown(_)), "{fault:?}: {outcome:?}");
        let hangs = matches!(fault, Fault::Hang | Fault::AppliedThenHang);
        assert_eq!(hangs, matches!(outcome, V1Outcome::Unknown(Unclear::NoAnswer(_))));
        assert_eq!(aster.stored().len(), usize::from(applied));
        let again = aster.create("bot").await;
        if applied {
            assert_eq!(refusal(&again), RefusalKind::AgentKnown, "{fault:?}");
        } else {
            key(again);
        }
        aster.exchange.fail_next("getNonce", fault.clone());
        let nonce = aster.client.login_nonce(aster.address()).await;
        assert!(matches!(nonce, Err(NonceError::Unclear(_))), "{fault:?}: {nonce:?}");
    }
}

#[tokio::test]
async fn aster_v1_unreachable_means_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let client = V1Client::new(&url, 5_000, 400, Clock::from_micros(|| NOW_MS * 1_000));
    let wallet = AgentKey::from_bytes(&[7; 32]).unwrap();
    let nonce = client.login_nonce(wallet.address()).await;
    assert!(matches!(nonce, Err(NonceError::NotSent(_))), "{nonce:?}");
    let signature = wallet.sign(&[1; 32]).unwrap();
    let outcome = client.create_api_key(wallet.address(), "bot", None, &signature).await;
    assert!(matches!(outcome, V1Outcome::NotSent(_)), "{outcome:?}");
}
