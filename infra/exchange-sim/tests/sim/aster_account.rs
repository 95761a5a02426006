//! Leverage, positions, balances and executions on the simulated Aster.

use serde_json::{Value, json};

use crate::support::{Wallet, aster::Aster, aster::sign_text};

const DAY_MS: u64 = 86_400_000;

fn user() -> Wallet {
    Wallet::number(1)
}

fn agent() -> Wallet {
    Wallet::number(9)
}

/// Returns an exchange where the user has an agent.
fn with_agent() -> Aster {
    let aster = Aster::new();
    let expired = aster.in_a_month();
    assert!(aster.exchange.add_agent(user().address(), "bot", agent().address(), expired));
    aster
}

async fn call(aster: &Aster, (method, path): (&str, &str), text: &str) -> Value {
    let (user, signer, nonce) = (user().address(), agent().address(), aster.nonce());
    let separator = if text.is_empty() { "" } else { "&" };
    let text = format!("nonce={nonce}&user={user}&signer={signer}{separator}{text}");
    let signed = format!("{text}&signature={}", sign_text(&agent(), 1_666, &text));
    let path = match path {
        "spot" => "/api/v3/account".to_owned(),
        path => format!("/fapi/v3/{path}"),
    };
    let answer = if method == "GET" {
        aster.get(&path, &signed).await
    } else {
        aster.form(method, &path, &signed).await
    };
    answer.json()
}

async fn take(aster: &Aster, side: &str, quantity: &str, more: &str) {
    let text = format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity={quantity}{more}");
    let placed = call(aster, ("POST", "order"), &text).await;
    assert!(placed["orderId"].is_u64(), "{placed}");
}

async fn set(aster: &Aster, leverage: u32) -> Value {
    call(aster, ("POST", "leverage"), &format!("symbol=BTCUSDT&leverage={leverage}")).await
}

async fn mode(aster: &Aster, word: &str) -> Value {
    call(aster, ("POST", "marginType"), &format!("symbol=BTCUSDT&marginType={word}")).await["code"]
        .clone()
}

async fn row(aster: &Aster) -> Value {
    call(aster, ("GET", "positionRisk"), "symbol=BTCUSDT").await[0].clone()
}

#[tokio::test]
async fn leverage_is_set_within_the_market_maximum() {
    let aster = with_agent();
    for leverage in [0, 126] {
        let refused = set(&aster, leverage).await;
        let text = json!(format!("Leverage {leverage} is not valid"));
        assert_eq!((&refused["code"], &refused["msg"]), (&json!(-4_028), &text));
    }
    let done = set(&aster, 125).await;
    assert_eq!((&done["leverage"], &done["symbol"]), (&json!(125), &json!("BTCUSDT")));
    // The same value again is not an error.
    assert_eq!(set(&aster, 125).await["leverage"], 125);
    assert_eq!(row(&aster).await["leverage"], "125");
    let closed = call(&aster, ("POST", "leverage"), "symbol=OLDUSDT&leverage=2").await;
    assert_eq!(closed["code"], -4_140);
    let unknown = call(&aster, ("POST", "leverage"), "symbol=NO&leverage=2").await;
    assert_eq!(unknown["code"], -1_121);
}

#[tokio::test]
async fn margin_mode_changes_only_without_orders_and_positions() {
    let aster = with_agent();
    assert_eq!(mode(&aster, "CROSSED").await, -4_046);
    assert_eq!(mode(&aster, "ISOLATED").await, 200);
    assert_eq!(mode(&aster, "ISOLATED").await, -4_046);
    assert_eq!(row(&aster).await["marginType"], "isolated");
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000";
    let placed = call(&aster, ("POST", "order"), order).await;
    assert_eq!(mode(&aster, "CROSSED").await, -4_047);
    let cancel = format!("symbol=BTCUSDT&orderId={}", placed["orderId"]);
    assert_eq!(call(&aster, ("DELETE", "order"), &cancel).await["status"], "CANCELED");
    take(&aster, "BUY", "0.01", "").await;
    assert_eq!(mode(&aster, "CROSSED").await, -4_048);
    // An isolated position keeps its leverage, or gets a higher one.
    assert_eq!(set(&aster, 19).await["code"], -4_161);
    assert_eq!(set(&aster, 21).await["leverage"], 21);
}

#[tokio::test]
async fn leverage_falls_only_as_far_as_the_margin_allows() {
    let aster = with_agent();
    take(&aster, "BUY", "1", "").await;
    assert_eq!(set(&aster, 5).await["code"], -2_028);
    assert_eq!(set(&aster, 7).await["leverage"], 7);
}

#[tokio::test]
async fn account_and_balance_agree() {
    let aster = with_agent();
    assert_eq!(set(&aster, 10).await["leverage"], 10);
    take(&aster, "BUY", "1", "").await;
    let held = row(&aster).await;
    for (field, value) in [
        ("positionAmt", "1.000"),
        ("entryPrice", "60030.00000"),
        ("markPrice", "60000.00000000"),
        ("unRealizedProfit", "-30.00000000"),
        ("notional", "60000.00000000"),
        ("leverage", "10"),
        ("marginType", "cross"),
        ("positionSide", "BOTH"),
    ] {
        assert_eq!(held[field], value, "{field}");
    }
    assert!(held["liquidationPrice"].as_str().unwrap().starts_with("50"), "{held}");
    let balance = call(&aster, ("GET", "balance"), "").await[0].clone();
    for path in ["accountWithJoinMargin", "account"] {
        let account = call(&aster, ("GET", path), "").await;
        for (sum, of_row) in [
            ("totalWalletBalance", "balance"),
            ("totalCrossUnPnl", "crossUnPnl"),
            ("availableBalance", "availableBalance"),
            ("maxWithdrawAmount", "maxWithdrawAmount"),
        ] {
            assert_eq!(account[sum], balance[of_row], "{sum}");
        }
        assert_eq!(account["totalMarginBalance"], "9945.98800000");
        assert_eq!(account["totalPositionInitialMargin"], "6003.00000000");
        assert_eq!(account["totalOpenOrderInitialMargin"], "0.00000000");
        let positions = account["positions"].as_array().unwrap();
        let of_btc: Vec<_> = positions.iter().filter(|it| it["symbol"] == "BTCUSDT").collect();
        assert_eq!((of_btc.len(), &of_btc[0]["positionAmt"]), (1, &json!("1.000")));
    }
}

#[tokio::test]
async fn spot_account_has_its_own_balances() {
    let aster = with_agent();
    assert_eq!(call(&aster, ("GET", "spot"), "").await["balances"], json!([]));
    assert!(aster.exchange.deposit_spot(user().address(), "ASTER", "12.5"));
    assert!(aster.exchange.deposit_spot(user().address(), "USDT", "7"));
    assert!(!aster.exchange.deposit_spot(user().address(), "", "7"));
    let account = call(&aster, ("GET", "spot"), "").await;
    let row =
        |asset: &str, free: &str| json!({"asset": asset, "free": free, "locked": "0.00000000"});
    let rows = json!([row("ASTER", "12.50000000"), row("USDT", "7.00000000")]);
    assert_eq!(account["balances"], rows, "{account}");
    // An agent of another account reads nothing.
    let (stranger, signer, nonce) = (Wallet::number(3).address(), agent().address(), aster.nonce());
    let text = format!("nonce={nonce}&user={stranger}&signer={signer}");
    let signed = format!("{text}&signature={}", sign_text(&agent(), 1_666, &text));
    let refused = aster.get("/api/v3/account", &signed).await.json();
    assert!(refused["balances"].is_null() && refused["code"].is_i64(), "{refused}");
}

#[tokio::test]
async fn hedge_mode_lists_both_positions() {
    let aster = with_agent();
    aster.exchange.set_mode(user().address(), true);
    take(&aster, "BUY", "0.02", "&positionSide=LONG").await;
    take(&aster, "SELL", "0.03", "&positionSide=SHORT").await;
    let rows = call(&aster, ("GET", "positionRisk"), "symbol=BTCUSDT").await;
    let held: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["positionSide"].as_str().unwrap(), row["positionAmt"].as_str().unwrap()))
        .collect();
    assert_eq!(held, [("BOTH", "0.000"), ("LONG", "0.020"), ("SHORT", "-0.030")]);
    let account = call(&aster, ("GET", "accountWithJoinMargin"), "").await;
    assert_eq!(account["positions"].as_array().unwrap().len(), 15);
}

#[tokio::test]
async fn trades_are_paged_by_time_or_id() {
    let aster = with_agent();
    let start = aster.clock.now();
    let asks: Vec<_> = (0..600).map(|_| ("60000.0".to_owned(), "0.001".to_owned())).collect();
    for _ in 0..2 {
        assert!(aster.exchange.set_liquidity("BTCUSDT", &[], &asks));
        take(&aster, "BUY", "0.6", "").await;
        aster.clock.advance(1_000);
    }
    let trades = async |text: String| {
        let text = format!("symbol=BTCUSDT{text}");
        let answer = call(&aster, ("GET", "userTrades"), &text).await;
        answer.as_array().map(|rows| rows.iter().map(|row| row["id"].as_u64().unwrap()).collect())
    };
    let ids = |from: u64, to: u64| Some((from..=to).collect::<Vec<u64>>());
    // The latest without a start, the oldest with one.
    assert_eq!(trades(String::new()).await, ids(701, 1_200));
    assert_eq!(trades(format!("&startTime={start}")).await, ids(1, 500));
    assert_eq!(trades(format!("&startTime={start}&limit=1000")).await, ids(1, 1_000));
    let second = start + 1_000;
    let window = format!("&startTime={second}&endTime={second}&limit=1000");
    assert_eq!(trades(window).await, ids(601, 1_200));
    assert_eq!(trades("&fromId=1100&limit=1000".to_owned()).await, ids(1_100, 1_200));
    for refused in [
        "&limit=1001".to_owned(),
        "&limit=0".to_owned(),
        format!("&startTime={start}&fromId=1"),
        format!("&startTime={start}&endTime={}", start + 7 * DAY_MS + 1),
        format!("&startTime={start}&endTime={}", start - 1),
    ] {
        assert_eq!(trades(refused.clone()).await, None, "{refused}");
    }
    assert_eq!(call(&aster, ("GET", "userTrades"), "").await["code"], -1_102);
}

#[tokio::test]
async fn settings_survive_a_restart() {
    let before = with_agent();
    assert_eq!(mode(&before, "ISOLATED").await, 200);
    assert_eq!(set(&before, 7).await["leverage"], 7);
    take(&before, "SELL", "0.1", "").await;
    let after = Aster::new();
    after.exchange.restore(&before.exchange.snapshot().unwrap()).unwrap();
    after.exchange.restore_market(&before.exchange.market_snapshot()).unwrap();
    // The nonces of the first millisecond are used.
    after.clock.advance(1);
    for (path, text) in [
        ("positionRisk", "symbol=BTCUSDT"),
        ("accountWithJoinMargin", ""),
        ("balance", ""),
        ("userTrades", "symbol=BTCUSDT"),
    ] {
        let seen = call(&before, ("GET", path), text).await;
        assert_eq!(call(&after, ("GET", path), text).await, seen, "{path}");
    }
}
