//! Steering of the simulated market, by tests and over HTTP.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, money::Route};
use super::reads::position;
use super::words::word;
use crate::lock;
use crate::market::{Engine, Mode, Num};
use crate::steer::{Executed, OpenOrder, Quote, Steered, read_levels};

impl Exchange {
    /// Changes a market's price: the house quotes around it, its quotes fill the resting orders
    /// that they cross, and triggers fire. Returns false for an unknown coin or an invalid price.
    pub fn set_price(&self, coin: &str, price: &str) -> bool {
        let Some(price) = Num::parse(price) else { return false };
        self.steer(|engine, now| engine.set_price(coin, price, now))
    }

    /// Replaces what the house buys and sells, until the next change of the price. Returns false
    /// for an unknown coin or an invalid number.
    pub fn set_liquidity(&self, coin: &str, bids: &[Quote], asks: &[Quote]) -> bool {
        let (Some(bids), Some(asks)) = (read_levels(bids), read_levels(asks)) else {
            return false;
        };
        self.steer(|engine, now| engine.set_liquidity(coin, bids, asks, now))
    }

    /// Adds to a balance, and creates a missing account, which then has no other funds. The pocket
    /// is `""` for perpetuals, the name of a HIP-3 DEX, `spot` for USDC, or `spot:` and a token.
    /// A negative amount takes away. Returns false for an invalid amount or pocket.
    pub fn deposit_amount(&self, account: Address, pocket: &str, amount: &str) -> bool {
        let Some(amount) = Num::parse_signed(amount) else { return false };
        let token = |token| super::markets::token_index(token).is_some();
        let pocket = match pocket {
            "spot" => "spot:USDC".to_owned(),
            _ if pocket.strip_prefix("spot:").is_some_and(token) => pocket.to_owned(),
            dex if dex.is_empty() || super::markets::DEXS.contains(&dex) => format!("perp:{dex}"),
            _ => return false,
        };
        lock(&self.0.book).deposit(account);
        self.steer(|engine, _| engine.credit(account, &pocket, amount));
        true
    }

    /// Changes how an account holds its funds: `default`, `disabled`, `unifiedAccount` or
    /// `portfolioMargin`. Returns false for another word.
    pub fn set_mode(&self, account: Address, mode: &str) -> bool {
        let mode = match mode {
            "default" => Mode::Default,
            "disabled" => Mode::Disabled,
            "unifiedAccount" => Mode::Unified,
            "portfolioMargin" => Mode::Portfolio,
            _ => return false,
        };
        self.steer(|engine, _| {
            super::fund(engine, account);
            engine.set_mode(account, mode);
        });
        true
    }

    /// Changes the leverage of an account in a market, as its owner can do elsewhere. Returns false
    /// for an unknown coin, and for what the market does not permit.
    pub fn set_leverage(
        &self,
        account: Address,
        coin: &str,
        leverage: u32,
        is_cross: bool,
    ) -> bool {
        self.steer(|engine, _| {
            super::fund(engine, account);
            crate::steer::set_leverage(engine, account, coin, (leverage, is_cross))
        })
    }

    /// Returns what became of each client's id that an account has used. Never forgets one.
    #[must_use]
    pub fn executions(&self, account: Address) -> BTreeMap<String, Executed> {
        self.0.edge.run_late();
        let executions = lock(&self.0.engine).executions(account);
        executions.into_iter().map(|(id, execution)| (id, execution.into())).collect()
    }

    /// Returns the open orders of an account on all DEXs, oldest first.
    #[must_use]
    pub fn open_orders_of(&self, account: Address) -> Vec<OpenOrder> {
        self.0.edge.run_late();
        let engine = lock(&self.0.engine);
        engine.open_orders(account).map(|order| OpenOrder::new(order, word(order))).collect()
    }

    /// Returns an account's position in a market, negative for a short one.
    #[must_use]
    pub fn position_of(&self, account: Address, coin: &str) -> String {
        self.0.edge.run_late();
        position(&lock(&self.0.engine), account, coin).text()
    }

    /// Changes the market. Late requests that have arrived by now come first.
    fn steer<T>(&self, change: impl FnOnce(&mut Engine, u64) -> T) -> T {
        self.0.edge.run_late();
        let now = (self.0.now)();
        let mut engine = lock(&self.0.engine);
        let result = change(&mut engine, now);
        engine.commit(now);
        result
    }
}

impl Steered for Exchange {
    fn price(&self, symbol: &str, price: &str) -> bool {
        self.set_price(symbol, price)
    }

    fn liquidity(&self, symbol: &str, bids: &[Quote], asks: &[Quote]) -> bool {
        self.set_liquidity(symbol, bids, asks)
    }

    fn deposit(&self, account: Address, pocket: &str, amount: &str) -> bool {
        self.deposit_amount(account, pocket, amount)
    }

    fn mode(&self, account: Address, mode: &str) -> bool {
        self.set_mode(account, mode)
    }

    fn rule(&self, name: &str, value: &str) -> bool {
        let mut rules = self.rules();
        match (name, value, value.parse()) {
            ("usdcRouting", "bridge", _) => rules.money.route = Route::Bridge,
            ("usdcRouting", "cctp", _) => rules.money.route = Route::Cctp,
            ("payoutDelay", _, Ok(ms)) => rules.money.payout_delay_ms = ms,
            _ => return false,
        }
        self.set_rules(rules);
        true
    }

    fn paid(&self, account: Address) -> Value {
        json!(self.payments(account))
    }

    fn leverage(&self, account: Address, symbol: &str, value: u32, is_cross: bool) -> bool {
        self.set_leverage(account, symbol, value, is_cross)
    }

    fn fault(&self, target: &str, fault: crate::faults::Fault) {
        self.fail_next(target, fault);
    }

    fn clear(&self) -> usize {
        self.clear_faults()
    }

    fn state(&self) -> Value {
        let engine = lock(&self.0.engine);
        json!({"time": (self.0.now)(), "markets": crate::steer::markets(&engine)})
    }

    fn executed(&self, account: Address) -> Value {
        json!(self.executions(account))
    }

    fn account(&self, account: Address) -> Value {
        let open = self.open_orders_of(account);
        crate::steer::account(&lock(&self.0.engine), account, &open)
    }
}
