//! Interprets Hyperliquid's responses to questions about money and to payments.

use domain::eth::Address;
use serde::Deserialize;
use serde_json::Value;

use super::WithdrawalRoute;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{Sent, TradeCode, TradeRefusal, Unresolved, shown, shown_hash};
use crate::exchanges::{LookupError, Unclear};
use crate::trading::decimal::Decimal;

/// Default wait, in seconds, when a response does not state one.
const RETRY_AFTER_S: u64 = 10;

/// The nonce was used: an earlier request with these bytes has arrived.
const NONCE_USED: &str = "Invalid nonce: duplicate nonce";

/// The start of the text about a nonce below those that the exchange keeps. Bytes with it can no longer
/// execute; whether they did before is in the ledger.
const NONCE_TOO_LOW: &str = "Invalid nonce: nonce too low";

/// HTTP 422 in plain text: the request's form was invalid, and it was not processed.
const MALFORMED: &str = "Failed to deserialize";

/// The closed list of refusals of a payment: the start of the text, and its meaning. Any other text
/// leaves the outcome unknown, and the ledger decides.
pub const PAYMENT_TEXTS: &[(&str, TradeCode)] = &[
    ("Insufficient balance for withdrawal", TradeCode::InsufficientFunds),
    ("Insufficient balance for token transfer", TradeCode::InsufficientFunds),
    ("Insufficient USDC or HYPE balance for token transfer gas", TradeCode::InsufficientFunds),
    ("Insufficient", TradeCode::InsufficientFunds),
    ("Action disabled when unified account is active", TradeCode::NotOffered),
    ("Unified account only supports sending assets through spot", TradeCode::NotOffered),
    ("Invalid send", TradeCode::OrderRejected),
    ("Must deposit before performing actions", TradeCode::DepositRequired),
    (NONCE_TOO_LOW, TradeCode::NonceTooLow),
    ("Unable to recover signer", TradeCode::SignatureFault),
    ("Too many cumulative requests", TradeCode::RateLimited { retry_after_s: RETRY_AFTER_S }),
];

/// What the exchange states before a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreTransfer {
    /// The fee that activates the destination, in the sent token; zero for an account that exists.
    pub fee: Decimal,
    /// Whether the exchange refuses the destination.
    pub is_sanctioned: bool,
    /// Whether the destination has an account.
    pub exists: bool,
}

/// An entry of the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerEntry {
    /// The hash of the transaction on the exchange's own chain.
    pub hash: String,
    /// What it is.
    pub kind: LedgerKind,
    /// The nonce of the payment, if the entry has one.
    pub nonce: Option<u64>,
    /// The sender, if the entry has one. The ledger also lists what others send to the wallet.
    pub sender: Option<Address>,
    /// The receiver, if the entry has one.
    pub destination: Option<Address>,
    /// The fee in the sent token.
    pub fee: Option<Decimal>,
    /// When, Unix milliseconds.
    pub at_ms: u64,
}

/// The kind of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LedgerKind {
    /// Money came in.
    Deposit,
    /// A withdrawal by the legacy bridge.
    Withdraw,
    /// A transfer of a token.
    Send,
    /// Anything else.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Routing {
    withdrawal_route: String,
}

pub(super) fn withdrawal_route(answer: &Answer) -> Result<WithdrawalRoute, LookupError> {
    const WHAT: &str = "usdcRouting";
    let routing: Routing = parsed(WHAT, answer)?;
    match routing.withdrawal_route.as_str() {
        "bridge" => Ok(WithdrawalRoute::Bridge),
        "cctp" => Ok(WithdrawalRoute::Cctp),
        _ => Err(LookupError::unreadable(WHAT, answer)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    fee: Value,
    is_sanctioned: bool,
    user_exists: bool,
}

pub(super) fn pre_transfer(answer: &Answer) -> Result<PreTransfer, LookupError> {
    const WHAT: &str = "preTransferCheck";
    let checked: Checked = parsed(WHAT, answer)?;
    let fee = decimal(&checked.fee).ok_or_else(|| LookupError::unreadable(WHAT, answer))?;
    Ok(PreTransfer { fee, is_sanctioned: checked.is_sanctioned, exists: checked.user_exists })
}

#[derive(Deserialize)]
struct WireEntry {
    time: u64,
    hash: String,
    delta: Value,
}

/// Reads the ledger. An entry of an unknown kind is kept, because only its nonce matters.
pub(super) fn ledger(answer: &Answer) -> Result<Vec<LedgerEntry>, LookupError> {
    let entries: Vec<WireEntry> = parsed("userNonFundingLedgerUpdates", answer)?;
    Ok(entries.into_iter().map(entry).collect())
}

fn entry(WireEntry { time, hash, delta }: WireEntry) -> LedgerEntry {
    let text = |name: &str| delta.get(name).and_then(Value::as_str);
    let kind = match text("type").unwrap_or_default() {
        "deposit" => LedgerKind::Deposit,
        "withdraw" => LedgerKind::Withdraw,
        "send" | "spotTransfer" => LedgerKind::Send,
        _ => LedgerKind::Other,
    };
    LedgerEntry {
        hash: shown_hash(&hash),
        kind,
        nonce: delta.get("nonce").and_then(Value::as_u64),
        sender: text("user").and_then(|text| text.parse().ok()),
        destination: text("destination").and_then(|text| text.parse().ok()),
        fee: delta.get("fee").and_then(decimal),
        at_ms: time,
    }
}

/// Interprets the response to a payment.
pub(super) fn sent(answer: &Answer, wallet: Address, is_first: bool) -> Sent<()> {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let field = |name: &str| body.as_ref().and_then(|body| body.get(name));
    let status = field("status").and_then(Value::as_str);
    let text = field("response").and_then(Value::as_str);
    match (answer.status, status, text) {
        (200..=299, Some("ok"), _) => Sent::Accepted(()),
        (200..=299, Some("err"), Some(text)) => refused(answer, text, wallet, is_first),
        (429 | 418, ..) if is_first => {
            let code = TradeCode::RateLimited { retry_after_s: answer.wait_s(RETRY_AFTER_S) };
            Sent::Refused(TradeRefusal::new(code, &format!("HTTP {}", answer.status)))
        }
        (422, ..) if is_first && answer.body.starts_with(MALFORMED) => {
            Sent::Refused(TradeRefusal::new(TradeCode::OurFault, &answer.body))
        }
        (403 | 451, ..) => Sent::Unknown(Unclear::Blocked(answer.blocked_words()).into()),
        (status, ..) => {
            let words = format!("HTTP {status}, not of the protocol");
            Sent::Unknown(Unclear::BadAnswer(words).into())
        }
    }
}

fn refused(answer: &Answer, text: &str, wallet: Address, is_first: bool) -> Sent<()> {
    let words = text.strip_prefix("L1 error: ").unwrap_or(text);
    let unknown = |fenced| {
        let text = shown(text);
        let why = Unclear::BadAnswer(format!("HTTP {}: {text}", answer.status));
        Sent::Unknown(Unresolved { why, fenced, text: Some(text) })
    };
    if words.starts_with(NONCE_USED) || (!is_first && words.starts_with(NONCE_TOO_LOW)) {
        return unknown(true);
    }
    let known = PAYMENT_TEXTS.iter().find(|(start, _)| words.starts_with(start));
    match known {
        Some((_, code)) if is_first => {
            let is_other = *code == TradeCode::DepositRequired && named(words) != Some(wallet);
            let code = if is_other { TradeCode::SignatureFault } else { *code };
            Sent::Refused(TradeRefusal::new(code, text))
        }
        _ => unknown(false),
    }
}

/// Returns the address in a text.
fn named(text: &str) -> Option<Address> {
    let start = text.find("0x")?;
    text.get(start..start + 42)?.parse().ok()
}

fn parsed<T: for<'a> Deserialize<'a>>(
    what: &'static str,
    answer: &Answer,
) -> Result<T, LookupError> {
    let body = (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok());
    body.flatten().ok_or_else(|| LookupError::unreadable(what, answer))
}

/// Reads a plain decimal number, which the exchange writes as a text or as a JSON number. A sign is
/// dropped: the kind of an entry states the direction.
fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Decimal::parse(text.strip_prefix('-').unwrap_or(&text)).ok()
}
