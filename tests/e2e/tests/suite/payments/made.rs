//! Payments that are made: where the money arrives, what it costs, and what the service states.

use e2e::payments::{ARBITRUM, BSC, Place, TREASURY};
use exchange_sim::hyperliquid::money::Route;
use serde_json::json;

use super::{Scene, USER};

#[tokio::test(flavor = "multi_thread")]
async fn withdrawal_from_hyperliquid_arrives_on_arbitrum() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    let treasury = TREASURY.parse().unwrap();
    let arrived = || app.stack.chains_sim.balance_of(ARBITRUM, treasury, "USDC");
    let made = till.pay(app, Place::Hyperliquid, "by-cctp", "20").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    app.clock.advance_ms(10_000);
    assert_eq!(arrived(), "19.8");
    let id = made.text("/data/transferId");
    let state = till.state(app, Place::Hyperliquid, id).await;
    assert_eq!(state.text("/data/state"), "COMPLETED", "{state:?}");
    // The account's own activation, and the fee of Circle's way, which the ledger does not have.
    assert_eq!((state.text("/data/fee"), state.text("/data/feeAsset")), ("1.2", "USDC"));
    assert_eq!(state.body["data"]["chainId"], ARBITRUM);
    // The other route.
    let exchange = &app.stack.hyperliquid_sim;
    let mut rules = exchange.rules();
    rules.money.route = Route::Bridge;
    exchange.set_rules(rules);
    let made = till.pay(app, Place::Hyperliquid, "by-bridge", "30").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    app.clock.advance_ms(10_000);
    assert_eq!(arrived(), "48.8");
    let kinds: Vec<_> =
        exchange.payments(till.address).into_iter().map(|payment| payment.kind).collect();
    assert_eq!(kinds, ["send", "withdraw"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unified_account_withdraws_sends_and_moves() {
    for mode in ["unifiedAccount", "portfolioMargin", "disabled"] {
        let scene = Scene::open().await;
        let (app, till) = (&scene.app, &scene.till);
        assert!(app.stack.hyperliquid_sim.set_mode(till.address, mode));
        for place in [Place::Hyperliquid, Place::HyperliquidSend] {
            let mut body = place.body(USER, "20");
            if mode != "disabled" && place == Place::HyperliquidSend {
                body["from"] = json!("spot");
                body["to"] = json!("spot");
            }
            let made = till.pay_with(app, place, &format!("{place:?}"), &body).await;
            assert!(matches!(made.status, 200 | 202), "{mode} {place:?}: {made:?}");
            assert!(till.executed(app, place, "20") > 0, "{mode} {place:?}");
        }
        assert_eq!(till.total(app, Place::Hyperliquid), 2, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawal_from_aster_arrives_at_the_wallet_itself() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    let made = till.pay(app, Place::Aster, "one", "20").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    app.clock.advance_ms(10_000);
    assert_eq!(app.stack.chains_sim.balance_of(BSC, till.address, "USDT"), "1000019.89");
    let state = till.state(app, Place::Aster, made.text("/data/transferId")).await;
    assert_eq!(state.text("/data/state"), "COMPLETED", "{state:?}");
}

/// From the exchange to the treasury: a withdrawal to the wallet's own address, and a transfer.
#[tokio::test(flavor = "multi_thread")]
async fn transfer_of_tokens_arrives_on_chain() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    let made = till.pay(app, Place::Chain, "tokens", "20.000000000000000001").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    let treasury = TREASURY.parse().unwrap();
    let arrived = app.stack.chains_sim.balance_of(BSC, treasury, "USDT");
    assert_eq!(arrived, "20.000000000000000001");
    let state = till.state(app, Place::Chain, made.text("/data/transferId")).await;
    assert_eq!(state.text("/data/state"), "COMPLETED", "{state:?}");
    // The chain's own coin, by a chain with fees.
    let body = json!({
        "chainId": ARBITRUM, "asset": "native", "destination": TREASURY, "amount": "0.5",
    });
    let made = till.pay_with(app, Place::Chain, "coin", &body).await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
    assert_eq!(app.stack.chains_sim.balance_of(ARBITRUM, treasury, "ETH"), "0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_balances_and_listed_accounts_receive_transfers() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    for place in [Place::HyperliquidOwn, Place::HyperliquidSend] {
        let made = till.pay(app, place, &format!("{place:?}"), "12.5").await;
        assert!(matches!(made.status, 200 | 202), "{place:?}: {made:?}");
        let payments = app.stack.hyperliquid_sim.payments(till.address);
        let last = payments.last().unwrap();
        // The exchange's ledger shows the nonce, by which the payment is found.
        assert!(last.kind == "send" && last.nonce.is_some(), "{last:?}");
    }
}

/// A quote states fee and arrival, and neither signs nor sends anything.
#[tokio::test(flavor = "multi_thread")]
async fn dry_run_quotes_and_signs_nothing() {
    let scene = Scene::open().await;
    let (app, till) = (&scene.app, &scene.till);
    let fees = [
        (Place::Hyperliquid, "0.2"),
        (Place::HyperliquidSend, "0"),
        (Place::HyperliquidOwn, "0"),
        (Place::Aster, "0.11"),
    ];
    for place in Place::ALL {
        let mut body = place.body(USER, "20");
        body["dryRun"] = json!(true);
        let quote = till.pay_with(app, place, "quote", &body).await;
        assert_eq!(quote.status, 200, "{place:?}: {quote:?}");
        assert_eq!(quote.body["data"]["dryRun"], true);
        assert_eq!(quote.body["data"]["policy"]["allowed"], true, "{place:?}: {quote:?}");
        assert!(quote.body["data"]["arrival"]["maxSeconds"].as_u64().is_some());
        if let Some((_, fee)) = fees.iter().find(|(known, _)| *known == place) {
            let stated = quote.text("/data/fee");
            let activation = quote.text("/data/activationFee");
            assert!(stated == *fee || activation != "0", "{place:?}: {quote:?}");
        }
        assert_eq!(till.total(app, place), 0, "{place:?}");
    }
    let sent = app.stack.hyperliquid_sim.requests();
    assert!(sent.iter().all(|request| request.path != "/exchange"), "{sent:?}");
    // The same key is still free.
    let made = till.pay(app, Place::Aster, "quote", "20").await;
    assert!(matches!(made.status, 200 | 202), "{made:?}");
}
