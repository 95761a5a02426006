//! `POST /info`: what is known of an account. Needs no signature.

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
            // The unnamed agent is not in the list.
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
    }
}
