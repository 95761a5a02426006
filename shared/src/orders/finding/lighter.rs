//! The outcome of transactions of Lighter. The exchange takes a transaction, and executes it later or
//! not at all. Its hash names it, so the question needs no key: the job has none of a caller.

use super::{ChangeFound, FindFault, Finder, KnownId, has_values};
use crate::exchanges::lighter::trade::read::Executed;
use crate::exchanges::trade::{ExchangeOrder, Placed, TradeCode, TradeRefusal};
use crate::orders::client::call::Entry;
use crate::orders::outcome::Outcome;
use crate::store::{Change, OrderRecord, StoredOutcome, Submission};
use crate::trading::decimal::Decimal;
use crate::trading::order::{OrderStatus, OrderType};

/// How far the clocks of the exchange and of the service are assumed to differ at most, in
/// milliseconds.
const MAX_SKEW_MS: u64 = 60_000;

/// The word for the status of an order whose transaction was executed, and which was not read.
const EXECUTED: &str = "executed";

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
