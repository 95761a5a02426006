//! The transaction that stores orders with their signed bytes, and takes their nonce. It commits
//! before the exchange receives anything.

use domain::builder::Builder;
use domain::eth::Address;
use platform::metrics::{self, About, Metric};

use super::client::call::Asker;
use super::exposure::exposure;
use super::markets::Market;
use super::{TradeError, Trader};
use crate::exchanges::trade::ExchangeOrder;
use crate::store::{ReserveLost, ReserveTime, Reserving, TradingAccount, TradingView};
use crate::trading::ledger::{Ledger, READ_LAG_MS};
use crate::trading::policy::{self, Exposure, Policy, PolicyRefusal, Priced};

/// Maximum number of attempts when other requests change the ledger.
const ATTEMPTS: u32 = 10;

/// The wait between two attempts, in milliseconds.
const WAIT_MS: std::ops::Range<u64> = 5..60;

/// What a reservation needs to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) account: &'a TradingAccount,
    pub(super) view: &'a TradingView,
    pub(super) policy: &'a Policy,
    pub(super) priced: &'a [Priced],
    pub(super) markets: &'a [&'a Market],
    pub(super) asker: Asker<'a>,
    /// The order that these orders replace. It counts no more.
    pub(super) replaced: Option<&'a ExchangeOrder>,
    /// The agent whose builder the exchange has refused for these orders. The ledger remembers it.
    pub(super) refused_builder: Option<Address>,
    /// When the request must have sent its bytes, Unix milliseconds.
    pub(super) until_ms: u64,
}

/// Why nothing was reserved.
#[derive(Debug)]
pub(super) enum NotReserved {
    /// Other requests changed these orders. Read again.
    Orders,
    /// The policy was read too long ago. Read again.
    Policy,
    /// The policy refuses the orders, or something failed.
    Error(TradeError),
}

impl<E: Into<TradeError>> From<E> for NotReserved {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Trader {
    /// Checks the policy, takes the next nonce, has `make` sign with it, and stores both. It starts
    /// again when another request has changed the ledger: with the policy, a new nonce and a new
    /// signature. Nothing is sent before it returns.
    pub(super) async fn reserve(
        &self,
        request: Request<'_>,
        make: impl Fn(u64) -> Result<Vec<Reserving>, TradeError> + Send + Sync,
    ) -> Result<Vec<Reserving>, NotReserved> {
        let Request { account, view, policy, priced, until_ms, .. } = request;
        let turn = async { Ok(self.sequencer.turn(account.wallet_id).await) };
        let mut turn = self.before_sending(until_ms, turn).await?;
        let mut ledger = match turn.as_ref() {
            Some(known) if known.rev > view.ledger.rev => known.clone(),
            _ => view.ledger.clone(),
        };
        for _ in 0..ATTEMPTS {
            // Read after the ledger. The condition on the ledger's number makes it valid until the
            // transaction: every order that starts or ends under a limit changes the number.
            let exposure = self.before_sending(until_ms, self.exposure(request)).await?;
            let now_us = self.clock().now_us();
            let exchange = self.exchange();
            let next = policy::check(policy, &ledger, exposure.as_ref(), priced, exchange, now_us)
                .map_err(|refusal| self.refused(refusal))?;
            let reserving = make(next.nonce)?;
            // The reservations outlast the bytes, and then the time for which reads can lag.
            let submissions = reserving.iter().filter_map(|it| it.record.unresolved());
            let final_at_ms = submissions.map(|it| it.final_at_ms).max();
            let final_at_ms = final_at_ms.ok_or(TradeError::DamagedOrder("no bytes"))?;
            let next = next.reserved_until(final_at_ms.saturating_add(READ_LAG_MS));
            let (policy_read_at_ms, now_ms) = (view.read_at_ms, now_us / 1_000);
            let next = match request.refused_builder {
                Some(agent) => next.with_builder_refused(agent, now_ms),
                None => next,
            };
            let time = ReserveTime { policy_read_at_ms, now_ms };
            match self.store.reserve(account, &reserving, &next, time).await {
                Ok(()) => {
                    *turn = Some(next);
                    return Ok(reserving);
                }
                Err(ReserveLost::Orders(_)) => return Err(NotReserved::Orders),
                Err(ReserveLost::Policy) => return Err(NotReserved::Policy),
                Err(ReserveLost::Store(error)) => return Err(error.into()),
                Err(ReserveLost::Ledger(present)) => {
                    ledger = *present;
                    self.client.emit(Metric::LedgerRetries, 1);
                    let wait_ms =
                        WAIT_MS.start + self.client.jitter_ms(WAIT_MS.end - WAIT_MS.start);
                    self.clock().sleep_ms(wait_ms).await;
                }
            }
        }
        Err(TradeError::Contention.into())
    }

    /// Reads what the wallet has in the markets of a request, if a limit of positions is set.
    async fn exposure(&self, request: Request<'_>) -> Result<Option<Exposure>, TradeError> {
        let Request { account, policy, markets, asker, replaced, .. } = request;
        if policy.max_position_notional.is_none() {
            return Ok(None);
        }
        exposure(self.markets(&account.tenant), asker, markets, replaced).await.map(Some)
    }

    /// Refuses early, before a key is opened and before the exchange is asked.
    pub(super) fn precheck(
        &self,
        policy: &Policy,
        ledger: &Ledger,
        priced: &[Priced],
    ) -> Result<(), TradeError> {
        let checked = policy::precheck(policy, ledger, priced, self.now_ms());
        checked.map_err(|refusal| self.refused(refusal))
    }

    /// Returns the builder that orders carry under a policy, or refuses them.
    pub(super) fn allowed_builder(
        &self,
        policy: &Policy,
        builder: Option<Builder>,
        priced: &[Priced],
    ) -> Result<Option<Builder>, TradeError> {
        let allowed = policy::allowed_builder(policy, builder, priced);
        allowed.map_err(|refusal| self.refused(refusal))
    }

    fn refused(&self, refusal: PolicyRefusal) -> TradeError {
        let about = About::exchange(self.exchange()).because(refusal.rule.as_str());
        metrics::emit(self.clock(), about, &[(Metric::PolicyRefusals, 1)]);
        refusal.into()
    }
}
