//! The fingerprint of an order: it decides whether a repeated request is the same order.

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{Amount, Attached, OrderRequest};
use crate::trading::ids::ClientOrderId;

impl OrderRequest {
    /// Returns a fingerprint of the order: equal for two requests of the same order, whatever the
    /// spelling of its numbers and defaults.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let value = |amount: Option<&Amount>| amount.map(|it| it.value().text());
        let attached = |attached: Option<&Attached>| {
            [
                value(attached.map(|it| &it.trigger_price)),
                value(attached.and_then(|it| it.price.as_ref())),
            ]
        };
        let [take_profit, take_profit_price] = attached(self.take_profit.as_ref());
        let [stop_loss, stop_loss_price] = attached(self.stop_loss.as_ref());
        let word = |text: &str| Some(text.to_owned());
        Fingerprint::of(&[
            word("order-1"),
            word(self.symbol.as_str()),
            word(self.side.as_str()),
            word(self.order_type.as_str()),
            value(Some(&self.quantity)),
            value(self.price.as_ref()),
            value(self.trigger_price.as_ref()),
            self.time_in_force.map(|it| it.as_str().to_owned()),
            word(if self.reduce_only { "reduce" } else { "" }),
            word(self.position_side.as_str()),
            take_profit,
            take_profit_price,
            stop_loss,
            stop_loss_price,
            value(self.slippage.as_ref()),
        ])
    }
}

/// A SHA-256 in hex that identifies the content of an order or of a batch.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Hashes fields in their order. Each is preceded by its length, and a missing one differs from
    /// an empty one.
    pub(super) fn of(fields: &[Option<String>]) -> Self {
        let mut hash = Context::new(&SHA256);
        for field in fields {
            let length = field.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            hash.update(&length.to_be_bytes());
            hash.update(field.as_deref().unwrap_or_default().as_bytes());
        }
        Self(hex::encode(hash.finish()))
    }

    /// Returns the fingerprint of the unit that is sent with one nonce: the order's own if it is
    /// single, otherwise one of all orders in their sequence with their ids.
    #[must_use]
    pub fn of_unit(orders: &[(ClientOrderId, Self)]) -> Self {
        if let [(_, only)] = orders {
            return only.clone();
        }
        let fields = orders.iter().flat_map(|(id, order)| [id.as_str(), order.as_str()]);
        let fields = ["unit-1"].into_iter().chain(fields);
        Self::of(&fields.map(|field| Some(field.to_owned())).collect::<Vec<_>>())
    }

    /// Returns 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
