//! The markets of an exchange, cached in the process with a bounded age. Metadata may be a minute
//! (Hyperliquid) or five minutes (Aster, Lighter) old, a price one second, on Lighter five: there each
//! question takes a larger part of the budget.

mod cache;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::Tenant;

use super::client::TradeClient;
use super::client::wire::Wire;
use super::plan::of_violation;
use super::{BrokenRule, TradeError};
use crate::exchanges::aster::trade::markets as aster;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::aster::trade::{Client as AsterClient, MARKET_WEIGHT};
use crate::exchanges::hyperliquid::trade::Client as HyperliquidClient;
use crate::exchanges::hyperliquid::trade::account::USDC_INDEX;
use crate::exchanges::hyperliquid::trade::markets::{self as hyperliquid, Dex};
use crate::exchanges::lighter::profile::Request;
use crate::exchanges::lighter::trade::book::Best;
use crate::exchanges::lighter::trade::markets as lighter;
use crate::exchanges::trade::TradeCode;
use crate::store::StoredSymbol;
use crate::trading::decimal::Decimal;
use crate::trading::dollar::is_dollar;
use crate::trading::order::{Side, SymbolText};
use cache::{Age, Cache};

/// Metadata of Hyperliquid.
const HYPERLIQUID_AGE: Age = Age { fresh_ms: 60_000, usable_ms: 600_000 };

/// Metadata of Aster.
const ASTER_AGE: Age = Age { fresh_ms: 300_000, usable_ms: 600_000 };

/// Metadata of Lighter.
const LIGHTER_AGE: Age = Age { fresh_ms: 300_000, usable_ms: 600_000 };

/// Prices of Lighter.
const LIGHTER_PRICE_AGE: Age = Age { fresh_ms: 5_000, usable_ms: 5_000 };

/// Prices.
const PRICE_AGE: Age = Age { fresh_ms: 1_000, usable_ms: 1_000 };

/// A name that is not in metadata of this age or older, in milliseconds, is looked for again in
/// metadata that is read for it. A new market is thus known after this time at the latest, and
/// unknown names cause at most one reading in it, for all tenants together.
const UNKNOWN_AGE_MS: u64 = 5_000;

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
    /// A market of Lighter.
    Lighter(Box<lighter::Market>),
}

impl Market {
    /// Returns the exchange's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Aster(market) => &market.name,
            Self::Hyperliquid(market) => &market.name,
            Self::Lighter(market) => &market.name,
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
            Self::Lighter(market) => {
                StoredSymbol { name, asset: Some(market.id.into()), dex: None }
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
    lighter: Cache<Arc<lighter::Markets>>,
    marks: Named<Decimal>,
    /// The best prices of Lighter's markets.
    books: Named<Best>,
    dexs: Cache<Vec<Dex>>,
    spots: Cache<hyperliquid::Markets>,
    perps: Named<hyperliquid::Markets>,
    mids: Named<HashMap<String, Decimal>>,
    /// The names of Hyperliquid's spot tokens by their index.
    tokens: Cache<HashMap<u32, String>>,
    /// The index of the token that settles each of Hyperliquid's DEXs.
    collaterals: Named<u32>,
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
    /// Returns the market that a caller names. A name that is not in cached metadata, or whose market
    /// is inactive there, is looked for in metadata that is at most five seconds old.
    pub(super) async fn find(&self, symbol: &SymbolText) -> Result<Market, TradeError> {
        match self.find_within(symbol, u64::MAX).await? {
            Err(unknown) if unknown.code == TradeCode::MarketUnknown => {
                Ok(self.find_within(symbol, UNKNOWN_AGE_MS).await??)
            }
            Ok(Market::Lighter(market)) if !market.is_active => {
                Ok(self.find_within(symbol, UNKNOWN_AGE_MS).await??)
            }
            found => Ok(found?),
        }
    }

    /// Finds a market in metadata that is at most `age_ms` old.
    async fn find_within(
        &self,
        symbol: &SymbolText,
        age_ms: u64,
    ) -> Result<Result<Market, BrokenRule>, AskError> {
        let age = |age: Age| Age { fresh_ms: age.fresh_ms.min(age_ms), ..age };
        match &self.client.wire {
            Wire::Aster(client) => {
                let markets = self.aster(client, age(ASTER_AGE)).await?;
                let found =
                    markets.find(symbol).cloned().map(|market| Market::Aster(Box::new(market)));
                Ok(found.map_err(|violation| of_violation(violation, symbol)))
            }
            Wire::Lighter(client) => {
                let read = self
                    .client
                    .ask_lighter(self.tenant, Request::Question, || Box::pin(client.markets()));
                let age = age(LIGHTER_AGE);
                let markets = self.cache.lighter.get(self.client.clock(), age, read).await?;
                let found = markets.find(symbol).cloned();
                let found = found.map(|market| Market::Lighter(Box::new(market)));
                Ok(found.map_err(|violation| of_violation(violation, symbol)))
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

    /// Returns whether a market's quote asset, or the token that settles it, is a dollar token.
    pub(super) async fn is_in_dollars(&self, market: &Market) -> Result<bool, AskError> {
        let (market, client) = match (&self.client.wire, market) {
            (_, Market::Aster(market)) => return Ok(market.is_in_dollars),
            // Perpetuals are settled in USDC.
            (_, Market::Lighter(market)) => {
                let quote = market.name.rsplit_once('/').map(|(_, quote)| quote);
                return Ok(quote.is_none_or(is_dollar));
            }
            (Wire::Hyperliquid(client), Market::Hyperliquid(market)) => (market, client),
            (_, Market::Hyperliquid(_)) => return Ok(false),
        };
        if let Some((_, quote)) = market.pair.as_deref().and_then(|pair| pair.rsplit_once('/')) {
            return Ok(is_dollar(quote));
        }
        if market.quote == USDC_INDEX {
            return Ok(true);
        }
        let tokens = self.tokens(client).await?;
        Ok(tokens.get(&market.quote).is_some_and(|token| is_dollar(token)))
    }

    /// Returns the names of Hyperliquid's spot tokens by their index.
    async fn tokens(
        &self,
        client: &HyperliquidClient,
    ) -> Result<Arc<HashMap<u32, String>>, AskError> {
        let read = self
            .client
            .ask(self.tenant, META_WEIGHT, || Box::pin(async move { Ok(client.tokens().await?) }));
        self.cache.tokens.get(self.client.clock(), HYPERLIQUID_AGE, read).await
    }

    /// Returns the name of the token that settles one of Hyperliquid's DEXs.
    pub(super) async fn settlement(
        &self,
        client: &HyperliquidClient,
        dex: &str,
    ) -> Result<String, AskError> {
        let cache = named(&self.cache.collaterals, dex);
        let read = self.client.ask(self.tenant, META_WEIGHT, || {
            Box::pin(async move { Ok(client.collateral(dex).await?) })
        });
        let index = *cache.get(self.client.clock(), HYPERLIQUID_AGE, read).await?;
        if index == USDC_INDEX {
            return Ok("USDC".to_owned());
        }
        let tokens = self.tokens(client).await?;
        Ok(tokens.get(&index).cloned().unwrap_or_else(|| format!("token {index}")))
    }

    /// Returns the price at which a market order executes first. On Lighter it comes from the book if the
    /// exchange states no mark price, because the last trade can be old. `None` as for
    /// [`Reading::price`].
    pub(super) async fn price_of_execution(
        &self,
        market: &Market,
        side: Side,
    ) -> Result<Option<Decimal>, AskError> {
        match (&self.client.wire, market) {
            (Wire::Lighter(client), Market::Lighter(market)) if !market.has_mark => {
                let (cache, id) = (named(&self.cache.books, &market.name), market.id);
                let read = self
                    .client
                    .ask_lighter(self.tenant, Request::Question, || Box::pin(client.best(id)));
                let best = cache.get(self.client.clock(), LIGHTER_PRICE_AGE, read).await?;
                Ok(best.opposite(side))
            }
            _ => self.price(market).await,
        }
    }

    /// Returns the market's present price: the mark price on Aster and Lighter, the middle of the book
    /// on Hyperliquid. `None` means that the market has no book.
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
            (Wire::Lighter(client), Market::Lighter(market)) => {
                let (cache, name) = (named(&self.cache.marks, &market.name), market.name.as_str());
                let id = market.id;
                let read = self.client.ask_lighter(self.tenant, Request::Question, || {
                    Box::pin(async move { client.price(id, name).await })
                });
                match cache.get(clock, LIGHTER_PRICE_AGE, read).await {
                    Ok(price) => Ok(Some(*price)),
                    Err(AskError::Refused(refusal)) if refusal.code == TradeCode::NoLiquidity => {
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
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
