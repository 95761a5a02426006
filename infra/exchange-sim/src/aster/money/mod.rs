//! Money of the simulated Aster: withdrawals, their fees and limits, deposits, and the history.

use serde_json::{Value, json};

use super::{
    Exchange, Parameters, accounts::NONCE_LIFE_MS, reads, refusal::Refusal, signing, trade,
};
use crate::lock;
use crate::market::Engine;

mod fees;
mod history;
mod settle;
mod withdraw;

use alloy_primitives::Address;
pub(super) use fees::{parse as parse_fee, router};
pub(super) use history::{history, info};
pub(super) use withdraw::{withdraw, withdraw_spot};

/// Rules of payments that tests can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoneyRules {
    /// The fee of every withdrawal as the estimate states it, such as `1.7E-4`. `None` selects that
    /// of the asset and chain.
    pub fee: Option<String>,
    /// Whether a second withdrawal with the same `userNonce` is refused. Aster does not document it.
    pub nonce_is_single: bool,
    /// Time between a withdrawal and its payment on the chain, in milliseconds.
    pub payout_delay_ms: u64,
}

impl Default for MoneyRules {
    fn default() -> Self {
        Self { fee: None, nonce_is_single: false, payout_delay_ms: 5_000 }
    }
}

/// The account that money leaves or reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Perp,
    Spot,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Perp => "perp",
            Self::Spot => "spot",
        }
    }

    /// Returns the pocket of an asset.
    fn pocket(self, asset: &str) -> String {
        match self {
            Self::Spot => format!("spot:{asset}"),
            Self::Perp if asset == "USDT" => trade::POCKET.to_owned(),
            Self::Perp => format!("futures:{asset}"),
        }
    }
}

/// Returns the account for which its own key or one of its agents signed the request, and uses the
/// nonce. `true` if it was the own key.
fn authenticate(
    exchange: &Exchange,
    parameters: &Parameters,
    life_ms: u64,
) -> Result<(Address, bool), Refusal> {
    let (user, signer) = (parameters.address("user")?, parameters.address("signer")?);
    if user != signer {
        return Ok((reads::authenticate(exchange, parameters, life_ms)?, false));
    }
    let signature = parameters.get("signature").ok_or(Refusal::Signature)?;
    let chain_id = signing::call_chain_id(exchange.0.network);
    let digest = parameters.text_as_sent().and_then(|text| signing::message_digest(chain_id, text));
    let recovered = digest
        .zip(crate::signature::from_hex(signature))
        .and_then(|(digest, signature)| crate::signature::recover(&digest, &signature));
    if recovered != Some(user) {
        return Err(Refusal::Signature);
    }
    let nonce = parameters.number("nonce")?;
    let mut accounts = lock(&exchange.0.accounts);
    if !accounts.exists(user) {
        return Err(Refusal::NoUser);
    }
    accounts.use_nonce(user, nonce, (parameters.now(), life_ms))?;
    Ok((user, true))
}

/// Authenticates a read, and returns the response for the state that the request's lag selects.
fn read(
    exchange: &Exchange,
    parameters: &Parameters,
    show: impl FnOnce(&Engine, Address) -> Value,
) -> Result<Value, Refusal> {
    let (account, _) = authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    if exchange.rules().require_deposit && !lock(&exchange.0.accounts).has_deposited(account) {
        return Err(Refusal::NoDeposit);
    }
    let at = parameters.at();
    let mut engine = lock(&exchange.0.engine);
    trade::fund(&mut engine, account);
    engine.commit(at.now);
    Ok(if at.lags() { show(&engine.as_of(at.seen), account) } else { show(&engine, account) })
}

/// Returns the error of a withdrawal.
fn refuse<T>(text: &str) -> Result<T, Refusal> {
    Err(Refusal::Trade(-1_000, text.to_owned()))
}

/// Returns the response to an accepted withdrawal.
fn accepted(id: u64, hash: &str) -> Value {
    json!({"withdrawId": (FIRST_WITHDRAWAL + id).to_string(), "hash": hash})
}

/// Ids of withdrawals and of the history's entries are not the same: Aster does not document it.
const FIRST_WITHDRAWAL: u64 = 5_000_000;
const FIRST_ENTRY: u64 = 9_000_000;
