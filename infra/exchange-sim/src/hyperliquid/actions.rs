//! `POST /exchange`: applies a request to the book.

use alloy_primitives::{Address, B256};
use serde_json::{Value, json};

use super::{
    Exchange,
    book::{Approval, Book, Change, Role},
    builders, money,
    refusal::Refusal,
    signing::{self, ApproveAgent},
    trade::{self, wire::Act},
    wire::{Action, Envelope},
};
use crate::{lock, signature};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Lifetime of an agent without an expiry.
const DEFAULT_LIFE_MS: u64 = 90 * DAY_MS;

/// Maximum lifetime that a request may name.
const LONGEST_LIFE_MS: u64 = 180 * DAY_MS;

/// Enforced by the SDKs. The exchange does not publish its own check.
const LONGEST_NAME: usize = 16;

/// Executes a request if its signer is allowed to. `now` is the time of its arrival.
///
/// # Errors
///
/// Returns the exchange's own error text.
pub(super) fn execute(
    exchange: &Exchange,
    envelope: &Envelope,
    now: u64,
) -> Result<Value, Refusal> {
    match &envelope.action {
        Action::ApproveAgent { sent_chain, approval } => {
            let digest = signing::approve_agent_digest(exchange.0.chain, approval);
            let signer = signer(envelope, digest)?;
            if *sent_chain != exchange.0.chain {
                // The digest contains this exchange's own chain, so a signature for the other chain
                // recovers to a signer without an account. A request that is signed for this chain
                // but names the other gets the same error: a strict guess.
                return Err(Refusal::MustDeposit(signer));
            }
            approve_agent(exchange, envelope, (signer, now), approval)?;
            Ok(json!({"type": "default"}))
        }
        Action::ApproveBuilder { sent_chain, approval } => {
            let digest = signing::approve_builder_digest(exchange.0.chain, approval);
            let signer = signer(envelope, digest)?;
            if *sent_chain != exchange.0.chain {
                return Err(Refusal::MustDeposit(signer));
            }
            if envelope.vault_address.is_some() {
                return Err(Refusal::VaultMayNot);
            }
            builders::approve(exchange, (signer, now), approval)?;
            Ok(json!({"type": "default"}))
        }
        Action::Money { sent_chain, action, money } => {
            let digest = signing::money_digest(exchange.0.chain, action);
            let signer = signer(envelope, digest)?;
            if *sent_chain != exchange.0.chain {
                return Err(Refusal::MustDeposit(signer));
            }
            let hash = digest.map(|digest| digest.to_string()).unwrap_or_default();
            let in_vault = envelope.vault_address.is_some();
            money::execute(exchange, (signer, now), money, (hash, in_vault))?;
            Ok(json!({"type": "default"}))
        }
        Action::L1 { action, act } => {
            let Envelope { nonce, vault_address, expires_after, .. } = envelope;
            let action = trade::wire::canonical(action);
            let hash = signing::action_hash(&action, *nonce, *vault_address, *expires_after);
            let digest = hash.and_then(|hash| signing::l1_digest(exchange.0.chain, hash));
            let request = hash.map(|hash| hash.to_string()).unwrap_or_default();
            perform(exchange, envelope, (signer(envelope, digest)?, now), act, &request)
        }
    }
}

fn signer(envelope: &Envelope, digest: Option<B256>) -> Result<Address, Refusal> {
    let (digest, signature) = digest.zip(envelope.signature).ok_or(Refusal::Unrecoverable)?;
    signature::recover(&digest, &signature).ok_or(Refusal::Unrecoverable)
}

fn approve_agent(
    exchange: &Exchange,
    envelope: &Envelope,
    (master, now): (Address, u64),
    approval: &ApproveAgent,
) -> Result<(), Refusal> {
    let rules = exchange.rules();
    let mut book = lock(&exchange.0.book);
    // An agent has no account of its own, independent of the rules on deposits.
    let is_agent = matches!(book.role(master, now), Role::Agent(_));
    if is_agent || (rules.require_deposit && !book.has_deposited(master)) {
        return Err(Refusal::MustDeposit(master));
    }
    // Use the nonce even if the action fails: a client must not rely on the opposite.
    use_nonce(&mut book, master, envelope.nonce, now)?;
    if envelope.vault_address.is_some() {
        return Err(Refusal::VaultMayNot);
    }
    if book.has_pending_removal(master, now) {
        return Err(Refusal::PendingRemoval);
    }
    let change = change(approval, now)?;
    book.apply(master, change, rules.max_named_agents, now)
}

/// Returns the change of the book that an approval requests.
fn change(approval: &ApproveAgent, now: u64) -> Result<Change<'_>, Refusal> {
    let (name, suffix) = split_name(&approval.agent_name);
    if name.chars().count() > LONGEST_NAME {
        return Err(Refusal::NameTooLong);
    }
    if approval.agent_address == Address::ZERO {
        return Ok(Change::Remove { name });
    }
    let valid_until = match suffix {
        None => now + DEFAULT_LIFE_MS,
        // A date with more digits than a u64 is too far in the future as well.
        Some(digits) => digits
            .parse()
            .ok()
            .filter(|date| (now + 1..=now + LONGEST_LIFE_MS).contains(date))
            .ok_or(Refusal::ValidUntilExpired)?,
    };
    Ok(Change::Approve(Approval { name, address: approval.agent_address, valid_until }))
}

/// Splits `bot valid_until 1768319711089` into the name and the digits.
fn split_name(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(" valid_until ") {
        Some((name, date))
            if !date.is_empty() && date.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            (name, Some(date))
        }
        _ => (text, None),
    }
}

fn perform(
    exchange: &Exchange,
    envelope: &Envelope,
    (signer, now): (Address, u64),
    act: &Act,
    request: &str,
) -> Result<Value, Refusal> {
    let mut book = lock(&exchange.0.book);
    let account = match book.role(signer, now) {
        Role::Missing => {
            // Seen live: the error for a recently replaced agent names its master.
            let replaced = book.just_replaced(signer, now);
            return Err(replaced.map_or(Refusal::UnknownSigner(signer), Refusal::MustDeposit));
        }
        Role::User => signer,
        Role::Agent(master) => master,
    };
    use_nonce(&mut book, signer, envelope.nonce, now)?;
    if envelope.expires_after.is_some_and(|expires_after| expires_after < now) {
        return Err(Refusal::ActionExpired);
    }
    if let Some(vault) = envelope.vault_address {
        // Neither vaults nor sub-accounts are simulated.
        return Err(Refusal::UnknownVault(vault));
    }
    let builder = match act {
        Act::Order(orders) => {
            let builder = orders.builder.as_ref().map(|builder| builder.b);
            let approved = builder.map_or(0, |builder| book.builder_fee(account, builder));
            builders::of_orders(approved, orders)?
        }
        _ => None,
    };
    trade::execute(exchange, trade::Sender { account, request, builder, now }, act)
}

/// Uses a nonce: within (now - 2 days, now + 1 day), above the lowest of the signer's 100 highest,
/// and unused.
pub(super) fn use_nonce(
    book: &mut Book,
    signer: Address,
    nonce: u64,
    now: u64,
) -> Result<(), Refusal> {
    let used = book.nonces_of(signer);
    if used.contains(nonce) {
        return Err(Refusal::DuplicateNonce(nonce));
    }
    // Read literally, the lowest counts even before there are 100.
    let lowest = (now.saturating_sub(2 * DAY_MS) + 1).max(used.lowest().unwrap_or(0));
    if nonce < lowest {
        return Err(Refusal::NonceTooLow { nonce, lowest });
    }
    let highest = now + DAY_MS;
    if nonce >= highest {
        return Err(Refusal::NonceTooHigh { nonce, highest });
    }
    used.insert(nonce);
    Ok(())
}
