//! The reads of the API.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::refusal::{
    ACCOUNT_NOT_FOUND, INVALID_MARKET, INVALID_PARAMETER, INVALID_TOKEN, NO_TOKEN, NOT_FOUND,
    Refusal, TX_NOT_FOUND,
};
use super::routes::Parameters;
use super::trade::markets;
use super::trade::reads::{self as trades, Which};
use super::{Exchange, wire};
use crate::edge::Moment;
use crate::market::Engine;
use crate::{lock, parse_address};

/// Number of client order indexes in one query.
const MAX_CLIENTS: usize = 20;

/// Largest page of inactive orders.
const MAX_PAGE: usize = 100;

/// Largest number of offers of one side.
const MAX_OFFERS: usize = 250;

/// The slot and the market that stand for all.
const ALL: u8 = 255;

/// The longest time that a token is valid in advance, in seconds.
const MAX_TOKEN_S: u64 = 8 * 3_600;

pub(super) fn next_nonce(
    exchange: &Exchange,
    parameters: &Parameters,
    _: Moment,
) -> Result<Value, Refusal> {
    let book = lock(&exchange.0.book);
    let slot =
        book.slot(parameters.number("account_index")?, parameters.number("api_key_index")?)?;
    Ok(json!({"code": 200, "nonce": slot.nonce}))
}

/// Lists keys. A slot without a key has 80 zeros.
pub(super) fn api_keys(
    exchange: &Exchange,
    parameters: &Parameters,
    _: Moment,
) -> Result<Value, Refusal> {
    let index: u64 = parameters.number("account_index")?;
    let wanted: u8 = parameters.optional("api_key_index")?.unwrap_or(ALL);
    let book = lock(&exchange.0.book);
    let account = book.account(index)?;
    let row = |slot: u8, nonce: u64, key: &str| json!({"account_index": index, "api_key_index": slot, "nonce": nonce, "public_key": key});
    let known = account.slots.iter().filter(|(slot, _)| wanted == ALL || **slot == wanted);
    let mut keys: Vec<_> =
        known.map(|(slot, known)| row(*slot, known.nonce, &known.public_key)).collect();
    if keys.is_empty() && wanted != ALL {
        keys.push(row(wanted, 0, &"0".repeat(80)));
    }
    Ok(json!({"code": 200, "api_keys": keys}))
}

pub(super) fn tx(
    exchange: &Exchange,
    parameters: &Parameters,
    at: Moment,
) -> Result<Value, Refusal> {
    if parameters.text("by")? != "hash" {
        return Err(INVALID_PARAMETER);
    }
    let hash = parameters.text("value")?;
    let book = lock(&exchange.0.book);
    // A read that lags does not find what is newer.
    let record = book.transaction(hash).filter(|record| record.queued_at <= at.seen);
    let record = record.ok_or(TX_NOT_FOUND)?;
    let outcome = record.outcome.as_ref().filter(|outcome| outcome.at <= at.seen);
    let status = if outcome.is_some() { record.status(at.now) } else { 1 };
    Ok(json!({
        "code": 200,
        "hash": hash,
        "type": record.tx_type,
        "info": record.info,
        "event_info": outcome.map_or("{}", |outcome| outcome.event_info.as_str()),
        "status": status,
        "transaction_index": record.number,
        "account_index": record.account,
        "api_key_index": record.slot,
        "nonce": record.nonce,
        "expire_at": record.expired_at,
        "queued_at": record.queued_at,
        "executed_at": outcome.map_or(0, |outcome| outcome.at),
    }))
}

pub(super) fn account(
    exchange: &Exchange,
    parameters: &Parameters,
    at: Moment,
) -> Result<Value, Refusal> {
    let value = parameters.text("value")?;
    let indexes = match parameters.text("by")? {
        "index" => vec![value.parse().map_err(|_| INVALID_PARAMETER)?],
        "l1_address" => owned(exchange, value)?,
        _ => return Err(INVALID_PARAMETER),
    };
    let book = lock(&exchange.0.book);
    let read = |engine: &Engine| -> Result<Vec<Value>, Refusal> {
        let shown = indexes.iter().map(|index| {
            let account = book.account(*index).map_err(|_| NOT_FOUND)?;
            Ok(trades::account(engine, *index, account))
        });
        shown.collect()
    };
    let accounts = seen(exchange, at, read)?;
    Ok(json!({"code": 200, "total": accounts.len(), "accounts": accounts}))
}

pub(super) fn accounts_by_l1_address(
    exchange: &Exchange,
    parameters: &Parameters,
    at: Moment,
) -> Result<Value, Refusal> {
    let address = parameters.text("l1_address")?;
    let indexes = owned(exchange, address)?;
    if indexes.is_empty() {
        return Err(ACCOUNT_NOT_FOUND);
    }
    let book = lock(&exchange.0.book);
    let read = |engine: &Engine| -> Result<Vec<Value>, Refusal> {
        let shown = indexes.iter().map(|index| {
            let mut shown = trades::account(engine, *index, book.account(*index)?);
            if let Some(fields) = shown.as_object_mut() {
                fields.retain(|name, _| name != "positions" && name != "assets");
            }
            Ok(shown)
        });
        shown.collect()
    };
    let accounts = seen(exchange, at, read)?;
    Ok(json!({"code": 200, "l1_address": address, "sub_accounts": accounts}))
}

fn owned(exchange: &Exchange, address: &str) -> Result<Vec<u64>, Refusal> {
    let address: Address = parse_address(address).ok_or(INVALID_PARAMETER)?;
    Ok(lock(&exchange.0.book).accounts_of(address))
}

pub(super) fn order_books(
    exchange: &Exchange,
    parameters: &Parameters,
    _: Moment,
) -> Result<Value, Refusal> {
    Ok(markets::books(&lock(&exchange.0.engine), parameters.optional("market_id")?))
}

pub(super) fn order_book_details(
    exchange: &Exchange,
    parameters: &Parameters,
    _: Moment,
) -> Result<Value, Refusal> {
    Ok(markets::details(&lock(&exchange.0.engine), parameters.optional("market_id")?))
}

pub(super) fn order_book_orders(
    exchange: &Exchange,
    parameters: &Parameters,
    _: Moment,
) -> Result<Value, Refusal> {
    let limit: usize = parameters.number("limit")?;
    if !(1..=MAX_OFFERS).contains(&limit) {
        return Err(INVALID_PARAMETER);
    }
    let engine = lock(&exchange.0.engine);
    let index = parameters.number("market_id")?;
    let spec = markets::by_index(&engine, index).ok_or(INVALID_MARKET)?;
    Ok(markets::orders(&engine, &spec, limit))
}

pub(super) fn account_orders(
    exchange: &Exchange,
    parameters: &Parameters,
    at: Moment,
) -> Result<Value, Refusal> {
    let account = authorized(exchange, parameters, at.now)?;
    let list = parameters.text("client_order_indexes")?.split(',');
    let indexes: Result<Vec<u64>, _> = list.map(str::parse).collect();
    let indexes = indexes.map_err(|_| INVALID_PARAMETER)?;
    if indexes.len() > MAX_CLIENTS {
        return Err(INVALID_PARAMETER);
    }
    let which = Which::Clients(&indexes);
    Ok(seen(exchange, at, |engine| trades::orders(engine, account, &which, None)))
}

pub(super) fn active_orders(
    exchange: &Exchange,
    parameters: &Parameters,
    at: Moment,
) -> Result<Value, Refusal> {
    let account = authorized(exchange, parameters, at.now)?;
    let market = market(parameters)?;
    Ok(seen(exchange, at, |engine| trades::orders(engine, account, &Which::Active, market)))
}

pub(super) fn inactive_orders(
    exchange: &Exchange,
    parameters: &Parameters,
    at: Moment,
) -> Result<Value, Refusal> {
    let account = authorized(exchange, parameters, at.now)?;
    let limit: usize = parameters.number("limit")?;
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(INVALID_PARAMETER);
    }
    let which = Which::Inactive(limit);
    let market = market(parameters)?;
    Ok(seen(exchange, at, |engine| trades::orders(engine, account, &which, market)))
}

fn market(parameters: &Parameters) -> Result<Option<u32>, Refusal> {
    let index = parameters.optional("market_id")?;
    Ok(index.filter(|index| *index != u32::from(ALL)))
}

/// Reads the market as a request sees it.
fn seen<T>(exchange: &Exchange, at: Moment, read: impl FnOnce(&Engine) -> T) -> T {
    let engine = lock(&exchange.0.engine);
    if at.lags() { read(&engine.as_of(at.seen)) } else { read(&engine) }
}

/// Returns the account of a read, for which a token is necessary.
fn authorized(exchange: &Exchange, parameters: &Parameters, now: u64) -> Result<u64, Refusal> {
    let account: u64 = parameters.number("account_index")?;
    let text = parameters.authorization.as_deref().or_else(|| parameters.get("auth"));
    let text = text.filter(|text| !text.is_empty()).ok_or(NO_TOKEN)?;
    let (deadline, owner, slot, hash, signature) = wire::token(text).ok_or(INVALID_TOKEN)?;
    let now_s = now / 1_000;
    let in_time = deadline > now_s && deadline <= now_s + MAX_TOKEN_S;
    if owner != account || !in_time {
        return Err(INVALID_TOKEN);
    }
    let book = lock(&exchange.0.book);
    book.verify((owner, slot), &hash, &signature).map_err(|_| INVALID_TOKEN)?;
    Ok(account)
}
