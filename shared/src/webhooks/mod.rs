//! Webhooks: events about a tenant's wallets, credentials and orders, and their delivery.
//!
//! | file | holds |
//! | --- | --- |
//! | `event`, `payload` | events: types, ids, contents |
//! | `changes`, `order` | derive events from a change of the wallets' table |
//! | `publish` | stores an event and queues it for each subscribed webhook |
//! | `queue` | the queue of deliveries |
//! | `secret` | a webhook's signing secret, and the signature |
//! | `target` | the allowed destinations |
//! | `deliver` | sends, and decides about the next attempt |
//! | `endpoints`, `replay`, `test` | the operations of the API on a tenant's webhooks |

mod changes;
mod deliver;
mod endpoints;
mod event;
mod order;
mod payload;
mod publish;
mod queue;
mod replay;
mod secret;
mod target;
mod test;

pub use crate::events::{Event, EventId, EventType};
pub use crate::store::MAX_URL;
pub use changes::{Change, Images};
pub use deliver::{Attempt, Deliverer, MAX_ATTEMPTS, backoff_s};
pub use endpoints::{
    CreateWebhookError, DeleteWebhookError, NewWebhook, UpdateWebhookError, Webhooks,
};
pub use payload::{
    CredentialActive, CredentialDrift, CredentialExpiring, CredentialRenewed, CredentialRevoked,
    DriftEntry, EventBody, OrderEvent, WalletCreated, WebhookTest,
};
pub use publish::{Known, PublishError, Publisher};
pub use queue::{Deliveries, Delivery, QueueError};
pub use replay::{MAX_REPLAYED, Replay, ReplayError, Replayed, Replayer};
pub use secret::{Secret, SecretError};
pub use target::{Lookup, Targets, is_public};
pub use test::{TestError, Tester};
