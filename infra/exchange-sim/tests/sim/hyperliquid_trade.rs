//! Orders on the simulated Hyperliquid.

mod triggers;

use exchange_sim::hyperliquid::Chain;
use serde_json::{Value, json};

use crate::support::{
    START, Wallet,
    hyperliquid::{Hyperliquid, l1},
};

fn owner() -> Wallet {
    Wallet::number(1)
}

fn key() -> Wallet {
    Wallet::number(9)
}

fn cloid(number: u8) -> String {
    format!("0x{number:032x}")
}

/// Returns an exchange where the owner has an agent.
async fn with_agent() -> Hyperliquid {
    let hyperliquid = Hyperliquid::new();
    assert_eq!(hyperliquid.approve(&owner(), "bot", key().address()).await, "ok");
    hyperliquid
}

fn limit(asset: u32, buy: bool, (price, size): (&str, &str), tif: &str) -> Value {
    json!({
        "a": asset, "b": buy, "p": price, "s": size, "r": false, "t": {"limit": {"tif": tif}},
    })
}

fn with(mut order: Value, field: &str, value: impl Into<Value>) -> Value {
    order[field] = value.into();
    order
}

/// Sends an action of the agent, and returns the entries of `statuses`.
async fn statuses(hyperliquid: &Hyperliquid, action: &Value) -> Vec<Value> {
    let body = l1(Chain::Mainnet, &key(), action, hyperliquid.nonce(), None, None);
    let answer = hyperliquid.post("/exchange", &body).await.json();
    assert_eq!(answer["status"], "ok", "{answer}");
    answer["response"]["data"]["statuses"].as_array().unwrap().clone()
}

async fn place(hyperliquid: &Hyperliquid, orders: &[Value], grouping: &str) -> Vec<Value> {
    let action = json!({"type": "order", "orders": orders, "grouping": grouping});
    statuses(hyperliquid, &action).await
}

async fn place_one(hyperliquid: &Hyperliquid, order: Value) -> Value {
    place(hyperliquid, &[order], "na").await.remove(0)
}

async fn ask(hyperliquid: &Hyperliquid, mut query: Value) -> Value {
    query["user"] = json!(format!("{:#x}", owner().address()));
    hyperliquid.post("/info", &query).await.json()
}

async fn status_of(hyperliquid: &Hyperliquid, oid: impl Into<Value>) -> Value {
    ask(hyperliquid, json!({"type": "orderStatus", "oid": oid.into()})).await
}

async fn position(hyperliquid: &Hyperliquid, coin: &str) -> String {
    hyperliquid.exchange.position_of(owner().address(), coin)
}

#[tokio::test]
async fn limit_order_rests_until_the_price_reaches_it() {
    let hyperliquid = with_agent().await;
    let order = with(limit(3, true, ("59000", "0.01"), "Gtc"), "c", cloid(1));
    let placed = place_one(&hyperliquid, order).await;
    let oid = placed["resting"]["oid"].as_u64().unwrap();
    assert_eq!(placed["resting"]["cloid"], cloid(1));
    let open = ask(&hyperliquid, json!({"type": "openOrders"})).await;
    assert_eq!(
        open,
        json!([{
            "coin": "BTC", "side": "B", "limitPx": "59000.0", "sz": "0.01", "oid": oid,
            "timestamp": START, "origSz": "0.01", "cloid": cloid(1),
        }])
    );
    assert_eq!(status_of(&hyperliquid, cloid(1)).await["order"]["status"], "open");
    assert!(hyperliquid.exchange.set_price("BTC", "58000"));
    let filled = status_of(&hyperliquid, oid).await;
    assert_eq!(
        (&filled["order"]["status"], &filled["order"]["order"]["sz"]),
        (&json!("filled"), &json!("0.0"))
    );
    let fills = ask(&hyperliquid, json!({"type": "userFills"})).await;
    assert_eq!(
        (&fills[0]["px"], &fills[0]["crossed"], &fills[0]["dir"]),
        (&json!("59000.0"), &json!(false), &json!("Open Long"))
    );
    assert_eq!(position(&hyperliquid, "BTC").await, "0.01");
    // The agent's own address is an empty account.
    let agent = json!(format!("{:#x}", key().address()));
    let query = json!({"type": "orderStatus", "user": agent, "oid": oid});
    assert_eq!(hyperliquid.post("/info", &query).await.json()["status"], "unknownOid");
}

#[tokio::test]
async fn ioc_fills_by_price_and_cancels_the_rest() {
    let hyperliquid = with_agent().await;
    let quotes = |quotes: &[(&str, &str)]| -> Vec<_> {
        quotes.iter().map(|(price, size)| ((*price).to_owned(), (*size).to_owned())).collect()
    };
    let asks = quotes(&[("3010", "1"), ("3001", "0.5"), ("3002", "0.25")]);
    assert!(hyperliquid.exchange.set_liquidity("ETH", &quotes(&[("2990", "1")]), &asks));
    let order = with(limit(1, true, ("3005", "2"), "Ioc"), "c", cloid(1));
    let placed = place_one(&hyperliquid, order).await;
    let filled = &placed["filled"];
    assert_eq!((&filled["totalSz"], &filled["avgPx"]), (&json!("0.75"), &json!("3001.33333333")));
    let status = status_of(&hyperliquid, cloid(1)).await;
    assert_eq!(status["order"]["status"], "canceled");
    assert_eq!(status["order"]["order"]["sz"], "1.25");
    let none = place_one(&hyperliquid, limit(1, true, ("3005", "1"), "Ioc")).await;
    let text = "Order could not immediately match against any resting orders asset=1";
    assert_eq!(none["error"], text);
}

#[tokio::test]
async fn refusals_have_the_exchanges_texts() {
    let hyperliquid = with_agent().await;
    let cases = [
        (limit(3, true, ("59000.5", "0.01"), "Gtc"), "Order has invalid price asset=3"),
        (limit(1, true, ("2900.1234", "1"), "Gtc"), "Price must be divisible by tick size asset=1"),
        (limit(3, true, ("59000", "0.00001"), "Gtc"), "Order has invalid size asset=3"),
        (limit(3, true, ("59000", "0"), "Gtc"), "Order has zero size asset=3"),
        (
            limit(3, true, ("59000", "0.0001"), "Gtc"),
            "Order must have minimum value of $10 asset=3",
        ),
        (
            limit(10_004, true, ("0.19", "10"), "Gtc"),
            "Order must have minimum value of 10 USDC asset=10004",
        ),
        (limit(3, true, ("59000", "900"), "Gtc"), "Insufficient margin to place order asset=3"),
        (
            limit(10_004, false, ("0.19", "100"), "Gtc"),
            "Order has insufficient spot balance to trade asset=10004",
        ),
        (
            limit(3, true, ("61000", "0.01"), "Alo"),
            "Post only order would have immediately matched, bbo was 59970@60030 asset=3",
        ),
        (
            with(limit(3, true, ("59000", "0.01"), "Gtc"), "r", true),
            "Reduce only order would increase position asset=3",
        ),
        (limit(2, true, ("1", "20"), "Gtc"), "Order has invalid asset asset=2"),
        (
            limit(3, true, ("1000", "1"), "Gtc"),
            "Order price cannot be more than 80% away from the reference price asset=3",
        ),
    ];
    for (order, text) in cases {
        assert_eq!(place_one(&hyperliquid, order.clone()).await, json!({"error": text}), "{order}");
    }
    assert!(hyperliquid.exchange.executions(owner().address()).is_empty());
}

/// An error before validation counts for every order of the batch.
#[tokio::test]
async fn far_price_refuses_the_whole_batch() {
    let hyperliquid = with_agent().await;
    let orders =
        [limit(3, true, ("59000", "0.01"), "Gtc"), limit(3, true, ("1000", "0.01"), "Gtc")];
    let statuses = place(&hyperliquid, &orders, "na").await;
    assert_eq!(statuses.len(), 1);
    assert!(hyperliquid.exchange.open_orders_of(owner().address()).is_empty());
    let orders = [limit(3, true, ("59000", "0.01"), "Gtc"), limit(3, true, ("59000", "0"), "Gtc")];
    let statuses = place(&hyperliquid, &orders, "na").await;
    assert!(statuses[0]["resting"].is_object() && statuses[1]["error"].is_string());
}

#[tokio::test]
async fn rejected_order_is_found_by_cloid_with_its_word() {
    let hyperliquid = with_agent().await;
    let order = with(limit(3, true, ("61000", "0.01"), "Alo"), "c", cloid(1));
    assert!(place_one(&hyperliquid, order).await["error"].is_string());
    assert_eq!(status_of(&hyperliquid, cloid(1)).await["order"]["status"], "badAloPxRejected");
    assert_eq!(status_of(&hyperliquid, cloid(2)).await, json!({"status": "unknownOid"}));
}

#[tokio::test]
async fn oversized_ioc_fills_as_far_as_the_margin_allows() {
    let hyperliquid = with_agent().await;
    assert!(hyperliquid.exchange.deposit_amount(owner().address(), "", "100"));
    let placed = place_one(&hyperliquid, limit(1, true, ("3100", "500"), "Ioc")).await;
    let size: f64 = placed["filled"]["totalSz"].as_str().unwrap().parse().unwrap();
    assert!((0.5..0.7).contains(&size), "{placed}");
}

#[tokio::test]
async fn cloid_is_unique_only_among_open_orders() {
    let hyperliquid = with_agent().await;
    let resting = with(limit(3, true, ("59000", "0.01"), "Gtc"), "c", cloid(1));
    assert!(place_one(&hyperliquid, resting.clone()).await["resting"].is_object());
    assert!(place_one(&hyperliquid, resting).await["error"].is_string());
    let ioc = with(limit(3, true, ("61000", "0.01"), "Ioc"), "c", cloid(2));
    for _ in 0..2 {
        assert!(place_one(&hyperliquid, ioc.clone()).await["filled"].is_object());
    }
    let executions = hyperliquid.exchange.executions(owner().address());
    assert_eq!((executions[&cloid(1)].accepted, executions[&cloid(2)].accepted), (1, 2));
    assert_eq!(executions[&cloid(2)].filled, "0.02");
    assert_eq!(executions[&cloid(2)].requests.len(), 2);
}

#[tokio::test]
async fn cancel_returns_result_of_each_order() {
    let hyperliquid = with_agent().await;
    let order = with(limit(3, true, ("59000", "0.01"), "Gtc"), "c", cloid(1));
    let oid = place_one(&hyperliquid, order.clone()).await["resting"]["oid"].clone();
    let gone = "Order was never placed, already canceled, or filled asset=3";
    let cancel = json!({"type": "cancel", "cancels": [{"a": 3, "o": oid}, {"a": 3, "o": 7}]});
    assert_eq!(statuses(&hyperliquid, &cancel).await, [json!("success"), json!({"error": gone})]);
    assert_eq!(status_of(&hyperliquid, oid).await["order"]["status"], "canceled");
    assert!(place_one(&hyperliquid, order).await["resting"].is_object());
    let cancel = json!({"type": "cancelByCloid", "cancels": [{"asset": 3, "cloid": cloid(1)}]});
    assert_eq!(statuses(&hyperliquid, &cancel).await, [json!("success")]);
    assert_eq!(statuses(&hyperliquid, &cancel).await, [json!({"error": gone})]);
}

#[tokio::test]
async fn accounts_match_each_other_by_price_then_time() {
    let hyperliquid = with_agent().await;
    let other = Wallet::number(2);
    for account in [owner().address(), other.address()] {
        assert!(hyperliquid.exchange.deposit_amount(account, "", "1000"));
    }
    assert!(hyperliquid.exchange.set_liquidity("ETH", &[], &[]));
    let mut oids = Vec::new();
    for price in ["3001", "3000", "3000"] {
        let placed = place_one(&hyperliquid, limit(1, false, (price, "0.1"), "Gtc")).await;
        oids.push(placed["resting"]["oid"].clone());
    }
    let taker = limit(1, true, ("3001", "0.15"), "Ioc");
    let action = json!({"type": "order", "orders": [taker], "grouping": "na"});
    assert_eq!(hyperliquid.act(&other, &action).await, "ok");
    let mut left = Vec::new();
    for oid in oids {
        left.push(status_of(&hyperliquid, oid).await["order"]["order"]["sz"].clone());
    }
    assert_eq!(left, ["0.1", "0.0", "0.05"]);
    assert_eq!(position(&hyperliquid, "ETH").await, "-0.15");
}

#[tokio::test]
async fn batch_modify_replaces_the_order_as_post_only() {
    let hyperliquid = with_agent().await;
    let order = with(limit(3, true, ("59000", "0.01"), "Gtc"), "c", cloid(1));
    let old = place_one(&hyperliquid, order.clone()).await["resting"]["oid"].clone();
    let modify = |oid: Value, order: Value, always: bool| {
        let mut action = json!({"type": "batchModify", "modifies": [{"oid": oid, "order": order}]});
        if always {
            action["a"] = json!(true);
        }
        action
    };
    let changed = with(limit(3, true, ("58000", "0.02"), "Gtc"), "c", cloid(1));
    let action = modify(old.clone(), changed.clone(), false);
    let new = statuses(&hyperliquid, &action).await[0]["resting"]["oid"].clone();
    assert_ne!(new, old);
    assert_eq!(status_of(&hyperliquid, old.clone()).await["order"]["status"], "canceled");
    let shown = status_of(&hyperliquid, cloid(1)).await["order"]["order"].clone();
    assert_eq!((&shown["tif"], &shown["origSz"]), (&json!("Alo"), &json!("0.02")));
    let gone = statuses(&hyperliquid, &modify(old.clone(), changed.clone(), false)).await;
    assert_eq!(gone[0]["error"], "Cannot modify canceled or filled order");
    let ioc = limit(3, true, ("61000", "0.02"), "Ioc");
    let refused = statuses(&hyperliquid, &modify(json!(cloid(1)), ioc.clone(), false)).await;
    assert!(refused[0]["error"].is_string());
    assert_eq!(hyperliquid.exchange.open_orders_of(owner().address()).len(), 1);
    // The old order is gone although the new price crosses.
    let crossing = limit(3, true, ("61000", "0.02"), "Gtc");
    let refused = statuses(&hyperliquid, &modify(new, crossing, false)).await;
    let text = refused[0]["error"].as_str().unwrap();
    assert!(text.starts_with("Error placing new order during modify: Post only"), "{text}");
    assert!(hyperliquid.exchange.open_orders_of(owner().address()).is_empty());
    // With `a` the order is placed although the old one is gone.
    let placed = statuses(&hyperliquid, &modify(old, ioc, true)).await;
    assert!(placed[0]["filled"].is_object());
}

#[tokio::test]
async fn funds_come_from_the_pocket_of_the_mode() {
    for (mode, pocket) in
        [("default", ""), ("disabled", ""), ("unifiedAccount", "spot"), ("portfolioMargin", "spot")]
    {
        let hyperliquid = with_agent().await;
        let (exchange, account) = (&hyperliquid.exchange, owner().address());
        assert!(exchange.deposit_amount(account, pocket, "1000"));
        assert!(exchange.set_mode(account, mode));
        let word = ask(&hyperliquid, json!({"type": "userAbstraction"})).await;
        assert_eq!(word, mode);
        let perp = limit(3, true, ("59000", "0.01"), "Gtc");
        assert!(place_one(&hyperliquid, perp).await["resting"].is_object(), "{mode}");
        let spot = limit(10_004, true, ("0.19", "100"), "Gtc");
        let gold = limit(110_000, true, ("2300", "0.1"), "Gtc");
        let unified = pocket == "spot";
        for (order, funds) in [(spot, "spot"), (gold, "test")] {
            let first = place_one(&hyperliquid, order.clone()).await;
            assert_eq!(first["resting"].is_object(), unified, "{mode}: {first}");
            assert!(exchange.deposit_amount(account, funds, "1000"));
            assert!(place_one(&hyperliquid, order).await["resting"].is_object(), "{mode}");
        }
        // Orders are listed by DEX.
        let of = |dex: &str| json!({"type": "openOrders", "dex": dex});
        let main = ask(&hyperliquid, of("")).await.as_array().unwrap().len();
        let test = ask(&hyperliquid, of("test")).await;
        assert_eq!(main, if unified { 3 } else { 2 });
        assert_eq!(test[0]["coin"], "test:GOLD");
    }
}

#[tokio::test]
async fn metadata_has_ids_and_precisions_of_its_own() {
    let hyperliquid = Hyperliquid::new();
    let read = async |query: Value| hyperliquid.post("/info", &query).await.json();
    let meta = read(json!({"type": "meta"})).await;
    assert_eq!(
        (&meta["universe"][3]["name"], &meta["universe"][3]["szDecimals"]),
        (&json!("BTC"), &json!(4))
    );
    assert_eq!(meta["universe"][2]["isDelisted"], true);
    let dexs = read(json!({"type": "perpDexs"})).await;
    assert_eq!((&dexs[0], &dexs[1]["name"]), (&Value::Null, &json!("test")));
    let gold = read(json!({"type": "meta", "dex": "test"})).await;
    assert_eq!(gold["universe"][0]["name"], "test:GOLD");
    let spot = read(json!({"type": "spotMeta"})).await;
    assert_eq!(
        (&spot["universe"][1]["name"], &spot["universe"][1]["index"]),
        (&json!("@1035"), &json!(1_035))
    );
    let mids = read(json!({"type": "allMids"})).await;
    assert_eq!((&mids["BTC"], &mids["@1035"]), (&json!("60000"), &json!("25")));
    assert!(mids["test:GOLD"].is_null());
    assert_eq!(read(json!({"type": "allMids", "dex": "test"})).await["test:GOLD"], "2400");
    hyperliquid.exchange.set_liquidity("BTC", &[], &[]);
    assert!(read(json!({"type": "allMids"})).await["BTC"].is_null());
    let book = read(json!({"type": "l2Book", "coin": "ETH"})).await;
    assert_eq!(book["levels"][1][0]["px"], "3001.5");
}
