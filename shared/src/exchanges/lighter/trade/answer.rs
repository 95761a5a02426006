//! Interprets Lighter's responses: `{"code":200,…}` for a success, `{"code":n,"message":text}` for a
//! refusal.
//!
//! A refusal by the API uses no nonce and executes nothing. [`CODES`] is the closed list of meaningful
//! codes. A transaction that the API accepts executes later, or not at all: its hash names it.

use serde_json::Value;

use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::http::{Answer, SendError};
use crate::exchanges::trade::{Sent, TradeCode, TradeRefusal, Unresolved, shown};
use crate::exchanges::{LookupError, Unclear};

/// The code of a success.
const OK: u64 = 200;

/// Default wait, in seconds, when a response does not state one: requests are counted by the minute.
const RETRY_AFTER_S: u64 = 60;

/// A code and its meaning. The message is returned as the exchange wrote it.
pub type Known = (u64, TradeCode);

/// Every code with a meaning. Source: the exchange's list of error codes.
pub const CODES: [Known; 57] = [
    // The token or the key.
    (20001, TradeCode::OrderRejected),
    (20013, TradeCode::AgentUnknown),
    (21108, TradeCode::AgentUnknown),
    (21109, TradeCode::AgentUnknown),
    (21120, TradeCode::AgentUnknown),
    (REGION, TradeCode::RegionBlocked),
    (21100, TradeCode::DepositRequired),
    // The nonce was not used: a larger one can sign the same order.
    (21104, TradeCode::NonceTooLow),
    (21105, TradeCode::NonceTooLow),
    (21113, TradeCode::LeverageOutOfRange),
    (21613, TradeCode::LeverageOutOfRange),
    (21626, TradeCode::LeverageOutOfRange),
    (21132, TradeCode::MarginModeLocked),
    (21121, TradeCode::OurFault),
    (21501, TradeCode::OurFault),
    (21505, TradeCode::OurFault),
    (21514, TradeCode::OurFault),
    (21134, TradeCode::OurFault),
    (21149, TradeCode::OurFault),
    (21136, TradeCode::SignerOutdated),
    (21126, TradeCode::InsufficientFunds),
    (21301, TradeCode::InsufficientFunds),
    (21304, TradeCode::InsufficientFunds),
    (21507, TradeCode::InsufficientFunds),
    (21508, TradeCode::InsufficientFunds),
    (21739, TradeCode::InsufficientFunds),
    (21717, TradeCode::TooManyOrders),
    (21718, TradeCode::TooManyOrders),
    (21719, TradeCode::TooManyOrders),
    (21720, TradeCode::TooManyOrders),
    (21721, TradeCode::TooManyOrders),
    (21722, TradeCode::TooManyOrders),
    (21600, TradeCode::OrderNotOpen),
    (21708, TradeCode::OrderNotOpen),
    (21709, TradeCode::OrderNotOpen),
    (21715, TradeCode::OrderNotOpen),
    // Too many pending transactions, a full book, a market that is not open now.
    (21506, TradeCode::TryLater),
    (21601, TradeCode::TryLater),
    (21605, TradeCode::TryLater),
    (21602, TradeCode::MarketUnknown),
    (21603, TradeCode::BelowMinimum),
    (21700, TradeCode::OrderRejected),
    (21701, TradeCode::OrderRejected),
    (21702, TradeCode::OrderRejected),
    (21703, TradeCode::OrderRejected),
    (21704, TradeCode::OrderRejected),
    (21705, TradeCode::OrderRejected),
    (21706, TradeCode::BelowMinimum),
    (21710, TradeCode::OrderRejected),
    (21711, TradeCode::OrderRejected),
    (21727, TradeCode::OrderRejected),
    // An order of the account has the client's id. A lookup by the id shows whether it is this one.
    (21728, TradeCode::ClientIdTaken),
    (21732, TradeCode::ReduceOnlyRefused),
    (21738, TradeCode::ReduceOnlyRefused),
    (21733, TradeCode::PriceOutOfRange),
    (21734, TradeCode::PriceOutOfRange),
    (21735, TradeCode::PriceOutOfRange),
];

/// The codes of a thing that does not exist: an order, a transaction, an account.
const ABSENT: [u64; 3] = [21500, 29404, 21600];

/// The code of a request from a region that the exchange excludes.
const REGION: u64 = 20558;

/// The longest hash that is stored, in hex digits. A hash has 80.
const MAX_HASH_DIGITS: usize = 128;

/// The codes after which the exchange may have processed the request.
const UNKNOWN: [u64; 2] = [29500, 29501];

/// Returns the meaning of a code. `None` means that the code is outside the list.
#[must_use]
pub fn meaning(code: u64) -> Option<TradeCode> {
    match code {
        23000..=23004 => Some(TradeCode::RateLimited { retry_after_s: RETRY_AFTER_S }),
        _ => CODES.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning),
    }
}

/// A response that is not a success.
enum Failure {
    Refused(u64, TradeRefusal),
    Unknown(Unresolved),
}

/// Returns the JSON object of a success, or the failure.
fn opened(answer: &Answer) -> Result<Value, Failure> {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let code = body.as_ref().and_then(|body| body.get("code")).and_then(Value::as_u64);
    let message = body.as_ref().and_then(|body| body.get("message")).and_then(Value::as_str);
    let message = &message.unwrap_or_default().to_owned();
    let bad = |words: String| {
        let text = (!message.is_empty()).then(|| shown(message));
        Failure::Unknown(Unresolved { why: Unclear::BadAnswer(words), fenced: false, text })
    };
    match (answer.status, code) {
        (200, Some(OK)) => body.ok_or_else(|| bad("no body".to_owned())),
        (_, Some(code)) if UNKNOWN.contains(&code) => Err(bad(format!("code {code}"))),
        (429, code) if code.and_then(meaning).is_none() => {
            let code = TradeCode::RateLimited { retry_after_s: answer.wait_s(RETRY_AFTER_S) };
            Err(Failure::Refused(429, TradeRefusal::new(code, message)))
        }
        // The exchange names the block by region in its own form, whatever the status. With every other
        // code a status of the server leaves open what was processed.
        (200 | 400..=499, Some(code)) | (_, Some(code @ REGION)) => match meaning(code) {
            Some(TradeCode::RateLimited { retry_after_s }) => {
                let retry_after_s = answer.wait_s(retry_after_s);
                let code_of = TradeCode::RateLimited { retry_after_s };
                Err(Failure::Refused(code, TradeRefusal::new(code_of, message)))
            }
            Some(meaning) => Err(Failure::Refused(code, TradeRefusal::new(meaning, message))),
            None if answer.status == 400 || ABSENT.contains(&code) => {
                Err(Failure::Refused(code, TradeRefusal::new(TradeCode::OrderRejected, message)))
            }
            None => Err(bad(format!("HTTP {} with code {code}", answer.status))),
        },
        // The firewall answers 405 for a minute, the content delivery network 403 with HTML.
        (403 | 405 | 451, None) => {
            Err(Failure::Unknown(Unclear::Blocked(answer.blocked_words()).into()))
        }
        (status, _) => Err(bad(format!("HTTP {status}, not of the protocol"))),
    }
}

/// Returns the outcome of sending a transaction. A success means that the exchange has taken it, and
/// not that it has executed. It has the hash under which the exchange has it, in lower case. `hash` is
/// the hash that was signed.
pub fn sent(answer: Result<Answer, SendError>, hash: &str) -> Sent<String> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Sent::without_answer(error),
    };
    match opened(&answer) {
        Ok(body) => {
            let stated = body.get("tx_hash").and_then(Value::as_str).unwrap_or_default();
            let stated = stated.trim_start_matches("0x").to_ascii_lowercase();
            let is_hash = (1..=MAX_HASH_DIGITS).contains(&stated.len())
                && stated.bytes().all(|digit| digit.is_ascii_hexdigit());
            if !is_hash {
                return Sent::Unknown(Unclear::BadAnswer("no hash".to_owned()).into());
            }
            if stated != hash {
                // The exchange computed the hash of the same bytes in another way, so a lookup by
                // the signed hash proves nothing.
                tracing::error!("Lighter states another hash of a transaction");
            }
            Sent::Accepted(stated)
        }
        Err(Failure::Refused(_, refusal)) => Sent::Refused(refusal),
        Err(Failure::Unknown(unresolved)) => Sent::Unknown(unresolved),
    }
}

/// Returns the JSON object of the answer to a question. `None` means that the thing does not exist.
///
/// # Errors
/// Fails when the exchange refuses the question, or does not answer it.
pub fn found(what: &'static str, answer: &Answer) -> Result<Option<Value>, AskError> {
    match opened(answer) {
        Ok(body) => Ok(Some(body)),
        Err(Failure::Refused(code, _)) if ABSENT.contains(&code) => Ok(None),
        Err(Failure::Refused(_, refusal)) => Err(match refusal.code {
            // The budget counts the limit, and a refused question does not.
            TradeCode::RateLimited { retry_after_s } => {
                LookupError::RateLimited { retry_after_s }.into()
            }
            _ => AskError::Refused(refusal),
        }),
        Err(Failure::Unknown(Unresolved { why: Unclear::Blocked(words), .. })) => {
            Err(LookupError::Blocked(words).into())
        }
        Err(Failure::Unknown(_)) => Err(unreadable(what, answer)),
    }
}

/// Returns the JSON object of the answer to a question about a thing that exists.
///
/// # Errors
/// As [`found`], and when the thing does not exist.
pub fn stated(what: &'static str, answer: &Answer) -> Result<Value, AskError> {
    let missing = || AskError::Refused(TradeRefusal::new(TradeCode::DepositRequired, what));
    found(what, answer)?.ok_or_else(missing)
}

/// Makes the error of an answer that does not state what was asked.
pub fn unreadable(what: &'static str, answer: &Answer) -> AskError {
    LookupError::Unreadable { what, status: answer.status }.into()
}

#[cfg(test)]
mod tests;
