//! Orders and trading policies over HTTP: handlers, responses and errors. The functions add the
//! routes.

mod account_handlers;
mod accounts;
mod balances;
mod desk;
mod error;
mod errors_of_accounts;
mod errors_of_exchanges;
mod fills;
mod handlers;
mod lighter;
mod orders;
mod policy;
#[cfg(test)]
mod tests;

pub use account_handlers::{
    AllTraders, account, all_positions, aster_positions, balances, close_all, close_of_market,
    close_of_wallet, close_position, fills, past_orders, place_of_wallet, positions, set_leverage,
};
pub use accounts::{AllPositionsBody, AsterPositionsBody, PastOrdersBody, PositionsBody};
pub use balances::BalancesData;
pub use error::Action;
pub use fills::{FillsBody, LeverageData};
pub use handlers::{
    batch_refused, cancel_order, cancel_orders, modify_order, open_orders, order_status,
    place_orders,
};
pub use lighter::{
    KeyDeleted, LighterKeyData, LighterKeys, StoreLighterKey, delete_lighter_key, get_lighter_key,
    key_in_query_refused, lighter_account_errors, lighter_balances, lighter_key_not_stored,
    lighter_positions, set_lighter_key, two_lighter_keys,
};
pub use orders::{BatchData, CanceledData, OpenOrdersBody, OrderData};
pub use policy::{
    POLICY_DELAY_HOURS, PolicyData, PolicyReads, PolicyWrites, get_policy, set_policy,
    trading_policy_error,
};
