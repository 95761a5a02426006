//! Matches of orders with each other and with the house.

use alloy_primitives::Address;

use super::{Engine, Fill, Num, Order, Side, Status, journal::Key};

/// The best offer against an order.
enum Offer {
    House { price: Num, size: Num },
    Order { oid: u64, price: Num },
}

impl Engine {
    /// Returns the best offer within an order's limit.
    fn best_offer(&self, order: &Order) -> Option<Offer> {
        let market = self.markets.get(&order.market)?;
        let house = if order.buy { market.asks.first() } else { market.bids.first() };
        let book = self.books.get(&order.market);
        let resting = book.and_then(|book| {
            let first = if order.buy { book.asks.first() } else { book.bids.first() };
            first.map(|(price, oid)| (if order.buy { *price } else { -*price }, *oid))
        });
        let better = |left: Num, right: Num| if order.buy { left <= right } else { left >= right };
        let offer = match (house, resting) {
            // The house is the older at the same price.
            (Some(level), Some((price, _))) if better(level.price, price) => {
                Offer::House { price: level.price, size: level.size }
            }
            (_, Some((price, oid))) => Offer::Order { oid, price },
            (Some(level), None) => Offer::House { price: level.price, size: level.size },
            (None, None) => return None,
        };
        let (Offer::House { price, .. } | Offer::Order { price, .. }) = offer;
        better(price, order.price).then_some(offer)
    }

    /// Returns the quantity that could match an order at once, without its account's own orders.
    pub(super) fn matchable(&self, order: &Order) -> Num {
        let levels = self.levels(&order.market, !order.buy).into_iter();
        let within = |price: Num| {
            if order.buy { price <= order.price } else { price >= order.price }
        };
        let all: Num = levels.filter(|(it, _)| within(it.price)).map(|(it, _)| it.size).sum();
        let own = self.open_orders(order.account).filter(|own| {
            own.market == order.market
                && own.buy != order.buy
                && !own.is_dormant()
                && within(own.price)
        });
        all - own.map(Order::left).sum()
    }

    /// Matches up to `limit` of an order, and returns the quantity.
    pub(super) fn take(&mut self, oid: u64, limit: Num, now: u64) -> Num {
        let mut taken = Num::ZERO;
        while taken < limit {
            let Some(order) = self.orders.get(&oid).filter(|order| order.is_open()) else { break };
            let (buy, name, account) = (order.buy, order.market.clone(), order.account);
            let wanted = order.left().min(limit - taken);
            match self.best_offer(order) {
                None => break,
                Some(Offer::House { price, size }) => {
                    let size = size.min(wanted);
                    self.use_house(&name, buy, size);
                    self.fill(oid, (price, size), true, now);
                    taken += size;
                }
                Some(Offer::Order { oid: maker, price }) => {
                    let Some(other) = self.orders.get(&maker) else { break };
                    if other.account == account {
                        self.finish(maker, Status::SelfTradeCanceled, now);
                        continue;
                    }
                    let size = self.reducible(other).min(wanted);
                    if size.is_zero() {
                        self.finish(maker, Status::ReduceOnlyCanceled, now);
                        continue;
                    }
                    self.fill(maker, (price, size), false, now);
                    self.fill(oid, (price, size), true, now);
                    taken += size;
                }
            }
        }
        taken
    }

    /// Fills the resting orders that the house's offers cross, at the orders' prices.
    pub(super) fn match_house(&mut self, name: &str, now: u64) {
        loop {
            let (Some(market), Some(book)) = (self.markets.get(name), self.books.get(name)) else {
                return;
            };
            let bid = book.bids.first().map(|(price, oid)| (-*price, *oid));
            let ask = book.asks.first().copied();
            let sold = market.asks.first().filter(|it| bid.is_some_and(|bid| bid.0 >= it.price));
            let bought = market.bids.first().filter(|it| ask.is_some_and(|ask| ask.0 <= it.price));
            let (maker, offer, buy) = match (sold, bought) {
                (Some(level), _) => (bid, *level, true),
                (None, Some(level)) => (ask, *level, false),
                (None, None) => return,
            };
            let Some((price, oid)) = maker else { return };
            let Some(order) = self.orders.get(&oid) else { return };
            let size = self.reducible(order).min(offer.size);
            if size.is_zero() {
                self.finish(oid, Status::ReduceOnlyCanceled, now);
                continue;
            }
            self.use_house(name, buy, size);
            self.fill(oid, (price, size), false, now);
        }
    }

    /// Returns how much of an order may still match: a reduce-only order only reduces.
    pub(super) fn reducible(&self, order: &Order) -> Num {
        if !order.reduce_only {
            return order.left();
        }
        let held = self.held(order.account, &order.market, order.side);
        let reduces = if order.buy { -held } else { held };
        order.left().min(reduces.max(Num::ZERO))
    }

    fn use_house(&mut self, name: &str, asks: bool, size: Num) {
        self.touch(Key::Market(name.to_owned()));
        let Some(market) = self.markets.get_mut(name) else { return };
        let levels = if asks { &mut market.asks } else { &mut market.bids };
        if let Some(first) = levels.first_mut() {
            first.size -= size;
            if !first.size.is_positive() {
                levels.remove(0);
            }
        }
    }

    /// Records a match of one order: its quantity, position, balances and fee.
    fn fill(&mut self, oid: u64, (price, size): (Num, Num), taker: bool, now: u64) {
        let Some(order) = self.orders.get(&oid).cloned() else { return };
        let Some(spec) = self.spec(&order.market) else { return };
        let (account, side) = (order.account, order.side);
        let millionths = if taker { self.style.fees.0 } else { self.style.fees.1 };
        let value = price.times(size);
        // On spot only the seller pays the builder.
        let paying = order.builder.filter(|_| spec.base.is_none() || !order.buy);
        let builder_fee = paying.map_or(Num::ZERO, |paid| value.times(paid.rate));
        let (before, profit, fee, fee_token) = match spec.base {
            Some(base) => self.swap(&order, base, (size, value), (millionths, builder_fee)),
            None => {
                let before = self.held(account, spec.name, side);
                let fee = value.ratio(millionths, 1_000_000) + builder_fee;
                let change = if order.buy { size } else { -size };
                let profit = self.change_position(account, (spec.name, side), change, price, now);
                let pocket = self.pocket(account, &spec);
                self.account_mut(account).credit(&pocket, profit - fee);
                (before, profit, fee, self.style.collateral)
            }
        };
        if let Some(paid) = paying {
            let pocket = self.pocket(paid.builder, &spec);
            self.credit(paid.builder, &pocket, builder_fee);
        }
        let fee_token = fee_token.to_owned();
        let id = self.fills.last_key_value().map_or(1, |(id, _)| id + 1);
        self.touch(Key::Fill(id));
        let client = order.client.clone();
        let (market, buy) = (order.market.clone(), order.buy);
        let fill = Fill {
            id,
            account,
            oid,
            market,
            buy,
            side,
            price,
            size,
            taker,
            fee,
            fee_token,
            builder_fee,
            before,
            profit,
            client,
            at: now,
        };
        self.fills.insert(id, fill);
        if let Some(client) = order.client.clone() {
            self.execution_mut(account, client).filled += size;
        }
        self.change_order(oid, now, |order| {
            order.filled += size;
            order.value += value;
        });
        if order.left() == size {
            self.finish(oid, Status::Filled, now);
        }
        self.trim_fills();
        self.after_position(account, &order.market, side, now);
    }

    /// Exchanges tokens for a match of a spot order. Returns the balance before, the profit, the
    /// fee, and the token of the fee.
    fn swap(
        &mut self,
        order: &Order,
        base: &'static str,
        (size, value): (Num, Num),
        (millionths, builder_fee): (i128, Num),
    ) -> (Num, Num, Num, &'static str) {
        let quote = self.style.collateral;
        let (base_pocket, quote_pocket) = (format!("spot:{base}"), format!("spot:{quote}"));
        let held = self.accounts.get(&order.account);
        let before = held.map_or(Num::ZERO, |account| account.balance(&base_pocket));
        // The fee is taken from what the order receives.
        let (received, token) = if order.buy { (size, base) } else { (value, quote) };
        let fee = received.ratio(millionths, 1_000_000) + builder_fee;
        let (base_change, quote_change) =
            if order.buy { (size - fee, -value) } else { (-size, value - fee) };
        self.credit(order.account, &base_pocket, base_change);
        self.credit(order.account, &quote_pocket, quote_change);
        (before, Num::ZERO, fee, token)
    }

    /// Returns an account's position, with its sign.
    fn held(&self, account: Address, market: &str, side: Side) -> Num {
        self.accounts.get(&account).map_or(Num::ZERO, |account| account.size_of(market, side))
    }

    fn trim_fills(&mut self) {
        while self.fills.len() > super::REMEMBERED {
            let Some(id) = self.fills.first_key_value().map(|(id, _)| *id) else { return };
            self.touch(Key::Fill(id));
            self.fills.remove(&id);
        }
    }

    /// Cancels reduce-only orders that no longer reduce the position.
    pub(super) fn after_position(&mut self, account: Address, market: &str, side: Side, now: u64) {
        let held = self.held(account, market, side);
        let mut left = [held.max(Num::ZERO), (-held).max(Num::ZERO)];
        let mut ended = Vec::new();
        // Newest first: the oldest are cancelled.
        let open: Vec<_> = self
            .open_orders(account)
            .filter(|it| it.market == market && it.side == side && it.reduce_only)
            .filter(|it| it.status != Status::Waiting)
            .cloned()
            .collect();
        for order in open.iter().rev() {
            let [sells, buys] = &mut left;
            let room = if order.buy { buys } else { sells };
            if !room.is_positive() && (!order.is_dormant() || held.is_zero()) {
                ended.push(order.oid);
            } else if !order.is_dormant() && self.style.cancels_excess {
                *room -= order.left();
                if *room < Num::ZERO && open.len() > 1 && order.oid != newest(&open, order.buy) {
                    ended.push(order.oid);
                }
            }
        }
        for oid in ended {
            self.finish(oid, Status::ReduceOnlyCanceled, now);
        }
    }
}

/// Returns the newest order of a side that waits for a match.
fn newest(orders: &[Order], buy: bool) -> u64 {
    let of_side = orders.iter().rev().find(|order| order.buy == buy && !order.is_dormant());
    of_side.map_or(0, |order| order.oid)
}
