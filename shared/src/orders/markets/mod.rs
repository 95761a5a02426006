//! The markets of an exchange, cached in the process with a bounded age. Metadata may be a minute
//! (Hyperliquid) or five minutes (Aster) old, a price one second.

mod cache;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::Tenant;

use super::client::TradeClient;
use super::client::wire::Wire;
use super::{BrokenRule, TradeError};
use crate::exchanges::aster::trade::markets as aster;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::aster::trade::{Client as AsterClient, MARKET_WEIGHT};
use crate::exchanges::hyperliquid::trade::Client as HyperliquidClient;
use crate::exchanges::hyperliquid::trade::markets::{self as hyperliquid, Dex};
use crate::exchanges::trade::TradeCode;
use crate::store::StoredSymbol;
use crate::trading::decimal::Decimal;
use crate::trading::order::SymbolText;
use cache::{Age, Cache};

/// Metadata of Hyperliquid.
const HYPERLIQUID_AGE: Age = Age { fresh_ms: 60_000, usable_ms: 600_000 };

/// Metadata of Aster.
const ASTER_AGE: Age = Age { fresh_ms: 300_000, usable_ms: 600_000 };

/// Prices.
const PRICE_AGE: Age = Age { fresh_ms: 1_000, usable_ms: 1_000 };

/// A name that is not known is read again at most once in this time, in milliseconds, so that
/// unknown names do not spend the budget.
const UNKNOWN_EVERY_MS: u64 = 5_000;

/// Request weight of Hyperliquid's metadata.
const META_WEIGHT: u64 = 20;

/// Request weight of Hyperliquid's prices.
const MIDS_WEIGHT: u64 = 2;

/// Maximum number of DEXs and prices that a process remembers. An exchange has fewer.
const MAX_REMEMBERED: usize = 2_048;

/// A market of an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Market {
    /// A market of Aster.
    Aster(Box<aster::Market>),
    /// A market of Hyperliquid.
    Hyperliquid(hyperliquid::Market),
}

impl Market {
    /// Returns the exchange's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Aster(market) => &market.name,
            Self::Hyperliquid(market) => &market.name,
        }
    }

    /// Returns the form that is stored with an order.
    pub(super) fn stored(&self) -> StoredSymbol {
        let name = self.name().to_owned();
        match self {
            Self::Aster(_) => StoredSymbol { name, asset: None, dex: None },
            Self::Hyperliquid(market) => {
                StoredSymbol { name, asset: Some(market.asset), dex: Some(market.dex.clone()) }
            }
        }
    }
}

/// Caches by a name.
type Named<T> = Mutex<HashMap<String, Arc<Cache<T>>>>;

/// The markets of one exchange.
#[derive(Debug, Default)]
pub(super) struct MarketCache {
    aster: Cache<aster::Markets>,
    marks: Named<Decimal>,
    dexs: Cache<Vec<Dex>>,
    spots: Cache<hyperliquid::Markets>,
    perps: Named<hyperliquid::Markets>,
    mids: Named<HashMap<String, Decimal>>,
    /// When a name was unknown last, Unix milliseconds.
    unknown_ms: AtomicU64,
}

/// Returns the cache of a name.
fn named<T>(caches: &Named<T>, name: &str) -> Arc<Cache<T>> {
    let mut caches = caches.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = caches.get(name) {
        return known.clone();
    }
    if caches.len() >= MAX_REMEMBERED {
        caches.clear();
    }
    caches.entry(name.to_owned()).or_default().clone()
}

/// An exchange's markets, for one tenant's request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) client: &'a TradeClient,
    pub(super) cache: &'a MarketCache,
    pub(super) tenant: &'a Tenant,
}

impl Reading<'_> {
    /// Returns the market that a caller names. An unknown name is looked for again in fresh
    /// metadata, at most every five seconds.
    pub(super) async fn find(&self, symbol: &SymbolText) -> Result<Market, TradeError> {
        match self.find_within(symbol, true).await? {
            Ok(market) => Ok(market),
            Err(unknown) if unknown.code != TradeCode::MarketUnknown => Err(unknown.into()),
            Err(unknown) => {
                let now_ms = self.client.clock().now_ms();
                let last_ms = self.cache.unknown_ms.load(Ordering::Relaxed);
                if now_ms.checked_sub(last_ms).is_some_and(|age| age < UNKNOWN_EVERY_MS) {
                    return Err(unknown.into());
                }
                self.cache.unknown_ms.store(now_ms, Ordering::Relaxed);
                Ok(self.find_within(symbol, false).await??)
            }
        }
    }

    /// Finds a market. `may_be_old` allows cached metadata.
    async fn find_within(
        &self,
        symbol: &SymbolText,
        may_be_old: bool,
    ) -> Result<Result<Market, BrokenRule>, AskError> {
        let age = |age: Age| if may_be_old { age } else { Age { fresh_ms: 0, ..age } };
        match &self.client.wire {
            Wire::Aster(client) => {
                let markets = self.aster(client, age(ASTER_AGE)).await?;
                let found =
                    markets.find(symbol).cloned().map(|market| Market::Aster(Box::new(market)));
                Ok(found.map_err(|violation| BrokenRule {
                    index: 0,
                    code: violation.code,
                    symbol: symbol.to_string(),
                    limit: Some(violation.limit),
                    advice: violation.advice,
                }))
            }
            Wire::Hyperliquid(client) => {
                let age = age(HYPERLIQUID_AGE);
                let markets = self.hyperliquid(client, symbol.as_str(), age).await?;
                let found = markets.as_ref().and_then(|markets| markets.find(symbol.as_str()));
                Ok(found.cloned().map(Market::Hyperliquid).ok_or_else(|| unknown(symbol)))
            }
        }
    }

    async fn aster(&self, client: &AsterClient, age: Age) -> Result<Arc<aster::Markets>, AskError> {
        let read = self.client.ask(self.tenant, MARKET_WEIGHT, || {
            Box::pin(async move { Ok(client.markets().await?) })
        });
        self.cache.aster.get(self.client.clock(), age, read).await
    }

    /// Returns the markets among which a symbol can be: those of a DEX, the spot pairs, or the main
    /// DEX. `None` means that the DEX does not exist.
    async fn hyperliquid(
        &self,
        client: &HyperliquidClient,
        symbol: &str,
        age: Age,
    ) -> Result<Option<Arc<hyperliquid::Markets>>, AskError> {
        let clock = self.client.clock();
        if symbol.contains('/') || symbol.starts_with('@') {
            let read = self.client.ask(self.tenant, META_WEIGHT, || {
                Box::pin(async move { Ok(hyperliquid::Markets::new(client.spots().await?)) })
            });
            return self.cache.spots.get(clock, age, read).await.map(Some);
        }
        let dex = match hyperliquid::dex_of(symbol) {
            "" => Dex::main(),
            name => match self.dexs(client, age).await?.iter().find(|dex| dex.name == name) {
                Some(dex) => dex.clone(),
                None => return Ok(None),
            },
        };
        let (cache, dex) = (named(&self.cache.perps, &dex.name), &dex);
        let read = self.client.ask(self.tenant, META_WEIGHT, || {
            Box::pin(async move { Ok(hyperliquid::Markets::new(client.perps(dex).await?)) })
        });
        cache.get(clock, age, read).await.map(Some)
    }

    /// Returns Hyperliquid's DEXs, the main one first.
    pub(super) async fn all_dexs(
        &self,
        client: &HyperliquidClient,
    ) -> Result<Arc<Vec<Dex>>, AskError> {
        self.dexs(client, HYPERLIQUID_AGE).await
    }

    async fn dexs(&self, client: &HyperliquidClient, age: Age) -> Result<Arc<Vec<Dex>>, AskError> {
        let read = self
            .client
            .ask(self.tenant, META_WEIGHT, || Box::pin(async move { Ok(client.dexs().await?) }));
        self.cache.dexs.get(self.client.clock(), age, read).await
    }

    /// Returns the market's present price: the mark price on Aster, the middle of the book on
    /// Hyperliquid. `None` means that the market
    /// has no book.
    pub(super) async fn price(&self, market: &Market) -> Result<Option<Decimal>, AskError> {
        let clock = self.client.clock();
        match (&self.client.wire, market) {
            (Wire::Aster(client), Market::Aster(market)) => {
                let (cache, name) = (named(&self.cache.marks, &market.name), market.name.as_str());
                let read = self.client.ask(self.tenant, MARKET_WEIGHT, || {
                    Box::pin(async move { Ok(client.mark_price(name).await?) })
                });
                cache.get(clock, PRICE_AGE, read).await.map(|price| Some(*price))
            }
            (Wire::Hyperliquid(client), Market::Hyperliquid(market)) => {
                let (cache, dex) = (named(&self.cache.mids, &market.dex), market.dex.as_str());
                let read = self.client.ask(self.tenant, MIDS_WEIGHT, || {
                    Box::pin(async move { Ok(client.mids(dex).await?) })
                });
                let mids = cache.get(clock, PRICE_AGE, read).await?;
                Ok(mids.get(&market.name).copied())
            }
            _ => Ok(None),
        }
    }
}

fn unknown(symbol: &SymbolText) -> BrokenRule {
    BrokenRule {
        index: 0,
        code: TradeCode::MarketUnknown,
        symbol: symbol.to_string(),
        limit: None,
        advice:
            "Use the name of an open market of Hyperliquid, such as BTC, HYPE/USDC or dex:COIN."
                .to_owned(),
    }
}
