//! Requests with a body. Each type parses and checks its request, and describes its body in the
//! OpenAPI document.
//!
//! `read` checks in a fixed order: a request with several faults gets the error of the first.
//! Unknown fields are checked against the type's own schema. Fields outside the schema come from
//! the path or the query.

mod accounts;
mod api_keys;
mod order_fields;
mod order_schemas;
mod orders;
mod payment_schemas;
mod payments;
mod policy_chain;
mod tenant_keys;
#[cfg(test)]
mod tests;
mod trading_policy;
mod wallets;
mod webhooks;

pub use accounts::{
    ClosePath, ClosePosition, CloseRequest, FillsQuery, SetLeverage, ToClose, wallet_of_positions,
};
pub use api_keys::{DeleteAgent, DeleteApiKey, RegisterApiKey, RotateApiKey};
pub use order_fields::{Attached, NewOrder, PlaceOrders};
pub use order_schemas::PlaceOrder;
pub(in crate::api) use orders::symbol_in_query;
pub use orders::{
    CancelOrders, ModifyOrder, PlaceOrderRequest, order_name, orders_in_query, orders_of_wallet,
};
pub use payment_schemas::{
    SendTokens, TransferAtHyperliquid, WithdrawFromAster, WithdrawFromHyperliquid,
};
pub use payments::PayRequest;
pub use policy_chain::{ApprovePolicyChange, CancelPolicyChange, ProposePolicyChange};
pub use tenant_keys::{CreateTenantKey, RevokeTenantKey, RotateTenantKey};
pub use trading_policy::SetTradingPolicy;
pub use wallets::{CreateWallet, SignMessage};
pub use webhooks::{
    CreateWebhook, DeleteWebhook, ListDeliveries, ReplayWebhook, TestWebhook, UpdateWebhook,
};
