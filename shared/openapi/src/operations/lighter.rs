//! The operations on Lighter, for which the caller brings the key of an account.

use domain::ids::Exchange;
use http::Method;
use shared::api::exchange::{not_offered_on_lighter, not_served};
use shared::api::requests::{ModifyOrder, PlaceOrderRequest, SetLeverage};
use shared::api::trading::{Action, StoreLighterKey};
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::Operation;
use crate::errors::{accounts, lighter, trading};
use crate::parameters::{
    agent_in_path, lighter_account_in_path, lighter_account_in_query, lighter_headers,
    lighter_owner_in_query, lighter_query, order_in_path, order_key, symbol_in_query,
};
use crate::tags::Tag;

const LIGHTER: Exchange = Exchange::Lighter;

const KEYS: &str = "/api/trading/lighter/credentials";

/// Returns the operations on Lighter.
pub(super) fn all() -> Vec<Operation> {
    let mut all = orders();
    all.extend([leverage(), positions(), balances(), store(), describe(), delete()]);
    all.extend(guided());
    all
}

/// Returns the operations that Lighter does not have here. They always fail.
fn guided() -> [Operation; 8] {
    let agent = "agents/{agentName}";
    [
        (Method::POST, "apikey", "registerLighter", "Get guidance about keys of Lighter"),
        (Method::GET, "apikey", "getLighterApiKey", "Get guidance about a key of Lighter"),
        (Method::DELETE, "apikey", "deleteLighterApiKey", "Get guidance about removing a key"),
        (Method::POST, "apikey/rotate", "rotateLighterApiKey", "Get guidance about a new key"),
        (Method::GET, "agents", "listLighterAgents", "Get guidance about agents on Lighter"),
        (Method::DELETE, agent, "deleteLighterAgent", "Get guidance about an agent on Lighter"),
        (Method::POST, "positions/close", "closeLighterPosition", "Close a position on Lighter"),
        (Method::GET, "fills", "listLighterFills", "List executions on Lighter"),
    ]
    .map(|(method, rest, id, summary)| {
        let is_key = rest.starts_with("apikey") || rest.starts_with("agents");
        let path = format!("/api/trading/lighter/{rest}");
        let operation = reads(Operation::new(method, path, id, Tag::OtherExchanges));
        let operation = if rest == agent { operation.takes(agent_in_path()) } else { operation };
        if is_key {
            let says = "This call always fails with 400: you make the keys of Lighter there, and \
                        bring or store them. The response states how.";
            operation.says(summary, says).fails([not_served("lighter")])
        } else {
            let says = "This call always fails with 422. The response states what to do instead.";
            operation.says(summary, says).fails([not_offered_on_lighter()])
        }
    })
}

/// Returns an operation with the key of an account.
fn keyed(method: Method, rest: &str, id: &str, tag: Tag) -> Operation {
    let operation = Operation::new(method, format!("/api/trading/lighter/{rest}"), id, tag);
    let parameters = lighter_headers().into_iter().chain(lighter_query());
    parameters.fold(operation, Operation::takes).fails(lighter::keys())
}

fn reads(operation: Operation) -> Operation {
    operation.requires(Scope::Read).while_suspended()
}

fn orders() -> Vec<Operation> {
    vec![
        keyed(Method::POST, "orders", "placeLighterOrder", Tag::Orders)
            .requires(Scope::Trade)
            .says(
                "Place an order on Lighter",
                "The order is executed at most once. A retry with the same clientOrderId or \
                 Idempotency-Key and the same order returns the first result. If the outcome is not \
                 known yet (504 ORDER_UNKNOWN), retry the call to resolve it; the service also \
                 resolves it within 2 minutes. The key is given in the headers, in \
                 credentials.lighter of the body or in the query, or is stored and named by the \
                 account.",
            )
            .takes(order_key())
            .names_orders()
            .body::<PlaceOrderRequest>(Required::True)
            .answers(200, "The order.", "OrderPlacing")
            .fails(trading::order_key())
            .fails(trading::place_request(LIGHTER))
            .fails(trading::place(LIGHTER)),
        keyed(Method::PUT, "orders/{orderId}", "modifyLighterOrder", Tag::Orders)
            .requires(Scope::Trade)
            .says(
                "Modify an open order on Lighter",
                "Changes price and quantity of a limit order without a fill.",
            )
            .takes(order_in_path())
            .body::<ModifyOrder>(Required::True)
            .answers(200, "The order after the change.", "OrderResponse")
            .fails(trading::named_order())
            .fails(trading::modify_request())
            .fails(trading::modify(LIGHTER)),
        keyed(Method::DELETE, "orders/{orderId}", "cancelLighterOrder", Tag::Orders)
            .requires(Scope::Trade)
            .while_suspended()
            .says(
                "Cancel an open order on Lighter",
                "An order that is not open any more returns 409 with its state in data.",
            )
            .takes(order_in_path())
            .takes(symbol_in_query(Required::False))
            .answers(200, "The order, which is cancelled.", "OrderResponse")
            .fails(trading::named_order())
            .fails(trading::symbol())
            .fails(trading::cancel_request())
            .fails(trading::cancel(LIGHTER)),
        keyed(Method::DELETE, "orders", "cancelLighterOrders", Tag::Orders)
            .requires(Scope::Trade)
            .while_suspended()
            .says(
                "Cancel all open orders of a market on Lighter",
                "Returns the orders in their state after the cancellation.",
            )
            .takes(symbol_in_query(Required::True))
            .answers(200, "The orders that were open.", "OrdersCanceled")
            .fails(trading::symbol())
            .fails(trading::cancel_request())
            .fails(trading::cancel_all(LIGHTER)),
        reads(keyed(Method::GET, "orders", "listLighterOrders", Tag::Orders))
            .says("List an account's open orders on Lighter", "")
            .takes(symbol_in_query(Required::False))
            .answers(200, "The open orders.", "OpenOrders")
            .fails(trading::symbol())
            .fails(trading::open_orders(LIGHTER)),
        reads(keyed(Method::GET, "orders/{orderId}/status", "getLighterOrder", Tag::Orders))
            .says(
                "Get an order on Lighter",
                "Returns the order in its present state. Name it by the exchange's id or by its \
                 clientOrderId.",
            )
            .takes(order_in_path())
            .takes(symbol_in_query(Required::False))
            .answers(200, "The order.", "OrderResponse")
            .fails(trading::named_order())
            .fails(trading::symbol())
            .fails(trading::status(LIGHTER)),
    ]
}

fn leverage() -> Operation {
    keyed(Method::POST, "leverage", "setLighterLeverage", Tag::Accounts)
        .requires(Scope::Trade)
        .says(
            "Set the leverage of a market on Lighter",
            "Sets the leverage, the margin mode or both, and reads them back from the exchange. A \
             retry is harmless.",
        )
        .body::<SetLeverage>(Required::True)
        .answers(200, "The leverage and the margin mode that the exchange states.", "LeverageSet")
        .fails(accounts::leverage_request())
        .fails(accounts::leverage(LIGHTER))
}

fn positions() -> Operation {
    let path = "/api/trading/lighter/positions/{walletAddress}";
    reads(Operation::new(Method::GET, path, "listLighterPositions", Tag::Accounts))
        .says(
            "List an account's open positions on Lighter",
            "Lighter states the positions of every account to anybody, so no key is needed.",
        )
        .takes(lighter_account_in_path())
        .takes(symbol_in_query(Required::False))
        .answers(200, "The open positions.", "OpenPositions")
        .fails(lighter::accounts())
        .fails(trading::symbol())
        .fails(accounts::asks(LIGHTER, Action::Positions))
}

fn balances() -> Operation {
    let path = "/api/trading/lighter/balances";
    reads(Operation::new(Method::GET, path, "getLighterBalances", Tag::Accounts))
        .says(
            "Get an account's balances on Lighter",
            "Lighter states the balances of every account to anybody, so no key is needed.",
        )
        .takes(lighter_account_in_query(Required::False))
        .takes(lighter_owner_in_query())
        .answers(200, "The balances.", "BalancesResponse")
        .fails(lighter::accounts())
        .fails(accounts::asks(LIGHTER, Action::Balances))
}

fn store() -> Operation {
    Operation::new(Method::PUT, KEYS, "setLighterCredentials", Tag::Accounts)
        .requires(Scope::Trade)
        .says(
            "Store the API key of a Lighter account",
            "Checks the key against Lighter's public list, and stores it sealed. It replaces the \
             account's present key.",
        )
        .body::<StoreLighterKey>(Required::True)
        .answers(200, "The key is stored.", "LighterKeyResponse")
        .fails(lighter::store())
}

fn describe() -> Operation {
    reads(Operation::new(Method::GET, KEYS, "getLighterCredentials", Tag::Accounts))
        .says("Get the stored API key of a Lighter account", "Never returns the private key.")
        .takes(lighter_account_in_query(Required::True))
        .answers(200, "The stored key.", "LighterKeyResponse")
        .fails(lighter::describe())
}

fn delete() -> Operation {
    Operation::new(Method::DELETE, KEYS, "deleteLighterCredentials", Tag::Accounts)
        .requires(Scope::Trade)
        .while_suspended()
        .says(
            "Delete the stored API key of a Lighter account",
            "Lighter keeps the key. To end it, replace it there.",
        )
        .takes(lighter_account_in_query(Required::True))
        .answers(200, "No key is stored.", "LighterKeyDeletedResponse")
        .fails(lighter::delete())
}
