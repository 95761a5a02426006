//! Interprets Aster's responses to questions about money and to withdrawals.

use domain::policy::Amount;
use serde_json::Value;

use crate::exchanges::aster::answer::parse;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{Sent, TradeCode, TradeRefusal, Unresolved, shown, shown_hash};
use crate::exchanges::{LookupError, Unclear};
use crate::trading::decimal::Decimal;

/// Default wait, in seconds, when a response does not state one.
const RETRY_AFTER_S: u64 = 30;

/// Maximum number of digits of a fee on either side of the point.
const MAX_DIGITS: usize = 18;

/// The closed list of refusals of a withdrawal: code, start of the text in lower case, and meaning.
/// An empty text means that the code decides. Everything else leaves the outcome unknown.
pub const WITHDRAW_TEXTS: &[(i64, &str, TradeCode)] = &[
    (-1000, "you've exceeded the withdrawal limit", TradeCode::BelowMinimum),
    (-1000, "insufficient", TradeCode::InsufficientFunds),
    (-1000, "invalid signature", TradeCode::SignatureFault),
    (-1000, "signature check failed", TradeCode::SignatureFault),
    (-1000, "no aster user found", TradeCode::DepositRequired),
    (-1022, "", TradeCode::SignatureFault),
    (-1102, "", TradeCode::OurFault),
    (-2018, "", TradeCode::InsufficientFunds),
    (-2019, "", TradeCode::InsufficientFunds),
    (-5050, "", TradeCode::DepositRequired),
];

/// What a wallet may withdraw of an asset on a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// The asset.
    pub asset: String,
    /// The chain.
    pub chain_id: u64,
    /// From the spot account.
    pub spot: Decimal,
    /// From the futures account.
    pub perp: Decimal,
}

/// A deposit or a withdrawal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryEntry {
    /// The exchange's id.
    pub id: String,
    /// Whether it is a withdrawal.
    pub is_withdrawal: bool,
    /// The asset.
    pub asset: String,
    /// The amount.
    pub amount: Amount,
    /// The chain.
    pub chain_id: u64,
    /// Its progress.
    pub state: HistoryState,
    /// The hash of the transaction on the chain, if the exchange states it.
    pub tx_hash: Option<String>,
    /// When, Unix milliseconds.
    pub at_ms: u64,
}

/// The progress of a withdrawal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HistoryState {
    /// The exchange has it and has not paid yet.
    Processing,
    /// The money is on the chain.
    Succeeded,
    /// The exchange does not pay it.
    Failed,
}

/// Returns a number of the exchange as a plain decimal text: `1.7E-4` is `0.00017`. Signed and sent
/// amounts must be plain. `None` for a sign, for another form, and for more than 18 digits before or
/// after the point.
#[must_use]
pub fn plain(text: &str) -> Option<String> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => {
            let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            let is_number = (1..=3).contains(&unsigned.len())
                && unsigned.bytes().all(|byte| byte.is_ascii_digit());
            (digits, is_number.then(|| exponent.parse::<i32>().ok())??)
        }
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || digits.ends_with('.') || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut all = format!("{whole}{fraction}");
    // The place of the point in `all`.
    let mut point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if point < 0 {
        all.insert_str(0, &"0".repeat(usize::try_from(-point).ok()?));
        point = 0;
    }
    let point = usize::try_from(point).ok()?;
    if all.len() < point {
        all.push_str(&"0".repeat(point - all.len()));
    }
    let (whole, fraction) = all.split_at(point);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > MAX_DIGITS || fraction.len() > MAX_DIGITS {
        return None;
    }
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

/// Returns a number that the exchange writes as a text or as a JSON number.
fn plain_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => plain(text),
        Value::Number(number) => plain(&number.to_string()),
        _ => None,
    }
}

fn decimal(value: Option<&Value>) -> Option<Decimal> {
    let text = plain_of(value?)?;
    // Places beyond those of a decimal do not matter for a limit.
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    match fraction.get(..12) {
        Some(kept) => Decimal::parse(&format!("{whole}.{kept}")).ok(),
        None => Decimal::parse(&text).ok(),
    }
}

pub(super) fn fee(answer: &Answer) -> Result<String, LookupError> {
    let unclear = || LookupError::unreadable("estimate-withdraw-fee", answer);
    if answer.status != 200 {
        return Err(unclear());
    }
    let body: Value = serde_json::from_str(&answer.body).map_err(|_| unclear())?;
    body.pointer("/data/gasCost").and_then(plain_of).ok_or_else(unclear)
}

/// Returns why a question has no response.
fn refused_question(what: &'static str, answer: &Answer) -> AskError {
    match parse(&answer.body) {
        Some((-4226 | -4225, _)) => LookupError::NonceRejected.into(),
        Some((-1000, text)) if text.to_lowercase().contains("agent") => {
            AskError::Refused(TradeRefusal::new(TradeCode::AgentUnknown, &text))
        }
        _ => LookupError::unreadable(what, answer).into(),
    }
}

/// Reads `balances`, an object of assets, each with `chainBalances`, an object of chains.
pub(super) fn limits(answer: &Answer) -> Result<Vec<Limit>, AskError> {
    const WHAT: &str = "user-withdraw-info";
    let unclear = || AskError::Failed(LookupError::unreadable(WHAT, answer));
    if answer.status != 200 {
        return Err(refused_question(WHAT, answer));
    }
    let body: Value = serde_json::from_str(&answer.body).map_err(|_| unclear())?;
    let balances = body.get("balances").and_then(Value::as_object).ok_or_else(unclear)?;
    let mut limits = Vec::new();
    for (asset, balance) in balances {
        let chains = balance.get("chainBalances").and_then(Value::as_object).ok_or_else(unclear)?;
        for row in chains.values() {
            limits.push(limit(asset, row).ok_or_else(unclear)?);
        }
    }
    Ok(limits)
}

fn limit(asset: &str, row: &Value) -> Option<Limit> {
    Some(Limit {
        asset: shown(asset),
        chain_id: number(row.get("chainId")?)?,
        spot: decimal(row.get("spotMaxWithdrawAmount"))?,
        perp: decimal(row.get("perpMaxWithdrawAmount"))?,
    })
}

/// Reads the history. An entry that cannot be read fails the whole list, so that none is hidden.
pub(super) fn history(answer: &Answer) -> Result<Vec<HistoryEntry>, AskError> {
    const WHAT: &str = "deposit-withdraw-history";
    if answer.status != 200 {
        return Err(refused_question(WHAT, answer));
    }
    let entries = match serde_json::from_str(&answer.body) {
        Ok(Value::Array(rows)) => rows.iter().map(entry).collect::<Option<_>>(),
        _ => None,
    };
    entries.ok_or_else(|| LookupError::unreadable(WHAT, answer).into())
}

fn entry(row: &Value) -> Option<HistoryEntry> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    Some(HistoryEntry {
        id: id(row.get("id")?)?,
        is_withdrawal: text("type")? == "WITHDRAW",
        asset: shown(text("asset")?),
        amount: Amount::parse(&plain_of(row.get("amount")?)?).ok()?,
        chain_id: row.get("chainId").and_then(number).unwrap_or_default(),
        state: match text("state")? {
            "SUCCESS" | "COMPLETED" => HistoryState::Succeeded,
            "FAILED" => HistoryState::Failed,
            _ => HistoryState::Processing,
        },
        tx_hash: text("txHash").filter(|hash| !hash.is_empty()).map(shown_hash),
        at_ms: number(row.get("time")?)?,
    })
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(shown_hash(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Interprets the response to a withdrawal.
pub(super) fn withdrawn(answer: &Answer) -> Sent<Option<String>> {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let accepted = body.as_ref().and_then(|body| body.get("withdrawId")).and_then(id);
    let parsed = parse(&answer.body);
    let said = parsed.as_ref().map(|(code, text)| format!(", {code} {text}"));
    let words = shown(&format!("HTTP {}{}", answer.status, said.unwrap_or_default()));
    let unknown = |fenced| {
        let why = Unclear::BadAnswer(words.clone());
        Sent::Unknown(Unresolved { why, fenced, text: parsed.as_ref().map(|it| shown(&it.1)) })
    };
    match (answer.status, accepted, &parsed) {
        (200..=299, Some(id), _) => Sent::Accepted(Some(id)),
        (429 | 418, ..) => {
            let code = TradeCode::RateLimited { retry_after_s: answer.wait_s(RETRY_AFTER_S) };
            Sent::Refused(TradeRefusal::new(code, &words))
        }
        (408 | 500.., ..) => unknown(false),
        (_, _, Some((-4226 | -4225, _))) => unknown(true),
        (_, _, Some((code, text))) => match listed(*code, text) {
            Some(meaning) => Sent::Refused(TradeRefusal::new(meaning, text)),
            None => unknown(false),
        },
        (403 | 451, ..) => Sent::Unknown(Unclear::Blocked(answer.blocked_words()).into()),
        _ => unknown(false),
    }
}

fn listed(code: i64, text: &str) -> Option<TradeCode> {
    let text = text.trim().to_lowercase();
    let is_it =
        |(known, start, _): &&(i64, &str, TradeCode)| *known == code && text.starts_with(*start);
    WITHDRAW_TEXTS.iter().find(is_it).map(|(_, _, meaning)| *meaning)
}
