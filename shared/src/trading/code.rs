//! The closed set of codes with which an order is refused, and a refusal before anything is signed.

/// Why an order or another trading call was refused. The set is closed: each code has one meaning
/// for callers on every exchange.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TradeCode {
    /// The exchange does not know the trading key.
    ApiKeyNotFound,
    /// The exchange does not know the order.
    OrderNotFound,
    /// The order is no longer open.
    OrderNotOpen,
    /// The market does not exist or is closed.
    MarketUnknown,
    /// A price is not a multiple of the tick size.
    TickSize,
    /// A quantity is not a multiple of the step size, or outside its range.
    LotSize,
    /// The order is below the exchange's minimum.
    BelowMinimum,
    /// A price is too far from the market.
    PriceOutOfRange,
    /// A post-only order would have matched.
    WouldCross,
    /// A trigger order would trigger at once.
    WouldTrigger,
    /// Nothing to match.
    NoLiquidity,
    /// Not enough margin or balance.
    InsufficientFunds,
    /// A reduce-only order would not reduce the position.
    ReduceOnlyRefused,
    /// `positionSide` does not fit the account's mode.
    PositionSideMismatch,
    /// The market's open interest is at its cap.
    OpenInterestCap,
    /// The account has too many open orders.
    TooManyOrders,
    /// The account does not exist before a deposit.
    DepositRequired,
    /// Any other refusal that the exchange explains in its own words.
    OrderRejected,
    /// The exchange does not offer what the caller asks for.
    NotOfferedByExchange,
    /// The exchange's request limit is reached.
    ExchangeRateLimit,
    /// The request was invalid in a way that only the service can fix, such as a signature.
    Internal,
}

impl TradeCode {
    /// All codes, in declaration order.
    pub const ALL: [Self; 21] = [
        Self::ApiKeyNotFound,
        Self::OrderNotFound,
        Self::OrderNotOpen,
        Self::MarketUnknown,
        Self::TickSize,
        Self::LotSize,
        Self::BelowMinimum,
        Self::PriceOutOfRange,
        Self::WouldCross,
        Self::WouldTrigger,
        Self::NoLiquidity,
        Self::InsufficientFunds,
        Self::ReduceOnlyRefused,
        Self::PositionSideMismatch,
        Self::OpenInterestCap,
        Self::TooManyOrders,
        Self::DepositRequired,
        Self::OrderRejected,
        Self::NotOfferedByExchange,
        Self::ExchangeRateLimit,
        Self::Internal,
    ];

    /// Returns the code as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKeyNotFound => "API_KEY_NOT_FOUND",
            Self::OrderNotFound => "ORDER_NOT_FOUND",
            Self::OrderNotOpen => "ORDER_NOT_OPEN",
            Self::MarketUnknown => "MARKET_UNKNOWN",
            Self::TickSize => "TICK_SIZE",
            Self::LotSize => "LOT_SIZE",
            Self::BelowMinimum => "BELOW_MINIMUM",
            Self::PriceOutOfRange => "PRICE_OUT_OF_RANGE",
            Self::WouldCross => "WOULD_CROSS",
            Self::WouldTrigger => "WOULD_TRIGGER",
            Self::NoLiquidity => "NO_LIQUIDITY",
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::ReduceOnlyRefused => "REDUCE_ONLY_REFUSED",
            Self::PositionSideMismatch => "POSITION_SIDE_MISMATCH",
            Self::OpenInterestCap => "OPEN_INTEREST_CAP",
            Self::TooManyOrders => "TOO_MANY_ORDERS",
            Self::DepositRequired => "DEPOSIT_REQUIRED",
            Self::OrderRejected => "ORDER_REJECTED",
            Self::NotOfferedByExchange => "NOT_OFFERED_BY_EXCHANGE",
            Self::ExchangeRateLimit => "EXCHANGE_RATE_LIMIT",
            Self::Internal => "INTERNAL",
        }
    }
}

/// A rule of a market that an order violates. It is found before anything is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The code for callers.
    pub code: TradeCode,
    /// The step, bound or minimum that the order must meet, or the unknown name.
    pub limit: String,
    /// The action to take, as a sentence.
    pub advice: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_listed() {
        let names: std::collections::BTreeSet<_> =
            TradeCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), TradeCode::ALL.len());
        assert!(TradeCode::ALL.is_sorted() && TradeCode::ALL.last() == Some(&TradeCode::Internal));
    }
}
