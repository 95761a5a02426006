use domain::ids::Exchange;
use platform::items::StoreError;
use serde_json::{Value, json};

use super::error::Action;
use super::handlers::batch;
use super::orders::OrderData;
use crate::api::error::ApiError;
use crate::exchanges::LookupError;
use crate::exchanges::budget::Busy;
use crate::exchanges::http::TransportError;
use crate::exchanges::trade::{TradeCode, TradeRefusal};
use crate::orders::{
    BrokenRule, CredentialGap, LegView, OrderView, PlacedOrder, Placing, TradeError,
};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{OrderFault, OrderStatus, PositionSide, Side, TimeInForce};
use crate::trading::policy::{PolicyRefusal, PolicyRule};

fn view() -> OrderView {
    OrderView {
        order_id: Some("12345".to_owned()),
        client_order_id: Some("bot-17".to_owned()),
        symbol: "BTC".to_owned(),
        exchange_symbol: "BTC".to_owned(),
        side: Side::Sell,
        order_type: "LIMIT".to_owned(),
        status: OrderStatus::PartiallyFilled,
        exchange_status: "open".to_owned(),
        price: "49850.00".to_owned(),
        exchange_price: None,
        quantity: "1.0".to_owned(),
        filled_quantity: "0.6".to_owned(),
        average_price: Some("49850".to_owned()),
        at_ms: 1_730_869_356_000,
        exchange: Exchange::Hyperliquid,
        time_in_force: Some(TimeInForce::Gtc),
        reduce_only: false,
        position_side: PositionSide::Both,
        trigger_price: None,
        take_profit: Some(LegView {
            order_id: None,
            client_order_id: "0x48".to_owned(),
            status: OrderStatus::Open,
        }),
        stop_loss: None,
    }
}

fn id() -> ClientOrderId {
    "bot-17".parse().unwrap()
}

fn trade(error: TradeError) -> ApiError {
    ApiError::trade(Exchange::Aster, Action::Place, error)
}

fn shown(error: &ApiError) -> Value {
    serde_json::from_str(&error.body(7)).unwrap()
}

#[test]
fn order_has_the_published_fields() {
    let order = serde_json::to_value(OrderData::from(view())).unwrap();
    assert_eq!(
        order,
        json!({
            "orderId": "12345",
            "symbol": "BTC",
            "side": "SELL",
            "type": "LIMIT",
            "status": "PARTIALLY_FILLED",
            "price": "49850.00",
            "quantity": "1.0",
            "filledQuantity": "0.6",
            "averagePrice": "49850",
            "timestamp": 1_730_869_356_000_u64,
            "exchange": "hyperliquid",
            "clientOrderId": "bot-17",
            "timeInForce": "GTC",
            "reduceOnly": false,
            "positionSide": "BOTH",
            "exchangeStatus": "open",
            "exchangeSymbol": "BTC",
            "takeProfit": {"clientOrderId": "0x48", "status": "OPEN"},
        })
    );
}

fn refused(code: TradeCode) -> TradeError {
    let refusal = TradeRefusal { code, text: "said".to_owned() };
    TradeError::Refused { client_order_id: Some(id()), refusal }
}

fn rule(code: TradeCode) -> TradeError {
    TradeError::Rule(Box::new(BrokenRule {
        index: 0,
        code,
        symbol: "BTCUSDT".to_owned(),
        limit: Some("0.10".to_owned()),
        advice: "Use a multiple of 0.10 for BTCUSDT.".to_owned(),
    }))
}

#[test]
fn trade_error_has_its_status_and_code() {
    let unknown = || TradeError::Unknown {
        client_order_ids: vec![id()],
        retry_after_s: 15,
        cause: "lost".to_owned(),
    };
    for (error, status, code) in [
        (TradeError::WalletNotFound, 404, "WALLET_NOT_FOUND"),
        (TradeError::WalletFrozen, 422, "WALLET_FROZEN"),
        (TradeError::NoCredential(CredentialGap::Missing), 404, "API_KEY_NOT_FOUND"),
        (TradeError::CredentialV1, 422, "NOT_OFFERED_BY_EXCHANGE"),
        (TradeError::Fault(OrderFault::Missing("symbol")), 400, "MISSING_PARAMETER"),
        (rule(TradeCode::TickSize), 422, "TICK_SIZE"),
        (rule(TradeCode::MarketUnknown), 422, "MARKET_UNKNOWN"),
        (rule(TradeCode::NotOffered), 422, "NOT_OFFERED_BY_EXCHANGE"),
        (
            TradeError::IdReused { client_order_id: id(), is_exhausted: false },
            422,
            "CLIENT_ORDER_ID_REUSED",
        ),
        (
            TradeError::InProgress { client_order_id: id(), retry_after_s: 0 },
            409,
            "ORDER_IN_PROGRESS",
        ),
        (unknown(), 504, "ORDER_UNKNOWN"),
        (
            TradeError::NotPlaced { client_order_id: id(), cause: String::new() },
            502,
            "EXCHANGE_UNAVAILABLE",
        ),
        (TradeError::OrderNotFound { order: "12345".to_owned() }, 404, "ORDER_NOT_FOUND"),
        (TradeError::NotOpen(Box::new(view())), 409, "ORDER_NOT_OPEN"),
        (TradeError::CancelUnknown { cause: String::new() }, 504, "ORDER_UNKNOWN"),
        (TradeError::SymbolRequired, 400, "MISSING_PARAMETER"),
        (TradeError::SymbolMismatch { symbol: "BTC".to_owned() }, 400, "BAD_REQUEST"),
        (TradeError::Timeout(LookupError::Foreign), 504, "TIMEOUT"),
        (TradeError::Unavailable(LookupError::Foreign), 502, "EXCHANGE_UNAVAILABLE"),
        (TradeError::NotSent(TransportError::TooLarge), 502, "EXCHANGE_UNAVAILABLE"),
        (TradeError::Blocked("no".to_owned()), 502, "EXCHANGE_BLOCKED"),
        (TradeError::Busy(Busy::Limited { retry_after_s: 3 }), 429, "EXCHANGE_RATE_LIMIT"),
        (TradeError::Busy(Busy::Down { retry_after_s: 3 }), 502, "EXCHANGE_UNAVAILABLE"),
        (TradeError::Busy(Busy::Store(StoreError::Busy(String::new()))), 503, "STORE_BUSY"),
        (TradeError::Contention, 503, "STORE_BUSY"),
        (TradeError::OutOfTime, 504, "TIMEOUT"),
        (TradeError::Store(StoreError::Busy(String::new())), 503, "STORE_BUSY"),
        (TradeError::Store(StoreError::Conflict), 500, "INTERNAL"),
        (TradeError::DamagedKey, 500, "INTERNAL"),
        (TradeError::DamagedOrder("it is"), 500, "INTERNAL"),
        (TradeError::NoOrder, 400, "MISSING_PARAMETER"),
    ] {
        let words = format!("{error:?}");
        let error = trade(error);
        assert_eq!((error.status, error.code), (status, code), "{words}");
        assert!(error.message.ends_with('.') || error.message.ends_with(')'), "{error:?}");
        assert!(error.retry_after_s != Some(0), "{words}");
    }
}

#[test]
fn refusal_of_the_exchange_has_its_status_and_code() {
    for (code, status, published) in [
        (TradeCode::AgentUnknown, 404, "API_KEY_NOT_FOUND"),
        (TradeCode::DepositRequired, 422, "DEPOSIT_REQUIRED"),
        (TradeCode::MarketUnknown, 422, "MARKET_UNKNOWN"),
        (TradeCode::TickSize, 422, "TICK_SIZE"),
        (TradeCode::LotSize, 422, "LOT_SIZE"),
        (TradeCode::BelowMinimum, 422, "BELOW_MINIMUM"),
        (TradeCode::PriceOutOfRange, 422, "PRICE_OUT_OF_RANGE"),
        (TradeCode::WouldCross, 422, "WOULD_CROSS"),
        (TradeCode::WouldTrigger, 422, "WOULD_TRIGGER"),
        (TradeCode::NoLiquidity, 422, "NO_LIQUIDITY"),
        (TradeCode::InsufficientFunds, 422, "INSUFFICIENT_FUNDS"),
        (TradeCode::ReduceOnlyRefused, 422, "REDUCE_ONLY_REFUSED"),
        (TradeCode::PositionSideMismatch, 422, "POSITION_SIDE_MISMATCH"),
        (TradeCode::OpenInterestCap, 422, "OPEN_INTEREST_CAP"),
        (TradeCode::TooManyOrders, 422, "TOO_MANY_ORDERS"),
        (TradeCode::OrderNotOpen, 409, "ORDER_NOT_OPEN"),
        (TradeCode::NotOffered, 422, "NOT_OFFERED_BY_EXCHANGE"),
        (TradeCode::RateLimited { retry_after_s: 9 }, 429, "EXCHANGE_RATE_LIMIT"),
        (TradeCode::Expired, 502, "EXCHANGE_REJECTED"),
        (TradeCode::NonceTooLow, 502, "EXCHANGE_REJECTED"),
        (TradeCode::SignatureFault, 500, "INTERNAL"),
        (TradeCode::OurFault, 500, "INTERNAL"),
        (TradeCode::OrderRejected, 422, "ORDER_REJECTED"),
        (TradeCode::BuilderNotApproved, 422, "ORDER_REJECTED"),
        (TradeCode::ClientIdTaken, 422, "ORDER_REJECTED"),
        (TradeCode::TryLater, 502, "EXCHANGE_REJECTED"),
    ] {
        let error = trade(refused(code));
        assert_eq!((error.status, error.code), (status, published), "{code:?}");
        let body = shown(&error);
        assert_eq!(body["clientOrderId"], "bot-17", "{code:?}");
        // A fault of the service and a limit show no text of the exchange.
        let hides = matches!(status, 429 | 500);
        assert_eq!(body.get("exchangeMessage").is_none(), hides, "{code:?}");
    }
}

#[test]
fn error_details_stand_before_the_timestamp() {
    let text = |error: TradeError| trade(error).body(1_762_765_034_479);
    assert_eq!(
        text(TradeError::Policy(PolicyRefusal {
            rule: PolicyRule::OrderNotional,
            limit: "1000000".to_owned(),
        })),
        r#"{"success":false,"error":"The trading policy does not allow this order","code":"POLICY_REFUSED","message":"Change the order, or ask the holder of a key with the scope admin to change the policy.","reason":"ORDER_NOTIONAL","limit":"1000000","timestamp":1762765034479}"#
    );
    assert_eq!(
        text(refused(TradeCode::OrderRejected)),
        r#"{"success":false,"error":"Order was refused by the exchange","code":"ORDER_REJECTED","message":"Change the order. The exchange responded: said","clientOrderId":"bot-17","exchangeMessage":"said","timestamp":1762765034479}"#
    );
    assert_eq!(
        text(rule(TradeCode::TickSize)),
        r#"{"success":false,"error":"Price is not a multiple of the tick size","code":"TICK_SIZE","message":"Use a multiple of 0.10 for BTCUSDT.","limit":"0.10","timestamp":1762765034479}"#
    );
    let not_open = text(TradeError::NotOpen(Box::new(view())));
    let start = r#"{"success":false,"error":"Order is no longer open","code":"ORDER_NOT_OPEN","message":"Read data.status. Nothing was cancelled.","data":{"orderId":"12345","symbol":"BTC""#;
    assert!(not_open.starts_with(start), "{not_open}");
}

#[test]
fn error_texts_of_the_contract_are_exact() {
    let missing = |exchange, gap| {
        let error = TradeError::NoCredential(gap);
        ApiError::trade(exchange, Action::Status, error).error.into_owned()
    };
    assert_eq!(
        missing(Exchange::Aster, CredentialGap::Expired),
        "Missing or invalid credentials for Aster"
    );
    assert_eq!(
        missing(Exchange::Hyperliquid, CredentialGap::AgentUnknown),
        "Missing or invalid credentials for Hyperliquid"
    );
    let not_found = trade(TradeError::OrderNotFound { order: "12345".to_owned() });
    assert_eq!(not_found.error, "Order 12345 not found in any market");
    for (action, error) in [
        (Action::Status, "Failed to fetch order status: timeout"),
        (Action::OpenOrders, "Failed to fetch open orders: timeout"),
    ] {
        let timeout = TradeError::Timeout(LookupError::Foreign);
        assert_eq!(ApiError::trade(Exchange::Aster, action, timeout).error, error);
    }
}

#[test]
fn unknown_batch_lists_every_id() {
    let ids: Vec<ClientOrderId> = ["a", "b"].map(|id| id.parse().unwrap()).into();
    let cause = "lost".to_owned();
    let error = TradeError::Unknown { client_order_ids: ids, retry_after_s: 15, cause };
    let body = shown(&trade(error));
    assert_eq!(body["data"], json!({ "clientOrderIds": ["a", "b"] }));
    assert_eq!(body["retryAfterSeconds"], 15);
    assert!(body.get("clientOrderId").is_none());
}

fn placing(results: Vec<Result<OrderView, TradeError>>) -> Placing {
    let order = |(index, result)| {
        let client_order_id = format!("bot-{index}").parse().unwrap();
        PlacedOrder { client_order_id, result }
    };
    Placing { orders: results.into_iter().enumerate().map(order).collect(), is_replay: false }
}

#[test]
fn batch_with_a_placed_order_succeeds() {
    let refused = refused(TradeCode::InsufficientFunds);
    let (data, is_replay) =
        batch(Exchange::Aster, placing(vec![Ok(view()), Err(refused)])).unwrap();
    assert!(!is_replay);
    let data = serde_json::to_value(data).unwrap();
    assert_eq!((&data["placed"], &data["refused"]), (&json!(1), &json!(1)));
    assert_eq!(data["orders"][0]["order"]["orderId"], "12345");
    assert_eq!(
        data["orders"][1],
        json!({
            "success": false,
            "clientOrderId": "bot-1",
            "code": "INSUFFICIENT_FUNDS",
            "error": "Not enough margin or balance",
            "message": "Change the order. The exchange responded: said",
            "exchangeMessage": "said",
        })
    );
}

#[test]
fn refused_batch_has_the_first_error_and_every_result() {
    let results = vec![Err(refused(TradeCode::TickSize)), Err(refused(TradeCode::LotSize))];
    let error = batch(Exchange::Aster, placing(results)).unwrap_err();
    assert_eq!((error.status, error.code), (422, "TICK_SIZE"));
    let data = &shown(&error)["data"];
    assert_eq!(data["orders"][1]["code"], "LOT_SIZE");
    assert_eq!((&data["placed"], &data["refused"]), (&json!(0), &json!(2)));
}

#[test]
fn batch_with_an_unknown_order_returns_504() {
    let ids = vec![id()];
    let unknown =
        TradeError::Unknown { client_order_ids: ids, retry_after_s: 2, cause: "lost".to_owned() };
    let results = vec![Ok(view()), Err(refused(TradeCode::LotSize)), Err(unknown)];
    let error = batch(Exchange::Aster, placing(results)).unwrap_err();
    assert_eq!((error.status, error.code), (504, "ORDER_UNKNOWN"));
    let data = &shown(&error)["data"];
    let ids: Vec<&Value> =
        data["orders"].as_array().unwrap().iter().map(|order| &order["clientOrderId"]).collect();
    assert_eq!(ids, ["bot-0", "bot-1", "bot-2"]);
}
