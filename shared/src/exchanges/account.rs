//! What an account holds and has executed: positions, balances, fills, and the leverage of a market.
//! Both exchanges in common terms.

use domain::ids::Exchange;
use serde::{Deserialize, Serialize};

use crate::trading::decimal::Decimal;
use crate::trading::order::{PositionSide, Side};
use crate::trading::signed::Signed;

/// The direction of a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    /// Profits from a rise.
    Long,
    /// Profits from a fall.
    Short,
}

impl Direction {
    /// Returns the published word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }

    /// Returns the side of an order that reduces the position.
    #[must_use]
    pub const fn closing_side(self) -> Side {
        match self {
            Self::Long => Side::Sell,
            Self::Short => Side::Buy,
        }
    }
}

/// How a market's margin is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MarginMode {
    /// All positions share the account's margin.
    Cross,
    /// The position has margin of its own.
    Isolated,
}

impl MarginMode {
    /// Both modes.
    pub const ALL: [Self; 2] = [Self::Cross, Self::Isolated];

    /// Returns the published word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cross => "CROSS",
            Self::Isolated => "ISOLATED",
        }
    }
}

/// An open position. Its size is never zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountPosition {
    /// The exchange's name of the market.
    pub symbol: String,
    /// The direction.
    pub direction: Direction,
    /// The side that an order must name: `BOTH` in one-way mode, `LONG` or `SHORT` in hedge mode.
    pub position_side: PositionSide,
    /// The size, without its direction.
    pub size: Decimal,
    /// The average price of entry.
    pub entry_price: Decimal,
    /// The mark price. On Hyperliquid the value of the position by its size.
    pub mark_price: Decimal,
    /// The price at which the position is liquidated. `None` if the account can bear any price.
    pub liquidation_price: Option<Decimal>,
    /// The value at the mark price, without its direction.
    pub notional: Decimal,
    /// The profit at the mark price.
    pub unrealized_pnl: Signed,
    /// The leverage of the market.
    pub leverage: u32,
    /// How the margin is kept.
    pub margin_mode: MarginMode,
    /// The margin that the position uses.
    pub margin: Decimal,
    /// When the position changed last, or on Hyperliquid when the exchange stated it, Unix
    /// milliseconds.
    pub at_ms: u64,
}

impl AccountPosition {
    /// Returns the size with its direction, as Aster writes it.
    #[must_use]
    pub const fn signed_size(&self) -> Signed {
        Signed::new(matches!(self.direction, Direction::Short), self.size)
    }

    /// Returns the profit in percent of the margin at entry, rounded half to even to 4 places.
    /// `None` without an entry price.
    #[must_use]
    pub fn pnl_percent(&self) -> Option<Signed> {
        let entry = self.entry_price.checked_mul(self.size)?;
        let gain = self.unrealized_pnl.magnitude();
        let gain = gain.checked_mul(Decimal::new((self.leverage * 100).into(), 0)?)?;
        let percent = gain.checked_div(entry, 4)?;
        Some(Signed::new(self.unrealized_pnl.is_negative(), percent))
    }
}

/// How an account keeps its funds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AccountMode {
    /// Perpetuals and spot apart.
    Standard,
    /// One balance for each token, kept in spot.
    Unified,
    /// One balance for each token, with margin of the whole portfolio.
    PortfolioMargin,
    /// A mode that is not known here. Its funds are read as those of a standard account.
    Other,
}

impl AccountMode {
    /// Returns the published word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Unified => "UNIFIED",
            Self::PortfolioMargin => "PORTFOLIO_MARGIN",
            Self::Other => "OTHER",
        }
    }

    /// Returns whether the perpetuals are paid from the spot balances.
    #[must_use]
    pub const fn is_unified(self) -> bool {
        matches!(self, Self::Unified | Self::PortfolioMargin)
    }
}

/// The balances of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Balances {
    /// How the account keeps its funds.
    pub mode: AccountMode,
    /// The rows. On Hyperliquid in standard mode the first is the value of the perpetuals in USDC.
    pub rows: Vec<AccountBalance>,
    /// What can be withdrawn of the perpetuals' account, in its settlement asset.
    pub withdrawable: Decimal,
    /// The value of the perpetuals' account with unrealized profits, in its settlement asset.
    pub account_value: Signed,
    /// The parts of the account that the exchange did not state.
    pub unread: Vec<Pocket>,
}

/// The part of an account that a balance belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pocket {
    /// The account of the perpetuals.
    Perps,
    /// The spot account. In unified mode it also pays the perpetuals.
    Spot,
}

impl Pocket {
    /// Returns the published word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Perps => "PERPS",
            Self::Spot => "SPOT",
        }
    }
}

/// The balance of one asset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountBalance {
    /// The asset.
    pub asset: String,
    /// The part of the account.
    pub pocket: Pocket,
    /// The DEX of a Hyperliquid account other than the main one.
    pub dex: Option<String>,
    /// The whole balance. A borrowed asset has a negative one.
    pub total: Signed,
    /// The free part.
    pub free: Signed,
    /// The part that orders and positions use.
    pub locked: Signed,
    /// The balance of the cross margin without unrealized profits, for perpetuals.
    pub cross_wallet_balance: Option<Signed>,
    /// The unrealized profit of the cross positions, for perpetuals.
    pub cross_unrealized_pnl: Option<Signed>,
    /// What can be withdrawn.
    pub max_withdrawable: Decimal,
}

/// An execution of an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fill {
    /// The exchange's id of the execution.
    pub id: u64,
    /// The exchange's id of the order.
    pub order_id: String,
    /// The client's id of the order at the exchange, if stated.
    pub client_id: Option<String>,
    /// The exchange's name of the market.
    pub symbol: String,
    /// The side.
    pub side: Side,
    /// The position that the order changed.
    pub position_side: PositionSide,
    /// The price.
    pub price: Decimal,
    /// The quantity.
    pub quantity: Decimal,
    /// The fee. A rebate is negative.
    pub fee: Signed,
    /// The asset of the fee.
    pub fee_asset: String,
    /// The part of the fee that the builder receives, if stated.
    pub builder_fee: Option<Decimal>,
    /// The realized profit.
    pub realized_pnl: Signed,
    /// Whether the order rested before.
    pub is_maker: bool,
    /// Whether the execution liquidated a position.
    pub is_liquidation: bool,
    /// When, Unix milliseconds.
    pub at_ms: u64,
}

/// A page of executions, the oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FillPage {
    /// The executions. A page may be empty although more follow.
    pub fills: Vec<Fill>,
    /// Where the next page starts, Unix milliseconds. A page ends with a whole millisecond, so no
    /// execution is in two pages. `None` means that the present end is reached.
    pub next_ms: Option<u64>,
}

/// The leverage of a market, as the exchange states it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeverageState {
    /// The leverage.
    pub leverage: u32,
    /// How the margin is kept.
    pub margin_mode: MarginMode,
}

/// A change of leverage and margin mode. What is `None` stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeverageChange {
    /// The leverage.
    pub leverage: Option<u32>,
    /// How the margin is kept.
    pub margin_mode: Option<MarginMode>,
}

impl LeverageChange {
    /// Returns whether a state has the requested values.
    #[must_use]
    pub fn is_met_by(&self, state: LeverageState) -> bool {
        self.leverage.is_none_or(|leverage| leverage == state.leverage)
            && self.margin_mode.is_none_or(|mode| mode == state.margin_mode)
    }

    /// Returns the calls that change a state to the requested values, in the order in which they are
    /// sent. Each sets absolute values, so that a repeat does no harm.
    #[must_use]
    pub fn steps(&self, exchange: Exchange, present: LeverageState) -> Vec<LeverageStep> {
        if self.is_met_by(present) {
            return Vec::new();
        }
        match exchange {
            Exchange::Hyperliquid | Exchange::Lighter => vec![LeverageStep::Both(LeverageState {
                leverage: self.leverage.unwrap_or(present.leverage),
                margin_mode: self.margin_mode.unwrap_or(present.margin_mode),
            })],
            Exchange::Aster => {
                let mode = self.margin_mode.filter(|mode| *mode != present.margin_mode);
                let leverage = self.leverage.filter(|leverage| *leverage != present.leverage);
                let mode = mode.map(LeverageStep::MarginMode);
                mode.into_iter().chain(leverage.map(LeverageStep::Leverage)).collect()
            }
        }
    }
}

/// A signed call that changes leverage or margin mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeverageStep {
    /// Hyperliquid and Lighter: both at once.
    Both(LeverageState),
    /// Aster: the margin mode.
    MarginMode(MarginMode),
    /// Aster: the leverage.
    Leverage(u32),
}

/// The outcome of an accepted [`LeverageStep`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeverageSet {
    /// The exchange changed it.
    Changed,
    /// It was so before.
    Already,
}

#[cfg(test)]
mod tests;
