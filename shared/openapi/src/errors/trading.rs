//! The errors of orders and trading policies, made by the code that returns them.

use domain::ids::Exchange;
use http::{HeaderMap, HeaderValue, Uri};
use platform::items::StoreError;
use shared::api::error::ApiError;
use shared::api::idempotency::key_of;
use shared::api::requests::{
    CancelOrders, ModifyOrder, PlaceOrderRequest, SetTradingPolicy, order_name, orders_in_query,
};
use shared::api::trading::{Action, batch_refused, trading_policy_error};
use shared::exchanges::LookupError;
use shared::exchanges::budget::Busy;
use shared::exchanges::http::TransportError;
use shared::exchanges::trade::{TradeCode, TradeRefusal};
use shared::orders::{BrokenRule, CredentialGap, OrderView, TradeError};
use shared::store::PolicyError;
use shared::trading::ids::ClientOrderId;
use shared::trading::order::{OrderFault, OrderStatus, PositionSide, Side, TimeInForce};
use shared::trading::policy::{PolicyRefusal, PolicyRule};

use super::failures;

/// The exchange's own texts in the examples.
const REFUSALS: [(TradeCode, &str); 19] = [
    (TradeCode::MarketUnknown, "Invalid symbol."),
    (TradeCode::TickSize, "Price must be divisible by tick size. asset=3"),
    (TradeCode::LotSize, "Order has invalid size."),
    (TradeCode::BelowMinimum, "Order must have minimum value of $10. asset=3"),
    (
        TradeCode::PriceOutOfRange,
        "Order price cannot be more than 80% away from the reference price",
    ),
    (TradeCode::WouldCross, "Post only order would have immediately matched, bbo was 60000@60001."),
    (TradeCode::WouldTrigger, "Order would immediately trigger."),
    (TradeCode::NoLiquidity, "Order could not immediately match against any resting orders."),
    (TradeCode::InsufficientFunds, "Insufficient margin to place order. asset=3"),
    (TradeCode::ReduceOnlyRefused, "Reduce only order would increase position. asset=3"),
    (TradeCode::PositionSideMismatch, "Order's position side does not match user's setting."),
    (TradeCode::OpenInterestCap, "Order would increase open interest too quickly asset=3"),
    (TradeCode::TooManyOrders, "Reach max open order limit."),
    (TradeCode::OrderRejected, "Trading is paused for this market"),
    (TradeCode::AgentUnknown, "No agent found"),
    (TradeCode::DepositRequired, "Must deposit before performing actions"),
    (TradeCode::RateLimited { retry_after_s: 10 }, "Too many cumulative requests sent"),
    (TradeCode::Expired, "Action already expired"),
    (TradeCode::OurFault, "Failed to deserialize the JSON body into the target type"),
];

/// The rules that the service checks, each with its limit and its advice.
const RULES: [(TradeCode, Option<&str>, &str); 7] = [
    (TradeCode::MarketUnknown, None, "Check the symbol."),
    (TradeCode::TickSize, Some("0.1"), "Use a multiple of 0.1 for BTCUSDT."),
    (TradeCode::LotSize, Some("0.001"), "Use a multiple of 0.001 for BTCUSDT."),
    (TradeCode::BelowMinimum, Some("10"), "Increase the order to a value of at least 10."),
    (TradeCode::PriceOutOfRange, Some("556.8"), "Use a price of at least 556.8."),
    (TradeCode::WouldCross, None, "Use a price that does not match at once."),
    (TradeCode::NotOffered, None, "Cancel the order and place another one."),
];

fn id() -> Option<ClientOrderId> {
    "bot-17".parse().ok()
}

fn order() -> OrderView {
    OrderView {
        order_id: Some("12345".to_owned()),
        client_order_id: Some("bot-17".to_owned()),
        symbol: "BTC".to_owned(),
        exchange_symbol: "BTC".to_owned(),
        side: Side::Buy,
        order_type: "LIMIT".to_owned(),
        status: OrderStatus::Filled,
        exchange_status: "filled".to_owned(),
        price: "49850".to_owned(),
        exchange_price: None,
        quantity: "1".to_owned(),
        filled_quantity: "1".to_owned(),
        average_price: Some("49850".to_owned()),
        at_ms: 1_730_869_356_000,
        exchange: Exchange::Hyperliquid,
        time_in_force: Some(TimeInForce::Gtc),
        reduce_only: false,
        position_side: PositionSide::Both,
        trigger_price: None,
        take_profit: None,
        stop_loss: None,
    }
}

/// Returns the errors of the header `Idempotency-Key` of an order.
pub(crate) fn order_key() -> Option<ApiError> {
    let invalid = HeaderMap::from_iter([(
        http::HeaderName::from_static("idempotency-key"),
        HeaderValue::from_static("a key"),
    )]);
    key_of(&invalid).err()
}

/// Returns the errors of the wallet's names.
pub(crate) fn names() -> Vec<ApiError> {
    let invalid = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-wallet-id"),
        HeaderValue::from_static("a b"),
    )]);
    [HeaderMap::new(), invalid]
        .iter()
        .filter_map(|headers| orders_in_query(headers, &Uri::default()).err())
        .chain([ApiError::wallet_not_found()])
        .collect()
}

/// Returns the errors of an order's name in a path.
pub(crate) fn named_order() -> Vec<ApiError> {
    let invalid = order_name("a b").err();
    invalid.into_iter().chain([ApiError::unreadable_path(), ApiError::no_route()]).collect()
}

/// Returns the error of a market's name in a query.
pub(crate) fn symbol() -> Option<ApiError> {
    let uri = "/?walletIdOrAddress=user_123&symbol=a%20b".parse().ok()?;
    orders_in_query(&HeaderMap::new(), &uri).err()
}

/// Returns the errors of a request for orders.
pub(crate) fn place_request(exchange: Exchange) -> Vec<ApiError> {
    let order = |change: &str| {
        let changed = change.split(':').next().unwrap_or_default();
        let fields = [
            ("\"walletIdOrAddress\"", "\"user_123\""),
            ("\"symbol\"", "\"BTC\""),
            ("\"side\"", "\"BUY\""),
            ("\"type\"", "\"LIMIT\""),
            ("\"quantity\"", "\"1\""),
            ("\"price\"", "\"49850\""),
        ];
        let kept = fields.iter().filter(|(name, _)| *name != changed);
        let kept: Vec<String> = kept.map(|(name, value)| format!("{name}:{value}")).collect();
        format!("{{{},{change}}}", kept.join(","))
    };
    let changes = [
        "\"symbol\":null",
        "\"symbol\":\"a b\"",
        "\"side\":\"LONG\"",
        "\"type\":\"ICEBERG\"",
        "\"quantity\":0.001",
        "\"quantity\":\"1e5\"",
        "\"price\":\"0\"",
        "\"timeInForce\":\"GTD\"",
        "\"positionSide\":\"NET\"",
        "\"triggerPrice\":\"1\"",
        "\"slippage\":\"0.01\"",
        "\"reduceOnly\":\"yes\"",
        "\"clientOrderId\":\"12345\"",
        "\"takeProfit\":{}",
        "\"takeProfit\":{\"triggerPrice\":\"60000\"}",
        "\"positionSide\":\"LONG\"",
        "\"timeInForce\":\"FOK\"",
        "\"qty\":\"1\"",
    ];
    let mut bodies: Vec<String> = changes.iter().map(|change| order(change)).collect();
    bodies.push("{\"walletIdOrAddress\":\"user_123\",\"orders\":[]}".to_owned());
    bodies
        .push("{\"walletIdOrAddress\":\"user_123\",\"orders\":[{\"symbol\":\"BTC\"}]}".to_owned());
    failures(&bodies, |body| {
        PlaceOrderRequest::read(exchange, &HeaderMap::new(), &Uri::default(), body)
    })
}

/// Returns the errors of a request that changes an order.
pub(crate) fn modify_request() -> Vec<ApiError> {
    let bodies = [
        r#"{"walletIdOrAddress":"user_123","price":"1"}"#,
        r#"{"walletIdOrAddress":"user_123","price":"0","quantity":"1"}"#,
        r#"{"walletIdOrAddress":"user_123","price":1,"quantity":"1"}"#,
        r#"{"walletIdOrAddress":"user_123","prize":"1","quantity":"1"}"#,
    ];
    failures(&bodies, |body| ModifyOrder::read(&HeaderMap::new(), &Uri::default(), body))
}

/// Returns the errors of a body that may only name the wallet.
pub(crate) fn cancel_request() -> Vec<ApiError> {
    let bodies = [r#"{"orderId":"12345"}"#];
    let unknown =
        failures(&bodies, |body| CancelOrders::read(&HeaderMap::new(), &Uri::default(), body));
    super::body().into_iter().chain(unknown).collect()
}

/// Returns the errors of every operation that asks the exchange.
fn asked(exchange: Exchange) -> Vec<TradeError> {
    let mut errors = vec![
        TradeError::WalletNotFound,
        TradeError::NoCredential(CredentialGap::Missing),
        TradeError::NoCredential(CredentialGap::Pending),
        TradeError::NoCredential(CredentialGap::Expired),
        TradeError::NoCredential(CredentialGap::Revoking),
        TradeError::Timeout(LookupError::Foreign),
        TradeError::Unavailable(LookupError::Foreign),
        TradeError::NotSent(TransportError::TooLarge),
        TradeError::Blocked(String::new()),
        TradeError::Busy(Busy::Limited { retry_after_s: 10 }),
        TradeError::Busy(Busy::TenantLimited { retry_after_s: 10 }),
        TradeError::Busy(Busy::Down { retry_after_s: 30 }),
        TradeError::OutOfTime,
        TradeError::Store(StoreError::Busy(String::new())),
        TradeError::DamagedKey,
    ];
    if exchange == Exchange::Aster {
        errors.push(TradeError::CredentialV1);
    }
    errors.extend(super::lighter::of_call(exchange));
    errors.push(market_unknown());
    let of_call = REFUSALS.into_iter().filter(|(code, _)| is_of_call(*code));
    errors.extend(of_call.map(|(code, text)| refused(code, text)));
    errors
}

pub(super) fn refused(code: TradeCode, text: &str) -> TradeError {
    let refusal = TradeRefusal { code, text: text.to_owned() };
    TradeError::Refused { client_order_id: id(), refusal }
}

/// Returns the errors of an operation that signs an order.
pub(super) fn signed() -> Vec<TradeError> {
    const RULE_LIMITS: [(PolicyRule, &str); 6] = [
        (PolicyRule::Symbol, "BTC, ETH"),
        (PolicyRule::OrderNotional, "1000000"),
        (PolicyRule::PositionNotional, "5000000"),
        (PolicyRule::OrderRate, "300"),
        (PolicyRule::ReduceOnly, "reduceOnly"),
        (PolicyRule::Slippage, "0.1"),
    ];
    let mut errors = vec![TradeError::WalletFrozen, TradeError::Contention];
    errors.extend(RULES.map(|(code, limit, advice)| {
        TradeError::Rule(Box::new(BrokenRule {
            index: 0,
            code,
            symbol: "BTCUSDT".to_owned(),
            limit: limit.map(str::to_owned),
            advice: advice.to_owned(),
        }))
    }));
    errors.extend(
        RULE_LIMITS.map(|(rule, limit)| {
            TradeError::Policy(PolicyRefusal { rule, limit: limit.to_owned() })
        }),
    );
    errors.extend(REFUSALS.map(|(code, text)| refused(code, text)));
    errors.extend(under_way());
    let not_placed = |id| TradeError::NotPlaced { client_order_id: id, cause: String::new() };
    errors.extend(id().map(not_placed));
    errors
}

/// Returns the errors of an order whose outcome is not known yet.
fn under_way() -> Vec<TradeError> {
    let Some(id) = id() else { return Vec::new() };
    vec![
        TradeError::InProgress { client_order_id: id.clone(), retry_after_s: 12 },
        TradeError::Unknown { client_order_ids: vec![id], retry_after_s: 15, cause: String::new() },
    ]
}

pub(super) fn all(exchange: Exchange, action: Action, errors: Vec<TradeError>) -> Vec<ApiError> {
    let errors = asked(exchange).into_iter().chain(errors);
    errors.map(|error| ApiError::trade(exchange, action, error)).collect()
}

pub(crate) fn place(exchange: Exchange) -> Vec<ApiError> {
    const BUILDER_LIMITS: [(PolicyRule, &str); 2] = [
        (PolicyRule::Builder, "0x8c967E73E7B15087c42A10D344cFf4c96D877f1D"),
        (PolicyRule::BuilderFee, "50"),
    ];
    let mut errors = signed();
    errors.extend(
        BUILDER_LIMITS.map(|(rule, limit)| {
            TradeError::Policy(PolicyRefusal { rule, limit: limit.to_owned() })
        }),
    );
    errors.extend(id_reused());
    let mut errors = all(exchange, Action::Place, errors);
    if let Some(id) = id() {
        let text = "Insufficient margin to place order. asset=3";
        let first =
            ApiError::trade(exchange, Action::Place, refused(TradeCode::InsufficientFunds, text));
        errors.push(batch_refused(first, id));
    }
    errors
}

pub(super) fn id_reused() -> Vec<TradeError> {
    let reused = |is_exhausted| {
        id().map(|client_order_id| TradeError::IdReused { client_order_id, is_exhausted })
    };
    [false, true].into_iter().filter_map(reused).collect()
}

pub(crate) fn modify(exchange: Exchange) -> Vec<ApiError> {
    let mut errors = signed();
    errors.extend(id_reused());
    errors.extend(of_order());
    all(exchange, Action::Modify, errors)
}

/// Returns the errors of an operation on an order that exists.
fn of_order() -> [TradeError; 4] {
    [
        TradeError::OrderNotFound { order: "12345".to_owned() },
        TradeError::NotOpen(Box::new(order())),
        TradeError::SymbolMismatch { symbol: "BTC".to_owned() },
        TradeError::Fault(OrderFault::Missing("symbol")),
    ]
}

pub(crate) fn cancel(exchange: Exchange) -> Vec<ApiError> {
    let mut errors = vec![TradeError::Contention];
    errors.extend(of_order());
    errors.push(TradeError::CancelUnknown { cause: String::new() });
    errors.extend(under_way());
    all(exchange, Action::Cancel, errors)
}

/// Returns whether the exchange refuses with this meaning independently of the order.
const fn is_of_call(code: TradeCode) -> bool {
    matches!(
        code,
        TradeCode::AgentUnknown
            | TradeCode::DepositRequired
            | TradeCode::RateLimited { .. }
            | TradeCode::Expired
            | TradeCode::OurFault
            | TradeCode::OrderRejected
    )
}

pub(crate) fn cancel_all(exchange: Exchange) -> Vec<ApiError> {
    let errors = vec![
        TradeError::Contention,
        TradeError::CancelUnknown { cause: String::new() },
        TradeError::Fault(OrderFault::Missing("symbol")),
    ];
    all(exchange, Action::CancelAll, errors)
}

fn market_unknown() -> TradeError {
    TradeError::Rule(Box::new(BrokenRule {
        index: 0,
        code: TradeCode::MarketUnknown,
        symbol: "BTCUSDT".to_owned(),
        limit: None,
        advice: "Check the symbol.".to_owned(),
    }))
}

pub(crate) fn open_orders(exchange: Exchange) -> Vec<ApiError> {
    let mut errors = Vec::new();
    if exchange == Exchange::Hyperliquid {
        errors.push(TradeError::SymbolRequired);
    }
    all(exchange, Action::OpenOrders, errors)
}

pub(crate) fn status(exchange: Exchange) -> Vec<ApiError> {
    let mut errors = vec![
        TradeError::OrderNotFound { order: "12345".to_owned() },
        TradeError::SymbolMismatch { symbol: "BTC".to_owned() },
        TradeError::Fault(OrderFault::Missing("symbol")),
    ];
    errors.extend(under_way());
    all(exchange, Action::Status, errors)
}

/// Returns the errors of a request that changes a policy.
pub(crate) fn policy_request() -> Vec<ApiError> {
    let bodies = [
        r#"{"maxOrderNotional":"-1"}"#,
        r#"{"maxOrderNotional":1000}"#,
        r#"{"maxSlippage":"1"}"#,
        r#"{"ordersPerMinute":-1}"#,
        r#"{"maxLeverage":0}"#,
        r#"{"reduceOnly":"yes"}"#,
        r#"{"symbols":"BTC"}"#,
        r#"{"symbols":["a b"]}"#,
        r#"{"builders":["0x1"]}"#,
        r#"{"maxBuilderFee":101}"#,
        r#"{"maxOrder":"1"}"#,
    ];
    failures(&bodies, |body| SetTradingPolicy::read(&HeaderMap::new(), &Uri::default(), body))
}

/// Returns the errors of a change of a policy.
pub(crate) fn policy() -> Vec<ApiError> {
    let errors = [
        PolicyError::MayNotLoosen,
        PolicyError::NoWallet,
        PolicyError::Overtaken,
        PolicyError::Store(StoreError::Conflict),
    ];
    errors.map(trading_policy_error).into()
}
