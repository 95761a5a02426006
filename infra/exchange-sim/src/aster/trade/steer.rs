//! Steering of the simulated market, by tests and over HTTP.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, Noop, money::parse_fee};
use super::reads::word;
use super::{POCKET, fund};
use crate::lock;
use crate::market::{Engine, Num, Side};
use crate::steer::{Executed, OpenOrder, Quote, Steered, read_levels};

/// The longest lag of reads, in milliseconds: for so long earlier states are remembered.
const MAX_LAG_MS: u64 = 120_000;

impl Exchange {
    /// Changes a market's price: the house quotes around it, its quotes fill the resting orders
    /// that they cross, and triggers fire. Returns false for an unknown symbol or an invalid price.
    pub fn set_price(&self, symbol: &str, price: &str) -> bool {
        let Some(price) = Num::parse(price) else { return false };
        self.steer(|engine, now| engine.set_price(symbol, price, now))
    }

    /// Replaces what the house buys and sells, until the next change of the price. Returns false
    /// for an unknown symbol or an invalid number.
    pub fn set_liquidity(&self, symbol: &str, bids: &[Quote], asks: &[Quote]) -> bool {
        let (Some(bids), Some(asks)) = (read_levels(bids), read_levels(asks)) else {
            return false;
        };
        self.steer(|engine, now| engine.set_liquidity(symbol, bids, asks, now))
    }

    /// Adds to an account's USDT, and creates a missing account, which then has no other funds. A
    /// negative amount takes away. Returns false for an invalid amount.
    pub fn deposit_amount(&self, account: Address, amount: &str) -> bool {
        let Some(amount) = Num::parse_signed(amount) else { return false };
        lock(&self.0.accounts).deposit(account);
        self.steer(|engine, _| engine.credit(account, POCKET, amount));
        true
    }

    /// Adds to an asset of an account's spot account, and creates a missing account, which then has no
    /// other funds. A negative amount takes away. Returns false for an invalid asset or amount.
    pub fn deposit_spot(&self, account: Address, asset: &str, amount: &str) -> bool {
        let is_asset = !asset.is_empty() && asset.bytes().all(|it| it.is_ascii_alphanumeric());
        let Some(amount) = Num::parse_signed(amount).filter(|_| is_asset) else { return false };
        lock(&self.0.accounts).deposit(account);
        self.steer(|engine, _| engine.credit(account, &format!("spot:{asset}"), amount));
        true
    }

    /// Changes whether an account's long and short positions are separate.
    pub fn set_mode(&self, account: Address, hedge: bool) {
        self.steer(|engine, _| {
            fund(engine, account);
            engine.account_mut(account).hedge = hedge;
        });
    }

    /// Changes the leverage of an account in a market, as its owner can do elsewhere. Returns false
    /// for an unknown symbol, and for what the market does not permit.
    pub fn set_leverage(
        &self,
        account: Address,
        symbol: &str,
        leverage: u32,
        is_cross: bool,
    ) -> bool {
        self.steer(|engine, _| {
            fund(engine, account);
            crate::steer::set_leverage(engine, account, symbol, (leverage, is_cross))
        })
    }

    /// Returns what became of each client's id that an account has used. Never forgets one.
    #[must_use]
    pub fn executions(&self, account: Address) -> BTreeMap<String, Executed> {
        self.0.edge.run_late();
        let executions = lock(&self.0.engine).executions(account);
        executions.into_iter().map(|(id, execution)| (id, execution.into())).collect()
    }

    /// Returns the open orders of an account, oldest first.
    #[must_use]
    pub fn open_orders_of(&self, account: Address) -> Vec<OpenOrder> {
        self.0.edge.run_late();
        let engine = lock(&self.0.engine);
        engine.open_orders(account).map(|order| OpenOrder::new(order, word(order))).collect()
    }

    /// Returns the sum of an account's positions in a market, negative for a short one.
    #[must_use]
    pub fn position_of(&self, account: Address, symbol: &str) -> String {
        self.0.edge.run_late();
        let engine = lock(&self.0.engine);
        let sides = [Side::Both, Side::Long, Side::Short];
        let held = engine.account(account).map_or(Num::ZERO, |account| {
            sides.into_iter().map(|side| account.size_of(symbol, side)).sum()
        });
        held.text()
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
        match pocket.strip_prefix("spot") {
            Some("") => self.deposit_spot(account, "USDT", amount),
            Some(rest) => match rest.strip_prefix(':') {
                Some(asset) => self.deposit_spot(account, asset, amount),
                None => false,
            },
            None => self.deposit_amount(account, amount),
        }
    }

    fn mode(&self, account: Address, mode: &str) -> bool {
        let hedge = mode == "hedge";
        let known = hedge || mode == "one-way";
        if known {
            self.set_mode(account, hedge);
        }
        known
    }

    fn rule(&self, name: &str, value: &str) -> bool {
        let mut rules = self.rules();
        match (name, value) {
            ("noop", "proof") => rules.noop = Noop::Proof,
            ("noop", "acknowledgement") => rules.noop = Noop::Acknowledgement,
            ("readsLag", ms) => match ms.parse() {
                Ok(ms) if ms <= MAX_LAG_MS => rules.reads_lag_ms = ms,
                _ => return false,
            },
            ("withdrawFee", fee) if parse_fee(fee).is_some() => {
                rules.money.fee = Some(fee.to_owned());
            }
            ("userNonce", "single") => rules.money.nonce_is_single = true,
            ("userNonce", "reusable") => rules.money.nonce_is_single = false,
            ("payoutDelay", ms) => match ms.parse() {
                Ok(ms) => rules.money.payout_delay_ms = ms,
                Err(_) => return false,
            },
            _ => return false,
        }
        self.set_rules(rules);
        true
    }

    fn leverage(&self, account: Address, symbol: &str, value: u32, is_cross: bool) -> bool {
        self.set_leverage(account, symbol, value, is_cross)
    }

    fn paid(&self, account: Address) -> Value {
        json!(self.payments(account))
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
