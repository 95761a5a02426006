//! The markets: perpetuals, spot pairs and the markets of other DEXs (HIP-3), with their ids, names
//! and rules. Sources: the asset ids, tick and lot size documents, and the official Python SDK.

use std::collections::HashMap;

use serde::Deserialize;

use crate::exchanges::LookupError;
use crate::exchanges::http::Answer;
use crate::trading::decimal::Decimal;

/// First id of the spot pairs.
const FIRST_SPOT: u32 = 10_000;

/// First id of the markets of other DEXs.
const FIRST_OTHER_DEX: u32 = 100_000;

/// Number of ids of each DEX.
const IDS_OF_DEX: u32 = 10_000;

/// A DEX of perpetuals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dex {
    /// The place in `perpDexs`; 0 is the main DEX.
    pub place: u32,
    /// The name; empty for the main DEX.
    pub name: String,
}

impl Dex {
    /// Returns the main DEX.
    #[must_use]
    pub const fn main() -> Self {
        Self { place: 0, name: String::new() }
    }
}

/// A market.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Market {
    /// The exchange's name: `BTC`, `dex:COIN`, `PURR/USDC` or `@107`. Orders, books and mids use it.
    pub name: String,
    /// The pair of a spot market: `HYPE/USDC`.
    pub pair: Option<String>,
    /// The name of the DEX; empty for the main one and for spot pairs.
    pub dex: String,
    /// The id.
    pub asset: u32,
    /// Maximum number of decimal places of a size.
    pub size_places: u8,
    /// Maximum number of decimal places of a price.
    pub price_places: u8,
    /// The index of the token that quotes a spot pair or settles a DEX; 0 is USDC.
    pub quote: u32,
}

impl Market {
    /// Returns whether this is a spot pair.
    #[must_use]
    pub const fn is_spot(&self) -> bool {
        self.pair.is_some()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    universe: Vec<PerpEntry>,
    #[serde(default)]
    collateral_token: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PerpEntry {
    name: String,
    sz_decimals: u8,
    #[serde(default)]
    is_delisted: bool,
}

#[derive(Deserialize)]
struct SpotMeta {
    universe: Vec<SpotEntry>,
    tokens: Vec<Token>,
}

#[derive(Deserialize)]
struct SpotEntry {
    name: String,
    tokens: Vec<u32>,
    index: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    name: String,
    index: u32,
    sz_decimals: u8,
}

#[derive(Deserialize)]
struct DexEntry {
    name: String,
}

/// Reads `perpDexs`: the DEXs, the main one first.
///
/// # Errors
/// Fails when the response is not a list of DEXs.
pub fn dexs(answer: &Answer) -> Result<Vec<Dex>, LookupError> {
    let entries: Vec<Option<DexEntry>> = parsed("perpDexs", answer)?;
    // The first element is null and means the main DEX.
    let others = (0..).zip(entries).skip(1).filter_map(|(place, entry)| {
        let name = entry?.name;
        (!name.is_empty() && !name.contains(':')).then_some(Dex { place, name })
    });
    Ok(std::iter::once(Dex::main()).chain(others).collect())
}

/// Reads `meta` of a DEX: its markets that trade. An entry whose id or name would be another
/// market's is left out.
///
/// # Errors
/// Fails when the response is not a list of markets.
pub fn perps(dex: &Dex, answer: &Answer) -> Result<Vec<Market>, LookupError> {
    let meta: Meta = parsed("meta", answer)?;
    let first = match dex.place {
        0 => Some(0),
        place => place.checked_mul(IDS_OF_DEX).and_then(|ids| ids.checked_add(FIRST_OTHER_DEX)),
    };
    let markets = (0..IDS_OF_DEX).zip(meta.universe).filter_map(|(index, entry)| {
        let is_of_dex = match entry.name.split_once(':') {
            Some((prefix, coin)) => prefix == dex.name && !coin.is_empty(),
            None => dex.name.is_empty() && !entry.name.is_empty(),
        };
        let market = Market {
            price_places: 6_u8.checked_sub(entry.sz_decimals)?,
            size_places: entry.sz_decimals,
            asset: first?.checked_add(index)?,
            dex: dex.name.clone(),
            pair: None,
            quote: meta.collateral_token,
            name: entry.name,
        };
        (is_of_dex && !entry.is_delisted).then_some(market)
    });
    Ok(markets.collect())
}

/// Reads `spotMeta`: the spot pairs.
///
/// # Errors
/// Fails when the response is not a list of pairs.
pub fn spots(answer: &Answer) -> Result<Vec<Market>, LookupError> {
    let meta: SpotMeta = parsed("spotMeta", answer)?;
    let tokens: HashMap<u32, &Token> =
        meta.tokens.iter().map(|token| (token.index, token)).collect();
    let pairs = meta.universe.into_iter().filter_map(|entry| {
        let &[base, quote] = entry.tokens.as_slice() else { return None };
        let (base, quote) = (tokens.get(&base)?, tokens.get(&quote)?);
        let is_in_range = entry.index < FIRST_OTHER_DEX - FIRST_SPOT;
        let market = Market {
            pair: Some(format!("{}/{}", base.name, quote.name)),
            dex: String::new(),
            asset: FIRST_SPOT.checked_add(entry.index)?,
            size_places: base.sz_decimals,
            price_places: 8_u8.checked_sub(base.sz_decimals)?,
            quote: quote.index,
            name: entry.name,
        };
        let is_spot = market.name.starts_with('@') || market.name.contains('/');
        (is_in_range && is_spot).then_some(market)
    });
    Ok(pairs.collect())
}

/// Reads `allMids`: the middle of each book. A market without a book has no entry.
///
/// # Errors
/// Fails when the response is not a map of prices.
pub fn mids(answer: &Answer) -> Result<HashMap<String, Decimal>, LookupError> {
    let mids: HashMap<String, String> = parsed("allMids", answer)?;
    let mids = mids.into_iter().filter_map(|(coin, mid)| Some((coin, Decimal::parse(&mid).ok()?)));
    Ok(mids.filter(|(_, mid)| !mid.is_zero()).collect())
}

/// Parses the body of a response of `/info`.
pub(super) fn parsed<T: for<'a> Deserialize<'a>>(
    what: &'static str,
    answer: &Answer,
) -> Result<T, LookupError> {
    let body = (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok());
    body.flatten().ok_or_else(|| LookupError::unreadable(what, answer))
}

/// All known markets, by name.
#[derive(Clone, Debug, Default)]
pub struct Markets {
    all: Vec<Market>,
    exact: HashMap<String, Named>,
    folded: HashMap<String, Named>,
}

/// The market of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Named {
    One(usize),
    /// More than one market has the name, so it names none.
    Several,
}

impl Markets {
    /// Makes the index of these markets.
    #[must_use]
    pub fn new(all: Vec<Market>) -> Self {
        let mut markets = Self::default();
        for (index, market) in all.iter().enumerate() {
            let mut names = vec![market.name.as_str()];
            names.extend(market.pair.as_deref().filter(|pair| *pair != market.name));
            for name in names {
                add(&mut markets.exact, name.to_owned(), index);
                add(&mut markets.folded, name.to_ascii_lowercase(), index);
            }
        }
        Self { all, ..markets }
    }

    /// Returns the market that a caller names: by the exchange's name, then without the endings
    /// that other exchanges use (`BTC-PERP`, `BTCUSDT`, `BTC-USD`). The letter case matters only
    /// where it tells markets apart. `None` means an unknown or ambiguous name.
    #[must_use]
    pub fn find(&self, symbol: &str) -> Option<&Market> {
        let names = spellings(symbol);
        let exact = names.iter().find_map(|name| self.exact.get(*name));
        let folded = || names.iter().find_map(|name| self.folded.get(&name.to_ascii_lowercase()));
        match exact.or_else(folded)? {
            Named::One(index) => self.all.get(*index),
            Named::Several => None,
        }
    }

    /// Returns the market of the exchange's name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Market> {
        match self.exact.get(name)? {
            Named::One(index) => self.all.get(*index).filter(|market| market.name == name),
            Named::Several => None,
        }
    }
}

fn add(names: &mut HashMap<String, Named>, name: String, index: usize) {
    names
        .entry(name)
        .and_modify(|known| {
            if *known != Named::One(index) {
                *known = Named::Several;
            }
        })
        .or_insert(Named::One(index));
}

/// Returns the DEX that a symbol names; the empty name is the main DEX.
#[must_use]
pub fn dex_of(symbol: &str) -> &str {
    symbol.split_once(':').map_or("", |(dex, _)| dex)
}

/// Returns the spellings of a symbol, the one as given first.
fn spellings(symbol: &str) -> Vec<&str> {
    let mut names = vec![symbol];
    let without_perp = strip_ignoring_case(symbol, "-PERP");
    names.extend(without_perp);
    let symbol = without_perp.unwrap_or(symbol);
    for ending in ["USDT", "USDC", "-USD"] {
        if let Some(name) = strip_ignoring_case(symbol, ending) {
            names.push(name.strip_suffix('-').unwrap_or(name));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn strip_ignoring_case<'a>(text: &'a str, ending: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(ending.len())?;
    let tail = text.get(at..)?;
    tail.eq_ignore_ascii_case(ending).then(|| text.get(..at)).flatten()
}

#[cfg(test)]
mod tests;
