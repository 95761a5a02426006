//! Leverage, maintenance margin and liquidation prices. Liquidations are not simulated.

use alloy_primitives::Address;

use super::{Account, Engine, Num, Position, Spec};

/// Leverage of a market before an account changes it, if the market permits so much.
const FIRST_LEVERAGE: u32 = 20;

impl Spec {
    /// Returns the leverage of a new account, and whether its margin is cross.
    pub(crate) fn first_leverage(&self) -> (u32, bool) {
        (self.max_leverage.min(FIRST_LEVERAGE), !self.only_isolated)
    }

    /// Returns the maintenance margin of a value: half of the initial margin at the market's
    /// maximum leverage.
    fn maintenance(&self, value: Num) -> Num {
        value.ratio(1, 2 * i128::from(self.max_leverage.max(1)))
    }
}

impl Engine {
    /// Returns an account's leverage in a market, and whether its margin is cross.
    pub(crate) fn leverage(&self, account: Address, spec: &Spec) -> (u32, bool) {
        let known = self.account(account);
        known.map_or_else(|| spec.first_leverage(), |known| known.leverage(spec))
    }

    pub(crate) fn mark(&self, spec: &Spec) -> Num {
        self.market(spec.name).map_or(spec.price, |market| market.mark)
    }

    /// Returns the margin of a position: its initial margin, and what was added.
    pub(crate) fn margin_of(&self, account: Address, spec: &Spec, held: &Position) -> Num {
        self.margin(account, spec, held.size, held.entry) + held.added
    }

    /// Returns whether an account's free margin covers another leverage of its positions in a market.
    pub(crate) fn covers_leverage(&self, address: Address, spec: &Spec, value: u32) -> bool {
        let Some(account) = self.account(address) else { return true };
        let held = account.positions().filter(|held| held.market == spec.name);
        let needed: Num = held
            .map(|held| {
                let value_at_entry = held.size.abs().times(held.entry);
                let after = value_at_entry.ratio(1, i128::from(value.max(1)));
                after - self.margin(address, spec, held.size, held.entry)
            })
            .sum();
        !needed.is_positive() || needed <= self.available(address, &self.pocket(address, spec))
    }

    /// Returns the positions of a pocket with their markets.
    fn positions_of<'a>(
        &'a self,
        address: Address,
        account: &'a Account,
        pocket: &'a str,
    ) -> impl Iterator<Item = (Spec, &'a Position)> {
        let named = account.positions().filter_map(|held| Some((self.spec(&held.market)?, held)));
        named.filter(move |(spec, _)| self.pocket(address, spec) == pocket)
    }

    /// Returns the cross value of a pocket: the balance without the margin of isolated positions,
    /// with the profits of cross positions.
    pub(crate) fn cross_value(&self, address: Address, pocket: &str) -> Num {
        let Some(account) = self.account(address) else { return Num::ZERO };
        let mut value = account.balance(pocket);
        for (spec, held) in self.positions_of(address, account, pocket) {
            if account.leverage(&spec).1 {
                value += held.profit(self.mark(&spec));
            } else {
                value -= self.margin_of(address, &spec, held);
            }
        }
        value
    }

    /// Returns the maintenance margin of a pocket's cross positions.
    pub(crate) fn cross_maintenance(&self, address: Address, pocket: &str) -> Num {
        let Some(account) = self.account(address) else { return Num::ZERO };
        let positions = self.positions_of(address, account, pocket);
        let cross = positions.filter(|(spec, _)| account.leverage(spec).1);
        cross.map(|(spec, held)| spec.maintenance(held.size.abs().times(self.mark(&spec)))).sum()
    }

    /// Returns the price at which a position would be liquidated, by the published formula of
    /// Hyperliquid. `None` if no positive price liquidates it.
    pub(crate) fn liquidation(
        &self,
        address: Address,
        spec: &Spec,
        held: &Position,
    ) -> Option<Num> {
        let (mark, size) = (self.mark(spec), held.size.abs());
        let left = if self.leverage(address, spec).1 {
            let pocket = self.pocket(address, spec);
            self.cross_value(address, &pocket) - self.cross_maintenance(address, &pocket)
        } else {
            let margin = self.margin_of(address, spec, held) + held.profit(mark);
            margin - spec.maintenance(size.times(mark))
        };
        let side = held.size.sign();
        let maintenance = 2 * i128::from(spec.max_leverage.max(1));
        let distance = left.over(size).ratio(side * maintenance, maintenance - side);
        Some(mark - distance).filter(|price| price.is_positive())
    }
}
