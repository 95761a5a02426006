//! Interprets Aster's responses to calls that change something: `{"code":n,"msg":text}` for a
//! refusal, an order for a success.
//!
//! [`ANSWERS`] is the closed list of meaningful codes. A refusal counts only with HTTP 4xx, or as an
//! element of a batch. Everything else leaves the outcome unknown.

mod leverage;

pub use leverage::{ANSWERS_OF_LEVERAGE, leverage_set};

use std::ops::RangeInclusive;

use serde_json::Value;

use super::Expected;
use super::read::order;
use crate::exchanges::Unclear;
use crate::exchanges::aster::answer::parse;
use crate::exchanges::http::Answer;
use crate::exchanges::trade::{
    ExchangeOrder, Fence, Sent, TradeCode, TradeRefusal, Unresolved, shown,
};

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

/// What a code means for the request that it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// The exchange refused the request and executed nothing of it.
    Refused(TradeCode),
    /// The exchange did not read the request, because too many came.
    Limited,
    /// The nonce was used, or is outside the window: these bytes cannot execute any more. An
    /// earlier arrival of the same bytes may have.
    Fenced,
    /// The order may exist already.
    LookUp,
}

/// One line of the closed list.
#[derive(Clone, Debug)]
pub struct Known {
    /// The codes.
    pub codes: RangeInclusive<i64>,
    /// Start of the text, in lower case. When empty, the code alone decides.
    pub text: &'static str,
    /// The meaning.
    pub meaning: Meaning,
}

const fn known(code: i64, text: &'static str, meaning: Meaning) -> Known {
    Known { codes: code..=code, text, meaning }
}

const fn refused(code: i64, meaning: TradeCode) -> Known {
    known(code, "", Meaning::Refused(meaning))
}

const fn builder(text: &'static str) -> Known {
    let meaning = Meaning::Refused(TradeCode::BuilderNotApproved);
    Known { codes: -1130..=-1000, text, meaning }
}

const fn all_refused(codes: RangeInclusive<i64>, meaning: TradeCode) -> Known {
    Known { codes, text: "", meaning: Meaning::Refused(meaning) }
}

/// The closed list of Aster's codes for orders. The first line that matches decides. Sources: the
/// error list of its futures API V3 document, and the texts of -1000 that its users have published.
///
/// The outcome is unknown for everything else: -1000 with any other text, -1001 (disconnected),
/// -1006 and -1007 (execution status unknown), -1008 (overloaded), -2015 (permissions or address),
/// every other code, HTTP 5xx and 408.
pub const ANSWERS: &[Known] = &[
    known(-1000, "no agent found", Meaning::Refused(TradeCode::AgentUnknown)),
    known(-1000, "agent not found", Meaning::Refused(TradeCode::AgentUnknown)),
    known(-1000, "no aster user found", Meaning::Refused(TradeCode::DepositRequired)),
    known(-1000, "signature check failed", Meaning::Refused(TradeCode::SignatureFault)),
    known(-1000, "invalid signature", Meaning::Refused(TradeCode::SignatureFault)),
    known(-1003, "", Meaning::Limited),
    known(-1015, "", Meaning::Limited),
    refused(-1022, TradeCode::SignatureFault),
    refused(-1111, TradeCode::TickSize),
    refused(-1121, TradeCode::MarketUnknown),
    builder("builder address"),
    builder("no builder found"),
    builder("exceed max builder fee"),
    // Missing, surplus or invalid parameters.
    all_refused(-1130..=-1100, TradeCode::OrderRejected),
    refused(-2010, TradeCode::OrderRejected),
    all_refused(-2019..=-2018, TradeCode::InsufficientFunds),
    refused(-2021, TradeCode::WouldTrigger),
    refused(-2022, TradeCode::ReduceOnlyRefused),
    // The account is in liquidation.
    refused(-2023, TradeCode::OrderRejected),
    refused(-2024, TradeCode::InsufficientFunds),
    refused(-2025, TradeCode::TooManyOrders),
    all_refused(-2028..=-2027, TradeCode::InsufficientFunds),
    refused(-4002, TradeCode::PriceOutOfRange),
    refused(-4003, TradeCode::LotSize),
    refused(-4004, TradeCode::BelowMinimum),
    refused(-4005, TradeCode::LotSize),
    refused(-4013, TradeCode::PriceOutOfRange),
    refused(-4014, TradeCode::TickSize),
    // A client id that is not unique.
    known(-4015, "", Meaning::LookUp),
    refused(-4016, TradeCode::PriceOutOfRange),
    refused(-4023, TradeCode::LotSize),
    refused(-4024, TradeCode::PriceOutOfRange),
    refused(-4045, TradeCode::TooManyOrders),
    all_refused(-4062..=-4061, TradeCode::PositionSideMismatch),
    // The account may only reduce, or may not trade.
    all_refused(-4088..=-4087, TradeCode::OrderRejected),
    known(-4116, "", Meaning::LookUp),
    refused(-4118, TradeCode::ReduceOnlyRefused),
    refused(-4131, TradeCode::PriceOutOfRange),
    // reduceOnly and closePosition contradict the position.
    all_refused(-4138..=-4137, TradeCode::OrderRejected),
    all_refused(-4141..=-4140, TradeCode::MarketUnknown),
    refused(-4142, TradeCode::WouldTrigger),
    refused(-4164, TradeCode::BelowMinimum),
    all_refused(-4184..=-4183, TradeCode::PriceOutOfRange),
    // The same code covers stale and used nonces.
    all_fenced(-4226..=-4225),
    refused(-5050, TradeCode::DepositRequired),
    // Rules for agents, builders and deposits.
    all_refused(-5053..=-5047, TradeCode::OrderRejected),
    refused(-5060, TradeCode::PriceOutOfRange),
];

const fn all_fenced(codes: RangeInclusive<i64>) -> Known {
    Known { codes, text: "", meaning: Meaning::Fenced }
}

/// The lines for a change or a cancellation of an order.
pub const ANSWERS_OF_CHANGE: &[Known] =
    &[refused(-2011, TradeCode::OrderNotOpen), refused(-2013, TradeCode::OrderNotOpen)];

/// Parts of texts that decide whatever the code is, in lower case. Aster does not list the codes of
/// a post-only order that would match, and of a client id that is open already.
pub const TEXTS: &[(&str, Meaning)] = &[
    ("duplicate", Meaning::LookUp),
    ("clientorderid", Meaning::LookUp),
    ("post only", Meaning::Refused(TradeCode::WouldCross)),
    ("post-only", Meaning::Refused(TradeCode::WouldCross)),
    ("gtx", Meaning::Refused(TradeCode::WouldCross)),
];

/// Codes that prove nothing, whatever their text says, unless a line of the list has the text.
const NO_PROOF: RangeInclusive<i64> = -1008..=-1000;

/// Returns the meaning of a code with its text. `None` proves nothing.
fn meaning(code: i64, text: &str, list: &[Known]) -> Option<Meaning> {
    let text = text.trim().to_lowercase();
    if !NO_PROOF.contains(&code)
        && code < 0
        && let Some((_, meaning)) = TEXTS.iter().find(|(part, _)| text.contains(part))
    {
        return Some(*meaning);
    }
    let is_it = |known: &&Known| known.codes.contains(&code) && text.starts_with(known.text);
    list.iter().chain(ANSWERS).find(is_it).map(|known| known.meaning)
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
