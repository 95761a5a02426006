//! Interprets Aster's responses to calls that change something: `{"code":n,"msg":text}` for a
//! refusal, an order for a success.
//!
//! [`ANSWERS`] is the closed list of meaningful codes. A refusal counts only with HTTP 4xx, or as an
//! element of a batch. Everything else leaves the outcome unknown.

mod codes;
mod leverage;

pub use codes::{ANSWERS, ANSWERS_OF_CHANGE, Known, Meaning, TEXTS};
pub use leverage::{ANSWERS_OF_LEVERAGE, leverage_set};

use serde_json::Value;

use super::Expected;
use super::read::order;
use crate::exchanges::Unclear;
use crate::exchanges::aster::answer::parse;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{
    ExchangeOrder, Fence, Sent, TradeCode, TradeRefusal, Unresolved, shown,
};
use codes::{all_refused, meaning, refused};

/// Default wait, in seconds, when a response does not state one: weights are counted by the minute.
const RETRY_AFTER_S: u64 = 30;

/// The outcome of one order of a batch. Orders of a batch are independent, so one may be unknown
/// while the others are not.
#[derive(Debug)]
pub enum Entry {
    /// The exchange has the order.
    Placed(Box<ExchangeOrder>),
    /// The exchange refused the order.
    Refused(TradeRefusal),
    /// The exchange may have the order.
    Unknown(Unresolved),
}

/// A response that is not a success.
enum Failure {
    Refused(TradeRefusal),
    Unknown(Unresolved),
}

impl<T> From<Failure> for Sent<T> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Unknown(unresolved) => Self::Unknown(unresolved),
        }
    }
}

impl From<Failure> for Entry {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Unknown(unresolved) => Self::Unknown(unresolved),
        }
    }
}

/// Makes an unknown outcome. `text` is the exchange's own text, if it sent one.
fn unclear(words: &str, text: Option<&str>, fenced: bool) -> Unresolved {
    Unresolved { why: Unclear::BadAnswer(shown(words)), fenced, text: text.map(shown) }
}

fn limited(retry_after_s: u64, words: &str) -> Failure {
    Failure::Refused(TradeRefusal::new(TradeCode::RateLimited { retry_after_s }, words))
}

/// Interprets a response that is not a success.
fn failure(answer: &Answer, list: &[Known]) -> Failure {
    let parsed = parse(&answer.body);
    let said = parsed.as_ref().map(|(code, text)| format!(", {code} {text}"));
    let words = format!("HTTP {}{}", answer.status, said.unwrap_or_default());
    let text = parsed.as_ref().map(|(_, text)| text.as_str());
    if matches!(answer.status, 418 | 429) {
        return limited(answer.wait_s(RETRY_AFTER_S), &words);
    }
    let found = parsed.as_ref().filter(|_| is_refusal(answer));
    match found.and_then(|(code, text)| meaning(*code, text, list)) {
        Some(Meaning::Refused(code)) => {
            Failure::Refused(TradeRefusal::new(code, text.unwrap_or_default()))
        }
        Some(Meaning::Limited) => limited(answer.wait_s(RETRY_AFTER_S), &words),
        Some(Meaning::Fenced) => Failure::Unknown(unclear(&words, text, true)),
        Some(Meaning::LookUp) => Failure::Unknown(unclear(&words, text, false)),
        None if matches!(answer.status, 403 | 451) => {
            Failure::Unknown(Unclear::Blocked(answer.blocked_words()).into())
        }
        None => Failure::Unknown(unclear(&words, text, false)),
    }
}

/// Interprets an element of a batch that is not an order. Its meaning does not depend on HTTP.
fn element_failure(element: &Value, list: &[Known]) -> Failure {
    let Some((code, text)) = parse(&element.to_string()) else {
        return Failure::Unknown(unclear("an element of an unknown form", None, false));
    };
    let words = format!("{code} {text}");
    match meaning(code, &text, list) {
        Some(Meaning::Refused(code)) => Failure::Refused(TradeRefusal::new(code, &text)),
        Some(Meaning::Limited) => limited(RETRY_AFTER_S, &words),
        // A batch has one nonce, so a code for a single element says nothing about it.
        Some(Meaning::Fenced | Meaning::LookUp) | None => {
            Failure::Unknown(unclear(&words, Some(&text), false))
        }
    }
}

/// Returns whether the code in a response counts as a refusal. 408 is a timeout of the exchange.
const fn is_refusal(answer: &Answer) -> bool {
    matches!(answer.status, 400..=407 | 409..=417 | 419..=428 | 430..=499)
}

fn is_success(answer: &Answer) -> bool {
    (200..=299).contains(&answer.status)
}

/// Returns the body of a success as JSON.
fn success(answer: &Answer) -> Option<Value> {
    is_success(answer).then(|| serde_json::from_str(&answer.body).ok())?
}

/// Returns the order of a response, if it is the expected one.
fn expected_order(value: &Value, expected: Expected<'_>, at_ms: u64) -> Option<ExchangeOrder> {
    let order = order(value, at_ms)?;
    let is_it =
        order.symbol == expected.symbol && order.client_id.as_deref() == Some(expected.client_id);
    is_it.then_some(order)
}

/// Interprets the response to an order.
#[must_use]
pub fn placed(answer: &Answer, expected: Expected<'_>) -> Sent<Box<ExchangeOrder>> {
    match success(answer).and_then(|body| expected_order(&body, expected, answer.at_ms)) {
        Some(order) => Sent::Accepted(Box::new(order)),
        None => failure(answer, &[]).into(),
    }
}

/// Interprets the response to a batch. The orders are independent: each element is an order or a
/// refusal. A list of another length proves nothing for any of them.
#[must_use]
pub fn placed_batch(answer: &Answer, expected: &[Expected<'_>]) -> Sent<Vec<Entry>> {
    let Some(Value::Array(elements)) = success(answer) else { return failure(answer, &[]).into() };
    if elements.len() != expected.len() {
        return Sent::Unknown(unclear("a list of another length", None, false));
    }
    let entries = elements.iter().zip(expected).map(|(element, expected)| {
        match expected_order(element, *expected, answer.at_ms) {
            Some(order) => Entry::Placed(Box::new(order)),
            None => element_failure(element, &[]).into(),
        }
    });
    Sent::Accepted(entries.collect())
}

/// Interprets the response to a change or a cancellation of one order.
#[must_use]
pub fn changed(answer: &Answer, symbol: &str) -> Sent<Box<ExchangeOrder>> {
    let found = success(answer).and_then(|body| order(&body, answer.at_ms));
    match found.filter(|order| order.symbol == symbol) {
        Some(order) => Sent::Accepted(Box::new(order)),
        None => failure(answer, ANSWERS_OF_CHANGE).into(),
    }
}

/// Interprets the response to a cancellation of this number of orders.
#[must_use]
pub fn cancelled_batch(answer: &Answer, count: usize) -> Sent<Vec<Entry>> {
    let Some(Value::Array(elements)) = success(answer) else {
        return failure(answer, ANSWERS_OF_CHANGE).into();
    };
    if elements.len() != count {
        return Sent::Unknown(unclear("a list of another length", None, false));
    }
    let entries = elements.iter().map(|element| match order(element, answer.at_ms) {
        Some(order) => Entry::Placed(Box::new(order)),
        None => element_failure(element, ANSWERS_OF_CHANGE).into(),
    });
    Sent::Accepted(entries.collect())
}

/// Interprets the response to a cancellation of all orders: code 200, as a number or as a text.
#[must_use]
pub fn cancelled_all(answer: &Answer) -> Sent<()> {
    match parse(&answer.body) {
        Some((200, _)) if is_success(answer) => Sent::Accepted(()),
        _ => failure(answer, ANSWERS_OF_CHANGE).into(),
    }
}

/// How far a nonce may be ahead of the exchange's clock, in milliseconds, when its refusal counts as
/// a fence. The shortest documented window is 10 seconds.
const MAX_AHEAD_MS: u64 = 5_000;

/// Withdraws a fence that a nonce in the future does not prove: the exchange refuses such a nonce
/// now, and accepts it when its clock has caught up.
#[must_use]
pub fn without_early_fence<T>(sent: Sent<T>, answer: &Answer, nonce_us: u64) -> Sent<T> {
    match sent {
        Sent::Unknown(unresolved) if is_ahead(answer, nonce_us) => {
            Sent::Unknown(Unresolved { fenced: false, ..unresolved })
        }
        sent => sent,
    }
}

const fn is_ahead(answer: &Answer, nonce_us: u64) -> bool {
    nonce_us / 1_000 > answer.at_ms.saturating_add(MAX_AHEAD_MS)
}

/// Interprets the response to `noop` with this nonce: whether the nonce can no longer execute
/// anything.
///
/// A success proves only that. It may acknowledge that the `noop` is queued behind the order, and the
/// exchange remembers the newest 100 nonces of an agent, so the nonce of an executed order can be
/// accepted again. It never proves that the order was not executed.
///
/// # Errors
/// Fails when it remains unknown.
pub fn fenced(answer: &Answer, nonce_us: u64) -> Result<Fence, Unresolved> {
    if let Some(Value::Object(body)) = success(answer) {
        match parse(&answer.body) {
            Some((200, _)) => return Ok(Fence::Spent),
            // A success in another form than the documented one.
            None if !body.contains_key("code") => return Ok(Fence::Spent),
            _ => {}
        }
    }
    match without_early_fence(failure(answer, &[]).into(), answer, nonce_us) {
        Sent::Unknown(Unresolved { fenced: true, .. }) => Ok(Fence::Spent),
        Sent::Unknown(unresolved) => Err(unresolved),
        Sent::Refused(refusal) => Err(unclear(&refusal.text, Some(&refusal.text), false)),
        // A failure is neither of these.
        Sent::Accepted(()) | Sent::NotSent(_) => Err(unclear("noop", None, false)),
    }
}

/// Returns whether a read was refused because of its nonce.
#[must_use]
pub fn is_nonce_taken(answer: &Answer) -> bool {
    !is_success(answer)
        && matches!(failure(answer, &[]), Failure::Unknown(Unresolved { fenced: true, .. }))
}

/// Returns whether a lookup reports that the exchange does not have the order.
#[must_use]
pub fn is_absent(answer: &Answer) -> bool {
    is_refusal(answer) && parse(&answer.body).is_some_and(|(code, _)| code == -2013)
}

/// Returns why a read was refused, if the list says so.
pub(super) fn refusal(answer: &Answer) -> Option<TradeRefusal> {
    match failure(answer, &[]) {
        Failure::Refused(refusal) => Some(refusal),
        Failure::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests;
