use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::exchanges::trade::TradeCode;

/// A row of the futures API V3 document.
fn row() -> Value {
    json!({
        "entryPrice": "9975.12", "marginType": "isolated", "isAutoAddMargin": "false",
        "isolatedMargin": "15517.54150468", "leverage": "10", "liquidationPrice": "5930.78",
        "markPrice": "10000.50000000", "maxNotionalValue": "20000000", "positionAmt": "-0.500",
        "symbol": "BTCUSDT", "unRealizedProfit": "-12.69000000", "positionSide": "BOTH",
        "updateTime": 1_625_474_304_765_u64, "notional": "-5000.25", "isolatedWallet": "1",
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut row = row();
    for (field, value) in changes {
        row[*field] = value.clone();
    }
    row
}

fn answer(rows: &[Value]) -> Answer {
    Answer::new(200, json!(rows).to_string())
}

fn refused(code: i64) -> Answer {
    Answer::new(400, json!({ "code": code, "msg": "words" }).to_string())
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn position_is_read_exactly() {
    let positions = positions(&answer(&[row()]), Some("BTCUSDT")).unwrap();
    let expected = AccountPosition {
        symbol: "BTCUSDT".to_owned(),
        direction: Direction::Short,
        position_side: PositionSide::Both,
        size: decimal("0.5"),
        entry_price: decimal("9975.12"),
        mark_price: decimal("10000.5"),
        liquidation_price: Some(decimal("5930.78")),
        notional: decimal("5000.25"),
        unrealized_pnl: Signed::parse("-12.69").unwrap(),
        leverage: 10,
        margin_mode: MarginMode::Isolated,
        margin: decimal("15517.54150468"),
        at_ms: 1_625_474_304_765,
    };
    assert_eq!(positions, [expected]);
    assert_eq!(positions[0].signed_size().text(), "-0.5");
}

#[test]
fn cross_position_uses_its_share_as_margin() {
    let cross = with(&[
        ("marginType", json!("cross")),
        ("isolatedMargin", json!("0.00000000")),
        ("liquidationPrice", json!("0")),
    ]);
    let read = positions(&answer(&[cross]), None).unwrap();
    assert_eq!((read[0].margin, read[0].liquidation_price), (decimal("500.025"), None));
}

#[test]
fn hedge_mode_keeps_both_sides_and_leaves_out_empty_rows() {
    let side = |side: &str, amount: &str| {
        with(&[("positionSide", json!(side)), ("positionAmt", json!(amount))])
    };
    let rows = [side("BOTH", "0.000"), side("LONG", "0.020"), side("SHORT", "-0.030")];
    let read = positions(&answer(&rows), None).unwrap();
    let read: Vec<_> =
        read.iter().map(|it| (it.position_side, it.direction, it.size.text())).collect();
    let expected = [
        (PositionSide::Long, Direction::Long, "0.02".to_owned()),
        (PositionSide::Short, Direction::Short, "0.03".to_owned()),
    ];
    assert_eq!(read, expected);
    assert_eq!(positions(&answer(&[]), None).unwrap(), []);
}

#[test]
fn values_of_both_directions_are_added() {
    let side = |side: &str, amount: &str| {
        with(&[("positionSide", json!(side)), ("positionAmt", json!(amount))])
    };
    let value = |rows: &[Value]| notional(&positions(&answer(rows), None).unwrap()).unwrap().text();
    assert_eq!(value(&[]), "0");
    assert_eq!(value(&[side("BOTH", "-0.010")]), "100.005");
    assert_eq!(value(&[side("LONG", "0.010"), side("SHORT", "-0.020")]), "300.015");
}

#[test]
fn unreadable_row_hides_no_position() {
    for (field, value) in [
        ("positionAmt", json!(0.5)),
        ("positionAmt", json!("much")),
        ("positionSide", json!("UP")),
        ("marginType", json!("portfolio")),
        ("leverage", json!("x")),
        ("leverage", json!("0")),
        ("entryPrice", Value::Null),
        ("unRealizedProfit", json!("-")),
        ("symbol", json!("ETHUSDT")),
    ] {
        let rows = answer(&[row(), with(&[(field, value.clone())])]);
        assert!(positions(&rows, Some("BTCUSDT")).is_err(), "{field} {value}");
    }
    for body in ["{}", "null", "[1]", "<html>"] {
        assert!(positions(&Answer::new(200, body), None).is_err());
        assert!(balance(&Answer::new(200, body)).is_err());
        assert!(sums(&Answer::new(200, body)).is_err());
    }
}

#[test]
fn refused_question_keeps_its_code() {
    let refusal = positions(&refused(-5050), None).unwrap_err();
    let AskError::Refused(refusal) = refusal else { panic!("{refusal:?}") };
    assert_eq!(refusal.code, TradeCode::DepositRequired);
    assert!(matches!(
        sums(&refused(-1003)),
        Err(AskError::Failed(LookupError::RateLimited { .. }))
    ));
    assert!(matches!(balance(&refused(-4225)), Err(AskError::Failed(LookupError::NonceRejected))));
}

#[test]
fn leverage_is_stated_without_a_position() {
    let empty = with(&[("positionAmt", json!("0.000")), ("leverage", json!("20"))]);
    let expected = LeverageState { leverage: 20, margin_mode: MarginMode::Isolated };
    assert_eq!(leverage(&answer(&[empty]), "BTCUSDT").unwrap(), Some(expected));
    let number = with(&[("leverage", json!(7)), ("marginType", json!("CROSSED"))]);
    let expected = LeverageState { leverage: 7, margin_mode: MarginMode::Cross };
    assert_eq!(leverage(&answer(&[number]), "BTCUSDT").unwrap(), Some(expected));
    assert_eq!(leverage(&answer(&[]), "BTCUSDT").unwrap(), None);
    assert!(leverage(&answer(&[row()]), "ETHUSDT").is_err());
}

#[test]
fn leverage_is_found_in_the_account() {
    let rows = json!([
        { "symbol": "ETHUSDT", "leverage": "3", "isolated": false },
        { "symbol": "BTCUSDT", "leverage": 7, "isolated": true, "positionAmt": "0" },
    ]);
    let account = Answer::new(200, json!({ "positions": rows }).to_string());
    let expected = LeverageState { leverage: 7, margin_mode: MarginMode::Isolated };
    assert_eq!(leverage_in_account(&account, "BTCUSDT").unwrap(), expected);
    assert!(leverage_in_account(&account, "BNBUSDT").is_err());
    assert!(leverage_in_account(&Answer::new(200, "{}"), "BTCUSDT").is_err());
    assert!(leverage_in_account(&refused(-1006), "BTCUSDT").is_err());
}

fn funds(asset: &str, total: &str, free: &str) -> Value {
    json!({
        "accountAlias": "SgsR", "asset": asset, "balance": total, "crossWalletBalance": total,
        "crossUnPnl": "-3.5", "availableBalance": free, "maxWithdrawAmount": free,
        "marginAvailable": true, "updateTime": 0, "later": [1],
    })
}

#[test]
fn balances_are_read_exactly() {
    let rows = [funds("USDT", "122607.35137903", "23.72469206"), funds("BNB", "0.00000000", "0")];
    let read = balance(&answer(&rows)).unwrap();
    assert_eq!(read.len(), 1);
    let usdt = &read[0];
    assert_eq!((usdt.asset.as_str(), usdt.total.text()), ("USDT", "122607.35137903".to_owned()));
    assert_eq!(
        (usdt.free.text(), usdt.locked.text()),
        ("23.72469206".into(), "122583.62668697".into())
    );
    assert_eq!(usdt.cross_unrealized_pnl.unwrap().text(), "-3.5");
    assert_eq!(usdt.max_withdrawable, decimal("23.72469206"));
    // An account without funds shows its settlement asset.
    assert_eq!(balance(&answer(&[funds("USDT", "0", "0")])).unwrap().len(), 1);
    assert!(balance(&answer(&[funds("USDT", "x", "0")])).is_err());
}

#[test]
fn account_states_its_sums() {
    let body = json!({ "totalMarginBalance": "-1.5", "maxWithdrawAmount": "0.00000000", "new": 1 });
    let expected = Sums { value: Signed::parse("-1.5").unwrap(), withdrawable: Decimal::ZERO };
    assert_eq!(sums(&Answer::new(200, body.to_string())).unwrap(), expected);
}

#[test]
fn spot_balances_are_read_exactly() {
    let row = |asset: &str, free: &str, locked: &str| json!({ "asset": asset, "free": free, "locked": locked, "new": 1 });
    let account = |rows: &[Value]| {
        Answer::new(200, json!({ "feeTier": 0, "canTrade": true, "balances": rows }).to_string())
    };
    let rows = [row("BTC", "4723846.89208129", "0.5"), row("BNB", "0.00000000", "0")];
    let read = spot_balances(&account(&rows)).unwrap();
    let [btc] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((btc.asset.as_str(), btc.pocket), ("BTC", Pocket::Spot));
    assert_eq!(btc.total.text(), "4723847.39208129");
    assert_eq!((btc.free.text(), btc.locked.text()), ("4723846.89208129".into(), "0.5".into()));
    assert_eq!(btc.max_withdrawable, decimal("4723846.89208129"));
    assert!(spot_balances(&account(&[])).unwrap().is_empty());
    for body in [account(&[row("BTC", "x", "0")]), Answer::new(200, "{}"), refused(-1006)] {
        assert!(spot_balances(&body).is_err(), "{body:?}");
    }
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in any::<String>(), status in 200_u16..600) {
        let answer = Answer::new(status, body.as_str());
        let _ = (positions(&answer, None).is_ok(), balance(&answer).is_ok(), sums(&answer).is_ok());
        let _ = spot_balances(&answer).is_ok();
    }
}
