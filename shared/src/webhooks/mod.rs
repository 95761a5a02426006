//! Webhooks: what a tenant is told of its wallets and credentials, and how it is sent.
//!
//! | file | holds |
//! | --- | --- |
//! | `event`, `payload` | events: types, ids, what each says |
//! | `changes` | from a change of the wallets' table to its events |
//! | `publish` | keeps an event and queues it for each webhook that wants it |
//! | `queue` | the queue of deliveries |
//! | `secret` | a webhook's signing secret, and the signature |
//! | `target` | where may be sent, and where never |
//! | `deliver` | sends, and decides when the next attempt is |
//! | `endpoints`, `replay` | a tenant's webhooks, as the API works on them |

mod changes;
mod deliver;
mod endpoints;
mod event;
mod payload;
mod publish;
mod queue;
mod replay;
mod secret;
mod target;

pub use crate::events::{Event, EventId, EventType};
pub use crate::store::MAX_URL;
pub use changes::{Change, Images};
pub use deliver::{Attempt, Deliverer, MAX_ATTEMPTS, backoff_s};
pub use endpoints::{CreateWebhookError, DeleteWebhookError, NewWebhook, Webhooks};
pub use payload::{
    CredentialActive, CredentialDrift, CredentialExpiring, CredentialRenewed, CredentialRevoked,
    DriftEntry, EventBody, WalletCreated,
};
pub use publish::{Known, PublishError, Publisher};
pub use queue::{Deliveries, Delivery, QueueError};
pub use replay::{MAX_REPLAYED, Replay, ReplayError, Replayed, Replayer};
pub use secret::{Secret, SecretError};
pub use target::{Lookup, Targets, is_public};
