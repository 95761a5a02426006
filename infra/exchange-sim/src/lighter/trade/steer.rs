//! Steering of the simulated market, by tests and over HTTP.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::reads::word;
use super::trader;
use crate::lighter::Exchange;
use crate::lock;
use crate::market::{Engine, Num, Side};
use crate::steer::{Executed, OpenOrder, Quote, Steered, read_levels};

impl Exchange {
    /// Changes a market's price: the house quotes around it, its quotes fill the resting orders
    /// that they cross, and triggers fire. Returns false for an unknown market or an invalid price.
    pub fn set_price(&self, symbol: &str, price: &str) -> bool {
        let Some(price) = Num::parse(price) else { return false };
        self.steer(|engine, now| engine.set_price(symbol, price, now))
    }

    /// Replaces what the house buys and sells, until the next change of the price. Returns false
    /// for an unknown market or an invalid number.
    pub fn set_liquidity(&self, symbol: &str, bids: &[Quote], asks: &[Quote]) -> bool {
        let (Some(bids), Some(asks)) = (read_levels(bids), read_levels(asks)) else {
            return false;
        };
        self.steer(|engine, now| engine.set_liquidity(symbol, bids, asks, now))
    }

    /// Adds to a balance of an account. The pocket is `""` for perpetuals, `spot` for USDC, or
    /// `spot:` and a token. A negative amount takes away. Returns false for an unknown account, and
    /// for an invalid amount or pocket.
    pub fn deposit_amount(&self, account: u64, pocket: &str, amount: &str) -> bool {
        let Some(amount) = Num::parse_signed(amount) else { return false };
        let pocket = match pocket {
            "" => "perp:",
            "spot" | "spot:USDC" => "spot:USDC",
            "spot:ETH" => "spot:ETH",
            _ => return false,
        };
        let known = lock(&self.0.book).account(account).is_ok();
        if known {
            self.steer(|engine, _| engine.credit(trader(account), pocket, amount));
        }
        known
    }

    /// Changes the leverage of an account in a market, as its owner can do elsewhere. Returns false
    /// for an unknown market, and for what the market does not permit.
    pub fn set_leverage(&self, account: u64, symbol: &str, leverage: u32, is_cross: bool) -> bool {
        self.steer(|engine, _| {
            crate::steer::set_leverage(engine, trader(account), symbol, (leverage, is_cross))
        })
    }

    /// Returns what became of each client order index that an account has used. Never forgets one.
    #[must_use]
    pub fn executions(&self, account: u64) -> BTreeMap<String, Executed> {
        self.catch_up();
        let executions = lock(&self.0.engine).executions(trader(account));
        executions.into_iter().map(|(id, execution)| (id, execution.into())).collect()
    }

    /// Returns the open orders of an account, oldest first.
    #[must_use]
    pub fn open_orders_of(&self, account: u64) -> Vec<OpenOrder> {
        self.catch_up();
        let engine = lock(&self.0.engine);
        engine
            .open_orders(trader(account))
            .map(|order| OpenOrder::new(order, word(order)))
            .collect()
    }

    /// Returns an account's position in a market, negative for a short one.
    #[must_use]
    pub fn position_of(&self, account: u64, symbol: &str) -> String {
        self.catch_up();
        let engine = lock(&self.0.engine);
        let known = engine.account(trader(account));
        known.map_or(Num::ZERO, |known| known.size_of(symbol, Side::Both)).text()
    }

    /// Changes the market. Transactions that are due come first.
    fn steer<T>(&self, change: impl FnOnce(&mut Engine, u64) -> T) -> T {
        self.catch_up();
        let now = (self.0.now)();
        let mut engine = lock(&self.0.engine);
        let result = change(&mut engine, now);
        engine.commit(now);
        result
    }

    /// Returns the account that an address of the steering names: the first of an owner.
    fn named(&self, address: Address) -> Option<u64> {
        lock(&self.0.book).accounts_of(address).first().copied()
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
        self.named(account).is_some_and(|account| self.deposit_amount(account, pocket, amount))
    }

    /// The simulator of this exchange makes no payments.
    fn paid(&self, _account: Address) -> Value {
        Value::Array(Vec::new())
    }

    /// No account of this exchange has a mode.
    fn mode(&self, _account: Address, _mode: &str) -> bool {
        false
    }

    fn leverage(&self, account: Address, symbol: &str, value: u32, is_cross: bool) -> bool {
        let account = self.named(account);
        account.is_some_and(|account| self.set_leverage(account, symbol, value, is_cross))
    }

    fn rule(&self, name: &str, value: &str) -> bool {
        self.set_rule(name, value)
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
        self.named(account).map(|account| json!(self.executions(account))).unwrap_or_default()
    }

    fn account(&self, account: Address) -> Value {
        let Some(account) = self.named(account) else { return Value::Null };
        let open = self.open_orders_of(account);
        crate::steer::account(&lock(&self.0.engine), trader(account), &open)
    }
}
