use proptest::prelude::*;
use serde_json::Value;

use super::*;

const WALLET: &str = "0xe58B8D324dfbaC31E4c344a92100C75d7f9a2d81";

/// A response of the info endpoint document, with a short, isolated position.
fn state() -> Value {
    json!({
        "assetPositions": [
            { "type": "oneWay", "position": {
                "coin": "ETH", "szi": "0.0335", "entryPx": "2986.3", "positionValue": "100.02765",
                "leverage": { "type": "isolated", "value": 20, "rawUsd": "-95.059824" },
                "liquidationPx": "2866.26936529", "marginUsed": "4.967826", "maxLeverage": 50,
                "returnOnEquity": "-0.0026789", "unrealizedPnl": "-0.0134",
                "cumFunding": { "allTime": "514.085417", "sinceChange": "0.0", "sinceOpen": "0.0" },
            } },
            { "type": "oneWay", "position": {
                "coin": "xyz:TSLA", "szi": "-2.000", "entryPx": "250.5", "positionValue": "502.3",
                "leverage": { "type": "cross", "value": 5 }, "liquidationPx": null,
                "marginUsed": "100.46", "unrealizedPnl": "-1.3", "maxLeverage": 10, "new": {},
            } },
            { "type": "oneWay", "position": {
                "coin": "SOL", "szi": "0.0", "entryPx": null, "positionValue": "0.0",
                "leverage": { "type": "cross", "value": 3 }, "liquidationPx": null,
                "marginUsed": "0.0", "unrealizedPnl": "0.0",
            } },
        ],
        "crossMaintenanceMarginUsed": "0.0",
        "crossMarginSummary": {
            "accountValue": "13104.514502", "totalMarginUsed": "0.0", "totalNtlPos": "0.0",
            "totalRawUsd": "13104.514502",
        },
        "marginSummary": {
            "accountValue": "13109.482328", "totalMarginUsed": "4.967826",
            "totalNtlPos": "100.02765", "totalRawUsd": "13009.454678",
        },
        "time": 1_708_622_398_623_u64,
        "withdrawable": "13104.514502",
    })
}

fn answer(body: &Value) -> Answer {
    Answer::new(200, body.to_string())
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn signed(text: &str) -> Signed {
    Signed::parse(text).unwrap()
}

#[test]
fn positions_are_read_exactly() {
    let account = perps(&answer(&state())).unwrap();
    assert_eq!(account.value, signed("13109.482328"));
    assert_eq!(account.withdrawable, decimal("13104.514502"));
    let [eth, tsla] = account.positions.as_slice() else { panic!("{account:?}") };
    let expected = AccountPosition {
        symbol: "ETH".to_owned(),
        direction: Direction::Long,
        position_side: PositionSide::Both,
        size: decimal("0.0335"),
        entry_price: decimal("2986.3"),
        mark_price: decimal("2985.9"),
        liquidation_price: Some(decimal("2866.26936529")),
        notional: decimal("100.02765"),
        unrealized_pnl: signed("-0.0134"),
        leverage: 20,
        margin_mode: MarginMode::Isolated,
        margin: decimal("4.967826"),
        at_ms: 1_708_622_398_623,
    };
    assert_eq!(eth, &expected);
    assert_eq!(eth.pnl_percent().unwrap().text(), "-0.2679");
    assert_eq!((tsla.symbol.as_str(), tsla.direction), ("xyz:TSLA", Direction::Short));
    assert_eq!((tsla.signed_size().text(), tsla.mark_price.text()), ("-2".into(), "251.15".into()));
    assert_eq!((tsla.margin_mode, tsla.liquidation_price), (MarginMode::Cross, None));
}

#[test]
fn unreadable_position_hides_no_other() {
    for (field, value) in [
        ("szi", json!("one")),
        ("szi", json!(1)),
        ("entryPx", Value::Null),
        ("positionValue", json!("1e999")),
        ("liquidationPx", json!("?")),
        ("unrealizedPnl", Value::Null),
        ("marginUsed", json!("")),
        ("leverage", json!({ "type": "other", "value": 1 })),
        ("leverage", json!({ "type": "cross", "value": -1 })),
    ] {
        let mut body = state();
        body["assetPositions"][1]["position"][field] = value;
        assert!(perps(&answer(&body)).is_err(), "{field}");
    }
    for body in [json!({}), json!(null), json!([]), json!("x")] {
        assert!(perps(&answer(&body)).is_err());
        assert!(spot(&answer(&body)).is_err());
        assert!(leverage(&answer(&body)).is_err());
    }
    assert!(perps(&Answer::new(500, state().to_string())).is_err());
    let limited = perps(&Answer::new(429, "null"));
    assert!(matches!(limited, Err(LookupError::RateLimited { .. })));
}

fn wallets(spot_body: &Value) -> Vec<SpotBalance> {
    spot(&answer(spot_body)).unwrap()
}

fn two_tokens() -> Value {
    json!({ "balances": [
        { "coin": "HYPE", "token": 150, "total": "2.5", "hold": "0.5", "entryNtl": "90.0" },
        { "coin": "USDC", "token": 0, "total": "14.625485", "hold": "0.0", "entryNtl": "0.0" },
        { "coin": "PURR", "token": 1, "total": "0.0", "hold": "0.0", "entryNtl": "0.0" },
    ] })
}

#[test]
fn standard_account_lists_the_perps_value_first() {
    let main = perps(&answer(&state())).unwrap();
    let other = PerpsAccount { value: signed("100"), positions: Vec::new(), ..main };
    let empty = PerpsAccount { value: Signed::ZERO, ..other.clone() };
    let dex =
        |dex: &str, account| DexAccount { dex: dex.to_owned(), token: "USDH".to_owned(), account };
    let others = [dex("xyz", other), dex("abc", empty)];
    let spot = wallets(&two_tokens());
    let all = balances(AccountMode::Standard, &main, &others, &spot).unwrap();
    let rows: Vec<_> = all
        .rows
        .iter()
        .map(|row| (row.asset.as_str(), row.pocket, row.dex.as_deref(), row.total.text()))
        .collect();
    let expected = [
        ("USDC", Pocket::Perps, None, "13109.482328".to_owned()),
        ("USDH", Pocket::Perps, Some("xyz"), "100".to_owned()),
        ("HYPE", Pocket::Spot, None, "2.5".to_owned()),
        ("USDC", Pocket::Spot, None, "14.625485".to_owned()),
    ];
    assert_eq!(rows, expected);
    let first = &all.rows[0];
    assert_eq!((first.free, first.locked), (signed("13104.514502"), signed("4.967826")));
    // The isolated position is not part of the cross wallet.
    assert_eq!(first.cross_unrealized_pnl, Some(signed("-1.3")));
    assert_eq!(first.cross_wallet_balance, Some(signed("13105.814502")));
    assert_eq!(all.rows[2].free, signed("2"));
    assert_eq!((all.withdrawable, all.account_value), (main.withdrawable, main.value));
}

#[test]
fn unified_account_lists_its_usdc_first() {
    let main = perps(&answer(&state())).unwrap();
    let mut body = two_tokens();
    body["tokenToAvailableAfterMaintenance"] = json!([[0, "9.5"], [150, "2.5"]]);
    for mode in [AccountMode::Unified, AccountMode::PortfolioMargin] {
        let all = balances(mode, &main, &[], &wallets(&body)).unwrap();
        let rows: Vec<_> = all.rows.iter().map(|row| (row.asset.as_str(), row.pocket)).collect();
        assert_eq!(rows, [("USDC", Pocket::Spot), ("HYPE", Pocket::Spot)]);
        assert_eq!(all.account_value, signed("14.625485"));
        assert_eq!((all.withdrawable, all.mode), (decimal("9.5"), mode));
        assert_eq!(all.rows[1].max_withdrawable, decimal("2"), "less than what is on hold");
        let none = balances(mode, &main, &[], &[]).unwrap();
        assert_eq!((none.rows.len(), none.rows[0].total), (1, Signed::ZERO));
    }
}

#[test]
fn borrowed_token_has_a_negative_balance() {
    let body = json!({ "balances": [
        { "coin": "USDC", "token": 0, "total": "-3.25", "hold": "0.0", "entryNtl": "0.0" },
    ] });
    let main = perps(&answer(&state())).unwrap();
    let all = balances(AccountMode::PortfolioMargin, &main, &[], &wallets(&body)).unwrap();
    assert_eq!((all.rows[0].total, all.withdrawable), (signed("-3.25"), Decimal::ZERO));
}

#[test]
fn mode_is_a_bare_text() {
    for (word, expected) in [
        ("default", AccountMode::Standard),
        ("disabled", AccountMode::Standard),
        ("dexAbstraction", AccountMode::Standard),
        ("unifiedAccount", AccountMode::Unified),
        ("portfolioMargin", AccountMode::PortfolioMargin),
        ("later", AccountMode::Other),
    ] {
        assert_eq!(mode(&answer(&json!(word))).unwrap(), expected);
    }
    assert!(mode(&answer(&Value::Null)).is_err());
}

#[test]
fn leverage_is_that_of_the_market() {
    let body = json!({
        "user": WALLET, "coin": "BTC", "leverage": { "type": "isolated", "value": 40, "rawUsd": "0.0" },
        "maxTradeSzs": ["0.0", "0.0"], "availableToTrade": ["0.0", "0.0"], "markPx": "60000.0",
    });
    let expected = LeverageState { leverage: 40, margin_mode: MarginMode::Isolated };
    assert_eq!(leverage(&answer(&body)).unwrap(), expected);
}

#[test]
fn collateral_of_a_dex_is_named() {
    let meta = json!({ "universe": [], "collateralToken": 360 });
    assert_eq!(collateral(&answer(&meta)).unwrap(), 360);
    assert_eq!(collateral(&answer(&json!({ "universe": [] }))).unwrap(), USDC_INDEX);
    let tokens_body = json!({ "tokens": [
        { "name": "USDC", "index": 0, "szDecimals": 8 }, { "name": "USDH", "index": 360 },
    ], "universe": [] });
    assert_eq!(tokens(&answer(&tokens_body)).unwrap()[&360], "USDH");
}

#[test]
fn question_names_the_wallet_in_lower_case() {
    let wallet = WALLET.parse().unwrap();
    let user = WALLET.to_lowercase();
    let parsed = |question: &Question| serde_json::from_str::<Value>(&question.body).unwrap();
    let asked = Question::leverage(wallet, "xyz:TSLA");
    let expected = json!({ "type": "activeAssetData", "user": user, "coin": "xyz:TSLA" });
    assert_eq!((parsed(&asked), asked.weight), (expected, 20));
    let asked = Question::mode(wallet);
    assert_eq!(parsed(&asked), json!({ "type": "userAbstraction", "user": user }));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body in any::<String>()) {
        let answer = Answer::new(200, body.as_str());
        let _ = (perps(&answer).is_ok(), spot(&answer).is_ok(), mode(&answer).is_ok());
    }
}
