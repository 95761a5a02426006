//! Orders about to be signed, and the records that they get.

use domain::builder::Builder;

use super::Batch;
use super::send::lease_until_ms;
use crate::orders::access::SigningKey;
use crate::orders::client::call::Unsigned;
use crate::orders::plan::{self, Planned, Signing};
use crate::orders::{TradeError, Trader};
use crate::store::{
    OrderRecord, OrderState, Reserving, Seen, SubmissionKind, TradingAccount, TradingView,
};
use crate::trading::order::Fingerprint;
use crate::trading::policy::Policy;

/// Orders about to be signed.
pub(super) struct Placement<'a> {
    account: &'a TradingAccount,
    view: &'a TradingView,
    unit: &'a Fingerprint,
    signings: Vec<(&'a Planned, Signing)>,
    /// The builder that they carry.
    pub(super) builder: Option<Builder>,
    is_limited: bool,
}

impl<'a> Placement<'a> {
    /// Chooses the generation of each order: the one after the record's, if there is one.
    pub(super) fn new(
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
        let unit = &batch.unit;
        Ok(Self { account, view, unit, signings, builder: None, is_limited })
    }

    /// Returns the call that places them, without a signature.
    pub(super) fn call(&self) -> Result<Unsigned, TradeError> {
        plan::call(self.account.exchange, &self.signings, self.builder)
    }

    /// Signs the orders with a nonce, and returns the records to store.
    pub(super) fn reserving(
        &self,
        trader: &Trader,
        nonce: u64,
        key: &SigningKey,
    ) -> Result<Vec<Reserving>, TradeError> {
        let Self { account, view, signings, .. } = self;
        let call = self.call()?;
        let ids: Vec<_> = signings.iter().map(|(order, _)| order.named.id.clone()).collect();
        let members = if ids.len() > 1 { ids.clone() } else { Vec::new() };
        let asker = (view.address(), key);
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
                whole: named.whole.is_some(),
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
