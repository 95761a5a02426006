//! The groups of operations.

use utoipa::openapi::tag::{Tag as Described, TagBuilder};

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Tag {
    Service,
    Wallets,
    Credentials,
    Agents,
    Orders,
    Accounts,
    Payments,
    TradingPolicies,
    PaymentPolicy,
    OtherExchanges,
    Webhooks,
    TenantKeys,
}

impl Tag {
    const ALL: [Self; 12] = [
        Self::Service,
        Self::Wallets,
        Self::Credentials,
        Self::Agents,
        Self::Orders,
        Self::Accounts,
        Self::Payments,
        Self::TradingPolicies,
        Self::PaymentPolicy,
        Self::OtherExchanges,
        Self::Webhooks,
        Self::TenantKeys,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Wallets => "wallets",
            Self::Credentials => "credentials",
            Self::Agents => "agents",
            Self::Orders => "orders",
            Self::Accounts => "accounts",
            Self::Payments => "payments",
            Self::TradingPolicies => "trading policies",
            Self::PaymentPolicy => "payment policy",
            Self::OtherExchanges => "other exchanges",
            Self::Webhooks => "webhooks",
            Self::TenantKeys => "tenant keys",
        }
    }

    /// Returns the name as the first part of a component's name.
    pub(crate) fn prefix(self) -> String {
        format!("{self:?}")
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Service => "The service itself. These operations require no key.",
            Self::Wallets => "2-of-2 MPC wallets and their signatures.",
            Self::Credentials => "The trading keys of wallets on Aster and Hyperliquid.",
            Self::Agents => "The agents that an exchange lists for a wallet.",
            Self::Orders => "Orders with the trading keys of wallets.",
            Self::Accounts => "Positions, balances, executions and leverage of wallets.",
            Self::Payments => "Money out of wallets and between their balances.",
            Self::TradingPolicies => "Limits of a tenant and its wallets, checked before signing.",
            Self::PaymentPolicy => "Where money may go. Only changes that approvers sign alter it.",
            Self::OtherExchanges => {
                "Exchanges without support. Each call fails with 400 and guidance."
            }
            Self::Webhooks => "Subscriptions to events, and the events.",
            Self::TenantKeys => "The keys that a tenant sends as X-API-KEY.",
        }
    }
}

/// Returns every tag with its description.
pub(crate) fn all() -> impl Iterator<Item = Described> {
    Tag::ALL
        .into_iter()
        .map(|tag| TagBuilder::new().name(tag.name()).description(Some(tag.description())).build())
}
