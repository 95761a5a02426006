//! Changing the price and the quantity of an open limit order.
//!
//! A change is stored before it is sent, as an order is. Hyperliquid replaces the order by a new one
//! under the next generation's id; the service never asks it to place the new order if the old one
//! is gone. Aster changes the order in place.
//!
//! | file | holds |
//! | --- | --- |
//! | `call` | the rules and the call of a change |
//! | `send` | sending a change, and what its response means |
//! | `excess` | what can execute in addition to the requested quantity |

mod call;
mod excess;
mod send;

use domain::ids::WalletRef;

use super::access::{SigningKey, ensure_not_frozen};
use super::cancel::not_open;
use super::client::call::Asker;
use super::plan;
use super::reserve::{NotReserved, Request};
use super::target::Target;
use super::view::{OrderView, is_of_another_client, of_exchange};
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::exchanges::trade::{ExchangeOrder, TradeCode};
use crate::store::{Change, OrderRecord, OrderState, Reserving, Seen, SubmissionKind};
use crate::trading::decimal::Decimal;
use crate::trading::ids::OrderName;
use crate::trading::order::{ChangeRequest, OrderFault, SymbolText};
use crate::trading::policy::{Priced, Slippage};
use call::ChangePlan;

/// Maximum number of signatures of a change whose nonce is overtaken.
const SIGNATURES: u32 = 3;

/// A change that a caller requests.
#[derive(Clone, Copy)]
struct Changing<'a> {
    change: &'a ChangeRequest,
    key: &'a SigningKey,
    /// No question is begun after this time, Unix milliseconds.
    until_ms: u64,
}

impl Trader {
    /// Changes price and quantity of an open limit order, and returns it. A change to the present
    /// values sends nothing.
    ///
    /// # Errors
    /// Fails when the order is not open, when the exchange or the policy refuses, or when it
    /// remains unknown whether the order was changed. A repeat resolves it.
    pub async fn modify(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        order: &OrderName,
        change: &ChangeRequest,
        symbol: Option<&SymbolText>,
    ) -> Result<OrderView, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let mut attempt = 1;
        loop {
            let modified =
                self.modify_once(caller, wallet, order, (change, symbol), until_ms).await;
            // A later nonce was faster: the change was not made, and can be signed again.
            let is_overtaken = matches!(
                &modified,
                Err(TradeError::Refused { refusal, .. }) if refusal.code == TradeCode::NonceTooLow
            );
            if !is_overtaken || attempt == SIGNATURES || self.now_ms() >= until_ms {
                return modified;
            }
            attempt += 1;
        }
    }

    /// Changes an order with one signature.
    async fn modify_once(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        order: &OrderName,
        (change, symbol): (&ChangeRequest, Option<&SymbolText>),
        until_ms: u64,
    ) -> Result<OrderView, TradeError> {
        let mut target = self.target(caller, wallet, order, symbol).await?;
        ensure_not_frozen(target.view.wallet.as_ref())?;
        self.settle_target(&mut target).await?;
        target.ensure_placed()?;
        let key = &self.key(&target.view).await?;
        let changing = Changing { change, key, until_ms };
        let looking_up = self.look_up_present(&mut target, Some(key));
        let found = self.before_sending(until_ms, looking_up).await?;
        let found = found.ok_or_else(|| target.not_found())?;
        let changed = self.change_found(&mut target, &found, changing).await?;
        self.without_excess(&mut target, changed, changing).await
    }

    /// Changes an order that was looked up.
    async fn change_found(
        &self,
        target: &mut Target,
        found: &ExchangeOrder,
        changing: Changing<'_>,
    ) -> Result<OrderView, TradeError> {
        let Changing { change, until_ms, .. } = changing;
        if !found.status.is_open() {
            return Err(not_open(target, found));
        }
        let present = of_exchange(&target.account, found, target.record.as_ref());
        if is_present(&present, change) {
            return Ok(present);
        }
        let filled = Decimal::parse(&present.filled_quantity).unwrap_or(found.filled);
        let rest = change.quantity.value().checked_sub(filled).filter(|rest| !rest.is_zero());
        let rest = rest.ok_or(OrderFault::Invalid {
            field: "quantity",
            expected: "must exceed the filled quantity",
        })?;
        let name: SymbolText = found.symbol.parse().map_err(|_| target.not_found())?;
        let market = &self.markets(&target.account.tenant).find(&name).await?;
        let base = self.base(target, found, market)?;
        let plan = ChangePlan { found, market, change, filled, rest, base: &base.record };
        self.before_sending(until_ms, self.check_change(target, &plan)).await?;
        let record = self.reserve_change(target, &plan, base.seen, changing).await?;
        let (record, mut view) = self.send_change(target, &plan, record, until_ms).await?;
        if is_of_another_client(&record) {
            view.client_order_id.clone_from(&found.client_id);
        }
        target.record = Some(record);
        target.move_to_present();
        Ok(view)
    }

    /// Signs a change with the next nonce, and stores it before it is sent.
    async fn reserve_change(
        &self,
        target: &Target,
        plan: &ChangePlan<'_>,
        seen: Seen,
        Changing { key, until_ms, .. }: Changing<'_>,
    ) -> Result<OrderRecord, TradeError> {
        let Target { account, view, .. } = target;
        let now_ms = self.now_ms();
        let policy = &view.policy(now_ms);
        let value =
            self.value_of_change(&account.tenant, plan.market, plan.found, plan.change).await?;
        let priced = &[plan.priced(account, value)];
        self.precheck(policy, &view.ledger, priced)?;
        let call = plan.call(account)?;
        self.client.take(&account.tenant, self.client.weight_of(&call)).await?;
        let is_limited = policy.max_position_notional.is_some();
        let make = |nonce| {
            self.ensure_time_to_send(until_ms)?;
            let asker = (view.address(), key);
            let (kind, clock) = (SubmissionKind::Modify, self.clock());
            let wire = &self.client.wire;
            let submission = wire.sign(&call, kind, nonce, asker, Vec::new(), clock)?;
            let lease_until_ms = super::place::lease_until_ms(self.now_ms());
            let generation = plan.generation()?;
            let record = OrderRecord {
                generation,
                revision: self.random.uuid()?,
                change: Some(Change {
                    submission,
                    price: plan.change.price.text().to_owned(),
                    quantity: plan.change.quantity.text().to_owned(),
                    filled: Some(plan.filled.text()),
                    state: OrderState::Sending,
                    generation,
                    refusal: None,
                }),
                reserved: is_limited && !plan.is_reducing(),
                lease_until_ms,
                expires_at_s: None,
                ..plan.base.clone()
            };
            Ok(vec![Reserving { record, seen }])
        };
        let asker = Asker { wallet: view.address(), key: Some(key) };
        let (markets, replaced) = (&[plan.market], Some(plan.found));
        let request = Request {
            account,
            view,
            policy,
            priced,
            markets,
            asker,
            replaced,
            refused_builder: None,
            until_ms,
        };
        match self.reserve(request, make).await {
            Ok(mut reserving) => match reserving.pop() {
                Some(Reserving { record, .. }) => Ok(record),
                None => Err(TradeError::NoOrder),
            },
            Err(NotReserved::Orders) => Err(TradeError::InProgress {
                client_order_id: plan.base.client_order_id.clone(),
                retry_after_s: 1,
            }),
            Err(NotReserved::Policy) => Err(TradeError::OutOfTime),
            Err(NotReserved::Error(error)) => Err(error),
        }
    }
}

/// Returns whether an order has the values of a change already.
fn is_present(present: &OrderView, change: &ChangeRequest) -> bool {
    let is = |text: &str, value: Decimal| Decimal::parse(text) == Ok(value);
    is(&present.price, change.price.value()) && is(&present.quantity, change.quantity.value())
}

impl ChangePlan<'_> {
    /// Returns the changed order as the policy sees it: as one order with its new value.
    fn priced(&self, account: &crate::store::TradingAccount, value: plan::Value) -> Priced {
        let plan::Value { notional, is_in_dollars } = value;
        Priced {
            key: account.order_key(&self.base.client_order_id),
            symbol: self.market.name().to_owned(),
            side: self.found.side,
            notional,
            is_in_dollars,
            is_reducing: self.is_reducing(),
            slippage: Slippage::Fixed,
            orders: 1,
        }
    }
}
