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
mod placement;
mod progress;
mod refusals;
mod send;

use domain::ids::WalletRef;

use super::access::ensure_not_frozen;
use super::client::call::Asker;
use super::outcome::{result_of, wait_s};
use super::reserve::{NotReserved, Request};
use super::resolve::{Case, REQUEST_WAIT_MS, Resolution};
use super::view::{OrderToPlace, PlacedOrder, Placing};
use super::{REQUEST_MS, TradeError, Trader};
use crate::caller::Caller;
use crate::store::{CredentialRecord, OrderRecord, TradingAccount, TradingView};
use crate::trading::ids::ClientOrderId;
use crate::trading::order::OrderFault;
pub(super) use batch::Batch;
use batch::Wanted;
pub(super) use known::is_about_the_service;
use known::{Known, known};
use placement::Placement;
use progress::Progress;
use refusals::Refusals;
pub(super) use send::{is_worth_resending, lease_until_ms};

/// Maximum number of passes of a request over its orders. Each pass after the first follows a
/// change by another request or a resolved outcome. Passes after a refusal that a new signature can
/// repair do not count: [`Refusals`] bounds them.
const PASSES: u32 = 5;

/// What one pass has come to.
enum Pass {
    /// The results.
    Done(Placing),
    /// The records have changed. Another pass looks at them.
    Again,
    /// The orders were refused, and another pass signs them once more.
    Renewed,
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
        let mut progress = Progress::default();
        let mut passes = 0;
        while passes < PASSES {
            match self.pass(account, batch, until_ms, &mut progress).await {
                Ok(Pass::Done(placing)) => return Ok(placing),
                Ok(Pass::Again) => passes += 1,
                Ok(Pass::Renewed) => {}
                Err(error) => return progress.ended(account, batch, error),
            }
        }
        // Every pass has met another request for the same orders, or its policy was too old.
        let first = batch.orders.first().ok_or(TradeError::NoOrder)?;
        let client_order_id = first.id.clone();
        let in_progress = TradeError::InProgress { client_order_id, retry_after_s: 1 };
        let error = progress.last.take().unwrap_or(in_progress);
        progress.ended(account, batch, error)
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

    /// Gives each order of a request an id, and returns the ids: the given one, one derived from the
    /// `Idempotency-Key`, or a drawn one. A caller does this before anything else, so that each of
    /// its responses can state the ids.
    ///
    /// # Errors
    /// Fails when a given id is reserved, or the system returns no random bytes.
    pub fn assign_ids<'a>(
        &self,
        orders: impl IntoIterator<Item = &'a mut Option<ClientOrderId>>,
        key: Option<&str>,
    ) -> Result<Vec<ClientOrderId>, TradeError> {
        // The first derived id of a batch is that of a single order, so that the same key with both
        // is refused.
        let mut has_first = false;
        let ids = orders.into_iter().enumerate().map(|(index, given)| {
            let id = self.id_of(given.as_ref(), key, has_first.then_some(index))?;
            has_first |= given.is_none();
            *given = Some(id.clone());
            Ok(id)
        });
        ids.collect()
    }

    /// Returns each order with its id; see [`Trader::assign_ids`].
    fn ids<'a>(
        &self,
        orders: &'a [OrderToPlace],
        key: Option<&str>,
    ) -> Result<Vec<(ClientOrderId, &'a OrderToPlace)>, TradeError> {
        let mut given: Vec<_> = orders.iter().map(|order| order.client_order_id.clone()).collect();
        Ok(self.assign_ids(&mut given, key)?.into_iter().zip(orders).collect())
    }

    /// Looks at the records once, and places what is to be placed.
    async fn pass(
        &self,
        account: &TradingAccount,
        batch: &Batch,
        until_ms: u64,
        progress: &mut Progress,
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
                let reading = self.with_read_orders(account, &view, records, until_ms);
                let records = Box::pin(reading).await;
                let orders = records.iter().map(|record| result_of(account, record, 1));
                Ok(Pass::Done(Placing { orders: orders.collect(), is_replay: true }))
            }
            Known::Open(records) => {
                self.resolve_known(account, &view, records, until_ms, &mut progress.last).await
            }
            Known::ToPlace { indices, others } => {
                progress.note(&view, batch, self.now_ms());
                let (orders, refusals) = (indices.as_slice(), &progress.refusals);
                let placing = ToPlace { batch, orders, refusals, until_ms };
                let records = match self.place_new(account, &view, placing).await {
                    Ok(records) => records,
                    Err(NotReserved::Orders) => return Ok(Pass::Again),
                    Err(NotReserved::Policy) => {
                        progress.last = Some(TradeError::OutOfTime);
                        return Ok(Pass::Again);
                    }
                    Err(NotReserved::Error(error)) => return Err(error),
                };
                if let Some(wait_ms) = progress.renews(self, &records, until_ms) {
                    self.clock().sleep_ms(wait_ms).await;
                    return Ok(Pass::Renewed);
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
        ToPlace { batch, orders, refusals, until_ms }: ToPlace<'_>,
    ) -> Result<Vec<OrderRecord>, NotReserved> {
        ensure_not_frozen(view.wallet.as_ref())?;
        let credential = self.credential(view)?;
        let planning = async {
            let named = self.named(account, view, batch, orders).await?;
            self.plan(&account.tenant, &named).await
        };
        let planned = self.before_sending(until_ms, planning).await?;
        let now_ms = self.now_ms();
        let policy = view.policy(now_ms);
        let priced: Vec<_> = planned.iter().map(|order| refusals.priced(order)).collect();
        self.precheck(&policy, &view.ledger, &priced)?;
        let builder = credential.and_then(|it| self.builder_of(it, &view.ledger));
        let builder = builder.filter(|_| refusals.builder().is_none());
        let builder = self.allowed_builder(&policy, builder, &priced)?;
        let mut placement = Placement::new(account, view, &policy, batch, &planned, now_ms)?;
        placement.builder = builder;
        let weight = self.client.weight_of(&placement.call()?);
        let opening = async {
            let taken = async { Ok(self.client.take(&account.tenant, weight).await?) };
            tokio::try_join!(self.key(view), taken)
        };
        let (key, ()) = self.before_sending(until_ms, opening).await?;
        let markets: Vec<_> = planned.iter().map(|order| &order.market).collect();
        let asker = Asker { wallet: view.address(), key: Some(&key) };
        let (priced, markets) = (priced.as_slice(), markets.as_slice());
        let (policy, replaced) = (&policy, None);
        let refused_builder =
            refusals.builder().filter(|_| !credential.is_some_and(|it| is_new(it, now_ms)));
        let request = Request {
            account,
            view,
            policy,
            priced,
            markets,
            asker,
            replaced,
            refused_builder,
            until_ms,
        };
        let make = |nonce| {
            self.ensure_time_to_send(until_ms)?;
            placement.reserving(self, nonce, &key)
        };
        let reserving = self.reserve(request, make).await?;
        let records = reserving.into_iter().map(|it| it.record).collect();
        Ok(self.send(account, view, &planned, records, until_ms).await?)
    }
}

/// How long a node of the exchange may not know an approval, in milliseconds.
const APPROVAL_LAG_MS: u64 = 60_000;

/// Returns whether the refusal of a builder can come from a node that does not know its approval yet.
/// Such a refusal says nothing about the next orders.
fn is_new(credential: &CredentialRecord, now_ms: u64) -> bool {
    let created_at_ms = credential.created_at_ms.unwrap_or_default();
    now_ms < created_at_ms.saturating_add(APPROVAL_LAG_MS)
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

/// Orders of a request without an unresolved signature.
#[derive(Clone, Copy)]
struct ToPlace<'a> {
    batch: &'a Batch,
    /// Their indices.
    orders: &'a [usize],
    /// The refusals that the request has met.
    refusals: &'a Refusals,
    /// When the request must have sent them, Unix milliseconds.
    until_ms: u64,
}
