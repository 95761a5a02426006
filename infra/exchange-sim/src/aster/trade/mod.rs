//! Trading on the simulated Aster: orders, changes, cancels and reads. An agent signs every call.

use alloy_primitives::Address;
use serde_json::Value;

use super::{
    Exchange, Parameters, builders::Builders, reads::authenticate, refusal::Refusal, signing,
};
use crate::lock;
use crate::market::{Engine, Num};

pub(super) mod account;
pub(super) mod changes;
mod fields;
pub(super) mod markets;
pub(super) mod orders;
pub(super) mod reads;
mod steer;

/// Funds of an account that deposited without an amount, in USDT.
const FIRST_DEPOSIT: Num = Num::whole(10_000);

/// Pocket of an account's USDT for futures.
pub(super) const POCKET: &str = "perp:";

/// A nonce of a trading call is valid this long before and after the clock's time. Documents also
/// state 10 and 30 seconds: the longest is the strictest for a client that waits for the end.
const NONCE_LIFE_MS: u64 = 60_000;

/// Who sent a call, and when.
struct Trader {
    account: Address,
    /// Digest of the signed text.
    request: String,
    /// The builders that the account has approved.
    builders: Builders,
    now: u64,
}

/// Creates the account of a trader if it is missing, with the funds of a first deposit.
pub(super) fn fund(engine: &mut Engine, account: Address) {
    if engine.account(account).is_none() {
        engine.credit(account, POCKET, FIRST_DEPOSIT);
    }
}

/// Authenticates a call that changes something, and executes it.
fn trade(
    exchange: &Exchange,
    parameters: &Parameters,
    apply: impl FnOnce(&mut Engine, &Trader) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let account = authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    may_trade(exchange, parameters, account)?;
    let chain_id = signing::call_chain_id(exchange.0.network);
    let text = parameters.text_as_sent();
    let digest = text.and_then(|text| signing::message_digest(chain_id, text));
    let request = digest.map(|digest| digest.to_string()).unwrap_or_default();
    let now = parameters.now();
    let builders = Builders::of(lock(&exchange.0.accounts).builders_mut(account));
    let mut engine = lock(&exchange.0.engine);
    fund(&mut engine, account);
    let result = apply(&mut engine, &Trader { account, request, builders, now });
    engine.commit(now);
    result
}

/// Checks the account's deposit and the agent's permission.
fn may_trade(
    exchange: &Exchange,
    parameters: &Parameters,
    account: Address,
) -> Result<(), Refusal> {
    let accounts = lock(&exchange.0.accounts);
    if exchange.rules().require_deposit && !accounts.has_deposited(account) {
        return Err(Refusal::NoDeposit);
    }
    let signer = parameters.address("signer")?;
    let agents = accounts.agents_of(account);
    let agent = agents.iter().find(|agent| agent.address == signer);
    if agent.is_some_and(|agent| agent.can_perp_trade) { Ok(()) } else { Err(Refusal::ApiKey) }
}
