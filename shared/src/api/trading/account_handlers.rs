//! The handlers of positions, balances, executions, leverage and past orders, and those of the paths
//! that name the wallet. One function per exchange and operation mounts each.

use crate::api::Handled;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::ids::Exchange;
use http::{HeaderMap, Uri};

use super::accounts::{AllPositionsBody, AsterPositionsBody, PastOrdersBody, PositionsBody};
use super::balances::BalancesData;
use super::desk::{Desk, done, failed, respond, wallet_of};
use super::error::Action;
use super::fills::{FillsBody, LeverageData};
use super::handlers::{closed, place, responded, single, with_ids};
use crate::api::body::{JsonBody, PathName, PathNames};
use crate::api::error::ApiError;
use crate::api::idempotency::key_of;
use crate::api::requests::{
    ClosePath, CloseRequest, FillsQuery, PlaceOrderRequest, SetLeverage, ToClose, orders_of_wallet,
    symbol_in_query, wallet_of_positions,
};
use crate::api::responses::DataBody;
use crate::caller::Caller;
use crate::orders::{Closing, PositionsView, Trader};
use crate::trading::ids::ClientOrderId;

/// `GET /api/trading/{exchange}/positions/{walletAddress}`: returns the open positions.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub fn positions(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<PositionsBody>> {
    Box::pin(async move {
        let view = read_positions(&trader, &caller, &wallet, &headers, &uri).await?;
        Ok(Json(PositionsBody::new(trader.exchange(), &view, trader.clock().now_ms())))
    })
}

async fn read_positions(
    trader: &Trader,
    caller: &Caller,
    wallet: &str,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<PositionsView, ApiError> {
    let names = wallet_of_positions(wallet, headers, uri)?;
    let symbol = symbol_in_query(uri)?;
    let wallet = wallet_of(trader, caller, names).await?;
    let read = trader.positions(caller, &wallet, symbol.as_ref()).await;
    done(trader, Action::Positions, read)
}

/// The exchanges of a request for the positions at all of them.
#[derive(Clone, Debug)]
pub struct AllTraders(pub Vec<Trader>);

/// `GET /api/trading/positions/all/{walletAddress}`: returns the open positions at all exchanges. The
/// response states the exchanges that could not be asked.
///
/// # Errors
/// When the request is invalid or no exchange can be asked.
pub fn all_positions(
    State(AllTraders(traders)): State<AllTraders>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<AllPositionsBody>> {
    Box::pin(async move {
        let names = wallet_of_positions(&wallet, &headers, &uri)?;
        let first = traders.first().ok_or_else(ApiError::no_route)?;
        let wallet = wallet_of(first, &caller, names).await?;
        let (caller, wallet) = (&caller, &wallet);
        let reads = traders.iter().map(|trader| async move {
            let read = trader.positions(caller, wallet, None).await;
            (trader.exchange(), done(trader, Action::Positions, read))
        });
        let reads: Vec<(Exchange, _)> = futures_util::future::join_all(reads).await;
        AllPositionsBody::new(reads, first.clock().now_ms()).map(Json)
    })
}

/// `GET /api/aster/perp/{walletId}/positions`: returns the open positions in Aster's own fields.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub fn aster_positions(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<AsterPositionsBody>> {
    Box::pin(async move {
        let view = read_positions(&trader, &caller, &wallet, &headers, &uri).await?;
        Ok(Json(AsterPositionsBody::new(view, trader.clock().now_ms())))
    })
}

/// `GET /api/trading/{exchange}/balances`: returns the balances.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub fn balances(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<DataBody<BalancesData>>> {
    Box::pin(async move { read_balances(&trader, &caller, None, &headers, &uri).await })
}

/// `GET /api/aster/perp/{walletId}/account`: returns the balances.
///
/// # Errors
/// As [`balances`].
pub fn account(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<DataBody<BalancesData>>> {
    Box::pin(async move { read_balances(&trader, &caller, Some(&wallet), &headers, &uri).await })
}

async fn read_balances(
    trader: &Trader,
    caller: &Caller,
    wallet: Option<&str>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Json<DataBody<BalancesData>>, ApiError> {
    let names = orders_of_wallet(wallet, headers, uri)?;
    let wallet = wallet_of(trader, caller, names).await?;
    let view = trader.balances(caller, &wallet).await;
    let view = done(trader, Action::Balances, view)?;
    Ok(respond(trader, BalancesData::new(trader.exchange(), view)))
}

/// `GET /api/trading/{exchange}/fills?symbol=&from=`: returns a page of executions.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub fn fills(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<FillsBody>> {
    Box::pin(async move {
        let now_ms = trader.clock().now_ms();
        let FillsQuery { names, symbol, from_ms } = FillsQuery::read(&headers, &uri, now_ms)?;
        let wallet = wallet_of(&trader, &caller, names).await?;
        let page = trader.fills(&caller, &wallet, symbol.as_ref(), from_ms).await;
        let page = done(&trader, Action::Fills, page)?;
        Ok(Json(FillsBody::new(trader.exchange(), page, trader.clock().now_ms())))
    })
}

/// `POST /api/trading/{exchange}/leverage`: sets the leverage and the margin mode of a market.
///
/// # Errors
/// When the request is invalid, or the change was not made.
pub fn set_leverage(
    Desk(trader): Desk,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Json<DataBody<LeverageData>>> {
    Box::pin(async move {
        let request = SetLeverage::read(&headers, &uri, &body)?;
        let change = request.change();
        let SetLeverage { wallet_id_or_address, symbol, .. } = request;
        let wallet = wallet_of(&trader, &caller, wallet_id_or_address).await?;
        let set = trader.set_leverage(&caller, &wallet, &symbol, change).await;
        let view = done(&trader, Action::Leverage, set)?;
        Ok(respond(&trader, LeverageData::new(trader.exchange(), view)))
    })
}

/// `POST /api/trading/{exchange}/positions/close`: closes a position, a part of it, or all positions.
///
/// # Errors
/// When the request is invalid or nothing was closed.
pub fn close_position(
    State(trader): State<Trader>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(
        async move { close(&trader, &caller, ClosePath::default(), (&headers, &uri, &body)).await },
    )
}

/// `POST /api/aster/perp/{walletId}/close-position`.
///
/// # Errors
/// As [`close_position`].
pub fn close_of_wallet(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let path = ClosePath { wallet: Some(&wallet), ..ClosePath::default() };
        close(&trader, &caller, path, (&headers, &uri, &body)).await
    })
}

/// `POST /api/hyperliquid/{walletId}/positions/close/{symbol}`.
///
/// # Errors
/// As [`close_position`].
pub fn close_of_market(
    State(trader): State<Trader>,
    caller: Caller,
    PathNames(wallet, symbol): PathNames,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let path = ClosePath { wallet: Some(&wallet), symbol: Some(&symbol), all: false };
        close(&trader, &caller, path, (&headers, &uri, &body)).await
    })
}

/// `POST /api/hyperliquid/{walletId}/positions/close-all`.
///
/// # Errors
/// As [`close_position`].
pub fn close_all(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let path = ClosePath { wallet: Some(&wallet), symbol: None, all: true };
        close(&trader, &caller, path, (&headers, &uri, &body)).await
    })
}

async fn close(
    trader: &Trader,
    caller: &Caller,
    path: ClosePath<'_>,
    request: (&HeaderMap, &Uri, &JsonBody),
) -> Result<Response, ApiError> {
    let key = key_of(request.0)?;
    let CloseRequest { names, close } = CloseRequest::read(trader.exchange(), path, request)?;
    let wallet = wallet_of(trader, caller, names).await?;
    let assigned = |id: &mut Option<ClientOrderId>, action| {
        trader.assign_ids([id], key).map_err(|error| failed(trader, action, error))
    };
    match close {
        ToClose::One(mut close) => {
            let ids = assigned(&mut close.client_order_id, Action::Close)?;
            let response = match trader.close(caller, &wallet, &close, key).await {
                Ok(placing) => single(trader, Action::Close, placing),
                Err(error) => failed(trader, Action::Close, error).into_response(),
            };
            Ok(with_ids(response, &ids))
        }
        ToClose::All(mut all) => {
            let ids = assigned(&mut all.client_order_id, Action::CloseAll)?;
            let response = match trader.close_all(caller, &wallet, &all, key).await {
                Ok(Closing { closed: positions, is_replay }) => {
                    let closed = closed(trader.exchange(), positions);
                    // A repeat needs the id of the request. The entries have those of the orders.
                    let closed = closed.map_err(|error| match ids.first() {
                        Some(id) => error.of_order(id),
                        None => error,
                    });
                    responded(trader, closed, is_replay)
                }
                Err(error) => failed(trader, Action::CloseAll, error).into_response(),
            };
            Ok(with_ids(response, &ids))
        }
    }
}

/// `POST /api/aster/perp/{walletId}/order`: places an order.
///
/// # Errors
/// When the request is invalid or nothing was placed.
pub fn place_of_wallet(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
    body: JsonBody,
) -> Handled<Response> {
    Box::pin(async move {
        let key = key_of(&headers)?;
        let request =
            PlaceOrderRequest::read_at(trader.exchange(), Some(&wallet), &headers, &uri, &body)?;
        place(&trader, &caller, request, key).await
    })
}

/// `GET /api/hyperliquid/{walletId}/orders/historical`: returns the last orders in any state.
///
/// # Errors
/// When the request is invalid or the exchange cannot be asked.
pub fn past_orders(
    State(trader): State<Trader>,
    caller: Caller,
    PathName(wallet): PathName,
    headers: HeaderMap,
    uri: Uri,
) -> Handled<Json<PastOrdersBody>> {
    Box::pin(async move {
        let names = orders_of_wallet(Some(&wallet), &headers, &uri)?;
        let wallet = wallet_of(&trader, &caller, names).await?;
        let orders = trader.past_orders(&caller, &wallet).await;
        let orders = done(&trader, Action::PastOrders, orders)?;
        Ok(Json(PastOrdersBody::new(orders, trader.clock().now_ms())))
    })
}
