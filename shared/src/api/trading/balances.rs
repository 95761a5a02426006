//! Response bodies of balances. The fields of the published contract are fixed.

use domain::ids::Exchange;
use serde::Serialize;
use utoipa::ToSchema;

use crate::exchanges::account::{AccountBalance, Pocket};
use crate::orders::BalancesView;
use crate::schema;
use crate::trading::signed::Signed;

/// The balance of one asset.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balance)]
pub(super) struct BalanceData {
    asset: String,
    #[schema(value_type = schema::SignedText)]
    free: String,
    #[schema(value_type = schema::SignedText)]
    locked: String,
    #[schema(value_type = schema::SignedText)]
    total: String,
    /// The balance of the cross margin without unrealized profits.
    #[schema(value_type = schema::SignedText)]
    cross_wallet_balance: String,
    /// The unrealized profit of the cross positions.
    #[schema(value_type = schema::SignedText)]
    cross_un_pnl: String,
    #[schema(value_type = schema::NumberText)]
    max_withdraw_amount: String,
    /// PERPS or SPOT: the part of the account.
    account_type: &'static str,
    /// The DEX of another deployer on Hyperliquid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    dex: Option<String>,
}

impl From<AccountBalance> for BalanceData {
    fn from(row: AccountBalance) -> Self {
        Self {
            asset: row.asset,
            free: row.free.text(),
            locked: row.locked.text(),
            cross_wallet_balance: row.cross_wallet_balance.unwrap_or(row.total).text(),
            cross_un_pnl: row.cross_unrealized_pnl.unwrap_or(Signed::ZERO).text(),
            total: row.total.text(),
            max_withdraw_amount: row.max_withdrawable.text(),
            account_type: row.pocket.as_str(),
            dex: row.dex,
        }
    }
}

/// The balances of a wallet at an exchange.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = Balances)]
pub struct BalancesData {
    /// Repeats the outer one.
    #[schema(value_type = schema::Succeeded)]
    success: bool,
    #[schema(value_type = schema::ExchangeName)]
    exchange: &'static str,
    /// The wallet's address, EIP-55.
    #[schema(value_type = schema::AddressText)]
    address: String,
    /// On Hyperliquid in standard mode, the first row is the value of the perpetuals in USDC. On Aster
    /// the futures account is first, then the spot account.
    balances: Vec<BalanceData>,
    /// What can be withdrawn of the perpetuals' account.
    #[schema(value_type = schema::NumberText)]
    withdrawable: String,
    /// The value of the perpetuals' account with unrealized profits.
    #[schema(value_type = schema::SignedText)]
    account_value: String,
    /// STANDARD, UNIFIED, PORTFOLIO_MARGIN or OTHER: how the account keeps its funds.
    account_mode: &'static str,
    /// The parts of the account that the exchange did not state now: SPOT on Aster. Their rows are
    /// missing. Absent if every part was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>, required = false)]
    unread: Vec<&'static str>,
}

impl BalancesData {
    /// Returns the data of the balances at an exchange.
    #[must_use]
    pub fn new(exchange: Exchange, view: BalancesView) -> Self {
        let BalancesView { wallet, balances } = view;
        Self {
            success: true,
            exchange: exchange.as_str(),
            address: wallet.to_string(),
            balances: balances.rows.into_iter().map(BalanceData::from).collect(),
            withdrawable: balances.withdrawable.text(),
            account_value: balances.account_value.text(),
            account_mode: balances.mode.as_str(),
            unread: balances.unread.into_iter().map(Pocket::as_str).collect(),
        }
    }
}
