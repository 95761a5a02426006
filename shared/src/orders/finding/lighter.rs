//! The outcome of transactions of Lighter. The exchange takes a transaction, and executes it later or
//! not at all. Its hash names it, so the question needs no key: the job has none of a caller.

use domain::ids::Exchange;

use super::{ChangeFound, FindFault, Finder, KnownId, has_values};
use crate::exchanges::lighter::trade::read::Executed;
use crate::exchanges::trade::{ExchangeOrder, Placed, TradeCode, TradeRefusal};
use crate::orders::client::call::Entry;
use crate::orders::outcome::{Outcome, present_or_own};
use crate::orders::{TradeError, Trader};
use crate::store::{
    Change, OrderLost, OrderRecord, OrderState, Settling, StoredOutcome, Submission,
    TradingAccount, TradingView,
};
use crate::trading::decimal::Decimal;
use crate::trading::order::{OrderStatus, OrderType};

/// How far the clocks of the exchange and of the service are assumed to differ at most, in
/// milliseconds.
const MAX_SKEW_MS: u64 = 60_000;

/// The word for the status of an order whose transaction was executed, and which was not read.
const EXECUTED: &str = "executed";

/// The exchange's word for an order that it is processing.
const IN_PROGRESS: &str = "in-progress";

impl ChangeFound {
    /// Returns whether the exchange states neither the change nor its refusal.
    pub(in crate::orders) const fn is_nothing(&self) -> bool {
        self.new.is_none() && self.refusal.is_none()
    }
}

impl Finder<'_> {
    /// Asks what has become of a transaction. While it can be executed, it is asked for a few times.
    async fn executed(&self, submission: &Submission) -> Result<Executed, FindFault> {
        let tenant = &self.account.tenant;
        let hash = submission.lookup_hash();
        let is_over = self.trader.now_ms() >= submission.final_at_ms;
        Ok(if is_over {
            self.trader.client.transaction(tenant, hash).await?
        } else {
            self.trader.client.executed(tenant, hash).await?
        })
    }

    /// Returns the outcome of an order. `None` means that the exchange does not know the transaction
    /// now.
    pub(super) async fn lighter_outcome(
        &self,
        record: &OrderRecord,
        until_ms: u64,
    ) -> Result<Option<Outcome>, FindFault> {
        let Some(submission) = &record.submission else { return Ok(None) };
        match self.executed(submission).await? {
            Executed::Absent => return self.lighter_by_index(record, submission, until_ms).await,
            Executed::Pending => return Err(FindFault::Pending),
            Executed::Failed(refusal) if refusal.code == TradeCode::ClientIdTaken => {
                return self.lighter_taken(record, &refusal, until_ms).await;
            }
            Executed::Failed(refusal) => {
                return Ok(Some(Outcome::refused(&refusal, self.trader.now_ms())));
            }
            Executed::Done => {}
        }
        // The order has its fills. That it exists is certain without them.
        let id = KnownId::at(self.account, record, record.generation);
        let found = match self.key {
            Some(_) => self.find(&record.symbol.name, id.lookup()).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "an executed order is not read");
                None
            }),
            None => None,
        };
        if let Some(order) = found {
            return self.outcome_of(record, &order, until_ms).await.map(Some);
        }
        let placed = Placed {
            order_id: None,
            exchange_status: EXECUTED.to_owned(),
            filled: Decimal::ZERO,
            average_price: None,
        };
        let entry = Entry::Placed(placed);
        Ok(Some(Outcome::of(&entry, &[], None, self.trader.now_ms())))
    }

    /// Looks up an order whose transaction the exchange does not find by its hash. `None` means that
    /// the order does not exist, as far as the hash can prove it.
    async fn lighter_by_index(
        &self,
        record: &OrderRecord,
        submission: &Submission,
        until_ms: u64,
    ) -> Result<Option<Outcome>, FindFault> {
        if self.key.is_some()
            && let Some(order) = self.lighter_of_index(record).await?
            && !is_earlier(&order, record)
        {
            return self.outcome_of(record, &order, until_ms).await.map(Some);
        }
        self.ensure_provable(submission)?;
        Ok(None)
    }

    /// Returns the outcome of an order that the exchange refused because its client order index is in
    /// use: that of the order with the index, or the refusal if that order is from before this one. It
    /// needs the caller's key. `None` means that the exchange lists no order with the index now.
    pub(in crate::orders) async fn lighter_taken(
        &self,
        record: &OrderRecord,
        refusal: &TradeRefusal,
        until_ms: u64,
    ) -> Result<Option<Outcome>, FindFault> {
        let Some(order) = self.lighter_of_index(record).await? else { return Ok(None) };
        if is_earlier(&order, record) {
            return Ok(Some(Outcome::refused(refusal, self.trader.now_ms())));
        }
        self.outcome_of(record, &order, until_ms).await.map(Some)
    }

    /// Returns the outcome of an executed order as the exchange lists it now. It needs the caller's key.
    /// `None` means that the exchange does not list the order now.
    async fn lighter_listed(
        &self,
        record: &OrderRecord,
        until_ms: u64,
    ) -> Result<Option<Outcome>, FindFault> {
        match self.lighter_of_index(record).await? {
            Some(order) if !is_earlier(&order, record) => {
                self.outcome_of(record, &order, until_ms).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Looks up the order that has the client order index of a record.
    async fn lighter_of_index(
        &self,
        record: &OrderRecord,
    ) -> Result<Option<Box<ExchangeOrder>>, FindFault> {
        let id = KnownId::at(self.account, record, record.generation);
        Ok(self.find(&record.symbol.name, id.lookup()).await?)
    }

    /// Returns an error if the bytes can no longer execute, and the exchange stated another hash for
    /// them than the signed one: then no lookup proves that they have not executed.
    fn ensure_provable(&self, submission: &Submission) -> Result<(), FindFault> {
        let is_over = self.trader.now_ms() >= submission.final_at_ms;
        if is_over && submission.stated_hash.is_some() {
            return Err(FindFault::OtherHash);
        }
        Ok(())
    }

    /// Returns what has become of the change of an order, which keeps its id.
    pub(super) async fn lighter_change(
        &self,
        record: &OrderRecord,
        change: &Change,
        id: &KnownId,
    ) -> Result<ChangeFound, FindFault> {
        let executed = self.executed(&change.submission).await?;
        let present = match (self.key, &executed) {
            (Some(_), Executed::Done | Executed::Absent) => {
                self.find(&record.symbol.name, id.lookup()).await?
            }
            _ => None,
        };
        let nothing = ChangeFound { new: None, old: None, refusal: None };
        match executed {
            Executed::Absent => match present.filter(|order| has_values(order, change)) {
                Some(new) => Ok(ChangeFound { new: Some(new), ..nothing }),
                None => self.ensure_provable(&change.submission).map(|()| nothing),
            },
            Executed::Pending => Err(FindFault::Pending),
            Executed::Failed(refusal) => Ok(ChangeFound { refusal: Some(refusal), ..nothing }),
            Executed::Done => {
                let new = present.or_else(|| changed(self, record, change).map(Box::new));
                Ok(ChangeFound { new, ..nothing })
            }
        }
    }
}

impl Trader {
    /// Returns records with the state that Lighter lists now for each order that was executed and not
    /// read: the job has no key to read it. The state is stored. An order that cannot be read keeps its
    /// record.
    pub(in crate::orders) async fn with_read_orders(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        records: Vec<OrderRecord>,
        until_ms: u64,
    ) -> Vec<OrderRecord> {
        let mut present = Vec::with_capacity(records.len());
        for record in records {
            let read = match self.read_unread(account, view, &record, until_ms).await {
                Ok(read) => read,
                Err(error) => {
                    tracing::warn!(%error, "an executed order is not read");
                    None
                }
            };
            present.push(read.unwrap_or(record));
        }
        present
    }

    /// Reads an order that was executed and not read, and stores its state. `None` means that there is
    /// nothing to read, or that Lighter does not list the order now.
    async fn read_unread(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        record: &OrderRecord,
        until_ms: u64,
    ) -> Result<Option<OrderRecord>, TradeError> {
        if !is_unread(record) {
            return Ok(None);
        }
        let Some(key) = self.key_to_ask(view).await? else { return Ok(None) };
        let finder = Finder { trader: self, account, view, key: Some(&key) };
        let reading = async { Ok(finder.lighter_listed(record, until_ms).await) };
        let outcome = match self.until(until_ms, reading).await? {
            Ok(Some(outcome)) if !outcome.state.is_unresolved() => outcome,
            Ok(_) => return Ok(None),
            Err(FindFault::Ask(error)) => return Err(error.into()),
            Err(fault) => {
                tracing::warn!(%fault, "an executed order is not read");
                return Ok(None);
            }
        };
        let mut read =
            OrderRecord { state: outcome.state, revision: self.random.uuid()?, ..record.clone() };
        read.outcome = outcome.stored.or(read.outcome);
        let settling = vec![Settling { known: record.revision, record: read.clone() }];
        Ok(Some(match self.store.settle(account, settling).await {
            Ok(mut stored) => stored.pop().unwrap_or(read),
            Err(OrderLost::Moved(moved)) => {
                present_or_own(&moved, vec![read.clone()]).pop().unwrap_or(read)
            }
            Err(OrderLost::Store(error)) => {
                tracing::warn!(%error, "the state of an order is not stored");
                read
            }
        }))
    }
}

/// Returns whether an order was executed, and its record does not have what became of it.
fn is_unread(record: &OrderRecord) -> bool {
    let Some(StoredOutcome::Placed { exchange_status, .. }) = &record.outcome else { return false };
    record.exchange == Exchange::Lighter
        && record.state == OrderState::Placed
        && record.is_at_rest()
        && [EXECUTED, IN_PROGRESS].contains(&exchange_status.as_str())
}

/// Returns whether an order is from before a record. The caller can use its id again when the record
/// of the earlier order has expired, and the index is the same then.
const fn is_earlier(order: &ExchangeOrder, record: &OrderRecord) -> bool {
    order.at_ms > 0 && order.at_ms.saturating_add(MAX_SKEW_MS) < record.created_at_ms
}

/// Returns an order with the values of a change that was made, as far as the record has them.
fn changed(finder: &Finder<'_>, record: &OrderRecord, change: &Change) -> Option<ExchangeOrder> {
    let Some(StoredOutcome::Placed { order_id, filled, .. }) = &record.outcome else { return None };
    let decimal = |text: &str| Decimal::parse(text).ok();
    let request = &record.request;
    Some(ExchangeOrder {
        order_id: order_id.clone().unwrap_or_default(),
        client_id: None,
        symbol: record.symbol.name.clone(),
        side: request.side,
        order_type: Some(OrderType::Limit),
        exchange_type: "limit".to_owned(),
        time_in_force: request.time_in_force,
        reduce_only: request.reduce_only,
        position_side: request.position_side,
        status: OrderStatus::Open,
        exchange_status: EXECUTED.to_owned(),
        rejection: None,
        price: decimal(&change.price)?,
        trigger_price: None,
        quantity: decimal(&change.quantity)?,
        filled: decimal(filled)?,
        average_price: None,
        at_ms: finder.trader.now_ms(),
        children: Vec::new(),
    })
}
