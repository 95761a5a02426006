//! Placing, changing and ending orders.

use alloy_primitives::Address;

use super::{
    Engine, Execution, NewOrder, Num, Order, REMEMBERED, Reject, Spec, Status, Tif, journal::Key,
};

/// Distance of a triggered market order's limit from the mark, in percent.
const TRIGGER_SLIPPAGE: i128 = 10;

/// Result of placing an order: its number, and the refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) oid: u64,
    pub(crate) refused: Option<Reject>,
}

impl Engine {
    /// Places an order. A refused order also gets a number, unless its client's id is in use.
    pub(crate) fn place(&mut self, new: NewOrder, now: u64) -> Result<Placed, Reject> {
        let account = new.account;
        let in_use = |client: &String| self.open_of_client(account, client).is_some();
        if new.client.as_ref().is_some_and(in_use) {
            return Err(Reject::DuplicateClient);
        }
        self.touch(Key::LastOid);
        self.last_oid += 1;
        let oid = self.last_oid;
        let request = new.request.clone();
        let order = Order {
            oid,
            account,
            market: new.market,
            buy: new.buy,
            price: new.price,
            size: new.size,
            filled: Num::ZERO,
            value: Num::ZERO,
            tif: new.tif,
            is_market: new.is_market,
            trigger: new.trigger,
            reduce_only: new.reduce_only,
            whole_position: new.whole_position,
            side: new.side,
            client: new.client,
            entry: new.entry,
            children: Vec::new(),
            words: new.words,
            status: if new.entry.is_some() { Status::Waiting } else { Status::Open },
            at: now,
            updated: now,
            changes: 0,
            builder: new.builder,
        };
        self.touch(Key::Order(oid));
        let client = order.client.clone();
        self.orders.insert(oid, order);
        let refused = self.start(oid, now).err();
        match refused {
            Some(reject) => self.finish(oid, Status::Rejected(reject), now),
            None => {
                if let Some(client) = client {
                    let execution = self.execution_mut(account, client);
                    execution.accepted += 1;
                    execution.requests.insert(request);
                }
            }
        }
        self.settle(oid, now);
        Ok(Placed { oid, refused })
    }

    /// Returns the sum of the fees that an account has paid to a builder.
    pub(crate) fn paid_to_builder(&self, account: Address, builder: Address) -> Num {
        let is_of = |oid: u64| {
            let paid = self.orders.get(&oid).and_then(|order| order.builder);
            paid.is_some_and(|paid| paid.builder == builder)
        };
        self.fills(account).filter(|fill| is_of(fill.oid)).map(|fill| fill.builder_fee).sum()
    }

    /// Adds a new or changed order to the indexes.
    fn settle(&mut self, oid: u64, now: u64) {
        let Some(order) = self.orders.get(&oid).cloned() else { return };
        self.index(&order);
        if order.is_open() && order.reduce_only {
            self.after_position(order.account, &order.market, order.side, now);
        }
        self.forget_oldest();
    }

    /// Starts a new order: it waits for its entry or its trigger, or it matches.
    fn start(&mut self, oid: u64, now: u64) -> Result<(), Reject> {
        let Some(order) = self.orders.get(&oid).cloned() else { return Ok(()) };
        if let Some(entry) = order.entry {
            self.adopt(entry, oid, now);
            return Ok(());
        }
        let Some(trigger) = order.trigger else { return self.execute(oid, now) };
        let mark = self.markets.get(&order.market).map_or(Num::ZERO, |market| market.mark);
        if trigger.fires(order.buy, mark) {
            return Err(Reject::TriggerPrice);
        }
        if order.reduce_only && !order.whole_position {
            let all = Order { size: Num::whole(1 << 60), ..order };
            if self.reducible(&all).is_zero() {
                return Err(Reject::ReduceOnly);
            }
        }
        Ok(())
    }

    /// Makes an order the child of its entry. It waits until the entry is filled.
    fn adopt(&mut self, entry: u64, child: u64, now: u64) {
        let filled = self.orders.get(&entry).map(|entry| entry.status);
        self.change_order(entry, now, |order| order.children.push(child));
        let status = match filled {
            Some(Status::Filled) => Status::Open,
            Some(Status::Open | Status::Triggered | Status::Waiting) => Status::Waiting,
            _ => Status::EntryCanceled,
        };
        self.change_order(child, now, |order| order.status = status);
    }

    /// Checks an order's size, price and margin, and matches it.
    pub(super) fn execute(&mut self, oid: u64, now: u64) -> Result<(), Reject> {
        let Some(mut order) = self.orders.get(&oid).cloned() else { return Ok(()) };
        let Some(spec) = self.spec(&order.market) else { return Ok(()) };
        if order.reduce_only {
            // The whole position if the order names no size.
            let named = if order.size.is_zero() { Num::whole(1 << 60) } else { order.size };
            let size = self.reducible(&Order { size: named, ..order.clone() });
            if size.is_zero() {
                return Err(Reject::ReduceOnly);
            }
            if self.style.expires && self.used_by_others(&order) >= size {
                return Err(Reject::ReduceOnlyUsed);
            }
            self.change_order(oid, now, |order| order.size = size);
            order.size = size;
        }
        if order.tif == Tif::PostOnly && self.matchable_with_own(&order) {
            let (bid, ask) = (self.best_bid(spec.name), self.best_ask(spec.name));
            let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
            return self.unmatched(oid, Reject::PostOnly { bid, ask }, now);
        }
        let matchable = self.matchable(&order).min(order.left());
        let affordable = self.affordable(&order, &spec);
        if order.tif == Tif::Fok && matchable < order.left() {
            return self.unmatched(oid, Reject::NoMatch, now);
        }
        if order.tif == Tif::Ioc || order.is_market {
            if matchable.is_zero() {
                let empty = self.levels(spec.name, !order.buy).is_empty();
                let none = order.trigger.is_some() || (order.is_market && empty);
                let reject = if none { Reject::NoLiquidity } else { Reject::NoMatch };
                return self.unmatched(oid, reject, now);
            }
            // An order that the margin does not cover is filled as far as the margin allows.
            if affordable.is_zero() || (self.style.expires && affordable < order.left()) {
                return Err(no_funds(&spec));
            }
            self.take(oid, affordable, now);
            let left = self.orders.get(&oid).is_some_and(Order::is_open);
            if left {
                let status = if self.style.expires { Status::Expired } else { Status::Canceled };
                self.finish(oid, status, now);
            }
            return Ok(());
        }
        if affordable < order.left() {
            return Err(no_funds(&spec));
        }
        if order.tif != Tif::PostOnly {
            self.take(oid, order.left(), now);
        }
        Ok(())
    }

    /// Returns the quantity of an account's other reduce-only orders that wait for a match.
    fn used_by_others(&self, order: &Order) -> Num {
        let open = self.open_orders(order.account).filter(|it| it.oid != order.oid);
        let same = open.filter(|it| it.market == order.market && it.side == order.side);
        let used = same.filter(|it| it.buy == order.buy && it.reduce_only && !it.is_dormant());
        used.map(Order::left).sum()
    }

    /// Ends an order that cannot match as requested.
    fn unmatched(&mut self, oid: u64, reject: Reject, now: u64) -> Result<(), Reject> {
        if self.style.expires {
            self.finish(oid, Status::Expired, now);
            Ok(())
        } else {
            Err(reject)
        }
    }

    fn matchable_with_own(&self, order: &Order) -> bool {
        if order.buy {
            self.best_ask(&order.market).is_some_and(|ask| ask <= order.price)
        } else {
            self.best_bid(&order.market).is_some_and(|bid| bid >= order.price)
        }
    }

    /// Returns how much of an order the account's funds cover.
    fn affordable(&self, order: &Order, spec: &Spec) -> Num {
        let step = Num::step(spec.size_places);
        let left = order.left();
        if let Some(base) = spec.base {
            let token = if order.buy { self.style.collateral } else { base };
            let free = self.available(order.account, &format!("spot:{token}"));
            let size = if order.buy { free.over(order.price) } else { free };
            return size.max(Num::ZERO).down_to(step).min(left);
        }
        if order.reduce_only {
            return left;
        }
        let (name, side, buy) = (spec.name, order.side, order.buy);
        let opens = self.opening(order.account, name, side, buy, left);
        let free = self.available(order.account, &self.pocket(order.account, spec));
        // A market order's limit is only a bound: its margin is that of the price it gets.
        let mark = self.markets.get(name).map_or(order.price, |market| market.mark);
        let price = if order.is_market || order.tif == Tif::Ioc {
            mark.min(order.price).max(mark.ratio(1, 2))
        } else {
            order.price
        };
        let unit = self.margin(order.account, spec, Num::ONE, price);
        let fee = price.ratio(self.style.fees.0, 1_000_000);
        let covered = free.max(Num::ZERO).over(unit + fee).down_to(step);
        if covered >= opens { left } else { left - opens + covered }
    }

    /// Cancels an open order. Returns false if it is not open.
    pub(crate) fn cancel(&mut self, oid: u64, now: u64) -> bool {
        let open = self.orders.get(&oid).is_some_and(Order::is_open);
        if open {
            self.finish(oid, Status::Canceled, now);
        }
        open
    }

    /// Changes price and size of an open limit order, which keeps its number.
    ///
    /// # Errors
    ///
    /// Returns the refusal of the new price and size. The order is unchanged then.
    pub(crate) fn amend(
        &mut self,
        oid: u64,
        price: Num,
        size: Num,
        now: u64,
    ) -> Result<(), Reject> {
        let Some(order) = self.orders.get(&oid).cloned() else { return Ok(()) };
        let Some(spec) = self.spec(&order.market) else { return Ok(()) };
        let changed = Order { price, size, ..order.clone() };
        if changed.tif == Tif::PostOnly && self.matchable_with_own(&changed) {
            let (bid, ask) = (self.best_bid(spec.name), self.best_ask(spec.name));
            return Err(Reject::PostOnly {
                bid: bid.unwrap_or_default(),
                ask: ask.unwrap_or_default(),
            });
        }
        self.unindex(&order);
        let covered = self.affordable(&changed, &spec) >= changed.left();
        if covered {
            self.change_order(oid, now, |order| {
                order.price = price;
                order.size = size;
                order.changes += 1;
            });
            self.take(oid, changed.left(), now);
        }
        self.settle(oid, now);
        if covered { Ok(()) } else { Err(no_funds(&spec)) }
    }

    /// Changes a trigger order that waits for its trigger.
    pub(crate) fn amend_trigger(
        &mut self,
        oid: u64,
        (price, trigger_price): (Num, Num),
        size: Num,
        now: u64,
    ) {
        self.change_order(oid, now, |order| {
            order.price = price;
            order.size = size;
            order.changes += 1;
            if let Some(trigger) = &mut order.trigger {
                trigger.price = trigger_price;
            }
        });
    }

    /// Makes orders siblings without an entry: the first that is filled cancels the others.
    pub(crate) fn tie(&mut self, oids: &[u64], now: u64) {
        let Some(first) = oids.first() else { return };
        for oid in oids {
            self.change_order(*oid, now, |order| order.entry = Some(*first));
        }
        self.change_order(*first, now, |order| order.children = oids.to_vec());
    }

    /// Starts a triggered order.
    pub(super) fn trigger(&mut self, oid: u64, now: u64) {
        let Some(order) = self.orders.get(&oid).cloned() else { return };
        let Some(trigger) = order.trigger else { return };
        self.unindex(&order);
        let mark = self.markets.get(&order.market).map_or(order.price, |market| market.mark);
        let away = mark.ratio(TRIGGER_SLIPPAGE, 100);
        self.change_order(oid, now, |order| {
            order.status = Status::Triggered;
            if trigger.market {
                order.price = if order.buy { mark + away } else { mark - away };
                order.is_market = true;
                order.tif = Tif::Ioc;
            }
            if order.whole_position {
                order.size = Num::ZERO;
            }
        });
        match self.execute(oid, now) {
            Ok(()) => self.settle(oid, now),
            Err(Reject::ReduceOnly) => self.finish(oid, Status::ReduceOnlyCanceled, now),
            Err(reject) => self.finish(oid, Status::Rejected(reject), now),
        }
    }

    /// Ends an order, with the consequences for its children and siblings.
    pub(super) fn finish(&mut self, oid: u64, status: Status, now: u64) {
        let Some(order) = self.orders.get(&oid).cloned() else { return };
        self.unindex(&order);
        self.change_order(oid, now, |order| order.status = status);
        self.index(&Order { status, ..order.clone() });
        for child in order.children {
            let waits = self.orders.get(&child).is_some_and(|it| it.status == Status::Waiting);
            if !waits {
                continue;
            }
            if status == Status::Filled {
                self.change_order(child, now, |child| child.status = Status::Open);
            } else {
                self.finish(child, Status::EntryCanceled, now);
            }
        }
        let entry = order.entry.filter(|_| status == Status::Filled);
        let siblings =
            entry.and_then(|entry| self.orders.get(&entry)).map(|it| it.children.clone());
        for sibling in siblings.unwrap_or_default() {
            if sibling != oid && self.orders.get(&sibling).is_some_and(Order::is_open) {
                self.finish(sibling, Status::SiblingFilledCanceled, now);
            }
        }
    }

    pub(super) fn change_order(&mut self, oid: u64, now: u64, change: impl FnOnce(&mut Order)) {
        self.touch(Key::Order(oid));
        if let Some(order) = self.orders.get_mut(&oid) {
            change(order);
            order.updated = now;
        }
    }

    pub(super) fn execution_mut(&mut self, account: Address, client: String) -> &mut Execution {
        self.touch(Key::Execution(account, client.clone()));
        self.executions.entry((account, client)).or_default()
    }

    fn forget_oldest(&mut self) {
        while self.finished.len() > REMEMBERED {
            let Some(oid) = self.finished.first().copied() else { return };
            self.touch(Key::Order(oid));
            self.forget(oid);
        }
    }
}

fn no_funds(spec: &Spec) -> Reject {
    if spec.base.is_some() { Reject::SpotBalance } else { Reject::Margin }
}
