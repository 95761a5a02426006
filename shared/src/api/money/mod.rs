//! Payments over HTTP: handlers, responses and errors. The functions add the routes.

mod data;
mod deposit;
mod error;
mod handlers;

pub use data::{PaymentData, QuoteData};
pub use deposit::{deposit, transfer_not_offered};
pub use error::payment_error;
pub use handlers::{
    get_payment, get_token_transfer, send_tokens, transfer_hyperliquid, withdraw_aster,
    withdraw_hyperliquid,
};
