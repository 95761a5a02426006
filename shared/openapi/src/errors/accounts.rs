//! The errors of positions, balances, executions and leverage, made by the code that returns them.

use domain::ids::Exchange;
use http::{HeaderMap, Uri};
use shared::api::error::ApiError;
use shared::api::requests::{
    ClosePath, CloseRequest, FillsQuery, SetLeverage, wallet_of_positions,
};
use shared::api::trading::Action;
use shared::exchanges::trade::TradeCode;
use shared::orders::TradeError;
use shared::trading::order::OrderFault;
use shared::trading::policy::{PolicyRefusal, PolicyRule};

use super::failures;
use super::trading::{all, id_reused, refused, signed};

/// Returns the errors of the wallet in the path of positions.
pub(crate) fn wallet_in_path() -> Vec<ApiError> {
    let invalid = wallet_of_positions("0x12", &HeaderMap::new(), &Uri::default()).err();
    let others = [ApiError::unreadable_path(), ApiError::no_route(), ApiError::wallet_not_found()];
    invalid.into_iter().chain(others).collect()
}

/// Returns the errors of a market in the query.
pub(crate) fn asks(exchange: Exchange, action: Action) -> Vec<ApiError> {
    all(exchange, action, Vec::new())
}

/// Returns the errors of a request for executions.
pub(crate) fn fills(exchange: Exchange) -> Vec<ApiError> {
    let uri = "/?walletIdOrAddress=user_123&from=yesterday".parse().ok();
    let invalid =
        uri.and_then(|uri: Uri| FillsQuery::read(&HeaderMap::new(), &uri, 1_762_765_034_479).err());
    let mut errors = Vec::new();
    if exchange == Exchange::Aster {
        errors.push(TradeError::Fault(OrderFault::Missing("symbol")));
    }
    let errors = all(exchange, Action::Fills, errors);
    invalid.into_iter().chain(errors).collect()
}

/// Returns the errors of a request that closes positions.
pub(crate) fn close_request(exchange: Exchange) -> Vec<ApiError> {
    let bodies = [
        r#"{"walletIdOrAddress":"user_123"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"a b"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","side":"LONG"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","type":"STOP_MARKET"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","type":"LIMIT"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","price":"1"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","quantity":"0"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","quantity":0.1}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","reduceOnly":false}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","timeInForce":"GTC"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","positionSide":"NET"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","positionSide":"LONG"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","slippage":"0.01"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","clientOrderId":"12345"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","all":true}"#,
        r#"{"walletIdOrAddress":"user_123","all":"yes"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","size":"1"}"#,
    ];
    failures(&bodies, |body| {
        let request = (&HeaderMap::new(), &Uri::default(), body);
        CloseRequest::read(exchange, ClosePath::default(), request)
    })
}

/// Returns the errors of closing positions.
pub(crate) fn close(exchange: Exchange) -> Vec<ApiError> {
    let mut errors = signed();
    errors.extend(id_reused());
    errors.extend([
        TradeError::NoPosition { symbol: Some("BTC".to_owned()) },
        TradeError::NoPosition { symbol: None },
    ]);
    if exchange == Exchange::Aster {
        errors.push(TradeError::PositionSideRequired { symbol: "BTCUSDT".to_owned() });
    }
    all(exchange, Action::Close, errors)
}

/// Returns the errors of a request that sets the leverage.
pub(crate) fn leverage_request() -> Vec<ApiError> {
    let bodies = [
        r#"{"walletIdOrAddress":"user_123","leverage":5}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"a b","leverage":5}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","leverage":0}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","marginMode":"SHARED"}"#,
        r#"{"walletIdOrAddress":"user_123","symbol":"BTC","leverage":5,"mode":"CROSS"}"#,
    ];
    failures(&bodies, |body| SetLeverage::read(&HeaderMap::new(), &Uri::default(), body))
}

/// Returns the errors of setting the leverage.
pub(crate) fn leverage(exchange: Exchange) -> Vec<ApiError> {
    let policy =
        |rule, limit: &str| TradeError::Policy(PolicyRefusal { rule, limit: limit.to_owned() });
    let errors = vec![
        TradeError::WalletFrozen,
        policy(PolicyRule::Leverage, "10"),
        policy(PolicyRule::Symbol, "BTC, ETH"),
        refused(TradeCode::LeverageOutOfRange, "Invalid leverage value asset=3"),
        refused(TradeCode::MarginModeLocked, "Cannot switch leverage type with open position."),
        refused(TradeCode::InsufficientFunds, "Insufficient margin asset=3"),
        TradeError::LeverageInProgress { retry_after_s: 12 },
        TradeError::LeverageUnknown { cause: String::new() },
    ];
    all(exchange, Action::Leverage, errors)
}
