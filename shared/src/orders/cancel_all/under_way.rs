//! The wallet's own orders whose outcome is unknown when all orders of a market are cancelled: their
//! bytes can still arrive.

use domain::ids::Exchange;

use super::Signer;
use crate::exchanges::lighter::trade::VALID_MS as LIGHTER_VALID_MS;
use crate::orders::resolve::{Case, REQUEST_WAIT_MS, Resolution};
use crate::orders::{TradeError, Trader};
use crate::store::{OrderRecord, StoredSymbol, Submission, TradingAccount};
use crate::trading::ids::ClientOrderId;

/// Later than the end of every lease, in milliseconds.
const LEASES_END_MS: u64 = 60 * 60 * 1_000;

/// Number of looks at orders that another call works on, and the wait between two, in milliseconds.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS_MS: u64 = 500;

/// What a cancellation is about.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) signer: Signer<'a>,
    pub(super) market: &'a StoredSymbol,
    /// Orders that are signed later are not concerned, Unix milliseconds.
    pub(super) started_ms: u64,
    /// No question is begun after this time, Unix milliseconds.
    pub(super) until_ms: u64,
}

impl Trader {
    /// Resolves the wallet's own orders and changes in the market whose outcome is unknown. Returns
    /// those that stay unknown, and whether there were any.
    pub(super) async fn settle_under_way(
        &self,
        scope: Scope<'_>,
    ) -> Result<(Vec<ClientOrderId>, bool), TradeError> {
        let (mut open, mut was_open) = (Vec::new(), false);
        for look in 0..LOOKS {
            if look > 0 {
                self.clock().sleep_ms(BETWEEN_LOOKS_MS).await;
            }
            open = Vec::new();
            let mut is_worked_on = false;
            for records in self.under_way(scope).await? {
                was_open = true;
                let ids = records.iter().map(|record| record.client_order_id.clone());
                let ids: Vec<_> = ids.collect();
                let lease_until_ms = records.first().map_or(0, |lead| lead.lease_until_ms);
                let now_ms = self.now_ms();
                if now_ms >= scope.until_ms {
                    open.extend(ids);
                } else if now_ms < lease_until_ms {
                    is_worked_on = true;
                    open.extend(ids);
                } else if !self.settle_one(scope, records).await? {
                    open.extend(ids);
                }
            }
            if !is_worked_on || self.now_ms() >= scope.until_ms {
                break;
            }
        }
        Ok((open, was_open))
    }

    /// Returns the submissions under way that concern the market, each with the lead first.
    async fn under_way(&self, scope: Scope<'_>) -> Result<Vec<Vec<OrderRecord>>, TradeError> {
        let Scope { signer, market, started_ms, .. } = scope;
        let account = signer.account;
        let until_ms = self.now_ms().saturating_add(LEASES_END_MS);
        let keys = self.store.orders_under_way(account, until_ms).await?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let leads = self.store.orders_by_keys(account, &keys, self.clock()).await?;
        let mut submissions = Vec::new();
        for lead in leads {
            let is_earlier = lead
                .unresolved()
                .is_some_and(|submission| signed_at_ms(account, submission) <= started_ms);
            if !is_earlier {
                continue;
            }
            let records = self.submission_of(account, lead).await?;
            let concerns = |record: &OrderRecord| record.symbol.name == market.name;
            if records.iter().any(concerns) {
                submissions.push(records);
            }
        }
        Ok(submissions)
    }

    /// Tries once to find the outcome of a submission. Returns whether it is known.
    async fn settle_one(
        &self,
        scope: Scope<'_>,
        records: Vec<OrderRecord>,
    ) -> Result<bool, TradeError> {
        let Signer { account, view, .. } = scope.signer;
        let Some(records) = self.take_over(account, records).await? else { return Ok(false) };
        let (until_ms, max_wait_ms) = (scope.until_ms, REQUEST_WAIT_MS);
        let case = Case { account, view, records, until_ms, max_wait_ms };
        Ok(matches!(self.resolve(case).await?, Resolution::Known(_)))
    }
}

/// Returns when a submission was signed, Unix milliseconds.
const fn signed_at_ms(account: &TradingAccount, submission: &Submission) -> u64 {
    match account.exchange {
        Exchange::Aster => submission.nonce / 1_000,
        Exchange::Hyperliquid => submission.nonce,
        // The nonces of Lighter can run ahead of the time without a bound.
        Exchange::Lighter => submission.expires_at_ms.saturating_sub(LIGHTER_VALID_MS),
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Tenant;

    use super::*;
    use crate::exchanges::lighter::config::MAINNET;
    use crate::store::{SentMethod, SubmissionKind};
    use crate::trading::ids::lighter_account_id;

    const NOW_MS: u64 = 1_790_000_000_000;

    #[test]
    fn nonce_ahead_of_the_clock_is_not_the_signing_time() {
        let account = TradingAccount {
            tenant: Tenant::local(),
            wallet_id: lighter_account_id(MAINNET, 7),
            exchange: Exchange::Lighter,
        };
        let submission = Submission {
            kind: SubmissionKind::Place,
            agent: domain::eth::Address::ZERO,
            nonce: NOW_MS + 3_600_000,
            method: SentMethod::Post,
            path: String::new(),
            body: String::new(),
            expires_at_ms: NOW_MS + LIGHTER_VALID_MS,
            final_at_ms: NOW_MS + LIGHTER_VALID_MS,
            members: Vec::new(),
            fenced: false,
            hash: None,
            stated_hash: None,
        };
        assert_eq!(signed_at_ms(&account, &submission), NOW_MS);
    }
}
