//! Sending of transactions to the simulated Lighter: signatures, nonces, batches and refusals.

use exchange_sim::faults::Fault;
use lighter_signer::{Action, Attributes, MarginMode, TESTNET, Transaction};
use serde_json::json;

use crate::support::lighter::{ACCOUNT, BTC, Lighter, SLOT, code, key, limit, market};

fn order(client: u64) -> Action {
    Action::CreateOrder(limit(client, false, 100, 5_000_000))
}

#[tokio::test]
async fn signed_order_rests_and_is_found_by_hash() {
    let lighter = Lighter::new();
    let (code, hash) = lighter.act(order(9)).await;
    assert_eq!(code, 200);
    let tx = lighter.tx(&hash).await;
    assert_eq!((&tx["status"], &tx["type"], &tx["nonce"]), (&json!(2), &json!(14), &json!(0)));
    assert_eq!(lighter.status(9).await, "open");
    assert_eq!(lighter.next_nonce().await, 1);
    lighter.clock.advance(700_000);
    assert_eq!(lighter.tx(&hash).await["status"], 3);
    let unknown = lighter.get(&format!("tx?by=hash&value={}", "0".repeat(80))).await;
    assert_eq!(self::code(&unknown), 21_500);
}

#[tokio::test]
async fn signature_by_another_key_network_or_content_is_refused() {
    let lighter = Lighter::new();
    let transaction = lighter.transaction(order(1));
    let (kind, info, _) = lighter.sign(&transaction, &key(2));
    assert_eq!(code(&lighter.send(kind, &info).await), 21_120);
    let (_, info, _) = lighter.sign(&transaction, &key(1));
    let changed = info.replace("\"BaseAmount\":100", "\"BaseAmount\":101");
    assert_ne!(changed, info);
    assert_eq!(code(&lighter.send(kind, &changed).await), 21_120);
    let hash = transaction.hash(TESTNET);
    let random = domain::random::Random::system();
    let signature = key(1).sign(&hash, &random).unwrap();
    assert_eq!(code(&lighter.send(kind, &transaction.tx_info(&signature)).await), 21_120);
    for (account_index, api_key_index, expected) in [(1, SLOT, 21_100), (ACCOUNT, 6, 21_109)] {
        let other = Transaction { account_index, api_key_index, ..transaction.clone() };
        let (_, info, _) = lighter.sign(&other, &key(1));
        assert_eq!(code(&lighter.send(kind, &info).await), expected);
    }
    // Nothing of that used the nonce.
    assert_eq!(code(&lighter.send(kind, &info).await), 200);
}

#[tokio::test]
async fn nonce_must_be_next_or_larger_with_the_attribute() {
    let lighter = Lighter::new();
    let with = |nonce, attributes: &Attributes, client| {
        let transaction = lighter.transaction(order(client));
        let transaction = Transaction { nonce, attributes: attributes.clone(), ..transaction };
        lighter.sign(&transaction, &key(1)).1
    };
    let (plain, skip) = (Attributes::default(), Attributes::skip_nonce());
    for (nonce, attributes, client, expected) in [
        (1, &plain, 1, 21_104),
        (0, &plain, 1, 200),
        (0, &plain, 2, 21_104),
        (1_790_000_000_000, &skip, 2, 200),
        (1_789_999_999_999, &skip, 3, 21_104),
        (1_790_000_000_000, &skip, 3, 21_104),
        (1_790_000_000_001, &plain, 3, 200),
        (1 << 47, &skip, 4, 21_104),
    ] {
        let answer = lighter.send(14, &with(nonce, attributes, client)).await;
        assert_eq!(code(&answer), expected, "{nonce}");
    }
}

#[tokio::test]
async fn same_bytes_execute_once() {
    let lighter = Lighter::new();
    let (kind, info, hash) = lighter.sign(&lighter.transaction(order(5)), &key(1));
    lighter.exchange.fail_next("createOrder", Fault::AppliedButLost);
    assert_eq!(lighter.send(kind, &info).await.status, 502);
    assert_eq!(code(&lighter.send(kind, &info).await), 21_104);
    assert_eq!(lighter.tx(&hash).await["status"], 2);
    assert_eq!(lighter.exchange.executions(ACCOUNT)["5"].accepted, 1);
    assert!(lighter.exchange.executions(ACCOUNT)["5"].requests.contains(&hash));
    // A request that arrives late, after the caller has sent the bytes again.
    let (kind, info, _) = lighter.sign(&lighter.transaction(order(6)), &key(1));
    lighter.send_late(kind, &info, 1_000).await;
    assert_eq!(code(&lighter.send(kind, &info).await), 200);
    lighter.clock.advance(2_000);
    assert_eq!(lighter.exchange.executions(ACCOUNT)["6"].accepted, 1);
}

#[tokio::test]
async fn transaction_expires_and_leaves_its_nonce() {
    let lighter = Lighter::new();
    let (kind, info, _) = lighter.sign(&lighter.transaction(order(1)), &key(1));
    lighter.clock.advance(60_000);
    assert_eq!(code(&lighter.send(kind, &info).await), 21_501);
    // Accepted, but the sequencer comes too late.
    let mut rules = lighter.exchange.rules();
    rules.pending_ms = 90_000;
    lighter.exchange.set_rules(rules);
    let late = Transaction { nonce: 0, ..lighter.transaction(order(1)) };
    let (kind, info, hash) = lighter.sign(&late, &key(1));
    assert_eq!(code(&lighter.send(kind, &info).await), 200);
    assert_eq!(lighter.tx(&hash).await["status"], 1);
    lighter.clock.advance(90_000);
    assert_eq!(lighter.tx(&hash).await["status"], 0);
    assert_eq!(lighter.next_nonce().await, 0);
    assert!(lighter.exchange.executions(ACCOUNT).is_empty());
}

#[tokio::test]
async fn refusals_have_the_codes_of_the_exchange() {
    let lighter = Lighter::new();
    let refused = async |action: Action| {
        let transaction = Transaction { nonce: 0, ..lighter.transaction(action) };
        let (kind, info, _) = lighter.sign(&transaction, &key(1));
        code(&lighter.send(kind, &info).await)
    };
    let base = limit(1, false, 100, 5_000_000);
    let order = |change: fn(&mut lighter_signer::Order)| {
        let mut order = base.clone();
        change(&mut order);
        Action::CreateOrder(order)
    };
    assert_eq!(refused(order(|order| order.market_index = 2)).await, 21_602);
    assert_eq!(refused(order(|order| order.market_index = 13)).await, 21_605);
    assert_eq!(refused(order(|order| order.base_amount = 0)).await, 21_701);
    assert_eq!(refused(order(|order| order.base_amount = 1)).await, 21_603);
    assert_eq!(refused(order(|order| order.price = 0)).await, 21_702);
    assert_eq!(refused(order(|order| order.price = 50_000)).await, 21_733);
    assert_eq!(refused(order(|order| order.expiry_ms = 0)).await, 21_711);
    assert_eq!(refused(order(|order| order.trigger_price = 5)).await, 21_729);
    assert_eq!(refused(order(|order| order.client_order_index = 1 << 48)).await, 21_727);
    let leverage = |initial_margin_fraction| Action::UpdateLeverage {
        market_index: BTC,
        initial_margin_fraction,
        margin_mode: MarginMode::Cross,
    };
    assert_eq!(refused(leverage(249)).await, 21_113);
    assert_eq!(refused(leverage(250)).await, 200);
    let answer = lighter.send(12, "{}").await;
    assert_eq!((code(&answer), &answer.json()["message"]), (21_505, &json!("unsupported tx type")));
    assert_eq!(code(&lighter.send(14, "{}").await), 21_501);
    assert_eq!(code(&lighter.form("/api/v1/sendTx", &[("tx_type", "14")]).await), 20_001);
}

#[tokio::test]
async fn restricted_region_and_outdated_sdk_are_steered() {
    let lighter = Lighter::new();
    for (rule, on, off, expected) in
        [("region", "restricted", "open", 20_558), ("sdk", "outdated", "current", 21_136)]
    {
        assert!(lighter.exchange.set_rule(rule, on));
        let transaction = Transaction { nonce: 0, ..lighter.transaction(order(1)) };
        let (kind, info, _) = lighter.sign(&transaction, &key(1));
        assert_eq!(code(&lighter.send(kind, &info).await), expected);
        assert!(lighter.exchange.set_rule(rule, off) && !lighter.exchange.set_rule(rule, "x"));
    }
    assert!(lighter.exchange.set_rule("refuseNext", "21601 order book is full"));
    let refused = Transaction { nonce: 0, ..lighter.transaction(order(1)) };
    let (kind, info, hash) = lighter.sign(&refused, &key(1));
    assert_eq!(code(&lighter.send(kind, &info).await), 200);
    let tx = lighter.tx(&hash).await;
    assert_eq!(tx["status"], 0);
    assert!(tx["event_info"].as_str().unwrap().contains("21601"), "{tx}");
    // A refused transaction has used its nonce.
    assert_eq!(code(&lighter.send(kind, &info).await), 21_104);
}

#[tokio::test]
async fn standard_account_has_60_requests_per_minute() {
    let lighter = Lighter::new();
    assert!(lighter.exchange.set_rule("tier", "standard"));
    for _ in 0..60 {
        assert_eq!(code(&lighter.get("orderBooks").await), 200);
    }
    let refused = lighter.get("orderBooks").await;
    assert_eq!(code(&refused), 23_000);
    assert!(refused.headers.contains_key("retry-after"));
    lighter.clock.advance(60_000);
    assert_eq!(code(&lighter.get("orderBooks").await), 200);
}

#[tokio::test]
async fn batch_is_of_one_key_with_rising_nonces() {
    let lighter = Lighter::new();
    let send = async |transactions: &[Transaction]| {
        let signed: Vec<_> = transactions.iter().map(|it| lighter.sign(it, &key(1))).collect();
        let types: Vec<_> = signed.iter().map(|it| it.0).collect();
        let infos: Vec<_> = signed.iter().map(|it| &it.1).collect();
        let pairs =
            [("tx_types", json!(types).to_string()), ("tx_infos", json!(infos).to_string())];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lighter.form("/api/v1/sendTxBatch", &pairs).await
    };
    let first = lighter.transaction(order(1));
    let second = lighter.transaction(Action::CreateOrder(market(2, false, 50, 6_100_000)));
    let same = Transaction { nonce: 0, ..second.clone() };
    assert_eq!(code(&send(&[first.clone(), same]).await), 21_105);
    let gap = Transaction { nonce: 5, ..second.clone() };
    assert_eq!(code(&send(&[first.clone(), gap]).await), 21_104);
    let other = Transaction { api_key_index: 6, ..second.clone() };
    assert_eq!(code(&send(&[first.clone(), other]).await), 21_121);
    let many = vec![first.clone(); 51];
    assert_eq!(code(&send(&many).await), 21_514);
    assert!(lighter.exchange.executions(ACCOUNT).is_empty());
    let answer = send(&[first, second]).await;
    assert_eq!((code(&answer), answer.json()["tx_hash"].as_array().unwrap().len()), (200, 2));
    assert_eq!(lighter.exchange.position_of(ACCOUNT, "BTC"), "0.005");
}
