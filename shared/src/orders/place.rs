//! Placing orders, single and in a batch.
//!
//! 1. Read the wallet, its credential, policy and ledger, and the records of the orders.
//! 2. Orders that are known are returned, resolved, or refused; see [`Known`].
//! 3. Check the others against their markets and the policy, open the key, take the budget.
//! 4. Sign with the next nonce, and store the bytes, the nonce and the policy's reservation in one
//!    transaction.
//! 5. Send, and store the outcome.
//!
//! A process that dies before 4 has changed nothing. After 4 the record exists, and a repeat or the
//! job finds its outcome.

mod batch;
mod known;
mod send;

use domain::builder::Builder;
use domain::eth::AgentKey;
use domain::ids::WalletRef;

use super::access::ensure_not_frozen;
use super::client::call::{Asker, Unsigned};
use super::outcome::{result_of, wait_s};
use super::plan::{self, Planned, Signing};
use super::reserve::{NotReserved, Request};
use super::resolve::{Case, REQUEST_WAIT_MS, Resolution};
use super::view::{OrderToPlace, PlacedOrder, Placing};
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::store::{
    OrderRecord, OrderState, Reserving, Seen, SubmissionKind, TradingAccount, TradingView,
};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::{ClosedMarket, Fingerprint, OrderFault};
use crate::trading::policy::Policy;
pub(super) use batch::Batch;
use batch::Wanted;
pub(super) use known::is_about_the_service;
use known::{Known, known};
use send::Refusals;
pub(super) use send::{is_worth_resending, lease_until_ms};

/// Maximum number of passes of a request over its orders. Each pass after the first follows a
/// change by another request, a resolved outcome, or a refusal that a new signature can repair.
const PASSES: u32 = 4;

/// The wait before orders are signed again after such a refusal, in milliseconds.
const RENEWAL_WAIT_MS: u64 = 700;

/// What one pass has come to.
enum Pass {
    /// The results.
    Done(Placing),
    /// The records have changed. Another pass looks at them.
    Again,
}

impl Trader {
    /// Places orders. `key` is the `Idempotency-Key`, from which orders without an id derive one.
    ///
    /// # Errors
    /// Fails when nothing was sent for any order. A single order's refusal is in the result.
    pub async fn place(
        &self,
        caller: &Caller,
        wallet: &WalletRef,
        orders: &[OrderToPlace],
        key: Option<&str>,
    ) -> Result<Placing, TradeError> {
        let until_ms = self.now_ms() + REQUEST_MS;
        let account = self.account(caller, wallet).await?;
        let batch = Batch::new(&account, &self.ids(orders, key)?)?;
        self.place_batch(&account, &batch, until_ms).await
    }

    /// Places the orders of a request in as many passes as it takes.
    pub(super) async fn place_batch(
        &self,
        account: &TradingAccount,
        batch: &Batch,
        until_ms: u64,
    ) -> Result<Placing, TradeError> {
        let mut renewals = Refusals::default();
        let mut last = None;
        for _ in 0..PASSES {
            match self.pass(account, batch, until_ms, &mut renewals, &mut last).await? {
                Pass::Done(placing) => return Ok(placing),
                Pass::Again => {}
            }
        }
        // Every pass has met another request for the same orders, or its policy was too old.
        let first = batch.orders.first().ok_or(TradeError::NoOrder)?;
        let client_order_id = first.id.clone();
        Err(last.unwrap_or(TradeError::InProgress { client_order_id, retry_after_s: 1 }))
    }

    /// Returns the id of an order: the given one, one derived from the `Idempotency-Key`, or a drawn
    /// one. The first derived id of a request has no `place`.
    pub(super) fn id_of(
        &self,
        given: Option<&ClientOrderId>,
        key: Option<&str>,
        place: Option<usize>,
    ) -> Result<ClientOrderId, TradeError> {
        Ok(match (given, key) {
            (Some(id), _) if id.is_reserved() => {
                let (field, expected) = ("clientOrderId", "must not have the form of another id");
                return Err(OrderFault::Invalid { field, expected }.into());
            }
            (Some(id), _) => id.clone(),
            (None, Some(key)) => ClientOrderId::of_idempotency_key(key, place),
            (None, None) => ClientOrderId::draw(&self.random)?,
        })
    }

    /// Returns each order with its id: the given one, one derived from the `Idempotency-Key`, or a
    /// drawn one.
    fn ids<'a>(
        &self,
        orders: &'a [OrderToPlace],
        key: Option<&str>,
    ) -> Result<Vec<(ClientOrderId, &'a OrderToPlace)>, TradeError> {
        // The first derived id of a batch is that of a single order, so that the same key with both
        // is refused.
        let first = orders.iter().position(|order| order.client_order_id.is_none());
        let named = orders.iter().enumerate().map(|(index, order)| {
            let place = (first != Some(index)).then_some(index);
            Ok((self.id_of(order.client_order_id.as_ref(), key, place)?, order))
        });
        named.collect()
    }

    /// Looks at the records once, and places what is to be placed.
    async fn pass(
        &self,
        account: &TradingAccount,
        batch: &Batch,
        until_ms: u64,
        renewals: &mut Refusals,
        last: &mut Option<TradeError>,
    ) -> Result<Pass, TradeError> {
        let keys: Vec<_> = batch.orders.iter().map(|order| order.key).collect();
        // Metadata of the markets is read at the same time, because most requests need both.
        let warm = async {
            self.warm(account, batch).await;
            Ok(())
        };
        let warm = self.before_sending(until_ms, warm);
        let (view, _) = tokio::join!(self.view(account, &keys), warm);
        let view = view?;
        match known(&view, batch, self.now_ms())? {
            Known::Ended(records) => {
                let orders = records.iter().map(|record| result_of(account, record, 1));
                Ok(Pass::Done(Placing { orders: orders.collect(), is_replay: true }))
            }
            Known::Open(records) => {
                self.resolve_known(account, &view, records, until_ms, last).await
            }
            Known::ToPlace { indices, others } => {
                let has_builder = renewals.has_builder();
                let indices = (indices.as_slice(), has_builder);
                let records = match self.place_new(account, &view, batch, indices, until_ms).await {
                    Ok(records) => records,
                    Err(NotReserved::Orders) => return Ok(Pass::Again),
                    Err(NotReserved::Policy) => {
                        *last = Some(TradeError::OutOfTime);
                        return Ok(Pass::Again);
                    }
                    Err(NotReserved::Error(error)) => return Err(error),
                };
                if let Some(error) = renewals.renewable(&records) {
                    *last = Some(error);
                    // A node that does not know a new agent yet learns of it within seconds.
                    self.clock().sleep_ms(RENEWAL_WAIT_MS).await;
                    return Ok(Pass::Again);
                }
                self.count(&records);
                let all = records.iter().chain(&others);
                Ok(Pass::Done(Placing {
                    orders: results(account, batch, &all, self.now_ms()),
                    is_replay: false,
                }))
            }
        }
    }

    /// Fills the caches that the orders' checks read. A failure is found again by the checks.
    async fn warm(&self, account: &TradingAccount, batch: &Batch) {
        if let Some(first) = batch.orders.first() {
            let _ = self.markets(&account.tenant).find(first.symbol()).await;
        }
    }

    /// Resolves orders whose lease has ended.
    async fn resolve_known(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        records: Vec<OrderRecord>,
        until_ms: u64,
        last: &mut Option<TradeError>,
    ) -> Result<Pass, TradeError> {
        let Some(records) = self.take_over(account, records).await? else {
            return Ok(Pass::Again);
        };
        let max_wait_ms = REQUEST_WAIT_MS;
        let case = Case { account, view, records, until_ms, max_wait_ms };
        match self.resolve(case).await? {
            Resolution::Known(records) => {
                self.client.emit(platform::metrics::Metric::OrdersResolved, records.len() as u64);
                *last = None;
                Ok(Pass::Again)
            }
            Resolution::Open { records, cause, next } => {
                Err(unknown(&records, cause, next.wait_s(self.now_ms())))
            }
        }
    }

    /// Places orders that have no unresolved signature.
    async fn place_new(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        batch: &Batch,
        (indices, has_builder): (&[usize], bool),
        until_ms: u64,
    ) -> Result<Vec<OrderRecord>, NotReserved> {
        ensure_not_frozen(&view.wallet)?;
        let credential = self.credential(view)?;
        let builder = self.builder_of(credential).filter(|_| has_builder);
        let planning = async {
            let named = self.named(account, view, batch, indices).await?;
            self.plan(&account.tenant, &named).await
        };
        let planned = self.before_sending(until_ms, planning).await?;
        let now_ms = self.now_ms();
        let policy = view.policy(now_ms);
        let priced: Vec<_> = planned.iter().map(Planned::priced).collect();
        self.precheck(&policy, &view.ledger, &priced)?;
        let placement = Placement::new(account, view, &policy, batch, &planned, now_ms)?;
        let placement = Placement { builder, ..placement };
        let weight = plan::weight(&placement.call()?);
        let opening = async {
            let taken = async { Ok(self.client.take(&account.tenant, weight).await?) };
            tokio::try_join!(self.key(view), taken)
        };
        let (key, ()) = self.before_sending(until_ms, opening).await?;
        let markets: Vec<_> = planned.iter().map(|order| &order.market).collect();
        let asker = Asker { wallet: view.wallet.address, key: Some(&key) };
        let (priced, markets) = (priced.as_slice(), markets.as_slice());
        let (policy, replaced) = (&policy, None);
        let request = Request { account, view, policy, priced, markets, asker, replaced };
        let make = |nonce| {
            self.ensure_time_to_send(until_ms)?;
            placement.reserving(self, nonce, &key)
        };
        let reserving = self.reserve(request, make).await?;
        let records = reserving.into_iter().map(|it| it.record).collect();
        Ok(self.send(account, view, &planned, records, until_ms).await?)
    }
}

/// Returns the error for orders whose outcome is open.
pub(super) fn unknown(records: &[OrderRecord], cause: String, retry_after_s: u64) -> TradeError {
    let client_order_ids = records.iter().map(|it| it.client_order_id.clone()).collect();
    TradeError::Unknown { client_order_ids, retry_after_s, cause }
}

/// Returns the results in the sequence of the request.
fn results<'a>(
    account: &TradingAccount,
    batch: &Batch,
    records: &(impl Iterator<Item = &'a OrderRecord> + Clone),
    now_ms: u64,
) -> Vec<PlacedOrder> {
    let retry_after_s = wait_s(records.clone(), now_ms);
    let of = |wanted: &Wanted| {
        let record = records.clone().find(|record| record.client_order_id == wanted.id);
        record.map(|record| result_of(account, record, retry_after_s))
    };
    batch.orders.iter().filter_map(of).collect()
}

/// Orders about to be signed.
struct Placement<'a> {
    account: &'a TradingAccount,
    view: &'a TradingView,
    unit: &'a Fingerprint,
    closes: &'a [ClosedMarket],
    signings: Vec<(&'a Planned, Signing)>,
    builder: Option<Builder>,
    is_limited: bool,
}

impl<'a> Placement<'a> {
    /// Chooses the generation of each order: the one after the record's, if there is one.
    fn new(
        account: &'a TradingAccount,
        view: &'a TradingView,
        policy: &Policy,
        batch: &'a Batch,
        planned: &'a [Planned],
        now_ms: u64,
    ) -> Result<Self, TradeError> {
        let signings = planned.iter().map(|order| {
            let signing = match view.order(&order.named.id, now_ms) {
                None => Signing { generation: 0, created_at_ms: now_ms },
                Some(record) => {
                    let exhausted = TradeError::IdReused {
                        client_order_id: order.named.id.clone(),
                        is_exhausted: true,
                    };
                    let generation = record.generation.checked_add(1).ok_or(exhausted)?;
                    Signing { generation, created_at_ms: record.created_at_ms }
                }
            };
            Ok((order, signing))
        });
        let signings = signings.collect::<Result<_, TradeError>>()?;
        let is_limited = policy.max_position_notional.is_some();
        let Batch { unit, closes, .. } = batch;
        Ok(Self { account, view, unit, closes, signings, builder: None, is_limited })
    }

    fn call(&self) -> Result<Unsigned, TradeError> {
        plan::call(self.account.exchange, &self.signings, self.builder)
    }

    /// Signs the orders with a nonce, and returns the records to store.
    fn reserving(
        &self,
        trader: &Trader,
        nonce: u64,
        key: &AgentKey,
    ) -> Result<Vec<Reserving>, TradeError> {
        let Self { account, view, signings, .. } = self;
        let call = self.call()?;
        let ids: Vec<_> = signings.iter().map(|(order, _)| order.named.id.clone()).collect();
        let members = if ids.len() > 1 { ids.clone() } else { Vec::new() };
        let asker = (view.wallet.address, key);
        let wire = &trader.client.wire;
        let submission =
            wire.sign(&call, SubmissionKind::Place, nonce, asker, members, trader.clock())?;
        let now_ms = trader.now_ms();
        let lease_until_ms = lease_until_ms(now_ms);
        let mut submission = Some(submission);
        let reserving = signings.iter().map(|(order, signing)| {
            let Planned { named, market, .. } = order;
            let present = view.order(&named.id, now_ms);
            let record = OrderRecord {
                schema: platform::items::SCHEMA,
                exchange: account.exchange,
                wallet_id: account.wallet_id,
                client_order_id: named.id.clone(),
                fingerprint: named.fingerprint.clone(),
                unit: self.unit.clone(),
                generation: signing.generation,
                placed_generation: 0,
                revision: trader.random.uuid()?,
                state: OrderState::Sending,
                request: named.request.clone(),
                symbol: market.stored(),
                lead: ids.first().filter(|lead| **lead != named.id).cloned(),
                // The first order carries the bytes.
                submission: submission.take(),
                carried: None,
                closes: self.closes.to_vec(),
                change: None,
                outcome: None,
                reserved: self.is_limited && !named.request.is_reducing(),
                created_at_ms: signing.created_at_ms,
                lease_until_ms,
                expires_at_s: None,
            };
            let seen = present.map_or(Seen::Absent, |present| Seen::Revision(present.revision));
            Ok(Reserving { record, seen })
        });
        reserving.collect()
    }
}
