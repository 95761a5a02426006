//! The operations on payments.

use domain::ids::Exchange;
use http::Method;
use shared::api::error::ApiError;
use shared::api::money::transfer_not_offered;
use shared::api::requests::{
    SendTokens, TransferAtHyperliquid, WithdrawFromAster, WithdrawFromHyperliquid,
};
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::Operation;
use crate::errors::{self, payments, trading};
use crate::parameters::{
    payment_key, transfer_in_path, wallet_in_header, wallet_in_path, wallet_in_query,
};
use crate::tags::Tag;

const PAYS: &str = "A retry with the same Idempotency-Key and body pays once and returns the payment. \
                    With dryRun, returns fees, arrival and the policy's verdict, and signs nothing. \
                    Above a limit of the tenant's policy the call fails with 409 APPROVAL_REQUIRED \
                    and the text that approvers sign. Approvals that do not count are listed in \
                    422 APPROVAL_INVALID.";

/// Returns the operations on payments.
pub(super) fn all() -> Vec<Operation> {
    let mut all = vec![withdraw_aster(), withdraw_hyperliquid(), transfer_hyperliquid()];
    for exchange in Exchange::ALL {
        all.extend([get(exchange), deposit(exchange)]);
    }
    all.extend([send_tokens(), get_token_transfer(), transfer_aster()]);
    all
}

/// Returns the operations on payments at exchanges without support.
pub(super) fn elsewhere() -> [Operation; 4] {
    let path = |rest: &str| format!("/api/trading/{{exchange}}/{rest}");
    let transfer = "transfers/{transferId}";
    [
        (Method::POST, "withdraw", "withdrawElsewhere", "Withdraw from another exchange"),
        (Method::POST, "deposit", "depositElsewhere", "Deposit to another exchange"),
        (Method::POST, "transfer", "transferElsewhere", "Transfer at another exchange"),
        (Method::GET, transfer, "getElsewhereTransfer", "Get a payment at another exchange"),
    ]
    .map(|(method, rest, id, summary)| {
        let operation = super::orders::guided(method, path(rest), id, summary);
        if rest == transfer { operation.takes(transfer_in_path()) } else { operation }
    })
}

fn transfer_aster() -> Operation {
    let path = "/api/trading/aster/transfer";
    Operation::new(Method::POST, path, "transferAtAster", Tag::Payments)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            "Get the way of a transfer at Aster",
            "This call always fails with 422: the service makes no transfers between balances at \
             Aster.",
        )
        .fails([transfer_not_offered()])
}

fn pays(operation: Operation) -> Operation {
    operation
        .requires(Scope::Money)
        .takes(payment_key())
        .replays()
        .answers(200, "The payment is completed, or it is a quote.", "PaymentResponse")
        .answers(202, "The payment is signed or sent. Its outcome follows.", "PaymentResponse")
        .fails(trading::order_key())
        .fails(payments::pay())
}

fn named(operation: Operation) -> Operation {
    operation
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .fails(trading::names())
}

fn withdraw_aster() -> Operation {
    let path = "/api/trading/aster/withdraw";
    let operation = Operation::new(Method::POST, path, "withdrawFromAster", Tag::Payments)
        .says("Withdraw from Aster", PAYS)
        .body::<WithdrawFromAster>(Required::True);
    pays(named(operation)).fails(payments::aster_request())
}

fn withdraw_hyperliquid() -> Operation {
    let path = "/api/trading/hyperliquid/withdraw";
    let operation = Operation::new(Method::POST, path, "withdrawFromHyperliquid", Tag::Payments)
        .says("Withdraw USDC from Hyperliquid", PAYS)
        .body::<WithdrawFromHyperliquid>(Required::True);
    pays(named(operation)).fails(payments::hyperliquid_request())
}

fn transfer_hyperliquid() -> Operation {
    let path = "/api/trading/hyperliquid/transfer";
    let operation = Operation::new(Method::POST, path, "transferAtHyperliquid", Tag::Payments)
        .says("Move or send a token at Hyperliquid", PAYS)
        .body::<TransferAtHyperliquid>(Required::True);
    pays(named(operation)).fails(payments::transfer_request())
}

fn send_tokens() -> Operation {
    let path = "/api/wallets/{walletIdOrAddress}/transfers";
    let operation = Operation::new(Method::POST, path, "sendTokens", Tag::Payments)
        .says("Transfer a token or coin on a chain", PAYS)
        .takes(wallet_in_path())
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .body::<SendTokens>(Required::True)
        .fails(errors::named())
        .fails([ApiError::wallet_not_found()]);
    pays(operation).fails(payments::send_request())
}

fn reads(operation: Operation) -> Operation {
    operation
        .requires(Scope::Read)
        .while_suspended()
        .takes(transfer_in_path())
        .answers(200, "The payment.", "PaymentState")
        .fails(payments::get())
}

const READS: &str = "Looks for the outcome of an open payment in the exchange's ledger or on the \
                     chain.";

fn get(exchange: Exchange) -> Operation {
    let name = match exchange {
        Exchange::Aster => "Aster",
        Exchange::Hyperliquid => "Hyperliquid",
        Exchange::Lighter => "Lighter",
    };
    let path = format!("/api/trading/{exchange}/transfers/{{transferId}}");
    let id = format!("get{name}Transfer");
    let operation = Operation::new(Method::GET, path, id, Tag::Payments)
        .says(format!("Get a payment at {name}"), READS);
    reads(named(operation))
}

fn get_token_transfer() -> Operation {
    let path = "/api/wallets/{walletIdOrAddress}/transfers/{transferId}";
    let operation = Operation::new(Method::GET, path, "getTokenTransfer", Tag::Payments)
        .says("Get a transfer on a chain", READS)
        .takes(wallet_in_path())
        .takes(wallet_in_header())
        .takes(wallet_in_query(Required::False))
        .fails(errors::named())
        .fails([ApiError::wallet_not_found()]);
    reads(operation)
}

fn deposit(exchange: Exchange) -> Operation {
    let (name, id) = match exchange {
        Exchange::Aster => ("Aster", "depositToAster"),
        Exchange::Hyperliquid => ("Hyperliquid", "depositToHyperliquid"),
        Exchange::Lighter => ("Lighter", "depositToLighter"),
    };
    let path = format!("/api/trading/{exchange}/deposit");
    Operation::new(Method::POST, path, id, Tag::Payments)
        .requires(Scope::Read)
        .while_suspended()
        .says(
            format!("Get the way of a deposit to {name}"),
            "This call always fails with 422: the service does not make deposits. The response states \
             the contract, the token and the network, and what a mistake loses.",
        )
        .fails([payments::deposit(exchange)])
}
