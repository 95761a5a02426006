//! Interprets the responses to signed actions. Sources: the exchange endpoint and error responses
//! documents. Live texts often end in ` asset=N` and lack the documented final dot, so a text is
//! recognised by its start.

mod texts;

pub use texts::{CALL_TEXTS, Known, LEVERAGE_TEXTS, NONCE_USED, ORDER_TEXTS};

use domain::eth::Address;
use serde::Deserialize;

use texts::{MALFORMED, MODIFY_LOST, RETRY_AFTER_S, call_code, listed, order_code, without_prefix};

use super::action::Cloid;
use crate::exchanges::Unclear;
use crate::exchanges::http::{Answer, SendError};
use crate::exchanges::trade::{
    EntryOutcome, Fence, Placed, Sent, TradeCode, TradeRefusal, Unresolved, shown,
};
use crate::trading::decimal::Decimal;

/// The sender of an action, to interpret the address in a refusal.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// The wallet.
    pub wallet: Address,
    /// The agent that signed.
    pub agent: Address,
    /// Whether these bytes were sent for the first time. A refusal of bytes that were sent before
    /// proves nothing about the earlier request.
    pub is_first: bool,
}

/// The outcome of the modification of one order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModifyOutcome {
    /// The new order replaced the old one.
    Replaced(Placed),
    /// The old order is as it was.
    Refused(TradeRefusal),
    /// The old order is gone, and the new one was refused.
    Lost(TradeRefusal),
}

/// The outcome of one cancellation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CancelOutcome {
    /// The order is cancelled.
    Cancelled,
    /// The order was not cancelled. [`TradeCode::OrderNotOpen`] also covers an order that the
    /// exchange has not received yet.
    Refused(TradeRefusal),
}

/// The use of a nonce by a `noop`.
#[derive(Debug)]
pub enum NonceUse {
    /// Nothing else with this nonce can execute from now on.
    Used(Fence),
    /// The nonce may still be free.
    Unknown(Unresolved),
}

#[derive(Deserialize)]
#[serde(tag = "status", content = "response", rename_all = "camelCase")]
enum Body {
    Ok(Response),
    Err(String),
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    statuses: Vec<Entry>,
}

/// The status of one order or one cancellation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Entry {
    Resting(Resting),
    Filled(Filled),
    WaitingForFill,
    WaitingForTrigger,
    Success,
    Error(String),
}

#[derive(Deserialize)]
struct Resting {
    oid: u64,
    cloid: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filled {
    oid: u64,
    total_sz: String,
    avg_px: String,
    cloid: Option<String>,
}

/// Interprets the response to orders with these client ids.
#[must_use]
pub fn placed(
    result: Result<Answer, SendError>,
    cloids: &[Option<Cloid>],
    sender: Sender,
) -> Sent<Vec<EntryOutcome>> {
    entries(result, cloids.len(), sender, |index, entry| {
        let expected = cloids.get(index).copied().flatten();
        Some(match order(entry, expected)? {
            Ok(placed) => EntryOutcome::Placed(placed),
            Err(text) => EntryOutcome::Refused(refusal(&text)),
        })
    })
}

/// Interprets the response to the modification of one order.
#[must_use]
pub fn modified(
    result: Result<Answer, SendError>,
    cloid: Option<Cloid>,
    sender: Sender,
) -> Sent<ModifyOutcome> {
    let sent = entries(result, 1, sender, |_, entry| {
        Some(match order(entry, cloid)? {
            Ok(placed) => ModifyOutcome::Replaced(placed),
            Err(text) => match text.strip_prefix(MODIFY_LOST) {
                Some(inner) => ModifyOutcome::Lost(TradeRefusal::new(order_code(inner), &text)),
                None => ModifyOutcome::Refused(refusal(&text)),
            },
        })
    });
    match sent {
        Sent::Accepted(mut outcomes) => match outcomes.pop() {
            Some(outcome) => Sent::Accepted(outcome),
            None => Sent::Unknown(unreadable(200)),
        },
        Sent::Refused(refusal) => Sent::Refused(refusal),
        Sent::NotSent(cause) => Sent::NotSent(cause),
        Sent::Unknown(why) => Sent::Unknown(why),
    }
}

/// Interprets the response to a number of cancellations.
#[must_use]
pub fn cancelled(
    result: Result<Answer, SendError>,
    count: usize,
    sender: Sender,
) -> Sent<Vec<CancelOutcome>> {
    entries(result, count, sender, |_, entry| match entry {
        Entry::Success => Some(CancelOutcome::Cancelled),
        Entry::Error(text) => Some(CancelOutcome::Refused(refusal(text))),
        _ => None,
    })
}

/// Interprets the response to a change of leverage that is sent for the first time.
#[must_use]
pub fn leverage_set(result: Result<Answer, SendError>, sender: Sender) -> Sent<()> {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return Sent::without_answer(error),
    };
    let text = match body(&answer) {
        Some(Body::Ok(_)) => return Sent::Accepted(()),
        Some(Body::Err(text)) => text,
        None => return not_of_the_protocol(&answer, sender),
    };
    match call_refused(&answer, &text, sender) {
        Sent::Unknown(Unresolved { fenced: false, .. }) => {
            let code = listed(LEVERAGE_TEXTS, without_prefix(&text));
            Sent::Refused(TradeRefusal::new(code.unwrap_or(TradeCode::OrderRejected), &text))
        }
        sent => sent,
    }
}

/// Interprets the response to a `noop` that should use a nonce.
#[must_use]
pub fn nonce_use(result: Result<Answer, SendError>) -> NonceUse {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => {
            let why = match error {
                SendError::NoAnswer(cause) => Unclear::NoAnswer(cause),
                SendError::NotSent(cause) | SendError::Broken(cause) => Unclear::Broken(cause),
            };
            return NonceUse::Unknown(why.into());
        }
    };
    match body(&answer) {
        Some(Body::Ok(_)) => NonceUse::Used(Fence::Taken),
        Some(Body::Err(text)) => {
            let text = without_prefix(&text);
            let is_used = text.starts_with(NONCE_USED)
                || call_code(text).is_some_and(|code| code == TradeCode::NonceTooLow);
            if is_used {
                NonceUse::Used(Fence::Spent)
            } else {
                NonceUse::Unknown(unlisted(&answer, text))
            }
        }
        None => NonceUse::Unknown(unclear(&answer)),
    }
}

/// Interprets a response that has one status for each of `count` entries.
fn entries<T>(
    result: Result<Answer, SendError>,
    count: usize,
    sender: Sender,
    read: impl Fn(usize, &Entry) -> Option<T>,
) -> Sent<Vec<T>> {
    let answer = match result {
        Ok(answer) => answer,
        Err(error) => return Sent::without_answer(error),
    };
    let statuses = match body(&answer) {
        Some(Body::Ok(response)) => response.data.map(|data| data.statuses).unwrap_or_default(),
        Some(Body::Err(text)) => return call_refused(&answer, &text, sender),
        None => return not_of_the_protocol(&answer, sender),
    };
    let are_all_errors = statuses.iter().all(|entry| matches!(entry, Entry::Error(_)));
    // The exchange checks some rules before it looks at the nonce. If the bytes were sent before,
    // errors alone therefore prove nothing about the earlier request.
    if are_all_errors && !sender.is_first {
        return Sent::Unknown(unclear(&answer));
    }
    let statuses = match (statuses.as_slice(), count) {
        // One error for the whole batch.
        ([only @ Entry::Error(_)], 2..) => vec![only; count],
        (all, _) if all.len() == count && count > 0 => all.iter().collect(),
        _ => return Sent::Unknown(unreadable(answer.status)),
    };
    let outcomes = statuses.into_iter().enumerate().map(|(index, entry)| read(index, entry));
    match outcomes.collect::<Option<Vec<_>>>() {
        Some(outcomes) => Sent::Accepted(outcomes),
        None => Sent::Unknown(unreadable(answer.status)),
    }
}

/// Interprets the status of an order. `None` means that it breaks the protocol.
fn order(entry: &Entry, expected: Option<Cloid>) -> Option<Result<Placed, String>> {
    let is_ours = |cloid: &Option<String>| match cloid {
        Some(text) => Cloid::parse(text) == expected && expected.is_some(),
        None => true,
    };
    let waiting = |word: &str| Placed {
        order_id: None,
        exchange_status: word.to_owned(),
        filled: Decimal::ZERO,
        average_price: None,
    };
    let placed = match entry {
        Entry::Resting(resting) if is_ours(&resting.cloid) => {
            Placed { order_id: Some(resting.oid.to_string()), ..waiting("resting") }
        }
        Entry::Filled(filled) if is_ours(&filled.cloid) => Placed {
            order_id: Some(filled.oid.to_string()),
            filled: Decimal::parse(&filled.total_sz).ok()?,
            average_price: Some(Decimal::parse(&filled.avg_px).ok()?),
            ..waiting("filled")
        },
        Entry::WaitingForFill => waiting("waitingForFill"),
        Entry::WaitingForTrigger => waiting("waitingForTrigger"),
        Entry::Error(text) => return Some(Err(text.clone())),
        Entry::Resting(_) | Entry::Filled(_) | Entry::Success => return None,
    };
    Some(Ok(placed))
}

/// Parses the body of a response with status 2xx.
fn body(answer: &Answer) -> Option<Body> {
    matches!(answer.status, 200..=299).then(|| serde_json::from_str(&answer.body).ok())?
}

/// Interprets the refusal of a whole call.
fn call_refused<T>(answer: &Answer, text: &str, sender: Sender) -> Sent<T> {
    let words = without_prefix(text);
    if words.starts_with(NONCE_USED) {
        return Sent::Unknown(Unresolved { fenced: true, ..unlisted(answer, text) });
    }
    let listed = call_code(words).or_else(|| listed(ORDER_TEXTS, words));
    match listed {
        Some(code) if sender.is_first => {
            Sent::Refused(TradeRefusal::new(about(code, words, sender), text))
        }
        _ => Sent::Unknown(unlisted(answer, text)),
    }
}

/// A refusal that names an address the service does not use shows that the exchange hashed other
/// bytes than the service did.
fn about(code: TradeCode, text: &str, sender: Sender) -> TradeCode {
    let named = named_address(text);
    match code {
        TradeCode::DepositRequired if named != Some(sender.wallet) => TradeCode::SignatureFault,
        TradeCode::AgentUnknown if named != Some(sender.agent) && named != Some(sender.wallet) => {
            TradeCode::SignatureFault
        }
        code => code,
    }
}

fn named_address(text: &str) -> Option<Address> {
    let start = text.find("0x")?;
    text.get(start..start + 42)?.parse().ok()
}

/// Interprets a response that is not one of an action.
fn not_of_the_protocol<T>(answer: &Answer, sender: Sender) -> Sent<T> {
    let limited = TradeCode::RateLimited { retry_after_s: answer.wait_s(RETRY_AFTER_S) };
    let code = match answer.status {
        429 | 418 => limited,
        422 if answer.body.starts_with(MALFORMED) => TradeCode::OurFault,
        _ => return Sent::Unknown(unclear(answer)),
    };
    if sender.is_first {
        let text = format!("HTTP {}", answer.status);
        Sent::Refused(TradeRefusal::new(code, &text))
    } else {
        Sent::Unknown(unclear(answer))
    }
}

fn unclear(answer: &Answer) -> Unresolved {
    match answer.status {
        403 | 451 => Unclear::Blocked(answer.blocked_words()).into(),
        status => unreadable(status),
    }
}

fn unreadable(status: u16) -> Unresolved {
    Unclear::BadAnswer(format!("HTTP {status}, not of the protocol")).into()
}

fn unlisted(answer: &Answer, text: &str) -> Unresolved {
    let text = shown(text);
    let why = Unclear::BadAnswer(format!("HTTP {}: {text}", answer.status));
    Unresolved { why, fenced: false, text: Some(text) }
}

fn refusal(text: &str) -> TradeRefusal {
    TradeRefusal::new(order_code(text), text)
}

#[cfg(test)]
mod tests;
