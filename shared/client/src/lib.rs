//! A client of the HTTP API of HyperDEX Keys: wallets, signatures, trading keys of exchanges and
//! orders, with types for requests and responses.
//!
//! Each operation of the OpenAPI document (`docs/openapi.json`) has a method of [`Client`]; a test
//! compares the two. The crate does not link the service's crates.
//!
//! ```no_run
//! use hyperdex_client::{Client, Code, Secret};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let key = Secret::new(std::env::var("HYPERDEX_API_KEY")?);
//! let client = Client::new("https://abc123.execute-api.eu-central-1.amazonaws.com/v1", &key)?;
//!
//! let wallet = client.create_wallet("user_123").await?;
//! println!("{} has {}", wallet.user_id, wallet.address);
//!
//! match client.register_hyperliquid("user_123").await {
//!     Ok(key) => {
//!         // Returned once. Its `Debug` output, and that of the whole response, hide it.
//!         let secret = key.api_private_key.as_ref().map(Secret::expose);
//!         println!("the API wallet is {}, a key came: {}", key.api_wallet_address, secret.is_some());
//!     }
//!     Err(error) if error.code() == Some(&Code::DepositRequired) => println!("{error}"),
//!     Err(error) => return Err(error.into()),
//! }
//!
//! let mut wallets = client.all_wallets(100);
//! while let Some(wallet) = wallets.next().await {
//!     println!("{}", wallet?.user_id);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Retries
//!
//! The client gives every `POST` and `DELETE` an `Idempotency-Key`, except calls that change or
//! cancel orders, which can be sent again. It retries a call whose
//! response was lost, or that the service asks to send later, with the same key, so the call takes
//! effect once; see [`Retry`]. The error of a failed call has its key
//! ([`Error::idempotency_key`]); [`Client::with_key`] retries under that key.

mod account_calls;
mod accounts;
mod answer;
mod calls;
mod client;
mod code;
mod error;
mod health;
mod lighter;
mod orders;
mod pages;
mod payments;
mod policy;
mod requests;
mod retry;
mod secret;
mod send;
mod tenant_keys;
mod trading;
mod webhooks;

pub use accounts::{
    AsterPosition, Balance, Balances, Close, Direction, ExchangeRead, Fill, FillPage, Fills,
    Leverage, Listed, MarginMode, PastOrder, Position, Positions,
};
pub use answer::{
    AgentKey, AgentRole, Agents, Answer, ApiKey, AsterKey, AsterRotation, Drift, DriftEntry,
    Exchange, Guidance, HyperliquidKey, HyperliquidRotation, ListedAgent, ListedWallet, Revoked,
    Signed, State, Wallet, WalletsPage,
};
pub use client::{Builder, Client, SetupError};
pub use code::Code;
pub use error::{Error, ErrorKind, Refusal};
pub use health::Health;
pub use lighter::{DeletedLighterKey, LighterAccess, LighterAccount, LighterKey, StoredLighterKey};
pub use orders::{
    Attached, AttachedOrder, BatchEntry, CanceledOrders, NewOrder, OpenOrders, Order, OrderBatch,
    OrderList, OrderStatus, OrderType, Placed, Placement, PositionSide, Problem, Side, TimeInForce,
};
pub use pages::Wallets;
pub use payments::{
    AsterWithdrawal, HyperliquidTransfer, HyperliquidWithdrawal, Paid, Payment, PaymentArrival,
    PaymentQuote, PaymentRefusal, PaymentTerms, PaymentVerdict, TokenTransfer,
};
pub use policy::{
    Approver, Authority, CountedPayment, PaymentCap, PaymentDestination, PaymentLimit,
    PaymentPolicy, PaymentReport, PermittedExport, PolicyApproval, PolicyChange, PolicyChangeText,
    Proposed, ReceivedApproval, SignedTerms, WebAuthnOrigin,
};
pub use requests::{DeleteApiKey, Elsewhere, IdempotencyKey, RegisterApiKey};
pub use retry::{Clock, Retry};
pub use secret::Secret;
pub use tenant_keys::{
    NewTenantKey, Scope, TenantKey, TenantKeyMade, TenantKeyRevoked, TenantKeys,
};
pub use trading::{PendingLimits, TradingLimits, TradingPolicy};
pub use webhooks::{
    Delivery, DeliveryPage, EventType, NewWebhook, Replay, Replayed, Webhook, WebhookChange,
    WebhookChanged, WebhookDeleted, WebhookFailure, WebhookMade, WebhookTested, Webhooks,
};
