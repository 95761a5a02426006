//! `POST /info`: markets and data of an account, without a signature.

use serde_json::{Value, json};

use super::{
    Chain, Exchange,
    book::Role,
    money,
    trade::{accounts, markets, reads},
    wire::Info,
};
use crate::{edge::Moment, lock, market::Engine};

/// Returns the response to a request.
pub(super) fn answer(exchange: &Exchange, query: &Info, at: Moment) -> Value {
    let now = at.now;
    match query {
        Info::ExtraAgents { .. } | Info::UserRole { .. } => agents(exchange, query, now),
        Info::MaxBuilderFee { user, builder } => {
            lock(&exchange.0.book).builder_fee(*user, *builder).into()
        }
        Info::PreTransferCheck { user, source } => money::check(exchange, *user, *source, now),
        Info::UsdcRouting => money::routing(exchange),
        _ if at.lags() => {
            let past = lock(&exchange.0.engine).as_of(at.seen);
            trade(&past, query, (exchange.0.chain, now))
        }
        _ => trade(&lock(&exchange.0.engine), query, (exchange.0.chain, now)),
    }
}

fn agents(exchange: &Exchange, query: &Info, now: u64) -> Value {
    let mut book = lock(&exchange.0.book);
    match query {
        Info::ExtraAgents { user } => book
            .agents_of(*user, now)
            .into_iter()
            // The list omits the unnamed agent.
            .filter(|agent| !agent.name.is_empty())
            .map(|agent| {
                json!({
                    "name": agent.name,
                    "address": format!("{:#x}", agent.address),
                    "validUntil": agent.valid_until,
                })
            })
            .collect(),
        Info::UserRole { user } => match book.role(*user, now) {
            Role::Missing => json!({"role": "missing"}),
            Role::User => json!({"role": "user"}),
            Role::Agent(master) => {
                json!({"role": "agent", "data": {"user": format!("{master:#x}")}})
            }
        },
        _ => Value::Null,
    }
}

fn trade(engine: &Engine, query: &Info, (chain, now): (Chain, u64)) -> Value {
    match query {
        // No source documents the response for an unknown DEX.
        Info::Meta { dex } => markets::meta(engine, dex).unwrap_or_default(),
        Info::MetaAndAssetCtxs { dex } => reads::contexts(engine, dex).unwrap_or_default(),
        Info::SpotMeta => markets::spot_meta(engine, chain),
        Info::SpotMetaAndAssetCtxs => reads::spot_contexts(engine, chain),
        Info::PerpDexs => markets::dexs(),
        Info::AllMids { dex } => reads::all_mids(engine, dex),
        Info::L2Book { coin } => reads::l2_book(engine, coin, now),
        Info::OrderStatus { user, oid } => reads::order_status(engine, *user, oid),
        Info::OpenOrders { user, dex } => reads::open_orders(engine, *user, dex, false),
        Info::FrontendOpenOrders { user, dex } => reads::open_orders(engine, *user, dex, true),
        Info::HistoricalOrders { user } => reads::historical_orders(engine, *user),
        Info::UserFills { user } => reads::user_fills(engine, *user),
        Info::UserFillsByTime { user, start_time, end_time } => {
            reads::fills_by_time(engine, *user, (*start_time, *end_time))
        }
        Info::ClearinghouseState { user, dex } => accounts::clearinghouse(engine, *user, dex, now),
        Info::SpotClearinghouseState { user } => accounts::spot(engine, *user),
        Info::ActiveAssetData { user, coin } => accounts::active_asset(engine, *user, coin),
        Info::UserAbstraction { user } => accounts::abstraction(engine, *user),
        Info::UserNonFundingLedgerUpdates { user, start_time, end_time } => {
            money::ledger(engine, *user, (*start_time, *end_time))
        }
        Info::UserRateLimit { user } => reads::rate_limit(engine, *user),
        Info::ExchangeStatus => json!({"time": now, "specialStatuses": null}),
        Info::ExtraAgents { .. }
        | Info::UserRole { .. }
        | Info::MaxBuilderFee { .. }
        | Info::PreTransferCheck { .. }
        | Info::UsdcRouting => Value::Null,
    }
}
