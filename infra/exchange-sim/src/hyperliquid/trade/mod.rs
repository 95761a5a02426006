//! Trading on the simulated Hyperliquid: orders, cancels, changes, and reads.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::{Exchange, refusal::Refusal};
use crate::lock;
use crate::market::{Engine, Num, Side};

pub(super) mod accounts;
pub(super) mod markets;
mod orders;
pub(super) mod reads;
mod steer;
pub(super) mod wire;
mod words;

pub(super) use orders::Sender;
use orders::{by_asset, find};
use wire::{Act, IsolatedMargin, Leverage, OrderName};

/// Funds of an account that deposited without an amount, in dollars: for perpetuals and as spot.
const FIRST_DEPOSIT: Num = Num::whole(10_000);

/// Pockets of [`FIRST_DEPOSIT`].
const FIRST_POCKETS: [&str; 2] = ["perp:", "spot:USDC"];

/// Creates the account of a trader if it is missing, with the funds of a first deposit.
pub(super) fn fund(engine: &mut Engine, account: Address) {
    if engine.account(account).is_none() {
        for pocket in FIRST_POCKETS {
            engine.credit(account, pocket, FIRST_DEPOSIT);
        }
    }
}

/// Executes an action of an account.
///
/// # Errors
///
/// Returns the error of the whole action.
pub(super) fn execute(
    exchange: &Exchange,
    sender: Sender<'_>,
    act: &Act,
) -> Result<Value, Refusal> {
    let Sender { account, now, .. } = sender;
    let mut engine = lock(&exchange.0.engine);
    fund(&mut engine, account);
    let result = apply(&mut engine, sender, act);
    let batch = u64::try_from(act.batch()).unwrap_or(u64::MAX);
    engine.account_mut(account).actions += batch;
    engine.commit(now);
    result
}

fn apply(engine: &mut Engine, sender: Sender<'_>, act: &Act) -> Result<Value, Refusal> {
    let Sender { account, now, .. } = sender;
    let statuses = |kind: &str, statuses: Vec<Value>| {
        Ok(json!({"type": kind, "data": {"statuses": statuses}}))
    };
    let done = || Ok(json!({"type": "default"}));
    let failed = |text: &str| Err(Refusal::Other(text.to_owned()));
    match act {
        Act::Noop => done(),
        Act::Order(action) => statuses("order", orders::place(engine, sender, action)),
        Act::Cancel(action) => {
            let entries = action.cancels.iter();
            let cancel = |(asset, oid)| cancel(engine, account, asset, &OrderName::Oid(oid), now);
            statuses("cancel", entries.map(|it| (it.a, it.o)).map(cancel).collect())
        }
        Act::CancelByCloid(action) => {
            let entries = action.cancels.iter();
            let names = entries.map(|it| (it.asset, OrderName::Cloid(it.cloid.clone())));
            let cancel = |(asset, name)| cancel(engine, account, asset, &name, now);
            statuses("cancel", names.map(cancel).collect())
        }
        Act::Modify(action) => {
            let (name, order) = (&action.oid, &action.order);
            match orders::modify_one(engine, sender, name, order, action.a) {
                Ok(_) => done(),
                Err(text) => failed(&text),
            }
        }
        Act::BatchModify(action) => statuses("order", orders::modify(engine, sender, action)),
        Act::UpdateLeverage(action) => update_leverage(engine, account, action),
        Act::UpdateIsolatedMargin(action) => update_isolated_margin(engine, account, action),
        Act::ScheduleCancel(_) => failed(
            "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. \
             Traded: $0",
        ),
        // Not simulated: every order is too small.
        Act::TwapOrder(_) => {
            let text = "TWAP order value too small. Min is $1200, which is $10 per minute.";
            Ok(json!({"type": "twapOrder", "data": {"status": {"error": text}}}))
        }
        Act::TwapCancel(_) => {
            let text = "TWAP was never placed, already canceled, or filled.";
            Ok(json!({"type": "twapCancel", "data": {"status": {"error": text}}}))
        }
        Act::AgentSendAsset(action) if action.destination != account => {
            failed("Agent can only send asset to same user or their sub-accounts.")
        }
        // Not simulated: no pocket has the amount.
        Act::AgentSendAsset(_) => failed("Insufficient balance for token transfer"),
    }
}

/// Cancels one order, and returns its entry of `statuses`. It must be of the asset named.
fn cancel(engine: &mut Engine, account: Address, asset: u32, name: &OrderName, now: u64) -> Value {
    let market = by_asset(engine, asset).map(|spec| spec.name);
    let found = match name {
        OrderName::Oid(_) => find(engine, account, name),
        // Only open orders have unique ids.
        OrderName::Cloid(cloid) => engine.open_of_client(account, &cloid.to_lowercase()),
    };
    let oid = found.filter(|it| Some(it.market.as_str()) == market).map(|it| it.oid);
    if oid.is_some_and(|oid| engine.cancel(oid, now)) {
        return json!("success");
    }
    let text = "Order was never placed, already canceled, or filled.";
    json!({"error": words::live(text, asset)})
}

fn update_leverage(
    engine: &mut Engine,
    account: Address,
    action: &Leverage,
) -> Result<Value, Refusal> {
    // The real texts for an unknown asset and an invalid leverage are not published.
    let spec = by_asset(engine, action.asset).filter(|spec| spec.base.is_none());
    let spec = spec.ok_or_else(|| Refusal::Other("Invalid asset.".to_owned()))?;
    let failed = |text: &str| Err(Refusal::Other(text.to_owned()));
    if action.leverage == 0 || action.leverage > spec.max_leverage {
        return failed("Invalid leverage value");
    }
    if spec.only_isolated && action.is_cross {
        return failed("Cross margin is not allowed for this asset.");
    }
    let known = engine.account(account);
    let held = known.is_some_and(|known| known.position(spec.name, Side::Both).is_some());
    let cross = engine.leverage(account, &spec).1;
    if held && cross != action.is_cross {
        return failed("Cannot switch leverage type with open position.");
    }
    if !engine.covers_leverage(account, &spec, action.leverage) {
        let kind = if cross { "Cross" } else { "Isolated" };
        return failed(&format!(
            "{kind} position does not have sufficient margin available to decrease leverage."
        ));
    }
    engine.set_leverage(account, &spec, action.leverage, action.is_cross);
    Ok(json!({"type": "default"}))
}

fn update_isolated_margin(
    engine: &mut Engine,
    account: Address,
    action: &IsolatedMargin,
) -> Result<Value, Refusal> {
    let spec = by_asset(engine, action.asset).filter(|spec| spec.base.is_none());
    let spec = spec.ok_or_else(|| Refusal::Other("Invalid asset.".to_owned()))?;
    if engine.account(account).is_none_or(|known| known.leverage(&spec).1) {
        let text = "Position does not use isolated margin.";
        return Err(Refusal::Other(text.to_owned()));
    }
    // Millionths of a dollar.
    let amount = Num::units(i128::from(action.ntli) * 100);
    if engine.add_margin(account, &spec, Side::Both, amount) {
        Ok(json!({"type": "default"}))
    } else {
        Err(Refusal::Other("Insufficient margin to adjust position.".to_owned()))
    }
}
