//! The orders of a request, before their markets are known.

use super::super::TradeError;
use super::super::plan::Named;
use super::super::view::OrderToPlace;
use crate::orders::Trader;
use crate::store::{TradingAccount, TradingView};
use crate::trading::ids::{ClientOrderId, OrderKey};
use crate::trading::order::{CloseRequest, Fingerprint, OrderRequest, SymbolText, check_batch};

/// What an order is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::orders) enum Content {
    /// It is as the caller wrote it.
    Order(OrderRequest),
    /// It closes a position, from which its side and its quantity follow when it is signed.
    Close(CloseRequest),
}

/// An order of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::orders) struct Wanted {
    /// The caller's id.
    pub(in crate::orders) id: ClientOrderId,
    /// The key of its record.
    pub(in crate::orders) key: OrderKey,
    /// The content of the request, which a repeat must have too.
    pub(in crate::orders) fingerprint: Fingerprint,
    /// What it is to do.
    pub(in crate::orders) content: Content,
}

/// The orders of a request.
#[derive(Clone, Debug)]
pub(in crate::orders) struct Batch {
    pub(in crate::orders) orders: Vec<Wanted>,
    pub(in crate::orders) unit: Fingerprint,
}

impl Batch {
    pub(super) fn new(
        account: &TradingAccount,
        orders: &[(ClientOrderId, &OrderToPlace)],
    ) -> Result<Self, TradeError> {
        let pairs: Vec<_> =
            orders.iter().map(|(id, order)| (id.clone(), order.request.clone())).collect();
        check_batch(account.exchange, &pairs)?;
        let wanted = pairs.into_iter().map(|(id, request)| {
            let (key, fingerprint) = (account.order_key(&id), request.fingerprint());
            Wanted { id, key, fingerprint, content: Content::Order(request) }
        });
        let orders: Vec<_> = wanted.collect();
        let contents: Vec<_> =
            orders.iter().map(|it| (it.id.clone(), it.fingerprint.clone())).collect();
        Ok(Self { unit: Fingerprint::of_unit(&contents), orders })
    }

    /// Makes the batch of one order that closes a position.
    pub(in crate::orders) fn closing(
        account: &TradingAccount,
        id: ClientOrderId,
        request: CloseRequest,
    ) -> Self {
        let (key, fingerprint) = (account.order_key(&id), request.fingerprint());
        let unit = fingerprint.clone();
        let orders = vec![Wanted { id, key, fingerprint, content: Content::Close(request) }];
        Self { orders, unit }
    }
}

impl Wanted {
    pub(super) const fn symbol(&self) -> &SymbolText {
        match &self.content {
            Content::Order(request) => &request.symbol,
            Content::Close(request) => request.symbol(),
        }
    }
}

impl Trader {
    /// Returns the orders at these indices. The position of one that closes a position is read now.
    pub(super) async fn named(
        &self,
        account: &TradingAccount,
        view: &TradingView,
        batch: &Batch,
        indices: &[usize],
    ) -> Result<Vec<Named>, TradeError> {
        let mut named = Vec::with_capacity(indices.len());
        for index in indices.iter().copied() {
            let Some(wanted) = batch.orders.get(index) else { continue };
            let Wanted { id, key, fingerprint, content } = wanted.clone();
            let (request, whole) = match content {
                Content::Order(request) if request.quantity.value().is_zero() => {
                    self.sized(account, view, request).await?
                }
                Content::Order(request) => (request, None),
                Content::Close(close) => self.closing_order(account, view, &close).await?,
            };
            named.push(Named { index, id, key, request, whole, fingerprint });
        }
        Ok(named)
    }
}
