//! The exchange's words for the state of orders, and its error texts.

use crate::market::{Num, Order, Reject, Status, Tif};

/// Returns the error text of a refused order.
pub(super) fn refusal(reject: Reject, asset: u32) -> String {
    let text = match reject {
        Reject::Margin => "Insufficient margin to place order.",
        Reject::SpotBalance => "Order has insufficient spot balance to trade",
        Reject::ReduceOnly | Reject::ReduceOnlyUsed => "Reduce only order would increase position.",
        Reject::PostOnly { bid, ask } => {
            let (bid, ask) = (bid.text(), ask.text());
            return live(
                &format!("Post only order would have immediately matched, bbo was {bid}@{ask}."),
                asset,
            );
        }
        Reject::NoMatch => "Order could not immediately match against any resting orders.",
        Reject::NoLiquidity => "No liquidity available for market order.",
        Reject::TriggerPrice => "Invalid TP/SL price.",
        // The real text is not published.
        Reject::DuplicateClient => "Order has a duplicate cloid.",
    };
    live(text, asset)
}

/// Returns an error text as seen live: without the final dot, and with the asset.
pub(super) fn live(text: &str, asset: u32) -> String {
    format!("{} asset={asset}", text.trim_end_matches('.'))
}

/// Returns the word for an order's state.
pub(super) fn word(order: &Order) -> &'static str {
    match order.status {
        Status::Waiting | Status::Open => "open",
        Status::Triggered => "triggered",
        Status::Filled => "filled",
        Status::Canceled | Status::Expired | Status::EntryCanceled => "canceled",
        Status::ReduceOnlyCanceled => "reduceOnlyCanceled",
        Status::SiblingFilledCanceled => "siblingFilledCanceled",
        Status::SelfTradeCanceled => "selfTradeCanceled",
        Status::Rejected(reject) => match reject {
            Reject::Margin => "perpMarginRejected",
            Reject::SpotBalance => "insufficientSpotBalanceRejected",
            Reject::ReduceOnly | Reject::ReduceOnlyUsed => "reduceOnlyRejected",
            Reject::PostOnly { .. } => "badAloPxRejected",
            Reject::NoMatch => "iocCancelRejected",
            Reject::NoLiquidity => "marketOrderNoLiquidityRejected",
            Reject::TriggerPrice => "badTriggerPxRejected",
            Reject::DuplicateClient => "rejected",
        },
    }
}

/// Returns the word for a time in force.
pub(super) fn tif(tif: Tif) -> &'static str {
    match tif {
        Tif::Gtc => "Gtc",
        Tif::Ioc | Tif::Fok => "Ioc",
        Tif::PostOnly => "Alo",
    }
}

/// Returns the word for an order's type, and its trigger in words.
pub(super) fn kind(order: &Order) -> (&'static str, String) {
    match order.trigger {
        None if order.words.1 == "FrontendMarket" => ("Market", "N/A".to_owned()),
        None => ("Limit", "N/A".to_owned()),
        Some(trigger) => {
            let kind = match (trigger.profit, trigger.market) {
                (true, true) => "Take Profit Market",
                (true, false) => "Take Profit Limit",
                (false, true) => "Stop Market",
                (false, false) => "Stop Limit",
            };
            let above = order.buy != trigger.profit;
            let side = if above { "above" } else { "below" };
            (kind, format!("Price {side} {}", trigger.price.text()))
        }
    }
}

pub(super) fn side(buy: bool) -> &'static str {
    if buy { "B" } else { "A" }
}

/// Returns a text of a number or zero, in the form of the exchange's responses.
pub(super) fn number(number: Option<Num>) -> String {
    number.unwrap_or_default().dotted()
}
