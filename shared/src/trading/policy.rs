//! The trading policy of a tenant or a wallet: limits that are checked before an order is signed.
//! Endpoint code enforces them, so a compromised endpoint can bypass them.

mod builder;
mod check;
mod leverage;
mod record;
mod setting;

use domain::eth::Address;
use serde::{Deserialize, Serialize};

pub use self::builder::allowed_builder;
pub use self::check::{
    Exposure, MarketExposure, PolicyRefusal, PolicyRule, Priced, Slippage, check, precheck,
};
pub use self::leverage::check_leverage;
pub use self::record::{FieldsChange, Loosening, MayNotLoosen, PendingPolicy, PolicyRecord, Undo};
pub use self::setting::{Grant, Setting};
use super::decimal::Decimal;

/// Default maximum notional of an order, in dollars.
const MAX_ORDER_NOTIONAL: u128 = 1_000_000;

/// Default maximum number of orders in a minute.
const ORDERS_PER_MINUTE: u32 = 300;

/// Default maximum slippage of a market order, in percent.
const MAX_SLIPPAGE_PERCENT: u128 = 10;

/// The fields of a policy as they are set. A missing field has the next policy's value: a wallet's
/// override inherits from its tenant, and a tenant from the defaults. What is in effect for a wallet
/// follows from both: see [`Setting::effective`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFields {
    /// The markets that may be traded, by the exchange's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<String>>,
    /// Maximum notional of an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_order_notional: Option<Decimal>,
    /// Maximum notional of a position with everything that can still add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_position_notional: Option<Decimal>,
    /// Maximum leverage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leverage: Option<u32>,
    /// Maximum number of orders in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders_per_minute: Option<u32>,
    /// Whether orders may only reduce positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce_only: Option<bool>,
    /// Maximum slippage of a market order, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_slippage: Option<Decimal>,
    /// The builders that orders may carry. An empty list allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builders: Option<Vec<Address>>,
    /// Maximum fee of a builder, in tenths of a basis point. 0 allows no builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_builder_fee: Option<u16>,
}

impl PolicyFields {
    /// Returns the fields of a wallet's override, with the tenant's for the missing ones.
    #[must_use]
    pub fn over(&self, tenant: &Self) -> Self {
        Self {
            symbols: self.symbols.clone().or_else(|| tenant.symbols.clone()),
            max_order_notional: self.max_order_notional.or(tenant.max_order_notional),
            max_position_notional: self.max_position_notional.or(tenant.max_position_notional),
            max_leverage: self.max_leverage.or(tenant.max_leverage),
            orders_per_minute: self.orders_per_minute.or(tenant.orders_per_minute),
            reduce_only: self.reduce_only.or(tenant.reduce_only),
            max_slippage: self.max_slippage.or(tenant.max_slippage),
            builders: self.builders.clone().or_else(|| tenant.builders.clone()),
            max_builder_fee: self.max_builder_fee.or(tenant.max_builder_fee),
        }
    }

    /// Returns the policy in effect, with the defaults for the missing fields.
    #[must_use]
    pub fn effective(&self) -> Policy {
        let percent = |units| Decimal::new(units, 2).unwrap_or(Decimal::ZERO);
        let whole = |units| Decimal::new(units, 0).unwrap_or(Decimal::ZERO);
        Policy {
            symbols: self.symbols.clone(),
            max_order_notional: self.max_order_notional.unwrap_or(whole(MAX_ORDER_NOTIONAL)),
            max_position_notional: self.max_position_notional,
            max_leverage: self.max_leverage,
            orders_per_minute: self.orders_per_minute.unwrap_or(ORDERS_PER_MINUTE),
            reduce_only: self.reduce_only.unwrap_or(false),
            max_slippage: self.max_slippage.unwrap_or(percent(MAX_SLIPPAGE_PERCENT)),
            is_slippage_set: self.max_slippage.is_some(),
            builders: self.builders.clone(),
            max_builder_fee: self.max_builder_fee,
        }
    }
}

/// A policy in effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The markets that may be traded, by the exchange's names; `None` means all.
    pub symbols: Option<Vec<String>>,
    /// Maximum notional of an order.
    pub max_order_notional: Decimal,
    /// Maximum notional of a position with everything that can still add to it.
    pub max_position_notional: Option<Decimal>,
    /// Maximum leverage.
    pub max_leverage: Option<u32>,
    /// Maximum number of orders in a minute.
    pub orders_per_minute: u32,
    /// Whether orders may only reduce positions.
    pub reduce_only: bool,
    /// Maximum slippage of a market order, as a fraction.
    pub max_slippage: Decimal,
    /// Whether someone has set the slippage. A market order without a bound is refused only then.
    pub is_slippage_set: bool,
    /// The builders that orders may carry; `None` means the deployment's, whichever it is.
    pub builders: Option<Vec<Address>>,
    /// Maximum fee of a builder, in tenths of a basis point.
    pub max_builder_fee: Option<u16>,
}

/// Returns whether a policy allows anything that another one refuses: whether any field is wider.
#[must_use]
pub fn loosens(from: &Policy, to: &Policy) -> bool {
    tighter(from, to) != *to
}

/// Returns the tighter value of each field: the policy that allows only what both allow.
#[must_use]
pub fn tighter(one: &Policy, other: &Policy) -> Policy {
    Policy {
        symbols: common(one.symbols.as_deref(), other.symbols.as_deref()),
        max_order_notional: one.max_order_notional.min(other.max_order_notional),
        max_position_notional: least(one.max_position_notional, other.max_position_notional),
        max_leverage: least(one.max_leverage, other.max_leverage),
        orders_per_minute: one.orders_per_minute.min(other.orders_per_minute),
        reduce_only: one.reduce_only || other.reduce_only,
        max_slippage: one.max_slippage.min(other.max_slippage),
        is_slippage_set: one.is_slippage_set || other.is_slippage_set,
        builders: common(one.builders.as_deref(), other.builders.as_deref()),
        max_builder_fee: least(one.max_builder_fee, other.max_builder_fee),
    }
}

/// Returns what both lists have, in the sequence of the second one. A missing list has everything.
fn common<T: PartialEq + Clone>(one: Option<&[T]>, other: Option<&[T]>) -> Option<Vec<T>> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(other.iter().filter(|entry| one.contains(entry)).cloned().collect())
        }
        (one, other) => one.or(other).map(<[T]>::to_vec),
    }
}

/// Returns the smaller limit. A missing one limits nothing.
fn least<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
