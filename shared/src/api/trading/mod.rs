//! Orders and trading policies over HTTP: handlers, responses and errors. The functions add the
//! routes.

mod error;
mod errors_of_accounts;
mod errors_of_exchanges;
mod handlers;
mod orders;
mod policy;
#[cfg(test)]
mod tests;

pub use error::Action;
pub use handlers::{
    batch_refused, cancel_order, cancel_orders, modify_order, open_orders, order_status,
    place_orders,
};
pub use orders::{BatchData, CanceledData, OpenOrdersBody, OrderData};
pub use policy::{
    POLICY_DELAY_HOURS, PolicyData, PolicyReads, PolicyWrites, get_policy, set_policy,
    trading_policy_error,
};
