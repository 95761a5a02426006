//! Pages of executions, the oldest first.
//!
//! A page always starts later than the one before it, so a caller that passes on `next_ms` reaches
//! the present. A page ends early when the time of the request ends.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::eth::Address;
use domain::ids::Tenant;

use super::TradeClient;
use super::account::{QUESTION_WEIGHT, not_offered};
use super::call::Asker;
use super::wire::Wire;
use crate::exchanges::LookupError;
use crate::exchanges::account::{Fill, FillPage};
use crate::exchanges::aster::trade::history::{MAX_TRADES, Window};
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::aster::trade::{Call, Client as AsterClient, Reader};
use crate::exchanges::hyperliquid::trade::Client as HyperliquidClient;
use crate::orders::TradeError;

/// Maximum number of windows, or of responses, that one page reads until it finds an execution.
const MAX_EMPTY: usize = 8;

/// Maximum number of questions for the executions of one millisecond. The response to the caller
/// stays below the 6 MB of a function.
const MAX_OF_MILLISECOND: usize = 10;

/// Who asks for executions, and until when.
#[derive(Clone, Copy)]
pub(in crate::orders) struct Asking<'a> {
    pub(in crate::orders) tenant: &'a Tenant,
    pub(in crate::orders) asker: Asker<'a>,
    /// No question lasts longer, Unix milliseconds.
    pub(in crate::orders) until_ms: u64,
}

/// A market of Aster whose executions are read.
#[derive(Clone, Copy)]
struct Scan<'a> {
    client: &'a AsterClient,
    tenant: &'a Tenant,
    reader: Reader<'a>,
    symbol: &'a str,
    until_ms: u64,
}

impl TradeClient {
    /// Reads a page of executions, the oldest first. Aster lists those of one market.
    ///
    /// # Errors
    /// Fails when nothing was read. What was read before a failure is a page.
    pub(in crate::orders) async fn fills(
        &self,
        asking: Asking<'_>,
        symbol: Option<&str>,
        from_ms: u64,
    ) -> Result<FillPage, TradeError> {
        let Asking { tenant, asker, until_ms } = asking;
        match &self.wire {
            Wire::Aster(client) => {
                let symbol = symbol.ok_or_else(|| {
                    not_offered("Aster lists the executions of one market at a time")
                })?;
                let reader = asker.reader()?;
                let scan = Scan { client, tenant, reader, symbol, until_ms };
                self.aster_fills(scan, from_ms).await
            }
            Wire::Hyperliquid(client) => {
                self.hyperliquid_fills(client, asking, symbol, from_ms).await
            }
            Wire::Lighter(_) => Err(not_offered("executions are not read from Lighter").into()),
        }
    }

    /// Asks a question, and stops waiting for the response at `until_ms`, Unix milliseconds.
    async fn ask_until<T>(
        &self,
        until_ms: u64,
        asking: impl Future<Output = Result<T, AskError>> + Send,
    ) -> Result<T, TradeError> {
        let left_ms = until_ms.saturating_sub(self.clock().now_ms());
        if left_ms == 0 {
            return Err(TradeError::OutOfTime);
        }
        let asked = tokio::time::timeout(Duration::from_millis(left_ms), asking).await;
        Ok(asked.map_err(|_| TradeError::OutOfTime)??)
    }

    /// Follows the responses until one has executions of the market. A millisecond with more
    /// executions than a response holds loses the others, because Hyperliquid pages by time only.
    async fn hyperliquid_fills(
        &self,
        client: &HyperliquidClient,
        asking: Asking<'_>,
        symbol: Option<&str>,
        from_ms: u64,
    ) -> Result<FillPage, TradeError> {
        let Asking { tenant, asker: Asker { wallet, .. }, until_ms } = asking;
        let mut start_ms = from_ms;
        for _ in 0..MAX_EMPTY {
            let page = self.ask_until(until_ms, self.fills_from(client, tenant, wallet, start_ms));
            let FillPage { mut fills, next_ms } = match page.await {
                Err(error) if start_ms > from_ms => {
                    tracing::info!(%error, "a page of executions ends early");
                    break;
                }
                page => page?,
            };
            self.take_for(tenant, fills.len()).await;
            fills.retain(|fill| symbol.is_none_or(|symbol| fill.symbol == symbol));
            match next_ms {
                Some(next_ms) if fills.is_empty() => start_ms = next_ms,
                _ => return Ok(FillPage { fills, next_ms }),
            }
        }
        Ok(FillPage { fills: Vec::new(), next_ms: Some(start_ms) })
    }

    async fn fills_from(
        &self,
        client: &HyperliquidClient,
        tenant: &Tenant,
        wallet: Address,
        from_ms: u64,
    ) -> Result<FillPage, AskError> {
        let asked = self.ask(tenant, QUESTION_WEIGHT, || {
            Box::pin(async move { Ok(client.fills(wallet, from_ms).await?) })
        });
        asked.await
    }

    /// Reads windows of up to seven days until one has executions.
    async fn aster_fills(&self, scan: Scan<'_>, from_ms: u64) -> Result<FillPage, TradeError> {
        let skew_ms = scan.client.skew_ms();
        let now_ms = self.clock().now_ms().saturating_add_signed(skew_ms.saturating_neg());
        let mut start_ms = from_ms;
        for _ in 0..MAX_EMPTY {
            let read = self.aster_window(scan, Window::starting(start_ms, now_ms)).await;
            let (window, fills) = match read {
                // The windows before are known to be empty.
                Err(error) if start_ms > from_ms => {
                    tracing::info!(%error, "a page of executions ends early");
                    break;
                }
                read => read?,
            };
            let page = window.page(fills, now_ms);
            match page.next_ms {
                Some(next_ms) if page.fills.is_empty() => start_ms = next_ms,
                _ => return Ok(page),
            }
        }
        Ok(FillPage { fills: Vec::new(), next_ms: Some(start_ms) })
    }

    /// Reads the executions of a window. A window with more executions than a response holds is
    /// shortened, because the exchange does not document which it leaves out. Seven days become a
    /// millisecond in 31 steps at most.
    async fn aster_window(
        &self,
        scan: Scan<'_>,
        mut window: Window,
    ) -> Result<(Window, Vec<Fill>), TradeError> {
        let mut is_first = true;
        loop {
            let Scan { client, tenant, reader, symbol, until_ms } = scan;
            let asked = self.ask(tenant, Call::Trades.weight(), || {
                Box::pin(client.trades(reader, symbol, window))
            });
            let trades = self.ask_until(until_ms, asked).await?;
            if trades.len() < MAX_TRADES {
                return Ok((window, trades));
            }
            match window.shortened(&trades, is_first) {
                Some(shorter) => (window, is_first) = (shorter, false),
                None => return Ok((window, self.aster_millisecond(scan, window, trades).await?)),
            }
        }
    }

    /// Reads the executions of a millisecond that has more than a response holds: by their ids, from
    /// the listed ones upwards and downwards, because either may be missing.
    async fn aster_millisecond(
        &self,
        scan: Scan<'_>,
        window: Window,
        listed: Vec<Fill>,
    ) -> Result<Vec<Fill>, TradeError> {
        let page_ids = u64::try_from(MAX_TRADES).unwrap_or(u64::MAX);
        let mut found: BTreeMap<u64, Fill> =
            listed.into_iter().map(|fill| (fill.id, fill)).collect();
        let mut is_upwards = true;
        for _ in 0..MAX_OF_MILLISECOND {
            let ends = (found.first_key_value(), found.last_key_value());
            let (Some((&first, _)), Some((&last, _))) = ends else { break };
            let from_id =
                if is_upwards { last.saturating_add(1) } else { first.saturating_sub(page_ids) };
            let Scan { client, tenant, reader, symbol, until_ms } = scan;
            let asked = self.ask(tenant, Call::Trades.weight(), || {
                Box::pin(client.trades_from(reader, symbol, from_id))
            });
            let page = self.ask_until(until_ms, asked).await?;
            let is_full = page.len() >= MAX_TRADES;
            let known = found.len();
            let is_within = |fill: &Fill| fill.at_ms == window.from_ms;
            let is_later = page.iter().any(|fill| fill.at_ms > window.from_ms);
            found.extend(page.into_iter().filter(is_within).map(|fill| (fill.id, fill)));
            if is_upwards {
                is_upwards = is_full && !is_later;
            } else if found.len() == known || from_id == 0 {
                return Ok(found.into_values().collect());
            }
        }
        let what = "a millisecond with too many executions";
        Err(LookupError::Unreadable { what, status: 200 }.into())
    }
}
