//! The names of an order: the caller's `clientOrderId`, the key of its record, and the id that the
//! exchange receives. All of them follow from the first.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, digest};
use domain::ids::{Exchange, IdError, Tenant};
use domain::random::{Random, RandomError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The first byte of each id that the service gives to an exchange.
const MARK: u8 = 0x48;

/// Number of days after which the day in an id repeats: about 45 years.
const DAYS: u64 = 1 << 14;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Number of letters of a hash in an id.
const HASH_LETTERS: usize = 26;

/// The start of the id of an order that someone else placed.
const OF_OTHERS: &str = "hdo-";

/// A caller's id of an order: `[A-Za-z0-9._-]{1,36}` with at least one non-digit, because an
/// exchange's own ids are numbers. Unique for a tenant, a wallet and an exchange.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientOrderId(String);

impl ClientOrderId {
    /// Derives the id from an `Idempotency-Key`. `place` is the order's index in a batch of more
    /// than one.
    #[must_use]
    pub fn of_idempotency_key(key: &str, place: Option<usize>) -> Self {
        let hash = digest(&SHA256, key.as_bytes());
        let mut id = format!("ik-{}", base32(hash.as_ref()));
        if let Some(place) = place {
            id.push_str(&format!("-{place}"));
        }
        Self(id)
    }

    /// Derives the id of one order of a request with this id that closes all positions. `request` is
    /// the random value of the request, `market` the exchange's name of the market, and `side` the
    /// side of the position.
    #[must_use]
    pub fn of_closing(&self, request: Uuid, market: &str, side: &str) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(request.as_bytes());
        for part in [self.as_str(), market, side] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(format!("ca-{}", base32(hash.finish().as_ref())))
    }

    /// Draws an id.
    ///
    /// # Errors
    /// Fails when the random number generator fails.
    pub fn draw(random: &Random) -> Result<Self, RandomError> {
        let bytes: [u8; 17] = random.bytes()?;
        Ok(Self(format!("hdx-{}", base32(&bytes))))
    }

    /// Derives the id of an order that someone else placed, from the exchange's id. The exchange's
    /// ids are unique within `market`, which is empty if they are unique in all markets.
    #[must_use]
    pub fn of_exchange_order(market: &str, order_id: u64) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(b"exchange-order-1");
        hash.update(&order_id.to_be_bytes());
        hash.update(market.as_bytes());
        Self(format!("{OF_OTHERS}{}", base32(hash.finish().as_ref())))
    }

    /// Returns whether a caller cannot choose this id for an order: it has the form of an id at an
    /// exchange, under which a path names another order, or of the id of an order that someone else
    /// placed.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        let is_exchange_id =
            |exchange| ExchangeOrderId::parse(exchange, &self.0.to_ascii_lowercase()).is_some();
        Self::is_of_others(&self.0) || Exchange::ALL.into_iter().any(is_exchange_id)
    }

    /// Returns whether a text has the form of [`ClientOrderId::of_exchange_order`].
    #[must_use]
    pub fn is_of_others(text: &str) -> bool {
        let is_letter = |byte: u8| LETTERS.contains(&byte);
        text.strip_prefix(OF_OTHERS)
            .is_some_and(|letters| letters.len() == HASH_LETTERS && letters.bytes().all(is_letter))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the first 130 bits as 26 letters and digits. `bytes` has at least 17 bytes.
fn base32(bytes: &[u8]) -> String {
    let bit = |place: usize| usize::from((bytes[place / 8] >> (7 - place % 8)) & 1);
    let letter = |index: usize| (0..5).fold(0, |value, place| value * 2 + bit(index * 5 + place));
    (0..HASH_LETTERS).map(|index| char::from(LETTERS[letter(index)])).collect()
}

impl FromStr for ClientOrderId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ClientOrderId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=36).contains(&text.len())
            && text.bytes().all(is_plain)
            && !text.bytes().all(|byte| byte.is_ascii_digit());
        let expected = "clientOrderId must be 1 to 36 characters of A-Z a-z 0-9 . _ -, and not \
                        only digits";
        if fits { Ok(Self(text)) } else { Err(IdError::new(expected)) }
    }
}

impl From<ClientOrderId> for String {
    fn from(id: ClientOrderId) -> Self {
        id.0
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the id that takes the place of a wallet's for an account of Lighter. `network` is the
/// exchange's chain id.
#[must_use]
pub fn lighter_account_id(network: u32, account_index: u64) -> Uuid {
    let mut hash = Context::new(&SHA256);
    hash.update(b"lighter-account-1");
    hash.update(&network.to_be_bytes());
    hash.update(&account_index.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finish().as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A caller's reference to an order in a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OrderName {
    /// The exchange's own id: digits only.
    Exchange(u64),
    /// The caller's id, or an id that someone else gave to the exchange.
    Client(ClientOrderId),
}

impl FromStr for OrderName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let expected = "orderId must be a number below 2^64 or a clientOrderId";
            return text.parse().map(Self::Exchange).map_err(|_| IdError::new(expected));
        }
        text.parse().map(Self::Client)
    }
}

/// The key of an order's record: the first 96 bits of a hash of everything that names the order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey([u8; 12]);

impl OrderKey {
    /// Derives the key.
    #[must_use]
    pub fn new(tenant: &Tenant, wallet_id: Uuid, exchange: Exchange, id: &ClientOrderId) -> Self {
        let mut hash = Context::new(&SHA256);
        for part in [
            b"order-id-1".as_slice(),
            tenant.as_str().as_bytes(),
            wallet_id.as_bytes(),
            exchange.as_str().as_bytes(),
            id.as_str().as_bytes(),
        ] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 12];
        key.copy_from_slice(&hash.finish().as_ref()[..12]);
        match exchange {
            Exchange::Aster | Exchange::Hyperliquid => Self(key),
            Exchange::Lighter => Self(key).cut(),
        }
    }

    /// Returns the part of the key that an id at Lighter has room for: the first 46 bits. Two orders of
    /// an account with the same one are told apart by their `clientOrderId`, and the later one fails.
    fn cut(self) -> Self {
        let mut key = [0; 12];
        key[..6].copy_from_slice(&self.0[..6]);
        key[5] &= !LEG_MASK;
        Self(key)
    }

    /// Returns 24 hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Parses 24 hex digits.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        let mut key = [0; 12];
        hex::decode_to_slice(digits, &mut key).ok()?;
        Some(Self(key))
    }

    /// Returns the first byte. It spreads the keys evenly over shards.
    #[must_use]
    pub const fn first_byte(&self) -> u8 {
        self.0[0]
    }
}

impl fmt::Debug for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// The part of an order with attached orders.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Leg {
    /// The order itself.
    Entry,
    /// Its take profit.
    TakeProfit,
    /// Its stop loss.
    StopLoss,
}

impl Leg {
    const ALL: [Self; 3] = [Self::Entry, Self::TakeProfit, Self::StopLoss];

    /// Returns the last two bits of an id at Lighter, of which none is zero.
    const fn number(self) -> u8 {
        match self {
            Self::Entry => 1,
            Self::TakeProfit => 2,
            Self::StopLoss => 3,
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::Entry => 0,
            Self::TakeProfit => 1,
            Self::StopLoss => 2,
        }
    }
}

/// The last two bits of a byte.
const LEG_MASK: u8 = 0b11;

/// The id that an exchange receives: 16 bytes, which name the record's key, the signature's
/// generation, the part of the order, and the day on which the record was made.
///
/// Lighter's has 48 bits: the record's key and the part of the order. There the hash of a transaction
/// names a signature, so the generation and the day are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExchangeOrderId {
    /// The key of the order's record.
    pub key: OrderKey,
    /// Number of the signature. Each new signature has the next one, so that a lookup finds exactly
    /// the bytes that it asks for.
    pub generation: u8,
    /// The part of the order.
    pub leg: Leg,
    /// Day of the record's creation since 1970, modulo 2^14. It separates an id that is used again
    /// after its record expired.
    day: u16,
}

impl ExchangeOrderId {
    /// Makes the id of an order whose record was created at this time.
    #[must_use]
    pub fn new(key: OrderKey, generation: u8, leg: Leg, created_at_ms: u64) -> Self {
        let day = u16::try_from(created_at_ms / DAY_MS % DAYS).unwrap_or_default();
        Self { key, generation, leg, day }
    }

    /// Makes the id of an order on Lighter.
    #[must_use]
    pub const fn of_lighter(key: OrderKey, leg: Leg) -> Self {
        Self { key, generation: 0, leg, day: 0 }
    }

    /// Returns the number that Lighter receives: 1 to 2^48 − 1.
    #[must_use]
    pub fn lighter_index(&self) -> u64 {
        let [first, second, third, fourth, fifth, sixth, ..] = self.key.cut().0;
        let last = sixth | self.leg.number();
        u64::from_be_bytes([0, 0, first, second, third, fourth, fifth, last])
    }

    fn of_index(text: &str) -> Option<Self> {
        let index: u64 = text.parse().ok().filter(|index| *index < 1 << 48)?;
        let [_, _, head @ .., last] = index.to_be_bytes();
        let leg = Leg::ALL.into_iter().find(|leg| leg.number() == last & LEG_MASK)?;
        let mut key = [0; 12];
        key[..5].copy_from_slice(&head);
        key[5] = last & !LEG_MASK;
        Some(Self::of_lighter(OrderKey(key), leg))
    }

    fn digits(&self) -> String {
        let [high, low] = ((self.leg.bits() << 14) | self.day).to_be_bytes();
        let head = [MARK, self.generation, high, low];
        format!("{}{}", hex::encode(head), self.key.to_hex())
    }

    /// Returns the text that the exchange receives: with `0x` on Hyperliquid (`cloid`), with `hd` on
    /// Aster, so that nothing needs encoding, and a number on Lighter.
    #[must_use]
    pub fn text(&self, exchange: Exchange) -> String {
        match exchange {
            Exchange::Aster => format!("hd{}", self.digits()),
            Exchange::Hyperliquid => format!("0x{}", self.digits()),
            Exchange::Lighter => self.lighter_index().to_string(),
        }
    }

    /// Parses an id that the exchange returned. `None` means that the service did not make it.
    #[must_use]
    pub fn parse(exchange: Exchange, text: &str) -> Option<Self> {
        let digits = match exchange {
            Exchange::Aster => text.strip_prefix("hd")?,
            Exchange::Hyperliquid => text.strip_prefix("0x")?,
            Exchange::Lighter => return Self::of_index(text),
        };
        // An exchange returns an id as it was sent: in lower case.
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return None;
        }
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        let [mark, generation, high, low, key @ ..] = bytes;
        let packed = u16::from_be_bytes([high, low]);
        let leg = Leg::ALL.into_iter().find(|leg| leg.bits() == packed >> 14)?;
        let day = packed & 0x3fff;
        (mark == MARK).then_some(Self { key: OrderKey(key), generation, leg, day })
    }
}

#[cfg(test)]
mod tests;
