//! Compares the records of payments and exports with the policy chain.

use domain::eth::Address;
use domain::money::Payment;
use domain::policy::{GENESIS, Venue};
use protocol::recovery::SealingKey;

use super::AllowedPayment;
use super::payments::ExportedHalf;
use crate::policy_chain::{CALL_MS, History, State};

/// Checks a payment's record against the tenant's policy: the policy was the newest one, allowed the
/// destination and had limits that cover each counted amount.
///
/// # Errors
/// Returns what the chain does not confirm.
pub(super) fn covers(
    history: Option<&History>,
    allowed: &AllowedPayment,
    at_ms: u64,
) -> Result<(), String> {
    let named = (allowed.policy_seq, allowed.policy_hash.as_str());
    let state = state_at(history, named, at_ms)?;
    if state.frozen && !allowed.payment.is_cancellation() {
        return Err("payments were frozen".to_owned());
    }
    covers_receiver(&state, allowed, at_ms)?;
    covers_charges(&state, allowed)
}

/// Checks the record of an export: the policy was the newest one, and allowed this export.
///
/// # Errors
/// Returns what the chain does not confirm.
pub(super) fn covers_export(
    history: Option<&History>,
    exported: &ExportedHalf,
) -> Result<(), String> {
    let ExportedHalf { at_ms, key, change, recipient, policy: (seq, hash), .. } = exported;
    let state = state_at(history, (*seq, hash), *at_ms)?;
    if state.frozen {
        return Err("the policy was frozen".to_owned());
    }
    let known = state.exports.iter().find(|known| known.change == *change);
    let known = known.filter(|known| !known.has_ended(*at_ms));
    let export = &known.ok_or_else(|| format!("change {change} was not in effect"))?.export;
    if (export.wallet_id, export.share_version) != (key.wallet_id, key.key_version) {
        return Err(format!("change {change} allows the export of another share"));
    }
    match export.recipient.parse::<SealingKey>() {
        Ok(allowed) if allowed.id() == *recipient => Ok(()),
        _ => Err(format!("change {change} names another recipient")),
    }
}

/// Returns the policy in effect at this time, if its last record is the named one.
fn state_at(
    history: Option<&History>,
    (seq, hash): (u64, &str),
    at_ms: u64,
) -> Result<State, String> {
    // A record is written on the condition that the policy's last record is the one that it names.
    let after = history.and_then(|history| history.range(seq.saturating_add(1)..).next());
    if let Some((next, (next_ms, _))) = after
        && next_ms.saturating_add(CALL_MS) < at_ms
    {
        return Err(format!("policy record {next} came before"));
    }
    let named = history.and_then(|history| history.get(&seq));
    match named.map(|(_, chain)| chain).filter(|chain| chain.hash == hash) {
        Some(chain) => Ok(chain.at(at_ms).state),
        None if seq == 0 && hash == GENESIS => Ok(State::default()),
        None => Err(format!("policy record {seq} does not exist")),
    }
}

/// Returns the address that receives a payment, and whether a venue is that of its destination. The
/// chain of a withdrawal from Hyperliquid is in the policy document only.
fn receiver(payment: &Payment) -> Option<(Address, impl Fn(Venue) -> bool + use<>)> {
    let (address, venue) = match payment {
        Payment::HyperliquidWithdraw(payment) => (payment.destination, None),
        Payment::HyperliquidSendAsset(payment) => (payment.destination, Some(Venue::Hyperliquid)),
        Payment::EvmTokenTransfer(transfer) if !transfer.is_cancellation() => {
            (transfer.destination, Some(Venue::Evm(transfer.chain_id)))
        }
        Payment::EvmTokenTransfer(_)
        | Payment::HyperliquidMoveOwn(_)
        | Payment::AsterWithdraw(_) => return None,
    };
    let fits = move |found: Venue| match venue {
        Some(venue) => found == venue,
        None => matches!(found, Venue::Evm(_)),
    };
    Some((address, fits))
}

fn covers_receiver(state: &State, allowed: &AllowedPayment, at_ms: u64) -> Result<(), String> {
    let (change, receiver) = (allowed.destination_change, receiver(&allowed.payment));
    let (change, address, fits) = match (change, receiver) {
        (None, None) => return Ok(()),
        (Some(change), Some((address, fits))) => (change, address, fits),
        (None, Some(_)) => return Err("it names no destination".to_owned()),
        (Some(_), None) => return Err("it names a destination, and has none".to_owned()),
    };
    let listed = state.destinations.iter().find(|known| known.change == change);
    let Some(listed) = listed.filter(|listed| listed.active_from_ms <= at_ms) else {
        return Err(format!("change {change} was not in effect"));
    };
    let destination = &listed.destination;
    if destination.address != address || !fits(destination.venue) {
        return Err(format!("change {change} lists another destination"));
    }
    let amount = allowed.charges.first().map(|charge| charge.amount);
    match (destination.per_payment, amount) {
        (Some(most), Some(amount)) if amount > most => {
            Err(format!("it exceeds the amount of one payment of change {change}"))
        }
        _ => Ok(()),
    }
}

/// Checks each counted amount against its limit. The sum of several payments is not checked.
fn covers_charges(state: &State, allowed: &AllowedPayment) -> Result<(), String> {
    let AllowedPayment { payment, charges, limit_changes, replaces, .. } = allowed;
    if charges.len() != limit_changes.len() {
        return Err("it does not name the limit of each counted amount".to_owned());
    }
    let is_own = matches!(payment, Payment::HyperliquidMoveOwn(_));
    let is_replacement = replaces.is_some() && matches!(payment, Payment::EvmTokenTransfer(_));
    let counts = charges.first().is_some_and(|charge| charge.amount >= payment.amount());
    if !is_own && (charges.is_empty() || (!counts && !is_replacement)) {
        return Err("it does not count its amount".to_owned());
    }
    for (charge, change) in charges.iter().zip(limit_changes) {
        let active = state.limits.iter().find(|known| known.change == *change);
        let active = active.ok_or_else(|| format!("change {change} was not in effect"))?;
        let limit = &active.limit;
        if limit.asset != charge.asset {
            return Err(format!("change {change} limits another asset"));
        }
        let exceeds = [limit.wallet, limit.tenant]
            .into_iter()
            .any(|cap| charge.amount > cap.amount || charge.payments > cap.payments);
        if exceeds {
            return Err(format!("it exceeds the limit of change {change}"));
        }
    }
    Ok(())
}
