//! The closed list of Aster's codes with their meanings. Sources: the error list of its futures API
//! V3 document, and the texts of -1000 that its users have published.

use std::ops::RangeInclusive;

use crate::exchanges::trade::TradeCode;

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

pub(super) const fn refused(code: i64, meaning: TradeCode) -> Known {
    known(code, "", Meaning::Refused(meaning))
}

const fn builder(text: &'static str) -> Known {
    let meaning = Meaning::Refused(TradeCode::BuilderNotApproved);
    Known { codes: -1130..=-1000, text, meaning }
}

pub(super) const fn all_refused(codes: RangeInclusive<i64>, meaning: TradeCode) -> Known {
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
pub(super) fn meaning(code: i64, text: &str, list: &[Known]) -> Option<Meaning> {
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
