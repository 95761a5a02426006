//! The operations on positions, balances, executions and leverage of an exchange.

use domain::ids::Exchange;
use http::Method;
use shared::api::error::ApiError;
use shared::api::requests::{ClosePosition, PlaceOrderRequest, SetLeverage};
use shared::api::trading::Action;
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::Operation;
use super::exchanges::of;
use crate::errors::{accounts, trading};
use crate::parameters::{
    from_in_query, market_in_path, order_key, symbol_in_query, wallet_address_in_path,
    wallet_id_in_path, wallet_in_header, wallet_in_query,
};
use crate::tags::Tag;

/// Returns the operations on accounts of an exchange.
pub(super) fn all(exchange: Exchange) -> [Operation; 5] {
    [positions(exchange), balances(exchange), fills(exchange), leverage(exchange), close(exchange)]
}

/// Returns an operation on the account of the wallet that the header, the query or the body names.
fn operation(method: Method, exchange: Exchange, rest: &str, id: String) -> Operation {
    let path = format!("/api/trading/{exchange}/{rest}");
    Operation::new(method, path, id, Tag::Accounts)
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .fails(trading::names())
}

/// Returns an operation on the account of the wallet in the path.
fn of_wallet(method: Method, path: &str, id: &str) -> Operation {
    Operation::new(method, path, id, Tag::Accounts)
        .takes(wallet_id_in_path())
        .takes(wallet_in_header())
        .fails(trading::names())
        .fails([ApiError::unreadable_path(), ApiError::no_route()])
}

fn reads(operation: Operation) -> Operation {
    operation.requires(Scope::Read).while_suspended()
}

fn positions(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    let path = format!("/api/trading/{exchange}/positions/{{walletAddress}}");
    reads(Operation::new(Method::GET, path, format!("list{name}Positions"), Tag::Accounts))
        .says(
            format!("List a wallet's open positions on {name}"),
            "A market without a position is left out.",
        )
        .takes(wallet_address_in_path())
        .takes(symbol_in_query(Required::False))
        .answers(200, "The open positions.", "OpenPositions")
        .fails(accounts::wallet_in_path())
        .fails(trading::symbol())
        .fails(accounts::asks(exchange, Action::Positions))
}

fn all_positions() -> Operation {
    let path = "/api/trading/positions/all/{walletAddress}";
    let operation = reads(Operation::new(Method::GET, path, "listAllPositions", Tag::Accounts))
        .says(
            "List a wallet's open positions on all exchanges",
            "If an exchange cannot be asked, the response still has the positions at the others, and \
             exchanges states the error. The call fails only if no exchange can be asked.",
        )
        .takes(wallet_address_in_path())
        .answers(200, "The open positions.", "AllPositions")
        .fails(accounts::wallet_in_path());
    let errors = Exchange::ALL.map(|exchange| accounts::asks(exchange, Action::Positions));
    errors.into_iter().fold(operation, |operation, errors| {
        // The market is not named.
        operation.fails(errors.into_iter().filter(|error| error.code != "MARKET_UNKNOWN"))
    })
}

fn balances(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    reads(operation(Method::GET, exchange, "balances", format!("get{name}Balances")))
        .says(
            format!("Get a wallet's balances on {name}"),
            "On Hyperliquid in standard mode, the first row is the value of the perpetuals in USDC.",
        )
        .answers(200, "The balances.", "BalancesResponse")
        .fails(accounts::asks(exchange, Action::Balances))
}

fn fills(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    let needs = if exchange == Exchange::Aster { Required::True } else { Required::False };
    reads(operation(Method::GET, exchange, "fills", format!("list{name}Fills")))
        .says(
            format!("List a wallet's executions on {name}"),
            "Returns a page, the oldest first. Pass nextFrom as from to get the next page, until \
             nextFrom is null. A page may be empty although more follow.",
        )
        .takes(symbol_in_query(needs))
        .takes(from_in_query())
        .answers(200, "A page of executions.", "Fills")
        .fails(trading::symbol())
        .fails(accounts::fills(exchange))
}

fn leverage(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    operation(Method::POST, exchange, "leverage", format!("set{name}Leverage"))
        .requires(Scope::Trade)
        .says(
            format!("Set the leverage of a market on {name}"),
            "Sets the leverage, the margin mode or both, and reads them back from the exchange. A \
             retry is harmless. maxLeverage of the trading policy limits the leverage.",
        )
        .body::<SetLeverage>(Required::True)
        .answers(200, "The leverage and the margin mode that the exchange states.", "LeverageSet")
        .fails(accounts::leverage_request())
        .fails(accounts::leverage(exchange))
}

/// Adds the parts of an operation that closes positions.
fn closes(operation: Operation, exchange: Exchange) -> Operation {
    operation
        .requires(Scope::Trade)
        .takes(order_key())
        .names_orders()
        .body::<ClosePosition>(Required::False)
        .answers(200, "The order, or the result for each position.", "OrderPlacing")
        .fails(trading::order_key())
        .fails(accounts::close_request(exchange))
        .fails(accounts::close(exchange))
}

const CLOSES: &str = "Places a reduce-only order. Without quantity it closes the whole position, \
                      and without type at the market's price. A retry with the same clientOrderId \
                      or Idempotency-Key and the same body returns the first result, and never \
                      closes more. With all, it closes every position.";

fn close(exchange: Exchange) -> Operation {
    let (_, name) = of(exchange);
    let id = format!("close{name}Position");
    let summary = format!("Close a position on {name}");
    closes(operation(Method::POST, exchange, "positions/close", id), exchange).says(summary, CLOSES)
}

/// Returns the operations whose paths name the wallet, and the positions at all exchanges.
pub(super) fn with_wallet_in_path() -> [Operation; 8] {
    const SAME: &str = "Another path of the same operation.";
    let perp = "/api/aster/perp/{walletId}";
    let wallet = "/api/hyperliquid/{walletId}";
    let (aster, hyperliquid) = (Exchange::Aster, Exchange::Hyperliquid);
    let post = |path: String, id| of_wallet(Method::POST, &path, id);
    let get = |path: String, id| reads(of_wallet(Method::GET, &path, id));
    [
        all_positions(),
        post(format!("{perp}/order"), "placeAsterPerpOrder")
            .requires(Scope::Trade)
            .says("Place an order on Aster by wallet", SAME)
            .takes(order_key())
            .names_orders()
            .body::<PlaceOrderRequest>(Required::True)
            .answers(200, "The order, or the result of each order of a batch.", "OrderPlacing")
            .fails(trading::order_key())
            .fails(trading::place_request(aster))
            .fails(trading::place(aster)),
        closes(post(format!("{perp}/close-position"), "closeAsterPerpPosition"), aster)
            .says("Close a position on Aster by wallet", SAME),
        get(format!("{perp}/account"), "getAsterPerpAccount")
            .says("Get the balances on Aster by wallet", SAME)
            .answers(200, "The balances.", "BalancesResponse")
            .fails(accounts::asks(aster, Action::Balances)),
        get(format!("{perp}/positions"), "listAsterPerpPositions")
            .says("List the open positions in Aster's own fields", "")
            .takes(symbol_in_query(Required::False))
            .answers(200, "The open positions.", "AsterPositions")
            .fails(trading::symbol())
            .fails(accounts::wallet_in_path())
            .fails(accounts::asks(aster, Action::Positions)),
        closes(
            post(format!("{wallet}/positions/close/{{symbol}}"), "closeHyperliquidMarket"),
            hyperliquid,
        )
        .takes(market_in_path())
        .says("Close a position on Hyperliquid by wallet", SAME),
        closes(post(format!("{wallet}/positions/close-all"), "closeHyperliquidAll"), hyperliquid)
            .says("Close all positions on Hyperliquid by wallet", SAME),
        get(format!("{wallet}/orders/historical"), "listHyperliquidPastOrders")
            .says(
                "List the last orders on Hyperliquid",
                "At most 2,000 orders in any state, the newest first.",
            )
            .answers(200, "The orders.", "PastOrders")
            .fails(accounts::asks(hyperliquid, Action::PastOrders)),
    ]
}

/// Returns the operations on accounts of exchanges without support.
pub(super) fn elsewhere() -> [Operation; 5] {
    let path = |rest: &str| format!("/api/trading/{{exchange}}/{rest}");
    let positions = "positions/{walletAddress}";
    [
        (Method::GET, positions, "listElsewherePositions", "List positions on another exchange"),
        (Method::POST, "positions/close", "closeElsewherePosition", "Close elsewhere"),
        (Method::GET, "balances", "getElsewhereBalances", "Get balances on another exchange"),
        (Method::GET, "fills", "listElsewhereFills", "List executions on another exchange"),
        (Method::POST, "leverage", "setElsewhereLeverage", "Set leverage on another exchange"),
    ]
    .map(|(method, rest, id, summary)| {
        let operation = super::orders::guided(method, path(rest), id, summary);
        if rest == positions { operation.takes(wallet_address_in_path()) } else { operation }
    })
}
