//! Balances, positions and margin of accounts.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::{Engine, Num, Side, Spec, journal::Key};

/// How an account holds its funds (Hyperliquid).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// Perpetuals of each DEX and spot have separate balances.
    #[default]
    Default,
    /// As `Default`, chosen by the account.
    Disabled,
    /// One balance of each token, as spot.
    Unified,
    /// As `Unified`.
    Portfolio,
}

impl Mode {
    pub(crate) const fn is_unified(self) -> bool {
        matches!(self, Self::Unified | Self::Portfolio)
    }
}

/// Balances, positions and settings of an account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) mode: Mode,
    /// Whether long and short positions are separate (Aster).
    pub(crate) hedge: bool,
    /// By pocket: `perp:` and the name of the DEX, or `spot:` and the token.
    pub(crate) balances: BTreeMap<String, Num>,
    positions: Vec<Position>,
    /// Leverage, and whether the margin is cross, by market.
    leverage: BTreeMap<String, (u32, bool)>,
    /// Number of actions, for the limit by address.
    #[serde(default)]
    pub(crate) actions: u64,
    /// Whether the account's activation was paid (Hyperliquid).
    #[serde(default)]
    pub(crate) activated: bool,
}

/// A position of an account in a market.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) market: String,
    pub(crate) side: Side,
    /// Negative for a short position.
    pub(crate) size: Num,
    pub(crate) entry: Num,
    /// Margin that was added to an isolated position, beyond the initial margin.
    pub(crate) added: Num,
    pub(crate) updated: u64,
}

impl Position {
    pub(crate) fn profit(&self, mark: Num) -> Num {
        (mark - self.entry).times(self.size)
    }
}

impl Account {
    /// Returns the positions that are not empty.
    pub(crate) fn positions(&self) -> impl Iterator<Item = &Position> {
        self.positions.iter()
    }

    pub(crate) fn position(&self, market: &str, side: Side) -> Option<&Position> {
        self.positions.iter().find(|known| known.market == market && known.side == side)
    }

    pub(crate) fn size_of(&self, market: &str, side: Side) -> Num {
        self.position(market, side).map_or(Num::ZERO, |position| position.size)
    }

    pub(crate) fn balance(&self, pocket: &str) -> Num {
        self.balances.get(pocket).copied().unwrap_or_default()
    }

    /// Returns the leverage of a market, and whether its margin is cross.
    pub(crate) fn leverage(&self, spec: &Spec) -> (u32, bool) {
        let set = self.leverage.get(spec.name).copied();
        // The default of a new account is 20, or less where the market permits less.
        set.unwrap_or_else(|| spec.first_leverage())
    }

    pub(super) fn credit(&mut self, pocket: &str, amount: Num) {
        *self.balances.entry(pocket.to_owned()).or_default() += amount;
    }
}

impl Engine {
    /// Returns an account for a change. Creates a missing one.
    pub(crate) fn account_mut(&mut self, account: Address) -> &mut Account {
        self.touch(Key::Account(account));
        self.accounts.entry(account).or_default()
    }

    /// Adds to a balance. The pocket is that of the account's mode.
    pub(crate) fn credit(&mut self, account: Address, pocket: &str, amount: Num) {
        let unified = self.mode(account).is_unified() && pocket.starts_with("perp:");
        let spot = format!("spot:{}", self.style.collateral);
        let pocket = if unified { &spot } else { pocket };
        self.account_mut(account).credit(pocket, amount);
    }

    pub(crate) fn mode(&self, account: Address) -> Mode {
        self.accounts.get(&account).map(|account| account.mode).unwrap_or_default()
    }

    /// Changes an account's mode. A unified account keeps all collateral as spot.
    pub(crate) fn set_mode(&mut self, address: Address, mode: Mode) {
        let spot = format!("spot:{}", self.style.collateral);
        let account = self.account_mut(address);
        account.mode = mode;
        if mode.is_unified() {
            let perps = account.balances.extract_if(.., |pocket, _| pocket.starts_with("perp:"));
            let moved = perps.map(|(_, amount)| amount).sum();
            account.credit(&spot, moved);
        }
    }

    pub(crate) fn set_leverage(&mut self, account: Address, spec: &Spec, value: u32, cross: bool) {
        let account = self.account_mut(account);
        account.leverage.insert(spec.name.to_owned(), (value, cross));
    }

    /// Moves margin between an isolated position and the balance. Returns false without such a
    /// position or without enough margin.
    pub(crate) fn add_margin(
        &mut self,
        account: Address,
        spec: &Spec,
        side: Side,
        amount: Num,
    ) -> bool {
        let free = self.available(account, &self.pocket(account, spec));
        let known = self.account_mut(account);
        let found = |known: &&mut Position| known.market == spec.name && known.side == side;
        let Some(position) = known.positions.iter_mut().find(found) else { return false };
        let added = position.added + amount;
        if added < Num::ZERO || amount > free {
            return false;
        }
        position.added = added;
        true
    }

    /// Returns the pocket that holds the collateral of an account's perpetual.
    pub(crate) fn pocket(&self, account: Address, spec: &Spec) -> String {
        if self.mode(account).is_unified() {
            format!("spot:{}", self.style.collateral)
        } else {
            format!("perp:{}", spec.dex)
        }
    }

    /// Returns the margin that a perpetual's quantity requires at a price.
    pub(crate) fn margin(&self, account: Address, spec: &Spec, size: Num, price: Num) -> Num {
        let leverage = self.leverage(account, spec).0;
        size.abs().times(price).ratio(1, i128::from(leverage.max(1)))
    }

    /// Returns the part of an order that opens or extends a position.
    pub(crate) fn opening(
        &self,
        account: Address,
        market: &str,
        side: Side,
        buy: bool,
        size: Num,
    ) -> Num {
        let held =
            self.accounts.get(&account).map_or(Num::ZERO, |account| account.size_of(market, side));
        let reduces = if buy { -held } else { held };
        (size - reduces.max(Num::ZERO)).max(Num::ZERO)
    }

    /// Returns the sum of a pocket that is neither margin of a position nor held for an order.
    pub(crate) fn available(&self, address: Address, pocket: &str) -> Num {
        let Some(account) = self.accounts.get(&address) else { return Num::ZERO };
        let mut free = account.balance(pocket);
        for position in account.positions() {
            let Some(spec) = self.spec(&position.market) else { continue };
            if self.pocket(address, &spec) != pocket {
                continue;
            }
            let mark = self.markets.get(spec.name).map_or(position.entry, |market| market.mark);
            free -= self.margin_of(address, &spec, position);
            if account.leverage(&spec).1 {
                free += position.profit(mark);
            }
        }
        for order in self.open_orders(address) {
            let Some(spec) = self.spec(&order.market) else { continue };
            if order.is_dormant() {
                continue;
            }
            match spec.base {
                Some(base) => {
                    let (token, held) = if order.buy {
                        (self.style.collateral, order.left().times(order.price))
                    } else {
                        (base, order.left())
                    };
                    if pocket == format!("spot:{token}") {
                        free -= held;
                    }
                }
                None if !order.reduce_only && self.pocket(address, &spec) == pocket => {
                    let (buy, left) = (order.buy, order.left());
                    let opens = self.opening(address, spec.name, order.side, buy, left);
                    free -= self.margin(address, &spec, opens, order.price);
                }
                None => {}
            }
        }
        free
    }

    /// Changes a position by a match, and returns the realised profit.
    pub(super) fn change_position(
        &mut self,
        account: Address,
        (market, side): (&str, Side),
        change: Num,
        price: Num,
        now: u64,
    ) -> Num {
        let known = self.account_mut(account);
        let index = known.positions.iter().position(|at| at.market == market && at.side == side);
        let index = index.unwrap_or_else(|| {
            known.positions.push(Position {
                market: market.to_owned(),
                side,
                size: Num::ZERO,
                entry: Num::ZERO,
                added: Num::ZERO,
                updated: now,
            });
            known.positions.len() - 1
        });
        let Some(position) = known.positions.get_mut(index) else { return Num::ZERO };
        position.updated = now;
        let before = position.size;
        let after = before + change;
        let mut profit = Num::ZERO;
        if before.sign() * change.sign() >= 0 {
            let value = position.entry.times(before.abs()) + price.times(change.abs());
            position.entry = value.over(after.abs());
        } else {
            let closed = before.abs().min(change.abs());
            profit = (price - position.entry).times(closed).ratio(before.sign(), 1);
            if before.sign() * after.sign() < 0 {
                position.entry = price;
                position.added = Num::ZERO;
            }
        }
        position.size = after;
        if after.is_zero() {
            known.positions.remove(index);
        }
        profit
    }
}
