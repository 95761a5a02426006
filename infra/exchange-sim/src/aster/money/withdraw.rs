//! `user-withdraw`: the account's own key signs the withdrawal itself, and the account's key or an
//! agent with the right to withdraw signs the request around it.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::super::{Exchange, Parameters, refusal::Refusal, signing, trade};
use super::{Kind, accepted, authenticate, fees, history, refuse};
use crate::chain::has_asset;
use crate::market::{Booking, Num, Payout};
use crate::{lock, signature};

/// A nonce of the request is valid this long before and after the clock's time.
const NONCE_LIFE_MS: u64 = 30_000;

/// The two nonces differ by at most this, in microseconds.
const NONCE_SPREAD_US: u64 = 60 * 60 * 1_000_000;

/// What a request asks for.
struct Withdrawal {
    chain_id: u64,
    /// Chain id of the signed domain.
    domain: u64,
    asset: String,
    amount: Num,
    fee: Num,
    receiver: Address,
    user_nonce: u64,
}

/// `POST /fapi/v3/aster/user-withdraw`
pub(in crate::aster) fn withdraw(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    run(exchange, parameters, Kind::Perp)
}

/// `POST /api/v3/aster/user-withdraw`
pub(in crate::aster) fn withdraw_spot(
    exchange: &Exchange,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    run(exchange, parameters, Kind::Spot)
}

fn run(exchange: &Exchange, parameters: &Parameters, kind: Kind) -> Result<Value, Refusal> {
    let asked = read(parameters, kind)?;
    let (user, is_own) = authenticate(exchange, parameters, NONCE_LIFE_MS)?;
    if !is_own && !may_withdraw(exchange, user, parameters.address("signer")?) {
        return Err(Refusal::ApiKey);
    }
    if parameters.number("nonce")?.abs_diff(asked.user_nonce) > NONCE_SPREAD_US {
        return Err(Refusal::Invalid("userNonce"));
    }
    if exchange.rules().require_deposit && !lock(&exchange.0.accounts).has_deposited(user) {
        return Err(Refusal::NoDeposit);
    }
    check_action(exchange, parameters, (user, &asked))?;
    // The real text is not published.
    if asked.receiver != user {
        return refuse("The receiver must be the account's own address.");
    }
    let chain_id = signing::call_chain_id(exchange.0.network);
    let text = parameters.text_as_sent();
    let digest = text.and_then(|text| signing::message_digest(chain_id, text));
    let hash = digest.map(|digest| digest.to_string()).unwrap_or_default();
    apply(exchange, (user, parameters.now()), (&asked, kind), &hash)
}

fn read(parameters: &Parameters, kind: Kind) -> Result<Withdrawal, Refusal> {
    let number = |name| {
        let number = Num::parse(parameters.text(name)?).filter(|number| number.is_positive());
        number.ok_or(Refusal::Invalid(name))
    };
    let chain_id = parameters.number("chainId")?;
    let domain = match kind {
        Kind::Spot if parameters.get("signatureChainId").is_some() => {
            parameters.number("signatureChainId")?
        }
        _ => chain_id,
    };
    // Safe wallets are not simulated.
    if parameters.get("signatureType").is_some_and(|kind| kind != "EOA") {
        return Err(Refusal::Invalid("signatureType"));
    }
    let asset = parameters.text("asset")?.to_owned();
    if !has_asset(chain_id, &asset) {
        return Err(Refusal::Invalid("chainId"));
    }
    Ok(Withdrawal {
        chain_id,
        domain,
        asset,
        amount: number("amount")?,
        fee: number("fee")?,
        receiver: parameters.address("receiver")?,
        user_nonce: parameters.number("userNonce")?,
    })
}

fn may_withdraw(exchange: &Exchange, user: Address, signer: Address) -> bool {
    let agents = lock(&exchange.0.accounts).agents_of(user);
    agents.iter().any(|agent| agent.address == signer && agent.can_withdraw)
}

/// Checks the signature of the withdrawal itself.
fn check_action(
    exchange: &Exchange,
    parameters: &Parameters,
    (user, asked): (Address, &Withdrawal),
) -> Result<(), Refusal> {
    let action = signing::Withdraw {
        domain: asked.domain,
        chain_id: asked.chain_id,
        destination: asked.receiver,
        token: &asked.asset,
        amount: parameters.text("amount")?,
        fee: parameters.text("fee")?,
        nonce: asked.user_nonce,
    };
    let signer = signing::withdraw_digest(exchange.0.network, &action)
        .zip(signature::from_hex(parameters.text("userSignature")?))
        .and_then(|(digest, signature)| signature::recover(&digest, &signature));
    if signer == Some(user) { Ok(()) } else { refuse("Invalid signature. Please sign again.") }
}

fn apply(
    exchange: &Exchange,
    (user, now): (Address, u64),
    (asked, kind): (&Withdrawal, Kind),
    hash: &str,
) -> Result<Value, Refusal> {
    let Withdrawal { chain_id, asset, amount, fee, receiver, user_nonce, .. } = asked;
    let rules = exchange.rules().money;
    let estimate = fees::fee(&rules, *chain_id, asset).ok_or(Refusal::Invalid("asset"))?;
    let mut engine = lock(&exchange.0.engine);
    trade::fund(&mut engine, user);
    let used = engine.bookings(user).any(|(_, booking)| booking.nonce == Some(*user_nonce));
    if rules.nonce_is_single && used {
        return Err(Refusal::Nonce);
    }
    // The real text is not published.
    if *fee < estimate || *amount <= *fee {
        return refuse("The withdrawal fee is too low.");
    }
    let pocket = kind.pocket(asset);
    let most = history::most(&engine, user, (*chain_id, asset), kind);
    if *amount > most || !engine.debit(user, &pocket, *amount) {
        return refuse("You've exceeded the withdrawal limit for this chain.");
    }
    let shown = json!({
        "type": "WITHDRAW",
        "asset": asset,
        "chainId": chain_id,
        "accountType": kind.word(),
    });
    let payout = Payout {
        chain_id: *chain_id,
        asset: asset.clone(),
        to: *receiver,
        // A guess: the amount includes the fee.
        amount: *amount - *fee,
        due: now + rules.payout_delay_ms,
        paid: None,
    };
    let id = engine.book(Booking {
        account: user,
        at: now,
        hash: hash.to_owned(),
        nonce: Some(*user_nonce),
        amount: *amount,
        shown,
        payout: Some(payout),
    });
    engine.commit(now);
    Ok(accepted(id, hash))
}
