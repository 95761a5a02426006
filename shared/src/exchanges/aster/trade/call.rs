//! The closed list of calls with their methods, paths and weights.

/// The method of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The parameters are the query.
    Get,
    /// The parameters are the form body, as with the methods below.
    Post,
    /// Changes an order.
    Put,
    /// Cancels.
    Delete,
}

/// The calls that an agent signs for trading. The list is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Call {
    /// Places an order.
    Order,
    /// Places up to 5 orders, each with its own outcome.
    BatchOrders,
    /// Changes price and quantity of a limit order.
    Modify,
    /// Cancels an order.
    Cancel,
    /// Cancels up to 10 orders of a market.
    CancelBatch,
    /// Cancels all orders of a market.
    CancelAll,
    /// Takes a nonce, so that nothing else can execute with it.
    Noop,
    /// Reads an order.
    GetOrder,
    /// Reads the open orders of a market.
    OpenOrders,
    /// Reads the open orders of all markets.
    AllOpenOrders,
    /// Reads the positions of a market, or of all markets.
    Positions,
    /// Reads the balances.
    Balance,
    /// Reads the sums of the account.
    Account,
    /// Reads the balances of the spot account, at the spot API.
    SpotAccount,
    /// Reads the executions of a market.
    Trades,
    /// Sets the leverage of a market.
    Leverage,
    /// Sets the margin mode of a market.
    MarginType,
}

impl Call {
    /// All calls, in declaration order.
    pub const ALL: [Self; 17] = [
        Self::Order,
        Self::BatchOrders,
        Self::Modify,
        Self::Cancel,
        Self::CancelBatch,
        Self::CancelAll,
        Self::Noop,
        Self::GetOrder,
        Self::OpenOrders,
        Self::AllOpenOrders,
        Self::Positions,
        Self::Balance,
        Self::Account,
        Self::SpotAccount,
        Self::Trades,
        Self::Leverage,
        Self::MarginType,
    ];

    /// Returns the method.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Order | Self::BatchOrders | Self::Noop | Self::Leverage | Self::MarginType => {
                Method::Post
            }
            Self::Modify => Method::Put,
            Self::Cancel | Self::CancelBatch | Self::CancelAll => Method::Delete,
            Self::GetOrder
            | Self::OpenOrders
            | Self::AllOpenOrders
            | Self::Positions
            | Self::Balance
            | Self::Account
            | Self::SpotAccount
            | Self::Trades => Method::Get,
        }
    }

    /// Returns the path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Order | Self::Modify | Self::Cancel | Self::GetOrder => "/fapi/v3/order",
            Self::BatchOrders | Self::CancelBatch => "/fapi/v3/batchOrders",
            Self::CancelAll => "/fapi/v3/allOpenOrders",
            Self::Noop => "/fapi/v3/noop",
            Self::OpenOrders | Self::AllOpenOrders => "/fapi/v3/openOrders",
            Self::Positions => "/fapi/v3/positionRisk",
            Self::Balance => "/fapi/v3/balance",
            Self::Account => "/fapi/v3/accountWithJoinMargin",
            Self::SpotAccount => "/api/v3/account",
            Self::Trades => "/fapi/v3/userTrades",
            Self::Leverage => "/fapi/v3/leverage",
            Self::MarginType => "/fapi/v3/marginType",
        }
    }

    /// Returns the request weight.
    #[must_use]
    pub const fn weight(self) -> u64 {
        match self {
            Self::BatchOrders
            | Self::Positions
            | Self::Balance
            | Self::Account
            | Self::SpotAccount
            | Self::Trades => 5,
            Self::AllOpenOrders => 40,
            Self::Order
            | Self::Modify
            | Self::Cancel
            | Self::CancelBatch
            | Self::CancelAll
            | Self::Noop
            | Self::GetOrder
            | Self::OpenOrders
            | Self::Leverage
            | Self::MarginType => 1,
        }
    }

    /// Returns whether the call only reads.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self.method(), Method::Get)
    }

    /// Returns the call with this method and path, to send stored bytes.
    #[must_use]
    pub fn of(method: Method, path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.method() == method && call.path() == path)
    }
}
