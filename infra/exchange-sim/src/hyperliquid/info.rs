//! `POST /info`: data of an account, without a signature.

use serde_json::{Value, json};

use super::{Exchange, book::Role, wire::Info};
use crate::lock;

pub(super) fn answer(exchange: &Exchange, query: &Info) -> Value {
    let now = (exchange.0.now)();
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
        // Two of the real perpetuals, which clients read before they sign an order.
        Info::Meta { dex } if dex.is_empty() => json!({
            "universe": [
                {"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56},
                {"name": "ETH", "szDecimals": 4, "maxLeverage": 25, "marginTableId": 55},
            ],
            "marginTables": [],
            "collateralToken": 0,
        }),
        // No source documents this response.
        Info::Meta { .. } => Value::Null,
        Info::SpotMeta => json!({
            "universe": [],
            "tokens": [{
                "name": "USDC", "szDecimals": 8, "weiDecimals": 8, "index": 0,
                "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054", "isCanonical": true,
                "evmContract": null, "fullName": null,
            }],
        }),
        Info::ExchangeStatus => json!({"time": now, "specialStatuses": null}),
    }
}
