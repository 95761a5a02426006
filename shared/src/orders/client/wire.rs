//! The wires of the exchanges behind one set of calls. Each call sends one request.

use domain::clock::Clock;
use domain::eth::Address;
use domain::ids::Exchange;
use lighter_signer::Action as LighterAction;

use super::call::{
    Asker, Cancelled, Changed, Entry, LookupId, Outgoing, SentOrder, Unsigned, entry_of,
};
use crate::exchanges::Unclear;
use crate::exchanges::aster::trade as aster;
use crate::exchanges::aster::trade::params::Params;
use crate::exchanges::aster::trade::read::AskError;
use crate::exchanges::hyperliquid::trade as hyperliquid;
use crate::exchanges::hyperliquid::trade::action::{self, Action, Cloid};
use crate::exchanges::hyperliquid::trade::answer::{
    CancelOutcome, ModifyOutcome, NonceUse, Sender,
};
use crate::exchanges::lighter::trade as lighter;
use crate::exchanges::trade::{ExchangeOrder, Fence, Found, Sent, Unresolved};
use crate::orders::TradeError;
use crate::orders::access::SigningKey;
use crate::store::{SentMethod, StoredSymbol, Submission, SubmissionKind};
use crate::trading::ids::ClientOrderId;

/// Added to the expiry of bytes until they count as dead, in milliseconds: the difference of the
/// clocks that is not measured, and time inside the exchange.
const MARGIN_MS: u64 = 5_000;

/// The largest difference of the clocks that counts, in milliseconds. With a clock that is further
/// ahead, both exchanges refuse every nonce, so no bytes can execute.
const MAX_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;

/// The longest documented time for which Aster accepts a nonce, in milliseconds.
const ASTER_WINDOW_MS: u64 = 60_000;

/// Added to it, in milliseconds.
const ASTER_MARGIN_MS: u64 = 15_000;

/// A client of one exchange's trading API.
#[derive(Clone, Debug)]
pub(in crate::orders) enum Wire {
    /// Aster.
    Aster(aster::Client),
    /// Hyperliquid.
    Hyperliquid(hyperliquid::Client),
    /// Lighter.
    Lighter(lighter::Client),
}

/// Converts the value of an accepted call.
fn accepted<T, U>(sent: Sent<T>, convert: impl FnOnce(T) -> U) -> Sent<U> {
    match sent {
        Sent::Accepted(value) => Sent::Accepted(convert(value)),
        Sent::Refused(refusal) => Sent::Refused(refusal),
        Sent::NotSent(cause) => Sent::NotSent(cause),
        Sent::Unknown(unresolved) => Sent::Unknown(unresolved),
    }
}

/// Returns the outcome of stored bytes that are not of this exchange, or are damaged.
fn unusable<T>() -> Sent<T> {
    Sent::Unknown(Unclear::BadAnswer("the stored bytes are not a call".to_owned()).into())
}

/// Returns the reason why the nonce of stored bytes is not used: a later one on Lighter does not prove
/// that they have not executed, and their expiry ends them soon.
fn no_fence() -> Unresolved {
    Unclear::BadAnswer("the exchange ends these bytes by their expiry".to_owned()).into()
}

/// Returns the number of a market on Lighter.
pub(in crate::orders) fn market_index(symbol: &StoredSymbol) -> Result<u16, TradeError> {
    let asset = symbol.asset.and_then(|asset| u16::try_from(asset).ok());
    asset.ok_or(TradeError::DamagedOrder("no market"))
}

impl Wire {
    pub(in crate::orders) const fn exchange(&self) -> Exchange {
        match self {
            Self::Aster(_) => Exchange::Aster,
            Self::Hyperliquid(_) => Exchange::Hyperliquid,
            Self::Lighter(_) => Exchange::Lighter,
        }
    }

    /// Returns how far the local clock was ahead of the exchange's at its last response, in
    /// milliseconds.
    pub(in crate::orders) fn skew_ms(&self) -> i64 {
        match self {
            Self::Aster(client) => client.skew_ms(),
            Self::Hyperliquid(client) => client.skew_ms(),
            Self::Lighter(client) => client.skew_ms(),
        }
    }

    /// Returns how far the local clock was ahead of the exchange's, in milliseconds.
    fn ahead_ms(&self) -> u64 {
        u64::try_from(self.skew_ms()).unwrap_or(0).min(MAX_AHEAD_MS)
    }

    /// Signs a call, and returns the bytes to store.
    pub(in crate::orders) fn sign(
        &self,
        call: &Unsigned,
        kind: SubmissionKind,
        nonce: u64,
        asker: (Address, &SigningKey),
        members: Vec<ClientOrderId>,
        clock: &Clock,
    ) -> Result<Submission, TradeError> {
        let (user, key) = asker;
        let now_ms = clock.now_ms();
        let mut hash = None;
        let (method, path, body, expires_at_ms, final_at_ms) = match (self, call) {
            (Self::Hyperliquid(client), Unsigned::Hyperliquid(action)) => {
                let signed = client.sign(action, nonce, key.agent()?)?;
                let expires_at_ms = signed.expires_after_ms.unwrap_or(now_ms);
                // By the local clock, which may be ahead of the exchange's.
                let final_at_ms = expires_at_ms + self.ahead_ms() + MARGIN_MS;
                let path = hyperliquid::Client::PATH.to_owned();
                (SentMethod::Post, path, signed.body, expires_at_ms, final_at_ms)
            }
            (Self::Lighter(client), Unsigned::Lighter(action)) => {
                let signed = client.sign(key.caller()?, action.clone(), nonce)?;
                hash = Some(signed.hash);
                let expires_at_ms = signed.expires_at_ms;
                let final_at_ms = expires_at_ms + self.ahead_ms() + MARGIN_MS;
                let path = lighter::Client::PATH.to_owned();
                (SentMethod::Post, path, signed.body, expires_at_ms, final_at_ms)
            }
            (Self::Aster(client), Unsigned::Aster(call, params)) => {
                let reader = aster::Reader { user, key: key.agent()? };
                let signed = client.sign(*call, params, nonce, reader)?;
                let method = match call.method() {
                    aster::Method::Put => SentMethod::Put,
                    _ => SentMethod::Post,
                };
                let expires_at_ms = nonce / 1_000 + ASTER_WINDOW_MS;
                // A local clock that is ahead sees the end of the exchange's window too early.
                let final_at_ms = expires_at_ms + ASTER_MARGIN_MS + self.ahead_ms();
                let (path, body) = (call.path().to_owned(), signed.text().to_owned());
                (method, path, body, expires_at_ms, final_at_ms)
            }
            _ => return Err(TradeError::DamagedOrder("a call of another exchange")),
        };
        let agent = key.address()?;
        let fenced = false;
        Ok(Submission {
            kind,
            agent,
            nonce,
            method,
            path,
            body,
            expires_at_ms,
            final_at_ms,
            members,
            fenced,
            hash,
            stated_hash: None,
        })
    }

    /// Sends the bytes that place orders. Returns one entry for each order.
    pub(super) async fn place(&self, out: Outgoing<'_>) -> Sent<Vec<Entry>> {
        match self {
            Self::Hyperliquid(client) => {
                let cloids: Vec<_> =
                    out.orders.iter().map(|order| Cloid::parse(&order.client_id)).collect();
                let sent = client.place(&out.submission.body, &cloids, out.sender()).await;
                accepted(sent, |entries| entries.into_iter().map(Entry::from).collect())
            }
            Self::Aster(client) => {
                let Some(signed) = out.aster_bytes() else { return unusable() };
                let expected: Vec<_> = out.orders.iter().map(SentOrder::expected).collect();
                match (signed.call, expected.as_slice()) {
                    (aster::Call::Order, [only]) => {
                        let sent = client.place(&signed, *only).await;
                        accepted(sent, |order| vec![entry_of(&order)])
                    }
                    (aster::Call::BatchOrders, all) => {
                        let sent = client.place_batch(&signed, all).await;
                        accepted(sent, |entries| entries.into_iter().map(Entry::from).collect())
                    }
                    _ => unusable(),
                }
            }
            Self::Lighter(client) => {
                // The exchange has taken the transaction. What becomes of it is asked by its hash.
                let sent = client.send_stored(out.submission).await;
                accepted(sent, |hash| {
                    out.orders.iter().map(|_| Entry::Taken(hash.clone())).collect()
                })
            }
        }
    }

    /// Sends the bytes that change an order.
    pub(super) async fn change(&self, out: Outgoing<'_>) -> Sent<Changed> {
        let [order] = out.orders else { return unusable() };
        match self {
            Self::Hyperliquid(client) => {
                let cloid = Cloid::parse(&order.client_id);
                let sent = client.modify(&out.submission.body, cloid, out.sender()).await;
                accepted(sent, |outcome| match outcome {
                    ModifyOutcome::Replaced(placed) => Changed::Made(placed),
                    ModifyOutcome::Refused(refusal) => Changed::Refused(refusal),
                    ModifyOutcome::Lost(refusal) => Changed::Lost(refusal),
                })
            }
            Self::Aster(client) => {
                let Some(signed) = out.aster_bytes() else { return unusable() };
                let sent = client.change(&signed, &order.symbol).await;
                accepted(sent, |order| Changed::Made(order.as_ref().into()))
            }
            Self::Lighter(client) => {
                accepted(client.send_stored(out.submission).await, Changed::Taken)
            }
        }
    }

    /// Uses the nonce of stored bytes, so that they can no longer execute. The agent that signed
    /// them must sign this, too.
    pub(super) async fn fence(
        &self,
        nonce: u64,
        wallet: Address,
        key: &SigningKey,
    ) -> Result<Fence, Unresolved> {
        let Ok(agent) = key.agent() else { return Err(no_fence()) };
        match self {
            Self::Hyperliquid(client) => match client.fence(nonce, agent).await {
                NonceUse::Used(fence) => Ok(fence),
                NonceUse::Unknown(unresolved) => Err(unresolved),
            },
            Self::Aster(client) => {
                client.fence(nonce, aster::Reader { user: wallet, key: agent }).await
            }
            Self::Lighter(_) => Err(no_fence()),
        }
    }

    /// Looks up an order. An id that the exchange cannot have is not asked for.
    pub(super) async fn look_up(
        &self,
        asker: Asker<'_>,
        symbol: &str,
        id: LookupId<'_>,
    ) -> Result<Found, AskError> {
        match self {
            Self::Hyperliquid(client) => match id.of_hyperliquid() {
                Some(id) => Ok(client.look_up(asker.wallet, id).await?),
                None => Ok(Found::Nothing),
            },
            Self::Aster(client) => client.look_up(asker.reader()?, symbol, id.of_aster()).await,
            Self::Lighter(client) => match id.of_lighter() {
                Some(index) => client.look_up(index).await,
                None => Ok(Found::Nothing),
            },
        }
    }

    /// Reads open orders: of a market or of all markets, on Hyperliquid of a DEX.
    pub(super) async fn open_orders(
        &self,
        asker: Asker<'_>,
        within: Option<&str>,
    ) -> Result<Vec<ExchangeOrder>, AskError> {
        match self {
            Self::Hyperliquid(client) => {
                Ok(client.open_orders(asker.wallet, within.unwrap_or_default()).await?)
            }
            Self::Aster(client) => client.open_orders(asker.reader()?, within).await,
            Self::Lighter(client) => client.open_orders(within).await,
        }
    }

    /// Signs and sends the cancellation of one order.
    pub(super) async fn cancel(
        &self,
        nonce: u64,
        (user, key): (Address, &SigningKey),
        symbol: &StoredSymbol,
        id: LookupId<'_>,
    ) -> Result<Sent<Cancelled>, TradeError> {
        match self {
            Self::Hyperliquid(client) => {
                let asset = symbol.asset.ok_or(TradeError::DamagedOrder("no asset"))?;
                let action = match id.of_hyperliquid() {
                    Some(action::OrderId::Exchange(order_id)) => {
                        Action::Cancel(vec![action::Cancel { asset, order_id }])
                    }
                    Some(action::OrderId::Client(cloid)) => {
                        Action::CancelByCloid(vec![action::CancelByCloid { asset, cloid }])
                    }
                    None => return Err(TradeError::DamagedOrder("no id of the exchange")),
                };
                let key = key.agent()?;
                let signed = client.sign(&action, nonce, key)?;
                let sender = Sender { wallet: user, agent: key.address(), is_first: true };
                let sent = client.cancel(&signed.body, 1, sender).await;
                Ok(accepted(sent, |mut outcomes| match outcomes.pop() {
                    Some(CancelOutcome::Refused(refusal)) => Cancelled::Refused(refusal),
                    Some(CancelOutcome::Cancelled) | None => Cancelled::Done(None),
                }))
            }
            Self::Aster(client) => {
                let params = Params::of_order(&symbol.name, id.of_aster());
                let reader = aster::Reader { user, key: key.agent()? };
                let signed = client.sign(aster::Call::Cancel, &params, nonce, reader)?;
                let sent = client.change(&signed, &symbol.name).await;
                Ok(accepted(sent, |order| Cancelled::Done(Some(order))))
            }
            Self::Lighter(client) => {
                let damaged = || TradeError::DamagedOrder("no id of the exchange");
                let index = id.of_lighter().ok_or_else(damaged)?;
                let market_index = market_index(symbol)?;
                let action = LighterAction::CancelOrder { market_index, index };
                let signed = client.sign(key.caller()?, action, nonce)?;
                let sent = client.send(&signed.body, &signed.hash).await;
                Ok(accepted(sent, Cancelled::Taken))
            }
        }
    }
}
